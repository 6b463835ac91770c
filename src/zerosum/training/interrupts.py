"""Clean ends: SIGINT and SIGTERM let a step finish and the state be saved."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

from zerosum.core.runtime import Runtime

ASK_EVERY = 10
"""Steps between two exchanges of signals among ranks."""


class Stopped(Exception):  # noqa: N818 (not an error: the run was asked to stop, and did)
    """The run was interrupted, saved its state and left."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class Interrupts:
    """Within this context SIGINT and SIGTERM are noted; a second SIGINT leaves at once."""

    def __init__(self) -> None:
        self._came = 0
        self._before: dict[int, signal._HANDLER] = {}

    def asked(self, runtime: Runtime, step: int) -> int:
        """The signal that came on any rank, else 0. Ranks ask each other now and then only."""
        if runtime.world == 1:
            return self._came
        return max(runtime.gather(self._came)) if step % ASK_EVERY == 0 else 0

    def __enter__(self) -> None:
        try:
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._before[signum] = signal.signal(signum, self._handle)
        except ValueError:  # not the main thread: the caller handles signals
            self._before.clear()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._came and signum == signal.SIGINT:
            raise KeyboardInterrupt
        self._came = signum
