"""Overrides `dotted.path=value` on typed recipes, checked against each field's type."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from zerosum.errors import UserError, nearest

SET_BY_US = ("system", "preset", "facts", "about", "sources")
"""Fields of a recipe that nobody sets by hand."""
Typed = TypeVar("Typed", bound=BaseModel)


def parse(text: str) -> tuple[str, str]:
    """Split `path=value`.

    Raises:
        UserError: There is no equals sign.
    """
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise UserError(f"'{text}' is no override: write dotted.path=value, like train.batch=32")
    return path.strip(), value.strip()


def overridden_part(whole: Typed, path: str, value: Any) -> Typed:
    """A typed part, such as a recipe, with the value at a dotted path replaced.

    Raises:
        UserError: The path does not exist (with the nearest ones), or the value is ill-typed.
    """
    part = _replace(whole, path.split("."), value, path)
    assert isinstance(part, type(whole))
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
    if name not in fields or (before == "" and name in SET_BY_US):
        raise _unknown(path, before, list(fields))
    if not rest:
        return _set(node, name, _readings(value), value, path)
    child = getattr(node, name)
    if isinstance(child, dict) and len(rest) == 1 and rest[0] in child:
        # A whole entry, such as optim.generator: only the field that holds it knows its type.
        entries = [child | {rest[0]: reading} for reading in _readings(value)]
        return _set(node, name, entries, value, path)
    return node.model_copy(update={name: _replace(child, rest, value, path)})


def _set(node: BaseModel, name: str, candidates: list[Any], value: Any, path: str) -> BaseModel:
    """A part with one field replaced by the first candidate that is valid."""
    kept = {field: getattr(node, field) for field in type(node).model_fields}
    failure: ValidationError | None = None
    for candidate in candidates:
        try:
            return type(node).model_validate(kept | {name: candidate})
        except ValidationError as error:
            failure = failure or error
    assert failure is not None
    last = path.rpartition(".")[2]
    held = kept[name] if last == name else kept[name][last]  # the field, or one entry of it
    whole = ("." not in path or last != name) and isinstance(held, BaseModel | dict)
    if whole and not any(isinstance(reading, Mapping) for reading in _readings(value)):
        raise _no_group(path, value, held)
    message = read_error(failure, name)
    begun = f"{path}={_shown(value)}"
    raise UserError(message if message.startswith(begun) else f"{begun}: {message}")


def _no_group(path: str, value: Any, part: BaseModel | dict[str, Any]) -> UserError:
    known = list(part) if isinstance(part, dict) else list(type(part).model_fields)
    if not isinstance(part, dict):  # a part's own settings say more than those of its base
        known.sort(key=lambda name: name not in type(part).__annotations__)
    listed = ", ".join(f"{path}.{name}" for name in known[:4])
    return UserError(f"{path}={_shown(value)}: '{path}' is a group of settings: {listed}, ...")


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
    """The most telling complaint of pydantic in one line."""
    # Of the alternatives of a union, the one that was got furthest into was meant.
    first = max(error.errors(), key=lambda complaint: len(complaint["loc"]))
    # A type's name in the path is pydantic's word for one alternative of a union.
    hidden = (name, "float", "int", "bool", "str")
    path = [
        str(part) for part in first["loc"] if not str(part).startswith(("tagged-", "function-"))
    ]
    where = ".".join(part for part in path if part not in hidden)
    message = first["msg"].removeprefix("Value error, ").split(", unable to ")[0]
    wrong_type = first["type"].endswith(("_type", "_parsing", "literal_error", "_from_float"))
    verb = "expected" if wrong_type else "must be"
    message = message.replace("Input should be", verb, 1)
    message = message.replace("greater than or equal to", "at least")
    message = message.replace("less than or equal to", "at most")
    return f"{where}: {message}" if where else message


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _unknown(path: str, before: str, known: list[str]) -> UserError:
    word = before + path[len(before) :].split(".")[0]
    hint = nearest(word, [before + name for name in known])
    return UserError(f"unknown setting '{path}': {hint}")
