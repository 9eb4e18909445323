"""Errors whose text is shown to users: what was expected, what was found, what to do.

The library raises these; only the command line prints them and chooses the exit code. A text names an argument in
backticks, with its value where it has one: "raise `max_pixels` to 7", "use `device=cpu`". So it reads in Python;
rdzip.commands.options.with_options shows the options of the command line for them: "raise --max-pixels to 7".
"""

from __future__ import annotations


class RdzipError(Exception):
    """Base of every error that rdzip raises on purpose; its text is one line for users."""


class UsageError(RdzipError):
    """Arguments that do not go together; nothing was done (exit code 2)."""


class InputError(RdzipError):
    """An input image or argument cannot be used (unreadable, truncated, unsupported, too large)."""


class FormatError(RdzipError):
    """A .rdz file is not what it should be (foreign, truncated, corrupt, hostile, too new)."""


class ModelError(RdzipError):
    """A model cannot be found, fetched, trusted (hash, known answer) or used for this input."""


class CoderError(RdzipError):
    """The entropy coder ran out of words or met a symbol outside its table: a corrupt payload."""


class Stopped(BaseException):
    """The program was asked to stop by this signal; no `except Exception` holds it up."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
