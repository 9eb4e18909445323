"""The commands and their options: read the arguments, call what does the work, report failure by the exit code.

Every import that takes time happens inside a command, so that `--help` and `info` answer at once.
"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from rdzip import files
from rdzip.atomic import shown
from rdzip.cli_output import Output, print_text
from rdzip.errors import InputError
from rdzip.files import UsageError
from rdzip.formats.loss import Loss

HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="rdzip",
    help="Compress images, with or without loss, with neural probability models. `rdzip COMMAND --help` tells more.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=HELP,
)
models = typer.Typer(
    help="The models that rdzip knows.", no_args_is_help=True, rich_markup_mode=None, context_settings=HELP
)
app.add_typer(models, name="models")


class Resample(str, Enum):
    """When the particles of bb-smc are drawn anew."""

    always = "always"
    never = "never"
    adaptive = "adaptive"


class Metadata(str, Enum):
    """What of a picture's metadata is kept."""

    all = "all"
    none = "none"


Images = Annotated[list[str], typer.Argument(metavar="FILE", help="Images or arrays; - is stdin.", show_default=False)]
Compressed = Annotated[list[str], typer.Argument(metavar="FILE", help=".rdz files; - is stdin.", show_default=False)]
ToFile = Annotated[str | None, typer.Option("-o", "--output", metavar="OUT", help="Write to OUT; - is stdout.")]
ToFolder = Annotated[Path | None, typer.Option("-O", "--output-dir", metavar="DIR", help="Write into a folder.")]
ToStdout = Annotated[bool, typer.Option("-c", "--stdout", help="Write to stdout.")]
Force = Annotated[bool, typer.Option("-f", "--force", help="Replace existing files; allow a terminal as stdout.")]
Remove = Annotated[bool, typer.Option("--rm", help="Delete each input once its result is safely on the disk.")]
Recursive = Annotated[bool, typer.Option("-r", "--recursive", help="Enter folders.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, metavar="N", help="Use N threads.")]
Device = Annotated[str | None, typer.Option("--device", metavar="D", help="Run the network there: cpu, cuda, ...")]
MaxPixels = Annotated[
    int | None, typer.Option("--max-pixels", min=1, metavar="N", help="Refuse images of more than N pixels.")
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
Models = Annotated[
    list[str], typer.Argument(metavar="MODEL", help="Ids, hashes, or .safetensors files.", show_default=False)
]


@app.command()
def compress(
    inputs: Images,
    output: ToFile = None,
    output_dir: ToFolder = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m", "--model", metavar="MODEL", help="Model: an id, a hash or a file. [photo; with loss photo-lossy]"
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option("-q", "--quality", metavar="Q", help="Lose detail that is hard to see: 1 (small) to 100 (fine)."),
    ] = None,
    target_bpp: Annotated[
        float | None, typer.Option("--target-bpp", metavar="X", help="Lose detail down to X bits per pixel.")
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
            help="Effort without loss: up to 6 causal, 7 and 8 mixing (slow), 9 mixing with the network. [6]",
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
    segment: Annotated[
        int | None,
        typer.Option("--segment", metavar="N", help="Items that must be decoded together. [all of a file]"),
    ] = None,
    recursive: Recursive = False,
    archive: Annotated[
        str | None, typer.Option("--archive", metavar="OUT", help="Put all images into the one file OUT.")
    ] = None,
    metadata: Annotated[Metadata, typer.Option("--metadata", help="Keep EXIF, ICC, XMP and the like?")] = Metadata.all,
    force: Force = False,
    remove: Remove = False,
    stdout: ToStdout = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not decode each result to check it.")] = False,
    max_pixels: MaxPixels = None,
    threads: Threads = None,
    device: Device = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compress images and arrays of images (.npy): a.png becomes a.png.rdz, and stays.

    Without -q, --target-bpp or a lossy model nothing is lost: pixels, mode and metadata come back as they were, and
    each result is decoded and compared before it is written. A JPEG's .rdz holds its decoded pixels and is larger than
    the JPEG. With loss, the quality of what the file decodes to is measured and shown.
    """
    say = _output(as_json, verbose, quiet)
    try:
        loss = Loss(quality, target_bpp)
    except InputError as error:
        raise UsageError(str(error)) from error
    found = files.find(inputs, recursive=recursive, suffixes=files.IMAGE_SUFFIXES)
    destination = files.Destination.of(
        found, output=output, folder=output_dir, stdout=stdout, archive=archive, force=force
    )
    _check(destination, as_json=as_json, remove=remove)
    from rdzip import cli_coding
    from rdzip.formats.latent import Wishes

    wishes = Wishes(particles, refine, steps, resample.value if resample else None, interleave, segment)
    coding = cli_coding.Coding(
        model, codec, metadata.value, not no_verify, threads, device, max_pixels, wishes, loss=loss, effort=effort
    )
    run = cli_coding.compress if archive is None else cli_coding.compress_archive
    run(found, destination, coding, say, remove=remove)
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
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Decompress .rdz files: a.png.rdz becomes a.png, and stays.

    An image comes back in the format that it had, or in the one that the name after -o ends in; a JPEG's pixels come
    back as a PNG, a.png. An archive becomes a folder of its images.
    """
    say = _output(as_json, verbose, quiet)
    found = files.find(inputs, recursive=recursive, suffixes=frozenset([files.SUFFIX]))
    destination = files.Destination.of(found, output=output, folder=output_dir, stdout=stdout, force=force)
    _check(destination, as_json=as_json, remove=remove)
    from rdzip import cli_batch, cli_coding

    only = cli_batch.parse_items(items)
    coding = cli_coding.Coding(threads=threads, device=device, max_pixels=max_pixels, items=only)
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
    """Decode .rdz files and check every pixel, of lossy ones every symbol; write nothing."""
    say = _output(as_json, verbose, quiet)
    found = files.find(inputs, recursive=recursive, suffixes=frozenset([files.SUFFIX]))
    from rdzip import cli_batch, cli_coding

    only = cli_batch.parse_items(items)
    coding = cli_coding.Coding(threads=threads, device=device, max_pixels=max_pixels, items=only)
    cli_coding.test(found, coding, say)
    finish(say)


@app.command()
def info(inputs: Compressed, recursive: Recursive = False, as_json: Json = False) -> None:
    """Tell what .rdz files hold, without decoding them."""
    from rdzip import cli_info

    say = Output(as_json)
    cli_info.info(files.find(inputs, recursive=recursive, suffixes=frozenset([files.SUFFIX])), say)
    finish(say)


@app.command()
def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A recipe's name, or a TOML file.", show_default=False)
    ],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of training images.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder of the run.", show_default=False)],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    device: Annotated[str, typer.Option("--device", metavar="D", help="Train there: cpu, cuda, ...")] = "cpu",
) -> None:
    """Train a model by a recipe.

    Checkpoints, a log and at the end the model file, whose path is printed, appear in the folder of the run.
    """
    from rdzip.process import own_process
    from rdzip.train import run

    own_process()
    model = run(recipe, data=data, out=out, overrides=overrides or [], resume=resume, device=device)
    print_text(shown(model))


@app.command()
def demo() -> None:
    """Code a picture of rdzip's own making, and show its size.

    The picture goes there and back, every pixel is compared, and the size is shown beside those of PNG and WebP.
    """
    from rdzip import cli_demo

    cli_demo.demo()


@models.command("list")
def list_models(as_json: Json = False) -> None:
    """List the known models, and where they are."""
    from rdzip import cli_models

    cli_models.list_models(as_json=as_json)


@models.command()
def show(model: Model, as_json: Json = False) -> None:
    """Tell what is known about a model."""
    from rdzip import cli_models

    cli_models.show(model, as_json=as_json)


@models.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Ids, hashes or files; without any, all that are here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check models: their hash and their known answer.

    The hash is that of the file on this machine; the known answer says whether this device computes as it must.
    """
    from rdzip import cli_models

    say = Output(as_json)
    cli_models.verify(names or [], say)
    finish(say)


@models.command()
def pull(names: Models, as_json: Json = False, quiet: Quiet = False) -> None:
    """Fetch models, to have them later without a network."""
    from rdzip import cli_models

    say = Output(as_json, quiet)
    cli_models.pull(names, say)
    finish(say)


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


def _output(as_json: bool, verbose: bool, quiet: bool) -> Output:
    if verbose and quiet:
        raise UsageError("expected -v or --quiet, found both; leave one out")
    return Output(as_json, quiet, verbose)


def _check(destination: files.Destination, *, as_json: bool, remove: bool) -> None:
    if destination.stdout and as_json:
        raise UsageError("stdout cannot carry both an image and --json; write the image to a file by -o")
    if destination.stdout and remove:
        raise UsageError("--rm needs a result on the disk, found one on stdout; use -o, or leave --rm out")


def finish(say: Output) -> None:
    """End with exit code 1 if anything failed."""
    if say.failed:
        raise typer.Exit(1)
