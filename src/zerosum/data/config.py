"""What a user can say about data: the base of the typed configs of all modalities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

from zerosum.config import Part, Workers
from zerosum.data.codec import Codec
from zerosum.data.source import Split
from zerosum.errors import UserError

OnProgress = Callable[[int, int], None]
"""Called now and then with (done, of how many)."""


class DataConfig(Part, ABC):
    """Where examples come from. Each modality has one or more of these."""

    modality: ClassVar[str]
    """Name of the folder of `modalities` that it belongs to."""
    codec: ClassVar[type[Codec]]
    """What turns its objects into fields."""

    kind: str
    """Which config this is, a literal in each subclass."""
    workers: Workers = 0
    """Processes that read ahead; only for sets that do not fit in memory."""

    @abstractmethod
    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Find, check and read the data.

        Args:
            codec: The one that a run or an export keeps; None fits one on the training part.
            on_progress: Called now and then with (done, of how many).

        Raises:
            UserError: Nothing is there, or it cannot be read.
        """

    def at(self, path: str) -> Self:
        """The same settings for other data: `path` is replaced.

        Raises:
            UserError: Data of this kind have no path.
        """
        if "path" not in type(self).model_fields:
            raise UserError(f"{self.kind} has no path: leave {path} out")
        return self.model_copy(update={"path": path})

    @property
    def title(self) -> str:
        """What a list calls these data: a path or a name."""
        return self.kind

    @property
    def prepared(self) -> str:
        """How stored examples are changed before they are learned, for a score's protocol."""
        return "none"
