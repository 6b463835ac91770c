"""What the ward shows: who was told what, as a matrix, and how treated runs end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from zerosum.bench.ward.cases import Case
from zerosum.bench.ward.run import FAILURES, diagnosis
from zerosum.doctor.doctor import changed
from zerosum.doctor.event import Failure

Result = Mapping[str, Any]
SHORT: Mapping[Failure, str] = {
    "data problem": "data",
    "exploding": "expl",
    "dead run": "dead",
    "augmentation leak": "leak",
    "condition ignored": "cond",
    "imbalance": "imb",
    "vanishing gradient": "van",
    "memorisation": "mem",
    "discriminator overfit": "over",
    "ill-conditioned generator": "ill",
    "mode collapse": "coll",
    "oscillation": "osc",
}
"""Columns of the matrix."""
HEALTHY_WITHIN = 2.0
"""A treated run ended well when its distance is at most so many times that of its healthy twin, or
of real samples from one another where that is larger."""


def matrix(cases: Sequence[Case], results: Sequence[Result]) -> list[list[str]]:
    """Header and one row per case: in how many seeds each failure was the diagnosis.

    A number in brackets counts seeds in which the failure was named beside another that brings it
    about. The last columns: seeds named correctly, and when, as a share of the run.
    """
    groups = by_case(results)
    rows = [["case", "planted", *SHORT.values(), "none", "right", "at"]]
    for case in cases:
        group = groups.get(case.name, [])
        if not group:
            continue
        row = [case.name, case.failure or "healthy"]
        for failure in FAILURES:
            first = sum(diagnosis(result["named"]) == failure for result in group)
            beside = sum(failure in result["named"] for result in group) - first
            row.append((str(first) if first else "") + (f" ({beside})" if beside else ""))
        row.append(str(sum(not result["named"] for result in group) or ""))
        row.append(f"{sum(right(result) for result in group)}/{len(group)}")
        row.append(when(case, group))
        rows.append([cell.strip() for cell in row])
    return rows


def right(result: Result) -> bool:
    """Whether the diagnosis is the mistake that was made, or nothing for a healthy run."""
    return (result["failure"] or "") == diagnosis(result["named"])


def when(case: Case, group: Sequence[Result]) -> str:
    """Mean share of the run at which the planted failure was first named."""
    shares = []
    for result in group:
        seen = [e["seen"] for e in result["events"] if e["failure"] == case.failure]
        if seen:
            shares.append(seen[0] / result["images"])
    return f"{100 * mean(shares):.0f} %" if shares else ""


def totals(results: Sequence[Result]) -> str:
    """Both counts in a sentence."""
    broken = [result for result in results if result["failure"]]
    healthy = [result for result in results if not result["failure"]]
    said = sum(right(result) for result in broken)
    quiet = sum(right(result) for result in healthy)
    return (
        f"{said} of {len(broken)} broken runs named correctly, "
        f"{quiet} of {len(healthy)} healthy runs without an alarm"
    )


def treated(
    cases: Sequence[Case], watched: Sequence[Result], acted: Sequence[Result]
) -> list[list[str]]:
    """Header and one row per broken case: its end untreated, treated, and its twin's."""
    before, after = by_case(watched), by_case(acted)
    rows = [["case", "planted", "untreated", "treated", "healthy twin", "well", "actions"]]
    for case in cases:
        if case.failure is None or case.name not in after:
            continue
        twin = _mean(before.get(case.twin, []))
        ends = [result["distance"] for result in after[case.name]]
        well = sum(ended_well(result, twin) for result in after[case.name])
        said = [event["action"] for event in after[case.name][0]["events"]]
        done = [action for action in said if changed(action)]
        rows.append(
            [
                case.name,
                case.failure,
                _number(_mean(before.get(case.name, []))),
                _number(_mean(after[case.name])),
                _number(twin) if case.twin else "none",
                f"{well}/{len(ends)}",
                "; ".join(dict.fromkeys(done)) or "none",
            ]
        )
    return rows


def endings(cases: Sequence[Case], watched: Sequence[Result], acted: Sequence[Result]) -> str:
    """How many treated runs ended well, of all and of those whose case has a healthy twin."""
    twins = {case.name: case.twin for case in cases}
    before = by_case(watched)
    known = [result for result in acted if twins.get(result["case"]) is not None]
    well = [ended_well(r, _mean(before.get(twins[r["case"]], []))) for r in known]
    mendable = sum(bool(twins[result["case"]]) for result in known)
    return (
        f"{sum(well)} of {len(known)} treated runs ended well; {mendable} of them have a mistake "
        "that settings can mend"
    )


def ended_well(result: Result, twin: float | None) -> bool:
    """Whether a treated run came near its healthy twin."""
    end = result["distance"]
    if twin is None or end is None:
        return False
    return end <= HEALTHY_WITHIN * max(twin, result["floor"])


def by_case(results: Sequence[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups[result["case"]].append(result)
    return groups


def markdown(table: Sequence[Sequence[str]]) -> str:
    """A table of a page."""
    head, *rows = table
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _mean(group: Sequence[Result]) -> float | None:
    ends = [result["distance"] for result in group]
    known = [end for end in ends if end is not None]
    return mean(known) if known and len(known) == len(ends) else None


def _number(value: float | None) -> str:
    return "did not end" if value is None else f"{value:.3g}"
