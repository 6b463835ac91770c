"""Labels that a dataset.json beside pictures states, as StyleGAN's dataset tool writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zerosum.errors import UserError
from zerosum.modalities.images.labels import UnusableError, label_values
from zerosum.modalities.images.listing import plain_name
from zerosum.names import first_names, printable


@dataclass(frozen=True)
class Stated:
    """What the statements say.

    Attributes:
        values: A number or word per picture (N,); None without usable labels.
        notes: What was decided, one line each.
        decides: Whether they are all that is said of labels, so that folders are no classes.
    """

    values: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    decides: bool = True


def stated_labels(keys: Sequence[str], statements: Mapping[str, bytes]) -> Stated:
    """The labels of pictures.

    Args:
        keys: Names of the pictures in their place.
        statements: Content of each dataset.json, by name; its names count from its folder.

    Raises:
        UserError: A statement is no JSON, or its labels are no list of pairs.
    """
    found: dict[str, Any] = {}
    notes: list[str] = []
    read: list[str] = []
    for place, content in statements.items():
        pairs = _pairs(place, content)
        if pairs is None:
            notes.append(f"{printable(place)} has no entry 'labels' and is not used as labels")
            continue
        read.append(printable(place))
        folder = place.rpartition("/")[0]
        for name, label in pairs:
            key = f"{folder}/{name}" if folder else name
            other = found.setdefault(key, label)
            if other is not label and other != label:
                raise UserError(f"{place} gives {name} two labels: leave one of them")
    if not read:
        return Stated(None, tuple(notes), decides=False)
    names = first_names(read)
    if not found:
        return Stated(None, (*notes, f"no labels: {names} states none; folders are no classes"))
    known = set(keys)
    if lost := [printable(name) for name in found if name not in known]:
        listed = first_names(lost)
        notes.append(f"{names} names {len(lost):,} pictures that are not here: {listed}")
    if missing := [printable(key) for key in keys if key not in found]:
        notes.append(
            f"no labels: {len(missing):,} of {len(keys):,} pictures are not in {names} "
            f"({first_names(missing)}): add them there, or take them away"
        )
        return Stated(None, tuple(notes))
    try:
        values, note = _per_picture(names, [found[key] for key in keys])
    except UnusableError as error:
        return Stated(None, (*notes, f"labels not used: {error}"))
    return Stated(values, (*notes, f"labels are those of {names}{note}; folders are no classes"))


def _pairs(place: str, content: bytes) -> list[tuple[str, Any]] | None:
    """Pairs of name and label; None for JSON of another kind."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{place} is no JSON ({error}): mend it, or rename it to have the folders as classes"
        ) from error
    if not isinstance(tree, dict) or "labels" not in tree:
        return None
    labels = tree["labels"]
    if labels is None:
        return []
    if isinstance(labels, dict):
        labels = list(labels.items())
    if not isinstance(labels, list):
        raise UserError(f"{place}: its labels are no list: write [[name, label], ...] or null")
    for number, pair in enumerate(labels):
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise UserError(
                f"{place}: entry {number} of its labels is no pair: write [name, label]"
            )
    return [(plain_name(name), label) for name, label in labels]


def _per_picture(place: str, labels: list[Any]) -> tuple[np.ndarray, str]:
    """One whole number or word per picture (N,), and what was done for that.

    Raises:
        UnusableError: They have no such meaning.
    """
    kinds = {type(label) for label in labels}
    if not (kinds <= {int, float} or kinds == {str} or kinds == {list}):
        listed = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise UnusableError(f"{place} holds {listed}, and labels are of one kind")
    try:
        values = label_values(place, np.array(labels), len(labels))
    except (ValueError, OverflowError) as error:
        raise UnusableError(f"{place} holds lists of several lengths or of words") from error
    if kinds == {str}:
        values = np.array([printable(value) for value in values])
    return values, " (one-hot, as class numbers)" if list in kinds else ""
