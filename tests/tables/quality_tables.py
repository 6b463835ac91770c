"""Ten pairs of small tables, made by arithmetic alone, on which quality scores are compared.

The expected values in `tests/data/table_quality.json` are those of SDMetrics 0.32.0
(QualityReport, its default settings) on exactly these tables; see `test_table_quality.py`.
"""

from random import Random

import pandas as pd

ROWS = 160


def column(rng, kind, shift, parent):
    """Values of a column; `parent` (numbers in [0, 1]) makes columns hang together."""
    mixed = [0.7 * p + 0.3 * rng.random() + shift * rng.random() for p in parent]
    if kind == "number":
        return [round(100 * m**2, 3) for m in mixed]
    if kind == "whole":
        return [int(60 * m) for m in mixed]
    if kind == "holes":
        return [None if rng.random() < 0.15 + shift / 2 else round(m, 4) for m in mixed]
    if kind == "date":
        start = pd.Timestamp("2020-01-01")
        return [start + pd.Timedelta(days=int(900 * m)) for m in mixed]
    if kind == "flag":
        return [m > 0.6 for m in mixed]
    names = ["red", "blue", "green", "odd"]
    words = [names[min(int(3 * m), 3)] for m in mixed]
    if kind == "gaps":
        return [None if rng.random() < 0.2 else word for word in words]
    return words


def pair(number):
    """A real table, a synthetic one, and what each column is for the judge."""
    every = ["number", "whole", "holes", "date", "flag", "word", "gaps"]
    kinds = every if number < 4 else [every[(number + i) % 7] for i in range(4)]
    sdtypes = {
        f"{kind}_{i}": {"number": "numerical", "whole": "numerical", "holes": "numerical",
                        "date": "datetime", "flag": "boolean"}.get(kind, "categorical")
        for i, kind in enumerate(kinds)
    }  # fmt: skip
    frames = []
    for rng, shift in ((Random(number), 0.0), (Random(100 + number), 0.07 * (number % 5))):
        parent = [rng.random() for _ in range(ROWS)]
        tied = [p if number % 3 else rng.random() for p in parent]
        frames.append(
            pd.DataFrame(
                {name: column(rng, name.split("_")[0], shift, parent if i % 2 else tied)
                 for i, name in enumerate(sdtypes)}
            )
        )  # fmt: skip
    return frames[0], frames[1], sdtypes
