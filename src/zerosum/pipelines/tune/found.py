"""What a search came to: its trials, the best recipe, and the command that trains it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zerosum.core.recipe import Recipe, flat
from zerosum.core.registry import recipe as find_recipe
from zerosum.core.search import Range
from zerosum.pipelines.tune.records import Outcome, Plan, Terms


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        terms: What all trials share.
        ranges: The space.
        trials: All of them, in their order; the first is the preset.
        best: The number of the best.
    """

    terms: Terms
    ranges: dict[str, Range]
    trials: tuple[tuple[Plan, Outcome], ...]
    best: int

    @property
    def changes(self) -> dict[str, Any]:
        """The best recipe's overrides of what was tuned; none where the preset is the best."""
        return self.terms.changes(self.trials[self.best][0].point)

    @property
    def recipe(self) -> Recipe:
        """The best recipe, as long as its trial was."""
        changes = {**self.changes, "train.examples": self.terms.examples}
        return self.terms.asked().override(changes)

    @property
    def cost(self) -> float:
        """Seconds of processor time of all trials."""
        return sum(outcome.seconds for _, outcome in self.trials)

    @property
    def command(self) -> str:
        """What trains the best recipe on another seed."""
        recipe = self.recipe
        preset = find_recipe(f"{recipe.system}/{recipe.preset}", self.terms.module)
        tree = recipe.model_dump(mode="json")
        known = flat(preset.model_dump(mode="json")).keys() & flat(tree).keys()
        differing = preset.differences(recipe)
        settings = dict.fromkeys(_setting(path, path in known) for path in differing)
        words = [f"{'.'.join(names)}={_word(_at(tree, names))}" for names in settings]
        own = ["--module", self.terms.module] if self.terms.module else []
        name = f"{recipe.system}/{recipe.preset}"
        return shlex.join(["zerosum", "train", name, *words, *own])


def _setting(path: str, known: bool) -> tuple[str, ...]:
    """What to set for a leaf: itself; where one of the recipes has none, as in a schedule of
    another kind, the whole setting that it is a part of."""
    names = path.split(".")
    return tuple(names if known else names[: 3 if names[0] == "optim" else 2])


def _word(value: Any) -> str:
    """A value as a command line has it."""
    return value if isinstance(value, str) else json.dumps(value)


def _at(tree: Any, names: Sequence[str]) -> Any:
    for name in names:
        tree = tree[name]
    return tree
