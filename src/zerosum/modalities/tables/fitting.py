"""From a data frame to fitted columns: their modes or their categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zerosum.data.digits import decimals
from zerosum.data.order import choose
from zerosum.errors import UserError, nearest
from zerosum.modalities.tables.columns import (
    Column,
    Discrete,
    Fixed,
    Identifier,
    LeftOut,
    Number,
    Value,
)
from zerosum.modalities.tables.frames import column as one_column
from zerosum.modalities.tables.identifiers import fit_identifier
from zerosum.modalities.tables.kinds import PLAINLY, KindName, Rules, kind_of
from zerosum.modalities.tables.values import clock_of, coarsest, marked, numbers_of, plain

if TYPE_CHECKING:
    import pandas as pd

SEED = 0
"""Of everything that fitting draws."""
MODES = 10
"""Most Gaussian modes of a column (Xu et al. 2019, section 4.2)."""
LIGHTEST = 0.005
"""Share below which a mode is left out."""
TAIL = 100.0
"""How many times the median the greatest value is from which a number has a long tail."""

_SUBSAMPLE = 5_000  # rows from which mixtures are fitted
_FIT = 50  # what the subsample is drawn for, beside the purposes in data.order
_FEW = 20  # categories up to which numbers would be categories too


def fit_columns(
    frame: pd.DataFrame, rules: Rules
) -> list[Number | Discrete | Fixed | Identifier | LeftOut]:
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
                f"data.kinds or data.schema: there is no column '{name}': "
                f"{nearest(name, list(frame.columns))}"
            )
    columns = [fit_column(one_column(frame, name), rules) for name in frame.columns]
    if not any(isinstance(column, Number | Discrete) for column in columns):
        idle = [column for column in columns if isinstance(column, LeftOut | Identifier)]
        why = "; ".join(f"{column.name}: {column.reason}" for column in idle)
        hint = ""
        if len(columns) == 1:
            hint = ": if its lines have several cells, part them by a comma, semicolon or tab"
        raise UserError(f"no column can be learned ({why or 'all are constant'}){hint}")
    return columns


def fit_column(
    series: pd.Series, rules: Rules
) -> Number | Discrete | Fixed | Identifier | LeftOut:
    """Fit one column; see `fit_columns`."""
    name, dtype = str(series.name), str(series.dtype)
    kind = kind_of(series, rules)
    if kind.name == "left-out":
        return LeftOut(name=name, reason=kind.reason)
    if kind.name == "identifier":
        return fit_identifier(series, kind.reason)
    if kind.name == "constant":
        seen = series.dropna()
        return Fixed(name=name, dtype=dtype, value=plain(seen.iloc[0]) if len(seen) else None)
    return _number(series, rules) if kind.name == "number" else _discrete(series, rules)


def fit_hidden(series: pd.Series, rules: Rules) -> Column:
    """Fit what constraints derive columns from: numbers, or categories where few or texts."""
    few = series.nunique() <= rules.distinct or not np.issubdtype(series.to_numpy().dtype, float)
    kind: KindName = "category" if few else "number"
    return fit_column(series, rules.model_copy(update={"kinds": {str(series.name): kind}}))


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
    seen = series.dropna()
    date, unit = clock_of(series)
    values = numbers_of(seen, date=date, unit=unit)
    if not np.isfinite(values).all():
        raise UserError(f"column '{series.name}' holds infinite numbers: mend or remove them")
    if unit:
        coarse = coarsest(values * unit, unit)
        values, unit = values * unit / coarse, coarse
    distinct, counts = np.unique(values, return_counts=True)
    spikes = distinct[counts >= rules.spikes * len(series)] if len(distinct) > 1 else distinct[:0]
    rest = values[~np.isin(values, spikes)]
    offset = None if unit else _offset(series, rest, rules)
    inner = rest if offset is None else np.log(rest + offset)
    means, stds, weights = mixture(inner) if len(rest) else (np.zeros(0),) * 3
    return Number(
        name=str(series.name),
        dtype=str(series.dtype),
        date=date,
        unit=unit,
        decimals=decimals(distinct),
        low=float(distinct[0]),
        high=float(distinct[-1]),
        means=tuple(means.tolist()),
        stds=tuple(stds.tolist()),
        weights=tuple(weights.tolist()),
        spikes=tuple(spikes.tolist()),
        missing=len(seen) < len(series),
        distinct=len(distinct),
        offset=offset,
    )


def _offset(series: pd.Series, rest: NDArray[np.float64], rules: Rules) -> float | None:
    """What is added before the logarithm of a long tail is taken: the least positive value.

    A tail is long where no value is negative and the greatest is over 100 times the median, single
    values apart (Zhao et al. 2021, arXiv:2102.08369, section 3.2, take logarithms of such
    columns where the user names them).
    """
    said = rules.logs.get(str(series.name))
    positive = rest[rest > 0]
    if said is False or not len(positive):
        return None
    if said and (rest < 0).any():
        raise UserError(
            f"column '{series.name}' has negative values, of which there is no logarithm: "
            "leave `log` out of the schema"
        )
    long = rest.min() >= 0 and rest.max() > TAIL * float(np.median(positive))
    return float(positive.min()) if said or long else None


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
    order = list(rules.orders.get(str(series.name), ()))
    if not order and getattr(series.dtype, "ordered", False):
        order = [str(value) for value in series.cat.categories]
    if len(ranked) > rules.categories and not order:
        kept, rest = ranked[: rules.categories - 1], ranked[rules.categories - 1 :]
    kept = sorted(kept, key=lambda pair: _place(pair[0]))
    if order:
        kept.sort(key=lambda pair: order.index(str(pair[0])))
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
        ordered=bool(order),
    )


def _place(value: Value) -> tuple[int, float, str]:
    return (1, 0.0, value) if isinstance(value, str) else (0, float(value), "")


def summary(columns: Sequence[Column]) -> list[str]:
    """What was decided about columns that are not learned, and about capped ones."""
    notes = []
    for column in columns:
        if isinstance(column, LeftOut):
            notes.append(f"column '{column.name}' is left out ({column.reason})")
        elif isinstance(column, Identifier):
            notes.append(
                f"column '{column.name}' is made anew, none of its values is copied "
                f"({column.reason})"
            )
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
        f"'{column.values[0]}', {PLAINLY}"
    ]
