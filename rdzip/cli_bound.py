"""The command `rdzip bound` and its options; rdzip.commands.bound does the work."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rdzip.cli_commands import app
from rdzip.commands.options import Device, Force, Json, Quiet, Ray, finish
from rdzip.commands.output import Output


class RateUnit(StrEnum):
    """Units of rates in pictures of bounds."""

    nats = "nats"
    bits_per_dim = "bits-per-dim"


class DistortionUnit(StrEnum):
    """Units of distortions in pictures of bounds."""

    mse = "mse"
    psnr = "psnr"


@app.command()
def bound(
    drawn: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DIR]...", help="With --plot-only: folders of runs, JSON lines of `rdzip bench`."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="S",
            help="gaussian, banana, physics, physics-2d, speech, speech-2d, FILE.npy, a folder of images, or the file "
            "of a generator network.",
        ),
    ] = None,
    dim: Annotated[int | None, typer.Option("--dim", metavar="N", help="Dimensions of the source. [2]")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The folder with physics/ and speech/ in it.")
    ] = None,
    crop: Annotated[
        int | None, typer.Option("--crop", metavar="N", help="Cut squares of N pixels from images.")
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", metavar="M,...", help="Methods, by comma. [sandwich: those that fit]")
    ] = None,
    lambdas: Annotated[
        str | None, typer.Option("--lambdas", metavar="A,...", help="-dR/dD in nats, by comma. [by the source]")
    ] = None,
    options: Annotated[
        list[str] | None, typer.Option("--set", metavar="M.KEY=VALUE", help="Change an option of a method.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder of records and pictures. [bound-SOURCE]")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, metavar="N", help="Work in N processes. [one a core, at most 4]")
    ] = None,
    ray: Ray = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
    plot_only: Annotated[bool, typer.Option("--plot-only", help="Draw what DIR... have, in one picture.")] = False,
    rate: Annotated[
        RateUnit | None, typer.Option("--rate", help="Axis of the picture. [nats; images: bits-per-dim]")
    ] = None,
    distortion: Annotated[
        DistortionUnit | None, typer.Option("--distortion", help="Axis of the picture. [mse; images: psnr]")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of everything random.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer lambdas, less work, looser bounds.")] = False,
    device: Device = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Bound the rate-distortion function of a source.

    The folder gets bound.jsonl with a record for each point found, and the sandwich as bound.png and bound.svg. Rates
    are nats per sample, distortions squared errors averaged over dimensions.
    """
    from rdzip.commands import bound as cli_bound_run

    say = Output(as_json, quiet)
    units = cli_bound_run.Units(rate.value if rate else None, distortion.value if distortion else None)
    if plot_only:
        unused: dict[str, object] = {"--source": source, "--dim": dim, "--data": data, "--crop": crop}
        unused |= {"--method": method, "--lambdas": lambdas, "--set": options, "--jobs": jobs, "--ray": ray}
        unused |= {"--device": device, "--resume": resume or None, "--quick": quick or None}
        cli_bound_run.overlay(drawn or [], out, units, say, force=force, unused=unused)
    else:
        wanted = cli_bound_run.Wanted(
            source, dim, data, crop, method, lambdas, options or [], seed, quick, device, jobs, ray
        )
        cli_bound_run.bound(wanted, drawn or [], out, units, say, resume=resume, force=force)
    finish(say)
