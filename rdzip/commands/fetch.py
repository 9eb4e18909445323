"""Models that a .rdz file names and that are not here: fetched before it is decoded, if the user says so."""

from __future__ import annotations

import sys

from rdzip import hub
from rdzip.commands.output import Output
from rdzip.commands.progress_bar import bar
from rdzip.hub.origin import Origin
from rdzip.pipeline import fetching
from rdzip.system.atomic import shown


def fetch(data: bytes, name: str, out: Output, *, allowed: bool) -> None:
    """Fetch what a file called `name` needs, where --fetch is given (`allowed`) or a yes at the terminal.

    Without either nothing is fetched, and decoding says what is missing. Raises ModelError where it cannot be had.
    """
    if allowed or not (out.quiet or hub.is_offline()):
        with bar(f"{name}: its model", quiet=out.quiet or not allowed) as progress:
            fetching.fetch_models(data, confirm=lambda place: allowed or ask(name, place), progress=progress)


def ask(name: str, place: Origin) -> bool:
    """Ask whether a model may be fetched; without a terminal to ask at, the answer is no."""
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        return False
    question = f"rdzip: {name}: its model is not on this machine; the file says that it is {place.description}."
    print(f"{shown(question)} Fetch it from the Hugging Face hub? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
