"""The folder of a run: who may write into it, and what a resumed run takes up."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zerosum.core import checkpoint
from zerosum.core.ema import EMA, generator_state
from zerosum.core.files import write_text
from zerosum.core.game import Game, Progress
from zerosum.core.recipe import Recipe
from zerosum.core.registry import system
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError

FREE = (
    *(f"train.{name}" for name in ("checkpoint_every", "keep", "sheet_every", "log_every")),
    *(f"evaluate.{name}" for name in ("every", "samples", "seed", "features", "metrics")),
    *(f"doctor.{name}" for name in ("policy", "every", "actions")),
    "data.workers",
)
"""Settings that change no weight: a run may go on with other ones."""
NOTES = ("treatment",)
"""What a checkpoint's state keeps for others."""
KEPT = ("best", "good", "start")
"""Folders in a run's that hold one checkpoint each, and can be named in the run's place."""


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, and the right to write there."""

    path: Path

    @classmethod
    def around(cls, path: Path) -> RunFolder:
        """That of a run, or of the run that one of its kept checkpoints (`KEPT`) lies in."""
        kept = path.name in KEPT and (path.parent / "recipe.json").is_file()
        return cls(path.parent if kept else path)

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.json"

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def scores(self) -> Path:
        return self.path / "scores.jsonl"

    @property
    def sheets(self) -> Path:
        return self.path / "samples"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the best score so far, where scores are taken on the way."""
        return self.path / "best"

    @property
    def good(self) -> Path:
        """The last state in which nothing ailed, under the doctor's policy `act`."""
        return self.path / "good"

    @property
    def start(self) -> Path:
        """The state before the first step, under the same policy."""
        return self.path / "start"

    @property
    def checkups(self) -> Path:
        """What the doctor measured."""
        return self.path / "checkups.jsonl"

    @property
    def events(self) -> Path:
        """What the doctor named."""
        return self.path / "events.jsonl"

    @property
    def machine(self) -> Path:
        return self.path / "machine.json"

    def check(self, recipe: Recipe) -> None:
        """Refuse a folder that holds something else than an earlier part of this run.

        Raises:
            UserError: Another recipe's run (says what differs), or files of another kind.
        """
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise UserError(f"{self.path} is a file: name a folder with --out")
        if not self.recipe.is_file():
            if any(not path.name.startswith(".") for path in self.path.iterdir()):
                raise UserError(
                    f"{self.path} holds files but no run: name an empty folder with --out"
                )
            return
        stored = self.read(recipe)
        differing = {
            path: values
            for path, values in stored.differences(recipe).items()
            if path not in (*FREE, "train.images")
        }
        if stored.train.images > recipe.train.images:
            values = (stored.train.images, recipe.train.images)
            differing["train.images (may only grow)"] = values
        if differing:
            listed = ", ".join(f"{p} was {a} and is now {b}" for p, (a, b) in differing.items())
            raise UserError(
                f"{self.path} holds another run: {listed}. Name another folder with --out, "
                "or give the old settings to go on with it"
            )

    def read(self, like: Recipe) -> Recipe:
        """The stored recipe, read as one of the same system as `like`."""
        try:
            text = self.recipe.read_text()
            name = json.loads(text)["system"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.recipe} is damaged: name another folder with --out") from error
        if name != like.system:
            raise UserError(
                f"{self.path} holds a run of {name}, not of {like.system}: "
                "name another folder with --out"
            )
        return Recipe.from_json(text, type(like.model))

    def claim(self, recipe: Recipe, machine: Mapping[str, str]) -> None:
        """Store the resolved recipe, where it is trained, and make the folders.

        The recipe comes first: killed in between, the folder is known as a run's.
        """
        write_text(self.recipe, recipe.to_json())
        self.sheets.mkdir(parents=True, exist_ok=True)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        write_text(self.machine, json.dumps(machine, indent=2) + "\n")


@dataclass
class Actors:
    """All that has state in a run; `notes` are JSON for the checkpoint, named in `NOTES`."""

    game: Game
    optimizers: Mapping[str, torch.optim.Optimizer]
    ema: EMA
    runtime: Runtime
    elapsed: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    def snapshot(self, position: int) -> checkpoint.Snapshot:
        """Everything, gathered from all ranks. Every rank must call it."""
        state = self.game.state_dict()
        tensors = {n: v for n, v in state.items() if isinstance(v, Tensor) and not _is_extra(n)}
        training = {
            "optimizers": {name: opt.state_dict() for name, opt in self.optimizers.items()},
            "random": self.runtime.gather(random_states(self.runtime.device)),
            "extra": {name: value for name, value in state.items() if name not in tensors},
        }
        progress = self.game.progress
        facts = {
            "step": progress.step,
            "seen": progress.seen,
            "position": position,
            "elapsed": self.elapsed,
            **self.notes,
        }
        averaged = generator_state(self.game) | self.ema.shadow
        return checkpoint.Snapshot(tensors, averaged, training, facts)

    def save(self, folder: Path, position: int, keep: int) -> None:
        """Write a checkpoint into a folder of them. Every rank must call it.

        Raises:
            UserError: The disk refuses it; on every rank.
        """
        snapshot, refusal = self.snapshot(position), ""
        if self.runtime.first:
            try:
                checkpoint.save(folder, self.game.progress.step, snapshot, keep)
            except UserError as error:
                refusal = str(error)
        self.runtime.agree(refusal)

    def rewind(self, snapshot: checkpoint.Snapshot) -> None:
        """Weights, averages and optimizers of a snapshot; clock, data and noise go on."""
        self.game.load_state_dict(snapshot.game | snapshot.training["extra"])
        self.ema.load(snapshot.ema)
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(snapshot.training["optimizers"][name])

    def restore(self, snapshot: checkpoint.Snapshot, total: int) -> int:
        """Take everything up again.

        Returns:
            The position in the data.
        """
        self.rewind(snapshot)
        states = snapshot.training["random"]
        if len(states) == self.runtime.world:
            restore_random(states[self.runtime.rank], self.runtime.device)
        else:  # another number of processes: new noise, the same data
            seed_everything(snapshot.state["seen"] * self.runtime.world + self.runtime.rank)
        state = snapshot.state
        self.notes = {name: state[name] for name in NOTES if name in state}
        self.game.progress = Progress(state["step"], state["seen"], total)
        self.elapsed = state["elapsed"]
        return state["position"]


def seed_everything(seed: int) -> None:
    """Seed python, numpy and torch on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_states(device: torch.device) -> dict[str, Any]:
    """The states of all random generators, as plain containers and tensors."""
    kind, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.asarray(keys, dtype=np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore_random(states: Mapping[str, Any], device: torch.device) -> None:
    """Put all random generators back."""
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if device.type == "cuda" and states["cuda"] is not None:
        torch.cuda.set_rng_state(states["cuda"], device)


def read_run(path: Path, module: str | None = None) -> tuple[Game, Recipe, checkpoint.Snapshot]:
    """The game of a run with its averaged weights, its recipe and its newest whole checkpoint.

    Args:
        path: Folder of a run, or `best`, `good` or `start` in it for the
            checkpoint that is kept there.
        module: Module or file of an outside model.

    Raises:
        UserError: The folder holds no run, or no whole checkpoint yet.
    """
    folder = RunFolder.around(path)
    if not folder.recipe.is_file():
        raise UserError(
            f"{path} is no run: give the folder that `zerosum train --out` wrote, "
            "with recipe.json and checkpoints inside"
        )
    try:
        text = folder.recipe.read_text()
        name = json.loads(text)["system"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder.recipe} is damaged and cannot be read") from error
    found = system(name, module)
    recipe = Recipe.from_json(text, found.game.Config)
    newest, complaints = checkpoint.latest(folder.checkpoints if folder.path == path else path)
    if newest is None:
        detail = f" ({complaints[0]})" if complaints else ""
        raise UserError(f"{path} has no whole checkpoint yet{detail}: train it longer first")
    snapshot = checkpoint.load(newest)
    game = found.game(recipe.model)
    game.load_state_dict(snapshot.game | snapshot.training["extra"])
    game.load_state_dict(snapshot.ema, strict=False)
    state = snapshot.state
    game.progress = Progress(state["step"], state["seen"], recipe.train.images)
    return game.eval(), recipe, snapshot


def _is_extra(name: str) -> bool:
    return name.endswith("_extra_state")
