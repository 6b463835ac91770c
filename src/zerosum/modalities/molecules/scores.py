"""How good generated molecules are: raw validity, uniqueness, novelty, their product, and more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from zerosum.metrics.score import Score, around, wilson
from zerosum.modalities.molecules import chem
from zerosum.modalities.molecules.chem import Mol

_MOST = 1_000  # molecules whose pairs are compared: half a million similarities


@dataclass(frozen=True)
class Judged:
    """Scores of some samples. Shares are out of 1; `str` of each shows its interval.

    Attributes:
        validity: Share of the samples that are valid molecules, without any repair.
        uniqueness: Distinct molecules as a share of the valid ones. It falls as samples are
            added, so compare equal numbers only; no interval, for the same reason.
        novelty: Share of the distinct valid molecules that are not in the training part.
        product: Distinct valid new molecules as a share of the samples; the product of the three.
        qed: Mean drug-likeness of the distinct valid molecules, with the interval of the mean.
        logp: Mean octanol-water coefficient of these.
        sa: Mean synthetic accessibility of these; 1 is easy, 10 hard.
        diversity: One minus the mean Tanimoto similarity of pairs of the valid molecules, repeats
            among them, over at most the first 1,000.
    """

    validity: Score
    uniqueness: Score
    novelty: Score
    product: Score
    qed: Score
    logp: Score
    sa: Score
    diversity: Score


def judge(samples: Sequence[str | None], train: Collection[str], *, worth: bool = True) -> Judged:
    """Scores of samples.

    Args:
        samples: Canonical SMILES as `MoleculeCodec.smiles` gives them; None where not valid.
        train: Canonical SMILES of the training part.
        worth: Whether to compute QED, logP, SA and diversity, which take most of the time; they
            are not a number otherwise, as where no sample is valid.
    """
    known = train if isinstance(train, set | frozenset) else set(train)
    valid = [smiles for smiles in samples if smiles is not None]
    unique = list(dict.fromkeys(valid))
    new = [smiles for smiles in unique if smiles not in known]
    total = len(samples)
    mols = [chem.rdkit().MolFromSmiles(smiles) for smiles in unique] if worth else []
    return Judged(
        validity=_share(len(valid), total, total),
        uniqueness=Score(value=len(unique) / max(len(valid), 1), n_fake=total),
        novelty=_share(len(new), len(unique), total),
        product=Score(value=len(new) / max(total, 1), n_fake=total),
        qed=_mean([chem.qed(mol) for mol in mols], total),
        logp=_mean([chem.logp(mol) for mol in mols], total),
        sa=_mean([chem.sa(mol) for mol in mols], total),
        diversity=Score(value=diversity(valid if worth else []), n_fake=total),
    )


def diversity(smiles: Sequence[str]) -> float:
    """One minus the mean Tanimoto similarity of all pairs of molecules.

    Morgan fingerprints of radius 2 on 2,048 bits, over at most the first 1,000 molecules.
    Equal molecules count: a set of one molecule over and over has 0. Not a number for fewer than
    two molecules.
    """
    some = smiles[:_MOST]
    if len(some) < 2:
        return float("nan")
    morgan = chem.require("rdkit.Chem.rdFingerprintGenerator", chem.EXTRA)
    similar = chem.require("rdkit.DataStructs", chem.EXTRA).BulkTanimotoSimilarity
    maker = morgan.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [maker.GetFingerprint(chem.rdkit().MolFromSmiles(text)) for text in some]
    total = sum(sum(similar(one, prints[:i])) for i, one in enumerate(prints) if i)
    return 1 - total / (len(prints) * (len(prints) - 1) / 2)


def reasons(found: Sequence[tuple[Mol | None, str]]) -> dict[str, int]:
    """How many samples are not valid, by reason; of what `MoleculeCodec.read` gave."""
    counted: dict[str, int] = {}
    for _, reason in found:
        if reason:
            counted[reason] = counted.get(reason, 0) + 1
    return dict(sorted(counted.items(), key=lambda item: -item[1]))


def _share(part: int, whole: int, total: int) -> Score:
    """A share with its Wilson interval; 0 without one where there is nothing to take it of."""
    if not whole:
        return Score(value=0.0, n_fake=total)
    return Score(value=part / whole, interval=wilson(part / whole, whole), n_fake=total)


def _mean(values: list[float], total: int) -> Score:
    if len(values) < 2:
        return Score(value=values[0] if values else float("nan"), n_fake=total)
    mean = fmean(values)
    return Score(value=mean, interval=around(mean, variance(values) / len(values)), n_fake=total)
