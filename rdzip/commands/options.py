"""Every option and argument of the command line: its names, its value, its help; rdzip.cli says which command has it.

A text ends in the default in brackets, where there is one. Options are grouped in the help by the panels below.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from rdzip.commands.help import MESSAGES

INPUT, OUTPUT, LOSS, CODING, RUNNING = "Input", "Output", "Loss", "Coding", "Running"
RESEARCH = "Options for research"
"""Groups of options, as --help names them."""


class Resample(StrEnum):
    """When the particles of bb-smc are resampled."""

    always = "always"
    never = "never"
    adaptive = "adaptive"


class Convert(StrEnum):
    """What pictures are written as."""

    png = "png"
    tiff = "tiff"
    npy = "npy"


class Metadata(StrEnum):
    """What of a picture's metadata is kept."""

    all = "all"
    none = "none"


class RateUnit(StrEnum):
    """Units of rates in pictures of bounds."""

    nats = "nats"
    bits_per_dim = "bits-per-dim"


class DistortionUnit(StrEnum):
    """Units of distortions in pictures of bounds."""

    mse = "mse"
    psnr = "psnr"


def _argument(metavar: str, text: str) -> Any:
    return typer.Argument(metavar=metavar, help=text, show_default=False)


OPTION_OF: dict[str, str] = {}
"""Options by the arguments of the library that they give, such as ``quality``; ``interleave=False`` is another option
than ``interleave``."""


def _option(panel: str | None, names: str, metavar: str | None, text: str, *, argument: str = "", **more: Any) -> Any:
    """Declare an option, and note in OPTION_OF which argument of the library it gives.

    - panel: its group in the help.
    - names: with blanks between them; messages use the first.
    - metavar: None for a flag.
    - argument: of the library, where its name is not the long name of the option.
    """
    first = names.split()[0].partition("/")
    on, _, off = next(name for name in names.split() if name.startswith("--")).partition("/")
    argument = argument or on.removeprefix("--").replace("-", "_")
    OPTION_OF[argument] = first[0]
    if off:
        OPTION_OF[f"{argument}=False"] = off
    return typer.Option(*names.split(), metavar=metavar, help=text, rich_help_panel=panel, show_default=False, **more)


_ARGUMENT = re.compile(r"(?<![\w./-])`(\w+)(?:=([^`]*))?`(?![\w./-])")  # a name of a file is rarely just that


def with_options(text: str) -> str:
    """Return a text of the library with options where it names arguments, which it does in backticks.

    >>> with_options("raise `max_pixels` to 7, or use `device=cpu`")
    'raise --max-pixels to 7, or use --device cpu'
    """
    return _ARGUMENT.sub(_as_option, text)


def _as_option(found: re.Match[str]) -> str:
    name, value = found.groups()
    if (whole := f"{name}={value}") in OPTION_OF:
        return OPTION_OF[whole]
    if name not in OPTION_OF:
        return found[0]
    return OPTION_OF[name] if value is None else f"{OPTION_OF[name]} {value}"


# Files in and out.
Images = Annotated[list[str], _argument("FILE", "Images, arrays (.npy) or sequences (.npz); - is stdin.")]
Compressed = Annotated[list[str], _argument("FILE", ".rdz files; - is stdin.")]
Recursive = Annotated[bool, _option(INPUT, "-r --recursive", None, "Take the files in folders, and in theirs.")]
Items = Annotated[
    str | None, _option(INPUT, "--items", "LIST", "Only these items of an array or archive, counted from 0: 5,7-9.")
]
MaxPixels = Annotated[
    int | None,
    _option(INPUT, "--max-pixels", "N", "Refuse images of more than N pixels, and small files that claim more time and "
            "memory than such an image takes. [178956970]", min=1),
]  # fmt: skip
ToFile = Annotated[str | None, _option(OUTPUT, "-o --output", "OUT", "Write to the file OUT; - is stdout.")]
As = Annotated[
    Convert | None,
    _option(OUTPUT, "--as", "FORMAT", "Write the picture as png, tiff or npy, not the file that was compressed."),
]
ToFolder = Annotated[Path | None, _option(OUTPUT, "-O --output-dir", "DIR", "Write into the folder DIR.")]
ToStdout = Annotated[bool, _option(OUTPUT, "-c --stdout", None, "Write to stdout.")]
ToArchive = Annotated[str | None, _option(OUTPUT, "--archive", "OUT", "Write all images into the one file OUT.")]
Force = Annotated[bool, _option(OUTPUT, "-f --force", None, "Replace existing files; let stdout be a terminal.")]
Replace = Annotated[bool, _option(OUTPUT, "-f --force", None, "Replace existing files.")]
Remove = Annotated[
    bool, _option(OUTPUT, "--rm", None, "Delete each input whose result is on the disk and gives it back.")
]

# What may be lost.
Quality = Annotated[
    int | None, _option(LOSS, "-q --quality", "Q", "Lossy: a quality of 1 (smallest file) to 100 (finest).")
]
TargetBpp = Annotated[float | None, _option(LOSS, "--target-bpp", "X", "Lossy: a file of X bits per pixel.")]
MaxError = Annotated[
    int | None,
    _option(LOSS, "--max-error", "N", "Near-lossless: no sample differs by more than N, 1 to 31; of 16 bits, to 8191."),
]
KeepMetadata = Annotated[
    Metadata,
    _option(LOSS, "--metadata", "all|none", "Keep EXIF, ICC, XMP and the like; none keeps transparency and orientation "
            "only. [all]"),
]  # fmt: skip

# How it is coded.
Effort = Annotated[
    int | None,
    _option(CODING, "--effort -e", "N", "Effort of lossless coding, 1 (fastest) to 9 (smallest); from 5 on with a "
            "neural network, from 7 on slow. [6]", min=1, max=9),
]  # fmt: skip
CodingModel = Annotated[
    str | None,
    _option(CODING, "-m --model", "MODEL", "Model: an id of `rdzip models list`, a hash or a file. [by effort; for "
            "lossy coding photo-lossy]"),
]  # fmt: skip
CodecName = Annotated[
    str | None,
    _option(CODING, "--codec", "C", "Codec: causal, classic, mixing, or one of the model's. [what is smallest]"),
]
Pixels = Annotated[
    bool, _option(CODING, "--pixels", None, "Keep the picture only: an equal one comes back, not the same file.")
]
All = Annotated[bool, _option(INPUT, "--all", None, "With -r, take every file: what is no image is kept as bytes.")]
NoVerify = Annotated[bool, _option(CODING, "--no-verify", None, "Do not decode each result to check it.")]

# Codecs of models with latents.
Particles = Annotated[
    int | None, _option(RESEARCH, "--particles", "N", "Particles of bb-is, bb-cis, bb-ais, bb-smc. [50, 50, 1, 4]")
]
Refine = Annotated[
    int | None, _option(RESEARCH, "--refine", "STEPS", "Steps of iterative inference of each posterior. [0]")
]
Steps = Annotated[int | None, _option(RESEARCH, "--steps", "T", "Annealing steps of bb-ais. [8]")]
ResampleWhen = Annotated[
    Resample | None,
    _option(RESEARCH, "--resample", "always|never|adaptive", "When bb-smc resamples its particles. [adaptive]"),
]
Interleave = Annotated[
    bool | None,
    _option(RESEARCH, "--interleave/--plain", None, "Whether bb-ais pushes states as it pops others, which takes fewer "
            "initial bits. [--interleave]"),
]  # fmt: skip
Omega = Annotated[
    float | None, _option(RESEARCH, "--omega", "NATS", "Relative entropy that a step of irec codes, in nats. [3]")
]
Epsilon = Annotated[
    float | None,
    _option(RESEARCH, "--epsilon", "E", "Oversampling of irec: exp(NATS (1 + E)) candidates. [0.2; lossy 0.05]"),
]
Beams = Annotated[int | None, _option(RESEARCH, "--beams", "N", "Width of irec's beam search. [20]")]
IrecSeed = Annotated[int | None, _option(RESEARCH, "--seed", "N", "Seed of irec's shared randomness. [0]")]
Segment = Annotated[
    int | None,
    _option(RESEARCH, "--segment", "N", "Items of an array or archive that are coded, and so decoded, together. [all]"),
]

# Where it runs, and what it says.
Jobs = Annotated[int, _option(RUNNING, "--jobs", "N", "Processes: N files at a time. [1]", min=1)]
BenchJobs = Annotated[
    int,
    _option(RUNNING, "--jobs", "N", "Processes: N images at a time; times are then of all side by side. [1]", min=1),
]
SweepJobs = Annotated[int, _option(RUNNING, "--jobs", "N", "Processes: N runs of a sweep at a time. [1]", min=1)]
BoundJobs = Annotated[
    int | None, _option(RUNNING, "--jobs", "N", "Processes: N tasks at a time. [one a core, 4 at most]", min=1)
]
Ray = Annotated[
    str | None,
    _option(RUNNING, "--ray", "ADDRESS", "Work on the Ray cluster at ADDRESS; local: on one of this machine."),
]
Threads = Annotated[int | None, _option(RUNNING, "--threads", "N", "Threads. [one a core]", min=1)]
Device = Annotated[
    str | None, _option(RUNNING, "--device", "D", "Where torch computes networks: cpu, cuda, cuda:1, ... [cpu]")
]
TrainDevice = Annotated[str, _option(RUNNING, "--device", "D", "Where to train: cpu, cuda, cuda:1, ... [cpu]")]
Offline = Annotated[bool, _option(RUNNING, "--offline", None, "Fetch no model.")]
Fetch = Annotated[
    bool,
    _option(RUNNING, "--fetch", None, "Fetch a missing model from the Hugging Face repository that the file names "
            "(256 MiB at most)."),
]  # fmt: skip
Json = Annotated[bool, _option(MESSAGES, "--json", None, "Print results as JSON on stdout, one object a line.")]
Verbose = Annotated[bool, _option(MESSAGES, "-v --verbose", None, "Print codec, model and times of each file.")]
Quiet = Annotated[bool, _option(MESSAGES, "--quiet", None, "Print nothing but errors.")]

# train
Recipe = Annotated[str, _argument("RECIPE", "A recipe's name (docs/reference/recipes.md lists them), or a TOML file.")]
TrainData = Annotated[Path, _option(None, "--data", "DATA", "Folder of images, or an array of them. [required]")]
RunFolder = Annotated[Path, _option(None, "--out", "RUN", "Folder of the run. [required]")]
Overrides = Annotated[
    list[str] | None, _option(None, "--set", "KEY=VALUE", "Change a setting of the recipe.", argument="overrides")
]
StartFrom = Annotated[
    str | None,
    _option(None, "--from", "MODEL", "Start from the weights of a model, or of a run's folder.", argument="start"),
]
ResumeRun = Annotated[bool, _option(None, "--resume", None, "Go on with the run in RUN.")]
Sweep = Annotated[
    list[str] | None,
    _option(None, "--sweep", "KEY=A,B,...", "One run for each value, in RUN/KEY=VALUE.", argument="values"),
]
TensorBoard = Annotated[
    bool, _option(MESSAGES, "--tensorboard", None, "Write RUN/tensorboard too (needs the package tensorboard).")
]

# bound
Drawn = Annotated[
    list[Path] | None, _argument("DIR", "With --plot-only: folders of runs, JSON lines of `rdzip bench`.")
]
Source = Annotated[
    str | None,
    _option(None, "--source", "S", "gaussian, banana, physics, physics-2d, speech, speech-2d, FILE.npy, a folder of "
            "images, or the file of a generator network."),
]  # fmt: skip
Dim = Annotated[int | None, _option(None, "--dim", "N", "Dimensions of the source. [2]")]
SourceData = Annotated[
    Path | None, _option(None, "--data", "DIR", "Folder of physics/ and speech/, the data of these sources.")
]
Crop = Annotated[int | None, _option(None, "--crop", "N", "Cut squares of N pixels from images.")]
Method = Annotated[
    str | None,
    _option(None, "--method", "M,...", "Methods, by comma. [sandwich: those that suit the source]", argument="methods"),
]
Lambdas = Annotated[str | None, _option(None, "--lambdas", "A,...", "Slopes -dR/dD in nats, by comma. [by the source]")]
MethodOptions = Annotated[
    list[str] | None,
    _option(
        None, "--set", "M.KEY=VALUE", "Change an option of a method (docs/reference/bounds.md).", argument="options"
    ),
]
Seed = Annotated[int, _option(None, "--seed", "N", "Seed of all that is random. [0]", min=0)]
Quick = Annotated[bool, _option(None, "--quick", None, "Fewer lambdas, less work, looser bounds.")]
BoundFolder = Annotated[
    Path | None, _option(OUTPUT, "--out", "DIR", "Folder of records and pictures. [bound-SOURCE; bound-plot]")
]
ResumeBound = Annotated[bool, _option(OUTPUT, "--resume", None, "Go on with the run in the folder.")]
PlotOnly = Annotated[bool, _option(OUTPUT, "--plot-only", None, "Only draw what DIR... have, in one picture.")]
RateAxis = Annotated[
    RateUnit | None,
    _option(OUTPUT, "--rate", "nats|bits-per-dim", "Unit of the picture's rates. [nats; of images bits-per-dim]"),
]
DistortionAxis = Annotated[
    DistortionUnit | None,
    _option(OUTPUT, "--distortion", "mse|psnr", "Unit of the picture's distortions. [mse; of images psnr]"),
]

# bench
BenchPaths = Annotated[list[str], _argument("PATH", "Images, and folders of images.")]
BenchCodecs = Annotated[
    str,
    _option(None, "--codecs", "C,...", "Codecs, by comma: rdzip:MODEL, jpeg, webp, avif, jxl, heic, png, "
            "webp-lossless, jxl-lossless, jxl-lossless-e9; of JPEG files rdzip-jpeg, jxl-jpeg, lepton; lossy, lossless "
            "and jpeg-files stand for all of a kind that are installed. [all three]"),
]  # fmt: skip
Qualities = Annotated[
    list[str] | None,
    _option(None, "--qualities", "Q,...", "Settings of lossy codecs that have a quality, or of one codec: "
            "jpeg=10,50,90, jxl=1,2.5 (distances)."),
]  # fmt: skip
Anchor = Annotated[
    str | None, _option(None, "--anchor", "C", "Codec that BD-rates compare with. [the first lossy one]")
]
RateRange = Annotated[str, _option(None, "--range", "LO-HI", "Bits per pixel over which BD-rates are taken. [0.2-1.5]")]
Peers = Annotated[
    list[Path] | None,
    _option(None, "--peers", "FILE", "Compare with earlier results: a .csv table, or bench.jsonl of a run."),
]
BenchFolder = Annotated[
    Path | None, _option(OUTPUT, "--out", "DIR", "Write bench.jsonl, bench.png and bench.svg there.")
]

# models
Model = Annotated[str, _argument("MODEL", "An id, a hash, or a .safetensors file.")]
Models = Annotated[list[str] | None, _argument("MODEL", "Ids, hashes or files. [all on this machine]")]
Pulled = Annotated[list[str], _argument("MODEL", "Ids, hashes, files, or ORG/NAME@COMMIT/FILE.safetensors.")]
Run = Annotated[Path, _argument("RUN", "Folder of a finished run, or its model file.")]
ModelId = Annotated[str, _option(None, "--id", "NAME", "The model's id. [required]", argument="name")]
ExportFolder = Annotated[Path | None, _option(None, "-O --output-dir", "DIR", "Folder to write. [NAME]")]
Licence = Annotated[str | None, _option(None, "--licence", "L", "SPDX identifier, such as MIT. [the run's]")]
Measured = Annotated[
    list[str] | None, _option(None, "--measured", "KEY=VALUE", "A measured figure for the card and the registry.")
]
Exported = Annotated[Path, _argument("DIR", "Folder that `rdzip models export` wrote.")]
Repository = Annotated[str, _argument("ORG/NAME", "Repository; it is made if there is none.")]
Private = Annotated[bool, _option(None, "--private", None, "Make the repository private.")]
