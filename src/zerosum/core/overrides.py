"""Overrides `dotted.path=value` on typed recipes, checked against each field's type."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from zerosum.errors import UserError, nearest

if TYPE_CHECKING:
    from zerosum.core.recipe import Recipe


def parse(text: str) -> tuple[str, str]:
    """Split `path=value`.

    Raises:
        UserError: There is no equals sign.
    """
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise UserError(f"'{text}' is no override: write dotted.path=value, like train.batch=32")
    return path.strip(), value.strip()


def overridden(recipe: Recipe, path: str, value: Any) -> Recipe:
    """The recipe with one value replaced. See `Recipe.override`."""
    names = path.split(".")
    part = _replace(recipe, names, value, path)
    assert isinstance(part, type(recipe))
    return part


def _replace(node: Any, names: list[str], value: Any, path: str) -> Any:
    """A copy of a part of the recipe in which the value at `names` is replaced."""
    if not names:
        return value
    name, rest = names[0], names[1:]
    before = path.removesuffix(".".join(names))
    if isinstance(node, dict):
        if name not in node:
            raise _unknown(path, before, list(node))
        return node | {name: _replace(node[name], rest, value, path)}
    if not isinstance(node, BaseModel):
        raise UserError(f"'{before.rstrip('.')}' is a single value, so '{path}' does not exist")
    fields = type(node).model_fields
    if name not in fields or (before == "" and name in ("system", "preset", "facts")):
        raise _unknown(path, before, list(fields))
    if rest:
        return node.model_copy(update={name: _replace(getattr(node, name), rest, value, path)})
    return _set(node, name, value, path)


def _set(node: BaseModel, name: str, value: Any, path: str) -> BaseModel:
    """A part with one field replaced, validated."""
    kept = {field: getattr(node, field) for field in type(node).model_fields}
    failure: ValidationError | None = None
    for candidate in _readings(value):
        try:
            return type(node).model_validate(kept | {name: candidate})
        except ValidationError as error:
            failure = failure or error
    assert failure is not None
    raise UserError(f"{path}={_shown(value)}: {read_error(failure, name)}")


def _readings(value: Any) -> list[Any]:
    """What a text may mean: JSON, a Python literal, itself."""
    if not isinstance(value, str):
        return [value]
    readings: list[Any] = []
    for reader in (json.loads, ast.literal_eval):
        try:
            readings.append(reader(value))
            break
        except (ValueError, SyntaxError):
            continue
    if value.lower() in ("true", "false", "none"):
        readings.insert(0, {"true": True, "false": False, "none": None}[value.lower()])
    return [*readings, value]


def read_error(error: ValidationError, name: str = "") -> str:
    """The first complaint of pydantic in one line."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if str(part) != name)
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"].endswith(("_type", "_parsing", "literal_error", "_from_float")):
        message = "expected " + message.replace(", unable to parse string as an integer", "")
    return f"{where}: {message}" if where else message


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _unknown(path: str, before: str, known: list[str]) -> UserError:
    word = before + path[len(before) :].split(".")[0]
    hint = nearest(word, [before + name for name in known])
    return UserError(f"unknown setting '{path}': {hint}")
