"""From what a user typed to training and held-out rows: files and sets known by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zerosum.data.parts import keep_aside, limited
from zerosum.data.places import locate, named_file
from zerosum.data.source import Source, Split
from zerosum.errors import UserError, require
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.constraints import check, ordered
from zerosum.modalities.tables.fitting import summary
from zerosum.modalities.tables.reading import (
    SUFFIXES,
    Read,
    is_table,
    looks_tabular,
    mentions,
    read_table,
)
from zerosum.modalities.tables.settings import TableSettings
from zerosum.modalities.tables.source import TableSource
from zerosum.modalities.tables.stored import Stored
from zerosum.names import first_names

if TYPE_CHECKING:
    import pandas as pd

SAMPLES = ("wine", "breast-cancer", "diabetes", "iris")
"""Sets that come with scikit-learn."""
NAMES = ("adult", *SAMPLES)

_ADULT = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
)
"""As the UCI archive describes its columns."""
_ABOUT = re.compile(r"label|annot|metadata|caption|attr")
_MANY = 1000  # names that are looked for
_FOLDERS = ("tabular", "adult", ".")  # where a named set may lie below the data folder


class Found(NamedTuple):
    """A table with the part that its makers kept aside, if they did.

    Attributes:
        name: What it is called.
        train: Its rows.
        test: Rows of its own test part; None where it has none.
        target: The column that is predicted; empty where that is unknown.
        notes: Decisions taken while reading.
    """

    name: str
    train: pd.DataFrame
    test: pd.DataFrame | None = None
    target: str = ""
    notes: tuple[str, ...] = ()


Make = Callable[[Stored, TableCodec, str, tuple[str, ...]], Source]
"""From encoded rows, their codec, a name and notes to a source."""


def open_table(config: TableSettings, codec: TableCodec | None, *, balanced: bool) -> Split:
    """Read a table, keep a part aside and fit its codec; see `Table.open`."""

    def source(stored: Stored, codec: TableCodec, name: str, notes: tuple[str, ...]) -> Source:
        # Held-out rows are never visited: how visits are drawn means nothing for them.
        return TableSource(stored, codec.condition, name=name, notes=notes, balanced=balanced)

    return open_rows(config, codec, TableCodec, source)


def open_rows(
    config: TableSettings, codec: TableCodec | None, kind: type[TableCodec], source: Make
) -> Split:
    """Read a table and keep a part aside.

    Args:
        config: Where it is, and how it is read.
        codec: The run's; None fits one on the training part.
        kind: Of the codec that is fitted.
        source: Makes a source of encoded rows.

    Raises:
        UserError: Nothing is there, it cannot be read, or nothing in it can be learned.
    """
    found, train, held, note = parts_of(config)
    target = config.target or found.target
    notes = list(found.notes)
    if codec is None:
        check(ordered(config.rules.constraints, [str(n) for n in train.columns]), found.train)
        codec = kind.fit(train, config.rules, target)
        notes += summary(codec.columns)
    learned = source(codec.stored(train), codec, f"{found.name}/train", tuple(notes))
    if not len(held):
        return Split(learned, None, note, codec)
    known = codec.knows(held)
    if not known.all():
        note += f", {int((~known).sum()):,} of them left out: they hold values that training lacks"
    if not known.any():
        return Split(learned, None, f"none: no row of {note}", codec)
    rest = held.loc[known].reset_index(drop=True)
    heldout = source(codec.stored(rest), codec, f"{found.name}/heldout", ())
    return Split(learned, heldout, note, codec)


def parts_of(config: TableSettings) -> tuple[Found, pd.DataFrame, pd.DataFrame, str]:
    """What a config means, its rows to learn from, those kept aside, and a word on these.

    Raises:
        UserError: Nothing is there, or it cannot be read.
    """
    found = find(config)
    if found.test is None:
        numbers, aside, note = keep_aside(len(found.train), config.holdout, "row")
        held = found.train.iloc[aside].reset_index(drop=True)
    else:
        numbers, _, _ = keep_aside(len(found.train), 0.0)
        held, note = found.test, f"the official test part ({len(found.test):,})"
    train = found.train.iloc[limited(numbers, config.limit)].reset_index(drop=True)
    return found, train, held, note


def find(config: TableSettings) -> Found:
    """The table that a config means.

    Raises:
        UserError: Nothing is there, or it cannot be read.
    """
    require("pandas", "tables")
    if config.path == "adult":
        return _adult()
    if config.path in SAMPLES:
        return _sample(config.path)
    path, beside = locate(config.path, NAMES), ()
    if path.is_dir():
        path, beside = _only_table(path)
    read = read_as(config, path)
    name = path.name
    for suffix in sorted(SUFFIXES, key=len)[::-1]:
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
            break
    return Found(name, read.frame, notes=beside + read.notes)


def read_as(config: TableSettings, path: Path) -> Read:
    """Read a file as a config says.

    Raises:
        UserError: It is no table, or cannot be read.
    """
    if not is_table(path):
        raise UserError(f"{path} is no table: give {', '.join(SUFFIXES[:3])} or .parquet")
    return read_table(
        path,
        header=config.header,
        names=config.columns,
        encoding=config.encoding,
        missing=config.missing,
        few=config.distinct,
        texts=config.mixed,
    )


def tables_in(folder: Path) -> list[Path]:
    """The files in a folder that are tables; texts such as a README are none.

    Where the folder may not be read there are none.
    """
    try:
        found = sorted(path for path in folder.iterdir() if is_table(path) and path.is_file())
    except OSError:
        return []
    return [path for path in found if path.suffix != ".txt" or looks_tabular(path)]


def describes_others(table: Path) -> bool:
    """Whether a table is about the files beside it, such as labels of pictures."""
    others = [path for path in table.parent.iterdir() if not is_table(path)]
    others = [path.name for path in others if not path.name.startswith(".")]
    if not others:
        return False
    return bool(_ABOUT.search(table.name.lower())) or mentions(table, others[:_MANY])


def _only_table(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """The table of a folder, and notes of what else lies there."""
    tables = tables_in(folder)
    if len(tables) == 1:
        others = sorted(
            path.name
            for path in folder.iterdir()
            if path != tables[0] and not path.name.startswith(".")
        )
        notes = (f"the table is {tables[0].name}",)
        if others:
            notes += (f"left out beside it: {len(others):,} ({first_names(others)})",)
        return tables[0], notes
    if not tables:
        raise UserError(f"{folder} holds no table: name a file such as rows.csv")
    listed = ", ".join(path.name for path in tables[:8])
    raise UserError(f"{folder} holds several tables, name one of them: {listed}")


def _adult() -> Found:
    """Census income of 1994 (Becker and Kohavi, UCI): its official training and test parts."""
    parts = [_below("adult", f"adult-{part}.csv.gz") for part in ("train", "test")]
    train, test = (read_table(path, header=False, names=_ADULT).frame for path in parts)
    test["income"] = test["income"].str.rstrip(".")
    return Found("adult", train, test, target="income")


def _below(name: str, file: str) -> Path:
    for folder in _FOLDERS[1:]:
        try:
            return named_file(name, folder, file)
        except UserError:
            continue
    return named_file(name, _FOLDERS[0], file)


def _sample(name: str) -> Found:
    from sklearn import datasets

    load = {
        "wine": datasets.load_wine,
        "breast-cancer": datasets.load_breast_cancer,
        "diabetes": datasets.load_diabetes,
        "iris": datasets.load_iris,
    }[name]
    bunch = load(as_frame=True)
    frame: pd.DataFrame = bunch.frame.copy()
    target = "target"
    if name != "diabetes":  # whose target is a number
        target = "class"
        words = [str(word) for word in bunch.target_names]
        frame["class"] = [words[number] for number in frame.pop("target")]
    return Found(name, frame, target=target)
