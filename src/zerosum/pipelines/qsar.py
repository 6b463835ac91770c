"""From a table of measured molecules to a QSAR model, and from one to predictions."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from zerosum.chem.fitting import TREES, Fitted, OnProgress, fit
from zerosum.chem.forest import Floats
from zerosum.chem.lists import canonical, lines_of, write_table
from zerosum.chem.qsar import OUTSIDE, QSARModel
from zerosum.chem.scorers import NO_SMILES
from zerosum.errors import UserError, nearest
from zerosum.files import must_be_empty, must_be_file, whole_folder, write_text
from zerosum.modalities.molecules.named import place_of

SCORES = "scores.json"
YES = ("1", "true", "yes", "active", "positive")
"""Values that name the positive class of two, in small letters."""


@dataclass(frozen=True)
class Measured:
    """Molecules with a value each.

    Attributes:
        smiles: Canonical, each once.
        values: (N,), numbers; 0 and 1 for classes.
        positive: The class that is 1; "" for numbers.
        notes: What was left out or put together, one line each.
    """

    smiles: list[str]
    values: Floats
    positive: str
    notes: tuple[str, ...]


def train_qsar(
    data: str,
    target: str,
    out: Path,
    *,
    column: str = "",
    positive: str = "",
    seed: int = 0,
    trees: int = TREES,
    on_progress: OnProgress | None = None,
) -> Fitted:
    """Fit a model, judge it on two splits, and write it into a folder.

    Args:
        data: Table of molecules (`.csv`, `.tsv`, `.sdf`, each also `.gz`), or a named set.
        target: Its column of values: numbers, or two classes.
        out: A new folder.
        column: Of SMILES; "" finds it.
        positive: The class whose probability is predicted, where the values do not say so.
        seed: Of the forests, the random split and the bootstrap.
        trees: Of each forest.
        on_progress: Called with what is done, how many steps are, and of how many.

    Raises:
        UserError: The data cannot be read or are too few, or the folder is not empty.
    """
    must_be_empty(out)
    measured = read_measured(place_of(data), target, column, positive)
    found = fit(
        measured.smiles,
        measured.values,
        target,
        positive=measured.positive,
        seed=seed,
        trees=trees,
        on_progress=on_progress,
    )
    found = Fitted(found.model, found.rows, found.parts, (*measured.notes, *found.notes))
    with whole_folder(out) as folder:
        found.model.save(folder)
        scores = {
            "data": data,
            "scores": [asdict(row) for row in found.rows],
            "splits": [asdict(part) for part in found.parts],
            "notes": found.notes,
        }
        write_text(folder / SCORES, json.dumps(_plain(scores), indent=2) + "\n")
    return found


def predict_qsar(run: Path, data: str, out: Path, column: str = "") -> tuple[int, int, int]:
    """Predict the molecules of a file, and write a line for each of its lines.

    Args:
        run: Folder of a model.
        data: File of molecules, or a named set.
        out: A CSV file: the SMILES as read, the prediction, its 90 % interval (numbers), the
            distance to the nearest training molecule, whether that is inside the domain, and why
            there is no prediction.
        column: Of SMILES; "" finds it.

    Returns:
        How many lines there are, how many got a prediction, and how many of these lie inside the
        domain.

    Raises:
        UserError: The model or the file cannot be read.
    """
    must_be_file(out, "--out")
    model = QSARModel.load(run)
    texts = lines_of(place_of(data), column).texts
    clean = [canonical(text) for text in texts]
    good = [text for text in clean if text]
    if not good:
        raise UserError(f"{data} holds no molecule: its first line is '{texts[0][:80]}'")
    said = model.predict(good)
    facts = model.facts
    title = f"probability of {facts.positive}" if facts.classes else facts.target
    header = ("smiles", title, "low", "high", "distance", "inside", "reason")
    told = iter(
        zip(
            *(column.tolist() for column in (said.value, said.low, said.high, said.distance)),
            ("yes" if inside else "no" for inside in said.inside),
            ("" if inside else OUTSIDE for inside in said.inside),
            strict=True,
        )
    )
    nothing = (None, None, None, None, "", NO_SMILES)
    write_table(out, header, [(t, *(next(told) if c else nothing)) for t, c in zip(texts, clean)])
    return len(texts), len(good), int(said.inside.sum())


def read_measured(path: Path, target: str, column: str = "", positive: str = "") -> Measured:
    """Molecules and values of a table.

    Values are classes where they are 0 and 1 alone, or two words, or where `positive` is given;
    numbers otherwise. Of a molecule with several lines the mean counts, or the class that has
    most of them; where two classes have equally many it is left out.

    Raises:
        UserError: There is no such column, or it holds neither numbers nor two classes.
    """
    lines = lines_of(path, column)
    if not target:
        columns = ", ".join(list(lines.others)[:8]) or "it has none but SMILES"
        raise UserError(f"name the column to predict with --target (columns: {columns})")
    texts = lines.other(target, path)
    positive, numbers = _numbers(texts, target, positive)
    skipped: Counter[str] = Counter()
    found: dict[str, list[float]] = {}
    for text, words, number in zip(lines.texts, texts, numbers):
        smiles = canonical(text)
        if not smiles:
            skipped[NO_SMILES] += 1
        elif not words:
            skipped["no value"] += 1
        elif math.isnan(number):
            skipped["no number"] += 1
        else:
            found.setdefault(smiles, []).append(number)
    values = {smiles: sum(some) / len(some) for smiles, some in found.items()}
    repeats = sum(len(some) - 1 for some in found.values())
    notes: list[str] = []
    if positive:
        torn = [smiles for smiles, mean in values.items() if mean == 0.5]
        values = {s: float(mean > 0.5) for s, mean in values.items() if mean != 0.5}
        if torn:
            notes.append(f"molecules left out whose lines disagree: {len(torn):,}")
    if repeats:
        notes.append(f"lines put together that repeat a molecule: {repeats:,}")
    if skipped:
        told = ", ".join(f"{count:,} {why}" for why, count in skipped.most_common())
        notes.append(f"lines left out: {sum(skipped.values()):,} ({told})")
    smiles = list(values)
    return Measured(smiles, np.array([values[s] for s in smiles]), positive, tuple(notes))


def _numbers(texts: list[str], target: str, positive: str) -> tuple[str, list[float]]:
    """The positive class ("" for numbers), and each text as a number; NaN where it is none."""
    kinds = Counter(text for text in texts if text)
    numbers = [_float(text) for text in texts]
    numeric = sum(count for text, count in kinds.items() if not math.isnan(_float(text)))
    words = len(kinds) == 2 and (numeric == 0 or set(map(_float, kinds)) == {0.0, 1.0})
    if not positive and not words:
        if numeric < 0.9 * sum(kinds.values()) or not numeric:
            bad = next((text for text in kinds if math.isnan(_float(text))), "")
            raise UserError(
                f"'{target}' holds neither numbers nor two classes (such as '{bad[:40]}'): "
                "mend the column, or name the class to predict with --positive"
            )
        return "", numbers
    if not positive:
        yes = [text for text in kinds if text.lower() in YES or _float(text) == 1.0]
        if len(yes) != 1:
            raise UserError(
                f"'{target}' holds {' and '.join(sorted(kinds))}: say with --positive which of "
                "them is to be predicted"
            )
        positive = yes[0]
    if positive not in kinds:
        raise UserError(f"'{target}' holds no '{positive}': {nearest(positive, kinds)}")
    return positive, [float(text == positive) if text else math.nan for text in texts]


def _float(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _plain(value: object) -> object:
    """The same without NaN, which is no JSON."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
