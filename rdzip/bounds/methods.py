"""The table of methods: names, modules, sources that each takes. Modules are imported when they are used.

A module of the table has a frozen dataclass of options and a function

    solve(source, lambdas, options, report) -> list[Point]

that calls report(share done, a finished point or None) as it goes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from rdzip.bounds.point import Point, Report
from rdzip.bounds.sources.base import Source
from rdzip.errors import InputError

FOLDER = "folder"
"""The option that is no setting but a place: where a method may save its state."""
VECTORS, IMAGES, GAUSSIANS = "vectors", "images", "gaussians"


UNIONS = (Union, UnionType)
MOST = 1e9
"""Of numbers in options."""
WORDS = {bool: "True or False", int: "a whole number", float: "a number", str: "text", NoneType: "None"}
WORDS |= {tuple: "numbers in brackets, like (8, 8)"}


@dataclass(frozen=True)
class Method:
    """A method: its name, the role of its points, and the module (.name: below rdzip.bounds).

    takes: which sources (vectors, images, gaussians), of at most `most_dim` dimensions. options: those that make it
    this method. quick: those that make it fast and worse. joint: all lambdas are solved in one call, else each in one
    of its own, independent of the others. cost: time for a lambda, relative to the other methods. sandwich: whether it
    is part of the default for the sources that it takes.
    """

    name: str
    role: str
    module: str
    takes: tuple[str, ...] = (VECTORS,)
    most_dim: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    joint: bool = True
    cost: float = 1.0
    sandwich: bool = True


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("exact", "exact", ".exact", (GAUSSIANS,), joint=False, cost=0.001),
        Method("ba", "estimate", ".blahut_arimoto", most_dim=3, joint=False, cost=0.5),
        Method("mixture", "upper", ".upper.mixture", most_dim=4096),
        Method("vae", "upper", ".upper.vae", quick={"steps": 800, "samples": 50_000}, cost=5),
        Method(
            "ntc",
            "upper",
            ".upper.ntc",
            sandwich=False,
            quick={"steps": 800, "samples": 50_000},
            cost=5,
        ),
        Method("wgd", "upper", ".upper.wgd", joint=False, sandwich=False),
        Method(
            "wgd-ba",
            "upper",
            ".upper.wgd",
            joint=False,
            sandwich=False,
            options={"reweigh": True},
        ),
        Method("resnet-vae", "upper", ".upper.image_vae", (IMAGES,), quick={"steps": 200}, cost=10),
        Method(
            "hyperprior",
            "upper",
            ".upper.hyperprior",
            (IMAGES,),
            sandwich=False,
            quick={"steps": 200},
            cost=10,
        ),
        Method(
            "channel-ar",
            "upper",
            ".upper.channel_ar",
            (IMAGES,),
            sandwich=False,
            quick={"steps": 200},
            cost=15,
        ),
        Method("log-u", "lower", ".lower.log_u", (VECTORS, IMAGES), cost=3),
    )
}


def method(name: str) -> Method:
    """Return the method of that name; InputError if there is none."""
    try:
        return METHODS[name]
    except KeyError:
        raise InputError(f"no such method: {name!r}; expected some of {', '.join(METHODS)}") from None


def kinds(source: Source) -> set[str]:
    """Return what a source is to the methods: vectors or images, and gaussians."""
    found = {IMAGES if len(source.shape) == 3 else VECTORS}
    return found if source.variances is None else found | {GAUSSIANS}


def why_not(chosen: Method, source: Source) -> str | None:
    """Return why a method cannot take a source, in one line; None if it can."""
    if not kinds(source) & set(chosen.takes):
        return f"{chosen.name} takes {' and '.join(chosen.takes)}, and {source.name} is none of these"
    if chosen.most_dim is not None and source.dim > chosen.most_dim:
        return f"{chosen.name} takes at most {chosen.most_dim} dimensions, and {source.name} has {source.dim}"
    return None


def make_options(
    chosen: Method, *, seed: int, device: str, quick: bool, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return all options of a method for a run but FOLDER, defaults included, by name.

    - chosen: the method
    - seed: of all that is drawn
    - device: where torch computes
    - quick: take the method's quick options, for a first look
    - overrides: options that the user asks for; text stands for a number, True or False where it reads like one

    InputError for those that the method does not have, or that its dataclass refuses.
    """
    kind = _load(chosen).Options
    names = {entry.name for entry in fields(kind)} - {FOLDER}
    given = dict(chosen.options) | (dict(chosen.quick) if quick else {})
    given |= {name: value for name, value in (("seed", seed), ("device", device), ("quick", quick)) if name in names}
    for name, value in (overrides or {}).items():
        if name not in names:
            raise InputError(f"{chosen.name} has no option {name!r}; expected some of {', '.join(sorted(names))}")
        given[name] = _parsed(value)
        _check_kind(f"{chosen.name}.{name}", given[name], get_type_hints(kind)[name])
        _check_numbers(f"{chosen.name}.{name}", given[name])
    options = asdict(_built(chosen, kind, given))
    return {name: options[name] for name in options if name != FOLDER}


def solve(
    chosen: Method,
    source: Source,
    lambdas: Sequence[float],
    options: Mapping[str, Any],
    report: Report,
    folder: Path | None = None,
) -> list[Point]:
    """Run a method on a source; return Points by lambda, each reported when it is finished.

    - chosen: the method
    - source: what is bounded
    - lambdas: nats per unit of mean squared error
    - options: of `make_options`
    - report: called with each Point, and with progress
    - folder: where a method that trains may save its state, and go on from
    """
    module = _load(chosen)
    if folder is not None and FOLDER in {entry.name for entry in fields(module.Options)}:
        options = {**options, FOLDER: folder}
    settings = _built(chosen, module.Options, options)
    function: Callable[..., list[Point]] = module.solve
    return function(source, lambdas, settings, report)


def _load(chosen: Method) -> Any:
    return import_module(chosen.module, __package__)


def _built(chosen: Method, kind: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    try:
        # Lists come from JSON, where there are no tuples; options have no lists.
        return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})
    except (TypeError, ValueError) as error:
        raise InputError(f"{chosen.name}: these options do not go together: {error}") from error


def _check_kind(name: str, value: Any, hint: Any) -> None:
    """Raise InputError where a value is not of the kind that the option's annotation names: text for a number, ..."""
    kinds_of = [get_origin(kind) or kind for kind in (get_args(hint) if get_origin(hint) in UNIONS else (hint,))]
    fits = any(type(value) is kind or (kind is float and type(value) is int) for kind in kinds_of)
    if not fits and all(kind in WORDS for kind in kinds_of):
        expected = " or ".join(WORDS[kind] for kind in kinds_of)
        raise InputError(f"{name}: expected {expected}, found {value!r}")


def _check_numbers(name: str, value: Any) -> None:
    """Raise InputError for a number that no option can have: NaN, infinite, negative or huge; 0 in a list of sizes."""
    least, numbers = (1, value) if isinstance(value, list | tuple) else (0, (value,))
    for number in numbers:
        if isinstance(number, int | float) and not least <= number <= MOST:
            raise InputError(f"{name}: expected a number from {least} to {MOST:g}, found {number}")


def _parsed(value: Any) -> Any:
    """Return what a text stands for: a number, True, False, None, a list of these, or itself."""
    if not isinstance(value, str):
        return value
    if value.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return float(value)
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return value
