"""Model files of architecture "irec-code": as those of hyper-code, with deviations in place of tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import ModelError
from rdzip.models import codecs_of, model_file
from rdzip.models.hyperprior import file as hyperprior_file
from rdzip.models.hyperprior.factorised_prior import BANDS
from rdzip.models.irec_vae.model import LARGEST_DEVIATION, IrecModel, IrecNet, deviations
from rdzip.models.shared import float_tensors
from rdzip.models.shared.integer_tensors import integer_tensors
from rdzip.models.shared.planned import Planned
from rdzip.models.shared.residual_site import SCALES

VERSION = 1
DEVIATION, HYPER_DEVIATION = "normal.deviation", "normal.hyper"
Tensors = dict[str, NDArray[Any]]


def from_tensors(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> IrecModel:
    """Model from the tensors and the document of a model file; ModelError unless all fit and are exact."""
    if meta.get("version") != VERSION:
        raise ModelError(f"model: expected version {VERSION}, found {meta.get('version')!r}: update rdzip")
    config = hyperprior_file.described(meta)
    with Planned(tensors):
        net = IrecNet(config)
    shapes: dict[str, tuple[int, ...]] = {DEVIATION: (SCALES,)}
    if config.hyper:
        shapes[HYPER_DEVIATION] = (BANDS, config.hyper)
    missing = [name for name in shapes if name not in tensors]
    if missing:
        raise ModelError(f"model: expected the tensor {missing[0]}, found none")
    found = [float_tensors.read(tensors, name, np.int32, shape).numpy() for name, shape in shapes.items()]
    if any(int(d.min()) < 1 or int(d.max()) > LARGEST_DEVIATION for d in found):
        raise ModelError(f"model: expected deviations of 1 to {LARGEST_DEVIATION}")
    found += [np.zeros((BANDS, 0), np.int32)] * (2 - len(found))
    hyperprior_file.fill(net, {name: value for name, value in tensors.items() if name not in shapes})
    return IrecModel(net, found[0], found[1], codecs_of(meta))


def to_tensors(net: IrecNet) -> Tensors:
    """All that a model file holds of a trained network; ModelError if it cannot be exact."""
    tensors: Tensors = integer_tensors(net) | hyperprior_file.own_tensors(net)
    tensors[DEVIATION] = deviations()
    if net.config.hyper:
        tensors[HYPER_DEVIATION] = net.hyper_deviations()
    return tensors


def export(path: Path, net: IrecNet, facts: Mapping[str, Any]) -> None:
    """Write a trained network as a model file with its known answer; ``facts``: of the training."""
    tensors = to_tensors(net.cpu())  # type: ignore[arg-type]
    meta = hyperprior_file.document("irec-code", VERSION, net, facts)
    meta["known_answer"] = from_tensors(tensors, meta).known_answer()
    model_file.write(path, tensors, meta)
