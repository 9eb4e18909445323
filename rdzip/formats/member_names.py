"""Names of images in archives and batches: relative paths that cannot leave their folder on any system."""

from __future__ import annotations

import re

from rdzip.errors import InputError

MAX_NAME = 1024
"""Bytes of a name in UTF-8."""
_WINDOWS_NAME = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def check_name(name: str) -> str:
    """Return `name` if it is a relative path that cannot leave its folder on any system; InputError says what is wrong
    with it.
    """
    parts = name.split("/")
    wrong = None
    if not name or len(name.encode("utf-8", "surrogateescape")) > MAX_NAME:
        wrong = f"it has {len(name.encode('utf-8', 'surrogateescape'))} bytes, 1 to {MAX_NAME} are allowed"
    elif any(part in ("", ".", "..") for part in parts):
        wrong = "it is absolute, or has an empty part, . or .."
    elif any(character < " " or character in "\\:\x7f" for character in name):
        wrong = "it has a control character, a backslash or a colon"
    elif any(_WINDOWS_NAME.fullmatch(part) or part[-1] in " ." for part in parts):
        wrong = "a part of it is not a file name on every system"
    if wrong:
        raise InputError(f"expected a relative path as name of an archive's member, found {name!r}: {wrong}")
    return name
