"""Runs compared bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from zerosum.training import checkpoint
from zerosum.training.checkpoint import Snapshot


def newest(run: Path) -> Snapshot:
    path, complaints = checkpoint.latest(run / "checkpoints")
    assert path is not None and not complaints, complaints
    return checkpoint.load(path)


def assert_equal(first, second, where=""):
    """Nested containers of tensors and plain values are equal to the bit."""
    assert type(first) is type(second), where
    if isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype and torch.equal(first, second), where
    elif isinstance(first, dict):
        assert list(first) == list(second), where
        for name in first:
            assert_equal(first[name], second[name], f"{where}/{name}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), where
        for number, (a, b) in enumerate(zip(first, second, strict=True)):
            assert_equal(a, b, f"{where}/{number}")
    else:
        assert first == second, where


def assert_same_end(first: Path, second: Path) -> None:
    """Two runs ended with equal weights, averages, optimizers, random states and positions."""
    one, two = newest(first), newest(second)
    assert one.game and one.ema and one.training["optimizers"]["generator"]["state"]
    assert_equal(one.game, two.game, "game")
    assert_equal(one.ema, two.ema, "ema")
    assert_equal(one.training, two.training, "training")
    for name in ("step", "seen", "position"):
        assert one.state[name] == two.state[name], name


def samples(run, folder: Path, out: Path) -> dict[str, np.ndarray]:
    """What `zerosum generate` draws from a run, in a process of its own."""
    run("generate", folder, "-n", 20, "--seed", 3, "--out", out)
    with np.load(out) as arrays:
        return dict(arrays)


def assert_same_samples(run, first: Path, second: Path) -> None:
    """`zerosum generate` draws the same from both runs, as arrays."""
    one = samples(run, first, first.parent / f"{first.name}.npz")
    two = samples(run, second, second.parent / f"{second.name}.npz")
    assert one.keys() == two.keys()
    assert one["images"].std() > 0
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def make_pictures(folder: Path, count: int = 50, side: int = 8) -> Path:
    """A folder of small grey PNGs in two classes."""
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 256, (side, side), dtype=np.uint8)
        place = folder / ("cats" if number % 2 else "dogs")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number:03d}.png")
    return folder
