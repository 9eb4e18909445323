from __future__ import annotations

import io
import os
import socket
import sys
from pathlib import Path

import pytest
from helpers import needs
from helpers.needs import posix

from rdzip.commands import files
from rdzip.commands.destination import Destination, compressed_name, decompressed_name, restored_name
from rdzip.commands.files import IMAGE_SUFFIXES, Input, find_inputs
from rdzip.errors import InputError, UsageError
from rdzip.system import atomic


def found(path: Path) -> Input:
    return find_inputs([str(path)], recursive=False, suffixes=IMAGE_SUFFIXES)[0]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def beside(*inputs: Input, force: bool = False) -> Destination:
    return Destination.of(inputs, output=None, folder=None, stdout=False, force=force)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(b"picture")
    return path


# Names


def test_compressed_name_is_appended_and_taken_off_again(picture: Path) -> None:
    item = found(picture)
    assert compressed_name(item) == "a.png.rdz"
    there = item.path.with_name("a.png.rdz")
    assert decompressed_name(found(there)) == "a.png"
    assert restored_name(found(there), ".png", own=True) == "a.png"


@pytest.mark.parametrize(
    ("name", "own", "crowded", "expected"),
    [
        ("b.JPG.RDZ", False, False, "b.png"),
        ("b.JPG.RDZ", False, True, "b.JPG.png"),
        ("b.png.rdz", False, True, "b.png"),
        ("b.jpg.rdz", True, True, "b.jpg"),
        ("x.rdz", True, False, "x.png"),
        ("x.rdz", False, False, "x.png"),
        ("scan.v2.rdz", True, False, "scan.v2.png"),
        ("scan.v2.rdz", False, False, "scan.v2.png"),
    ],
)
def test_the_name_of_the_image_in_a_file(name: str, own: bool, crowded: bool, expected: str) -> None:
    assert restored_name(found(Path("dir.d") / name), ".png", own=own, crowded=crowded) == expected


@pytest.mark.parametrize(
    ("name", "own", "expected"),
    [("x", True, "x"), ("scan.v2", True, "scan.v2"), ("scan.v2", False, "scan.png"), ("x", False, "x.png")],
)
def test_members_of_archives_have_whole_names(name: str, own: bool, expected: str) -> None:
    member = Input(Path("all.rdz"), Path(name + ".rdz"), member=name)
    assert restored_name(member, ".png", own=own) == expected


def test_names_that_some_systems_take_for_one(tmp_path: Path) -> None:
    for name in ("a.png.rdz", "A.jpg.rdz", "b.png.rdz", "b.png.RDZ2", "gr\u00fcn.jpg.rdz", "gru\u0308n.png.rdz"):
        (tmp_path / name).touch()
    destination = beside()
    crowded = [destination.crowded(found(tmp_path / name)) for name in ("A.jpg.rdz", "b.png.rdz", "gr\u00fcn.jpg.rdz")]
    assert crowded == [True, False, True]


def test_one_file_under_two_names_is_not_made_twice(tmp_path: Path) -> None:
    """As on a disk that does not tell capitals apart, also with -f."""
    first, second = found(tmp_path / "a.png.rdz"), found(tmp_path / "A.png.rdz")
    destination = beside(first, second, force=True)
    (tmp_path / "a.png").touch()
    assert destination.place(first, "a.png") == tmp_path / "a.png"
    os.link(tmp_path / "a.png", tmp_path / "A.png")
    with pytest.raises(InputError, match="just made from"):
        destination.place(second, "A.png")


@pytest.mark.parametrize("name", ["a.png", ".rdz", "rdz", "a.rdz.png"])
def test_a_name_without_the_suffix_has_no_decompressed_name(name: str) -> None:
    with pytest.raises(InputError, match=r"\.rdz"):
        decompressed_name(found(Path(name)))


def test_a_compressed_name_is_not_compressed_again() -> None:
    with pytest.raises(InputError, match="already"):
        compressed_name(found(Path("a.png.rdz")))


def test_odd_names_are_shown_on_one_line() -> None:
    assert atomic.shown("a\nb\x1b[31m\udcff.png") == "a\\nb\\x1b[31m\\udcff.png"
    assert atomic.shown("Grüße 图.png") == "Grüße 图.png"


# Which inputs


def test_folder_needs_recursive(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="-r"):
        files.read(found(tmp_path))


def test_recursive_takes_images_in_order_and_leaves_the_rest(tmp_path: Path) -> None:
    for name in ["z.PNG", "sub/b.jpg", "sub/a.tif", "notes.txt", "a.png.rdz", ".rdzip-0123abcd.tmp"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    items = find_inputs([str(tmp_path)], recursive=True, suffixes=IMAGE_SUFFIXES)
    assert [str(item.relative) for item in items] == ["z.PNG", str(Path("sub/a.tif")), str(Path("sub/b.jpg"))]
    items = find_inputs([str(tmp_path)], recursive=True, suffixes=frozenset([files.SUFFIX]))
    assert [str(item.relative) for item in items] == ["a.png.rdz"]


def test_recursive_into_a_folder_without_images_is_a_problem_not_a_success(tmp_path: Path) -> None:
    (item,) = find_inputs([str(tmp_path)], recursive=True, suffixes=IMAGE_SUFFIXES)
    with pytest.raises(InputError, match="no file to work on"):
        files.read(item)


@needs.posix
def test_a_folder_that_may_not_be_read_is_a_problem(unprivileged: Path) -> None:
    (unprivileged / "locked").mkdir(mode=0)
    items = find_inputs([str(unprivileged)], recursive=True, suffixes=IMAGE_SUFFIXES)
    (unprivileged / "locked").chmod(0o700)
    (found,) = [item for item in items if item.problem]
    assert "cannot be searched" in str(found.problem)
    assert "locked" in str(found)


@pytest.mark.parametrize("name", ["missing.png", "", "nul\0.png", "x" * 5000])
def test_unusable_names_are_input_errors(name: str) -> None:
    (item,) = find_inputs([name], recursive=True, suffixes=IMAGE_SUFFIXES)
    with pytest.raises(InputError):
        files.read(item)


# Which outputs


@pytest.mark.parametrize("link", ["same", "symlink", "hardlink", "dotted"])
def test_output_equal_to_input_is_refused_even_when_forced(picture: Path, link: str) -> None:
    output = picture
    if link == "dotted":
        (picture.parent / "sub").mkdir()
        output = picture.parent / "sub" / ".." / picture.name
    elif link != "same":
        output = picture.with_name("other.png")
        (os.symlink if link == "symlink" else os.link)(picture, output)
    destination = Destination.of([found(picture)], output=str(output), folder=None, stdout=False, force=True)
    with pytest.raises(InputError, match="would replace the input"):
        destination.place(found(picture), "a.png.rdz")
    assert picture.read_bytes() == b"picture"


def test_output_on_another_input_is_refused(picture: Path) -> None:
    other = picture.with_name("a.png.rdz")
    other.write_bytes(b"other input")
    destination = beside(found(picture), found(other), force=True)
    with pytest.raises(InputError, match="would replace the input"):
        destination.place(found(picture), "a.png.rdz")


def test_two_inputs_never_share_an_output(tmp_path: Path) -> None:
    items = []
    for folder in ["x", "y"]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").touch()
        items.append(found(tmp_path / folder / "a.png"))
    destination = Destination.of(items, output=None, folder=tmp_path / "out", stdout=False, force=True)
    assert destination.place(items[0], "a.png.rdz") == tmp_path / "out" / "a.png.rdz"
    with pytest.raises(InputError, match="just made from"):
        destination.place(items[1], "a.png.rdz")


def test_existing_output_is_refused_by_name_unless_forced(picture: Path) -> None:
    picture.with_name("a.png.rdz").write_bytes(b"precious")
    with pytest.raises(InputError, match=r"a\.png\.rdz exists already"):
        beside(found(picture)).place(found(picture), "a.png.rdz")
    assert beside(found(picture), force=True).place(found(picture), "a.png.rdz") == picture.with_name("a.png.rdz")


def test_dangling_link_counts_as_existing(picture: Path) -> None:
    picture.with_name("a.png.rdz").symlink_to(picture.with_name("nowhere"))
    with pytest.raises(InputError, match="exists already"):
        beside(found(picture)).place(found(picture), "a.png.rdz")


def test_placing_opens_and_makes_nothing(picture: Path) -> None:
    out = picture.parent / "new" / "deep"
    destination = Destination.of([found(picture)], output=None, folder=out, stdout=False, force=False)
    assert destination.place(found(picture), "a.png.rdz") == out / "a.png.rdz"
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("count", "output", "folder", "stdout"),
    [(2, "o", None, False), (2, None, None, True), (1, "o", "d", False), (1, "o", None, True), (1, None, "d", True)],
)
def test_options_that_do_not_go_together(
    picture: Path, count: int, output: str | None, folder: str | None, stdout: bool
) -> None:
    with pytest.raises(UsageError):
        Destination.of(
            [found(picture)] * count, output=output, folder=Path(folder) if folder else None, stdout=stdout, force=True
        )


def test_folder_as_output_is_refused(picture: Path) -> None:
    destination = Destination.of([found(picture)], output=str(picture.parent), folder=None, stdout=False, force=True)
    with pytest.raises(InputError, match="use -O"):
        destination.place(found(picture), "a.png.rdz")


def test_terminals_get_and_give_no_binary_data(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    with Terminal(io.BytesIO()) as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        with pytest.raises(UsageError, match="terminal"):
            Destination.of([found(picture)], output="-", folder=None, stdout=False, force=False)
        assert Destination.of([found(picture)], output="-", folder=None, stdout=False, force=True).stdout
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(InputError, match="terminal"):
            files.read(Input(None, Path("-")))


def test_names_after_options_are_checked(picture: Path) -> None:
    items = [found(picture)]
    for output in ["", str(picture.parent) + "/"]:
        with pytest.raises(UsageError, match="after -o"):
            Destination.of(items, output=output, folder=None, stdout=False, force=True)
    with pytest.raises(UsageError, match="after -O"):
        Destination.of(items, output=None, folder=picture, stdout=False, force=True)
    destination = Destination.of(items, output=str(picture.parent / "no" / "b"), folder=None, stdout=False, force=True)
    with pytest.raises(InputError, match="folder to write into"):
        destination.place(items[0], "")


def test_a_folder_without_recursive_has_no_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="-r"):
        compressed_name(found(Path()))


# Removing


def test_source_is_removed_only_while_unchanged(picture: Path) -> None:
    source = files.read(found(picture))
    picture.write_bytes(b"edited since")
    with pytest.raises(InputError, match="changed"):
        files.remove_source(found(picture), source.status)
    files.remove_source(found(picture), files.read(found(picture)).status)
    assert not picture.exists()


@pytest.mark.parametrize("how", ["same size, later", "another of its name"])
def test_source_is_kept_if_it_is_not_what_was_read(picture: Path, how: str) -> None:
    source = files.read(found(picture))
    if how == "same size, later":
        picture.write_bytes(b"PICTURE")
        os.utime(picture, ns=(1, source.status.st_mtime_ns + 1))
    else:
        other = picture.with_name("other")
        other.write_bytes(b"picture")
        os.utime(other, ns=(1, source.status.st_mtime_ns))
        other.replace(picture)
    with pytest.raises(InputError, match="changed"):
        files.remove_source(found(picture), source.status)
    assert picture.exists()


# What is no plain file


@posix
def test_pipes_sockets_and_links_to_nothing_are_left_out_of_folders(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "to-pipe.png").symlink_to("pipe.png")
    (tmp_path / "nowhere.png").symlink_to("nothing")
    (tmp_path / "device.png").symlink_to(os.devnull)
    (tmp_path / "link.png").symlink_to("a.png")
    with socket.socket(socket.AF_UNIX) as one:
        before = Path.cwd()
        os.chdir(tmp_path)  # names of sockets are short
        try:
            one.bind("socket.png")
        finally:
            os.chdir(before)
    told: list[str] = []
    items = find_inputs([str(tmp_path)], recursive=True, suffixes=IMAGE_SUFFIXES, note=told.append)
    assert [item.relative.name for item in items] == ["a.png", "link.png"]
    assert [text.removeprefix(f"{tmp_path}/") for text in told] == [
        "device.png is left out: it is a device",
        "nowhere.png is left out: it is a link that leads nowhere",
        "pipe.png is left out: it is a pipe",
        "socket.png is left out: it is a socket",
        "to-pipe.png is left out: it is a pipe",
    ]


@posix
def test_what_is_no_file_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "nowhere.png").symlink_to("nothing")
    for path, what in (
        (tmp_path / "pipe.png", "found a pipe"),
        (Path("/dev/zero"), "found a device"),
        (tmp_path / "nowhere.png", "found a link that leads nowhere"),
    ):
        with pytest.raises(InputError, match=what):
            files.read(found(path))


@posix
def test_a_pipe_of_the_shell_is_read(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"picture")
        os.close(writer)
        assert files.read(found(Path(f"/dev/fd/{reader}"))) == files.Source(b"picture", None)
    finally:
        os.close(reader)


def test_a_file_that_grows_while_it_is_read_is_refused(picture: Path) -> None:
    def grow(file: object) -> bytes:
        with picture.open("ab") as more:
            more.write(b" and more")
        return b"picture"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "read_on", grow)
        with pytest.raises(InputError, match="changed while it was read"):
            files.read(found(picture))


def test_closed_stdin_is_said_to_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="closed"):
        files.read(Input(None, Path("-")))
