"""Options and arguments that commands share, and what each command begins and ends with."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rdzip.commands import files
from rdzip.commands.output import Output, tell_compiling
from rdzip.errors import UsageError

HELP = {"help_option_names": ["-h", "--help"]}


class Resample(StrEnum):
    """When the particles of bb-smc are drawn anew."""

    always = "always"
    never = "never"
    adaptive = "adaptive"


class Metadata(StrEnum):
    """What of a picture's metadata is kept."""

    all = "all"
    none = "none"


Images = Annotated[list[str], typer.Argument(metavar="FILE", help="Images or arrays; - is stdin.", show_default=False)]
Compressed = Annotated[list[str], typer.Argument(metavar="FILE", help=".rdz files; - is stdin.", show_default=False)]
ToFile = Annotated[str | None, typer.Option("-o", "--output", metavar="OUT", help="Write to OUT; - is stdout.")]
ToFolder = Annotated[Path | None, typer.Option("-O", "--output-dir", metavar="DIR", help="Write into a folder.")]
ToStdout = Annotated[bool, typer.Option("-c", "--stdout", help="Write to stdout.")]
Force = Annotated[bool, typer.Option("-f", "--force", help="Replace existing files; allow a terminal as stdout.")]
Remove = Annotated[bool, typer.Option("--rm", help="Delete each input that its result, on the disk, brings back.")]
Recursive = Annotated[bool, typer.Option("-r", "--recursive", help="Enter folders.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, metavar="N", help="Use N threads.")]
Device = Annotated[str | None, typer.Option("--device", metavar="D", help="Run the network there: cpu, cuda, ...")]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        min=1,
        metavar="N",
        help="Refuse images of more than N pixels [178956970]; above that, trust files that claim much.",
    ),
]
Ray = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Work on a Ray cluster there; local: one on this machine."),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never fetch a model.")]
Fetch = Annotated[
    bool,
    typer.Option("--fetch", help="Fetch a missing model from the repository that the file names (256 MiB at most)."),
]
Items = Annotated[
    str | None,
    typer.Option("--items", metavar="LIST", help="Only these items of an array or archive, from 0: 5,7-9."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line on stdout.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="An id, a hash, or a .safetensors file.", show_default=False)
]


def begin(as_json: bool, verbose: bool, quiet: bool, *, offline: bool = False) -> Output:
    """What speaks for a command with these options; UsageError where they contradict each other."""
    if offline:  # workers, in processes of their own, must know it too
        os.environ["HF_HUB_OFFLINE"] = "1"
    if verbose and quiet:
        raise UsageError("expected -v or --quiet, found both; leave one out")
    say = Output(as_json, quiet, verbose)
    tell_compiling(say)
    return say


def check_destination(destination: files.Destination, *, as_json: bool, remove: bool) -> None:
    """Raise UsageError where a result on stdout leaves no place for what else was asked for."""
    if destination.stdout and as_json:
        raise UsageError("stdout cannot carry both an image and --json; write the image to a file by -o")
    if destination.stdout and remove:
        raise UsageError("--rm needs a result on the disk, found one on stdout; use -o, or leave --rm out")


def finish(say: Output) -> None:
    """End with exit code 1 if anything failed."""
    if say.failed:
        raise typer.Exit(1)
