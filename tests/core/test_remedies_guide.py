"""docs/guide/remedies.md names every remedy, and the systems that cannot have it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zerosum.core.recipe import Recipe
from zerosum.core.registry import build_game, list_models, recipe
from zerosum.core.remedies import REMEDIES
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.training.prepare import prepare

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "remedies.md").read_text()
FIRST, SECOND = PAGE.split("## Which systems")


def rows(text):
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|$", text, flags=re.MULTILINE))


def test_every_remedy_has_its_rows_in_the_order_of_application():
    assert list(rows(FIRST)) == list(rows(SECOND)) == list(REMEDIES)


def test_the_python_block_runs():
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    exec(compile(block, "docs/guide/remedies.md", "exec"), {})


def refuses(found: Recipe, remedy: str, batch) -> bool:
    try:
        game = build_game(found.override({"remedies": remedy}))
        for turn in game.turns():
            turn.loss(batch)
    except UserError as error:
        return f"remedy {remedy} " in str(error)
    return False


@pytest.mark.slow
def test_the_systems_that_cannot_have_a_remedy_are_those_of_the_page():
    said = {name: set(cell.split(", ")) - {"none"} for name, cell in rows(SECOND).items()}
    found: dict[str, set[str]] = {name: set() for name in REMEDIES}
    for name in list_models():
        split, tiny = prepare(recipe(f"{name}/tiny"), Runtime.start("cpu"))
        batch = split.train.finished(range(16))
        for remedy in REMEDIES:
            if refuses(tiny, remedy, batch):
                found[remedy].add(name)
    assert found == said
