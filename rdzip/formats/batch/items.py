"""Many items in memory: an array of images, named images, sequences (docs/reference/format.md, section 8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.errors import InputError
from rdzip.formats import container
from rdzip.formats.batch.header import DTYPES, LENGTH_DTYPES, MAX_CHANNELS, Form
from rdzip.formats.header import BATCH_KIND, MEMBERS
from rdzip.formats.images.picture import Picture
from rdzip.formats.notes import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Batch:
    """Items in memory.

    samples: [n, h, w] or [n, h, w, c]; of sequences the steps of all, one after the other, uint8 [steps, dims].
    single: the array that came had no axis of items. mode, names, formats: of images (Pillow's words). lengths: of
    sequences, in steps. length_dtype: the type of these in the .npz, in numpy's words.
    """

    samples: NDArray[Any]
    form: Form = Form.NPY
    fortran: bool = False
    single: bool = False
    mode: str = ""
    names: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    length_dtype: str = LENGTH_DTYPES[0]
    source_bytes: int = 0
    notes: list[Note] = field(default_factory=list)

    @property
    def sequences(self) -> bool:
        """Whether the items are sequences."""
        return self.form == Form.NPZ

    @property
    def count(self) -> int:
        """Number of items."""
        return len(self.lengths) if self.sequences else int(self.samples.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all samples, as reports have it: that of the array, or [steps of all, dims]."""
        shape = tuple(int(n) for n in self.samples.shape)
        return shape[1:] if self.single else shape

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one item, of sequences that of one step: (dims,)."""
        return tuple(int(n) for n in self.samples.shape[1:])

    @property
    def pixels(self) -> int:
        """Number of pixels of all items; of sequences, of samples."""
        return prod(self.samples.shape) if self.sequences else prod(self.samples.shape[:3])

    def array(self) -> NDArray[Any]:
        """Return the array as it came."""
        return self.samples[0] if self.single else self.samples

    def split(self) -> list[NDArray[np.uint8]]:
        """Return the sequences, each [steps, dims]."""
        return np.split(self.samples, np.cumsum(self.lengths)[:-1])

    def part(self, first: int, end: int) -> NDArray[Any]:
        """Return the samples of the items first..end-1."""
        if not self.sequences:
            return self.samples[first:end]
        ends = np.concatenate([[0], np.cumsum(self.lengths)])
        return self.samples[ends[first] : ends[end]]

    def pictures(self) -> Iterator[tuple[str, Picture]]:
        """Yield the name and the picture of each image."""
        for name, source, samples in zip(self.names, self.formats, self.samples, strict=True):
            yield name, Picture(np.ascontiguousarray(samples), self.mode, source_format=source)


def of_array(array: NDArray[Any], *, fortran: bool = False, source_bytes: int = 0) -> list[Batch]:
    """Return the ways to see an array as items, the likelier first.

    [n, h, w, c] is n images; [h, w] one; [n, h, w] n images, or one [h, w, c] if the last size is 2 to 4. Raises
    InputError for other arrays.
    """
    array = np.ascontiguousarray(array)
    described = f"{array.dtype} {list(array.shape)}"
    if array.dtype.str not in DTYPES:
        raise InputError(f"expected an array of bool, uint8, uint16, int32 or float32, found {described}: convert it")
    if array.dtype == np.bool_:
        array = array.view(np.uint8) != 0  # a file's true may be any number
    if not 2 <= array.ndim <= 4 or (array.ndim == 4 and array.shape[3] > MAX_CHANNELS):
        raise InputError(
            f"expected an array of images [n, h, w] or [n, h, w, c] with c of 1 to {MAX_CHANNELS}, found {described}: "
            "reshape or transpose it"
        )
    if not array.size:
        raise InputError(f"expected at least one sample, found {described}")
    many = Batch(array, fortran=fortran, source_bytes=source_bytes)
    one = Batch(array[None], fortran=fortran, single=True, source_bytes=source_bytes)
    if array.ndim == 2:
        return [one]
    return [one, many] if array.ndim == 3 and 2 <= array.shape[2] <= MAX_CHANNELS else [many]


def of_sequences(
    sequences: Sequence[NDArray[Any]], *, length_dtype: str = LENGTH_DTYPES[0], source_bytes: int = 0
) -> Batch:
    """Return the batch of sequences, uint8 [steps, dims] each with the same dims; InputError for anything else."""
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not any(array.size for array in arrays):
        raise InputError("expected at least one step of a sequence, found none")
    for number, array in enumerate(arrays):
        if array.ndim != 2 or array.dtype != np.uint8 or array.shape[1] != arrays[0].shape[-1]:
            raise InputError(
                f"expected sequences of uint8 [steps, dims] with equal dims, found {array.dtype} {list(array.shape)} "
                f"as number {number}"
            )
    lengths = [len(array) for array in arrays]
    return Batch(
        np.concatenate(arrays), Form.NPZ, lengths=lengths, length_dtype=length_dtype, source_bytes=source_bytes
    )


def of_pictures(pictures: Sequence[tuple[str, Picture]]) -> Batch:
    """Return the batch of named pictures of one shape and mode (RGB, L or 1); their metadata are not kept."""
    first = pictures[0][1]
    return Batch(
        np.stack([picture.samples for _, picture in pictures]),
        Form.IMAGES,
        mode=first.mode,
        names=[name for name, _ in pictures],
        formats=[picture.source_format or "PNG" for _, picture in pictures],
        source_bytes=sum(picture.source_bytes for _, picture in pictures),
    )


def is_batch(data: bytes | memoryview) -> bool:
    """Return whether a file (or its beginning) is a batch; FormatError if it is no .rdz file."""
    header, _ = container.unpack_prefix(data)
    return header.get(MEMBERS) == BATCH_KIND


def check_items(items: Sequence[int], count: int) -> list[int]:
    """Return the numbers of items of a batch of `count`; InputError for one that it has not, or that comes twice."""
    for number in items:
        if not 0 <= number < count:
            raise InputError(f"expected items of 0 to {count - 1}, found {number}: rdzip info tells how many there are")
    if len(set(items)) < len(items) or not items:
        raise InputError("expected each item once, found none or one several times: list each once in `items`")
    return list(items)
