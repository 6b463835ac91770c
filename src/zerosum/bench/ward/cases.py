"""Who lies on the ward: each case with the mistake that was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zerosum.core.recipe import Recipe
from zerosum.core.registry import recipe
from zerosum.data.config import DataConfig
from zerosum.doctor.event import Failure

PATIENTS = "zerosum.bench.ward.patients."


@dataclass(frozen=True)
class Case:
    """One recipe, and what is wrong with it.

    Attributes:
        name: Short name.
        failure: What the doctor must say; None for a healthy one.
        story: The mistake, in a few words.
        base: The preset it began as.
        changes: Overrides of the preset.
        data: Writes a broken set into a folder and returns its path.
        module: Module of a patient.
        twin: The healthy case whose end is what `act` should come near; "" where only another
            program or other data can mend the mistake.
    """

    name: str
    failure: Failure | None
    story: str
    base: str
    changes: Mapping[str, object] = field(default_factory=dict)
    data: Callable[[Path], Path] | None = None
    module: str | None = None
    twin: str = ""

    def recipe(self, seed: int, folder: Path) -> Recipe:
        """The whole recipe of one seed; `folder` takes data that must be made."""
        found = recipe(self.base, self.module)
        if self.data is not None:
            found = found.with_data(str(self.data(folder)))
        return found.override({"train.seed": seed, **self.changes})

    def healthy_data(self, asked: Recipe) -> DataConfig:
        """The data as they would be without the mistake."""
        if self.data is None and getattr(asked.data, "limit", None) is None:
            return asked.data
        return recipe(self.base, self.module).data


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    rows, labels = load_digits(return_X_y=True)
    return np.asarray(rows).reshape(-1, 8, 8), np.asarray(labels)


def _store(folder: Path, images: np.ndarray, labels: np.ndarray | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "data.npz"
    if labels is None:
        np.savez(path, images=images.astype(np.uint8))
    else:
        np.savez(path, images=images.astype(np.uint8), labels=labels)
    return path


def too_dark(folder: Path) -> Path:
    """Pictures in [0, 1] stored as bytes."""
    images, _ = _digits()
    return _store(folder, np.round(images / 16))


def one_class(folder: Path) -> Path:
    """Nearly only threes."""
    images, labels = _digits()
    rng = np.random.default_rng(0)
    kept = (labels == 3) | (rng.random(len(labels)) < 0.02)
    return _store(folder, images[kept] * 255 / 16, labels[kept])


def repeats(folder: Path) -> Path:
    """Two hundred pictures, nine times each."""
    images, _ = _digits()
    return _store(folder, np.tile(images[:200] * 255 / 16, (9, 1, 1)))


SHORT = {"train.examples": 100_000}

CASES = (
    Case(
        "ring", None, "rpgan with R1 and R2, eight modes", "toy/ring", {"train.examples": 500_000}
    ),
    Case("grid", None, "the same, 25 modes", "toy/grid", {"train.examples": 800_000}),
    Case("rpgan", None, "half the preset's length", "rpgan/digits", SHORT),
    Case("wgan_gp", None, "a short run", "wgan_gp/digits", {"train.examples": 60_000}),
    Case("dcgan", None, "half the preset's length", "dcgan/digits", SHORT),
    Case(
        "dirac-r1",
        None,
        "the Dirac-GAN with R1",
        "dirac/tiny",
        {"model.gamma": 1.0},
        module=PATIENTS + "dirac",
    ),
    Case(
        "even",
        None,
        "the game of 2014 on eight modes with R1 and R2 and even rates",
        "toy/collapse",
        {"model.gamma": 0.1, "optim.generator.lr": 5e-4},
    ),
    Case("projection", None, "a short run", "projection/digits", SHORT),
    Case("acgan", None, "weights that begin small", "acgan/digits"),
    Case("gan", None, "the game of 2014, which learns late", "gan/digits"),
    Case("vae", None, "a short run", "vae/digits", SHORT),
    Case("fashion", None, "dcgan, a short run", "dcgan/fashion", {"train.examples": 40_000}),
    Case(
        "hasty",
        "mode collapse",
        "the plain game of 2014 on eight modes, the generator four times as fast",
        "toy/collapse",
        twin="even",
    ),
    Case(
        "began",
        "mode collapse",
        "k at a hundred times the paper's rate, for less diversity than images of 8x8 need",
        "began/digits",
        {**SHORT, "model.diversity": 0.8, "model.rate": 0.1},
    ),
    Case(
        "saturated",
        "vanishing gradient",
        "the minimax loss with a judge twenty times as fast and no dropout",
        "gan/digits",
        {
            "train.examples": 150_000,
            "model.objective": "minimax",
            "model.dropout": 0.0,
            "optim.discriminator.lr": 2e-3,
            "optim.generator.lr": 1e-4,
        },
        twin="dcgan",
    ),
    Case(
        "hot",
        "exploding",
        "learning rates x 100",
        "rpgan/digits",
        {**SHORT, "optim.generator.lr": 0.1, "optim.discriminator.lr": 0.1},
        twin="rpgan",
    ),
    Case(
        "hot-ring",
        "exploding",
        "learning rates x 100",
        "toy/ring",
        {"train.examples": 500_000, "optim.generator.lr": 0.1, "optim.discriminator.lr": 0.1},
        twin="ring",
    ),
    Case(
        "few",
        "discriminator overfit",
        "100 pictures",
        "rpgan/digits",
        {"train.examples": 60_000, "data.limit": 100},
        twin="rpgan",
    ),
    Case(
        "learnt-by-heart",
        "memorisation",
        "16 pictures",
        "rpgan/digits",
        {"train.examples": 60_000, "data.limit": 16},
        twin="rpgan",
    ),
    Case(
        "dirac",
        "oscillation",
        "the Dirac-GAN without a regulariser",
        "dirac/tiny",
        module=PATIENTS + "dirac",
        twin="dirac-r1",
    ),
    Case(
        "squeezed",
        "ill-conditioned generator",
        "one number of the code is 3,000 times as loud as the others",
        "squeezed/digits",
        {"train.examples": 60_000},
        module=PATIENTS + "squeezed",
    ),
    Case(
        "outclassed",
        "imbalance",
        "a judge a thousand times slower",
        "dcgan/digits",
        {**SHORT, "optim.discriminator.lr": 2e-7},
        twin="dcgan",
    ),
    Case(
        "lazy",
        "imbalance",
        "a generator a thousand times slower",
        "rpgan/digits",
        {**SHORT, "optim.generator.lr": 1.5e-6},
        twin="rpgan",
    ),
    Case(
        "deaf",
        "condition ignored",
        "the judge does not hear the label",
        "deaf/digits",
        {"train.examples": 150_000},
        module=PATIENTS + "deaf",
    ),
    Case(
        "leaky",
        "augmentation leak",
        "real pictures alone are augmented",
        "leaky/digits",
        SHORT,
        module=PATIENTS + "leaky",
        twin="rpgan",
    ),
    Case(
        "dark",
        "data problem",
        "pictures in 0 .. 1 stored as bytes",
        "rpgan/digits",
        {"train.examples": 20_000},
        data=too_dark,
    ),
    Case(
        "one-class",
        "data problem",
        "nearly only threes",
        "rpgan/digits",
        {"train.examples": 20_000},
        data=one_class,
    ),
    Case(
        "repeats",
        "data problem",
        "each picture nine times",
        "rpgan/digits",
        {"train.examples": 20_000},
        data=repeats,
    ),
    Case(
        "dead",
        "dead run",
        "a learning rate of 1e-9",
        "dcgan/digits",
        {**SHORT, "optim.generator.lr": 1e-9},
        twin="dcgan",
    ),
    Case(
        "asleep",
        "dead run",
        "a judge with a learning rate of 1e-9",
        "rpgan/digits",
        {**SHORT, "optim.discriminator.lr": 1e-9},
        twin="rpgan",
    ),
    Case(
        "still-ring",
        "dead run",
        "a generator with a learning rate of 1e-9",
        "toy/ring",
        {"train.examples": 500_000, "optim.generator.lr": 1e-9},
        twin="ring",
    ),
)
