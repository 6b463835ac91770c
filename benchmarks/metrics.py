"""Seconds and peak memory of the metrics that matter at full size.

    OMP_NUM_THREADS=2 python benchmarks/metrics.py --n 50000 --dim 2048

The features are random and in float32, as extractors give them. Each metric runs in a process of
its own; its peak memory is that process's largest resident set, the features themselves included.
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from zerosum import metrics

Work = Callable[[Tensor, Tensor], object]

METRICS: Mapping[str, Work] = {
    "features alone": lambda real, fake: None,
    "frechet_distance_without_interval": lambda real, fake: metrics.frechet_distance(
        real=real, fake=fake, interval=False
    ),
    "frechet_distance": lambda real, fake: metrics.frechet_distance(real=real, fake=fake),
    "prdc": lambda real, fake: metrics.prdc(real=real, fake=fake),
    "precision_recall": lambda real, fake: metrics.precision_recall(real=real, fake=fake),
    "density_coverage": lambda real, fake: metrics.density_coverage(real=real, fake=fake),
    "kernel_distance": lambda real, fake: metrics.kernel_distance(real=real, fake=fake),
    "mind": lambda real, fake: metrics.mind(real=real, fake=fake),
    "vendi": lambda real, fake: metrics.vendi(fake=fake),
}


def peak_gb() -> float:
    """Largest resident set of this process so far, 10⁹ bytes; Linux counts KiB, macOS bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def normal(n: int, dim: int, seed: int) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def measure(name: str, n: int, dim: int, device: str) -> None:
    """Print one metric's seconds of the clock and of the processor, and its peak memory."""
    real = normal(n, dim, 0).to(device)
    fake = normal(n, dim, 1).mul_(1.1).add_(0.1).to(device)
    clock, processor = time.perf_counter(), time.process_time()
    METRICS[name](real, fake)
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    print(f"| `{name}` | {clock:.1f} | {processor:.1f} | {peak_gb():.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=50_000, help="samples in each set")
    parser.add_argument("--dim", type=int, default=2048, help="features of a sample")
    parser.add_argument("--device", default="cpu", help="where to compute, such as cpu or cuda")
    parser.add_argument("--metrics", default=",".join(METRICS), help="which, by comma")
    parser.add_argument("--alone", action="store_true", help="in this process, for one metric")
    args = parser.parse_args()
    names = [name for name in METRICS if name in args.metrics.split(",")]
    if args.alone:
        measure(names[0], args.n, args.dim, args.device)
        return
    print(f"n {args.n:,}, dim {args.dim:,}, {args.device}, {torch.get_num_threads()} threads,")
    print(f"torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}")
    print("\n| metric | s | CPU s | peak GB |\n|---|---|---|---|", flush=True)
    sizes = ["--n", str(args.n), "--dim", str(args.dim), "--device", args.device]
    for name in names:
        words = [sys.executable, __file__, *sizes, "--metrics", name, "--alone"]
        subprocess.run(words, check=True)


if __name__ == "__main__":
    main()
