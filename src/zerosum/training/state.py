"""All that has state in a run, as one thing that is saved, restored and taken back."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zerosum.core.ema import EMA, generator_state
from zerosum.core.game import Game, Progress
from zerosum.core.runtime import Runtime
from zerosum.data.source import Examples, MutableSource
from zerosum.errors import UserError
from zerosum.training import checkpoint
from zerosum.training.fitting import fill

NOTED = ("treatment",)
"""What a checkpoint's state keeps for others."""


@dataclass
class TrainingState:
    """All that has state in a run; `notes` are JSON for the checkpoint, named in `NOTED`."""

    game: Game
    optimizers: Mapping[str, torch.optim.Optimizer]
    ema: EMA
    runtime: Runtime
    source: Examples
    codec_hash: str
    elapsed: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    def snapshot(self, position: int) -> checkpoint.Snapshot:
        """Everything, gathered from all ranks. Every rank must call it."""
        state = self.game.state_dict()
        tensors = {n: v for n, v in state.items() if isinstance(v, Tensor) and not _is_extra(n)}
        training = {
            "optimizers": {name: opt.state_dict() for name, opt in self.optimizers.items()},
            "random": self.runtime.gather(random_states(self.runtime.device)),
            # A replay pool, for one, is another on each rank.
            "extra": self.runtime.gather(
                {name: value for name, value in state.items() if name not in tensors}
            ),
        }
        if isinstance(self.source, MutableSource):
            training["source"] = self.source.state()
        progress = self.game.progress
        facts = {
            "step": progress.step,
            "seen": progress.seen,
            "position": position,
            "elapsed": self.elapsed,
            "codec": self.codec_hash,
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
        extras = snapshot.training["extra"]
        own = extras[self.runtime.rank % len(extras)]
        fill(self.game, snapshot.game | own, "the checkpoint")
        kept = snapshot.training["optimizers"]
        try:
            self.ema.load(snapshot.ema)
            for name, optimizer in self.optimizers.items():
                optimizer.load_state_dict(kept[name])
        except (KeyError, ValueError) as error:
            raise UserError(
                f"the checkpoint was written for the players {', '.join(kept)}, which are other "
                "ones as the model's code is now: bring back the code that the run began with, "
                "or train anew into another --out"
            ) from error

    def restore(self, snapshot: checkpoint.Snapshot, total: int) -> int:
        """Take everything up again.

        Returns:
            The position in the data.

        Raises:
            UserError: The checkpoint was written with another codec.
        """
        if snapshot.state["codec"] != self.codec_hash:
            raise UserError(
                "codec.json is another than the checkpoints were written with: "
                "bring it back, or name another folder with --out"
            )
        self.rewind(snapshot)
        if isinstance(self.source, MutableSource):
            self.source.load_state(snapshot.training["source"])
        states = snapshot.training["random"]
        if len(states) == self.runtime.world:
            restore_random(states[self.runtime.rank], self.runtime.device)
        else:  # another number of processes: new noise, the same data
            seed_everything(snapshot.state["seen"] * self.runtime.world + self.runtime.rank)
        state = snapshot.state
        self.notes = {name: state[name] for name in NOTED if name in state}
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


def _is_extra(name: str) -> bool:
    return name.endswith("_extra_state")
