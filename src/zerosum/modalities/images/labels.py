"""From values that are found beside pictures to class numbers: what can be used, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zerosum.names import first_names, printable

IMAGE_KEYS = ("images", "image", "img", "x", "data", "samples", "imgs", "arr_0")
"""Names of arrays and columns that hold pictures."""
LABEL_KEYS = ("labels", "label", "y", "targets", "target", "classes", "class", "category", "arr_1")
"""Names of arrays and columns that hold labels."""


class UnusableError(Exception):
    """Values are no labels; the message says why, to go on after `labels not used: `."""


class Labels(NamedTuple):
    """Classes of a set.

    Attributes:
        numbers: Class number per picture, int64 (N,), -1 for pictures that are left out; None
            without classes.
        classes: Their names.
        heldout: Numbers of the held-out pictures that are of one of the classes.
        notes: Decisions worth showing.
    """

    numbers: np.ndarray | None
    classes: tuple[str, ...]
    heldout: Sequence[int]
    notes: tuple[str, ...] = ()


def label_values(name: str, values: np.ndarray, count: int) -> np.ndarray:
    """One whole number or word per picture.

    Args:
        name: What the values are called, for messages.
        values: (N,) or (N, 1) of numbers or text, or (N, K) of K classes, one-hot.
        count: Pictures, N.

    Returns:
        (N,) of integers, booleans or text.

    Raises:
        UnusableError: They have not exactly one such meaning.
    """
    if values.ndim == 0 or len(values) != count:
        held = f"{len(values):,} values" if values.ndim else "one value"
        raise UnusableError(f"{name} holds {held} for {count:,} pictures")
    if values.dtype.kind == "O":
        raise UnusableError(f"{name} is of dtype object: save it as {name}.astype(str)")
    if values.size == count:
        return _whole(name, values.reshape(-1))
    if values.ndim == 2 and values.dtype.kind in "iufb":
        ones = values == 1
        if ((ones | (values == 0)).all(axis=1) & (ones.sum(axis=1) == 1)).all():
            return ones.argmax(axis=1)
    raise UnusableError(f"{name} has shape {values.shape} and is not one-hot")


def _whole(name: str, values: np.ndarray) -> np.ndarray:
    kind = values.dtype.kind
    if kind == "S":
        try:
            return np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            return np.char.decode(values, "latin-1")
    if kind == "f":
        values = values.astype(np.float64)
        with np.errstate(invalid="ignore"):  # of infinity there is no rest
            broken = values[~((np.abs(values) < 2**53) & (values % 1 == 0))]
        if broken.size:
            raise UnusableError(f"{name} holds {broken[0]:g}, which is no class")
        return values.astype(np.int64)
    if kind not in "iubU":
        raise UnusableError(f"{name} holds {values.dtype}, neither whole numbers nor words")
    return values


def of_parts(
    train: np.ndarray | None,
    held: np.ndarray | None,
    counts: tuple[int, int],
    *,
    known: Sequence[str] = (),
) -> Labels:
    """Classes of the training pictures, and the held-out pictures that are of one of them.

    A class that no training picture has is never learned, so it is none. Held-out pictures of
    such a class, those marked -1 for want of labels among them, are left out.

    Args:
        train: Values of the training pictures, which come first; None without labels.
        held: Values of the held-out pictures; None without labels.
        counts: Pictures of both parts.
        known: What the numbers of `train` and `held` are called; left out, they are the names.
    """
    everything = range(counts[0], sum(counts))
    if train is None:
        said = () if held is None else ("labels not used: only the held-out part has them",)
        return Labels(None, (), everything, said)
    found, numbers = np.unique(train, return_inverse=True)
    if len(found) < 2:
        alone = ", ".join(_names(found, known))
        return Labels(None, (), everything, (f"labels not used: all are of one class ({alone})",))
    notes: tuple[str, ...] = ()
    if known and len(found) < len(known):
        unused = [name for number, name in enumerate(known) if number not in set(found.tolist())]
        notes += (f"classes that no training picture has, left out: {first_names(unused)}",)
    place = {value: number for number, value in enumerate(found.tolist())}
    rest = [] if held is None else [place.get(value, -1) for value in held.tolist()]
    after = np.full(counts[1], -1, dtype=np.int64)
    after[: len(rest)] = rest
    lost = int((after < 0).sum())
    if lost:
        notes += (
            f"held-out pictures of no class of the training part, left out: {lost:,} "
            f"of {counts[1]:,}",
        )
    return Labels(
        np.concatenate([numbers.reshape(-1).astype(np.int64), after]),
        _names(found, known),
        (np.flatnonzero(after >= 0) + counts[0]).tolist() if lost else everything,
        notes,
    )


def _names(found: np.ndarray, known: Sequence[str]) -> tuple[str, ...]:
    words = [known[int(value)] if known else str(value) for value in found.tolist()]
    return tuple(printable(word) for word in words)


def the_one(candidates: Iterable[str], names: Sequence[str]) -> str | None:
    """The only candidate, else the only one with a usual name; None where that is a question."""
    found = list(candidates)
    if len(found) > 1:
        found = [word for word in found if word.lower() in names]
    return found[0] if len(found) == 1 else None


def with_choice(text: str) -> tuple[str, str]:
    """`place#choice` in two; the choice says which column or member is the picture."""
    place, mark, choice = text.rpartition("#")
    if not mark or Path(text).expanduser().exists():
        return text, ""
    return place, choice
