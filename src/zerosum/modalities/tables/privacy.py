"""How near generated rows are to the rows that were learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zerosum.metrics.score import Score, wilson
from zerosum.modalities.tables.view import View

_CHUNK = 256  # rows whose distances to all others are held at once
_EQUAL = 1e-9  # distance below which two rows are equal


@dataclass(frozen=True)
class Closeness:
    """How near generated rows are to the training rows, beside how near held-out rows are.

    Attributes:
        fake: Median distance of generated rows to their closest training row.
        held_out: The same of held-out rows: what rows of the law that copy nobody have.
        ratio: The one over the other: far below 1 means copies.
        copies: Share of generated rows that equal a training row, and of held-out rows.
        share: Share of generated rows that are nearer to a training row than to the nearest of
            equally many held-out rows, ties counting half: 0.5 for rows that copy nobody, 1 for
            copies.
        n: Rows of each kind.
    """

    fake: float
    held_out: float
    ratio: Score
    copies: tuple[float, float]
    share: Score
    n: int


def closest(*, train: View, fake: View, held_out: View, n: int = 1000, seed: int = 0) -> Closeness:
    """Distance to the closest record, of generated and of held-out rows.

    The distance of two rows is the mean over columns (Gower 1971) of the difference of numbers
    over their training range, at most 1, or of 0 and 1 for equal and unequal categories; a number
    that one row lacks is 1 away.

    For the share, as many training rows are drawn as there are held-out ones, or the other way
    round: of two crowds of one law either is as likely to hold the nearest row.

    Args:
        train: Rows that were learned from.
        fake: Generated rows.
        held_out: Rows that were not learned from.
        n: Most rows of each kind that are looked at, chosen by the seed; the share looks at four
            times as many generated ones.
        seed: Of the choices.
    """
    rng = np.random.default_rng(seed)
    some, few = min(n, len(fake), len(held_out)), min(len(train), len(held_out))
    which = [rng.permutation(len(rows)) for rows in (fake, held_out)]
    found = [nearest_rows(r, train, w[:some])[0] for r, w in zip((fake, held_out), which)]
    made, kept = (float(np.median(x)) for x in found)
    ratio = made / kept if kept else float(made > 0)
    copies = tuple(float((x < _EQUAL).mean()) for x in found)
    asked = which[0][: 4 * n]
    crowds = [rows.take(rng.permutation(len(rows))[:few]) for rows in (train, held_out)]
    near, fresh = (nearest_rows(fake, crowd, asked, like=train)[0] for crowd in crowds)
    tied = np.abs(near - fresh) < _EQUAL
    share = float(np.where(tied, 0.5, near < fresh).mean())
    return Closeness(
        made,
        kept,
        Score(value=ratio, null=1.0, n_real=some, n_fake=some),
        (copies[0], copies[1]),
        Score(
            value=share,
            interval=wilson(share, len(asked)),
            null=0.5,
            n_real=few,
            n_fake=len(asked),
        ),
        some,
    )


def nearest_rows(
    rows: View,
    train: View,
    which: NDArray[np.int64] | None = None,
    *,
    like: View | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distances of rows to their closest training rows, and the numbers of those.

    Args:
        rows: Some rows.
        train: The training rows.
        which: Numbers of the rows to look at (M,); None takes all.
        like: Rows whose ranges say what a number's difference is measured by; None takes `train`.

    Returns:
        Distances (M,), as `closest` has them, and numbers (M,).
    """
    which = np.arange(len(rows)) if which is None else which
    found, places = [], []
    spans = {name: _span(values) for name, values in (like or train).numbers.items()}
    theirs = _one_hot(train, np.arange(len(train)))
    for start in range(0, len(which), _CHUNK):
        some = which[start : start + _CHUNK]
        # Categories that agree are counted by a product of one-hot rows, which is quick.
        total = len(train.codes) - _one_hot(rows, some) @ theirs.T
        for name, values in train.numbers.items():
            ones = (rows.numbers[name][some] / spans[name]).astype(np.float32)
            others = (values / spans[name]).astype(np.float32)
            apart = np.abs(ones[:, None] - others).clip(max=1.0)
            none = np.isnan(ones)[:, None] & np.isnan(others)
            total += np.where(none, 0.0, np.nan_to_num(apart, nan=1.0))
        places.append(total.argmin(1))
        found.append(total.min(1) / len(train.names))
    return np.concatenate(found).astype(np.float64), np.concatenate(places).astype(np.int64)


def _span(values: NDArray[np.float64]) -> float:
    seen = values[np.isfinite(values)]
    return (float(np.ptp(seen)) or 1.0) if len(seen) else 1.0


def _one_hot(rows: View, which: NDArray[np.int64]) -> NDArray[np.float32]:
    """Categories (M, all of them) of some rows."""
    parts = [np.zeros((len(which), 0), np.float32)]
    for name, codes in rows.codes.items():
        part = np.zeros((len(which), rows.sizes[name]), np.float32)
        part[np.arange(len(which)), codes[which]] = 1.0
        parts.append(part)
    return np.concatenate(parts, 1)
