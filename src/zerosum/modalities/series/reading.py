"""From a path or a name to series: one long one, or many with labels and attributes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zerosum.data import places
from zerosum.data.places import FOLDER_VARIABLE
from zerosum.errors import UserError, nearest, require
from zerosum.modalities.series import made

Steps = NDArray[np.float64]

TABLES = (".csv", ".tsv", ".txt", ".parquet")
ARRAYS = (".npy", ".npz")
LONG = {"stock": "stock_data.csv.gz", "energy": "energy_data.csv.gz"}
"""Named sets of one long series, in $ZEROSUM_DATA/timeseries."""
LABELLED = {
    "gunpoint": "GunPoint",
    "italy-power-demand": "ItalyPowerDemand",
    "arrowhead": "ArrowHead",
    "osu-leaf": "OSULeaf",
    "basic-motions": "BasicMotions",
    "acsf1": "ACSF1",
}
"""Named sets of the UCR and UEA archives, with official training and test parts."""
ARCHIVE = "ucr_small.npz"
NAMES = (*made.NAMES, *LONG, *LABELLED)


@dataclass
class Reading:
    """Series as they stand in a file.

    Attributes:
        parts: Each (steps, channels); one long series, or many.
        names: Of the channels.
        labels: Of the parts, where they have some.
        test: Series and labels of an official test part.
        attributes: What describes the parts, by name.
        notes: What was decided and left out, one line each.
    """

    parts: Sequence[Steps]
    names: tuple[str, ...]
    labels: Sequence[str] = ()
    test: tuple[Sequence[Steps], Sequence[str]] | None = None
    notes: list[str] = field(default_factory=list)
    attributes: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def long(self) -> bool:
        """Whether it is one series, of which windows are cut."""
        return len(self.parts) == 1


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what.

    Attributes:
        channels: Channels to keep; all numeric ones that are left where none are named.
        series: The column that says which rows are one series; "" for one long series.
        label: The column of the class of a series.
        attributes: Columns that describe a series.
    """

    channels: Sequence[str] = ()
    series: str = ""
    label: str = ""
    attributes: Sequence[str] = ()


def read(path: str, columns: Columns, length: int, seed: int) -> Reading:
    """The series of a name or a path.

    Args:
        path: As typed.
        columns: Of a table.
        length: Of made series.
        seed: Of made series.

    Raises:
        UserError: Nothing is there, or nothing can be read.
    """
    if path == made.SINES:
        names = tuple(f"sine_{k}" for k in range(1, made.CHANNELS + 1))
        return Reading(list(made.sines(made.COUNT, length, seed)), names)
    if path == made.AUTOREGRESSION:
        return Reading([made.autoregression(made.COUNT * 10, seed)], ("x",))
    if path == made.VISITS:
        parts, attributes = made.visits(made.COUNT, seed)
        return Reading(parts, ("size",), attributes=attributes)
    if path in LABELLED:
        return _archive(path)
    place = _named(LONG[path]) if path in LONG else places.locate(path, NAMES)
    if place.is_dir():
        raise UserError(f"{place} is a folder: name the file of a series in it")
    suffix = suffix_of(place)
    if suffix in ARRAYS:
        return _arrays(place)
    if suffix not in TABLES:
        raise UserError(
            f"{place} is no series: give {', '.join(TABLES)} (a row a step) or "
            f"{', '.join(ARRAYS)} (series, steps, channels)"
        )
    return _table(place, suffix, columns)


def suffix_of(path: Path) -> str:
    """The suffix without `.gz`, in lower case."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _named(file: str) -> Path:
    root = places.data_folder()
    place = None if root is None else root / "timeseries" / file
    if place is None or not place.is_file():
        raise UserError(f"{file} is not here: place it in ${FOLDER_VARIABLE}/timeseries")
    return place


def _archive(name: str) -> Reading:
    word = LABELLED[name]
    with np.load(_named(ARCHIVE), allow_pickle=False) as held:
        sides = [
            ([one.T.astype(np.float64) for one in held[f"{word}_{part}_x"]],
             [str(label) for label in held[f"{word}_{part}_y"]])
            for part in ("TRAIN", "TEST")
        ]  # fmt: skip
    (parts, labels), test = sides
    names = tuple(f"channel_{k}" for k in range(1, parts[0].shape[1] + 1))
    return Reading(parts, names, labels, test)


def _arrays(place: Path) -> Reading:
    try:
        held = np.load(place, allow_pickle=False)
        labels: Any = ()
        if isinstance(held, np.lib.npyio.NpzFile):
            with held:
                names = list(held.files)
                first = next(
                    (n for n in ("x", "X", "series", "samples", *names) if n in names), ""
                )
                array = held[first]
                labels = held[next((n for n in ("y", "labels", "label") if n in names), first)]
                labels = () if labels is array or labels.ndim != 1 else labels
        else:
            array = held
    except (OSError, ValueError, EOFError, KeyError) as error:
        what = " ".join(str(error).split())[:100]
        raise UserError(f"{place} cannot be read ({what}): save numbers with numpy") from error
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2, 3):
        raise UserError(
            f"{place} holds {array.dtype} of shape {array.shape}: a series is numbers, "
            "(steps, channels) or (series, steps, channels)"
        )
    array = array.astype(np.float64)
    parts = [array.reshape(len(array), -1)] if array.ndim < 3 else list(array)
    channels = parts[0].shape[1]
    names = tuple(f"channel_{k}" for k in range(1, channels + 1))
    return Reading(parts, names, [str(label) for label in labels])


def _table(place: Path, suffix: str, columns: Columns) -> Reading:
    pd = require("pandas", "series")
    try:
        if suffix == ".parquet":
            require("pyarrow", "tables")
            frame = pd.read_parquet(place)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the engine that finds the delimiter
                frame = pd.read_csv(place, sep=None, engine="python", encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{place} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except Exception as error:  # whatever the parsers raise
        what = " ".join(str(error).split())[:100]
        raise UserError(f"{place} cannot be read ({what}): export it anew") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    about = [name for name in (columns.series, columns.label, *columns.attributes) if name]
    for name in (*about, *columns.channels):
        if name not in frame.columns:
            raise UserError(
                f"{place} has no column '{name}': {nearest(name, list(frame.columns))}"
            )
    numeric = [name for name in frame.columns if frame[name].dtype.kind in "fiu"]
    chosen = list(columns.channels) or [name for name in numeric if name not in about]
    left = [name for name in frame.columns if name not in (*chosen, *about)]
    notes = [f"columns left out: {', '.join(left[:5])}{', ...' * (len(left) > 5)}"] if left else []
    if not chosen:
        raise UserError(f"{place} has no column of numbers: a series is numbers, a row a step")
    wrong = [name for name in chosen if frame[name].dtype.kind not in "fiu"]
    if wrong:
        raise UserError(f"column '{wrong[0]}' of {place} holds no numbers: leave it out")
    if not columns.series:
        return Reading([frame[chosen].to_numpy(dtype=np.float64)], tuple(chosen), notes=notes)
    if frame[columns.series].isna().any():
        row = int(frame[columns.series].isna().to_numpy().argmax()) + 1
        raise UserError(f"row {row} of {place} has no '{columns.series}': say which series it is")
    # In the order in which series begin, each with its rows in theirs.
    whole = frame.groupby(columns.series, sort=False)
    parts = [rows[chosen].to_numpy(dtype=np.float64) for _, rows in whole]
    if len(parts) < 2:
        raise UserError(f"{place} holds one series in '{columns.series}': leave data.series out")
    told = {name: _same(place, whole, name) for name in about[1:]}
    labels = [str(value) for value in told.get(columns.label, ())]
    kept = {name: told[name] for name in columns.attributes}
    return Reading(parts, tuple(chosen), labels, notes=notes, attributes=kept)


def _same(place: Path, whole: Any, name: str) -> list[Any]:
    """The one value of each series in a column; words as texts.

    Raises:
        UserError: A series has several values, or none.
    """
    counts = whole[name].nunique(dropna=False)
    if (counts > 1).any():
        raise UserError(
            f"'{name}' of {place} changes within the series {(counts > 1).idxmax()}: "
            "name it as a channel, or leave it out"
        )
    values = whole[name].first()
    if values.isna().any():
        raise UserError(f"'{name}' of {place} is missing for the series {values.isna().idxmax()}")
    return values.tolist() if values.dtype.kind in "fiu" else [str(one) for one in values]
