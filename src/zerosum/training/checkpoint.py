"""Atomic checkpoints and exact resume.

A checkpoint is a folder `step_<n>` with `game.safetensors`, `ema.safetensors`, `optimizers.pt`
(read with `weights_only=True`) and `state.json`, which also holds a digest of each file. It is
written under a temporary name, flushed to disk and renamed, so that a kill at any moment leaves
the one before intact.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from zerosum.errors import UserError
from zerosum.files import disk_errors, flush, read_json

FORMAT = 2


@dataclass
class Snapshot:
    """All that a run needs to go on as if it had never stopped.

    Attributes:
        game: Parameters and buffers.
        ema: Averaged weights and buffers that sampling needs.
        training: Optimizers, random and extra states of each rank, a source's changes: tensors
            and plain containers.
        state: Clock, position in the data, elapsed time: JSON.
    """

    game: dict[str, Tensor]
    ema: dict[str, Tensor]
    training: dict[str, Any]
    state: dict[str, Any] = field(default_factory=dict)


def save(folder: Path, step: int, snapshot: Snapshot, keep: int = 2) -> Path:
    """Write a checkpoint atomically, then drop the oldest beyond `keep`.

    A whole checkpoint of the same step stays as it is: to replace it would mean a moment without
    it. Checkpoints of later steps go: the run went back beyond them because they are damaged.

    Raises:
        UserError: The disk is full or refuses the write; what was there before is intact.
    """
    final = folder / f"step_{step:08d}"
    if damage(final) is not None:
        with disk_errors(folder, "the checkpoints written before are intact"):
            _write(final, snapshot)
    whole = checkpoints(folder)
    here = whole.index(final) + 1
    for old in [*whole[here:], *whole[:here][:-keep], *folder.glob(".*_step_*")]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def _write(final: Path, snapshot: Snapshot) -> None:
    """Write a checkpoint under another name and rename it."""
    folder = final.parent
    partial, aside = folder / f".writing_{final.name}", folder / f".old_{final.name}"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_tensors(snapshot.game, partial / "game.safetensors")
        save_tensors(snapshot.ema, partial / "ema.safetensors")
        torch.save(snapshot.training, partial / "optimizers.pt")
        digests = {file.name: _digest(file) for file in sorted(partial.iterdir())}
        state = {"format": FORMAT, **snapshot.state, "digests": digests}
        (partial / "state.json").write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
        for file in partial.iterdir():
            flush(file)
        flush(partial)
        if final.exists():  # a damaged one
            shutil.rmtree(aside, ignore_errors=True)
            final.rename(aside)
        partial.rename(final)
        flush(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step_*") if (path / "state.json").is_file())


def latest(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that is whole, and a line for each newer one that is not."""
    complaints: list[str] = []
    for path in reversed(checkpoints(folder)):
        fault = damage(path)
        if fault is None:
            return path, complaints
        complaints.append(f"checkpoint {path.name} is damaged ({fault})")
    return None, complaints


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, or None when each file has its digest."""
    try:
        state = read_json(path / "state.json")
        digests = dict(state["digests"])
        if not all(isinstance(state[name], int) for name in ("format", "step", "seen")):
            return "state.json is unreadable"
    except (OSError, ValueError, KeyError, TypeError):
        return "state.json is unreadable"
    for name, digest in digests.items():
        file = path / name
        if not file.is_file():
            return f"{name} is missing"
        if _digest(file) != digest:
            return f"{name} is torn or changed"
    return None


def load(path: Path) -> Snapshot:
    """Read a checkpoint. No code is run: tensors, plain containers and JSON only."""
    state = read_json(path / "state.json")
    if state["format"] > FORMAT:
        raise UserError(
            f"{path.name} was written by a newer zerosum (format {state['format']}, this one "
            f"reads {FORMAT}): upgrade with  pip install -U zerosum"
        )
    return Snapshot(
        game=load_file(path / "game.safetensors"),
        ema=load_file(path / "ema.safetensors"),
        training=torch.load(path / "optimizers.pt", map_location="cpu", weights_only=True),
        state=state,
    )


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write tensors as safetensors; shared storage is written once per name."""
    plain = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    save_file(plain, path, metadata)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
