"""What a design gains: a cheap score under several seeds, and real docking, beside its baselines.

    python benchmarks/design.py --from runs/qm9 --out runs/designs --page designs.md

All begin with one run of `molgan/qm9` (trained here where `--from` is left out), five cycles of
400 calls. The cheap score is `qed,sa`, under each seed; docking is `docking:CA2`, under the first
(2,400 dockings for the design, as many for each baseline; about two hours of two cores in all).
Told are, of the last cycle against cycle 0, the change at equal numbers of heavy atoms with its
bootstrap interval and the internal diversity, and of each search the mean of its best 100. A
design that is there is not made again, and one that was stopped goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import zerosum
from zerosum.files import write_text
from zerosum.pipelines.design import Found, design, plan
from zerosum.pipelines.design.page import measured

CHEAP, DOCKING = "qed,sa", "docking:CA2"
SYSTEM = "molgan/qm9"


def row(score: str, seed: int, found: Found) -> str:
    """A line of the first table."""
    first, last = found.story[0], found.story[-1]
    start, end = (one.sampled.diversity.value or 0.0 for one in (first, last))
    name = next(part for part in last.laws if part != "score") if score == DOCKING else "score"
    cells = [
        f"`{score}`",
        str(seed),
        measured(first.laws[name].mean),
        measured(last.laws[name].mean),
        measured(last.laws[name].gain),
        f"{end / start:.3f}",
        *(measured(one.sampled.validity) for one in (first, last)),
    ]
    return f"| {' | '.join(cells)} |"


def rivals(score: str, seed: int, found: Found) -> list[str]:
    """Lines of the second table."""
    return [
        f"| `{score}` | {seed} | {one.name} | {one.calls:,} | {one.best:.3f} | {one.few:.3f} | "
        f"{one.many:.3f} | {one.diversity:.3f} |"
        for one in found.searches
    ]


def main() -> None:
    about = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    about.add_argument("--from", dest="start", type=Path, help="a finished run of molecules")
    about.add_argument("--out", type=Path, default=Path("runs/designs"))
    about.add_argument("--page", type=Path, help="write the tables here too")
    about.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    about.add_argument("--cycles", type=int, default=5)
    about.add_argument("--calls", type=int, default=400)
    about.add_argument("--examples", type=int, default=30_000)
    about.add_argument("--no-docking", action="store_true")
    given = about.parse_args()
    start = given.start or given.out / "pretrained"
    if given.start is None:
        zerosum.train(SYSTEM, start)
    wanted = [(CHEAP, seed) for seed in given.seeds]
    if not given.no_docking:
        wanted.append((DOCKING, given.seeds[0]))
    gains, races = [], []
    for score, seed in wanted:
        settings = {"calls": given.calls, "examples": given.examples, "seed": seed}
        terms = plan(None, start=str(start), score=score, **settings)
        place = given.out / f"{score.replace(':', '-').replace(',', '-')}-{seed}"
        found = design(terms, place, cycles=given.cycles)
        gains.append(row(score, seed, found))
        races += rivals(score, seed, found)
    text = "\n".join(
        [
            "| score | seed | cycle 0 | last cycle | change at equal size | diversity kept | "
            "validity, cycle 0 | validity, last |",
            "|---|---|---|---|---|---|---|---|",
            *gains,
            "",
            "| score | seed | search | calls | best | best 10 | best 100 | their diversity |",
            "|---|---|---|---|---|---|---|---|",
            *races,
            "",
        ]
    )
    print(text)
    if given.page is not None:
        write_text(given.page, text)


if __name__ == "__main__":
    main()
