"""The finished causal model: its integer tensors from a model file, its tables and its known answer.

Needs no torch until a codec asks for ``torch_net``; models/causal/export.py writes such files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.cdf import MixtureCdf, MixtureTables
from rdzip.errors import ModelError
from rdzip.exact.integers import ACT_MAX, INPUT_MAX, IntegerLayer, check_stream
from rdzip.exact.numba_support import compiled_here
from rdzip.models.causal.config import ACTIVITY_MAX, DIFFERENCE_MAX, CausalConfig
from rdzip.models.causal.known_answer import known_answer
from rdzip.models.causal.numpy_network import ExactLayers, ExactNet, Parameters
from rdzip.models.shared.layer_names import in_file
from rdzip.models.shared.table_tensors import read_tables
from rdzip.models.shared.template import TEMPLATE

if TYPE_CHECKING:
    from rdzip.models.causal.torch_network import TorchNet

ARCHITECTURE = "causal-mlp"
VERSION = 1
KINDS = {"colour": 3, "grey": 1}
PRODUCT_TIME = 5e-5
"""Microseconds that a product of a network takes on one core, about."""
Tensors = dict[str, NDArray[Any]]


def input_max(name: str) -> int:
    """Largest input of the layer of a name."""
    return INPUT_MAX if name == "stem" or name.startswith("conditioning.") else ACT_MAX


def streams(net: Any, head: int) -> Iterator[tuple[list[Any], list[slice], list[int]]]:
    """The residual streams of a network: layers whose outputs are added, which of them, and their largest inputs."""
    trunk = [net.stem, *net.blocks]
    yield trunk, [slice(None)] * len(trunk), [INPUT_MAX] + [ACT_MAX] * len(net.blocks)
    for c, head_blocks in enumerate(net.head_blocks):
        conditioning = [net.conditioning[c - 1]] if c else []
        parts = [slice(c * head, (c + 1) * head)] + [slice(None)] * (len(conditioning) + len(head_blocks))
        yield (
            [net.head_in, *conditioning, *head_blocks],
            parts,
            [ACT_MAX] + [INPUT_MAX] * len(conditioning) + [ACT_MAX] * len(head_blocks),
        )


def integer_network(config: CausalConfig, tensors: Mapping[str, NDArray[Any]], kind: str) -> ExactNet:
    """The network of a kind from the tensors of a model file; ModelError if any is missing or breaks a bound."""

    def take(name: str, dtype: type, shape: tuple[int, ...]) -> NDArray[Any]:
        array = tensors.get(f"{kind}.{in_file(name)}")
        if array is None or array.dtype != dtype or array.shape != shape:
            found = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise ModelError(f"model: expected {kind}.{in_file(name)} {np.dtype(dtype)} {shape}, found {found}")
        return array

    def layer(name: str, inputs: int, outputs: int) -> IntegerLayer:
        parts = (
            take(f"{name}.weight", np.int8, (outputs, inputs)),
            take(f"{name}.exponent", np.int8, (outputs,)),
            take(f"{name}.bias", np.int32, (outputs,)),
        )
        weight, exponent, bias = (np.array(p) for p in parts)
        return IntegerLayer(weight, exponent, bias, input_max(name))

    c = config
    layers = ExactLayers(
        stem=layer("stem", c.inputs, c.width),
        blocks=[layer(f"blocks.{i}", c.width, c.width) for i in range(c.blocks)],
        head_in=layer("head_in", c.width, c.channels * c.head),
        conditioning=[layer(f"conditioning.{i - 1}", 3 * i, c.head) for i in range(1, c.channels)],
        head_blocks=[
            [layer(f"head_blocks.{i}.{j}", c.head, c.head) for j in range(c.head_blocks)] for i in range(c.channels)
        ],
        out=[layer(f"out.{i}", c.head, c.outputs(i)) for i in range(c.channels)],
    )
    for stream, parts, _ in streams(layers, c.head):
        check_stream(stream, parts)
    compression = take("compression", np.int16, (2 * DIFFERENCE_MAX + 1,))
    activity_scale = take("activity_scale", np.int16, (ACTIVITY_MAX + 1,))
    if int(np.abs(compression.astype(np.int32)).max()) > INPUT_MAX:
        raise ModelError(f"model: expected {kind}.compression within {INPUT_MAX}")
    return ExactNet(c, layers, compression, activity_scale)


class CausalModel:
    """A causal pixel model ready to code: ``nets`` by kind ("colour", "grey"), and the tables of its mixtures.

    device: where encoders compute the network, "cpu" until ``to`` says otherwise.
    """

    def __init__(self, nets: dict[str, ExactNet], tables: MixtureTables) -> None:
        self.nets = nets
        self.tables = tables
        self.device = "cpu"
        self._torch_nets: dict[str, TorchNet] = {}
        self._checked = False

    def cdf(self, parameters: Parameters) -> MixtureCdf:
        """Integer distribution functions of the mixtures that a network of this model gave."""
        return MixtureCdf(self.tables, *parameters)

    def torch_net(self, kind: str) -> TorchNet:
        """The network of a kind with its products in torch on the model's device; raises what ``to`` does."""
        if not self._torch_nets:
            self._torch_nets = self._on(self.device)
        return self._torch_nets[kind]

    def to(self, device: str) -> CausalModel:
        """The same model with its matrix products on a torch device.

        Raises InputError if there is no such device here, ModelError if it does not give the known answer.
        """
        if device != self.device:
            self._torch_nets = self._on(device)
            self.device = device
        return self

    def _on(self, device: str) -> dict[str, TorchNet]:
        from rdzip.exact.devices import usable_device
        from rdzip.models.causal.torch_network import TorchNet

        where = usable_device(device)
        nets = {kind: TorchNet(net, where) for kind, net in self.nets.items()}
        if known_answer(nets, self.tables) != self.known_answer():
            raise ModelError(f"the device {device} does not compute this model exactly: use `device=cpu`")
        return nets

    def pixel_time(self, kind: str) -> float:
        """Microseconds that the network of a kind takes for a pixel on one core, about."""
        layers = self.nets[kind].layers
        every = [layers.stem, *layers.blocks, layers.head_in, *layers.conditioning, *layers.out]
        return PRODUCT_TIME * sum(
            layer.weight.size for layer in [*every, *(block for blocks in layers.head_blocks for block in blocks)]
        )

    def known_answer(self) -> str:
        """SHA-256 in hex of the frequencies for fixed pseudo-random neighbourhoods, in batches of several sizes."""
        return known_answer(self.nets, self.tables)

    def check_compiled(self) -> None:
        """Raise ModelError unless code compiled for one pixel after the other gives the known answer, too; once."""
        if not self._checked and compiled_here():
            from rdzip.models.causal.compiled_known_answer import compiled_known_answer

            if compiled_known_answer(self.nets, self.tables) != self.known_answer():
                raise ModelError("code compiled here does not compute this model exactly: set RDZIP_COMPILE=0")
            self._checked = True


def from_tensors(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> CausalModel:
    """The model of a model file's tensors and document; ModelError if they are not of this architecture and version."""
    if meta.get("version") != VERSION:
        raise ModelError(
            f"model: expected {ARCHITECTURE} version {VERSION}, found {meta.get('version')!r}: update rdzip"
        )
    configs = meta.get("networks")
    if not isinstance(configs, dict) or sorted(configs) != sorted(KINDS):
        raise ModelError(f"model: expected the networks {', '.join(KINDS)} in the document")
    nets = {}
    for kind, fields in configs.items():
        try:
            config = CausalConfig(**fields)
        except TypeError as error:
            raise ModelError(f"model: bad description of the network {kind}: {error}") from error
        if (
            not all(isinstance(v, int) and 0 <= v <= 1024 for v in config.as_dict().values())
            or config.channels != KINDS[kind]
            or not 10 <= config.neighbours <= len(TEMPLATE)
            or not 10 <= config.colour_neighbours <= len(TEMPLATE)
            or min(config.width, config.head, config.components) < 1
        ):
            raise ModelError(f"model: the network {kind} has an impossible shape")
        nets[kind] = integer_network(config, tensors, kind)
    return CausalModel(nets, read_tables(tensors))
