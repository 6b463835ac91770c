"""The inside of tar shards: which samples they hold, their pictures and their labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from zerosum.data.config import OnProgress
from zerosum.errors import UserError, nearest
from zerosum.modalities.images.archives import is_picture, read_member, tar_members
from zerosum.modalities.images.decoding import map_numbers
from zerosum.modalities.images.gallery import EncodedPictures

_LABEL_KEYS = ("label", "cls", "class")


class Span(NamedTuple):
    """Bytes of one member of a shard."""

    suffix: str
    offset: int
    size: int


class Sample(NamedTuple):
    """Where one sample lies."""

    shard: Path
    key: str
    image: Span
    label: Span | None


def samples_of(shard: Path) -> list[Sample]:
    """The samples of a shard in stored order; only headers are read.

    Raises:
        UserError: The shard is damaged or compressed.
    """
    groups: dict[str, dict[str, Span]] = {}
    for member in tar_members(shard):
        folder, slash, base = member.name.rpartition("/")
        stem, _, suffix = base.partition(".")
        suffix = suffix.lower()
        kind = suffix if suffix in ("cls", "json") else "image" if is_picture(base) else ""
        if kind and stem:
            span = Span(suffix, member.offset, member.size)
            groups.setdefault(folder + slash + stem, {}).setdefault(kind, span)
    return [
        Sample(shard, key, group["image"], group.get("cls") or group.get("json"))
        for key, group in groups.items()
        if "image" in group
    ]


class ShardPictures(EncodedPictures):
    """The pictures of some samples."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self.names = [f"{sample.shard}:{sample.key}" for sample in samples]

    def stream(self, number: int) -> BinaryIO:
        sample = self.samples[number]
        return BytesIO(read_member(sample.shard, sample.image.offset, sample.image.size))


def label_value(sample: Sample) -> int | str | None:
    """The label as written: a number, a word, or None when the sample has none.

    Raises:
        UserError: The label file holds neither.
    """
    if sample.label is None:
        return None
    text = read_member(sample.shard, sample.label.offset, sample.label.size)
    try:
        if sample.label.suffix == "cls":
            word = text.decode().strip()
            return int(word) if word.isdigit() else word
        content = json.loads(text)
        if isinstance(content, dict):
            content = next((content[key] for key in _LABEL_KEYS if key in content), None)
        if content is None or isinstance(content, int | str):
            return content
    except ValueError:
        pass
    raise UserError(f"{sample.shard}:{sample.key} has no usable label: write a number or a word")


def class_number(sample: Sample, classes: tuple[str, ...]) -> int:
    """The number of a sample's class.

    Raises:
        UserError: It has none, or one that is not among the classes.
    """
    value = label_value(sample)
    if isinstance(value, str) and value in classes:
        return classes.index(value)
    if isinstance(value, int) and 0 <= value < len(classes):
        return value
    raise UserError(
        f"{sample.shard}:{sample.key} has label {value}: {nearest(str(value), classes)}; "
        "or set data.labels=false"
    )


def class_names(shards: Sequence[Path], on_progress: OnProgress | None) -> tuple[str, ...]:
    """Class names from `classes.txt` beside the shards, else from every label there is."""
    listed = shards[0].parent / "classes.txt"
    if listed.is_file():
        lines = (line.strip() for line in listed.read_text(encoding="utf-8").splitlines())
        return tuple(line for line in lines if line)

    def values(number: int) -> set[int | str | None]:
        return {label_value(sample) for sample in samples_of(shards[number])}

    found: set[int | str | None] = set()
    for _, here in map_numbers(values, np.arange(len(shards)), on_progress):
        found |= here
    if len(found) < 2:
        return ()
    numbers = [value for value in found if isinstance(value, int)]
    if len(numbers) == len(found):
        return tuple(str(number) for number in range(max(numbers) + 1))
    words = [value for value in found if isinstance(value, str)]
    if len(words) < len(found):
        raise UserError(
            f"{shards[0].parent}: some labels are missing or mix numbers and words: "
            "write one kind, or set data.labels=false"
        )
    return tuple(sorted(words))
