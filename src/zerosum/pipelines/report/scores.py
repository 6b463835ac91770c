"""The scores on the page, taken now or while training, and the verdict that begins it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zerosum.errors import UserError
from zerosum.pipelines.evaluate import Evaluation, Evaluator
from zerosum.pipelines.report.facts import Facts
from zerosum.training.scores import closing

SHOWN = 3
"""Most scores in the verdict."""
NO_POLICY = "off"


@dataclass(frozen=True)
class Row:
    """One score with what real samples get in its place.

    Attributes:
        name: Of the score.
        value: As text, like the others.
        interval: 95 % interval; empty where there is none.
        ceiling: What real samples score; empty where that is not known.
    """

    name: str
    value: str
    interval: str
    ceiling: str


@dataclass(frozen=True)
class Scores:
    """All scores of the page.

    Attributes:
        rows: One for each.
        protocol: How they were taken, in a sentence.
        measure: What the ceiling is, in words.
    """

    rows: tuple[Row, ...] = ()
    protocol: str = ""
    measure: str = ""


def scores(facts: Facts, path: Path, evaluator: Evaluator | None, module: str | None) -> Scores:
    """Scores taken now; the last ones of the training where none are asked for or can be taken."""
    if evaluator is None:
        return _recorded(facts, "")
    try:
        return _fresh(evaluator.run(path, module))
    except UserError as error:  # data that are no longer there, or cannot be scored
        return _recorded(facts, f"not scored anew: {error}")


def _fresh(taken: Evaluation) -> Scores:
    rows = [
        Row(
            record.metric,
            f"{record.value:.3g}",
            _span(record.interval),
            f"{ceiling.value:.3g}" if ceiling else "",
        )
        for record in taken.scores
        for ceiling in [taken.ceilings.get(record.metric)]
    ]
    first = taken.scores[0]
    real = max(record.n_real for record in taken.scores)  # a metric may read none
    weights = {True: "averaged weights", False: "last weights", None: "weights as exported"}
    text = (
        f"{first.n_fake:,} samples (seed {first.seed}, {weights[first.averaged]}) against "
        f"{real:,} real ones of {first.data} ({first.split}); 95 % intervals; the ceiling "
        f"is what held-out real samples score ({taken.held_out_note})"
    )
    protocol = "; ".join([text, *taken.notes]) + "."
    return Scores(tuple(rows), protocol, "held-out real samples")


def _recorded(facts: Facts, why: str) -> Scores:
    """The closing line of `scores.jsonl`."""
    if not facts.scores:
        return Scores(protocol=why or "not scored in this report, nor while training")
    last = closing(facts.scores, facts.recipe.evaluate.patience)
    rows = [
        Row(
            name,
            f"{value:.3g}",
            _span(last.get("intervals", {}).get(name)),
            f"{last['reference'][name]:.3g}" if name in last["reference"] else "",
        )
        for name, value in last["scores"].items()
    ]
    protocol = last["protocol"]
    text = (
        f"taken while training, at {last['seen']:,} {facts.noun}: {protocol['fake']:,} samples "
        f"(seed {protocol['seed']}) against {protocol['real']}; the ceiling is what "
        f"{last['reference_note']}, score"
    )
    whole = "; ".join(filter(None, [text, why])) + "."
    return Scores(tuple(rows), whole, "two halves of the real samples")


def _span(interval: tuple[float, float] | list[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}"


def verdict(facts: Facts, found: Scores) -> tuple[str, str]:
    """The run in two lines: what the doctor said, and how far its scores are from real ones."""
    return _doctor(facts), _standing(found)


def _doctor(facts: Facts) -> str:
    if facts.recipe.doctor.policy == NO_POLICY:
        return "The doctor was off: nobody watched this run."
    if not facts.checkups:
        return "The doctor made no checkup: the run was too short for one."
    count = len(facts.checkups)
    watched = f"in {count:,} checkup{'s' if count > 1 else ''}"
    firsts: dict[str, int] = {}
    for event in facts.events:
        firsts.setdefault(event["failure"], event["seen"])
    if not firsts:
        return f"The doctor saw no failure {watched}."
    told = ", ".join(f"{name} (from {seen:,} {facts.noun})" for name, seen in firsts.items())
    last = facts.checkups[-1]["failures"]
    now = f"the last still shows {', '.join(last)}" if last else "the last shows none"
    return f"The doctor saw {told} {watched}; {now}."


def _standing(found: Scores) -> str:
    told = [f"{row.name} {row.value} (real: {row.ceiling})" for row in found.rows if row.ceiling]
    if told:
        return f"Beside {found.measure}: {', '.join(told[:SHOWN])}."
    if found.rows:
        plain = ", ".join(f"{row.name} {row.value}" for row in found.rows[:SHOWN])
        return f"No real samples to compare with: {plain}."
    return "Not scored."
