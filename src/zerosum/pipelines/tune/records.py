"""What a search writes down, and its folder. Files are all that it knows: a search that goes on
after a stop reads them, and does what is missing."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from zerosum.config import Part
from zerosum.core.recipe import Recipe
from zerosum.core.registry import system
from zerosum.core.search import changes, space
from zerosum.errors import UserError
from zerosum.files import write_text
from zerosum.metrics.registry import Better

Record = TypeVar("Record", bound=Part)


class Terms(Part):
    """What is the same for all trials of a search."""

    recipe: dict[str, Any]
    """The recipe that is tuned, as JSON."""
    module: str | None
    """Module or file of an outside model."""
    seconds: float
    """Processor time of a trial's training."""
    seed: int
    """Seed of the training of every trial, and of what is proposed."""
    examples: int
    """What the processor time buys."""

    def asked(self) -> Recipe:
        """The recipe that is tuned."""
        found = system(self.recipe["system"], self.module)
        return Recipe.from_tree(self.recipe, found.game.Config)

    def changes(self, point: Mapping[str, float | str]) -> dict[str, Any]:
        """The overrides of a point of the search, by dotted path."""
        recipe = self.asked()
        ranges = space(recipe, system(recipe.system, self.module).search)
        return changes(recipe, ranges, point)


class Plan(Part):
    """All that a trial depends on beside the terms. It is written before the trial begins."""

    number: int
    point: dict[str, float | str]
    """Where in the space."""
    limits: list[float]
    """A third and two thirds of the way the trial ends where its loss is above these; empty for
    no limits yet."""


class Outcome(Part):
    """What a trial came to."""

    number: int
    state: Literal["complete", "stopped early", "failed"]
    metric: str = ""
    better: Better = "lower"
    scores: tuple[float, ...] = ()
    """On the way, and at the end: the run's own first score."""
    examples: int = 0
    seconds: float = 0.0
    """Processor time of training and scores."""
    reason: str = ""
    """Why it failed."""

    @property
    def score(self) -> float:
        """The last one."""
        return self.scores[-1]

    @property
    def losses(self) -> list[float]:
        """The scores, the lower the better."""
        return [-score if self.better == "higher" else score for score in self.scores]


@dataclass(frozen=True)
class SearchFolder:
    """Paths of a search, and what they hold."""

    path: Path

    @property
    def terms_file(self) -> Path:
        return self.path / "search.json"

    @property
    def recipe(self) -> Path:
        """The best recipe."""
        return self.path / "recipe.json"

    @property
    def table(self) -> Path:
        return self.path / "trials.csv"

    @property
    def page(self) -> Path:
        return self.path / "index.html"

    def trial(self, number: int) -> Path:
        return self.path / "trials" / f"{number:03d}"

    def terms(self) -> Terms | None:
        return _read(self.terms_file, Terms)

    def plan(self, number: int) -> Plan | None:
        return _read(self.trial(number) / "plan.json", Plan)

    def outcome(self, number: int) -> Outcome | None:
        return _read(self.trial(number) / "result.json", Outcome)

    def best_recipe(self) -> Recipe:
        """The best recipe, as long as its trial was.

        Raises:
            UserError: The search is not finished, or the file is damaged.
        """
        terms = self.terms()
        if terms is None or not self.recipe.is_file():
            raise UserError(f"{self.path} holds no finished search: run it, or bring it back")
        found = system(terms.recipe["system"], terms.module)
        return Recipe.from_json(self.recipe.read_text(encoding="utf-8"), found.game.Config)

    def finished(self) -> tuple[int, float]:
        """Trials of the search when it last ended, and their seconds; nothing before that."""
        if not self.table.is_file():
            return 0, 0.0
        with self.table.open(encoding="utf-8", newline="") as stream:
            seconds = [float(row["seconds"]) for row in csv.DictReader(stream)]
        return len(seconds), sum(seconds)

    def spent(self, number: int) -> float:
        """Seconds that a trial took before it was stopped; what a kill cost is not known."""
        path = self.trial(number) / "spent.txt"
        return float(path.read_text(encoding="utf-8")) if path.is_file() else 0.0

    def write_spent(self, number: int, seconds: float) -> None:
        write_text(self.trial(number) / "spent.txt", f"{seconds:.3f}\n")

    def write_plan(self, plan: Plan) -> None:
        _write(self.trial(plan.number) / "plan.json", plan)

    def write_outcome(self, outcome: Outcome) -> None:
        _write(self.trial(outcome.number) / "result.json", outcome)

    def write_terms(self, terms: Terms) -> None:
        _write(self.terms_file, terms)


def _read(path: Path, kind: type[Record]) -> Record | None:
    """A record; None where there is none yet.

    Raises:
        UserError: The file is damaged.
    """
    if not path.is_file():
        return None
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(f"{path} is damaged: bring it back, or name another --out") from error


def _write(path: Path, record: Part) -> None:
    write_text(path, record.model_dump_json(indent=1) + "\n")
