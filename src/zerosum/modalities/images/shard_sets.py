"""Sets of tar shards: their parts, and the classes that their labels name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zerosum.data.config import OnProgress
from zerosum.data.order import HOLDOUT, choose
from zerosum.data.parts import HELDOUT_NAMES, SEED, TRAIN_NAMES
from zerosum.errors import UserError, nearest
from zerosum.modalities.images.class_lists import LIST, fellows, read_classes
from zerosum.modalities.images.decoding import map_numbers
from zerosum.modalities.images.gallery import Gallery
from zerosum.modalities.images.labels import Labels
from zerosum.modalities.images.shards import (
    Contents,
    Sample,
    ShardPictures,
    label_value,
    left_out,
    shard_contents,
)
from zerosum.names import first_names, printable

HELD_ASIDE = 0.1
"""Share of the shards that is kept aside by default, as `data.holdout`."""


class Parts(NamedTuple):
    """Shards to learn from and held out, where the latter come from, and what was left out."""

    train: list[Path]
    heldout: list[Path]
    note: str
    notes: tuple[str, ...] = ()


def parts_of(shards: Sequence[Path], holdout: float) -> Parts:
    """The split that a set brings, a folder `train` beside `test` or `val`, else a drawn one.

    Args:
        shards: All of them.
        holdout: Share to keep aside where the set has no split.
    """
    tops = {shard.parent.name.lower() for shard in shards}
    train_top = next((top for top in TRAIN_NAMES if top in tops), None)
    held_top = next((top for top in HELDOUT_NAMES if top in tops), None)
    if train_top is None or held_top is None:
        return _drawn(shards, holdout)
    train, held, rest = [], [], []
    for shard in shards:
        top = shard.parent.name.lower()
        (train if top == train_top else held if top == held_top else rest).append(shard)
    notes: tuple[str, ...] = ()
    if rest:
        named = first_names([f"{shard.parent.name}/{shard.name}" for shard in rest])
        notes = (
            f"shards in neither {train_top}/ nor {held_top}/ left out: {len(rest):,} ({named})",
        )
    return Parts(train, held, f"the set's own {held_top}/ shards ({len(held)})", notes)


def _drawn(shards: Sequence[Path], holdout: float) -> Parts:
    size = min(round(len(shards) * holdout), len(shards) - 1)
    if not size:
        few = f"{len(shards)} shards are too few to keep {holdout * 100:g} % aside"
        return Parts(list(shards), [], f"none: {few if holdout else 'every shard is used'}")
    chosen = set(choose((SEED, HOLDOUT), len(shards), size).tolist())
    train = [shard for number, shard in enumerate(shards) if number not in chosen]
    held = [shard for number, shard in enumerate(shards) if number in chosen]
    return Parts(train, held, f"{size} of {len(shards)} shards, seed {SEED}")


class ClassNumbers:
    """From a label to the number of its class.

    A label that is a number is the name of a class where all names are numbers, else the place of
    a name in the list.

    Args:
        classes: Names of the classes.
        listed: The list of names by whose places labels count, where it holds more than those.
    """

    def __init__(self, classes: Sequence[str], listed: Sequence[str] = ()) -> None:
        self._classes = classes
        self._words = words = {name: number for number, name in enumerate(classes)}
        try:
            places = {int(name): name for name in listed or classes}
        except ValueError:
            places = dict(enumerate(listed or classes))
        self._numbers = {place: words[name] for place, name in places.items() if name in words}

    def find(self, value: int | str | None) -> int | None:
        """The number of a label's class; None where it is of none."""
        return self._numbers.get(value) if isinstance(value, int) else self._words.get(value or "")

    def __call__(self, sample: Sample) -> int:
        """The number of a sample's class.

        Raises:
            UserError: It has none, or one that is not among the classes.
        """
        value = label_value(sample)
        number = self.find(value)
        if number is None:
            raise UserError(
                f"{sample.name} has label {value}: {nearest(str(value), self._classes)}; "
                "or set data.labels=false"
            )
        return number


def class_names(
    shards: Sequence[Path], found: set[int | str | None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labels that occur, by their names in `classes.txt` where it lies beside the shards.

    Args:
        shards: Of the training part.
        found: All their labels; None stands for a missing one.

    Returns:
        The names in the order of the class numbers, and what was decided, one line each.

    Raises:
        UserError: Some labels are missing, or numbers and words are mixed.
    """
    folder = shards[0].parent
    if found <= {None}:
        return (), ("labels not used: no .cls or .json holds one (keys label, cls, class)",)
    if (folder / LIST).is_file():
        return _occurring(*read_classes(folder / LIST), found)
    notes = fellows(folder)
    numbers = sorted(value for value in found if isinstance(value, int))
    words = sorted(value for value in found if isinstance(value, str))
    if len(numbers) != len(found) and len(words) != len(found):
        raise UserError(
            f"{folder}: some labels are missing or mix numbers and words: "
            "write one kind, or set data.labels=false"
        )
    names = [str(value) for value in numbers or words]
    if len(names) < 2:
        return (), (*notes, f"labels not used: all are of one class ({names[0]})")
    return tuple(names), notes


def _occurring(
    names: tuple[str, ...], notes: tuple[str, ...], found: set[int | str | None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of some names, those of labels that occur: no other class is ever learned."""
    number = ClassNumbers(names)
    there = {number.find(value) for value in found}
    kept = [name for place, name in enumerate(names) if place in there]
    if len(kept) == len(names) or None in there:  # an unknown label is an error when it is read
        return names, notes
    lost = first_names([name for name in names if name not in kept], 5)
    notes += (f"classes that no picture to learn from has, left out: {lost}",)
    if len(kept) < 2:
        return (), (*notes, f"labels not used: all are of one class ({kept[0]})")
    return tuple(kept), notes


def listed_classes(shards: Sequence[Path]) -> tuple[str, ...]:
    """The class names that stand beside shards; empty where none do."""
    place = shards[0].parent / LIST
    return read_classes(place)[0] if place.is_file() else ()


def all_contents(
    shards: Sequence[Path], picture: str, labels: bool, on_progress: OnProgress | None
) -> tuple[list[Contents], set[int | str | None]]:
    """What some shards hold and, if asked for, which labels occur in them."""

    def look(number: int) -> tuple[Contents, set[int | str | None]]:
        contents = shard_contents(shards[number], picture)
        return contents, {label_value(s) for s in contents.samples} if labels else set()

    every, values = [], set()
    for _, (contents, here) in map_numbers(look, np.arange(len(shards)), on_progress):
        every.append(contents)
        values |= here
    return every, values


def shard_gallery(
    shards: Sequence[Path], picture: str = "", holdout: float = HELD_ASIDE
) -> Gallery:
    """Pictures, labels and parts of shards that are listed as a whole.

    Args:
        shards: The tar files.
        picture: What follows the key in the name of a picture; "" finds it.
        holdout: Share of the shards to keep aside where the set has no split.

    Raises:
        UserError: A shard is damaged, or none holds a picture.
    """
    name = printable(shards[0].resolve().parent.name)
    parts = parts_of(shards, holdout)
    every, _ = all_contents(parts.train, picture, False, None)
    apart, _ = all_contents(parts.heldout, picture, False, None)
    train, held = samples_in(every), samples_in(apart)
    if not train:
        raise UserError(f"{name}: its shards hold no pictures: members are like 0001.jpg")
    notes = parts.notes + left_out([*every, *apart])
    try:
        labels = _labels(parts.train, train, held)
    except UserError as error:  # a set can be looked at and learned without its labels
        everything = range(len(train), len(train) + len(held))
        labels = Labels(None, (), everything, (f"labels not used: {error}",))
    return Gallery(
        name,
        ShardPictures(train + held),
        range(len(train)),
        labels.numbers,
        labels.classes,
        labels.heldout,
        parts.note,
        notes + labels.notes,
    )


def _labels(shards: Sequence[Path], train: Sequence[Sample], held: Sequence[Sample]) -> Labels:
    values = {label_value(sample) for sample in train}
    labelled = any(sample.label is not None for sample in train)
    classes, notes = class_names(shards, values) if labelled else ((), fellows(shards[0].parent))
    everything = range(len(train), len(train) + len(held))
    if not classes:
        return Labels(None, (), everything, notes)
    number = ClassNumbers(classes, listed_classes(shards))
    numbers = np.array([number(s) for s in train] + [known(number, s) for s in held])
    kept = [place for place in everything if numbers[place] >= 0]
    return Labels(numbers, classes, kept, notes + unknown_note(len(held), len(kept)))


def labelled_tar(path: Path, name: str) -> Gallery | None:
    """The pictures of one tar in which labels lie beside them; None where there are none."""
    if not _has_labels(path):
        return None
    # what is read as a whole can be split by pictures
    return replace(shard_gallery([path]), name=name, heldout=None, heldout_note="")


def _has_labels(path: Path) -> bool:
    for sample in shard_contents(path).samples:
        if sample.label is not None:
            try:
                return label_value(sample) is not None
            except UserError:
                return sample.label.suffix.lower().endswith("cls")
    return False


def samples_in(contents: Iterable[Contents]) -> list[Sample]:
    """All samples of some shards."""
    return [sample for one in contents for sample in one.samples]


def known(number: ClassNumbers, sample: Sample) -> int:
    """The class number of a held-out sample; -1 for a class that is not learned."""
    found = number.find(label_value(sample))
    return -1 if found is None else found


def unknown_note(count: int, kept: int) -> tuple[str, ...]:
    """A line on held-out samples of classes that are not learned."""
    if kept == count:
        return ()
    return (f"held-out pictures of no class of the training part, left out: {count - kept:,}",)
