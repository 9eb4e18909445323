"""What reaches the terminal is printable, whatever files, names and servers say."""

from __future__ import annotations

import logging
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.cli_support import CLASSIC, Cli
from helpers.hub_server import COMMIT, FILE, REPO, serving
from PIL import Image

from rdzip.commands import output
from rdzip.commands.output import Output
from rdzip.errors import InputError
from rdzip.system.process import silence_libraries

HOSTILE = "a\x1b[31mred\x1b]0;title\x07\x9b2J\u202egnp.\u2028b\rc\x7f\x00"
SHOWN = "a\\x1b[31mred"


def printable(text: str) -> bool:
    return all(
        unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn") for c in text.replace("\n", "")
    )


@pytest.mark.parametrize(
    "say",
    [
        lambda say: say.note(HOSTILE),
        lambda say: say.note_once(HOSTILE, HOSTILE),
        lambda say: say.result({}, HOSTILE, HOSTILE),
        lambda say: say.failure(HOSTILE, InputError(HOSTILE)),
        lambda say: say.failure(HOSTILE, OSError(28, HOSTILE, HOSTILE)),
        lambda say: say.failure(None, ValueError(HOSTILE)),
        lambda say: output.print_text(HOSTILE),
        lambda say: output.print_text(output.rows([(HOSTILE, HOSTILE)])),
        lambda say: output.print_text(output.table([HOSTILE], [[HOSTILE]])),
        lambda say: output.print_json({HOSTILE: HOSTILE}),
    ],
)
def test_control_characters_are_escaped(say: Callable[[Output], None], capfd: pytest.CaptureFixture[str]) -> None:
    say(Output(verbose=True))
    out, err = capfd.readouterr()
    assert "red" in out + err
    assert printable(out)
    assert printable(err)


def test_what_is_logged_is_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    with output.notes(Output()):
        logging.getLogger("rdzip.hub").info("fetching %s\nrdzip: all is well", HOSTILE)
    err = capfd.readouterr().err
    assert err.startswith(f"rdzip: fetching {SHOWN}")
    assert printable(err)
    assert err.count("\n") == 1


def test_lines_of_a_table_stay_lines(capfd: pytest.CaptureFixture[str]) -> None:
    output.print_text(output.table(["NAME", "BYTES"], [["a\nb", "1"], ["c", "22"]]))
    assert capfd.readouterr().out == "NAME  BYTES\na\\nb      1\nc        22\n"


def test_names_of_files_and_answers_of_servers(
    rdzip: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: Path
) -> None:
    image = tmp_path / f"{HOSTILE.rstrip(chr(0))}.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(image)
    folder = tmp_path / "archive"
    for ran in (
        rdzip("compress", image, *CLASSIC),
        rdzip("compress", image, *CLASSIC),
        rdzip("compress", image, *CLASSIC, "--archive", tmp_path / "all.rdz"),
        rdzip("info", f"{image}.rdz", tmp_path / "all.rdz"),
        rdzip("test", f"{image}.rdz", tmp_path / "all.rdz"),
        rdzip("decompress", tmp_path / "all.rdz", "-o", folder),
        rdzip("bench", image, "--codecs", "webp"),
        rdzip("train", HOSTILE, "--data", image, "--out", tmp_path / "run"),
        rdzip("bound", "--source", HOSTILE.rstrip("\0")),
        rdzip("models", "show", HOSTILE),
    ):
        assert printable(ran.err)
        assert printable(ran.out.decode())
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.behaviour = "hostile error"
        ran = rdzip("models", "pull", f"{REPO}@{COMMIT}/{FILE}")
        assert ran.code == 1
        assert "red" in ran.err
        assert printable(ran.err)


def test_libraries_are_silent_and_errors_stay_errors(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    monkeypatch.setattr(sys, "warnoptions", [])
    with warnings.catch_warnings():
        silence_libraries()
        warnings.simplefilter("always")
        warnings.warn("Palette images with Transparency", UserWarning, stacklevel=1)
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="still"):
            warnings.warn("still", UserWarning, stacklevel=1)
    assert capfd.readouterr().err == ""


def test_a_palette_with_transparency_is_benchmarked_without_a_word(rdzip: Cli, tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).convert("P")
    image.save(tmp_path / "a.png", transparency=bytes(range(256)))
    ran = rdzip("bench", tmp_path / "a.png", "--codecs", "webp")
    assert ran.code == 0
    assert "Warning" not in ran.err
    assert "Palette" not in ran.err
