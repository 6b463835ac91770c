"""Rows that meet conditions, such as `income=>50K` or `age>30`: asked for, then checked."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from zerosum.data.fields import Batch, Field
from zerosum.errors import UserError, nearest
from zerosum.modalities.modality import Filters
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import Discrete, Number, Value
from zerosum.modalities.tables.frames import column, part
from zerosum.modalities.tables.stored import Learned
from zerosum.modalities.tables.values import numbers_of

if TYPE_CHECKING:
    import pandas as pd

Sign = Literal["=", "!=", "<", "<=", ">", ">="]
_SIGNS: tuple[tuple[str, Sign], ...] = (
    ("==", "="),
    ("!=", "!="),
    (">=", ">="),
    ("<=", "<="),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
)  # the longer ones first
_COUNT = re.compile(r"(.*?):(\d+)(?:,|$)")
_COUNTED = re.compile(r"(.*?:\d+(,|$))+")
_COMPARE: Mapping[Sign, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Where:
    """One condition on a column.

    Attributes:
        column: The column.
        sign: How it is compared.
        value: With what, as typed; empty means a missing value.
    """

    column: Learned
    sign: Sign
    value: str

    def __str__(self) -> str:
        return f"{self.column.name}{self.sign}{self.value}"

    def met(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows (N,) meet it. A missing value meets `=` nothing and `!=` something only."""
        series = column(frame, self.column.name)
        absent = series.isna().to_numpy()
        if not self.value:
            return absent if self.sign == "=" else ~absent
        if isinstance(self.column, Number):
            date, unit = self.column.date, self.column.unit
        elif self.sign in ("=", "!="):
            same = series.astype(str).to_numpy() == self.word
            return ~absent & same if self.sign == "=" else absent | ~same
        elif self.column.ordered:
            ranks = {str(value): i for i, value in enumerate(self.column.values)}
            places = series.astype(str).map(ranks).to_numpy(np.float64)
            return ~absent & _COMPARE[self.sign](places, float(ranks[self.word]))
        else:
            date, unit = "", 0.0
        values = numbers_of(series, date=date, unit=unit)
        found = _COMPARE[self.sign](values, self.number)
        return np.where(absent, self.sign == "!=", found)

    @property
    def word(self) -> str:
        """The category that is meant, as `str` gives it."""
        assert isinstance(self.column, Discrete)
        for value in (*self.column.values, *self.column.rare):
            if str(value) == self.value or (
                self.column.counting and _float(self.value) == float(value)
            ):
                return str(value)
        return self.value

    @property
    def number(self) -> float:
        """The number or date that is meant, in the column's unit."""
        unit = self.column.unit if isinstance(self.column, Number) else 0.0
        if not unit:
            return float(self.value)
        import pandas as pd

        return float(numbers_of(pd.Series([pd.Timestamp(self.value)]), date="", unit=unit)[0])


@dataclass(frozen=True)
class Plan:
    """How rows that meet all conditions are had.

    Attributes:
        wheres: The conditions.
        asked: The one that the game is asked for; None where it cannot be.
        shares: How often each category (categories,) is asked for; it sums to 1, and is None
            where nothing can be.
    """

    wheres: tuple[Where, ...]
    asked: Where | None
    shares: Tensor | None

    def met(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows (N,) meet all of them."""
        found = [where.met(frame) for where in self.wheres]
        return np.logical_and.reduce([np.ones(len(frame), dtype=bool), *found])


class Standing:
    """What rows must be to be given out: as the constraints have it, and unlike earlier ones.

    It remembers what it let pass, so each batch is to be asked once.
    """

    def __init__(self, codec: TableCodec) -> None:
        self.codec = codec
        self._unique = [c.columns for c in codec.constraints if c.kind == "unique"]
        self._seen: list[set[tuple[Hashable, ...]]] = [set() for _ in self._unique]

    def __call__(self, batch: Batch, plan: Plan | None = None) -> Tensor:
        """Which rows (N,) may pass; their rare values are settled, see `TableCodec.settle`."""
        self.codec.settle(batch["row"])
        frame = self.codec.decode(batch)
        met = self.codec.allows(frame)
        if plan is not None:
            met &= plan.met(frame)
        for columns, seen in zip(self._unique, self._seen):
            keys = list(part(frame, columns).astype(object).itertuples(index=False, name=None))
            keys = [tuple(None if cell != cell else cell for cell in key) for key in keys]
            met &= np.array([key not in seen for key in keys], dtype=bool)
            seen |= {key for key, passes in zip(keys, met) if passes}
        return torch.from_numpy(met)


def parse(text: str, codec: TableCodec) -> Where:
    """Read a condition such as `income=>50K`, `age>30`, `sex!=Male` or `occupation=`.

    The column comes first, then a sign (= != < <= > >=), then the value, which may itself begin
    with a sign; nothing stands for a missing value.

    Raises:
        UserError: There is no such column, sign or category, or a comparison means nothing.
    """
    known = codec.described
    fits = [name for name in known if text.strip().startswith(name)]
    for name in sorted(fits, key=len, reverse=True):  # `education-num` before `education`
        rest = text.strip()[len(name) :].lstrip()
        for mark, sign in _SIGNS:
            if rest.startswith(mark):
                where = Where(known[name], sign, rest[len(mark) :].strip())
                _check(where, text)
                return where
    word = text
    for mark, _ in _SIGNS:
        word = word.split(mark)[0]
    if word.strip() in known:
        raise UserError(f"--where '{text}': write a sign and a value, such as {word.strip()}=...")
    raise UserError(
        f"--where '{text}': no learned column is called '{word.strip()}': "
        f"{nearest(word.strip(), known)}"
    )


def _check(where: Where, text: str) -> None:
    """Refuse a comparison that means nothing."""
    column = where.column
    if not where.value:
        if where.sign not in ("=", "!="):
            raise UserError(f"--where '{text}': what should '{column.name}' be compared with?")
        if not column.missing:
            raise UserError(f"--where '{text}': '{column.name}' has no missing values")
        return
    if isinstance(column, Number) and column.unit:
        try:
            where.number  # noqa: B018 - reads the date
        except ValueError as error:
            raise UserError(
                f"--where '{text}': '{column.name}' holds dates: write one as 2024-01-31"
            ) from error
        return
    ranked = isinstance(column, Discrete) and column.ordered
    compared = where.sign not in ("=", "!=") and not ranked
    if isinstance(column, Number) or (column.counting and compared):
        if _float(where.value) is None:
            hint = ""
            if where.value[0] in "<>=":
                hint = f": write {column.name}{where.value[0]}={where.value.lstrip('<>=')}"
            raise UserError(f"--where '{text}': '{column.name}' is a number{hint}")
        if isinstance(column, Number) and where.sign == "=":
            low, high = column.low, column.high
            if not low <= float(where.value) <= high:
                raise UserError(f"--where '{text}': '{column.name}' goes from {low:g} to {high:g}")
        return
    if compared:
        raise UserError(
            f"--where '{text}': '{column.name}' has categories, which have no order: "
            f"write {column.name}=... or {column.name}!=..."
        )
    if where.word not in {str(value) for value in (*column.values, *column.rare)}:
        names = [str(value) for value in (*column.values, *column.rare)]
        raise UserError(
            f"--where '{text}': '{column.name}' has no category '{where.value}': "
            f"{nearest(where.value, names)}"
        )


def plan(texts: Sequence[str], codec: TableCodec) -> Plan:
    """How rows that meet some conditions are had.

    A game is asked for one category of one column: of those that are named the rarest, for which
    chance would take longest; or for the combinations that hold it. All else, and whether it
    obeyed, is checked afterwards.

    Args:
        texts: Conditions, all of which are to be met.
        codec: The model's.

    Raises:
        UserError: A condition cannot be read, or two contradict each other.
    """
    wheres = tuple(parse(text, codec) for text in texts)
    named: dict[str, Where] = {}
    exact: list[tuple[float, Tensor, Where]] = []  # rows that hold it, what is asked for, itself
    for where in wheres:
        if where.sign != "=":
            continue
        other = named.setdefault(where.column.name, where)
        if other.value != where.value:
            raise UserError(f"--where '{other}' and '{where}': no row can be both")
        counts = _counts(where, codec)
        if counts is not None and counts.any():
            exact.append((float(counts.sum()), counts, where))
    if not exact:
        return Plan(wheres, None, None)
    rows, counts, asked = min(exact, key=lambda found: found[0])
    return Plan(wheres, asked, counts / rows)


def _counts(where: Where, codec: TableCodec) -> Tensor | None:
    """Training rows of each category (categories,) that means what is asked for.

    That is the value itself, or the combinations that hold it. None where the game cannot be
    asked.
    """
    if codec.condition is None or not isinstance(where.column, Discrete):
        return None
    counts = torch.zeros(codec.condition.shape)
    for choice in codec.condition.choices:
        column = next(c for c in codec.learned if c.name == choice.column)
        assert isinstance(column, Discrete)
        if column.name == where.column.name:
            fits = [_is(where, value) for value in column.values]
            rare = any(_is(where, value) for value in column.rare)
            fits += [rare] * bool(column.rare) + [not where.value] * column.missing
        else:
            joint = next((c for c in codec.constraints if c.hidden == column.name), None)
            if joint is None or where.column.name not in joint.derived:
                continue
            if joint.kind != "combination":
                continue
            place = joint.columns.index(where.column.name)
            fits, rare = (
                [_is(where, json.loads(str(value))[place]) for value in values]
                for values in (column.values, column.rare)
            )
            fits += [any(rare)] * bool(rare)
        for i, fit in enumerate(fits):
            counts[choice.start + i] = choice.counts[i] if fit else 0.0
    return counts


def _is(where: Where, value: Value | None) -> bool:
    return not where.value if value is None else str(value) == where.word


def filters(
    texts: Sequence[str],
    codec: TableCodec,
    conditions: Mapping[str, Field],
    standing: Standing | None = None,
) -> Filters:
    """What samples must fulfil, as `zerosum generate --where` has it.

    Args:
        texts: Conditions, all of which are to be met.
        codec: The model's.
        conditions: What its game can be asked for.
        standing: What rows must be beside; several filters may share one.

    Raises:
        UserError: A condition cannot be read, or two contradict each other.
    """
    found, passes = plan(texts, codec), standing or Standing(codec)

    def condition(n: int, rng: torch.Generator) -> dict[str, Tensor]:
        if found.shares is None or "condition" not in conditions:
            return {}
        drawn = torch.multinomial(found.shares, n, replacement=True, generator=rng)
        return {"condition": one_hot(drawn, len(found.shares)).float()}

    return Filters(condition, lambda batch: passes(batch, found))


def shares(
    text: str, codec: TableCodec, conditions: Mapping[str, Field]
) -> list[tuple[int, str, Filters]]:
    """Exact numbers of rows, as `zerosum generate --counts` has them.

    Args:
        text: Such as `income=>50K:200,<=50K:800`.
        codec: The model's.
        conditions: What its game can be asked for.

    Returns:
        How many rows, in words of what, and what they must fulfil.

    Raises:
        UserError: It cannot be read; the message names what.
    """
    fits = [name for name in codec.described if text.strip().startswith(f"{name}=")]
    name = max(fits, key=len, default="")
    if not name:
        word = text.split("=")[0].strip()
        raise UserError(
            f"--counts '{text}': write COLUMN=VALUE:NUMBER,VALUE:NUMBER, ...; no learned column "
            f"is called '{word}': {nearest(word, codec.described)}"
        )
    rest = text.strip()[len(name) + 1 :]
    if not _COUNTED.fullmatch(rest):
        raise UserError(
            f"--counts '{text}': write a number after each value, such as {name}=VALUE:100"
        )
    pairs = [(value.strip(), int(count)) for value, count in _COUNT.findall(rest)]
    twice = [value for value, _ in pairs if [other for other, _ in pairs].count(value) > 1]
    if twice:
        raise UserError(f"--counts '{text}': '{twice[0]}' is counted twice")
    standing = Standing(codec)
    return [
        (count, f"{name}={value}", filters([f"{name}={value}"], codec, conditions, standing))
        for value, count in pairs
        if count
    ]


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
