"""Which samples the training set takes in, and where they stand in it.

After Blanchard, Stanley and Bhowmik 2021 (J. Cheminformatics 13:14), who let valid generated
molecules replace training molecules; the limits by scaffold and share are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zerosum.chem.fingerprints import scaffold
from zerosum.data.order import DRAWN, choose
from zerosum.errors import UserError


@dataclass(frozen=True)
class Rule:
    """When a molecule is admitted.

    Attributes:
        bar: Score that it must be above: the median of cycle 0, which stands for that of the
            training molecules that it displaces. To score these would cost calls.
        pool: Elite molecules that are held at most.
        per_scaffold: Of these, how many may share a Bemis-Murcko scaffold; molecules without a
            ring share one.
    """

    bar: float
    pool: int
    per_scaffold: int


def admit(
    elite: Mapping[str, float], offered: Iterable[tuple[str, float]], rule: Rule
) -> tuple[dict[str, float], set[str]]:
    """Offer molecules to the elite, the best first.

    One enters if it is not held, is above the bar, and there is room for it. Where its scaffold
    has no room it takes the place of the lowest of that scaffold, where the pool has none that of
    the lowest of all (of several, the oldest), and only if its own score is higher.

    Args:
        elite: Scores by SMILES, the oldest first.
        offered: Valid new molecules with their scores.
        rule: See there.

    Returns:
        The elite afterwards, and who was admitted, though displaced since.
    """
    held, admitted = dict(elite), set[str]()
    scaffolds = {smiles: scaffold(smiles) for smiles in held}
    for smiles, score in sorted(offered, key=lambda one: -one[1]):
        if smiles in held or score <= rule.bar:
            continue
        own = scaffold(smiles)
        family = [one for one in held if scaffolds[one] == own]
        rivals = family if len(family) >= rule.per_scaffold else list(held)
        if len(family) >= rule.per_scaffold or len(held) >= rule.pool:
            worst = min(rivals, key=held.__getitem__)
            if held[worst] >= score:
                continue
            del held[worst]
        held[smiles], scaffolds[smiles] = score, own
        admitted.add(smiles)
    return held, admitted


def placed(elite: Mapping[str, float], count: int, share: float) -> dict[str, Any]:
    """The state of a `MoleculeSource` in which the elite holds a share of the places.

    The places are drawn once; the elite fills them in turn, the best first, so that it counts by
    its share however few they are.

    Args:
        elite: Scores by SMILES.
        count: Training molecules.
        share: Of the places that the elite takes.
    """
    best = sorted(elite.items(), key=lambda one: -one[1])
    free = choose((0, DRAWN), count, int(share * count)).tolist() if best else []
    rows = [(*best[number % len(best)], place) for number, place in enumerate(free)]
    smiles, scores, places = ([row[column] for row in rows] for column in range(3))
    return {"smiles": smiles, "scores": scores, "places": places}


def best_of(scored: Iterable[tuple[str, float]], top: str) -> list[tuple[str, float]]:
    """The highest scores, best first; of equal ones the earlier.

    Args:
        scored: Molecules that have a score.
        top: How many, as `50`, or what share of them, as `10%`; one at least.
    """
    ranked = sorted(scored, key=lambda one: -one[1])
    count = wanted(top, len(ranked))
    return ranked[:count]


def wanted(top: str, total: int) -> int:
    """How many of `total` a text such as `50` or `10%` asks for; one at least.

    Raises:
        UserError: It is neither.
    """
    text = top.strip()
    number = text.removesuffix("%")
    try:
        value = float(number)
        if text.endswith("%") and 0 < value <= 100:
            return max(1, round(total * value / 100))
        if not text.endswith("%") and value == int(value) and value >= 1:
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise UserError(f"--top {top} is no number of molecules: write  --top 50  or  --top 10%")
