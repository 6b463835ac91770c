"""Rows to files, all at once or part by part."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zerosum.errors import require
from zerosum.files import atomic

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def rows_to(path: Path, moments: Collection[str] = ()) -> Iterator[Callable[[pd.DataFrame], None]]:
    """What takes data frames of the same columns, one after another, for a file that is there
    when the block ends well: .parquet, or text with its columns' names in the first line.

    Args:
        path: The file; texts are packed where it ends in .gz, and parted by tabs in a .tsv.
        moments: Columns of dates that texts give with the time of day, which pandas leaves out of
            a frame that has midnights alone.
    """
    with atomic(path) as partial, ExitStack() as opened:
        if path.suffix.lower() == ".parquet":
            yield _parquet(partial, opened)
        else:
            yield _text(partial, path, opened, moments)


def _text(
    partial: Path, path: Path, opened: ExitStack, moments: Collection[str]
) -> Callable[[pd.DataFrame], None]:
    raw = opened.enter_context(partial.open("wb"))
    if path.suffix.lower() == ".gz":  # without the time, so that a seed gives the same bytes
        raw = opened.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
    text = opened.enter_context(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
    between, begun = "\t" if ".tsv" in path.name.lower() else ",", False

    def write(frame: pd.DataFrame) -> None:
        nonlocal begun
        frame = frame.assign(**{name: frame[name].map(str, "ignore") for name in moments})
        frame.to_csv(text, index=False, sep=between, header=not begun)
        begun = True

    return write


def _parquet(partial: Path, opened: ExitStack) -> Callable[[pd.DataFrame], None]:
    pa, parquet = require("pyarrow", "tables"), require("pyarrow.parquet", "tables")
    writer = None

    def write(frame: pd.DataFrame) -> None:
        nonlocal writer
        frame.attrs = {}  # the file would keep them
        if writer is None:
            schema = pa.Schema.from_pandas(frame, preserve_index=False)
            for place, field in enumerate(schema):
                if pa.types.is_null(field.type):  # nothing but missing values so far
                    schema = schema.set(place, field.with_type(pa.string()))
            writer = opened.enter_context(parquet.ParquetWriter(partial, schema))
        writer.write_table(pa.Table.from_pandas(frame, writer.schema, preserve_index=False))

    return write
