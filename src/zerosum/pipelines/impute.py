"""Fill the missing cells of a table with a trained model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from zerosum.core.draw import BLOCK, block_seed
from zerosum.data.places import locate
from zerosum.errors import UserError
from zerosum.files import must_be_file
from zerosum.modalities.tables import GapCodec
from zerosum.modalities.tables.opening import read_as
from zerosum.modalities.tables.patching import Gaps, filled, gaps_of, write_filled
from zerosum.modalities.tables.settings import TableSettings
from zerosum.pipelines.generate import Generator, check_seed

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 64 * BLOCK
"""Rows that are filled at a time."""


@dataclass(frozen=True)
class Filled:
    """What was filled.

    Attributes:
        rows: Of the table.
        mended: Rows in which something was missing.
        cells: Filled cells of each column, those with none left out.
        notes: What was left as it was, one line each.
    """

    rows: int
    mended: int
    cells: dict[str, int]
    notes: tuple[str, ...]


class Imputer:
    """Fills gaps of tables like the one that its model has learned.

    Attributes:
        generator: The model.
        codec: Its columns.

    Raises:
        UserError: The model fills no gaps.
    """

    def __init__(self, generator: Generator) -> None:
        codec = generator.codec
        if not isinstance(codec, GapCodec) or set(generator.game.inputs()) != {"given"}:
            raise UserError(
                f"{generator.name} fills no gaps: train one that does with  zerosum train gain "
                "--data TABLE  (systems that draw tables complete rows with  zerosum generate "
                "RUN --like FILE)"
            )
        self.generator, self.codec = generator, codec

    @classmethod
    def load(cls, run: str | Path, *, device: str = "auto", module: str | None = None) -> Self:
        """The model in the folder of a run or of an export."""
        return cls(Generator.load(run, device=device, module=module))

    def fill(
        self,
        frame: pd.DataFrame,
        *,
        seed: int = 0,
        where: str = "the table",
        on_progress: Callable[[int, int], None] | None = None,
    ) -> pd.DataFrame:
        """A data frame with its gaps filled; all other cells are as they were.

        Args:
            frame: The table.
            seed: Of the noise; the same seed fills the same.
            where: What messages call the table.
            on_progress: Called with rows done, and of how many.

        Raises:
            UserError: No column is known, or a word among numbers.
        """
        gaps = gaps_of(frame, self.codec, where)
        return filled(frame, gaps, self._made(gaps, seed, on_progress))

    def fill_file(
        self,
        path: str,
        out: Path,
        *,
        seed: int = 0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Filled:
        """Write a table with its gaps filled: rows in their order, known cells to the letter.

        Args:
            path: .csv, .tsv or .parquet, packed or not; it is read as the run's data were.
            out: Where to; its suffix says as what.
            seed: As in `fill`.
            on_progress: As in `fill`.

        Raises:
            UserError: As `fill`, or what cannot be read or written.
        """
        must_be_file(out, "--out")
        self.codec.check(out)
        source = locate(path)
        if out.exists() and source.exists() and out.samefile(source):
            raise UserError(f"{out} is the table itself: name another file with --out")
        data = self.generator.recipe.data
        assert isinstance(data, TableSettings)
        read = read_as(data, source)
        gaps = gaps_of(read.frame, self.codec, str(source))
        whole = filled(read.frame, gaps, self._made(gaps, seed, on_progress))
        if read.text is None or out.name.lower().endswith(".parquet"):
            self.codec.write_rows(whole, out)
        else:
            write_filled(read, gaps, whole, out)
        counts = {name: int(hole.sum()) for name, hole in gaps.holes.items() if hole.any()}
        mended = int(np.logical_or.reduce([*gaps.holes.values()]).sum())
        return Filled(len(whole), mended, counts, gaps.notes)

    def _made(
        self, gaps: Gaps, seed: int, on_progress: Callable[[int, int], None] | None
    ) -> pd.DataFrame:
        """A row of the codec for each row of a table."""
        check_seed(seed)
        given = self.codec.encode_inner(gaps.rows)["given"]
        parts = []
        for start in range(0, len(given), CHUNK):
            some = given[start : start + CHUNK]
            inputs, here = {"given": some}, block_seed(seed, start // BLOCK)
            parts.append(self.generator.drawn_on(inputs, len(some), here)["row"])
            if on_progress is not None:
                on_progress(start + len(some), len(given))
        return self.codec.decode({"row": torch.cat(parts)})
