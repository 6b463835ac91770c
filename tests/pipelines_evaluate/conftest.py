"""A tiny run and two folders of pictures, made once."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

import zerosum


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Threads that wait for a busy core make these small networks ten times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def train(one_thread):
    """Train a preset for a moment, so that there is a run to score: (preset, folder, changes)."""

    def brief(preset, folder, changes=None):
        short = {"train.examples": 256, "evaluate.samples": 0, **(changes or {})}
        zerosum.train(zerosum.recipe(preset).override(short), out=folder, quiet=True)
        return folder

    return brief


@pytest.fixture(scope="session")
def tiny_run(train, tmp_path_factory):
    """A run on the digits that has learned nothing much."""
    return train("rpgan/tiny", tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """`alike` and `other` hold different digits, `noise` none, `large` at twice the size."""
    root = tmp_path_factory.mktemp("pictures")
    digits = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)
    rng = np.random.default_rng(0)
    sets = {
        "real": digits[:200],
        "alike": digits[200:320],
        "noise": rng.integers(0, 256, (120, 8, 8), dtype=np.uint8),
        "few": digits[:5],
    }
    for name, pictures in sets.items():
        (root / name).mkdir()
        for i, picture in enumerate(pictures):
            Image.fromarray(picture).save(root / name / f"{i:03d}.png")
    for name in ("large", "colour"):
        (root / name).mkdir()
        for i, picture in enumerate(digits[200:320]):
            image = Image.fromarray(picture)
            image = image.resize((16, 16)) if name == "large" else image.convert("RGB")
            if name == "colour":
                image.putpixel((0, 0), (255, 0, 0))
            image.save(root / name / f"{i:03d}.png")
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache for each test, and no weights from outside."""
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZEROSUM_WEIGHTS", raising=False)
    return tmp_path / "cache" / "features"
