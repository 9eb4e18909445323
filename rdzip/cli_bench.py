"""The command `rdzip bench` and its options; rdzip.commands.bench does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rdzip.cli_commands import app
from rdzip.commands.options import Force, Json, Quiet, Threads, finish
from rdzip.commands.output import Output


@app.command()
def bench(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Images, and folders of images.", show_default=False)
    ],
    codecs: Annotated[
        str,
        typer.Option(
            "--codecs",
            metavar="C,...",
            help="Codecs, by comma: rdzip:MODEL, jpeg, webp, avif, jxl, heic, png, webp-lossless, jxl-lossless, "
            "jxl-lossless-e9; lossy and lossless stand for all of a kind that are there.",
        ),
    ] = "lossy,lossless",
    qualities: Annotated[
        list[str] | None,
        typer.Option(
            "--qualities",
            metavar="Q,...",
            help="Settings of lossy codecs that go by quality, or of one: jpeg=10,50,90, jxl=1,2.5 (distances).",
        ),
    ] = None,
    anchor: Annotated[
        str | None, typer.Option("--anchor", metavar="C", help="Codec that BD-rates are against. [the first lossy one]")
    ] = None,
    span: Annotated[
        str, typer.Option("--range", metavar="LO-HI", help="Bits per pixel over which BD-rates are taken.")
    ] = "0.2-1.5",
    peers: Annotated[
        list[Path] | None,
        typer.Option(
            "--peers", metavar="FILE", help="Compare with results of before: a .csv table, or bench.jsonl of a run."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write bench.jsonl, bench.png and bench.svg there.")
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, metavar="N", help="Work in N processes; times are then of all side by side.")
    ] = 1,
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare codecs on images, by size, PSNR and speed.

    Each image goes through each codec as RGB of 8 bits and is decoded again; bits per pixel are of whole files. With
    --json, a line for each image and setting as it is done, then averages, then BD-rates.
    """
    from rdzip.commands import bench as cli_bench_run

    say = Output(as_json, quiet)
    wanted = cli_bench_run.Wanted(paths, codecs, qualities or [], anchor, span, peers or [], out, jobs, threads, force)
    cli_bench_run.bench(wanted, say)
    finish(say)
