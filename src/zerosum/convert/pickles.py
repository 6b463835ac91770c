"""Pickles of networks read as data: names, arguments and numbers. Nothing in them is ever run.

The official StyleGAN2-ADA, StyleGAN3, StyleGAN-XL and R3GAN files are Python pickles of modules.
Loading one with `pickle.load` runs what its author put there, the source text that such files
carry included. Here every name in a file becomes an inert record of that name, whatever it is
called with; names that no file of networks needs are refused. Numbers are rebuilt afterwards,
from bytes whose bounds are checked.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from zerosum.errors import UserError

PERSISTENT = "_reconstruct_persistent_obj"
"""The function that the official modules' pickles name, with one dictionary: the class's name, its
source text (never looked at) and the object's state."""
_NETWORKS = ("training", "torch_utils", "dnnlib", "BaselineGAN", "R3GAN", "pg_modules")
"""Packages of the official code, whose classes may be named."""
_NEEDED: dict[str, tuple[str, ...]] = {
    "torch._utils": ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"),
    "torch.storage": ("_load_from_bytes",),
    "torch": ("Size", "device"),
    "numpy": ("dtype", "ndarray"),
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "_codecs": ("encode",),
    "copyreg": ("_reconstructor",),
    "builtins": ("object",),
}
"""What else stands in pickles of modules and arrays. None of it is called."""
_LIVE: dict[tuple[str, str], type] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
}
"""Plain containers, which are what they say."""
_NUMERIC = re.compile(r"[<>|=]?[fiub]\d{1,2}")
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    RuntimeError,  # of torch, on bytes of a tensor; too deep a recursion is one too
    MemoryError,
    ImportError,
    struct.error,
    AssertionError,
)
"""What the unpickler raises on bytes that are none of its own."""


@dataclass(frozen=True)
class StoredNetwork:
    """A network as its file tells it.

    Attributes:
        kind: Name of its class, as the file has it: text, never a class.
        kwargs: The constructor's arguments by name, plain numbers, texts and containers; empty
            where the file keeps none (modules without persistence).
        tensors: Parameters and buffers by dotted name, on the CPU.
        attributes: Plain numbers and texts that the module kept, such as `z_dim`.
    """

    kind: str
    kwargs: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    attributes: Mapping[str, Any] = field(default_factory=dict)


def read_pickle(path: Path) -> dict[str, StoredNetwork]:
    """The networks in a pickle, by the names they have there (`G`, `D`, `G_ema`).

    A file that is one network has it under the empty name.

    Raises:
        UserError: The file cannot be read, holds no network, or names what no file of networks
            needs; nothing was run in either case.
    """
    try:
        with path.open("rb") as stream:
            tree = _Reader(stream, path).load()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except UserError:
        raise
    except _BROKEN as error:
        raise UserError(f"{path} is no whole pickle: {_words(error)}") from error
    found = tree if isinstance(tree, dict) else {"": tree}
    try:
        networks = {str(name): _network(one) for name, one in found.items() if _is_module(one)}
    except (*_BROKEN, OSError) as error:
        raise UserError(f"{path} holds a network that is damaged: {_words(error)}") from error
    if not networks:
        raise UserError(f"{path} holds no network: give an official .pkl or .pth of one")
    return networks


def _words(error: BaseException) -> str:
    """An error of a library, in one line."""
    said = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


class Record:
    """An object of a class that is never imported: what the pickle says of it, and no more."""

    title: ClassVar[str]
    """Module and name of the class or function."""
    args: tuple[Any, ...]
    state: Any
    items: dict[Any, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Record:
        self = object.__new__(cls)
        self.args, self.state, self.items = args, None, dict(kwargs)
        return self

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        return

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def append(self, value: Any) -> None:
        self.items[len(self.items)] = value

    def extend(self, values: Any) -> None:
        for value in values:
            self.append(value)


class _Reader(pickle.Unpickler):
    """An unpickler whose every name is a record of it, or is refused."""

    def __init__(self, stream: Any, path: Path) -> None:
        super().__init__(stream)
        self.path, self.kinds = path, dict[str, type[Record]]()

    def find_class(self, module: str, name: str) -> Any:
        title = f"{module}.{name}"
        if (module, name) in _LIVE:
            return _LIVE[module, name]
        if module.startswith("dnnlib.tflib"):
            raise UserError(
                f"{self.path} holds networks of TensorFlow: convert it to PyTorch with the "
                "official code (its legacy.py) and import what that writes"
            )
        if not _may_be_named(module, name):
            raise UserError(
                f"{self.path} asks for {title}, which no file of networks needs: it was refused, "
                "and nothing in it was run. Get the file from its authors"
            )
        if title not in self.kinds:
            self.kinds[title] = type("Record", (Record,), {"title": title})
        return self.kinds[title]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to data that are not in it")


def _may_be_named(module: str, name: str) -> bool:
    if "." in name:  # a path through attributes leads anywhere
        return False
    if name in _NEEDED.get(module, ()) or module.startswith("torch.nn."):
        return True
    if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
        return True
    return module.partition(".")[0] in _NETWORKS


# -- from records to networks --------------------------------------------------------------


def _is_module(one: Any) -> bool:
    state = _state(one)
    return isinstance(state, dict) and isinstance(state.get("_parameters"), dict)


def _state(one: Any) -> Any:
    """The attributes of an object, which persistence keeps in the argument of a function."""
    meta = _meta(one)
    if meta is not None:
        return meta.get("state")
    return one.state if isinstance(one, Record) else None


def _meta(one: Any) -> dict[Any, Any] | None:
    if not isinstance(one, Record) or not one.title.endswith(f".{PERSISTENT}"):
        return None
    meta = one.args[0] if one.args else None
    meta = meta.items if isinstance(meta, Record) else meta
    return meta if isinstance(meta, dict) else None


def _network(one: Any) -> StoredNetwork:
    state, meta = _state(one), _meta(one)
    kind = one.title if meta is None else str(meta.get("class_name"))
    kwargs = plain(state.get("_init_kwargs", {}))
    attributes = {
        name: plain(value)
        for name, value in state.items()
        if isinstance(value, bool | int | float | str) or _is_scalar(value)
    }
    given = kwargs if isinstance(kwargs, dict) else {}
    return StoredNetwork(kind, given, dict(_tensors(one, "", 0)), attributes)


def _tensors(one: Any, prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of a module and of those in it, by dotted name."""
    if depth > 50:
        raise ValueError("modules are nested more than fifty deep")
    state = _state(one)
    for group in ("_parameters", "_buffers"):
        for name, value in state.get(group, {}).items():
            if value is not None:
                yield f"{prefix}{name}", _tensor(value)
    for name, module in state.get("_modules", {}).items():
        if _is_module(module):
            yield from _tensors(module, f"{prefix}{name}.", depth + 1)


def _tensor(value: Any) -> Tensor:
    """A tensor from its record: bytes of a storage, and where in them it lies."""
    title = value.title if isinstance(value, Record) else type(value).__name__
    if title == "torch._utils._rebuild_parameter":
        return _tensor(value.args[0])
    if title not in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
        raise TypeError(f"a parameter is a {title}, not a tensor")
    storage, offset, size, stride = value.args[:4]
    if getattr(storage, "title", "") != "torch.storage._load_from_bytes":
        raise TypeError("a tensor has no bytes")
    with warnings.catch_warnings(action="ignore"):  # torch deprecates its own file's types
        data = io.BytesIO(_raw(storage.args[0]))
        held = torch.load(data, map_location="cpu", weights_only=True)
        flat = torch.empty(0, dtype=held.dtype).set_(held.untyped())
    size, stride = (tuple(int(n) for n in plain(one)) for one in (size, stride))
    reach = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min((*size, *stride, offset), default=0) < 0 or (math.prod(size) and reach >= len(flat)):
        raise ValueError("a tensor reaches beyond its bytes")
    return flat.as_strided(size, stride, offset).clone()


def plain(value: Any) -> Any:
    """Numbers, texts and containers of a value, whose dictionaries may be of official kinds.

    What is none of these is left out of containers, and is None by itself.
    """
    if isinstance(value, Record) and value.title.startswith("dnnlib."):
        value = {**value.items, **(value.state if isinstance(value.state, dict) else {})}
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(one) for one in value)
    if isinstance(value, Record) and value.title == "torch.Size":
        return plain(value.args[0])
    if _is_scalar(value):
        kind, data = value.args[0].args[0], value.args[1]
        if _NUMERIC.fullmatch(str(kind)):
            return np.frombuffer(_raw(data), np.dtype(kind))[0].item()
    return value if isinstance(value, bool | int | float | str) else None


def _is_scalar(value: Any) -> bool:
    """Whether a value is the record of one number of NumPy."""
    return (
        isinstance(value, Record)
        and value.title.endswith("multiarray.scalar")
        and len(value.args) == 2
        and isinstance(value.args[0], Record)
        and bool(value.args[0].args)
    )


def _raw(data: Any) -> bytes:
    """Bytes, which pickles of old protocols write as text in latin-1."""
    if isinstance(data, Record) and data.title == "_codecs.encode":
        return str(data.args[0]).encode("latin-1")
    if not isinstance(data, bytes):
        raise TypeError("a number or tensor has no bytes")
    return data
