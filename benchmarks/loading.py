"""How fast batches come: in memory, decoded on demand, and from tar shards.

Run `python benchmarks/loading.py`. The pictures are made on the spot, so the rates compare
machines and settings, not sets. Each rate is the median of several equal stretches.
"""

from __future__ import annotations

import argparse
import statistics
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from zerosum.data.feed import Feed, feed
from zerosum.data.stream import StreamFeed
from zerosum.modalities.images import Images

SIDE = 64  # pixels, of what the network would see


def photograph(number: int, side: int) -> Image.Image:
    """Soft noise, which a JPEG codec finds about as hard as a photograph."""
    rng = np.random.default_rng(number)
    noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2))


def write(root: Path, count: int, side: int, shards: int) -> None:
    """The same JPEG files as a folder and as tar shards."""
    (root / "files").mkdir()
    (root / "shards").mkdir()
    for number in range(count):
        photograph(number, side).save(root / "files" / f"{number:06}.jpg", quality=90)
    for shard in range(shards):
        with tarfile.open(root / "shards" / f"{shard:03}.tar", "w") as archive:
            for number in range(shard, count, shards):
                archive.add(root / "files" / f"{number:06}.jpg", f"{number:06}.jpg")


def rate(source: Feed | StreamFeed, batch: int, seconds: float, stretches: int = 5) -> float:
    """Pictures per second, the median of equal stretches after a start."""
    for _ in range(3):
        next(source)
    rates = []
    for _ in range(stretches):
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < seconds / stretches:
            next(source)
            done += batch
        rates.append(done / (time.perf_counter() - start))
    source.close()
    return statistics.median(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=512, help="pictures made")
    parser.add_argument("--side", type=int, default=256, help="their side in pixels")
    parser.add_argument("--batch", type=int, default=64, help="pictures per batch")
    parser.add_argument("--seconds", type=float, default=5.0, help="time per rate")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write(root, options.count, options.side, shards=8)
        common = {"size": SIDE, "channels": 3, "holdout": 0}
        cases = [("in memory", "files", 2.0, 0)]
        cases += [(f"on demand, {n} worker processes", "files", 0.0, n) for n in (0, 1, 2)]
        cases += [(f"tar shards, {n} threads", "shards", 0.0, n) for n in (0, 1, 2)]
        print(f"{options.count} JPEG of {options.side}x{options.side} to {SIDE}x{SIDE}, ", end="")
        print(f"batch {options.batch}; pictures per second")
        for words, folder, memory, workers in cases:
            config = {"path": str(root / folder), "memory": memory, "flip": True, **common}
            start = time.perf_counter()
            train = Images.model_validate(config).open().train
            opened = time.perf_counter() - start
            source = feed(train, batch=options.batch, workers=workers)
            measured = rate(source, options.batch, options.seconds)
            print(f"  {words:32} {measured:12,.0f}   (opened in {opened:.2f} s)")


if __name__ == "__main__":
    main()
