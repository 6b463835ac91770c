"""The families' results as tables, on the screen and between the marks of pages."""

from __future__ import annotations

import statistics
import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence

from zerosum.bench.families.protocol import SEED, Protocol
from zerosum.bench.families.run import Result
from zerosum.bench.families.search import usual_trials
from zerosum.bench.pages import mean_and_spread
from zerosum.metrics.judge import K

Rivals = Mapping[str, Mapping[str, float | None]]


def row_of(result: Result) -> str:
    """The row that a result belongs to, such as `gan` or `gan (tuned)`."""
    return tuned(result["system"]) if result.get("tuning") else result["system"]


def tuned(system: str) -> str:
    """The name of a system's second row."""
    return f"{system} (tuned)"


def by_row(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Results of the seeds of each row, the best mean Fréchet distance first."""
    found: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        found[row_of(result)].append(result)
    return dict(sorted(found.items(), key=lambda item: mean(item[1], "FD pixels")))


def mean(results: Sequence[Result], score: str) -> float:
    return statistics.mean(result["scores"][score] for result in results)


def table(
    results: Sequence[Result], rivals: Rivals, links: Mapping[str, str] | None = None
) -> str:
    """A Markdown table: rows that need no training first, then one per system, or two.

    Args:
        results: Of any number of systems and seeds, all on one set.
        rivals: Scores of the rows without training.
        links: Where a system's name leads to.
    """
    scores = list(next(iter(rivals.values())))
    searches = any(result.get("tuning") for result in results)
    columns = [*scores, "seeds", "images", "train s", *(["search s"] if searches else [])]
    lines = ["| system | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rivals.items():
        cells = [_cell([row[score]]) for score in scores]
        cells += ["-"] * (len(columns) - len(scores))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for name, group in by_row(results).items():
        link = (links or {}).get(group[0]["system"])
        shown = f"[{name}]({link})" if link else name
        cells = [_cell([r["scores"][score] for r in group]) for score in scores]
        cells.append(str(len(group)))
        cells.append(f"{statistics.mean(r['images'] for r in group):,.0f}")
        seconds = [r["seconds"] for r in group if r["seconds"]]
        cells.append(f"{statistics.mean(seconds):.0f}" if seconds else "-")
        if searches:
            tuning = group[0].get("tuning")
            cells.append(f"{tuning['seconds']:.0f}" if tuning else "-")
        lines.append(f"| {shown} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: Sequence[float | None]) -> str:
    return mean_and_spread([value for value in values if value is not None])


def note(judge: Protocol, results: Sequence[Result]) -> str:
    """The protocol of a table in words."""
    seeds = sorted({result["seed"] for result in results})
    versions = ", ".join(sorted({result["torch"] for result in results}))
    machines = " and ".join(sorted({result["machine"] for result in results}))
    count = len(judge.real)
    which = f"all {count:,}" if not judge.count else f"{count:,} of the"
    return (
        f"{count:,} samples (seed {SEED}) of the averaged generator against {which} real images, "
        f"k = {K}; mean ± standard deviation over training seeds {', '.join(map(str, seeds))}. "
        f"Budget: {budget(results)} ({machines}), torch {versions}. Fine detail: power in the "
        "highest quarter of frequencies, real images having 1. Real halves have half the "
        "samples, which alone raises their Fréchet distance. Held-out nats: mean log probability "
        f"of a held-out pixel's level, or a lower bound on it.{_searches(results)}"
    )


def _searches(results: Sequence[Result]) -> str:
    """What the tuned rows are, and what they cost; empty where there are none."""
    found = {r["system"]: r["tuning"] for r in results if r.get("tuning")}
    if not found:
        return ""
    one = next(iter(found.values()))
    costs = [round(tuning["seconds"]) for tuning in found.values()]
    cost = " to ".join(str(one) for one in dict.fromkeys((min(costs), max(costs))))
    return (
        f" Tuned: the best of {one['trials']} trials of {one['budget']:g} s around the preset, "
        f"which is the first of them, by the run's own score on seed {one['seed']}; trained "
        f"again on the seeds of the table. A search cost {cost} s of processor time, scores "
        "included."
    )


def budget(results: Sequence[Result]) -> str:
    """What each training was allowed, in words."""
    seconds = results[0]["budget"]
    return f"{seconds:g} s of processor time each" if seconds else "the preset's number of images"


def command(judge: Protocol, results: Sequence[Result]) -> str:
    """The command that makes the rows of one system."""
    system, seeds = results[0]["system"], len({r["seed"] for r in results})
    seconds = results[0]["budget"]
    length = "" if seconds == judge.seconds else f" --seconds {seconds:g}"
    trials = max(r["tuning"]["trials"] if r.get("tuning") else 0 for r in results)
    tuning = "" if trials == usual_trials(seconds) else f" --trials {trials}"
    return (
        f"zerosum bench families --set {judge.preset} --systems {system} --seeds {seeds}"
        f"{length}{tuning}"
    )


def section(judge: Protocol, results: Sequence[Result], rivals: Rivals, sheet: str = "") -> str:
    """What a model's page shows between its marks.

    Args:
        judge: The protocol.
        results: Of one system, tuned or not.
        rivals: Rows without training.
        sheet: A picture of samples, relative to the page.
    """
    cost = statistics.mean(result["milliseconds per sample"] for result in results)
    parameters = results[0]["parameters"]
    return "\n\n".join(
        [
            f"```\n{command(judge, results)}\n```",
            table(results, rivals),
            wrapped(note(judge, results)),
            f"{parameters:,} parameters in all; one sample costs {cost:.2g} ms there.",
            *([f"![samples of {results[0]['system']}]({sheet})"] if sheet else []),
        ]
    )


def wrapped(text: str, width: int = 128) -> str:
    """A paragraph in lines."""
    return "\n".join(textwrap.wrap(text, width))
