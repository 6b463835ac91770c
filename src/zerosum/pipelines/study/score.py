"""What a study found: how often people err, with intervals over people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.errors import UserError
from zerosum.files import read_json
from zerosum.metrics.score import Score, wilson

KEY, ANSWERS = "key.json", "answers"
RESAMPLES = 10_000
WORDS = ("real", "generated")
Key = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """Error rates of a study; 95 % intervals over raters.

    Attributes:
        hype: Errors on real and on generated images, each kind counting half: 0.5 where people
            can only guess (HYPE-infinity, Zhou et al. 2019, section 3.2, for images shown without
            a limit of time). Above it generated images look more real than real ones.
        on_generated: Share of generated images taken for real.
        on_real: Share of real images taken for generated.
        raters: People whose answers count.
        left_out: People who failed more than a third of the attention checks.
        answers: Answers that count, checks aside.
        seconds: Median time of an answer.
    """

    hype: Score
    on_generated: Score
    on_real: Score
    raters: int
    left_out: tuple[str, ...]
    answers: int
    seconds: float


def score(folder: str | Path, *, seed: int = 0) -> Outcome:
    """Score the answers of a study.

    Answers of one person are alike, so the intervals resample people, not answers (10,000
    bootstrap resamples). With one rater they are Wilson's, which takes answers for independent.
    Where a rater has answered twice, the first whole set of answers counts.

    Args:
        folder: What `make` wrote, with files of answers in `answers/`.
        seed: Of the resampling.

    Raises:
        UserError: No study, no answers that count, or a file that is not of this study.
    """
    path = Path(folder)
    key = read_key(path)
    people: dict[str, list[Mapping[str, Any]]] = {}
    for file in sorted((path / ANSWERS).glob("*.json"), key=lambda f: f.stat().st_mtime_ns):
        try:
            found = read_json(file)
        except ValueError as error:
            raise UserError(f"{file} is no file of answers: take it away") from error
        check(found, key, str(file))
        people.setdefault(found["rater"], found["answers"])
    kinds, left_out, rates, times, count = key["trials"], [], [], [], 0
    for rater, answers in people.items():
        checks = [a["answer"] == "real" for a in answers if kinds[a["name"]] == "check"]
        if checks and sum(checks) > len(checks) / 3:
            left_out.append(rater)
            continue
        wrong: dict[str, list[bool]] = {"real": [], "generated": []}
        for answer in answers:
            kind = kinds[answer["name"]]
            if kind in wrong:
                wrong[kind].append(answer["answer"] != kind)
                times.append(answer["milliseconds"] / 1_000)
        count += sum(map(len, wrong.values()))
        rates.append([np.mean(wrong["generated"]), np.mean(wrong["real"])])
    if not rates:
        raise UserError(
            f"{path / ANSWERS} holds no answers that count: collect some with "
            "zerosum study serve, or put the files that raters saved there"
        )
    table = np.asarray(rates)
    table = np.column_stack([table.mean(1), table])
    intervals = _over_people(table, seed) if len(table) > 1 else _of_one(table[0], count)
    shares = count / 2
    hype, on_generated, on_real = (
        Score(value=float(value), interval=interval, n_fake=int(shares), n_real=int(shares))
        for value, interval in zip(table.mean(0), intervals)
    )
    return Outcome(
        hype=hype,
        on_generated=on_generated,
        on_real=on_real,
        raters=len(table),
        left_out=tuple(left_out),
        answers=count,
        seconds=float(np.median(times)),
    )


def _over_people(table: np.ndarray, seed: int) -> list[tuple[float, float]]:
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = rng.integers(len(table), size=(RESAMPLES, len(table)))
    means = table[drawn].mean(1)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return list(zip(low.tolist(), high.tolist()))


def _of_one(rates: np.ndarray, count: int) -> list[tuple[float, float]]:
    counts = (count, count / 2, count / 2)
    return [wilson(float(rate), n) for rate, n in zip(rates, counts)]


def read_key(folder: Path) -> Key:
    """The key of a study.

    Raises:
        UserError: The folder holds none, or it is damaged.
    """
    path = folder / KEY
    if not path.is_file():
        raise UserError(
            f"{folder} holds no study: make one with  zerosum study RUN --out {folder}"
        )
    try:
        key = read_json(path)
        if isinstance(key["study"], str) and isinstance(key["trials"], dict):
            return key
    except (ValueError, KeyError, TypeError):
        pass
    raise UserError(f"{path} is damaged: bring it back, the answers cannot be read without it")


def check(found: Any, key: Key, where: str) -> None:
    """See that something is one rater's whole set of answers to this study.

    Raises:
        UserError: It is not; the message says why.
    """
    try:
        answers = {a["name"]: a for a in found["answers"]}
        good = (
            isinstance(found["rater"], str)
            and bool(found["rater"])
            and len(answers) == len(found["answers"])
            and all(
                a["answer"] in WORDS and isinstance(a["milliseconds"], int | float)
                for a in answers.values()
            )
        )
    except (KeyError, TypeError):
        good, answers = False, {}
    if not good:
        raise UserError(f"{where} holds no answers of one rater: take it away")
    if found.get("study") != key["study"]:
        raise UserError(f"{where} belongs to another study: take it away")
    if set(answers) != set(key["trials"]):
        raise UserError(f"{where} does not answer each image once: take it away")
