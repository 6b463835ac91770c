"""Sets of anomalies: normal pictures to learn from, and both kinds to be told apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.fields import Category, Field
from zerosum.data.parts import limited
from zerosum.data.pixels import Framing
from zerosum.data.places import GIB
from zerosum.data.source import Mirrored, Source, Split, TensorSource
from zerosum.errors import UserError
from zerosum.modalities.images.anomaly_sets import ABNORMAL, NORMAL, find_anomalies
from zerosum.modalities.images.codec import ImageCodec
from zerosum.modalities.images.decoding import (
    BadPictures,
    colourful,
    decoded,
    none_readable,
    settle_framing,
)
from zerosum.modalities.images.fields import LabelMap
from zerosum.modalities.images.gallery import Pictures
from zerosum.modalities.images.settings import PictureSettings

TRUTH = Category(count=2, names=(NORMAL, ABNORMAL))
"""The field `abnormal` of the examples of a test."""


class Anomalies(PictureSettings):
    """Normal pictures to learn from; others, where there are any, to test with."""

    codec: ClassVar[type[Codec]] = ImageCodec

    kind: Literal["anomalies"] = "anomalies"
    path: str = "digits"
    """Folder or archive with normal/ (and abnormal/, and masks/ of the same names), or a set with
    classes: digits, mnist, fashion-mnist, cifar10, pneumoniamnist, folders of classes."""
    normal: str = ""
    """Class that counts as normal, several with commas; empty where folders say it."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Find, check and decode the pictures.

        Returns:
            Normal pictures to learn from, normal ones held out for the threshold, and as `trial`
            those of both kinds, with `abnormal` beside `image`, and `mask` where masks are.

        Raises:
            UserError: There is no normal/, no such class, fewer than 20 normal pictures, or one
                that cannot be read.
        """
        names = [word.strip() for word in self.normal.split(",") if word.strip()]
        found = find_anomalies(self.path, names, self.holdout, self.memory)
        train = limited(found.train, self.limit)
        used, bad = np.concatenate([train, found.held, found.trial]), BadPictures(self.skip_bad)
        framing, settled = (
            (codec.framing, True)
            if isinstance(codec, ImageCodec)
            else settle_framing(self, self.path, found.pictures, used, bad, on_progress)
        )
        needed = len(used) * framing.channels * framing.size[0] * framing.size[1] / GIB
        if needed > self.memory:
            raise UserError(
                f"{self.path} takes {needed:.1f} GiB decoded, more than data.memory="
                f"{self.memory:g}: raise it, or lower data.size or data.limit"
            )
        pixels = decoded(found.pictures, used, framing, bad, on_progress)
        if not settled and not colourful(pixels):
            pixels = pixels[:, :1].copy()
            framing = replace(framing, channels=1)
        ours = codec if isinstance(codec, ImageCodec) else ImageCodec(framing)
        keep = np.array([number not in bad.found for number in used.tolist()], dtype=bool)
        ends = np.cumsum([len(train), len(found.held), len(found.trial)])
        first, second, third = (
            np.flatnonzero(keep[start:end]) + start for start, end in zip([0, *ends], ends)
        )
        if not len(first):
            raise none_readable(self.path, len(train), bad.example)

        def source(word: str, tensors: dict[str, Tensor], fields: dict[str, Field]) -> Source:
            notes = found.notes + found.pictures.remarks() + bad.notes()
            name = f"{found.name}/{word}"
            return TensorSource(tensors, fields, name=name, notes=notes, skipped=bad.names())

        plain = dict(ours.fields)
        learned = source("train", {"image": torch.from_numpy(pixels[first])}, plain)
        held = source("heldout", {"image": torch.from_numpy(pixels[second])}, plain)
        tested = {
            "image": torch.from_numpy(pixels[third]),
            "abnormal": torch.from_numpy(found.abnormal[third - ends[1]].astype(np.int64)),
        }
        fields: dict[str, Field] = {**plain, "abnormal": TRUTH}
        if found.masks:
            tested["mask"] = self._masks(found.pictures, found.masks, used[third], framing, bad)
            fields["mask"] = LabelMap(shape=framing.size, count=2)
        return Split(
            Mirrored(learned) if self.flip else learned,
            held if len(held) else None,
            found.held_note,
            ours,
            source("trial", tested, fields) if len(third) else None,
        )

    def _masks(
        self,
        pictures: Pictures,
        masks: Mapping[int, int],
        numbers: np.ndarray,
        framing: Framing,
        bad: BadPictures,
    ) -> Tensor:
        """Which pixels (N, H, W) of some pictures are anomalous, framed as they are."""
        shape = Framing(framing.size, 1, framing.resize, "nearest")
        made = np.zeros((len(numbers), *framing.size), dtype=np.uint8)
        rows = [row for row, number in enumerate(numbers.tolist()) if number in masks]
        marks = np.array([masks[int(numbers[row])] for row in rows], dtype=np.int64)
        if len(rows):
            made[rows] = decoded(pictures, marks, shape, bad, None)[:, 0] > 127
        return torch.from_numpy(made)

    def at(self, path: str) -> Self:
        # The classes of one set mean nothing for another.
        return self.model_copy(update={"path": path, "normal": ""})

    @property
    def title(self) -> str:
        return self.path
