"""What models with latents take: shapes of items, values of samples, options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rdzip.errors import InputError
from rdzip.pipeline.arrangement import histogram
from rdzip.pipeline.model_handle import ModelHandle, Role

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rdzip.codecs.bits_back.options import Options


def check_item(model: ModelHandle, shape: tuple[int, ...]) -> None:
    """Raise InputError unless the model codes items of this shape."""
    model.load(Role.LATENT).check_item(shape)


def takes(model: ModelHandle, shape: tuple[int, ...]) -> bool:
    """Return whether the model codes items of this shape; ModelError if it cannot be had."""
    try:
        check_item(model, shape)
    except InputError:
        return False
    return True


def check_options(model: ModelHandle, options: Options) -> None:
    """Raise InputError for options of a codec that the model cannot grant."""
    loaded = model.load(Role.LATENT)
    if options.refine and not getattr(loaded, "refines", hasattr(loaded, "_refinement")):
        raise InputError(f"expected `refine` with a model that has iterative inference, found {model.id}: leave it out")


def factor_of(model: ModelHandle, samples: NDArray[Any]) -> int:
    """Return 255 for samples of 0 and 255 that a model of two values is to code as 0 and 1, else 1.

    Raises InputError for samples that the model has no values for.
    """
    values = int(model.load(Role.LATENT).values())
    if values >= 256:
        return 1
    counts = histogram(samples)
    found = [value for value in range(256) if counts[value]]
    if found[-1] < values:
        return 1
    if values == 2 and set(found) <= {0, 255}:
        return 255
    raise InputError(
        f"the model {model.id} codes samples of {values} values (0 to {values - 1}"
        f"{', or 0 and 255' if values == 2 else ''}), found values up to {found[-1]}: choose another model by `model`"
    )
