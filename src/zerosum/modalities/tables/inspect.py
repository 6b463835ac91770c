"""What is in a table, what is wrong with it, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerosum.modalities.modality import Inspection
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import (
    Column,
    Discrete,
    Fixed,
    Identifier,
    LeftOut,
    Number,
)
from zerosum.modalities.tables.config import Table
from zerosum.modalities.tables.fitting import fit_columns, respelled
from zerosum.modalities.tables.following import in_time
from zerosum.modalities.tables.opening import find
from zerosum.modalities.tables.schema import schema_of, text

if TYPE_CHECKING:
    import pandas as pd

_FEW = 1_000  # rows; below, a network learns them by heart
_RARE = 10  # rows of a category below which it is hardly learned
_LISTED = 8


def inspect(path: str, *, limit: int | None = None) -> Inspection:
    """Read a table and say what a training would find.

    Args:
        path: Anything that `Table.path` takes.
        limit: Look at no more than so many training rows.

    Raises:
        UserError: Nothing is there, or it cannot be read.
    """
    config = Table(path=path, limit=limit)
    found = find(config)
    frame = found.train if limit is None else found.train.head(limit)
    columns = fit_columns(frame, config.rules)
    codec = TableCodec(columns, found.target)
    kinds = {
        "numbers": [c.name for c in columns if isinstance(c, Number) and not c.unit],
        "dates": [c.name for c in columns if isinstance(c, Number) and c.unit],
        "categories": [c.name for c in columns if isinstance(c, Discrete)],
        "constant": [c.name for c in columns if isinstance(c, Fixed)],
        "made anew": [c.name for c in columns if isinstance(c, Identifier)],
        "left out": [c.name for c in columns if isinstance(c, LeftOut)],
    }
    missing = {str(name): int(n) for name, n in frame.isna().sum().items() if n}
    repeated = int(_hashable(frame).duplicated().sum())
    rows = {"rows": f"{len(frame):,}"}
    if found.test is not None:
        rows["held out"] = f"the official test part ({len(found.test):,})"
    for kind, names in kinds.items():
        if names:
            rows[kind] = f"{len(names)}: {_list(names)}"
    rows["missing"] = _list([f"{name} {n:,}" for name, n in missing.items()]) or "nothing"
    rows["repeated rows"] = f"{repeated:,}"
    rows["encoded row"] = f"{codec.row.shape[0]} numbers"
    rows["to predict"] = found.target or "nothing said (data.target=COLUMN)"
    facts = {
        "rows": len(frame),
        "columns": kinds,
        "missing": missing,
        "repeated": repeated,
        "width": codec.row.shape[0],
        "target": found.target,
    }
    return Inspection(
        path=path,
        rows=rows,
        notes=(*found.notes, *in_time(path, frame, columns)),
        warnings=_warnings(frame, columns, repeated),
        command=f"zerosum train ctgan --data {shlex.quote(path)}",
        facts=facts,
    )


def schema(path: str) -> str:
    """What a training would take the columns of a table for, as JSON to be edited.

    Raises:
        UserError: Nothing is there, or it cannot be read.
    """
    config = Table(path=path)
    found = find(config)
    return text(schema_of(TableCodec.fit(found.train, config.rules, found.target)))


def _warnings(frame: pd.DataFrame, columns: Sequence[Column], repeated: int) -> list[str]:
    said = []
    if len(frame) < _FEW:
        said.append(f"{len(frame):,} rows are few: a network may learn them by heart")
    for column in columns:
        if isinstance(column, LeftOut):
            said.append(f"'{column.name}' is left out: {column.reason}")
        elif isinstance(column, Identifier):
            said.append(
                f"'{column.name}' is made anew, none of its values is copied: {column.reason}"
            )
        elif isinstance(column, Discrete) and column.rare:
            said.append(
                f"'{column.name}' has {len(column.values) + len(column.rare):,} categories: the "
                f"rarest {len(column.rare):,} share one (data.categories)"
            )
        said += respelled(column)
    rare = [
        f"{column.name}={name}"
        for column in columns
        if isinstance(column, Discrete)
        for name, count in zip(column.names, column.counts)
        if count < _RARE
    ]
    if rare:
        said.append(f"{len(rare)} categories have fewer than {_RARE} rows: {_list(rare)}")
    if repeated > len(frame) / 10:
        said.append(f"{repeated:,} rows are repeats of others: they are learned as often")
    fixed = [column.name for column in columns if isinstance(column, Fixed)]
    if fixed:
        said.append(f"constant, and copied as they are: {_list(fixed)}")
    return said


def _hashable(frame: pd.DataFrame) -> pd.DataFrame:
    """Texts in place of objects that cannot be compared, such as lists."""
    objects = [name for name in frame.columns if frame[name].dtype == object]
    return frame.assign(**{name: frame[name].map(str) for name in objects})


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
