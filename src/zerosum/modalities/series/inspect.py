"""What is in a path of series, for `zerosum inspect`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from zerosum.modalities.modality import Inspection, counted
from zerosum.modalities.series import statistics as of
from zerosum.modalities.series.config import Series
from zerosum.modalities.series.reading import NAMES, Columns, read, suffix_of


def reads(path: str) -> str:
    """What a path would be read as; "" for files that other kinds of data have too."""
    return f"the series '{path}'" if path in NAMES else ""


def inspect(path: str) -> Inspection:
    """What is in a path.

    Raises:
        UserError: Nothing is there, or nothing can be read.
    """
    config = Series(path=path)
    reading = read(path, Columns(), config.length, 0)
    lengths = {len(part) for part in reading.parts}
    missing = sum(int((~np.isfinite(part)).sum()) for part in reading.parts)
    shown = f"{min(lengths):,}" if len(lengths) == 1 else f"{min(lengths):,} to {max(lengths):,}"
    rows = {
        "series": f"{len(reading.parts):,} of {shown} steps",
        "channels": f"{len(reading.names)}: {', '.join(reading.names[:6])}"
        + ", ..." * (len(reading.names) > 6),
        "missing": f"{missing:,}" if missing else "none",
    }
    if reading.labels:
        rows["labels"] = counted(Counter(reading.labels))
    if reading.test is not None:
        rows["test part"] = f"{len(reading.test[0]):,} series"
    if not missing and len(lengths) == 1:
        stacked = np.stack(reading.parts)
        lag = of.autocorrelation(stacked, 1)[0]
        rows["at lag 1"] = f"autocorrelation {lag.min():.2f} to {lag.max():.2f}"
        flat = [n for n, still in zip(reading.names, stacked.std((0, 1)) == 0) if still]
    else:
        flat = []
    warnings = []
    if flat:
        warnings.append(f"channels that never change: {', '.join(flat[:5])}: leave them out")
    if missing:
        warnings.append("missing values: set data.missing=interpolate, or fill them")
    long = reading.long
    words = f" data.length={config.length}" if long and suffix_of(Path(path)) else ""
    command = f"zerosum train timegan --data {path}{words}"
    facts = {
        "series": len(reading.parts),
        "steps": sorted(lengths),
        "channels": list(reading.names),
        "missing": missing,
        "labels": dict(Counter(reading.labels)),
    }
    return Inspection(path, rows, reading.notes, warnings, command, facts)
