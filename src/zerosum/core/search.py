"""What a search may change in a recipe, and how far.

A model's file may declare `SEARCH` beside its PRESETS, such as `{"model.gamma": Factor(0.1, 10)}`,
where its paper's numbers have a natural range. The rates, betas and averaging of every recipe are
searched unless it says otherwise: the same care for all systems needs no list by hand. Name only
numbers that leave the work of a step as it is: all trials of a search see as many examples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from zerosum.core.recipe import Recipe
from zerosum.errors import UserError, nearest


@dataclass(frozen=True)
class Factor:
    """The preset's number times a factor, even on a logarithmic scale; a schedule as a whole."""

    low: float
    high: float


@dataclass(frozen=True)
class Span:
    """A number between two others, which replaces the preset's."""

    low: float
    high: float
    log: bool = True


@dataclass(frozen=True)
class Choice:
    """One of some values, the preset's own among them."""

    values: tuple[Any, ...]


Range = Factor | Span | Choice
Point = Mapping[str, float | str]
"""A place in a space: a factor, a number or the text of a choice for each path."""

RATE = Factor(0.2, 8)
"""Presets of one bench differ thirtyfold in their rates: each must reach most of the others'."""
BETAS = Choice(((0.0, 0.9), (0.0, 0.99), (0.5, 0.9), (0.5, 0.99), (0.5, 0.999), (0.9, 0.999)))
HALF_LIFE = Factor(0.1, 10)
AS_IT_IS = "preset"
"""The choice that leaves players with different values theirs."""


def usual(recipe: Recipe) -> dict[str, Range]:
    """What is searched in every recipe: rate of each player, betas of all, averaging."""
    found: dict[str, Range] = {f"optim.{name}.lr": RATE for name in recipe.optim}
    if any("adam" in one.kind for one in recipe.optim.values()):
        found["optim.*.betas"] = BETAS
    return {**found, "ema.half_life": HALF_LIFE}


def space(recipe: Recipe, declared: Mapping[str, Range]) -> dict[str, Range]:
    """What is searched in a recipe: the usual, then what its model declares.

    Left out is what the recipe has turned off (0, None) and a span where it has a schedule. Spans
    are widened to hold the recipe's number, and choices begin with its value.

    Raises:
        UserError: The model declares a path that the recipe lacks, or nothing is left.
    """
    found: dict[str, Range] = {}
    for path, wanted in {**usual(recipe), **declared}.items():
        values = [_value(recipe, one) for one in _paths(recipe, path)]
        fitted = _fitted(wanted, values)
        if fitted is not None:
            found[path] = fitted
    if not found:
        raise UserError(
            f"{recipe.system}/{recipe.preset} has nothing to search: its rates and averaging are "
            "0, and its file declares no SEARCH"
        )
    return found


def origin(recipe: Recipe, ranges: Mapping[str, Range]) -> dict[str, float | str]:
    """Where the recipe itself lies in its space."""
    return {
        path: 1.0
        if isinstance(one, Factor)
        else float(_value(recipe, _paths(recipe, path)[0]))
        if isinstance(one, Span)
        else str(one.values[0])
        for path, one in ranges.items()
    }


def changes(recipe: Recipe, ranges: Mapping[str, Range], point: Point) -> dict[str, Any]:
    """The overrides that bring a recipe to a point of its space, as plain JSON by dotted path.

    What the point leaves as it is does not appear; numbers have three digits.
    """
    home, found = origin(recipe, ranges), {}
    for path, value in point.items():
        if value == home[path]:
            continue
        for one in _paths(recipe, path):
            if isinstance(ranges[path], Factor):
                found[one] = _times(_value(recipe, one), float(value))
            elif isinstance(value, str):
                found[one] = json.loads(value)
            else:
                found[one] = short(value)
    return found


def short(number: float) -> float:
    """A number of three digits: no more are known of it, and people must type it."""
    return float(f"{number:.3g}")


def _fitted(wanted: Range, values: list[Any]) -> Range | None:
    """A range that holds the preset's own values; None where there is nothing to search."""
    first = values[0]
    if isinstance(wanted, Choice):
        alike = all(value == first for value in values)
        own = _text(first) if alike else AS_IT_IS
        return Choice(tuple(dict.fromkeys([own, *map(_text, wanted.values)])))
    if isinstance(wanted, Factor):
        return wanted if all(_on(value) for value in values) else None
    if not isinstance(first, int | float) or (wanted.log and not _on(first)):
        return None
    return Span(min(wanted.low, first), max(wanted.high, first), wanted.log)


def _on(value: Any) -> bool:
    """Whether a number or a schedule is there and not 0 throughout."""
    return isinstance(value, BaseModel) or bool(value)


def _paths(recipe: Recipe, path: str) -> list[str]:
    """The path itself; with `*` for a player, one for each of them."""
    return [path.replace("*", name) for name in recipe.optim] if "*" in path else [path]


def _value(recipe: Recipe, path: str) -> Any:
    node: Any = recipe
    for name in path.split("."):
        known = node if isinstance(node, dict) else type(node).model_fields
        if name not in known:
            raise UserError(
                f"SEARCH of {recipe.system} names '{path}', which its recipe lacks: "
                f"{nearest(name, known)}"
            )
        node = node[name] if isinstance(node, dict) else getattr(node, name)
    return node


def _times(number: Any, factor: float) -> Any:
    """A number or a schedule times a factor, as plain JSON."""
    if isinstance(number, int):
        return max(1, round(number * factor))
    if isinstance(number, float):
        return short(number * factor)
    tree = number.model_dump(mode="json")
    for name in ("value", "start", "end"):
        if name in tree:
            tree[name] = short(tree[name] * factor)
    if "points" in tree:
        tree["points"] = [[seen, short(value * factor)] for seen, value in tree["points"]]
    return tree


def _text(value: Any) -> str:
    # Schedules are parts: betas may hold one.
    return json.dumps(value, default=lambda part: part.model_dump(mode="json"))
