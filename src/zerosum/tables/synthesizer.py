"""A system for tables behind `fit` and `sample`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import torch

from zerosum.core.registry import recipe as find
from zerosum.core.registry import system
from zerosum.errors import UserError, require
from zerosum.files import atomic, disk_errors, must_be_empty
from zerosum.modalities.tables import Table
from zerosum.modalities.tables.reading import checked
from zerosum.pipelines import export
from zerosum.pipelines.generate import Generator
from zerosum.training.state import random_states, restore_random
from zerosum.training.trainer import Trainer

if TYPE_CHECKING:
    import pandas as pd


class Synthesizer:
    """Learns from a data frame and draws rows like its own.

    Args:
        name: A system for tables, `ctgan`, or a preset of one, `ctgan/paper`.
        target: Column that scores of usefulness predict.
        schema: What columns are and what holds in every row: a `Schema`, a mapping, or a .json
            file as `zerosum inspect --schema` writes it.
        seed: Of the training. The same frame and seed give the same model.
        device: Where it is trained and sampled: auto, cpu, cuda, ...
        verbose: Show progress.
        **settings: Of the recipe, their dots written as two underscores, such as
            `train__examples=500_000` or `optim__generator__lr=1e-4`.

    Attributes:
        generator: What `zerosum.load` gives, once there is one.

    Raises:
        UserError: There is no such system, it is none for tables, or a setting is wrong.
    """

    def __init__(
        self,
        name: str = "ctgan",
        *,
        target: str = "",
        schema: Any = None,
        seed: int = 0,
        device: str = "auto",
        verbose: bool = True,
        **settings: Any,
    ) -> None:
        self.device, self.verbose, self._generator = device, verbose, None
        changes = {path.replace("__", "."): value for path, value in settings.items()}
        said: dict[str, Any] = {"train.seed": seed, "data.target": target}
        said |= {} if schema is None else {"data.schema": schema}
        recipe = find(name)
        if not isinstance(recipe.data, Table):
            raise UserError(f"{name} does not learn from tables: {_known()}")
        self.recipe = recipe.with_data("").override({**said, **changes})

    @property
    def generator(self) -> Generator:
        if self._generator is None:
            raise UserError("nothing is learned yet: call fit(frame), or Synthesizer.load(folder)")
        return self._generator

    def fit(self, frame: pd.DataFrame, out: str | Path | None = None) -> Self:
        """Learn from rows.

        The share `data.holdout` of them is kept aside for scores, as in every run.

        Args:
            frame: The rows; its index is left out.
            out: Folder of the run, with log, scores and checkpoints, for `zerosum report` and
                `zerosum evaluate`; the rows are written beside it, to OUT.parquet. A folder that
                holds an unfinished run of the same rows goes on. None keeps nothing on disk.

        Raises:
            UserError: What cannot be learned, in one line.
        """
        pd = require("pandas", "tables")
        require("pyarrow", "tables")
        if not isinstance(frame, pd.DataFrame):
            raise UserError(f"fit takes a pandas DataFrame, not a {type(frame).__name__}")
        rows = checked(frame.copy(), "the data frame")
        kept = random_states(torch.device("cpu"))
        with ExitStack() as stack:
            run = Path(out or Path(stack.enter_context(TemporaryDirectory()), "run")).absolute()
            path = run.with_name(f"{run.name}.parquet")
            with disk_errors(run.parent, "nothing was written"):
                run.parent.mkdir(parents=True, exist_ok=True)
            try:
                with atomic(path) as partial:
                    rows.to_parquet(partial, index=False)
            except (ValueError, TypeError) as error:  # pyarrow names the column
                raise UserError(f"the data frame cannot be stored: {error}") from error
            data = self.recipe.data.model_copy(update={"path": str(path)})
            recipe = self.recipe.model_copy(update={"data": data})
            Trainer(recipe, run, device=self.device, quiet=not self.verbose).fit()
            self._generator = Generator.load(run, device=self.device)
        # What else draws in this process is not ours to move.
        restore_random(kept, torch.device("cpu"))
        return self

    def sample(
        self,
        n: int,
        *,
        where: Mapping[str, Any] | Sequence[str] | None = None,
        counts: Mapping[str, Mapping[Any, int]] | None = None,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Draw rows.

        Args:
            n: How many; with `counts` their sum.
            where: What they must be: values by column, `{"income": ">50K"}`, None for a missing
                one; or conditions in words, `["age>30", "sex=Female"]`.
            counts: Exact numbers of the categories of one column, `{"income": {">50K": 200}}`.
            seed: The same seed gives the same rows.

        Raises:
            UserError: A condition that means nothing or that too few rows meet.
        """
        generator = self.generator
        if counts is not None:
            if where is not None or len(counts) != 1:
                raise UserError("counts are of one column, and go without where")
            ((name, numbers),) = counts.items()
            if sum(numbers.values()) != n:
                raise UserError(f"counts of '{name}' sum to {sum(numbers.values())}, not to {n}")
            said = ",".join(f"{value}:{count}" for value, count in numbers.items())
            drawn = generator.draw_counts(f"{name}={said}", seed=seed)
        elif where:
            drawn = generator.draw_where(n, _words(where), seed=seed)
        else:
            drawn = generator.draw(n, seed=seed)
        return generator.codec.decode(drawn)

    def complete(self, path: str | Path, *, seed: int = 0) -> pd.DataFrame:
        """Rows like those of a file of which some cells are filled, which come out as they are.

        Raises:
            UserError: As `zerosum generate --like`.
        """
        return self.generator.complete(str(path), seed=seed)

    def save(self, folder: str | Path) -> None:
        """Write a model folder, which holds no rows: as `zerosum export`.

        Raises:
            UserError: It holds other files.
        """
        generator, place = self.generator, Path(folder)
        must_be_empty(place, "save")
        scores = place / "scores.jsonl"  # there are none: the model card says what is known
        export.write(generator.game, generator.recipe, generator.codec, place, scores)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "auto") -> Self:
        """What `save`, `fit(out=...)`, `zerosum train` or `zerosum export` left.

        Raises:
            UserError: The folder holds no model of tables.
        """
        generator = Generator.load(folder, device=device)
        if not isinstance(generator.recipe.data, Table):
            raise UserError(f"{folder} holds a model of {generator.modality.noun}, not of tables")
        made = cls.__new__(cls)
        made.recipe, made.device, made.verbose = generator.recipe, device, True
        made._generator = generator
        return made


def _known() -> str:
    from zerosum.core.registry import list_models

    fits = [
        key
        for key in list_models()
        if any(isinstance(recipe.data, Table) for recipe in system(key).presets.values())
    ]
    return f"known: {', '.join(fits)}"


def _words(where: Mapping[str, Any] | Sequence[str]) -> list[str]:
    if isinstance(where, Mapping):
        return [f"{name}={'' if value is None else value}" for name, value in where.items()]
    return list(where)
