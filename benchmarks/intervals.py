"""How often the 95 % intervals of the metrics hold what they claim to: a table for the docs.

    OMP_NUM_THREADS=1 python benchmarks/intervals.py

The cases are those of tests/metrics/test_metric_coverage.py. About five minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "metrics"))

from coverage_cases import CASES, coverage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=200, help="intervals of each case")
    parser.add_argument("--apart", type=int, default=1000, help="other draws, for the expectation")
    parser.add_argument("--only", default="", help="cases of this metric alone")
    args = parser.parse_args()
    print(
        "| metric | law | n | expectation | intervals | that hold it |\n|---|---|---|---|---|---|"
    )
    for case in (case for case in CASES if case.metric.startswith(args.only)):
        found = coverage(case, args.repetitions, args.apart)
        low, high = (f"{100 * end:.1f}" for end in found.interval)
        truth = f"{found.truth:.4g}" + (", exact" if case.truth is not None else "")
        print(
            f"| `{case.metric}` | {case.law} | {case.n} | {truth} | {args.repetitions} "
            f"| {100 * found.held:.1f} % [{low}, {high}] |",
            flush=True,
        )


if __name__ == "__main__":
    main()
