"""Names of layers in files: model files and checkpoints keep those that their first writers gave.

`head_in`, the layer that gives every head its first stream, is "fan" there, `conditioning`, by which a head sees what
has been coded, "known", and `head_blocks`, the residual blocks of a head, "deep".

>>> in_file("head.conditioning.0.weight")
'head.known.0.weight'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

_IN_FILE = {
    "head_in": "fan",
    "conditioning": "known",
    "head_blocks": "deep",
    "first_head_blocks": "first_deep",
}
_IN_CODE = {name: attribute for attribute, name in _IN_FILE.items()}


def in_file(name: str) -> str:
    """Name in files of a layer, or of a part of one, whose dotted attributes are ``name``."""
    return ".".join(_IN_FILE.get(part, part) for part in name.split("."))


def keep_in_checkpoints(module: nn.Module) -> None:
    """Let the state dict of a module have the names of files, too, when it is saved and when it is loaded."""
    module.register_state_dict_post_hook(_rename_to_files)
    module.register_load_state_dict_pre_hook(_rename_to_code)


def _rename_to_files(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    _rename(state, prefix, _IN_FILE)


def _rename_to_code(module: nn.Module, state: dict[str, Any], prefix: str, *others: Any) -> None:
    _rename(state, prefix, _IN_CODE)


def _rename(state: dict[str, Any], prefix: str, names: dict[str, str]) -> None:
    """Give the entries of one module other names, in the order that they have."""
    entries = list(state.items())
    state.clear()
    for name, value in entries:
        attribute, dot, rest = name.removeprefix(prefix).partition(".")
        own = name.startswith(prefix) and attribute in names
        state[f"{prefix}{names[attribute]}{dot}{rest}" if own else name] = value
