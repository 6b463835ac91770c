"""A QSAR model: a forest on Morgan fingerprints, its uncertainty, and where it may be asked.

QSAR is short for quantitative structure-activity relationship. A model is two files, JSON and
safetensors; loading runs no code. Fitting is in `zerosum.chem.fitting`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from zerosum.chem.fingerprints import BITS, Bits, likeness, morgan, morgan_counts
from zerosum.chem.forest import Floats, Forest
from zerosum.chem.measure import Measure, Memory, Value
from zerosum.errors import UserError
from zerosum.files import atomic, read_json, write_text

FACTS, ARRAYS = "qsar.json", "qsar.safetensors"
OUTSIDE = "outside the domain of the QSAR model"
LEVEL = 0.9
"""Share of molecules whose value is to lie within their interval."""


@dataclass(frozen=True)
class Facts:
    """What a model is, besides its arrays.

    Attributes:
        target: The column that it predicts.
        classes: Whether it predicts the probability of a class; a number otherwise.
        positive: That class; "" for numbers.
        molecules: Of the training data.
        limit: The Tanimoto distance to the nearest training molecule up to which it may be asked.
        low: The prediction whose desirability is 0.
        high: The prediction whose desirability is 1.
        calibration: Numbers: (quantile, floor) of the intervals; classes: (slope, intercept) of
            the logistic curve from votes to probabilities.
        seed: Of the forest.
    """

    target: str
    classes: bool
    positive: str
    molecules: int
    limit: float
    low: float
    high: float
    calibration: tuple[float, float]
    seed: int


@dataclass(frozen=True)
class Prediction:
    """What a model says of some molecules, (N,) each.

    Attributes:
        value: The number, or the calibrated probability of the positive class.
        low: Lower end of the 90 % interval; NaN for classes.
        high: Its upper end; NaN for classes.
        distance: Tanimoto distance to the nearest training molecule.
        inside: Whether that is within the model's domain.
    """

    value: Floats
    low: Floats
    high: Floats
    distance: Floats
    inside: NDArray[np.bool_]


@dataclass(frozen=True)
class QSARModel:
    """A fitted model.

    Attributes:
        facts: Its small print.
        forest: Its trees, on counts of Morgan environments.
        known: Bits (M, 2048) of the training molecules, for the domain.
    """

    facts: Facts
    forest: Forest
    known: Bits

    def predict(self, smiles: Sequence[str]) -> Prediction:
        """Predictions for SMILES that RDKit reads.

        The interval of a number is the forest's mean plus and minus quantile x (spread + floor):
        the spread is the standard deviation of the trees, and the quantile makes 90 % of the
        training molecules lie within theirs when only trees that did not see them are asked
        (Johansson et al. 2014, doi:10.1007/s10994-014-5453-0). A class has its votes put through
        a logistic curve fitted to such votes (Platt 1999).
        """
        said = self.forest.trees(morgan_counts(smiles))
        mean, first, second = said.mean(1), *self.facts.calibration
        distance = 1.0 - likeness(morgan(smiles), self.known)
        inside = distance <= self.facts.limit
        if self.facts.classes:
            nothing = np.full(len(mean), np.nan)
            chance = platt(mean, len(self.forest.roots), first, second)
            return Prediction(chance, nothing, nothing, distance, inside)
        half = first * (said.std(1) + second)
        return Prediction(mean, mean - half, mean + half, distance, inside)

    def save(self, folder: Path) -> None:
        """Write the model into a folder."""
        with atomic(folder / ARRAYS) as partial:
            arrays = self.forest.arrays() | {"known": np.packbits(self.known, axis=1)}
            save_file({name: np.ascontiguousarray(one) for name, one in arrays.items()}, partial)
        write_text(folder / FACTS, json.dumps(asdict(self.facts), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model of a folder.

        Raises:
            UserError: There is none, or it is damaged.
        """
        if not (folder / FACTS).is_file() or not (folder / ARRAYS).is_file():
            raise UserError(
                f"{folder} holds no QSAR model: make one with  zerosum qsar DATA --target COLUMN"
            )
        try:
            told: dict[str, Any] = read_json(folder / FACTS)
            first, second = told["calibration"]
            told["calibration"] = (float(first), float(second))
            facts = Facts(**told)
            arrays = load_file(folder / ARRAYS)
            known = np.unpackbits(arrays["known"], axis=1)
            if known.shape != (facts.molecules, BITS):
                raise ValueError("its training molecules are damaged")
            return cls(facts, Forest.load(arrays, BITS), known)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise UserError(f"{folder} cannot be read ({error}): fit the model anew") from error


def platt(votes: Floats, trees: int, slope: float, intercept: float) -> Floats:
    """Probabilities from shares of votes, by a logistic curve over their logits."""
    return 1.0 / (1.0 + np.exp(-(slope * logit(votes, trees) + intercept)))


def logit(votes: Floats, trees: int) -> Floats:
    """The log odds of shares of votes; all or none count as half a tree short of it."""
    edge = 0.5 / trees
    share = np.clip(votes, edge, 1 - edge)
    return np.log(share / (1 - share))


class QSAR(Measure):
    """A QSAR model as a part of a score: no number, and so no reward, outside its domain.

    Args:
        model: A fitted model.
        title: What the part is called.
        low: The prediction whose desirability is 0; None takes the model's.
        high: The prediction whose desirability is 1; None takes the model's.
    """

    def __init__(
        self, model: QSARModel, title: str, low: float | None = None, high: float | None = None
    ) -> None:
        facts = model.facts
        ends = (facts.low, facts.high) if low is None or high is None else (low, high)
        super().__init__(title, *ends, Memory())
        self.model = model

    @classmethod
    def load(cls, folder: Path, low: float | None = None, high: float | None = None) -> QSAR:
        """The model of a folder as a part of a score.

        Raises:
            UserError: There is none, or it is damaged.
        """
        return cls(QSARModel.load(folder), f"qsar:{folder}", low, high)

    def _measure(self, smiles: list[str], keep: Callable[[Mapping[str, Value]], None]) -> None:
        said = self.model.predict(smiles)
        keep(
            {
                text: Value(float(number)) if inside else Value(reason=OUTSIDE)
                for text, number, inside in zip(smiles, said.value, said.inside, strict=True)
            }
        )
