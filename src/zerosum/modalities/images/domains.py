"""Pictures of several domains, a folder for each; target domains are drawn at each visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.fields import Category, Field, Numbers
from zerosum.data.order import DRAWN, PARTNER
from zerosum.data.parts import limited
from zerosum.data.pixels import Framing
from zerosum.data.places import locate
from zerosum.data.source import Mirrored, Source, Split
from zerosum.data.spec import DataSpec
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images.codec import ImageCodec, image_field
from zerosum.modalities.images.config import Images
from zerosum.modalities.images.domain_sets import NAMED, DomainSet, of_labels
from zerosum.modalities.images.named import NAMES as IMAGE_SETS
from zerosum.modalities.images.pairs import PairCodec
from zerosum.modalities.images.settings import PictureSettings

FEWEST = 2
"""Pictures of a domain."""


class DomainCodec(PairCodec):
    """Pictures of one size of several domains <-> the fields `input` and `image`.

    Attributes:
        framing: How a picture is brought to the field's size and channels.
        names: Of the domains.
        known: Fields of further numbers that are known of each picture.
    """

    def __init__(
        self, framing: Framing, names: Sequence[str], known: Mapping[str, Field] | None = None
    ) -> None:
        super().__init__(dict.fromkeys(("input", "image"), framing))
        self.framing, self.names, self.known = framing, tuple(names), dict(known or {})
        domain = Category(count=len(self.names), names=self.names)
        more = {"origin": domain, "domain": domain, "reference": image_field(framing)}
        self.fields = {**self.fields, **more, **self.known}

    def encode(
        self, objects: Sequence[Image.Image | tuple[Image.Image, Image.Image]]
    ) -> dict[str, Tensor]:
        """Pictures as `input`, each with the next of the domains in turn as `domain`."""
        found = super().encode(objects)
        return {**found, "domain": torch.arange(len(objects)) % len(self.names)}

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        frame = self.framing
        known = {name: field.model_dump(mode="json") for name, field in self.known.items()}
        return {
            "size": list(frame.size),
            "channels": frame.channels,
            "resize": frame.resize,
            "filter": frame.filter,
            "domains": list(self.names),
            "known": known,
        }, {}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        height, width = facts["size"]
        frame = Framing((height, width), facts["channels"], facts["resize"], facts["filter"])
        known = {name: Numbers.model_validate(tree) for name, tree in facts["known"].items()}
        return cls(frame, facts["domains"], known)


class Domains(PictureSettings):
    """Pictures of several domains, each in a folder of its own."""

    codec: ClassVar[type[Codec]] = DomainCodec

    kind: Literal["domains"] = "domains"
    path: str = "digits"
    """Named set (digits, mnist, faces: all synthetic), or a folder or archive with one folder of
    pictures for each domain."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Find, check and decode the pictures.

        Raises:
            UserError: Nothing is there, there are fewer than two domains, or one has no pictures
                to learn from.
        """
        ours = codec if isinstance(codec, DomainCodec) else None
        found, framing = (
            self._named(ours) if self.path in NAMED else self._folders(ours, on_progress)
        )
        ours = ours or DomainCodec(framing, found.names, found.fields)
        kept = limited(np.arange(len(found.pictures)), self.limit)
        known = [
            {name: torch.from_numpy(both[part]) for name, both in found.known.items()}
            for part in (0, 1)
        ]
        learned: Source = DomainSource(
            torch.from_numpy(found.pictures[kept]),
            torch.from_numpy(found.domains[kept]),
            ours,
            f"{found.name}/train",
            known={name: values[kept] for name, values in known[0].items()},
            notes=found.notes,
        )
        learned = Mirrored(learned) if self.flip else learned
        held = None
        if len(found.held) >= FEWEST:
            held = DomainSource(
                torch.from_numpy(found.held),
                torch.from_numpy(found.held_domains),
                ours,
                f"{found.name}/heldout",
                known=known[1],
                truth=None if found.truth is None else torch.from_numpy(found.truth),
            )
        return Split(learned, held, found.note, ours)

    def at(self, path: str) -> Self:
        return self.model_copy(update={"path": path})

    @property
    def title(self) -> str:
        return self.path

    def _named(self, ours: DomainCodec | None) -> tuple[DomainSet, Framing]:
        found = NAMED[self.path](self.holdout)
        size = self.size or (found.pictures.shape[2], found.pictures.shape[3])
        framing = Framing(size, self.channels or 3, self.resize, self.filter)
        framing = framing if ours is None else ours.framing
        if (framing.channels, *framing.size) == found.pictures.shape[1:]:
            return found, framing

        def brought(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
            flat = pixels.reshape(-1, *pixels.shape[-3:]).transpose(0, 2, 3, 1)
            made = np.stack([framing(Image.fromarray(one)) for one in flat])
            return made.reshape(*pixels.shape[:-3], *made.shape[1:])

        return DomainSet(
            **{
                **vars(found),
                "pictures": brought(found.pictures),
                "held": brought(found.held),
                "truth": None if found.truth is None else brought(found.truth),
            }
        ), framing

    def _folders(
        self, ours: DomainCodec | None, on_progress: OnProgress | None
    ) -> tuple[DomainSet, Framing]:
        if ":" not in self.path and self.path not in IMAGE_SETS:
            locate(self.path, NAMED)  # else the message would name sets of pictures
        shared = self.model_dump(exclude={"kind", "flip", "limit"})
        codec = None if ours is None else ImageCodec(ours.framing, ours.names)
        split = Images(**shared).open(codec, on_progress)
        name = PurePosixPath(self.path).name or self.path
        if not isinstance(split.train, Source) or len(split.train.classes) < 2:
            raise UserError(
                f"{self.path} has no two domains: put the pictures of each into a folder of its "
                "own, and name the folder above them"
            )
        if not split.train.in_memory:
            raise UserError(
                f"{self.path} does not fit into data.memory={self.memory:g} GiB: raise it, or "
                "lower data.size"
            )
        parts = [_all_of(split.train), _all_of(split.heldout)]
        names = split.train.classes
        counts = np.bincount(parts[0][1], minlength=len(names))
        if counts.min() < FEWEST:
            poor = names[int(counts.argmin())]
            raise UserError(
                f"{self.path}: the domain {poor} has {counts.min()} pictures to learn from: give "
                f"it {FEWEST} at least, or take its folder away"
            )
        listed = ", ".join(f"{one} {count:,}" for one, count in zip(names, counts))
        notes = (*split.train.notes, f"domains: {listed}")
        found = of_labels(name, parts, names, split.heldout_note, notes)
        assert isinstance(split.codec, ImageCodec)
        return found, split.codec.framing


def _all_of(source: Source | None) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if source is None or not len(source):
        return np.zeros((0, 1, 1, 1), dtype=np.uint8), np.zeros(0, dtype=np.int64)
    batch = source.fetch(range(len(source)))
    return batch["image"].numpy(), batch["label"].numpy().astype(np.int64)


class DomainSource(Source):
    """Pictures with their domain, and for each a target domain with two pictures of it.

    A visit draws the target among all domains alike, its own included, and then two pictures of
    it. Without visits the targets are the domains that a picture is not of, in turn, and the true
    answer stands there where that is known.

    Attributes:
        answers: Whether `image` is what `input` looks like in the target domain.
    """

    def __init__(
        self,
        pictures: Tensor,
        domains: Tensor,
        codec: DomainCodec,
        name: str,
        *,
        known: Mapping[str, Tensor] | None = None,
        truth: Tensor | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Keep the pictures.

        Args:
            pictures: uint8 (N, C, H, W).
            domains: int64 (N,).
            codec: Of the set.
            name: Set and part.
            known: Further numbers (N, ...) of each picture.
            truth: What each is in each domain, uint8 (N, domains, C, H, W).
            notes: What was decided while reading.
        """
        self._pictures, self._domains, self._truth = pictures, domains, truth
        self._known = dict(known or {})
        self.name, self.fields, self.notes = name, codec.fields, notes
        self.answers = truth is not None
        count = len(codec.names)
        rows = [(domains == d).nonzero()[:, 0] for d in range(count)]
        # A held-out part may lack a domain: no picture of it is then a target.
        self._targets = [d for d in range(count) if len(rows[d])]
        self._rows = rows

    def __len__(self) -> int:
        return len(self._pictures)

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        rows = torch.as_tensor(indices, dtype=torch.int64)
        count = len(self._targets)
        if visits is None:
            chosen = [self._other(number) for number in rows.tolist()]
            shares = np.stack([rows.numpy() / max(1, len(self)) % 1] * 2)
        else:
            words = visits.words(PARTNER)
            chosen = [self._targets[int(word % count)] for word in words >> np.uint64(40)]
            shares = np.stack([(words & np.uint64(2**32 - 1)) / 2**32, visits.uniform(DRAWN)])
        first, second = (
            torch.tensor([self._at(d, share) for d, share in zip(chosen, part)], dtype=torch.int64)
            for part in shares
        )
        targets = torch.tensor(chosen, dtype=torch.int64)
        answers = self._pictures[first]
        if visits is None and self._truth is not None:
            answers = self._truth[rows, targets]
        known = {name: values[rows] for name, values in self._known.items()}
        return {
            "input": self._pictures[rows],
            "origin": self._domains[rows],
            "image": answers,
            "domain": targets,
            "reference": self._pictures[second],
            **known,
        }

    def _other(self, number: int) -> int:
        """A domain that a picture is not of: all of them in turn."""
        own = int(self._domains[number])
        others = [domain for domain in self._targets if domain != own] or [own]
        return others[number % len(others)]

    def _at(self, domain: int, share: float) -> int:
        rows = self._rows[domain]
        return int(rows[int(share * len(rows))])


def domains_of(spec: DataSpec, system: str) -> tuple[int, int, tuple[int, int]]:
    """Number of domains, channels and size of data that a restyling system learns from.

    Raises:
        UserError: They have no domains.
    """
    domain = spec.fields.get("domain")
    if not isinstance(domain, Category):
        raise UserError(
            f"{system} learns from several domains, which these data have not: read a folder with "
            "one folder for each with data.kind=domains"
        )
    channels, *size = spec.shape("image")
    return domain.count, channels, (size[0], size[1])
