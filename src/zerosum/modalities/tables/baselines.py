"""Honest methods that are no GAN: independent columns, and a Gaussian copula."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zerosum.errors import require
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import Number
from zerosum.modalities.tables.fitting import numbers_of
from zerosum.modalities.tables.frames import column as one_column
from zerosum.modalities.tables.frames import part

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


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
