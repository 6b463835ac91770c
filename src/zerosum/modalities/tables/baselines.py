"""Honest methods that are no GAN: independent columns, a Gaussian copula, a bootstrap, SMOTE.

All of them draw the learned columns of a codec (`TableCodec.inner`), so that what they make keeps
its constraints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from zerosum.errors import require
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import Number
from zerosum.modalities.tables.frames import column as one_column
from zerosum.modalities.tables.frames import part
from zerosum.modalities.tables.restoring import restored
from zerosum.modalities.tables.stored import Learned
from zerosum.modalities.tables.values import numbers_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

NEIGHBOURLY = 10_000
"""Most rows among which neighbours are looked for."""


def marginals(frame: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Rows whose columns are drawn from the data one by one, each apart from the others.

    Args:
        frame: Real rows.
        n: Rows to draw.
        seed: Of the draw.
    """
    pd = require("pandas", "tables")
    rng = np.random.default_rng(seed)
    drawn = {name: frame[name].iloc[rng.integers(len(frame), size=n)] for name in frame.columns}
    return pd.DataFrame({name: s.reset_index(drop=True) for name, s in drawn.items()})


def copula(frame: pd.DataFrame, codec: TableCodec, n: int, seed: int) -> pd.DataFrame:
    """Rows of a Gaussian copula: the data's own columns, bound by one correlation matrix.

    Each value becomes its rank, ties broken at random, and the rank a normal number; rows are
    drawn from the normal law with the correlations of those, and taken back through the ranks.
    Categories are ranked in the codec's order, missing values below all others.

    Args:
        frame: Real rows.
        codec: Says what the columns are.
        n: Rows to draw.
        seed: Of ties and draws.
    """
    from scipy.special import ndtr, ndtri

    rng = np.random.default_rng(seed)
    count = len(frame)
    orders: dict[str, NDArray[np.int64]] = {}
    scores = []
    for column in codec.learned:
        series = one_column(frame, column.name)
        if isinstance(column, Number):
            values = numbers_of(series, date=column.date, unit=column.unit)
            keys = np.where(np.isnan(values), -np.inf, values)
        else:
            place = {value: i for i, value in enumerate((*column.values, *column.rare))}
            keys = np.array([place.get(cell, -1) for cell in series.to_numpy(dtype=object)])
        order = np.lexsort((rng.random(count), keys))
        ranks = np.empty(count)
        ranks[order] = np.arange(count)
        orders[column.name] = order
        scores.append(ndtri((ranks + 0.5) / count))
    correlations = np.atleast_2d(np.corrcoef(np.stack(scores)))
    # Eigenvalues rather than Cholesky: columns that determine each other make it singular.
    values, vectors = np.linalg.eigh(correlations)
    root = vectors * np.sqrt(values.clip(min=0))
    drawn = ndtr(rng.standard_normal((n, len(values))) @ root.T)
    places = (drawn * count).astype(np.int64).clip(max=count - 1)
    picked = {
        name: frame[name].iloc[order[places[:, i]]].reset_index(drop=True)
        for i, (name, order) in enumerate(orders.items())
    }
    rest = [name for name in frame.columns if name not in picked]  # constant columns
    if rest:
        picked |= dict(marginals(part(frame, rest), n, seed).items())
    pd = require("pandas", "tables")
    return pd.DataFrame({name: picked[name] for name in frame.columns})


def bootstrap(frame: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Training rows again, drawn with replacement: as like as can be, and all of them copies."""
    rng = np.random.default_rng(seed)
    return frame.iloc[rng.integers(len(frame), size=n)].reset_index(drop=True)


def smote(frame: pd.DataFrame, codec: TableCodec, n: int, seed: int) -> pd.DataFrame:
    """Rows between training rows and their neighbours of the same class.

    SMOTE-NC (Chawla, Bowyer, Hall and Kegelmeyer 2002, doi:10.1613/jair.953, section 6.1) as
    imbalanced-learn has it: numbers lie on the line to one of five neighbours, categories are the
    commonest among them. Classes, the target's categories, are as frequent as in the data; one
    with a single row gives that row. A missing number is a category beside the number, and stands
    in as the median. Of many rows 10,000 are taken: neighbours of all would take minutes.

    Args:
        frame: Real rows.
        codec: Says what the columns are, and which is the target.
        n: Rows to draw.
        seed: Of the draw.
    """
    over = require("imblearn.over_sampling", "tables")
    frame = frame.sample(min(len(frame), NEIGHBOURLY), random_state=seed % 2**32)
    frame = frame.reset_index(drop=True)
    target = codec.target if codec.target in frame.columns else ""
    learned = {column.name: column for column in codec.learned}
    x, discrete = _spread(frame, learned, target)
    # Without a class all rows are of one; imbalanced-learn wants two, and chance is one as well.
    classes = np.arange(len(frame)) % 2
    if target and not isinstance(learned[target], Number):
        classes = frame[target].astype(str).fillna("").to_numpy()
    names, counts = np.unique(classes, return_counts=True)
    wanted = np.random.default_rng(seed).multinomial(n, counts / counts.sum())
    alone = bootstrap(frame, n, seed)
    kept = [name for name, count in zip(names, counts) if count > 1]
    rows = np.isin(classes, kept)
    made = [alone.iloc[: sum(w for name, w in zip(names, wanted) if name not in kept)]]
    if len(kept) > 1:
        plan = {c: int(k + w) for c, k, w in zip(names, counts, wanted) if c in kept}
        fewest = min(int(count) for count in counts if count > 1)
        k = min(5, fewest - 1)
        kind = over.SMOTEN if all(discrete) else over.SMOTENC if any(discrete) else over.SMOTE
        settings = {"sampling_strategy": plan, "k_neighbors": k, "random_state": seed % 2**32}
        if kind is over.SMOTENC:
            settings["categorical_features"] = np.flatnonzero(discrete).tolist()
        mixed, said = kind(**settings).fit_resample(x[rows], classes[rows])
        made.append(_gathered(mixed[rows.sum() :], said[rows.sum() :], frame, learned, target))
    else:
        made.append(alone.iloc[len(made[0]) :])
    pd = require("pandas", "tables")
    return pd.concat(made).sample(frac=1, random_state=seed % 2**32).reset_index(drop=True)


def smote_class(
    frame: pd.DataFrame, codec: TableCodec, target: str, value: str, n: int, seed: int
) -> pd.DataFrame:
    """Rows of one class between its rows and their neighbours of it; see `smote`.

    Args:
        frame: Real rows of all classes.
        codec: Says what the columns are; constraints are not kept.
        target: The column of classes.
        value: The class, as text; a class of one row gives that row.
        n: Rows to draw.
        seed: Of the draw.
    """
    over = require("imblearn.over_sampling", "tables")
    here = (one_column(frame, target).astype(str) == value).to_numpy()
    count = int(here.sum())
    if count < 2 or not n:
        return bootstrap(frame.loc[here].reset_index(drop=True), n, seed)
    frame = part(frame, [*codec.described])
    x, discrete = _spread(frame, codec.described, target)
    kind = over.SMOTEN if all(discrete) else over.SMOTENC if any(discrete) else over.SMOTE
    settings = {"sampling_strategy": {True: count + n}, "k_neighbors": min(5, count - 1)}
    if kind is over.SMOTENC:
        settings["categorical_features"] = np.flatnonzero(discrete).tolist()
    mixed, _ = kind(**settings, random_state=seed % 2**32).fit_resample(x, here)
    made = mixed[len(frame) :]
    return _gathered(made, np.array([value] * n, object), frame, codec.described, target)


def _spread(
    frame: pd.DataFrame, learned: Mapping[str, Learned], target: str
) -> tuple[NDArray[np.float64], list[bool]]:
    """Columns (N, K) for neighbours: numbers with a mark where missing, category numbers."""
    pd = require("pandas", "tables")
    columns, discrete = [], []
    for name, column in learned.items():
        if isinstance(column, Number):
            values = numbers_of(one_column(frame, name), date=column.date, unit=column.unit)
            absent = np.isnan(values)
            middle = float(np.median(values[~absent])) if not absent.all() else 0.0
            columns += [np.where(absent, middle, values), absent.astype(float)]
            discrete += [False, True]
        elif name != target:
            columns.append(pd.factorize(one_column(frame, name))[0].astype(float))
            discrete.append(True)
    return np.stack(columns, 1), discrete


def _gathered(
    x: NDArray[np.float64],
    classes: NDArray[np.object_],
    frame: pd.DataFrame,
    learned: Mapping[str, Learned],
    target: str,
) -> pd.DataFrame:
    """Columns of `_spread` as rows like those of the frame."""
    pd = require("pandas", "tables")
    made, at = {}, 0
    for name, column in learned.items():
        if isinstance(column, Number):
            values = np.where(x[:, at + 1] > 0.5, np.nan, x[:, at])
            made[name], at = restored(column, values), at + 2
        elif name != target:
            known = [*pd.factorize(one_column(frame, name))[1]]
            codes = x[:, at].astype(int)
            made[name], at = [known[i] if i >= 0 else None for i in codes], at + 1
        else:
            cells = one_column(frame, name)
            meant = dict(zip(cells.astype(str).fillna(""), cells))
            made[name] = [meant[word] for word in classes]
    return pd.DataFrame({name: made[name] for name in frame.columns})
