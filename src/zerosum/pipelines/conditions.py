"""What a user gives to samples, such as `label=3`, as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zerosum.data.fields import Category, Field
from zerosum.errors import UserError

Condition = int | float | str | Sequence[int] | Sequence[float] | Sequence[str] | Tensor
WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def condition_values(name: str, field: Field, value: Condition, n: int) -> Tensor:
    """A condition's values (n, ...): one for all samples, or one for each.

    Raises:
        UserError: Values that are none of the field's, or a wrong number of them.
    """
    if isinstance(field, Category):
        value = _classes(name, field, value)
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{name}={value!r}: give a number, or one per sample") from error
    shape = tuple(axis for axis in field.shape if axis is not None)
    if tensor.ndim <= len(shape):
        tensor = tensor[None]
    if len(tensor) not in (1, n):
        raise UserError(f"{len(tensor)} values of '{name}' for {n} samples: give 1 or {n}")
    if tuple(tensor.shape[1:]) != shape:
        raise UserError(f"'{name}' has the shape {shape}, and {tuple(tensor.shape[1:])} was given")
    return tensor.expand(n, *shape)


def _classes(name: str, field: Category, value: Condition) -> Tensor:
    """Classes by number or name as int64 (N,)."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, Sequence) and any(isinstance(one, str) for one in value):
        return torch.tensor([field.number(str(one), name) for one in value])
    try:
        numbers = torch.as_tensor(value).flatten()
        numbers = numbers if numbers.numel() else numbers.long()
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{name}={value!r}: give a number, or one per sample") from error
    if numbers.dtype not in WHOLE:
        some = numbers.unique().tolist()[:3]
        raise UserError(f"{name}={some}: labels are whole numbers, one per class")
    wrong = numbers[(numbers < 0) | (numbers >= field.count)]
    if len(wrong):
        raise UserError(
            f"there is no class {int(wrong[0])}: {name} goes from 0 to {field.count - 1}"
        )
    return numbers.long()
