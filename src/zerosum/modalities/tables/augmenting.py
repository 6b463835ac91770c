"""What a classifier gains from more rows of a rare class, on real rows that were kept aside."""

from __future__ import annotations

from zerosum.errors import UserError, nearest
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import Discrete


def rare_class(codec: TableCodec, target: str, value: str) -> tuple[str, str]:
    """The column of classes and the class that is to be learned better.

    Args:
        codec: The run's.
        target: Name of the column; empty takes the run's target, or the last one.
        value: The class, as text; empty takes the rarest.

    Raises:
        UserError: No such column or class, or a column of numbers.
    """
    target = target or codec.target or [*codec.described][-1]
    column = codec.described.get(target)
    if column is None:
        raise UserError(
            f"--target {target}: no learned column is called so: "
            f"{nearest(target, codec.described)}"
        )
    if not isinstance(column, Discrete) or len(column.values) < 2:
        raise UserError(
            f"--target {target}: this is no column of several classes, and what is augmented is "
            "a class: name another column"
        )
    known = {str(name): count for name, count in zip(column.values, column.counts)}
    if value and value not in known:
        raise UserError(f"--class {value}: '{target}' has no such class: {nearest(value, known)}")
    return target, value or min(known, key=lambda name: known[name])
