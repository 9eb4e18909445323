"""README.md and the pages of docs/: every link leads to a file and a heading, and so does every path in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "fuzz" / "README.md", *ROOT.glob("rdzip/**/*.md")}
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading: letters, digits, - and _; blanks become -."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        if re.match(r"\w+:", target):
            continue
        path, _, fragment = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{target}: no such file"
        assert found.is_relative_to(ROOT), f"{target}: outside of the repository"
        assert not fragment or fragment in anchors(found), f"{target}: no such heading"


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in LINK.findall(index.read_text("utf-8"))}
    assert [page for page in PAGES if page.is_relative_to(index.parent) and page != index and page not in linked] == []


@pytest.mark.parametrize("folder", ["rdzip", "tests", "tools", "benchmarks", "fuzz", "examples", "docs", "."])
def test_every_page_that_text_names_is_there(folder: str) -> None:
    """Paths such as docs/reference/format.md in code and pages; those in braces count one by one."""
    files = (ROOT / folder).glob("*.*") if folder == "." else (ROOT / folder).rglob("*.*")
    for path in files:
        if path.suffix in {".py", ".md", ".toml"}:
            for name in re.findall(r"(?<![\w/.])docs/[\w/{},-]+\.md", path.read_text("utf-8")):
                start, brace, rest = name.partition("{")
                middles, _, end = rest.partition("}")
                for middle in middles.split(",") if brace else [""]:
                    assert (ROOT / f"{start}{middle}{end}").exists(), f"{path.relative_to(ROOT)} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """Paths of Python files, in code, are below the repository, rdzip/ or tests/, or in a folder named before."""
    text = page.read_text("utf-8")
    folders = [ROOT, ROOT / "rdzip", ROOT / "benchmarks", page.parent]
    for name in re.findall(r"`([\w./*]+\.py)`", text):
        if "/" in name:
            folders += [base / Path(name).parent for base in (ROOT, ROOT / "rdzip")]
        assert any(list(folder.glob(name)) for folder in folders if folder.is_dir()), f"{name} is not there"
