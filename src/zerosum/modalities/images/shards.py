"""The inside of tar shards: which samples they hold, their pictures and their labels.

The key of a sample is the name of its members up to the first dot, as WebDataset has it. Names
with more dots (0.07.png) break that rule in practice; no picture is lost, see `shard_contents`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from zerosum.errors import UserError
from zerosum.modalities.images.archives import damaged, read_member, tar_members
from zerosum.modalities.images.class_lists import decoded_text
from zerosum.modalities.images.gallery import EncodedPictures
from zerosum.modalities.images.labels import IMAGE_KEYS
from zerosum.modalities.images.listing import is_hidden, is_picture
from zerosum.names import first_names, printable

_LABEL_KEYS = ("label", "cls", "class")
_LONGEST = {"cls": 2**12, "json": 2**24}  # bytes of a label
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)


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

    @property
    def name(self) -> str:
        """For messages."""
        return printable(f"{self.shard}:{self.key}")


class Contents(NamedTuple):
    """Samples of a shard in stored order, and how often what was left out."""

    samples: list[Sample]
    left: Counter[str]
    dotted: int


def shard_contents(shard: Path, picture: str = "") -> Contents:
    """The samples of a shard in stored order; only headers are read.

    Of several pictures with one key, the one with nothing but its suffix after the key (x.jpg
    beside x.mask.png) is the sample's, else the one that is called image or the like. Where all
    have more dots and they are no views that come again from key to key, each is a sample.

    Args:
        shard: The tar file.
        picture: What follows the key in the name of the picture, such as jpg or image.png; ""
            finds it.

    Raises:
        UserError: The shard is damaged or compressed, or several pictures of a sample could be
            meant.
    """
    groups: dict[str, dict[str, Span]] = {}
    left: Counter[str] = Counter()
    end = shard.stat().st_size
    for member in tar_members(shard):
        if not 0 <= member.size <= end - member.offset:
            raise damaged(shard, ValueError(f"{printable(member.name)} is cut off"))
        folder, slash, base = member.name.rpartition("/")
        stem, _, suffix = base.partition(".")
        if is_hidden(member.name) or not suffix:
            left["hidden" if is_hidden(member.name) else "without suffix"] += 1
        else:  # a name that was added twice means the later one, as when the tar is unpacked
            span = Span(suffix, member.offset, member.size)
            groups.setdefault(folder + slash + stem, {})[suffix] = span
    chosen = {key: _pictures(files, picture) for key, files in groups.items()}
    _no_question(shard, groups, chosen)
    samples, dotted = [], 0
    for key, files in groups.items():
        used = set()
        for suffix in chosen[key]:
            inner = suffix.rpartition(".")[0]
            label = _label(files, inner)
            several = len(chosen[key]) > 1
            dotted += several
            samples.append(
                Sample(shard, f"{key}.{inner}" if several else key, files[suffix], label)
            )
            used |= {suffix, label.suffix if label else suffix}
        left.update(f".{suffix}" for suffix in files if suffix not in used)
    return Contents(samples, left, dotted)


def _pictures(files: dict[str, Span], picture: str) -> list[str]:
    """Suffixes of the pictures of one key; more than one are samples of their own."""
    found = [suffix for suffix in files if is_picture(f"x.{suffix}")]
    if picture:
        return [suffix for suffix in found if suffix.lower() == picture.lower().lstrip(".")]
    plain = [suffix for suffix in found if "." not in suffix]
    named = [suffix for suffix in found if suffix.split(".")[0].lower() in IMAGE_KEYS]
    if len(found) > 1 and (plain or len(named) == 1):
        return plain or named
    return found


def _no_question(
    shard: Path, groups: dict[str, dict[str, Span]], chosen: dict[str, list[str]]
) -> None:
    """Refuse to guess which of several pictures of a sample is meant."""
    several = {key: found for key, found in chosen.items() if len(found) > 1}
    formats = next((key for key, found in several.items() if all("." not in s for s in found)), "")
    views = {suffix for found in several.values() for suffix in found}
    key = formats or (next(iter(several)) if len(several) > len(views) else "")
    if key:
        listed = first_names([f".{suffix}" for suffix in several[key]])
        raise UserError(
            f"{printable(f'{shard}:{key}')} has several pictures ({listed}): say which one is "
            f"meant with wds:{shard.parent}#{several[key][0]}"
        )


def _label(files: dict[str, Span], inner: str) -> Span | None:
    """The label of a picture: the one that is named as it is, else that of its key."""
    lowered = {suffix.lower(): span for suffix, span in files.items()}
    names = [f"{inner}.{kind}".lower() for kind in _LONGEST] if inner else []
    return next((lowered[name] for name in (*names, *_LONGEST) if name in lowered), None)


def left_out(contents: Iterable[Contents]) -> tuple[str, ...]:
    """What some shards hold that is no sample, one line each."""
    left: Counter[str] = Counter()
    dotted, example, labelled = 0, "", False
    for one in contents:
        left.update(one.left)
        labelled = labelled or any(sample.label for sample in one.samples)
        dotted += one.dotted
        example = example or next((s.key for s in one.samples if one.dotted), "")
    lines: tuple[str, ...] = ()
    if dotted:
        lines += (
            f"names with several dots: {dotted:,} pictures share a key up to the first dot, and "
            f"each is a sample of its own ({printable(example)}, ...)",
        )
    if left:
        kinds = [f"{count:,} {printable(kind)}" for kind, count in left.most_common()]
        cure = "" if labelled else " (labels are read from .cls and .json)"
        lines += (f"members of the shards left out: {first_names(kinds, 5)}{cure}",)
    return lines


class ShardPictures(EncodedPictures):
    """The pictures of some samples."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self.names = [sample.name for sample in samples]

    def stream(self, number: int) -> BinaryIO:
        sample = self.samples[number]
        return BytesIO(read_member(sample.shard, sample.image.offset, sample.image.size))


def label_value(sample: Sample) -> int | str | None:
    """The label as written: a whole number, a word, or None when the sample has none.

    Raises:
        UserError: The label file holds neither.
    """
    if sample.label is None:
        return None
    kind = sample.label.suffix.lower().rpartition(".")[2]
    if sample.label.size <= _LONGEST[kind]:
        content = read_member(sample.shard, sample.label.offset, sample.label.size)
        text = decoded_text(content)[0].strip()
        try:
            return _word(text) if kind == "cls" else _of_json(json.loads(text))
        except (ValueError, OverflowError, RecursionError):
            pass
    raise UserError(f"{sample.name} has no usable label: write a number or a word")


def _word(text: str) -> int | str | None:
    return int(text) if _WHOLE.fullmatch(text) else printable(text) or None


def _of_json(content: Any) -> int | str | None:
    if isinstance(content, dict):
        content = next((content[key] for key in _LABEL_KEYS if key in content), None)
    if isinstance(content, float) and content == int(content):
        content = int(content)
    if isinstance(content, int):
        return int(content)
    if content is None or isinstance(content, str):
        return None if content is None else _word(content.strip())
    raise ValueError("neither a number nor a word")
