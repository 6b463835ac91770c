"""The schema of a table as JSON that people read and edit: kinds, orders, constraints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

from zerosum.config import Part
from zerosum.errors import UserError
from zerosum.files import read_json
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import (
    Column,
    Derived,
    Discrete,
    Fixed,
    Identifier,
    LeftOut,
)
from zerosum.modalities.tables.constraints import Constraint
from zerosum.modalities.tables.kinds import KindName


def _texts(value: Any) -> Any:
    return [str(one) for one in value] if isinstance(value, list | tuple) else value


class ColumnSchema(Part):
    """What one column is."""

    kind: KindName
    """number, integer, category, ordinal, boolean, date, constant, text, identifier or skip."""
    order: Annotated[tuple[str, ...], BeforeValidator(_texts)] = ()
    """The values of an ordinal column, the least first."""
    log: bool | None = None
    """Whether a number is learned by its logarithm; None lets its tail decide."""
    why: str = ""
    """What was found, for people: it is not read."""


class Schema(Part):
    """What the columns of a table are, and what holds in every row."""

    columns: Mapping[str, ColumnSchema] = {}
    """By name; a column that is not here is found out."""
    constraints: tuple[Constraint, ...] = ()
    """See `constraints`."""

    @property
    def kinds(self) -> dict[str, KindName]:
        return {name: column.kind for name, column in self.columns.items()}

    @property
    def orders(self) -> dict[str, tuple[str, ...]]:
        return {name: column.order for name, column in self.columns.items() if column.order}

    @property
    def logs(self) -> dict[str, bool]:
        return {n: column.log for n, column in self.columns.items() if column.log is not None}


def read(value: Any) -> Any:
    """What a setting holds, or what the file that it names holds.

    Raises:
        ValueError: The file is missing, or is no JSON.
    """
    if not isinstance(value, str):
        return value
    path = Path(value).expanduser()
    try:
        return read_json(path)
    except OSError as error:
        raise ValueError(
            f"there is no schema in {path} ({error.strerror}): write one with  "
            "zerosum inspect DATA --schema FILE"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): mend it, or write it anew") from error


def load(path: Path) -> Schema:
    """The schema of a file.

    Raises:
        UserError: It is missing or no schema; the message says where.
    """
    try:
        return Schema.model_validate(read(str(path)))
    except (ValidationError, ValueError) as error:
        raise UserError(f"{path}: {error}") from error


def schema_of(codec: TableCodec) -> Schema:
    """The schema that gives a codec again, with what was found in words."""
    return Schema(
        columns={column.name: _described(column) for column in codec.columns},
        constraints=codec.constraints,
    )


def text(schema: Schema) -> str:
    """A schema as JSON, without what is not said."""
    return schema.model_dump_json(indent=2, exclude_defaults=True) + "\n"


def _described(column: Column) -> ColumnSchema:
    if isinstance(column, Derived):
        return _described(column.was)
    if isinstance(column, LeftOut):
        free = column.reason.startswith("free text")
        return ColumnSchema(kind="text" if free else "skip", why=column.reason)
    if isinstance(column, Identifier):
        return ColumnSchema(kind="identifier", why=column.reason)
    if isinstance(column, Fixed):
        return ColumnSchema(kind="constant", why=f"{column.value} in every row")
    absent = ", some missing" if column.missing else ""
    if isinstance(column, Discrete):
        found = f"{len(column.values) + len(column.rare):,} values{absent}"
        if column.ordered:
            return ColumnSchema(
                kind="ordinal", order=column.names[: len(column.values)], why=found
            )
        flag = all(isinstance(value, bool) for value in column.values)
        return ColumnSchema(kind="boolean" if flag else "category", why=found)
    found = f"{column.low:g} to {column.high:g}{absent}"
    if column.unit:
        return ColumnSchema(kind="date", why=f"{column.distinct:,} different ones{absent}")
    whole = column.decimals == 0
    log = True if column.offset is not None else None
    return ColumnSchema(kind="integer" if whole else "number", log=log, why=found)
