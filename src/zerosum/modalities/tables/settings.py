"""What a user can say about a table, apart from how it is opened."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator
from pydantic import Field as Setting

from zerosum.config import Count, Examples, Words
from zerosum.data.config import DataConfig
from zerosum.modalities.tables.kinds import WORDS, KindName, Rules
from zerosum.modalities.tables.reading import MISSING_WORDS
from zerosum.modalities.tables.schema import Schema, read

# pydantic had a method of that name, which is deprecated; tables have had schemas for longer.
warnings.filterwarnings("ignore", 'Field name "schema" in', UserWarning)


class TableSettings(DataConfig):
    """Where rows are, how their cells are read, and which of them are used."""

    modality: ClassVar[str] = "tables"

    path: str = "wine"
    """.csv, .tsv, .csv.gz or .parquet file, or a named set (adult, wine, breast-cancer, diabetes,
    iris)."""
    target: str = ""
    """Column that scores of usefulness predict; named sets know theirs."""
    holdout: float = Setting(default=0.1, ge=0, lt=1)
    """Share kept aside where the set has no test part of its own."""
    limit: Examples | None = None
    """Use only that many training rows, always the same ones."""
    header: bool | None = None
    """Whether the first line holds names; None finds out."""
    columns: Words = ()
    """Names for a file without a header."""
    encoding: str = "utf-8"
    """Of a text file."""
    missing: Words = MISSING_WORDS
    """Texts that mean a missing value."""
    schema: Annotated[Schema | None, BeforeValidator(read)] = None  # pyright: ignore
    """A .json file that `zerosum inspect --schema` wrote and that may have been edited: kinds,
    orders, constraints. The recipe keeps what it holds."""
    kinds: dict[str, KindName] = Setting(default={})
    """What a column is, by its name, where the finding is wrong; it goes before the schema."""
    distinct: Count = 20
    """A column of numbers with at most so many different values is one of categories."""
    spikes: float = Setting(default=0.05, gt=0)
    """Share of rows from which one value of a number is a mode of its own; above 1: never."""
    categories: Count = Setting(default=100, ge=2)
    """Most categories of a column; rarer values share one."""

    @property
    def rules(self) -> Rules:
        """How columns are read."""
        schema = self.schema or Schema()
        return Rules(
            distinct=self.distinct,
            spikes=self.spikes,
            categories=self.categories,
            kinds={**schema.kinds, **self.kinds},
            orders=schema.orders,
            logs=schema.logs,
            constraints=schema.constraints,
        )

    @property
    def mixed(self) -> list[str]:
        """Columns in which numbers and words may be mixed."""
        return [name for name, kind in self.rules.kinds.items() if kind in WORDS]

    def elsewhere(self, path: str, **nothing: Any) -> dict[str, Any]:
        """What changes where other data are read: what was said of one table means nothing for
        another."""
        said = {"target": "", "columns": (), "kinds": {}, "schema": None}
        return {"path": path, **said, **nothing}
