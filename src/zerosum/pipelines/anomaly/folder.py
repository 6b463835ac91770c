"""A path judged into a table: file, score, verdict; maps beside it; gone on with after a stop."""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import numpy as np
import torch

from zerosum.core.detect import anomaly_maps
from zerosum.core.draw import BLOCK
from zerosum.data.fields import Batch, finish
from zerosum.errors import UserError
from zerosum.files import atomic, must_be_file, must_be_writable, read_json, write_text
from zerosum.metrics.detection import QUANTILE, Detected, detection
from zerosum.metrics.score import Score
from zerosum.modalities.modality import Listed
from zerosum.pipelines.anomaly.detector import AnomalyDetector

COLUMNS = ("file", "score", "verdict", "truth")
WORDS = {True: "anomaly", False: "normal", None: ""}
UNREADABLE = "unreadable"
PAUSE = 5.0
"""Seconds between two writes of the table while it grows."""


@dataclass(frozen=True)
class Judgement:
    """What was found in a path.

    Attributes:
        names: Of the examples that could be read, in order.
        scores: Their scores (N,); higher is more anomalous.
        truth: Whether each is an anomaly; None where nothing says so.
        threshold: Scores above it are called anomalies.
        quantile: Share of held-out normal examples that it lets pass.
        note: Where these come from.
        measures: `auroc`, `ap`, `f1`, `fpr95`, where both kinds are known to be there, and
            `pixel-auroc` for the run's own test where it has masks.
        unreadable: Names of what could not be read, with reasons.
        notes: What was left out, one line each.
    """

    names: list[str]
    scores: np.ndarray
    truth: list[bool | None]
    threshold: float
    quantile: float
    note: str
    measures: dict[str, Score] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def verdicts(self) -> list[bool]:
        return (self.scores > self.threshold).tolist()


def judge_path(
    detector: AnomalyDetector,
    path: str | None,
    out: Path,
    *,
    maps: Path | None = None,
    quantile: float = QUANTILE,
    skip_bad: bool = False,
) -> Judgement:
    """Judge all examples of a path, and write a table of them.

    The table is written every few seconds. A stopped command that is typed again goes on: what
    the table holds is not scored anew, if the same weights began it.

    Args:
        detector: Who judges.
        path: Folder, archive, file or named set; None for the test part of the run's own data.
        out: The table, a .csv; beside it a .json with the threshold and the measures.
        maps: A folder for a picture of each example with its anomalous pixels marked.
        quantile: Share of held-out normal examples that the threshold lets pass.
        skip_bad: Name unreadable examples in the table instead of stopping.

    Raises:
        UserError: Nothing is there, one cannot be read, or no threshold can be had.
    """
    if out.suffix.lower() != ".csv":
        raise UserError(f"--out {out}: the table of scores is a .csv: name one")
    must_be_file(out, "--out")
    if maps is not None:
        if maps.is_file():
            raise UserError(f"{maps} is a file: name a folder with --maps")
        must_be_writable(maps / "x", "folder", "--maps")
    threshold, note = detector.threshold(quantile), detector.calibration.note
    if maps is not None and detector.calibration.level is None:
        raise UserError("these examples have no pixels to be marked: leave --maps out")
    listed = _listed(detector, path)
    table = _Table(out, detector.weights, path or "", threshold)
    table.read(listed)
    total, todo = len(listed.names), table.missing(listed, maps)
    for start in range(0, len(todo), BLOCK):
        detector.report("scoring", total - len(todo) + start, total)
        numbers = todo[start : start + BLOCK]
        batch, kept = _read(detector, listed, numbers, skip_bad, table.unreadable)
        if kept:
            scores = detector.scores_of(batch).tolist()
            table.scores |= {listed.names[n]: score for n, score in zip(kept, scores)}
            if maps is not None:
                _mark(detector, batch, [listed.names[n] for n in kept], maps)
        table.write(listed, finished=False)
    detector.report("scoring", total, total)
    found = _judgement(detector, listed, table, threshold, quantile, note, own=path is None)
    table.write(listed, finished=True, found=found)
    return found


def _listed(detector: AnomalyDetector, path: str | None) -> Listed:
    if path is not None:
        run = detector.generator
        return run.modality.listed(path, run.codec, run.recipe.data)
    trial = detector.split.trial
    if trial is None:
        detector.detected()  # which says what is missing
    assert trial is not None
    truth = [bool(v) for v in trial.fetch(range(len(trial)))["abnormal"]]
    aside = ("abnormal", "mask")

    def raw(number: int) -> Batch:
        return {k: v for k, v in trial.fetch([number]).items() if k not in aside}

    names = [f"{trial.name}[{number}]" for number in range(len(trial))]
    return Listed(names, raw, truth, trial.notes)


def _read(
    detector: AnomalyDetector,
    listed: Listed,
    numbers: list[int],
    skip_bad: bool,
    unreadable: dict[str, str],
) -> tuple[Batch, list[int]]:
    """The readable ones of some examples, finished, and their numbers."""
    found, kept = [], []
    for number in numbers:
        try:
            found.append(listed.raw(number))
            kept.append(number)
        except UserError as error:
            if not skip_bad:
                raise
            unreadable[listed.names[number]] = str(error)
    fields = detector.generator.codec.fields
    if not found:
        return {}, []
    joined = {name: torch.cat([one[name] for one in found]) for name in found[0]}
    return finish(joined, fields), kept


def _mark(detector: AnomalyDetector, batch: Batch, names: list[str], folder: Path) -> None:
    level = detector.calibration.level
    assert level is not None
    heat = anomaly_maps(detector.generator.game, batch, detector.options)
    for i, name in enumerate(names):
        one = {key: value[i : i + 1] for key, value in batch.items()}
        picture = detector.generator.modality.marked(one, heat[i : i + 1], level)
        with atomic(map_path(folder, name)) as partial:
            picture.save(partial, format="PNG")


def map_path(folder: Path, name: str) -> Path:
    """Where the map of an example goes: below the folder, as the example lies below its own.

    The whole name is kept, so that a.png and a.jpg do not meet, and no name leads out of the
    folder.
    """
    parts = [part for part in Path(name).parts if part not in ("..", "/", "\\")]
    return folder.joinpath(*parts[:-1], f"{parts[-1]}.png")


def _judgement(
    detector: AnomalyDetector,
    listed: Listed,
    table: _Table,
    threshold: float,
    quantile: float,
    note: str,
    own: bool,
) -> Judgement:
    rows = [i for i, name in enumerate(listed.names) if name in table.scores]
    names, truth = [listed.names[i] for i in rows], [listed.truth[i] for i in rows]
    scores = np.array([table.scores[name] for name in names])
    measures: dict[str, Score] = {}
    known = np.array([one is not None for one in truth], dtype=bool)
    told = np.array([bool(one) for one in truth], dtype=bool)
    if len(set(told[known].tolist())) == 2:
        normal = detector.calibration.scores
        measures = detection(Detected(scores[known], told[known], normal, quantile))
    if own and (pixels := detector.pixel_auroc()) is not None:
        measures["pixel-auroc"] = pixels
    return Judgement(
        names, scores, truth, threshold, quantile, note, measures, table.unreadable, listed.notes
    )


class _Table:
    """The table while it grows, with a file beside it that says whose scores these are."""

    def __init__(self, path: Path, weights: str, source: str, threshold: float) -> None:
        self.path, self.threshold = path, threshold
        self.beside = path.with_suffix(".json")
        self.key = hashlib.sha256(f"{weights}\n{source}".encode()).hexdigest()
        self.scores: dict[str, float] = {}
        self.unreadable: dict[str, str] = {}
        self._written = time.monotonic()

    def read(self, listed: Listed) -> None:
        """Take up what a stopped command left; a finished table is made anew.

        Raises:
            UserError: The file beside the table is somebody else's.
        """
        if not self.beside.exists():
            return
        try:
            state = read_json(self.beside)
            ours = {"key", "finished", "threshold"} <= set(state)
        except (OSError, ValueError, TypeError):
            ours, state = False, {}
        if not ours:
            raise UserError(
                f"{self.beside} is there and is none of a table of scores: name another --out"
            )
        try:
            if state["key"] != self.key or state["finished"]:
                return
            with self.path.open(encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream))
            there = set(listed.names)
            self.scores = {
                row["file"]: float(row["score"])
                for row in rows
                if row["score"] and row["file"] in there
            }
        except (OSError, ValueError, KeyError, TypeError):
            self.scores = {}  # the table was changed or taken away: it is written anew

    def missing(self, listed: Listed, maps: Path | None) -> list[int]:
        """Numbers of the examples without a score, or without a map that is asked for."""
        return [
            number
            for number, name in enumerate(listed.names)
            if name not in self.scores or (maps and not map_path(maps, name).is_file())
        ]

    def write(self, listed: Listed, *, finished: bool, found: Judgement | None = None) -> None:
        """Write the table; while it grows every few seconds only."""
        now = time.monotonic()
        if not finished and now - self._written < PAUSE:
            return
        self._written = now
        state: dict[str, object] = {"key": self.key, "finished": finished}
        state |= {"threshold": self.threshold}
        if found is not None:
            state |= {"quantile": found.quantile, "threshold_from": found.note}
            state |= {"measures": {k: _plain(v) for k, v in found.measures.items()}}
            state |= {"unreadable": found.unreadable, "notes": list(found.notes)}
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(self._rows(listed))
        write_text(self.path, text.getvalue())
        write_text(self.beside, json.dumps(state, indent=2, allow_nan=False) + "\n")

    def _rows(self, listed: Listed) -> Iterator[tuple[str, ...]]:
        for name, truth in zip(listed.names, listed.truth):
            if name in self.scores:
                score = self.scores[name]
                yield name, f"{score!r}", WORDS[score > self.threshold], WORDS[truth]
            elif name in self.unreadable:
                yield name, "", UNREADABLE, WORDS[truth]


def _plain(score: Score) -> dict[str, object]:
    return {"value": score.value, "interval": score.interval}
