"""The command line, declared: each command with its arguments and options; rdzip.commands does the work.

One file, though long, so that the whole command line can be read in one place; names, values and help of the options
are in rdzip.commands.options. What takes time to import is imported by the
command that needs it, so that `--help` and `info` answer at once.

Exit codes: 0 done, 1 something failed (the other files are done), 2 wrong usage, 130 Ctrl-C (128 + n: signal n; see
rdzip.__main__).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from rdzip.commands import options as opt
from rdzip.commands.coding import Coding
from rdzip.commands.destination import Destination
from rdzip.commands.files import IMAGE_SUFFIXES, SUFFIX, find_inputs
from rdzip.commands.help import Command, Group
from rdzip.commands.output import Output, begin, finish
from rdzip.errors import InputError, UsageError
from rdzip.pipeline.codec_options import CodecOptions
from rdzip.pipeline.loss import Loss
from rdzip.pipeline.request import Compute, Request
from rdzip.system.process import ignore_settings_here, open_standard, silence_libraries, wait_passively

FILES, MODELS, MEASURES = "Commands", "Models", "Measurements"
"""Groups of commands, as --help names them."""


def _typer(name: str, text: str) -> typer.Typer:
    return typer.Typer(
        cls=Group,
        name=name,
        help=text,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


app = _typer(
    "rdzip",
    """Compress images, without loss or with it, by neural probability models.

    Inputs stay, and no existing file is replaced, unless an option says so.

        rdzip compress photo.png             photo.png.rdz, without loss
        rdzip compress -q 60 photo.png       with loss
        rdzip decompress photo.png.rdz       photo.png
        rdzip COMMAND --help                 all options of a command
    """,
)
models = _typer("models", "List, check, fetch and publish models.")


@app.command(cls=Command, rich_help_panel=FILES)
def compress(
    files: opt.Images,
    recursive: opt.Recursive = False,
    everything: opt.All = False,
    max_pixels: opt.MaxPixels = None,
    output: opt.ToFile = None,
    output_dir: opt.ToFolder = None,
    stdout: opt.ToStdout = False,
    archive: opt.ToArchive = None,
    force: opt.Force = False,
    remove: opt.Remove = False,
    quality: opt.Quality = None,
    target_bpp: opt.TargetBpp = None,
    max_error: opt.MaxError = None,
    metadata: opt.KeepMetadata = opt.Metadata.all,
    pixels: opt.Pixels = False,
    effort: opt.Effort = None,
    model: opt.CodingModel = None,
    codec: opt.CodecName = None,
    no_verify: opt.NoVerify = False,
    jobs: opt.Jobs = 1,
    ray: opt.Ray = None,
    threads: opt.Threads = None,
    device: opt.Device = None,
    offline: opt.Offline = False,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
    quiet: opt.Quiet = False,
    particles: opt.Particles = None,
    refine: opt.Refine = None,
    steps: opt.Steps = None,
    resample: opt.ResampleWhen = None,
    interleave: opt.Interleave = None,
    omega: opt.Omega = None,
    epsilon: opt.Epsilon = None,
    beams: opt.Beams = None,
    seed: opt.IrecSeed = None,
    segment: opt.Segment = None,
) -> None:
    """Compress images, arrays, sequences and other files: a.png becomes a.png.rdz, and stays.

    Without -q, --target-bpp, --max-error or a lossy model nothing is lost: the same file comes back, byte for byte, and
    each result is decoded and compared before it is written. Where a file cannot be made again (a PNG of an unknown
    encoder), a line says so, and an equal picture comes back with all its metadata. Of a JPEG the coefficients are
    coded; what is no image is kept as bytes. With loss, the quality of what the file decodes to is measured and shown.

        rdzip compress *.png -O packed
        rdzip compress -r photos --archive photos.rdz
        rdzip compress --max-error 2 scan.tiff

    The options for research are of codecs of models with latents (docs/reference/latents.md, docs/reference/irec.md).
    """
    out = begin(as_json, verbose, quiet, offline=offline)
    try:
        loss = Loss(quality, target_bpp, max_error)
    except InputError as error:
        raise UsageError(str(error)) from error
    suffixes = None if everything else IMAGE_SUFFIXES
    inputs = find_inputs(files, recursive=recursive, suffixes=suffixes, note=out.note)
    if archive is None:
        inputs = [item for item in inputs if not item.folder]
    destination = Destination.of(
        inputs, output=output, folder=output_dir, stdout=stdout, archive=archive, force=force, as_json=as_json,
        remove=remove,
    )  # fmt: skip
    from rdzip.commands import compress as command
    from rdzip.system.workers import Pool

    options = CodecOptions(
        particles, refine, steps, resample.value if resample else None, interleave, omega, epsilon, beams, seed
    )
    request = Request(model, codec, loss, effort, options, segment, metadata.value, not no_verify, pixels)
    coding = Coding(request, Compute(threads, device, offline, max_pixels))
    command.compress(inputs, destination, coding, out, remove=remove, pool=Pool(jobs, ray))
    finish(out)


@app.command(cls=Command, rich_help_panel=FILES)
def decompress(
    files: opt.Compressed,
    recursive: opt.Recursive = False,
    items: opt.Items = None,
    max_pixels: opt.MaxPixels = None,
    output: opt.ToFile = None,
    output_dir: opt.ToFolder = None,
    stdout: opt.ToStdout = False,
    convert: opt.As = None,
    force: opt.Force = False,
    remove: opt.Remove = False,
    threads: opt.Threads = None,
    device: opt.Device = None,
    offline: opt.Offline = False,
    fetch: opt.Fetch = False,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
    quiet: opt.Quiet = False,
) -> None:
    """Decompress .rdz files: a.png.rdz becomes a.png, and stays.

    The file that was compressed comes back, or where only its picture was kept, that picture in the same format if
    rdzip writes it without loss, else as a PNG. --as, or the name after -o, asks for another format. An archive becomes
    a folder of its images. A model that is missing and that the file says can be had from the Hugging Face hub is
    fetched only with --fetch, or after a yes at the terminal.

        rdzip decompress photos.rdz
        rdzip decompress photo.png.rdz -o photo.webp
    """
    if fetch and offline:
        raise UsageError("expected --fetch or --offline, found both; leave one out")
    out = begin(as_json, verbose, quiet, offline=offline)
    inputs = find_inputs(files, recursive=recursive, suffixes=frozenset([SUFFIX]), note=out.note)
    destination = Destination.of(
        inputs, output=output, folder=output_dir, stdout=stdout, force=force, as_json=as_json, remove=remove
    )
    from rdzip.commands import decompress as command

    only = command.parse_items(items)
    coding = Coding(
        compute=Compute(threads, device, offline, max_pixels),
        items=only,
        fetch=fetch,
        convert=convert.value.upper() if convert else None,
    )
    command.decompress(inputs, destination, coding, out, remove=remove)
    finish(out)


@app.command("test", cls=Command, rich_help_panel=FILES)
def check(
    files: opt.Compressed,
    recursive: opt.Recursive = False,
    items: opt.Items = None,
    max_pixels: opt.MaxPixels = None,
    threads: opt.Threads = None,
    device: opt.Device = None,
    as_json: opt.Json = False,
    verbose: opt.Verbose = False,
    quiet: opt.Quiet = False,
) -> None:
    """Decode .rdz files and check them: every pixel, of lossy ones every symbol; write and fetch nothing."""
    out = begin(as_json, verbose, quiet)
    inputs = find_inputs(files, recursive=recursive, suffixes=frozenset([SUFFIX]), note=out.note)
    from rdzip.commands import decompress as command

    only = command.parse_items(items)
    coding = Coding(compute=Compute(threads, device, True, max_pixels), items=only)
    command.test(inputs, coding, out)
    finish(out)


@app.command(cls=Command, rich_help_panel=FILES)
def info(files: opt.Compressed, recursive: opt.Recursive = False, as_json: opt.Json = False) -> None:
    """Show what .rdz files hold, without decoding them."""
    out = Output(as_json)
    inputs = find_inputs(files, recursive=recursive, suffixes=frozenset([SUFFIX]), note=out.note)
    from rdzip.commands import info as command

    command.info(inputs, out)
    finish(out)


@app.command(cls=Command, rich_help_panel=FILES)
def demo() -> None:
    """Try rdzip on an image of its own making: there and back, with sizes beside PNG and WebP.

    Every pixel is compared.
    """
    from rdzip.commands import demo as command

    command.demo()


@app.command(cls=Command, rich_help_panel=MODELS)
def train(
    recipe: opt.Recipe,
    data: opt.TrainData,
    folder: opt.RunFolder,
    overrides: opt.Overrides = None,
    start: opt.StartFrom = None,
    resume: opt.ResumeRun = False,
    sweep: opt.Sweep = None,
    jobs: opt.SweepJobs = 1,
    ray: opt.Ray = None,
    device: opt.TrainDevice = "cpu",
    tensorboard: opt.TensorBoard = False,
    quiet: opt.Quiet = False,
) -> None:
    """Train a model by a recipe.

    Checkpoints, a log (log.jsonl) and at the end the model file, whose path is printed, appear in the folder of the
    run. DATA is a folder (its train/ and valid/, where it has these; else every tenth image is held out), a .npy, or
    what the recipe names. Several processes: torchrun --nproc-per-node N -m rdzip train. A sweep takes every
    combination of the values that are given.
    """
    from rdzip.commands import train as command

    out = Output(quiet=quiet)
    args = command.TrainArgs(recipe, data, folder, tuple(overrides or ()), start, resume, device, tensorboard)
    command.train(args, sweep or [], out, jobs=jobs, ray=ray)
    finish(out)


app.add_typer(models, rich_help_panel=MODELS)


@models.command("list", cls=Command)
def list_models(as_json: opt.Json = False) -> None:
    """List the known models, and where they are."""
    from rdzip.commands import models as command

    command.list_models(as_json=as_json)


@models.command(cls=Command)
def show(model: opt.Model, as_json: opt.Json = False) -> None:
    """Show all that is known about a model."""
    from rdzip.commands import models as command

    command.show(model, as_json=as_json)


@models.command(cls=Command)
def verify(names: opt.Models = None, as_json: opt.Json = False) -> None:
    """Check models: their hash and their known answer.

    The hash is that of the file on this machine; the known answer says whether this device computes as it must.
    """
    from rdzip.commands import models as command

    out = Output(as_json)
    command.verify(names or [], out)
    finish(out)


@models.command(cls=Command)
def pull(names: opt.Pulled, as_json: opt.Json = False, quiet: opt.Quiet = False) -> None:
    """Fetch models, to have them later without a network."""
    from rdzip.commands import models as command

    out = Output(as_json, quiet)
    command.pull(names, out)
    finish(out)


@models.command(cls=Command)
def export(
    run: opt.Run,
    name: opt.ModelId,
    output_dir: opt.ExportFolder = None,
    licence: opt.Licence = None,
    measured: opt.Measured = None,
    force: opt.Replace = False,
    quiet: opt.Quiet = False,
) -> None:
    """Write a run's model to be published: file, card, licence and metrics in one folder."""
    from rdzip.commands import models as command

    command.export(run, name, output_dir, licence, measured or [], Output(quiet=quiet), force=force)


@models.command(cls=Command)
def push(folder: opt.Exported, repo: opt.Repository, private: opt.Private = False, quiet: opt.Quiet = False) -> None:
    """Upload an exported model to the Hugging Face hub."""
    from rdzip.commands import models as command

    command.push(folder, repo, Output(quiet=quiet), private=private)


@app.command(cls=Command, rich_help_panel=MEASURES)
def bench(
    paths: opt.BenchPaths,
    codecs: opt.BenchCodecs = "lossy,lossless,jpeg-files",
    qualities: opt.Qualities = None,
    anchor: opt.Anchor = None,
    span: opt.RateRange = "0.2-1.5",
    peers: opt.Peers = None,
    folder: opt.BenchFolder = None,
    force: opt.Replace = False,
    jobs: opt.BenchJobs = 1,
    threads: opt.Threads = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Compare codecs on images, by size, PSNR, MS-SSIM and speed.

    Each image goes through each codec as RGB of 8 bits and is decoded again; bits per pixel are of whole files. JPEGs
    also go through codecs of JPEG files, which bring the same file back. With --json, a line for each image and setting
    as it is done, then averages, then BD-rates.
    """
    from rdzip.commands import bench as command

    out = Output(as_json, quiet)
    args = command.BenchArgs(paths, codecs, qualities or [], anchor, span, peers or [], folder, jobs, threads, force)
    command.bench(args, out)
    finish(out)


@app.command(cls=Command, rich_help_panel=MEASURES)
def bound(
    drawn: opt.Drawn = None,
    source: opt.Source = None,
    dim: opt.Dim = None,
    data: opt.SourceData = None,
    crop: opt.Crop = None,
    method: opt.Method = None,
    lambdas: opt.Lambdas = None,
    method_options: opt.MethodOptions = None,
    seed: opt.Seed = 0,
    quick: opt.Quick = False,
    folder: opt.BoundFolder = None,
    resume: opt.ResumeBound = False,
    plot_only: opt.PlotOnly = False,
    rate: opt.RateAxis = None,
    distortion: opt.DistortionAxis = None,
    force: opt.Replace = False,
    jobs: opt.BoundJobs = None,
    ray: opt.Ray = None,
    device: opt.Device = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Bound the rate-distortion function of a source, from samples.

    The folder gets bound.jsonl with a record for each point found, and the sandwich of lower and upper bounds as
    bound.png and bound.svg. Rates are nats per sample, distortions squared errors averaged over dimensions.
    """
    from rdzip.commands import bound as command

    out = Output(as_json, quiet)
    units = command.Units(rate.value if rate else None, distortion.value if distortion else None)
    args = command.BoundArgs(
        source, dim, data, crop, method, lambdas, method_options or [], seed, quick, device, jobs, ray, folder, resume,
        force,
    )  # fmt: skip
    if plot_only:
        command.overlay(args, drawn or [], units, out)
    else:
        command.bound(args, drawn or [], units, out)
    finish(out)


def _version(show: bool) -> None:
    if show:
        from rdzip.commands.info import print_versions

        print_versions()
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("-V", "--version", callback=_version, is_eager=True, help="Show versions and exit.")
    ] = False,
) -> None:
    pass


def run() -> int:
    """Run the command line on sys.argv and return its exit code."""
    wait_passively()  # before anything loads torch
    open_standard()
    silence_libraries()
    ignore_settings_here()
    try:
        if _is_plain_info(sys.argv[1:]):
            info([name for name in sys.argv[2:] if name != "--json"], as_json="--json" in sys.argv)
        else:
            app()
    except UsageError as error:
        Output().failure(None, error)
        return 2
    except Exception as error:
        Output().failure(None, error)
        return 1
    return 0


def _is_plain_info(arguments: Sequence[str]) -> bool:
    """Return whether the command is `info` with nothing but names and --json: it is called without a parser.

    Typer's parser imports pydantic, which takes longer than all the rest. (On Windows it looks for * in names.)
    """
    names = [argument for argument in arguments[1:] if argument != "--json"]
    options = any(name.startswith("-") and name != "-" for name in names)
    return arguments[:1] == ["info"] and bool(names) and not options and sys.platform != "win32"
