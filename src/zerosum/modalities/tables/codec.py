"""Tables <-> rows of numbers: mode-specific normalisation, one-hot categories, and back.

Xu, Skoularidou, Cuesta-Infante and Veeramachaneni 2019, "Modeling Tabular data using Conditional
GAN", arXiv:1907.00503, section 4.2: a number becomes the mode it belongs to and its place in that
mode. Values that many rows share, and missing ones, are modes of their own, as in CTAB-GAN (Zhao
et al. 2021, arXiv:2102.08369, section 3.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.fields import Batch, Field
from zerosum.data.order import draw
from zerosum.errors import UserError, nearest, require
from zerosum.files import atomic
from zerosum.modalities.tables.columns import Column, Discrete, Fixed, LeftOut, Number
from zerosum.modalities.tables.fields import RowField
from zerosum.modalities.tables.fitting import SEED, Rules, fit_columns, numbers_of, plain
from zerosum.modalities.tables.stored import (
    MODE,
    RARE,
    Learned,
    Stored,
    condition_field,
    own_conditions,
    row_field,
)

if TYPE_CHECKING:
    import pandas as pd

_REACH = 4.0  # standard deviations from a mode's middle to the end of its scalar
_COLUMNS: TypeAdapter[list[Column]] = TypeAdapter(list[Column])


class TableCodec(Codec):
    """Rows of a table, with all that is needed to make rows like them.

    Attributes:
        columns: All columns in the order of the table.
        learned: Those that rows encode.
        target: Name of the column that scores predict; empty where nobody said.
        row: What an encoded row is.
        condition: What a condition is; None where no column is discrete.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".csv.gz", ".tsv", ".parquet")

    def __init__(self, columns: Sequence[Column], target: str = "") -> None:
        self.columns, self.target = tuple(columns), target
        self.learned: tuple[Learned, ...] = tuple(
            column for column in self.columns if isinstance(column, Number | Discrete)
        )
        if target and target not in [column.name for column in self.learned]:
            raise UserError(
                f"data.target={target}: no learned column is called so: "
                f"{nearest(target, [column.name for column in self.learned])}"
            )
        self.row: RowField = row_field(self.learned)
        self.condition = condition_field(self.learned)
        fields: dict[str, Field] = {"row": self.row}
        if self.condition is not None:
            fields["condition"] = self.condition
        self.fields = fields

    @classmethod
    def fit(cls, frame: pd.DataFrame, rules: Rules | None = None, target: str = "") -> Self:
        """The codec of a table.

        Args:
            frame: The training rows.
            rules: How columns are read.
            target: Name of the column that scores predict.

        Raises:
            UserError: Nothing can be learned, or a name that no column has.
        """
        return cls(fit_columns(frame, rules or Rules()), target)

    def encode(self, objects: pd.DataFrame | Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Rows, as a data frame or one mapping each, as `row` and `condition`.

        Raises:
            UserError: A column is missing, or a value is unknown; the message names it.
        """
        stored = self.stored(objects)
        everything = torch.arange(len(stored))
        batch = {"row": stored.rows(everything)}
        if self.condition is not None:
            numbers = everything.numpy()
            batch["condition"] = own_conditions(stored.discrete(), numbers, self.condition)
        return batch

    def stored(self, objects: pd.DataFrame | Sequence[Mapping[str, Any]]) -> Stored:
        """Rows as `encode` has them, in little memory."""
        pd = require("pandas", "tables")
        frame = pd.DataFrame(objects).reset_index(drop=True)
        absent = [column.name for column in self.learned if column.name not in frame.columns]
        if absent:
            raise UserError(
                f"the table lacks the column '{absent[0]}': it has {', '.join(frame.columns)}"
            )
        scalars, codes = [], []
        for number, column in enumerate(self.learned):
            series = frame[column.name]
            if isinstance(column, Number):
                values = numbers_of(series, date=column.date, unit=column.unit)
                mode, place = _modes(column, values, number)
                codes.append(mode)
                scalars.append(place)
            else:
                codes.append(_categories(column, series))
        places = np.stack(scalars, 1) if scalars else np.zeros((len(frame), 0))
        return Stored(
            torch.from_numpy(places).float(),
            torch.from_numpy(np.stack(codes, 1).astype(np.int64)),
            self.row,
        )

    def knows(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows (N,) hold only values that `encode` takes."""
        known = np.ones(len(frame), dtype=bool)
        for column in self.learned:
            series = frame[column.name]
            if not column.missing:
                known &= series.notna().to_numpy()
            if isinstance(column, Discrete):
                values = {*column.values, *column.rare}
                found = series.isna().to_numpy() | np.array([_same(v, values) for v in series])
                known &= found
        return known

    def decode(self, batch: Batch) -> pd.DataFrame:
        """Rows as a data frame with the names, order and types of the columns."""
        pd = require("pandas", "tables")
        row = batch["row"].detach().cpu().double().numpy()
        spans = {(span.column, span.part): span for span in self.row.spans}
        series: dict[str, pd.Series] = {}
        for number, column in enumerate(self.learned):
            if isinstance(column, Number):
                place = spans[column.name, "scalar"].start
                modes = spans[column.name, "modes"]
                mode = row[:, modes.start : modes.stop].argmax(1)
                series[column.name] = _numbers(column, row[:, place], mode)
            else:
                span = spans[column.name, "category"]
                code = row[:, span.start : span.stop].argmax(1)
                series[column.name] = _values(column, code, number)
        for column in self.columns:
            if isinstance(column, Fixed):
                series[column.name] = _typed([column.value] * len(row), column.dtype)
        names = [column.name for column in self.columns if not isinstance(column, LeftOut)]
        frame = pd.DataFrame({name: series[name] for name in names})
        if self.target:
            frame.attrs["target"] = self.target  # for whoever scores the rows
        return frame

    def write(self, batch: Batch, path: Path) -> int:
        """Rows as .csv, .csv.gz, .tsv or .parquet."""
        self.check(path)
        frame = self.decode(batch)
        with atomic(path) as partial:
            if path.suffix.lower() == ".parquet":
                require("pyarrow", "tables")
                frame.to_parquet(partial, index=False)
            else:
                between = "\t" if ".tsv" in path.name.lower() else ","
                frame.to_csv(partial, index=False, sep=between)
        return len(frame)

    def check(self, path: Path) -> None:
        if not path.name.lower().endswith(self.suffixes):
            raise UserError(
                f"{path} is of no known kind: rows are written to {', '.join(self.suffixes)}"
            )

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        columns = _COLUMNS.dump_python(list(self.columns), mode="json")
        return {"columns": columns, "target": self.target}, {}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        return cls(_COLUMNS.validate_python(facts["columns"]), facts["target"])


def _modes(
    column: Number, values: NDArray[np.float64], number: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Modes (N,) and places in them (N,) of a column's values, NaN being missing.

    The mode is drawn from its posterior by a hash of the column's and the row's number.
    """
    absent = np.isnan(values)
    if absent.any() and not column.missing:
        raise UserError(
            f"column '{column.name}' had no missing values when it was fitted, but has one in "
            f"row {int(absent.argmax()) + 1}"
        )
    mode = np.zeros(len(values), dtype=np.int64)
    place = np.zeros(len(values))
    if column.means:
        means, stds = np.array(column.means), np.array(column.stds)
        z = (np.where(absent, 0.0, values)[:, None] - means) / stds
        score = np.log(column.weights) - np.log(stds) - z**2 / 2
        share = np.exp(score - score.max(1, keepdims=True)).cumsum(1)
        words = draw((SEED, MODE, number), np.arange(len(values)))
        level = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53 * share[:, -1]
        mode = (share <= level[:, None]).sum(1).clip(max=len(means) - 1)
        place = (z[np.arange(len(z)), mode] / _REACH).clip(-1, 1)
    for i, spike in enumerate(column.spikes):
        here = values == spike
        mode[here], place[here] = len(column.means) + i, 0.0
    mode[absent], place[absent] = column.modes - 1, 0.0
    return mode, place


def _numbers(column: Number, place: NDArray[np.float64], mode: NDArray[np.int64]) -> pd.Series:
    pd = require("pandas", "tables")
    rest = len(column.spikes) + column.missing
    middles = np.array([*column.means, *column.spikes, *[np.nan] * column.missing])
    reach = np.array([*(_REACH * std for std in column.stds), *[0.0] * rest])
    values = (middles[mode] + reach[mode] * place.clip(-1, 1)).clip(column.low, column.high)
    if column.decimals is not None:
        # Rounding may leave the range by its last digit, which is none of the data's.
        values = np.round(values, column.decimals).clip(column.low, column.high)
    if not column.unit:
        whole = column.dtype.lower().startswith(("int", "uint"))
        objects = pd.Series(values)
        return (
            objects.astype("Int64").astype(column.dtype) if whole else objects.astype(column.dtype)
        )
    micro = np.round(values * column.unit * 1e6)
    whole = np.where(np.isnan(micro), np.iinfo(np.int64).min, micro).astype(np.int64)  # NaT
    moments = pd.Series(whole.view("datetime64[us]"))
    if column.date:
        return _typed(moments.dt.strftime(column.date).tolist(), column.dtype)
    if "," in column.dtype:  # such as datetime64[ns, UTC]
        moments = moments.dt.tz_localize("UTC")
    return moments.astype(column.dtype)


def _categories(column: Discrete, series: pd.Series) -> NDArray[np.int64]:
    numbers: dict[Any, int] = {value: i for i, value in enumerate(column.values)}
    numbers |= dict.fromkeys(column.rare, len(column.values))
    absent = series.isna().to_numpy()
    text = all(isinstance(value, str) for value in column.values)
    codes = np.full(len(series), -1, dtype=np.int64)
    kept = np.flatnonzero(~absent)
    values = series.to_numpy(dtype=object)
    codes[kept] = [numbers.get(str(v) if text else plain(v), -1) for v in values[kept]]
    codes[absent] = column.categories - 1 if column.missing else -1
    if (codes < 0).any():
        row = int((codes < 0).argmax())
        value = "a missing value" if absent[row] else f"'{values[row]}'"
        raise UserError(
            f"column '{column.name}' knows no category {value} (row {row + 1}): it was not among "
            f"the training rows; {nearest(str(values[row]), column.names)}"
        )
    return codes


def _values(column: Discrete, code: NDArray[np.int64], number: int) -> pd.Series:
    joint: list[Any] = [*column.values]
    if column.rare:
        joint.append(None)
    if column.missing:
        joint.append(None)
    values = [joint[i] for i in code.tolist()]
    if column.rare:
        here = np.flatnonzero(code == len(column.values))
        words = draw((SEED, RARE, number), here)
        level = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        shares = np.cumsum(column.rare_counts) / sum(column.rare_counts)
        picked = np.searchsorted(shares, level, side="right").clip(max=len(column.rare) - 1)
        for row, which in zip(here.tolist(), picked.tolist()):
            values[row] = column.rare[which]
    return _typed(values, column.dtype)


def _typed(values: Sequence[Any], dtype: str) -> pd.Series:
    """Values, None being missing, as a column of a type."""
    pd = require("pandas", "tables")
    objects = pd.Series(list(values), dtype=object)
    if dtype == "object":
        return objects
    if dtype in ("str", "string"):  # what pandas calls texts differs between its versions
        return (
            objects.astype(pd.Series(["text"]).dtype) if dtype == "str" else objects.astype(dtype)
        )
    if dtype.startswith("float"):
        return objects.astype("Float64").astype(dtype)
    return objects.astype(dtype)


def _same(value: Any, values: set[Any]) -> bool:
    return value in values or str(value) in values
