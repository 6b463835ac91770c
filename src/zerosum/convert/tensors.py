"""Constructor arguments and tensors of others, taken one by one: what is left over is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from zerosum.errors import UserError, nearest

_MISSING = object()


class Named(Protocol):
    """A network that knows the official names of its tensors."""

    def official_names(self) -> dict[str, str]: ...
    def named_parameters(self) -> Any: ...
    def named_buffers(self) -> Any: ...


Network = TypeVar("Network", bound=Named)


class Arguments:
    """Constructor arguments, of which each must be taken.

    Args:
        title: What they build, for messages.
        given: Arguments by their official names.
    """

    def __init__(self, title: str, given: Mapping[str, Any]) -> None:
        self.title, self._left, self._known = title, dict(given), list[str]()

    def take(self, name: str, default: Any = _MISSING) -> Any:
        """The value of an argument, the default where it is absent.

        Raises:
            UserError: It is missing and has no default.
        """
        self._known.append(name)
        if name not in self._left and default is _MISSING:
            raise UserError(f"{self.title} needs the argument {name}: give it")
        return self._left.pop(name, default)

    def check(self, name: str, value: Any, must: Any) -> None:
        """Refuse a value that is not the one that it must be."""
        if value != must:
            raise UserError(f"{self.title} cannot have {name}={value!r} here: it must be {must!r}")

    def done(self) -> None:
        """Refuse what nobody took.

        Raises:
            UserError: An argument is left over.
        """
        for name in self._left:
            raise UserError(f"{self.title} has no argument {name}: {nearest(name, self._known)}")


def part(state: Mapping[str, Tensor | np.ndarray], prefix: str) -> dict[str, Tensor | np.ndarray]:
    """The tensors whose names start with a prefix, without it."""
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}


@torch.no_grad()
def filled(
    network: Network, state: Mapping[str, Tensor | np.ndarray], title: str = "the network"
) -> Network:
    """The network, its parameters and buffers set to official tensors.

    Args:
        network: What knows the official names.
        state: Tensors or arrays by official name. Buffers that follow from the arguments, such
            as filters, may be absent.
        title: What messages call it.

    Raises:
        UserError: A tensor that is missing, unknown, or of another shape.
    """
    names = network.official_names()
    parameters, buffers = dict(network.named_parameters()), dict(network.named_buffers())
    kept = network.state_dict() if isinstance(network, nn.Module) else parameters
    for name in state:
        if name not in names:
            raise UserError(f"{title} has no tensor {name}: {nearest(name, names)}")
    for name, ours in names.items():
        if name not in state:
            if ours in kept:
                raise UserError(f"{title} lacks the tensor {name}: take a complete set of weights")
            continue
        there = parameters.get(ours, buffers.get(ours))
        given = state[name]
        # A copy: an array that was read from a file may be read-only, which torch warns of.
        value = given.detach() if isinstance(given, Tensor) else torch.from_numpy(given.copy())
        if there is None or value.shape != there.shape:
            found = None if there is None else tuple(there.shape)
            raise UserError(
                f"{title}: {name} has shape {tuple(value.shape)}, the arguments say {found}"
            )
        there.copy_(value)
    return network
