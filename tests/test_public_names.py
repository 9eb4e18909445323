"""What programs may call: documented, typed, and there."""

from __future__ import annotations

import inspect
import re
from importlib.resources import files
from pathlib import Path

import rdzip

README = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")
CALLS = re.search(r"From Python:\n\n```python\n(.*?)```", README, re.DOTALL)[1]


def test_the_readme_shows_every_public_name_and_no_other() -> None:
    text = CALLS + README.partition(CALLS)[2].partition("\n## ")[0]
    assert {*re.findall(r"\brdzip\.(\w+)\(", text)} == {*rdzip.__all__} - {"__version__"}
    assert rdzip.__all__ == sorted(rdzip.__all__)


def test_public_names_are_documented_and_typed() -> None:
    for name in {*rdzip.__all__} - {"__version__"}:
        function = getattr(rdzip, name)
        signature = inspect.signature(function)
        assert function.__doc__
        assert signature.return_annotation is not inspect.Signature.empty, name
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, f"{name}: {parameter}"
    assert files(rdzip).joinpath("py.typed").is_file()


def test_what_is_not_public_begins_with_a_line_or_is_a_module() -> None:
    """So that no import at the top of the package becomes a name that programs come to rely on."""
    found = {name for name, value in vars(rdzip).items() if inspect.isfunction(value) or inspect.isclass(value)}
    assert {name for name in found if not name.startswith("_")} == {*rdzip.__all__} - {"__version__"}
