"""Columns that name people or rows: recognised, and made anew so that no value is copied.

What is made is new by construction, not by looking whether it is: a number above all those of the
data, an address in a domain that is reserved for examples (RFC 2606), a telephone number under the
country code 999, which is assigned to nobody, a UUID of version 8 with zeros (RFC 9562), or a text
with a beginning that no text of the data has. So the codec need not keep the data's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from zerosum.data.order import draw
from zerosum.modalities.tables.columns import Identifier

if TYPE_CHECKING:
    import pandas as pd

_SEED, _ABSENT = 0, 106
_MOSTLY = 0.9  # share of texts of a kind from which a column is of that kind
_FEW = 20  # different values up to which names are categories

_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PHONE = re.compile(r"[+(]?\d[\d\s().\-/]{5,}\d")
_ABROAD = re.compile(r"\+\d[\d\s().\-/]{5,}\d")
_CALLED_PHONE = re.compile(r"phone|mobile|(^|[_\W])(tel|cell|fax)([_\W]|$)", re.IGNORECASE)
_CALLED_NAME = re.compile(
    r"((first|last|full|given|family|middle|user|nick|maiden)?[ _-]?name|surname|forename)",
    re.IGNORECASE,
)
_CALLED_KEY = re.compile(r"(^|[_\W])(id|key|uuid|index)$|Id$|ID$")

MAIL, PHONE, UUID, NAMES = "e-mail addresses", "telephone numbers", "UUIDs", "names"


def personal(seen: pd.Series) -> str:
    """What identifies people or things in a column, such as `e-mail addresses`; "" for nothing.

    Args:
        seen: Values (N,), none of them missing.
    """
    name, values = str(seen.name), seen.unique()
    whole = np.issubdtype(seen.dtype, np.integer) if isinstance(seen.dtype, np.dtype) else False
    if whole and _CALLED_PHONE.search(name) and int(seen.min()) >= 10**6:
        return PHONE
    texts = [value.strip() for value in values if isinstance(value, str)]
    if len(texts) < len(values) or not texts:
        return ""
    for what, pattern in ((MAIL, _MAIL), (UUID, _UUID), (PHONE, _ABROAD)):
        if _share(texts, pattern) >= _MOSTLY:
            return what
    if _CALLED_PHONE.search(name) and _share(texts, _PHONE) >= _MOSTLY:
        return PHONE
    if _CALLED_NAME.fullmatch(name.strip()) and len(texts) > _FEW:
        return NAMES
    return ""


def counts_up(seen: pd.Series) -> bool:
    """Whether different whole numbers number the rows, rather than measure something."""
    span = int(seen.max()) - int(seen.min()) + 1
    return bool(_CALLED_KEY.search(str(seen.name))) or span <= 1.1 * len(seen)


def fit_identifier(series: pd.Series, reason: str) -> Identifier:
    """How new values of a column are made.

    Args:
        series: The column, missing values among it.
        reason: What was recognised.
    """
    import pandas as pd

    seen = series.dropna()
    form: dict[str, Any] = {"name": str(series.name), "dtype": str(series.dtype), "reason": reason}
    form["missing"] = 1 - len(seen) / max(len(series), 1)
    if pd.api.types.is_integer_dtype(series.dtype):
        return Identifier(**form, number=True, first=max(int(seen.max()), 0) + 1)
    texts = [str(value) for value in seen.unique()]
    what = personal(seen)
    if what == MAIL:
        domains = ("@example.com", "@example.org", "@example.net")
        ends = (*domains, *(f"@people{i}.invalid" for i in range(len(texts) + 1)))
        suffix = next(end for end in ends if not any(text.endswith(end) for text in texts))
        return Identifier(**form, prefix="person", suffix=suffix)
    if what == PHONE:
        return Identifier(**form, prefix=_unused(texts, "+999 "), width=8)
    if what == UUID:
        return Identifier(**form, prefix=_unused(texts, "00000000-0000-8000-8000-"), width=12)
    if what == NAMES:
        return Identifier(**form, prefix=_unused(texts, "Person "))
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(min(texts), max(texts)))
    start = "".join(letter for letter, _ in alike).rstrip("0123456789")
    rests = [text[len(start) :] for text in texts]
    if all(rest.isascii() and rest.isdigit() for rest in rests):  # such as k00017
        above = max(int(rest) for rest in rests) + 1
        return Identifier(**form, prefix=start, first=above, width=max(map(len, rests)))
    return Identifier(**form, prefix=_unused(texts, "row-"))


def made(column: Identifier, n: int, first: int = 0) -> list[Any]:
    """New values (n,) of a column for the `first`-th row of a table and those after it, all
    different; None where one is missing."""
    numbers = range(column.first + first, column.first + first + n)
    values: list[Any] = list(numbers)
    if not column.number:
        values = [f"{column.prefix}{i:0{column.width}d}{column.suffix}" for i in numbers]
    if column.missing:
        words = draw((_SEED, _ABSENT), np.arange(first, first + n))
        level = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        values = [None if absent else v for absent, v in zip(level < column.missing, values)]
    return values


def _share(texts: Iterable[str], pattern: re.Pattern[str]) -> float:
    found = [bool(pattern.fullmatch(text)) for text in texts]
    return sum(found) / len(found)


def _unused(texts: list[str], prefix: str) -> str:
    """A beginning that no text has: the one wished for, or it with a number."""
    wished = (prefix, *(f"{prefix}{i}-" for i in range(len(texts) + 1)))
    return next(begin for begin in wished if not any(text.startswith(begin) for text in texts))
