"""How good generated molecules are: raw validity, uniqueness, novelty, their product, and more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance

import numpy as np

from zerosum.chem import fingerprints
from zerosum.chem import molecules as chem
from zerosum.chem.molecules import Mol
from zerosum.metrics.score import Score, around, wilson

AT = (1_000, 10_000)
"""Numbers of valid molecules among which MOSES counts distinct ones."""
_MOST, _BITS = 3_000, 1_024  # molecules whose pairs are compared, and MOSES' fingerprint


@dataclass(frozen=True)
class Judged:
    """Scores of some samples. Shares are out of 1; `str` of each shows its interval.

    Attributes:
        validity: Share of the samples that are valid molecules, without any repair.
        uniqueness: Distinct molecules as a share of the valid ones. It falls as samples are
            added, so compare equal numbers only; no interval, for the same reason.
        unique_at: The same among the first 1,000 and 10,000 valid ones (MOSES' unique@1k and
            unique@10k); not a number where there are fewer.
        novelty: Share of the distinct valid molecules that are not in the training part.
        product: Distinct valid new molecules as a share of the samples; the product of the three.
        scaffold_novelty: Share of the distinct Bemis-Murcko scaffolds of the valid molecules that
            no training molecule has; molecules without a ring have none. Not a number where no
            valid molecule has a ring, or no training scaffolds are given.
        qed: Mean drug-likeness of the distinct valid molecules, with the interval of the mean.
        logp: Mean octanol-water coefficient of these.
        sa: Mean synthetic accessibility of these; 1 is easy, 10 hard.
        diversity: MOSES' IntDiv1 of the valid molecules, see `diversity`.
    """

    validity: Score
    uniqueness: Score
    unique_at: Mapping[int, Score]
    novelty: Score
    product: Score
    scaffold_novelty: Score
    qed: Score
    logp: Score
    sa: Score
    diversity: Score


def judge(
    samples: Sequence[str | None],
    train: Collection[str],
    *,
    worth: bool = True,
    scaffolds: Collection[str] = (),
) -> Judged:
    """Scores of samples.

    Args:
        samples: Canonical SMILES as `SmilesCodec.smiles` gives them; None where not valid.
        train: Canonical SMILES of the training part.
        worth: Whether to compute QED, logP, SA, scaffolds and diversity, which take most of the
            time; they are not a number otherwise, as where no sample is valid.
        scaffolds: Those of the training part, as `scaffolds_of` gives them.
    """
    known = train if isinstance(train, set | frozenset) else set(train)
    valid = [smiles for smiles in samples if smiles is not None]
    unique = list(dict.fromkeys(valid))
    new = [smiles for smiles in unique if smiles not in known]
    total = len(samples)
    mols = [chem.rdkit().MolFromSmiles(smiles) for smiles in unique] if worth else []
    made = scaffolds_of(unique) if worth and scaffolds else set[str]()
    return Judged(
        validity=_share(len(valid), total, total),
        uniqueness=Score(value=len(unique) / max(len(valid), 1), n_fake=total),
        unique_at={count: Score(value=unique_at(valid, count), n_fake=total) for count in AT},
        novelty=_share(len(new), len(unique), total),
        product=Score(value=len(new) / max(total, 1), n_fake=total),
        scaffold_novelty=_share(len(made - set(scaffolds)), len(made), total, float("nan")),
        qed=_mean([chem.qed(mol) for mol in mols], total),
        logp=_mean([chem.logp(mol) for mol in mols], total),
        sa=_mean([chem.sa(mol) for mol in mols], total),
        diversity=Score(value=diversity(valid if worth else []), n_fake=total),
    )


def unique_at(valid: Sequence[str], count: int) -> float:
    """Distinct ones as a share of the first `count` valid molecules; NaN where there are fewer."""
    return len(set(valid[:count])) / count if len(valid) >= count else float("nan")


def scaffolds_of(smiles: Iterable[str]) -> set[str]:
    """The distinct Bemis-Murcko scaffolds of SMILES; molecules without a ring add none."""
    return {found for found in map(fingerprints.scaffold, smiles) if found}


def diversity(smiles: Sequence[str]) -> float:
    """Internal diversity IntDiv1 of MOSES (Polykovskiy et al. 2020, arXiv:1811.12823, eq. 3).

    One minus the mean Tanimoto similarity over all ordered pairs, each molecule with itself among
    them, of Morgan fingerprints (radius 2, 1,024 bits), over at most the first 3,000 molecules.
    Repeats count: a set of one molecule over and over has 0. Not a number for no molecule.
    """
    some = smiles[:_MOST]
    if not some:
        return float("nan")
    bits = fingerprints.morgan(some, bits=_BITS).astype(np.float32)
    # One product for all pairs; the bits of both over those of one or the other.
    both, own = bits @ bits.T, bits.sum(1)
    return float(1 - (both / (own[:, None] + own - both)).mean(dtype=np.float64))


def reasons(found: Sequence[tuple[Mol | None, str]]) -> dict[str, int]:
    """How many samples are not valid, by reason; of what `SmilesCodec.read` gave."""
    counted: dict[str, int] = {}
    for _, reason in found:
        if reason:
            counted[reason] = counted.get(reason, 0) + 1
    return dict(sorted(counted.items(), key=lambda item: -item[1]))


def _share(part: int, whole: int, total: int, nothing: float = 0.0) -> Score:
    """A share with its Wilson interval; `nothing` without one where there is none to take."""
    if not whole:
        return Score(value=nothing, n_fake=total)
    return Score(value=part / whole, interval=wilson(part / whole, whole), n_fake=total)


def _mean(values: list[float], total: int) -> Score:
    if len(values) < 2:
        return Score(value=values[0] if values else float("nan"), n_fake=total)
    mean = fmean(values)
    return Score(value=mean, interval=around(mean, variance(values) / len(values)), n_fake=total)
