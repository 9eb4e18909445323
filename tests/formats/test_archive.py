import io

import numpy as np
import pytest
from helpers.packed import pack_archive

import rdzip
from rdzip.errors import FormatError, InputError, RdzipError
from rdzip.formats import cbor, container
from rdzip.formats.archive import Archive, is_archive
from rdzip.formats.container import Section, SectionType
from rdzip.formats.describe import describe, describe_archive
from rdzip.formats.member_names import check_name
from rdzip.formats.packing import pack_bytes
from rdzip.pipeline.decompress import decompress


@pytest.fixture(scope="module")
def members() -> list[tuple[str, bytes]]:
    rng = np.random.default_rng(0)
    return [
        (f"folder/{i}.png", rdzip.compress(rng.integers(0, 9, (8, 6 + i, 3)).astype(np.uint8), codec="classic"))
        for i in range(3)
    ]


def test_members_come_back_by_name(members):
    data = pack_archive(members)
    for archive in (Archive(data), Archive(io.BytesIO(data))):
        assert archive.names == [name for name, _ in members]
        for name, body in reversed(members):
            assert archive.read(name) == body
        with pytest.raises(InputError, match="found 'other'"):
            archive.read("other")
    assert is_archive(data)
    assert not is_archive(members[0][1])
    assert [member["name"] for member in rdzip.info(data)["members"]] == [name for name, _ in members]
    assert Archive(pack_archive([])).names == []


def test_only_what_is_needed_is_read(members):
    class Counting(io.BytesIO):
        count = 0

        def read(self, size=-1):
            found = super().read(size)
            self.count += len(found)
            return found

    big = [(f"{i}.png", bytes(1 << 20)) for i in range(5)]
    file = Counting(pack_archive(big))
    archive = Archive(file)
    archive.read("3.png")
    assert file.count < (1 << 20) + (1 << 17)


def test_an_archive_is_not_decoded_as_an_image(members):
    with pytest.raises(FormatError, match="archive of several images"):
        decompress(pack_archive(members))
    with pytest.raises(FormatError, match="expected an archive"):
        Archive(members[0][1])


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../a",
        "a/../../b",
        "a//b",
        "./a",
        "a\\b",
        "C:x",
        "a\nb",
        "a/",
        "nul",
        "a/COM1.png",
        "a.",
        "b ",
        "x" * 1025,
        "\0",
    ],
)
def test_names_that_could_leave_the_folder_are_refused(members, name):
    with pytest.raises(InputError, match="relative path"):
        check_name(name)
    with pytest.raises(InputError, match="relative path"):
        pack_archive([(name, members[0][1])])
    prefix = container.pack_prefix({7: 1})
    member = b"".join(container.pack_section(Section(SectionType.MEMBER, members[0][1])))
    index = Section(SectionType.INDEX, pack_bytes(cbor.dumps([[name, len(prefix), len(members[0][1])]])))
    tail = Section(SectionType.TAIL, (len(prefix) + len(member)).to_bytes(8, "little"))
    hostile = prefix + member + b"".join([*container.pack_section(index), *container.pack_section(tail), b"\0"])
    with pytest.raises(FormatError, match="hostile or corrupt"):
        Archive(hostile)


def test_names_that_differ_in_capitals_only_are_refused(members):
    with pytest.raises(InputError, match="capitals"):
        pack_archive([("a.png", members[0][1]), ("A.PNG", members[1][1])])


def test_every_damage_is_refused_or_harmless(members):
    data = pack_archive(members[:2])
    for at in range(len(data)):
        for bad in (data[:at], data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :]):
            try:
                archive = Archive(bad)
                found = [(name, archive.read(name)) for name in archive.names]
            except RdzipError:
                continue
            assert found == members[:2]
            with pytest.raises(RdzipError):
                container.unpack(bad)


def test_an_archive_or_a_batch_holds_no_archive() -> None:
    """Else a file of 32 kB could hold 600 of them in each other."""
    nested = pack_archive([("a.rdz", pack_archive([("a.rdz", rdzip.compress(np.zeros((2, 2), np.uint8)))]))])
    with pytest.raises(FormatError, match="holds another archive"):
        describe_archive(nested)
    inner = container.pack({0: [2, 3, 4], 7: 2}, [Section(SectionType.MEMBER, nested)])
    for body in (nested, inner):
        with pytest.raises(FormatError, match="of several images"):
            describe(container.pack({0: [2, 3, 4], 7: 2}, [Section(SectionType.MEMBER, body)]))
