"""What a user can say about a table."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.source import Split
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.settings import TableSettings


class Table(TableSettings):
    """Rows of numbers and categories: a file, or a set known by name."""

    codec: ClassVar[type[Codec]] = TableCodec

    kind: Literal["tables"] = "tables"
    """Tables."""
    balanced: bool = True
    """Visit rare categories by the logarithm of their frequency, as games that are told which one
    was asked for need it (Xu et al. 2019, section 4.3); else each row as often."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Read the table, and fit its codec on the training part unless one is given.

        Raises:
            UserError: Nothing is there, it cannot be read, or nothing in it can be learned.
        """
        from zerosum.modalities.tables.opening import open_table

        kept = codec if isinstance(codec, TableCodec) else None
        return open_table(self, kept, balanced=self.balanced)

    def at(self, path: str) -> Self:
        return self.model_copy(update=self.elsewhere(path))

    @property
    def title(self) -> str:
        return self.path

    @property
    def prepared(self) -> str:
        return "none"
