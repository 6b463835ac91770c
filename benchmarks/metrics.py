"""Seconds and peak memory of the metrics that matter at full size.

    python benchmarks/metrics.py --n 50000 --dim 2048

The features are random and in float32, as extractors give them. Peak memory is the whole
process's largest resident set so far, so each figure includes the ones before it.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable

import torch

from zerosum.metrics import density_coverage, frechet_distance, kernel_distance, precision_recall


def peak_gib() -> float:
    """Largest resident set of this process so far; Linux counts KiB, macOS bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def report(name: str, work: Callable[[], object]) -> None:
    start = time.perf_counter()
    work()
    print(f"{name:<34}{time.perf_counter() - start:>10.2f} s{peak_gib():>10.2f} GiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=50_000, help="samples in each set")
    parser.add_argument("--dim", type=int, default=2048, help="features of a sample")
    parser.add_argument("--device", default="cpu", help="where to compute, such as cpu or cuda")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(args.n, args.dim, generator=rng).to(args.device)
    fake = (torch.randn(args.n, args.dim, generator=rng) * 1.1 + 0.1).to(args.device)
    print(f"n {args.n}, dim {args.dim}, {args.device}, {args.threads} threads")
    print(f"{'features alone':<34}{0:>10.2f} s{peak_gib():>10.2f} GiB")
    report(
        "frechet_distance, no interval",
        lambda: frechet_distance(real=real, fake=fake, interval=False),
    )
    report("frechet_distance", lambda: frechet_distance(real=real, fake=fake))
    report("precision_recall", lambda: precision_recall(real=real, fake=fake))
    report("density_coverage", lambda: density_coverage(real=real, fake=fake))
    report("kernel_distance", lambda: kernel_distance(real=real, fake=fake))


if __name__ == "__main__":
    main()
