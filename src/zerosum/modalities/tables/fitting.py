"""From a data frame to fitted columns: which kind each is, its modes or its categories."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zerosum.config import Part
from zerosum.data.order import choose
from zerosum.errors import UserError, nearest, require
from zerosum.modalities.tables.columns import Column, Discrete, Fixed, LeftOut, Number, Value
from zerosum.modalities.tables.frames import column as one_column

if TYPE_CHECKING:
    import pandas as pd

SEED = 0
"""Of everything that fitting draws."""
MODES = 10
"""Most Gaussian modes of a column (Xu et al. 2019, section 4.2)."""
LIGHTEST = 0.005
"""Share below which a mode is left out."""

_SUBSAMPLE = 5_000  # rows from which mixtures are fitted
_FIT = 50  # what the subsample is drawn for, beside the purposes in data.order
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?)?")
_DIGITS = 12  # most digits after the point that are kept as such
_WORDS = 4  # words in the middle text of a column from which it is free text
_FEW = 20  # categories up to which numbers would be categories too
_UNIQUE = 0.9  # share of different texts from which they are identifiers
_MANY = 0.5  # the same where there are more than can stand alone


_MARKED = re.compile(r"[\W_]*\d[\d\W_]*")
_PLAINLY = "which are read as numbers if they are like 1234.5, as dates if like 2024-01-31"


class Rules(Part):
    """How columns are read."""

    distinct: int = 20
    """A column of numbers with at most so many different values is one of categories."""
    spikes: float = 0.05
    """Share of rows from which one value of a number is a mode of its own; above 1: never."""
    categories: int = 100
    """Most categories of a column; rarer values share one."""
    kinds: Mapping[str, Literal["number", "category", "skip"]] = {}
    """What a column is, by its name, where the finding is wrong."""


class Kind(NamedTuple):
    """What a column is, and why it is left out where it is."""

    name: Literal["number", "category", "constant", "left-out"]
    reason: str = ""


def fit_columns(frame: pd.DataFrame, rules: Rules) -> list[Column]:
    """Fit all columns of a table.

    Args:
        frame: The training rows.
        rules: How columns are read.

    Raises:
        UserError: A name in `rules.kinds` that no column has, a column that is not what was
            said, or nothing that can be learned.
    """
    for name in rules.kinds:
        if name not in frame.columns:
            raise UserError(
                f"data.kinds: there is no column '{name}': {nearest(name, list(frame.columns))}"
            )
    columns = [fit_column(one_column(frame, name), rules) for name in frame.columns]
    if not any(isinstance(column, Number | Discrete) for column in columns):
        why = "; ".join(f"{c.name}: {c.reason}" for c in columns if isinstance(c, LeftOut))
        hint = ""
        if len(columns) == 1:
            hint = ": if its lines have several cells, part them by a comma, semicolon or tab"
        raise UserError(f"no column can be learned ({why or 'all are constant'}){hint}")
    return columns


def fit_column(series: pd.Series, rules: Rules) -> Column:
    """Fit one column; see `fit_columns`."""
    name, dtype = str(series.name), str(series.dtype)
    kind = kind_of(series, rules)
    if kind.name == "left-out":
        return LeftOut(name=name, reason=kind.reason)
    if kind.name == "constant":
        seen = series.dropna()
        return Fixed(name=name, dtype=dtype, value=plain(seen.iloc[0]) if len(seen) else None)
    return _number(series, rules) if kind.name == "number" else _discrete(series, rules)


def kind_of(series: pd.Series, rules: Rules) -> Kind:
    """What a column is: what the rules say of it, or what its values tell."""
    pd = require("pandas", "tables")
    name = str(series.name)
    said = rules.kinds.get(name)
    if said == "skip":
        return Kind("left-out", "as asked")
    seen = series.dropna()
    try:
        distinct = seen.nunique()
    except TypeError:
        return Kind("left-out", "its values are lists or mappings")
    if distinct == 0 or (distinct == 1 and len(seen) == len(series)):
        return Kind("constant")
    if said is not None:
        return Kind(said)
    numeric = pd.api.types.is_numeric_dtype(series.dtype)
    boolean = pd.api.types.is_bool_dtype(series.dtype)
    if numeric and not boolean:
        whole = pd.api.types.is_integer_dtype(series.dtype)
        if whole and distinct == len(seen) >= rules.distinct and _counts_up(seen, name):
            return Kind("left-out", "an identifier: a different number in every row")
        return Kind("number" if distinct > rules.distinct else "category")
    if boolean or isinstance(series.dtype, pd.CategoricalDtype):
        return Kind("category")
    if pd.api.types.is_datetime64_any_dtype(series.dtype) or date_format(seen):
        return Kind("number" if distinct > 1 else "category")
    _check_texts(seen)
    crowded = distinct > rules.categories and distinct > _MANY * len(seen)
    if crowded or (distinct > _UNIQUE * len(seen) and len(seen) > rules.distinct):
        words = float(seen.astype(str).str.split().str.len().median())
        if marked(seen):
            return Kind("left-out", f"{distinct:,} different texts of digits, {_PLAINLY}")
        what = "free text" if words >= _WORDS else "identifiers"
        return Kind("left-out", f"{what}: {distinct:,} different texts in {len(seen):,} rows")
    return Kind("category")


def marked(values: Iterable[Any]) -> bool:
    """Whether nearly all texts are digits with marks, as in 1,234 or $5.00 or 31.12.2024."""
    some = [text for text in values if isinstance(text, str)]
    odd = sum(bool(_MARKED.fullmatch(text)) and not text.isdigit() for text in some)
    return bool(some) and odd >= _UNIQUE * len(some)


def date_format(seen: pd.Series) -> str:
    """The format of texts that are all dates such as 2024-01-31 or 2024-01-31 08:15:00; or ""."""
    first = next(iter(seen), None)
    if not isinstance(first, str) or not _DATE.fullmatch(first):
        return ""
    if not all(
        isinstance(text, str) and len(text) == len(first) and _DATE.fullmatch(text)
        for text in seen.unique()
    ):
        return ""
    if len(first) == 10:
        return "%Y-%m-%d"
    return f"%Y-%m-%d{first[10]}%H:%M" + (":%S" if len(first) == 19 else "")


def numbers_of(series: pd.Series, *, date: str, unit: float) -> NDArray[np.float64]:
    """The values of a column of numbers or dates (N,), NaN where one is missing.

    Raises:
        UserError: A value that is no number; the message names it and its row.
    """
    pd = require("pandas", "tables")
    if unit:
        moments = pd.to_datetime(series, format=date or None, errors="coerce")
        wrong = (moments.isna() & series.notna()).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            word = series.iloc[row]
            raise UserError(
                f"column '{series.name}' holds dates, and '{word}' (row {row + 1}) is none: mend "
                f"it, or say that it means a missing value with data.missing='[\"{word}\"]'"
            )
        zone = getattr(moments.dtype, "tz", None)
        moments = moments if zone is None else moments.dt.tz_convert("UTC").dt.tz_localize(None)
        # In nanoseconds, the year 9999, by which many mean no end, would not fit.
        since = moments.to_numpy("datetime64[us]") - np.datetime64(0, "us")
        return since / np.timedelta64(round(unit * 1e6), "us")
    found = pd.to_numeric(series, errors="coerce")
    wrong = found.isna() & series.notna()
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise UserError(
            f"column '{series.name}' holds numbers, not '{series.iloc[row]}' (row {row + 1})"
        )
    return found.astype("Float64").to_numpy(np.float64, na_value=np.nan)


def plain(value: Any) -> Value:
    """A value of a data frame in the type that JSON has for it."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    return str(value)


def mixture(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Gaussian modes of a column (Xu et al. 2019, section 4.2: a variational mixture).

    A Dirichlet process of at most 10 modes, on at most 5,000 values that a seed chooses.

    Args:
        values: (N,), none of them missing.

    Returns:
        Means, standard deviations and weights of the modes that weigh more than 0.005, by mean.
    """
    from warnings import catch_warnings, simplefilter

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    if len(values) > _SUBSAMPLE:
        values = values[choose((SEED, _FIT), len(values), _SUBSAMPLE)]
    middle, spread = float(values.mean()), float(values.std())
    if spread == 0:
        return np.array([middle]), np.array([max(abs(middle), 1.0) * 1e-3]), np.ones(1)
    most = min(MODES, len(np.unique(values)))
    model = BayesianGaussianMixture(
        n_components=most,
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=1e-3,
        max_iter=100,
        random_state=SEED,
    )
    with catch_warnings():
        simplefilter("ignore", ConvergenceWarning)  # more steps do not change what is learned
        model.fit(((values - middle) / spread)[:, None])
    kept = np.flatnonzero(model.weights_ > LIGHTEST)
    kept = kept[np.argsort(model.means_[kept, 0], kind="stable")]
    means = middle + spread * model.means_[kept, 0]
    stds = spread * np.sqrt(model.covariances_[kept, 0, 0])
    return means, stds, model.weights_[kept] / model.weights_[kept].sum()


def _number(series: pd.Series, rules: Rules) -> Number:
    pd = require("pandas", "tables")
    seen = series.dropna()
    date, unit = "", 0.0
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        unit = 1.0
    elif not pd.api.types.is_numeric_dtype(series.dtype):
        date = date_format(seen)
        unit = (86_400.0 if len(date) == 8 else 1.0) if date else 0.0
    values = numbers_of(seen, date=date, unit=unit)
    if not np.isfinite(values).all():
        raise UserError(f"column '{series.name}' holds infinite numbers: mend or remove them")
    distinct, counts = np.unique(values, return_counts=True)
    spikes = distinct[counts >= rules.spikes * len(series)] if len(distinct) > 1 else distinct[:0]
    rest = values[~np.isin(values, spikes)]
    means, stds, weights = mixture(rest) if len(rest) else (np.zeros(0),) * 3
    return Number(
        name=str(series.name),
        dtype=str(series.dtype),
        date=date,
        unit=unit,
        decimals=_decimals(distinct),
        low=float(distinct[0]),
        high=float(distinct[-1]),
        means=tuple(means.tolist()),
        stds=tuple(stds.tolist()),
        weights=tuple(weights.tolist()),
        spikes=tuple(spikes.tolist()),
        missing=len(seen) < len(series),
        distinct=len(distinct),
    )


def _discrete(series: pd.Series, rules: Rules) -> Discrete:
    tally = {value: int(n) for value, n in series.value_counts().items() if n}  # no missing ones
    values = [plain(value) for value in tally]
    if len({type(value) for value in values}) > 1 and not all(
        isinstance(value, int | float) for value in values
    ):
        values = [str(value) for value in values]
    # Ties are broken by the value: the order of rows should not decide.
    ranked = sorted(zip(values, tally.values()), key=lambda pair: (-pair[1], str(pair[0])))
    kept, rest = ranked, []
    if len(ranked) > rules.categories:
        kept, rest = ranked[: rules.categories - 1], ranked[rules.categories - 1 :]
    kept = sorted(kept, key=lambda pair: _place(pair[0]))
    absent = int(series.isna().sum())
    counts = [count for _, count in kept]
    counts += [sum(count for _, count in rest)] if rest else []
    counts += [absent] if absent else []
    return Discrete(
        name=str(series.name),
        dtype=str(series.dtype),
        values=tuple(value for value, _ in kept),
        counts=tuple(counts),
        rare=tuple(value for value, _ in rest),
        rare_counts=tuple(count for _, count in rest),
        missing=absent > 0,
    )


def _place(value: Value) -> tuple[int, float, str]:
    return (1, 0.0, value) if isinstance(value, str) else (0, float(value), "")


def _decimals(values: NDArray[np.float64]) -> int | None:
    """Digits after the point that are enough for all values; None for more than 12."""
    some = values if len(values) <= 1000 else values[:: len(values) // 1000]
    for digits in range(_DIGITS + 1):
        if (np.round(some, digits) == some).all() and (np.round(values, digits) == values).all():
            return digits
    return None


def _counts_up(seen: pd.Series, name: str) -> bool:
    """Whether different whole numbers number the rows, rather than measure something."""
    span = int(seen.max()) - int(seen.min()) + 1
    called = bool(re.search(r"(^|[_\W])(id|key|uuid|index)$|Id$|ID$", name))
    return called or span <= 1.1 * len(seen)


def _check_texts(seen: pd.Series) -> None:
    """Refuse a column of objects in which numbers and texts are mixed."""
    kinds: dict[str, int] = {}
    for row, value in enumerate(seen):
        kind = "text" if isinstance(value, str) else "number"
        kinds.setdefault(kind, row)
        if len(kinds) > 1:
            raise UserError(
                f"column '{seen.name}' mixes numbers and texts ('{value}' in row "
                f"{int(seen.index[row]) + 1}): mend it, or say what it is with data.kinds"
            )


def summary(columns: Sequence[Column]) -> list[str]:
    """What was decided about columns that are not learned, and about capped ones."""
    notes = []
    for column in columns:
        if isinstance(column, LeftOut):
            notes.append(f"column '{column.name}' is left out ({column.reason})")
        elif isinstance(column, Fixed):
            notes.append(f"column '{column.name}' is constant: it is copied")
        elif isinstance(column, Discrete) and column.rare:
            notes.append(
                f"column '{column.name}': the {len(column.values)} commonest categories stand "
                f"alone, {len(column.rare):,} rarer ones share one (data.categories)"
            )
        notes += respelled(column)
    return notes


def respelled(column: Column) -> list[str]:
    """A line on a column of categories that may be one of numbers or dates; none on others."""
    if not isinstance(column, Discrete) or len(column.values) <= _FEW or not marked(column.values):
        return []
    return [
        f"column '{column.name}' is learned as categories: it holds texts of digits such as "
        f"'{column.values[0]}', {_PLAINLY}"
    ]
