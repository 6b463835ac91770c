"""Records of a run: one logger protocol, JSON lines and TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from zerosum.core.game import Progress
from zerosum.core.runtime import Runtime
from zerosum.errors import require
from zerosum.records import append_line, forget_after

if TYPE_CHECKING:  # a library's, and importing it takes long
    from torch.utils.tensorboard.writer import SummaryWriter


class Logger(Protocol):
    """What a tracker must do. wandb or trackio fit in a dozen lines; see docs/guide/python.md."""

    def scalars(self, values: Mapping[str, float], progress: Progress) -> None:
        """Take means since the last call."""
        ...

    def picture(self, name: str, path: Path, progress: Progress) -> None:
        """Take a picture that was just written."""
        ...

    def close(self) -> None: ...


class JsonLines:
    """`log.jsonl`: one line per interval with step, examples seen, seconds and values."""

    def __init__(self, path: Path, resumed_at: int) -> None:
        self.path = path
        forget_after(path, resumed_at)

    def scalars(self, values: Mapping[str, float], progress: Progress) -> None:
        row = {"step": progress.step, "seen": progress.seen, "values": dict(values)}
        append_line(self.path, row)

    def picture(self, name: str, path: Path, progress: Progress) -> None:
        return

    def close(self) -> None:
        return


class TensorBoard:
    """TensorBoard event files under `tensorboard/` (extra `tensorboard`)."""

    def __init__(self, folder: Path) -> None:
        require("tensorboard", "tensorboard")
        self._folder = folder
        self._opened: SummaryWriter | None = None

    @property
    def _writer(self) -> SummaryWriter:
        """Opened at the first use: until then the run's folder must be left alone."""
        if self._opened is None:
            from torch.utils.tensorboard.writer import SummaryWriter

            self._opened = SummaryWriter(str(self._folder))
        return self._opened

    def scalars(self, values: Mapping[str, float], progress: Progress) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, progress.seen)

    def picture(self, name: str, path: Path, progress: Progress) -> None:
        import numpy as np
        from PIL import Image

        picture = np.asarray(Image.open(path).convert("RGB"))
        self._writer.add_image(name, picture, progress.seen, dataformats="HWC")

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()


class Recorder:
    """Collects what steps report and hands means to loggers, with one device sync per interval."""

    def __init__(self, loggers: Sequence[Logger], runtime: Runtime) -> None:
        self.loggers, self.runtime = list(loggers), runtime
        self._values: dict[str, list[Tensor]] = {}

    def add(self, log: Mapping[str, Tensor], signals: Mapping[str, Tensor]) -> None:
        """Take one step's scalars (kept on the device) and the game's signals (their means)."""
        for name, value in log.items():
            self._values.setdefault(name, []).append(value.detach())
        for name, signal in signals.items():
            title = name if "/" in name else f"signal/{name}"  # some have a group of their own
            mean = signal.float().mean()
            # A game may report what it counts itself, on the CPU.
            self._values.setdefault(title, []).append(mean.to(self.runtime.device))

    def flush(self, progress: Progress, extra: Mapping[str, float]) -> dict[str, float]:
        """Means over the interval and over all ranks, given to each logger and returned."""
        if not self._values:
            return {}
        means = {name: torch.stack(v).float().mean() for name, v in self._values.items()}
        self._values.clear()
        numbers = torch.stack(list(means.values())).tolist()
        values = self.runtime.mean(dict(zip(means, numbers, strict=True)) | dict(extra))
        for logger in self.loggers:
            logger.scalars(values, progress)
        return values

    def picture(self, name: str, path: Path, progress: Progress) -> None:
        for logger in self.loggers:
            logger.picture(name, path, progress)

    def close(self) -> None:
        for logger in self.loggers:
            logger.close()
