"""Two kinds of pictures without pairs: the partner of a picture is drawn anew at each visit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import model_validator
from torch import Tensor

from zerosum.config import Whole
from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.order import PARTNER
from zerosum.data.parts import HELDOUT_NAMES, TRAIN_NAMES, keep_aside, limited
from zerosum.data.pixels import Framing
from zerosum.data.places import GIB
from zerosum.data.source import Mirrored, Source, Split
from zerosum.data.spec import DataSpec
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images.decoding import (
    BadPictures,
    colourful,
    decoded,
    none_readable,
    settle_framing,
)
from zerosum.modalities.images.gallery import Pictures
from zerosum.modalities.images.named_pairs import NAMED, find_pairs, find_pictures
from zerosum.modalities.images.pair_sets import Chosen, place_of
from zerosum.modalities.images.pairs import BOTH, PairCodec, PairSource, enlarged
from zerosum.modalities.images.settings import PictureSettings
from zerosum.names import first_names

OTHER = 0x5851F42D4C957F2D
"""Added to the seed of the second kind's visits, so that both are turned and cropped apart."""

Numbers = NDArray[np.int64]


class Unpaired(PictureSettings):
    """Two kinds of pictures, in the folders A and B; as many of each as there are."""

    codec: ClassVar[type[Codec]] = PairCodec

    kind: Literal["unpaired"] = "unpaired"
    path: str = "icons:thin-fill"
    """Folder or archive with A and B in it (or trainA, trainB, testA, testB), or a set of pairs
    (facades, icons:thin-fill, emoji-pairs, digits-edges), whose pairing only the scores know."""
    direction: Literal["AtoB", "BtoA"] = "AtoB"
    """Which kind is X, the field `input`."""
    crop: bool = False
    """Enlarge training pictures to 286/256 of the size and crop each at a random place."""
    window: Whole = 0
    """Side in pixels of windows that are learned, at a random place of a picture for each visit;
    held-out pictures are cut into windows side by side. 0 for whole pictures."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.window and self.crop:
            raise ValueError("data.window crops already: set data.crop=false")
        return self

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Find, check and decode the pictures.

        Raises:
            UserError: One of the kinds is missing, a picture cannot be read, or sizes differ
                and none was asked for.
        """
        kinds, parts, answers, notes = self._found()
        order = 1 if self.direction == "AtoB" else -1
        ours = codec if isinstance(codec, PairCodec) else None
        framings, sources, aside = {}, [], []
        room = self.memory
        for key, pictures, (train, held, _) in zip(BOTH, kinds[::order], parts[::order]):
            bad, train = BadPictures(self.skip_bad), limited(train, self.limit)
            used, known = np.concatenate([train, held]), ours and ours.framings[key]
            if known and not self.window:
                framing, final = known, True
            else:  # of pictures that windows are cut from, a codec knows the channels alone
                framing, final = settle_framing(self, self.path, pictures, used, bad, on_progress)
                if known:
                    framing, final = replace(framing, channels=known.channels), True
            if self.window > min(framing.size):
                raise UserError(
                    f"data.window={self.window} is larger than the pictures of {self.path}, "
                    f"{framing.size[0]}x{framing.size[1]}: lower it, or raise data.size"
                )
            shapes = [framing, *([enlarged(framing)] if self.crop else [])]
            room -= sum(len(used) * f.channels * f.size[0] * f.size[1] for f in shapes) / GIB
            if room < 0:
                raise UserError(
                    f"{self.path} takes more than data.memory={self.memory:g} GiB decoded: "
                    "raise it, or lower data.size or data.limit"
                )
            pixels = [decoded(pictures, used, one, bad, on_progress) for one in shapes]
            if not final and not colourful(pixels[0]):
                framing = replace(framing, channels=1)
                pixels = [one[:, :1] for one in pixels]
            if self.window:
                framing = replace(framing, size=(self.window, self.window))
            framings[key] = framing
            keep = np.array([n not in bad.found for n in used.tolist()], dtype=bool)
            learned = keep[: len(train)].nonzero()[0]
            if not len(learned):
                raise none_readable(self.path, len(train), bad.example)
            fresh = keep[len(train) :].nonzero()[0] + len(train)
            stacks = [{key: torch.from_numpy(one)} for one in pixels]
            sources.append(_part(stacks, learned, framing, key, self.flip, bad))
            aside.append(_part(stacks[:1], fresh, framing, key, False, bad))
            notes = (*notes, *pictures.remarks(), *bad.notes())
        if framings["input"].size != framings["image"].size:
            raise UserError(
                f"{self.path}: the two kinds differ in size: set data.size=64 (height,width)"
            )
        codec = ours or PairCodec(framings)
        name = PurePosixPath(self.path).name or self.path
        train = UnpairedSource(
            sources[0], sources[1], f"{name}/train", notes=tuple(dict.fromkeys(notes))
        )
        held = UnpairedSource(aside[0], aside[1], f"{name}/heldout", answers=answers)
        whole = len(held) and len(aside[1])
        told = [part[2] for part in parts[::order]]
        note = told[0] if told[0] == told[1] else f"X: {told[0]}; Y: {told[1]}"
        return Split(train, held if whole else None, note, codec)

    def at(self, path: str) -> Self:
        return self.model_copy(update={"path": path})

    @property
    def title(self) -> str:
        return self.path

    @property
    def prepared(self) -> str:
        whole = super().prepared
        return f"{whole}, windows of {self.window}x{self.window}" if self.window else whole

    def _found(
        self,
    ) -> tuple[
        tuple[Pictures, Pictures],
        list[tuple[Numbers, Numbers, str]],
        bool,
        tuple[str, ...],
    ]:
        """Both kinds, their training and held-out numbers, whether the held-out ones are pairs,
        and what to say."""
        if self.path.partition(":")[0] in NAMED:
            found = find_pairs(self.path, self.memory)
            return found.sides, [found.parts(self.holdout)] * 2, True, found.notes
        pictures, where = find_pictures(self.path, self.memory)
        places = [place_of(PurePosixPath(name)) for name in pictures.names]
        kinds = [[i for i, p in enumerate(places) if p.side == side] for side in (0, 1)]
        if not all(kinds):
            missing = "A" if not kinds[0] else "B"
            raise UserError(
                f"{where} has no folder {missing}: put the two kinds of pictures into folders A "
                "and B (or trainA, trainB, testA, testB)"
            )
        outside = [pictures.names[i] for i, place in enumerate(places) if place.side is None]
        notes = pictures.notes
        if outside:
            notes += (
                f"pictures outside the folders A and B are left out: {len(outside):,} "
                f"({first_names(outside)})",
            )
        parts = [_parts([places[i].part for i in kind], self.holdout) for kind in kinds]
        sides = (Chosen(pictures, kinds[0]), Chosen(pictures, kinds[1]))
        return sides, parts, False, notes


def both_kinds(spec: DataSpec, step: int) -> tuple[int, int, tuple[int, int]]:
    """Channels of X and of Y, and the size that they share.

    Args:
        spec: What the data look like.
        step: What their sides must be multiples of.

    Raises:
        UserError: They differ in size, or cannot be divided so.
    """
    before, *size = spec.shape("input")
    after, *other = spec.shape("image")
    if size != other:
        raise UserError(
            f"the two kinds of pictures differ in size, {size[0]}x{size[1]} and "
            f"{other[0]}x{other[1]}: set data.size to make them alike"
        )
    if any(side % step for side in size):
        near = [max(1, round(side / step)) * step for side in size]
        raise UserError(
            f"this translator needs sides that are multiples of {step}, not "
            f"{size[0]}x{size[1]}: set data.size={near[0]}x{near[1]}, or data.window where "
            "windows are learned"
        )
    return before, after, (size[0], size[1])


def _parts(words: Sequence[str], holdout: float) -> tuple[Numbers, Numbers, str]:
    """Numbers of the training and held-out pictures of one kind, by the parts they lie in."""
    named = np.array(words)
    train = next((part for part in TRAIN_NAMES if part in words), "")
    held = next((part for part in HELDOUT_NAMES if part in words), "")
    if train and held:
        chosen = [np.flatnonzero(named == part) for part in (train, held)]
        return chosen[0], chosen[1], f"the set's own {held} part ({len(chosen[1]):,})"
    kept, aside, note = keep_aside(len(words), holdout, "picture")
    return kept, aside, note


def _part(
    stacks: Sequence[dict[str, Tensor]],
    rows: Numbers,
    framing: Framing,
    key: str,
    flip: bool,
    bad: BadPictures,
) -> Source:
    """Some of the pictures of one kind; by windows where they are larger than their framing."""
    from zerosum.modalities.images.codec import image_field

    chosen, windows = [{name: value[rows] for name, value in stack.items()} for stack in stacks], 1
    if chosen[0][key].shape[2:] != framing.size:
        whole = side_by_side(chosen[0][key], framing.size[0])
        chosen, windows = [{key: whole}, *chosen], len(whole) // max(len(rows), 1)
    source = PairSource(
        *chosen, fields={key: image_field(framing)}, name=key, skipped=bad.names(), windows=windows
    )
    return Mirrored(source) if flip and len(rows) else source


def side_by_side(pictures: Tensor, side: int) -> Tensor:
    """Windows side by side, (N, C, H, W) to (N x windows, C, side, side), row by row of each
    picture; what is left over at the right and below is not in them."""
    cut = pictures.unfold(2, side, side).unfold(3, side, side)  # (N, C, rows, columns, side, side)
    return cut.permute(0, 2, 3, 1, 4, 5).reshape(-1, pictures.shape[1], side, side)


class UnpairedSource(Source):
    """Pictures of one kind, each with a partner of the other that its visit draws.

    Without visits the partner of number i is number i of the other kind, from the start again
    where that has fewer: the true one in a set of pairs.

    Attributes:
        answers: Whether it is the true one.
    """

    def __init__(
        self,
        first: Source,
        second: Source,
        name: str,
        *,
        answers: bool = False,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.first, self.second, self.answers = first, second, answers
        self.name, self.notes = name, notes
        self.fields = {**first.fields, **second.fields}

    @property
    def skipped(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.first.skipped + self.second.skipped))

    def __len__(self) -> int:
        return len(self.first)

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        count = len(self.second)
        if visits is None:
            other, partners = None, [index % count for index in indices]
        else:
            other = Visits(visits.seed + OTHER, visits.numbers)
            partners = visits.below(count, PARTNER).tolist()
        return self.first.fetch(indices, visits) | self.second.fetch(partners, other)
