"""Tables on pages: what stands between two marks is written by a bench, never by hand.

A place begins with the line `<!-- MARK -->` and ends with `<!-- /KIND -->`, KIND being the mark's
first word without a colon.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from zerosum.errors import UserError
from zerosum.files import write_text


def mean_and_spread(
    values: Sequence[float], mean: str = ".3g", spread: str = ".2g", factor: float = 1.0
) -> str:
    """The mean of seeds and their standard deviation; a dash for none.

    Args:
        values: One for each seed.
        mean: Format of the mean.
        spread: Format of the deviation, which a single value has not.
        factor: What both are multiplied by, such as 100 for per cent.
    """
    if not values:
        return "-"
    beside = f" ± {factor * stdev(values):{spread}}" if len(values) > 1 else ""
    return f"{factor * fmean(values):{mean}}{beside}"


def marked(page: Path, mark: str) -> bool:
    """Whether a page is there and has such a place."""
    return _place(page, mark) is not None


def demand(page: Path, mark: str) -> re.Match[str]:
    """The place on a page.

    Raises:
        UserError: The page has no such place.
    """
    place = _place(page, mark)
    if place is None:
        begin, end = _lines(mark)
        raise UserError(f"{page} is not there, or lacks the lines  {begin}  and  {end}")
    return place


def between_marks(page: Path, mark: str, text: str) -> None:
    """Replace what a page has at a place.

    Raises:
        UserError: The page has no such place.
    """
    place = demand(page, mark)
    before = place.string
    after = f"{before[: place.start(1)]}\n{text.strip()}\n\n{before[place.end(1) :]}"
    if after != before:
        write_text(page, after)


def _place(page: Path, mark: str) -> re.Match[str] | None:
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    begin, end = map(re.escape, _lines(mark))
    return re.search(rf"^{begin}\n(.*?)^{end}$", text, re.DOTALL | re.MULTILINE)


def _lines(mark: str) -> tuple[str, str]:
    return f"<!-- {mark} -->", f"<!-- /{mark.split()[0].removesuffix(':')} -->"
