"""Many samples on one stack: groups of samples that are coded side by side, initial bits, and the payload around them.

The samples of a group share each call of networks, tables and coder. A group takes its posterior's bits from the stack
before it puts anything there, so groups begin with one sample and grow with what is on the stack: working side by side
costs no more initial bits than one sample by one (docs/reference/latents.md, section 4).

The stack while samples x1, x2, x3 are coded, the top to the right; a bar's length stands for its bits:

    initial bits          ======
    group 1, x1:   pop z  ===                         z1 ~ q(z | x1) is sampled by bits that lie there
                   push   ===|x1 x1 x1 x1|z1 z1       by p(x | z) and p(z)
    group 2:       pop z  ===|x1 x1                   z2, z3: as many samples side by side as these bits allow
    x2 and x3      push   ===|x1 x1|x2 x3 x2 x3 x2 x3|z2 z3 z2 z3
    decoder               pops in the reverse order, and pushes z by q(z | x) where the encoder popped it:
                          what is left in the end are the initial bits again

    payload               head: codec, options, sizes of the groups | words of the stack

Initial bits that nobody popped are not written. Those that were popped, by the first group mostly, are what `total` in
reports has more than `net` (rdzip/entropy/initial_bits.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back import annealed, bb_ans, bit_swap, importance, irec, particle_filter
from rdzip.codecs.bits_back.head import MAX_ROWS, read_head, write_head
from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.result import Bits
from rdzip.entropy.ans import AnsStack
from rdzip.entropy.initial_bits import WORDS, InitialBitsError, InitialBitsStack, check_initial_bits
from rdzip.errors import CoderError, InputError
from rdzip.system import limits
from rdzip.system.progress import Progress

Samples = NDArray[np.uint8]
Shape = tuple[int, ...]
Items = Samples | Sequence[Samples]

MAX_ENTRIES = 1 << 20
"""Samples' entries times particles in a group of more than one sample, which bounds memory."""
ENOUGH_ENTRIES = 1 << 16
"""Entries of a group of a codec without initial bits: more would gain nothing, and hide the progress."""
MAX_WORDS = 1 << 24
GROUP_TIME, REFINE_TIME, ANNEAL_TIME, STEP_TIME = 1500, 800, 1000, 800
"""Microseconds that a group takes on one core, about, and each step of refinement, annealing and sequences in it."""
REFINE_RUNS, ANNEAL_RUNS = 15, 20
"""Runs of the networks that such steps are worth."""
ENTRY_TIME = 0.1
"""Microseconds that a run of the networks takes for an entry of a sample, unless the model tells."""
MARGIN = 0.9
"""Share of the bits on the stack that the next group may take."""


class Coder(NamedTuple):
    """A codec of groups of samples: encode(model, x, stack, options) -> ideal bits [rows], and its inverse
    decode(model, rows, shape, stack, options) -> x.

    - model: with latents (models/latent_model.py), or of sequences
    - x: samples uint8 [rows, *shape] that are coded side by side
    - rows, shape: how many there are, and what each is
    - stack: what is pushed to, and popped from; decode leaves it as it was before encode
    - options: of the codec, both sides the same
    - pops: whether the encoder takes bits from the stack, so that it needs initial ones
    """

    encode: Callable[[Any, Samples, AnsStack, Options], NDArray[np.float64]]
    decode: Callable[[Any, int, Shape, AnsStack, Options], Samples]
    pops: bool = True

    @property
    def words(self) -> int:
        """Random words to lay below the stack at first."""
        return WORDS if self.pops else 0


_IMAGES = {
    "stochastic": Coder(bb_ans.encode_stochastic, bb_ans.decode_stochastic),
    "bb-ans": Coder(bb_ans.encode, bb_ans.decode),
    "bit-swap": Coder(bit_swap.encode, bit_swap.decode),
    "bb-is": Coder(importance.encode, importance.decode),
    "bb-cis": Coder(importance.encode_coupled, importance.decode_coupled),
    "bb-ais": Coder(annealed.encode, annealed.decode),
    "irec": Coder(irec.encode, irec.decode, pops=False),
}
_SEQUENCES = Coder(particle_filter.encode, particle_filter.decode)


@dataclass(frozen=True)
class Group:
    """One group of a chain: samples, and the bits so far after it (net and total) and its own ideal bits."""

    rows: int
    ideal: float
    net: float
    total: float


@dataclass(frozen=True)
class Chain:
    """A payload, its rates, and what each group added, in the order of coding."""

    payload: bytes
    bits: Bits
    groups: list[Group] = field(default_factory=list)


def is_sequence_model(model: Any) -> bool:
    """Whether a model codes sequences, step by step."""
    return hasattr(model, "propose")


def coder_of(model: Any, codec: str, options: Options) -> tuple[Coder, Options]:
    """The functions of a codec and the options under which they work; InputError if the model cannot be coded so."""
    if is_sequence_model(model):
        if codec == "stochastic":
            return Coder(particle_filter.encode_stochastic, particle_filter.decode_stochastic), options
        return _SEQUENCES, particle_filter.options_for(codec, options)
    if codec not in _IMAGES:
        raise InputError(f"expected a codec of images ({', '.join(_IMAGES)}), found {codec!r}: choose one of them")
    return _IMAGES[codec], options


def encode(
    model: Any, items: Items, codec: str, options: Options, progress: Progress | None = None, largest: int = MAX_ROWS
) -> Chain:
    """Code samples into one payload. Raises InputError for what the model or codec cannot code.

    - model: with latents, or of sequences
    - items: samples uint8 [n, ...], or sequences of rolls uint8 [steps, dims]
    - codec: one of the model's
    - options: of the codec
    - progress: called with the share that is done
    - largest: samples that are coded side by side at most
    """
    shapes = [tuple(item.shape) for item in items]
    for shape in dict.fromkeys(s[1:] if is_sequence_model(model) else s for s in shapes):
        model.check_item(shape)
    if len(items) and max(int(np.max(item, initial=0)) for item in items) >= model.values():
        raise InputError(f"expected samples of {model.values()} values, found {max(int(i.max()) for i in items)}")
    coder, effective = coder_of(model, codec, options)
    words = coder.words
    while True:
        try:
            stack = InitialBitsStack(words=words)
            sizes, groups = push_groups(coder, model, items, shapes, stack, effective, progress, largest)
            break
        except InitialBitsError:
            words *= 8
            if words > MAX_WORDS:
                raise InputError(
                    f"{codec} with {options.particles} particles needs more than {MAX_WORDS >> 18} MiB of initial "
                    "bits: use fewer particles, or bb-cis"
                ) from None
    bits = Bits(sum(g.ideal for g in groups), float(stack.net_bits()), float(stack.total_bits()))
    return Chain(write_head(codec, options, sizes) + stack.to_bytes(), bits, groups)


def decode(model: Any, payload: bytes, shape: Shape | Sequence[Shape], progress: Progress | None = None) -> Any:
    """Samples of a payload: uint8 [n, ...] for a shape (n, ...), or a list of rolls for a list of shapes (steps, dims).

    Raises CoderError if the payload is corrupt.
    """
    codec, options, sizes, start = read_head(payload)
    claim_groups(sizes, options)
    listed = not shape or not isinstance(shape[0], int)
    whole: Any = shape
    shapes: list[Shape] = [tuple(s) for s in whole] if listed else [tuple(whole[1:])] * whole[0]
    try:
        for item in dict.fromkeys(s[1:] if is_sequence_model(model) else s for s in shapes):
            model.check_item(item)
        coder, effective = coder_of(model, codec, options)
    except InputError as error:
        raise CoderError(f"{error}: the file is corrupt") from error
    stack = AnsStack(payload[start:])
    found = pop_groups(coder, model, shapes, sizes, stack, effective, progress)
    check_initial_bits(stack)
    return found if listed else np.stack(found) if found else np.zeros(whole, np.uint8)


def _order(shapes: Sequence[Shape]) -> list[list[int]]:
    """Runs of samples of one shape, which groups do not cross: numbers of the samples.

    The smallest shape comes first: it needs the fewest initial bits.
    """
    runs: dict[Shape, list[int]] = {}
    for number, shape in enumerate(shapes):
        runs.setdefault(shape, []).append(number)
    return [runs[shape] for shape in sorted(runs)]


def _most(shape: Shape, options: Options) -> int:
    """Samples of a shape that a group may have."""
    entries = max(1, prod(shape))
    return max(1, min(MAX_ROWS, MAX_ENTRIES // (options.particles * entries)))


@contextmanager
def _exactly(model: Any) -> Iterator[None]:
    """Within the context, networks compute exactly, those of sequences in one thread: a step is too little for more."""
    from rdzip.exact.devices import exact_inference, threads

    with exact_inference(), threads(1 if is_sequence_model(model) else None):
        yield


def push_groups(
    coder: Coder,
    model: Any,
    items: Items,
    shapes: Sequence[Shape],
    stack: InitialBitsStack,
    options: Options,
    progress: Progress | None,
    largest: int = MAX_ROWS,
) -> tuple[list[int], list[Group]]:
    """Push all samples; the sizes of the groups and what they cost, in the order of coding.

    - coder: the codec
    - model, options: as its functions have them
    - items: the samples; shapes: that of each
    - stack: with as many initial bits as needed, or it raises InitialBitsError
    - progress: called with the share that is done
    - largest: samples of a group at most
    """
    sizes: list[int] = []
    groups: list[Group] = []
    demand, done = 0.0, 0  # initial bits that an entry needs
    with _exactly(model):
        for run in _order(shapes):
            entries = max(1, prod(shapes[run[0]]))
            most = min(largest, _most(shapes[run[0]], options))
            if not coder.pops:
                most = max(1, min(most, ENOUGH_ENTRIES // entries))
            at = 0
            while at < len(run):
                rows = 1 if coder.pops else most
                if coder.pops and groups:
                    rows = min(most, max(1, int(MARGIN * stack.total_bits() / max(1.0, demand * entries))))
                rows = min(rows, len(run) - at)
                x = np.stack([items[number] for number in run[at : at + rows]])
                stack.mark()
                ideal = coder.encode(model, x, stack, options)
                demand = stack.taken_bits() / (rows * entries)
                groups.append(Group(rows, float(ideal.sum()), float(stack.net_bits()), float(stack.total_bits())))
                sizes.append(rows)
                at += rows
                done += rows
                if progress:
                    progress(done / len(shapes))
    return sizes, groups


def pop_groups(
    coder: Coder,
    model: Any,
    shapes: Sequence[Shape],
    sizes: Sequence[int],
    stack: AnsStack,
    options: Options,
    progress: Progress | None,
) -> list[Samples]:
    """Pop all samples, in their own order; CoderError if the sizes of the groups do not fit them, or are too large.

    - coder: the codec
    - model, options: as its functions have them
    - shapes: that of each sample
    - sizes: samples of each group, in the order of coding
    - stack: left as it was before `push_groups`
    - progress: called with the share that is done
    """
    groups: list[list[int]] = []
    left = iter(sizes)
    for run in _order(shapes):
        at, most = 0, _most(shapes[run[0]], options)
        while at < len(run):
            size = next(left, 0)
            if not 1 <= size <= len(run) - at:
                raise CoderError(f"the chain's groups do not hold {len(shapes)} samples: the file is corrupt")
            if size > most:
                raise CoderError(f"a group of the chain has {size} samples, {most} are the most: the file is corrupt")
            groups.append(run[at : at + size])
            at += size
    if next(left, 0):
        raise CoderError(f"the chain's groups hold more than {len(shapes)} samples: the file is corrupt")
    _claim_entries(model, [(len(group), shapes[group[0]]) for group in groups], options)
    found: dict[int, Samples] = {}
    with _exactly(model):
        for group in reversed(groups):
            try:
                x = coder.decode(model, len(group), shapes[group[0]], stack, options)
            except InputError as error:  # the model has not what the codec needs
                raise CoderError(f"{error}: the file is corrupt") from error
            found |= dict(zip(group, x, strict=True))
            if progress:
                progress(len(found) / len(shapes))
    return [found[number] for number in range(len(shapes))]


def claim_groups(sizes: Sequence[int], options: Options) -> None:
    """Claim the time that groups of these sizes take whatever is in them (rdzip.system.limits)."""
    steps = options.refine * REFINE_TIME + options.steps * ANNEAL_TIME
    limits.claim((GROUP_TIME + steps) * len(sizes), f"{len(sizes)} groups of samples{_in_words(options)}")


def _claim_entries(model: Any, groups: Sequence[tuple[int, Shape]], options: Options) -> None:
    """Claim the time that groups of so many samples of a shape take for what is in them."""
    runs = 2 + 2 * options.particles + REFINE_RUNS * options.refine + ANNEAL_RUNS * options.steps * options.particles
    entries = sum(rows * prod(shape) for rows, shape in groups)
    time = entries * runs * getattr(model, "entry_time", ENTRY_TIME)
    if is_sequence_model(model):
        time += STEP_TIME * sum(shape[0] for _, shape in groups)
    limits.claim(time, f"samples of {entries} entries{_in_words(options)}")


def _in_words(options: Options) -> str:
    counts = {"particles": options.particles, "steps of refinement": options.refine, "steps": options.steps}
    return "".join(f", {count} {name}" for name, count in counts.items() if count > 1)
