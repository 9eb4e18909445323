"""What hostile files of tests would do if they were believed."""

from __future__ import annotations

from pathlib import Path


class Harm:
    """An object whose pickle writes a file when it is loaded."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> object:
        return Path.write_text, (self.victim, "owned")
