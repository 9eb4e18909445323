"""The commands and their options: read the arguments, call what does the work, report failure by the exit code.

Every import that takes time happens inside a command, so that `--help` and `info` answer at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rdzip.cli_model_commands import models
from rdzip.commands import files
from rdzip.commands.options import (
    HELP,
    Compressed,
    Device,
    Fetch,
    Force,
    Images,
    Items,
    Json,
    MaxPixels,
    Metadata,
    Offline,
    Quiet,
    Ray,
    Recursive,
    Remove,
    Resample,
    Threads,
    ToFile,
    ToFolder,
    ToStdout,
    Verbose,
    begin,
    check_destination,
    finish,
)
from rdzip.commands.output import Output, notes, print_text
from rdzip.errors import InputError, UsageError
from rdzip.pipeline.loss import Loss

app = typer.Typer(
    name="rdzip",
    help="Compress images, with or without loss, with neural probability models. `rdzip COMMAND --help` tells more.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=HELP,
)
app.add_typer(models, name="models")


@app.command()
def compress(
    inputs: Images,
    output: ToFile = None,
    output_dir: ToFolder = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m", "--model", metavar="MODEL", help="Model: an id, a hash or a file. [by effort; with loss photo-lossy]"
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option("-q", "--quality", metavar="Q", help="Lose detail that is hard to see: 1 (small) to 100 (fine)."),
    ] = None,
    target_bpp: Annotated[
        float | None, typer.Option("--target-bpp", metavar="X", help="Lose detail down to X bits per pixel.")
    ] = None,
    max_error: Annotated[
        int | None,
        typer.Option(
            "--max-error", metavar="N", help="Let no sample differ by more than N: up to 31, of 16 bits up to 8191."
        ),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            "--codec", metavar="C", help="Use this codec only: causal, classic, mixing, or a model's. [the smaller]"
        ),
    ] = None,
    effort: Annotated[
        int | None,
        typer.Option(
            "-e",
            "--effort",
            min=1,
            max=9,
            metavar="N",
            help="Effort without loss: 1 is fast, 3 fits more closely, 6 asks the network, 7 to 9 are slow. [6]",
        ),
    ] = None,
    particles: Annotated[
        int | None,
        typer.Option("--particles", metavar="N", help="Particles of bb-is, bb-cis, bb-ais, bb-smc. [50, 50, 1, 4]"),
    ] = None,
    refine: Annotated[
        int | None, typer.Option("--refine", metavar="STEPS", help="Refine each posterior by so many steps.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", metavar="T", help="Steps of bb-ais. [8]")] = None,
    resample: Annotated[
        Resample | None, typer.Option("--resample", help="When bb-smc draws its particles anew. [adaptive]")
    ] = None,
    interleave: Annotated[
        bool | None, typer.Option("--interleave/--plain", help="The order of bb-ais.", show_default=False)
    ] = None,
    omega: Annotated[
        float | None, typer.Option("--omega", metavar="NATS", help="What a step of irec is to tell. [3]")
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option("--epsilon", metavar="E", help="Candidates of irec: exp(NATS (1 + E)). [0.2; lossy 0.05]"),
    ] = None,
    beams: Annotated[int | None, typer.Option("--beams", metavar="N", help="Beams of irec's search. [20]")] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Of irec's shared randomness. [0]")] = None,
    segment: Annotated[
        int | None,
        typer.Option("--segment", metavar="N", help="Items that must be decoded together. [all of a file]"),
    ] = None,
    recursive: Recursive = False,
    archive: Annotated[
        str | None, typer.Option("--archive", metavar="OUT", help="Put all images into the one file OUT.")
    ] = None,
    metadata: Annotated[
        Metadata,
        typer.Option("--metadata", help="Keep EXIF, ICC, XMP and the like? Transparency and orientation stay."),
    ] = Metadata.all,
    force: Force = False,
    remove: Remove = False,
    stdout: ToStdout = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Compress N files at a time.")] = 1,
    ray: Ray = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not decode each result to check it.")] = False,
    max_pixels: MaxPixels = None,
    threads: Threads = None,
    device: Device = None,
    offline: Offline = False,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compress images and arrays of images (.npy): a.png becomes a.png.rdz, and stays.

    Without -q, --target-bpp, --max-error or a lossy model nothing is lost: pixels, mode and metadata come back as they
    were, and each result is decoded and compared before it is written. A JPEG's .rdz holds its decoded pixels and is
    larger than the JPEG. With loss, the quality of what the file decodes to is measured and shown.
    """
    say = begin(as_json, verbose, quiet, offline=offline)
    try:
        loss = Loss(quality, target_bpp, max_error)
    except InputError as error:
        raise UsageError(str(error)) from error
    found = files.find(inputs, recursive=recursive, suffixes=files.IMAGE_SUFFIXES, note=say.note)
    destination = files.Destination.of(
        found, output=output, folder=output_dir, stdout=stdout, archive=archive, force=force
    )
    check_destination(destination, as_json=as_json, remove=remove)
    if remove and no_verify:
        raise UsageError("--rm deletes what was checked only, found --no-verify; leave one of them out")
    from rdzip.commands import coding as cli_coding
    from rdzip.pipeline.codec_options import Wishes
    from rdzip.system.workers import Pool

    wishes = Wishes(
        particles, refine, steps, resample.value if resample else None, interleave, omega, epsilon, beams, seed, segment
    )
    coding = cli_coding.Coding(
        model, codec, metadata.value, not no_verify, threads, device, max_pixels, wishes, loss=loss, effort=effort
    )
    pool = Pool(jobs, ray)
    if archive is None:
        cli_coding.compress(found, destination, coding, say, remove=remove, pool=pool)
    elif pool.alone:
        cli_coding.compress_archive(found, destination, coding, say, remove=remove)
    else:
        raise UsageError("expected --archive, or --jobs and --ray, found both; an archive is written by one process")
    finish(say)


@app.command()
def decompress(
    inputs: Compressed,
    output: ToFile = None,
    output_dir: ToFolder = None,
    recursive: Recursive = False,
    force: Force = False,
    remove: Remove = False,
    stdout: ToStdout = False,
    items: Items = None,
    max_pixels: MaxPixels = None,
    threads: Threads = None,
    device: Device = None,
    offline: Offline = False,
    fetch: Fetch = False,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Decompress .rdz files: a.png.rdz becomes a.png, and stays.

    An image comes back in the format that it had, or in the one that the name after -o ends in; a JPEG's pixels come
    back as a PNG, a.png. An archive becomes a folder of its images. A model that is missing and that the file says can
    be had from the Hugging Face hub is fetched only with --fetch, or after a yes at the terminal.
    """
    if fetch and offline:
        raise UsageError("expected --fetch or --offline, found both; leave one out")
    say = begin(as_json, verbose, quiet, offline=offline)
    found = files.find(inputs, recursive=recursive, suffixes=frozenset([files.SUFFIX]), note=say.note)
    destination = files.Destination.of(found, output=output, folder=output_dir, stdout=stdout, force=force)
    check_destination(destination, as_json=as_json, remove=remove)
    from rdzip.commands import batch as cli_batch
    from rdzip.commands import coding as cli_coding

    only = cli_batch.parse_items(items)
    coding = cli_coding.Coding(threads=threads, device=device, max_pixels=max_pixels, items=only, fetch=fetch)
    with notes(say):
        cli_coding.decompress(found, destination, coding, say, remove=remove)
    finish(say)


@app.command("test")
def check(
    inputs: Compressed,
    recursive: Recursive = False,
    items: Items = None,
    max_pixels: MaxPixels = None,
    threads: Threads = None,
    device: Device = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Decode .rdz files and check every pixel, of lossy ones every symbol; write and fetch nothing."""
    say = begin(as_json, verbose, quiet)
    found = files.find(inputs, recursive=recursive, suffixes=frozenset([files.SUFFIX]), note=say.note)
    from rdzip.commands import batch as cli_batch
    from rdzip.commands import coding as cli_coding

    only = cli_batch.parse_items(items)
    coding = cli_coding.Coding(threads=threads, device=device, max_pixels=max_pixels, items=only, offline=True)
    with notes(say):
        cli_coding.test(found, coding, say)
    finish(say)


@app.command()
def info(inputs: Compressed, recursive: Recursive = False, as_json: Json = False) -> None:
    """Tell what .rdz files hold, without decoding them."""
    from rdzip.commands import info as cli_info

    say = Output(as_json)
    cli_info.info_of_names(inputs, say, recursive=recursive)
    finish(say)


@app.command()
def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A recipe's name, or a TOML file.", show_default=False)
    ],
    data: Annotated[
        Path, typer.Option("--data", metavar="DATA", help="Folder of images, or an array of them.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder of the run.", show_default=False)],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="MODEL", help="Start from the weights of a model, or of a run's folder."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    device: Annotated[str, typer.Option("--device", metavar="D", help="Train there: cpu, cuda, ...")] = "cpu",
    sweep: Annotated[
        list[str] | None,
        typer.Option("--sweep", metavar="KEY=A,B,...", help="One run for each value, in RUN/KEY=VALUE."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Train N runs of a sweep at a time.")] = 1,
    ray: Ray = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write RUN/tensorboard too (needs the package tensorboard).")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train a model by a recipe.

    Checkpoints, a log (log.jsonl) and at the end the model file, whose path is printed, appear in the folder of the
    run. docs/models.md lists the recipes. DATA is a folder (its train/ and valid/, where it has these; else every tenth
    image is held out), a .npy, or what the recipe names. Several processes: torchrun --nproc-per-node N -m rdzip train.
    A sweep takes every combination of the values that are given.
    """
    from rdzip.commands import train as cli_train
    from rdzip.system.workers import Pool

    say = Output(quiet=quiet)
    wanted = cli_train.Wanted(recipe, data, out, tuple(overrides or ()), start, resume, device, tensorboard)
    if sweep:
        cli_train.sweep(wanted, sweep, Pool(jobs, ray), say)
    elif Pool(jobs, ray).alone:
        cli_train.train(wanted, say)
    else:
        raise UsageError("--jobs and --ray are for the runs of a --sweep; for one run in several processes: torchrun")
    finish(say)


@app.command()
def demo() -> None:
    """Code a picture of rdzip's own making, and show its size.

    The picture goes there and back, every pixel is compared, and the size is shown beside those of PNG and WebP.
    """
    from rdzip.commands import demo_command

    demo_command.demo()


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        from rdzip import __version__
        from rdzip.formats.container import VERSION

        parts = []
        for package in ("constriction", "torch", "pillow"):
            try:
                parts.append(f"{package} {version(package)}")
            except PackageNotFoundError:
                parts.append(f"{package} missing")
        print_text(f"rdzip {__version__} (file format {VERSION}, {', '.join(parts)}, Python {sys.version.split()[0]})")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("-V", "--version", callback=_version, is_eager=True, help="Show versions and exit.")
    ] = False,
) -> None:
    pass
