"""Sets of pictures of several domains, known by name: synthetic ones with the true answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zerosum.data.fields import Field, Numbers
from zerosum.data.parts import keep_aside
from zerosum.modalities.images import faces
from zerosum.modalities.images.config import Images

Pixels = NDArray[np.uint8]

DIGIT_DOMAINS = ("plain", "inverted", "rotated", "coloured")
GOLDEN = 0.618034
"""Steps of the hue from one digit to the next, which never repeat."""


@dataclass(frozen=True)
class DomainSet:
    """Pictures of several domains, decoded.

    Attributes:
        name: Short name of the set.
        pictures: Training pictures, uint8 (N, C, H, W).
        domains: Their domains, int64 (N,).
        names: Of the domains.
        held: Held-out pictures, (M, C, H, W).
        held_domains: Theirs, (M,).
        truth: What each held-out picture is in each domain, (M, domains, C, H, W); None where
            nobody knows.
        known: Further numbers of each picture, by field: of the training part and held out.
        fields: What those are.
        note: Where the held-out part comes from.
        notes: Decisions worth showing.
    """

    name: str
    pictures: Pixels
    domains: NDArray[np.int64]
    names: tuple[str, ...]
    held: Pixels
    held_domains: NDArray[np.int64]
    truth: Pixels | None = None
    known: Mapping[str, tuple[NDArray, NDArray]] = field(default_factory=dict)
    fields: Mapping[str, Field] = field(default_factory=dict)
    note: str = ""
    notes: tuple[str, ...] = ()


def in_domain(digit: Pixels, domain: int, number: int) -> Pixels:
    """A grey digit (H, W) as RGB (3, H, W): plain, inverted, turned by 90 degrees clockwise, or
    in a colour that its number decides."""
    if domain == 1:
        digit = 255 - digit
    if domain == 2:
        digit = np.rot90(digit, -1)
    if domain == 3:
        colour = np.array(hsv_to_rgb(number * GOLDEN % 1, 1.0, 1.0))
        return np.rint(digit[None] * colour[:, None, None]).astype(np.uint8)
    return np.broadcast_to(digit, (3, *digit.shape))


def _digits(path: str) -> Callable[[float], DomainSet]:
    """A set of grey digits in four domains; each digit is learned from in one of them only."""

    def found(holdout: float) -> DomainSet:
        split = Images(path=path, holdout=holdout or 0.1).open()
        train, held = split.train, split.heldout
        assert held is not None
        grey = train.fetch(range(len(train)))["image"][:, 0].numpy()  # type: ignore[attr-defined]
        aside = held.fetch(range(min(len(held), 2_000)))["image"][:, 0].numpy()
        count = len(DIGIT_DOMAINS)
        own, other = (np.arange(len(part)) % count for part in (grey, aside))
        truth = np.array(
            [[in_domain(one, d, i) for d in range(count)] for i, one in enumerate(aside)]
        )
        return DomainSet(
            f"{path}-domains",
            np.array([in_domain(one, i % count, i) for i, one in enumerate(grey)]),
            own,
            DIGIT_DOMAINS,
            truth[np.arange(len(aside)), other],
            other,
            truth,
            note=split.heldout_note,
            notes=("synthetic domains: digits plain, inverted, turned by 90 degrees, coloured",),
        )

    return found


def _faces(holdout: float, count: int = 4_000) -> DomainSet:
    """Synthetic faces in four age groups; each identity is learned from at one age only."""
    rng = np.random.default_rng(0)
    who = faces.identities(count, rng)
    groups = np.arange(count) % len(faces.GROUPS)
    ages = faces.ages_of(groups, rng)
    drawn = np.stack([faces.drawn_face(age, one) for age, one in zip(ages, who)])
    pictures = drawn.transpose(0, 3, 1, 2)
    kept, held, note = keep_aside(count, holdout or 0.1, "face")
    middles = [faces.middle(group) for group in range(len(faces.GROUPS))]
    truth = np.stack(
        [np.stack([faces.drawn_face(age, who[i]) for age in middles]) for i in held[:400]]
    ).transpose(0, 1, 4, 2, 3)
    held = held[:400]
    known = {"age": ages.astype(np.float32), "identity": who.astype(np.float32)}
    return DomainSet(
        "faces",
        pictures[kept],
        groups[kept],
        faces.GROUP_NAMES,
        pictures[held],
        groups[held],
        truth,
        {name: (values[kept], values[held]) for name, values in known.items()},
        {"age": Numbers(shape=()), "identity": Numbers(shape=(len(faces.PARTS),))},
        note,
        ("synthetic faces, drawn by a program with exact ages and identities: of no person",),
    )


NAMED: Mapping[str, Callable[[float], DomainSet]] = {
    "digits": _digits("digits"),
    "mnist": _digits("mnist"),
    "faces": _faces,
}
"""Sets known by name, given the share to keep aside."""


def of_labels(
    name: str,
    parts: Sequence[tuple[Pixels, NDArray[np.int64]]],
    names: tuple[str, ...],
    note: str,
    notes: tuple[str, ...],
) -> DomainSet:
    """A user's set, whose classes are the domains: (pictures, classes) to learn from, held out."""
    (pictures, domains), (held, held_domains) = parts
    return DomainSet(name, pictures, domains, names, held, held_domains, note=note, notes=notes)
