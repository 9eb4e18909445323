"""Model files: canonical bytes, exact round trips, and hostile files refused in one line."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import numpy as reference

from rdzip import models
from rdzip.errors import InputError, ModelError
from rdzip.models import model_file

META: dict[str, Any] = {
    "architecture": "tiny",
    "version": 1,
    "id": "tiny",
    "codecs": ["causal"],
    "known_answer": "ab" * 32,
    "licence": "MIT",
    "recipe": {"rate": 1e-3, "note": "naïve “quotes” \\ \n"},
}
TENSORS = {
    "b": np.arange(-3, 3, dtype=np.int8).reshape(2, 3),
    "a.scale": np.array(5, np.int32),
    "table": np.arange(7, dtype=np.uint8),
    "c": np.full((1, 2, 1), -300, np.int16),
}


def refused(data: bytes | Path, *parts: str) -> None:
    with pytest.raises(ModelError) as caught:
        model_file.read(data)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 500
    for part in parts:
        assert part in text


def rebuilt(change: Callable[[dict[str, Any]], object], data: bytes | None = None) -> bytes:
    """A model file whose JSON header was changed in place by `change`."""
    data = data or model_file.to_bytes(TENSORS, META)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def test_round_trip_and_canonical_bytes(tmp_path: Path) -> None:
    data = model_file.to_bytes(TENSORS, META)
    path = tmp_path / "m.safetensors"
    backwards = {name: TENSORS[name].copy(order="F") for name in reversed(TENSORS)}
    assert model_file.write(path, backwards, dict(reversed(META.items()))) == model_file.sha256(data)
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]
    for source in (data, path, str(path)):
        tensors, meta = model_file.read(source)
        assert meta == META == model_file.read_meta(source)
        assert set(tensors) == set(TENSORS)
        for name, expected in TENSORS.items():
            assert tensors[name].dtype == expected.dtype
            assert tensors[name].flags.writeable
            np.testing.assert_array_equal(tensors[name], expected)
        assert model_file.to_bytes(tensors, meta) == data


def test_bytes_are_pinned() -> None:
    """A change of these bytes changes the name of every model made from here on."""
    digest = "d4038f4f0ebfbe80428c2b65b265cf16ff0bd48513dbcce19996125cc36f7854"
    assert model_file.sha256(model_file.to_bytes(TENSORS, META)) == digest


def test_the_reference_library_reads_our_files_and_we_read_its() -> None:
    for name, values in reference.load(model_file.to_bytes(TENSORS, META)).items():
        np.testing.assert_array_equal(values, TENSORS[name])
    theirs = reference.save(TENSORS, metadata={"rdzip": json.dumps(META)})
    tensors, meta = model_file.read(theirs)
    assert meta == META
    np.testing.assert_array_equal(tensors["table"], TENSORS["table"])


def test_big_endian_arrays_are_stored_little_endian() -> None:
    big = {"a": np.array([1, 2, 70000], ">i4")}
    assert model_file.to_bytes(big, META) == model_file.to_bytes({"a": big["a"].astype(np.int32)}, META)


@given(
    st.dictionaries(
        st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.\-/]{0,20}\Z"),
        st.sampled_from(["i1", "u1", "i2", "i4"]).flatmap(
            lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, max_side=4))
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_integer_tensors_round_trip(tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    found, _ = model_file.read(model_file.to_bytes(tensors, META))
    assert set(found) == set(tensors)
    for name, values in tensors.items():
        assert (found[name].dtype, found[name].shape) == (values.dtype, values.shape)
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint16, np.bool_, np.complex64, "U3", object])
def test_only_small_integers_are_written(dtype: Any) -> None:
    with pytest.raises(ModelError, match="only"):
        model_file.to_bytes({"a": np.zeros(3, dtype)}, META)


@pytest.mark.parametrize("tensors", [{}, {"a": np.zeros((0, 2), np.int8)}, {"../a": np.zeros(1, np.int8)}])
def test_odd_tensors_are_not_written(tensors: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        model_file.to_bytes(tensors, META)


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": None},
        {"version": -1},
        {"version": True},
        {"id": "Photo"},
        {"id": "../photo"},
        {"codecs": []},
        {"codecs": "causal"},
        {"known_answer": "12"},
        {"licence": ""},
        {"licence": "two\nlines"},
    ],
)
def test_a_wrong_document_is_neither_written_nor_read(change: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=next(iter(change))):
        model_file.to_bytes(TENSORS, META | change)
    document = json.dumps(META | change)
    refused(rebuilt(lambda header: header["__metadata__"].update(rdzip=document)), next(iter(change)))


def test_nan_is_not_written_into_the_document() -> None:
    with pytest.raises(ModelError, match="JSON"):
        model_file.to_bytes(TENSORS, META | {"loss": float("nan")})


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16", "F64", "I64", "U16", "BOOL", "", None, 3, [], "x" * 1000])
def test_other_dtypes_are_refused(dtype: object) -> None:
    refused(rebuilt(lambda header: header["b"].update(dtype=dtype)), "'b'", "only")


def test_a_float_model_of_another_project_is_refused() -> None:
    floats = {"w": np.zeros(4, np.float32)}
    refused(reference.save(floats), "not an rdzip model")
    refused(reference.save(floats, metadata={"rdzip": json.dumps(META)}), "F32")


@pytest.mark.parametrize(
    "shape",
    [
        [2, 4],
        [6, 0],
        [-2, -3],
        [2.0, 3],
        ["2", 3],
        [True, 6],
        6,
        None,
        {},
        [1] * 9,
        [2**62, 4],
        [2**31] * 8,
        [10**4000],
    ],
)
def test_lying_shapes_are_refused(shape: object) -> None:
    refused(rebuilt(lambda header: header["b"].update(shape=shape)), "'b'")


@pytest.mark.parametrize(
    "offsets",
    [[0, 6], [18, 12], [12, 2**63], [-6, 0], [12, 18, 24], [12], "12", None, [12.0, 18.0], [10**40, 10**40 + 6]],
)
def test_lying_offsets_are_refused(offsets: object) -> None:
    refused(rebuilt(lambda header: header["b"].update(data_offsets=offsets)), "tensor")


@pytest.mark.parametrize("entry", [None, [], "b", {}, {"dtype": "I8", "shape": [6]}])
def test_lying_entries_are_refused(entry: object) -> None:
    refused(rebuilt(lambda header: header.update(b=entry)), "'b'", "exactly")


def test_an_extra_tensor_that_overlaps_is_refused() -> None:
    refused(rebuilt(lambda header: header.update(z=dict(header["b"]))), "overlap")


def test_terminal_escapes_in_names_do_not_reach_the_message() -> None:
    with pytest.raises(ModelError) as caught:
        model_file.read(rebuilt(lambda header: header.update({"\x1b[31m\n" * 9: header["b"]})))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("metadata", [None, {}, {"rdzip": 3}, {"rdzip": "{"}, {"rdzip": "[]"}, {"format": "pt"}, []])
def test_metadata_without_a_document_is_refused(metadata: object) -> None:
    refused(rebuilt(lambda header: header.update(__metadata__=metadata)))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"__metadata__":{},"__metadata__":{}}',
        b'{"a": NaN}',
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"__metadata__":{"rdzip":"\\ud800"}}',
    ],
)
def test_headers_that_are_no_json_object_are_refused(text: bytes) -> None:
    refused(len(text).to_bytes(8, "little") + text)


def test_a_huge_header_is_refused_before_memory_is_taken() -> None:
    refused((2**63).to_bytes(8, "little") + b"{}", "header")
    refused((model_file.MAX_HEADER_BYTES + 1).to_bytes(8, "little") + b"{}", "limit")
    refused((1 << 20).to_bytes(8, "little") + b"{}", "truncated")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(model_file.MAX_FILE_BYTES + 1)
    refused(path, "at most")


def test_every_truncation_is_refused() -> None:
    data = model_file.to_bytes(TENSORS, META)
    for length in range(len(data)):
        refused(data[:length])
    refused(data + b"\0", "foreign bytes")


def test_every_single_byte_corruption_is_refused_or_harmless() -> None:
    """The hash catches them all; the reader alone must not fail in any other way than ModelError."""
    data = model_file.to_bytes(TENSORS, META)
    for position in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[position] ^= flip
            try:
                tensors, _ = model_file.read(bytes(changed))
            except ModelError:
                continue
            assert sum(t.nbytes for t in tensors.values()) == sum(t.nbytes for t in TENSORS.values())


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (mark,)

    refused(pickle.dumps(Evil(), protocol), "pickle")
    assert not mark.exists()


def test_a_torch_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"w": torch.zeros(3)}, path)
    refused(path, str(path), "pickle")


def test_an_unreadable_or_unwritable_path_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "missing.safetensors", "missing.safetensors", "No such file")
    refused(tmp_path, str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        model_file.write(tmp_path / "file" / "m.safetensors", TENSORS, META)


class Constant:
    """A model whose known answer is given."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def known_answer(self) -> str:
        return self.answer


def test_build_dispatches_on_the_architecture() -> None:
    tensors, meta = model_file.read(model_file.to_bytes(TENSORS, META))
    with pytest.raises(
        ModelError, match=r"architecture 'tiny', this rdzip knows .*causal-mlp.*: install a newer rdzip"
    ):
        models.build(tensors, meta)
    with models.registered("tiny", lambda tensors, meta: Constant(meta["known_answer"])):
        model = models.build(tensors, meta)
        models.check_known_answer(model, meta)
        with pytest.raises(ModelError, match="other tables on this device"):
            models.check_known_answer(model, meta | {"known_answer": "0" * 64})
        with pytest.raises(ModelError, match="known already"), models.registered("tiny", models.build):
            pass
        assert models.codecs_of(meta) == ("causal",)
    with models.registered("tiny", models.build, ["mixing", "bb-ans"]):
        assert models.codecs_of(meta) == ("mixing", "bb-ans")
    with pytest.raises(ModelError, match="known already"), models.registered("causal-mlp", models.build, ["irec"]):
        pass
    assert models.codecs_of(meta | {"architecture": "causal-mlp"}) == ("mixing", "causal")
    assert "tiny" not in models.architectures()
    for architecture in (None, [], "x" * 500):
        with pytest.raises(ModelError, match="architecture"):
            models.build(tensors, meta | {"architecture": architecture})


def test_importing_models_imports_no_torch_and_no_numpy() -> None:
    code = "import sys, rdzip.models.model_file; sys.exit(bool({'torch', 'numpy'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_format_lists_the_codecs_of_each_architecture() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/format.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([a-z-]+(?:, [a-z-]+)*) \|$", page, re.M))
    assert {*rows, "hyper-code"} == set(models.architectures())
    for architecture, codecs in rows.items():
        assert models.codecs_of({"architecture": architecture}) == tuple(codecs.split(", "))
