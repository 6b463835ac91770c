"""Tables of anomalies: normal rows to learn from, and both kinds to be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import torch

from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.fields import Category, Field
from zerosum.data.parts import keep_aside, limited
from zerosum.data.source import Source, Split, TensorSource
from zerosum.errors import UserError, nearest
from zerosum.modalities.modality import Listed
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.fitting import summary
from zerosum.modalities.tables.opening import find
from zerosum.modalities.tables.settings import TableSettings
from zerosum.modalities.tables.steady import SteadyCodec

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 20
"""Normal rows below which nothing is learned: a threshold of 95 % needs twenty."""


class TableAnomalies(TableSettings):
    """Normal rows of a table to learn from; the others to test with."""

    codec: ClassVar[type[Codec]] = SteadyCodec

    kind: Literal["table-anomalies"] = "table-anomalies"
    normal: str = ""
    """Value of the column data.target that counts as normal, several with commas; without a
    target all rows are normal."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Read the table, sort its rows, and fit its codec on normal ones to learn from.

        Returns:
            Normal rows to learn from, normal ones held out for the threshold, and as `trial` as
            many normal ones again with all others, their truth in `abnormal`.

        Raises:
            UserError: Nothing is there, no such column or value, or fewer than 20 normal rows.
        """
        found = find(self)
        frame, normal = found.train, np.ones(len(found.train), dtype=bool)
        target = self.target or found.target
        if target:
            normal = ~_truth(frame, target, self.normal, self.path)
            frame = frame.drop(columns=target)
        rows = np.flatnonzero(normal)
        if len(rows) < FEWEST:
            raise UserError(
                f"{self.path} has {len(rows)} normal rows to learn from: {FEWEST} are the least"
            )
        kept, held, note = keep_aside(len(rows), self.holdout, "normal row")
        held, rest, more = rows[held], rows[kept], rows[:0]
        if len(held):
            kept, more, _ = keep_aside(len(rest), len(held) / len(rest), "normal row")
            rest, more = rest[kept], rest[more]
        train = frame.iloc[limited(rest, self.limit)].reset_index(drop=True)
        notes = list(found.notes)
        if not isinstance(codec, SteadyCodec):
            codec = SteadyCodec.fit(train, self.rules)
            notes += summary(codec.columns)
        trial = np.concatenate([more, np.flatnonzero(~normal)])
        known = codec.knows(frame.iloc[trial])
        if not known.all():
            notes.append(f"rows of the test with unknown values left out: {int((~known).sum()):,}")
        trial = trial[known]
        ours = codec

        def source(numbers: np.ndarray, word: str, abnormal: np.ndarray | None = None) -> Source:
            stored = ours.stored(frame.iloc[numbers].reset_index(drop=True))
            tensors = {"row": stored.rows(torch.arange(len(numbers)))}
            fields: dict[str, Field] = {"row": ours.row}
            if abnormal is not None:
                tensors["abnormal"] = torch.from_numpy(abnormal.astype(np.int64))
                fields["abnormal"] = Category(count=2, names=("normal", "abnormal"))
            name = f"{found.name}/{word}"
            return TensorSource(tensors, fields, name=name, notes=tuple(notes))

        return Split(
            source(limited(rest, self.limit), "train"),
            source(held, "heldout") if len(held) else None,
            f"normals: {note}, and as many again for the test",
            ours,
            source(trial, "trial", ~normal[trial]) if len(trial) else None,
        )

    def at(self, path: str) -> Self:
        return self.model_copy(update=self.elsewhere(path, normal=""))

    @property
    def title(self) -> str:
        return self.path


def listed(path: str, codec: Codec, config: TableSettings) -> Listed:
    """The rows of a table, to be judged one by one; it is read as the run's own was.

    Raises:
        UserError: Nothing is there, or a column is missing.
    """
    frame = find(config.model_copy(update={"path": path})).train
    truth: list[bool | None] = [None] * len(frame)
    normal = config.normal if isinstance(config, TableAnomalies) else ""
    if config.target in frame.columns and normal:
        truth = _truth(frame, config.target, normal, path).tolist()
        frame = frame.drop(columns=config.target)

    assert isinstance(codec, TableCodec)
    ours = codec
    try:
        whole = ours.encode(frame)  # many times as fast as row by row
    except UserError:
        whole = None

    def raw(number: int) -> dict[str, torch.Tensor]:
        if whole is not None:
            return {name: value[number : number + 1] for name, value in whole.items()}
        try:
            return ours.encode(frame.iloc[number : number + 1])
        except UserError as error:
            raise UserError(f"row {number + 1}: {error} (--skip-bad passes over it)") from error

    return Listed([f"row {number + 1}" for number in range(len(frame))], raw, truth)


def _truth(frame: pd.DataFrame, target: str, normal: str, path: str) -> np.ndarray:
    """Which rows are anomalies, by the column that says it."""
    if target not in frame.columns:
        raise UserError(f"data.target={target}: no column is so called: {_near(target, frame)}")
    values = frame[target].astype(str).str.strip("'\" ")
    words = [word.strip("'\" ") for word in normal.split(",") if word.strip()]
    known = sorted(set(values))
    if not words:
        raise UserError(
            f"{path}: say with data.normal=VALUE which value of '{target}' is normal: "
            f"{', '.join(known[:12])}"
        )
    for word in words:
        if word not in known:
            raise UserError(
                f"{path}: '{target}' holds no '{word}' (data.normal): {nearest(word, known)}"
            )
    return ~values.isin(words).to_numpy()


def _near(word: str, frame: pd.DataFrame) -> str:
    return nearest(word, [str(name) for name in frame.columns])
