"""Numbers that presets call published are those of the papers, written here a second time."""

from __future__ import annotations

import pytest
from published import FIGURES

from zerosum.core.recipe import flat
from zerosum.core.registry import list_models, recipe, system

BUILT_IN = ("kind", "eps", "momentum", "weight_decay", "clip")
"""Defaults of optimizers, which come with a group that is named as a whole."""
PRESETS = [f"{name}/{preset}" for name in list_models() for preset in system(name).presets]


@pytest.mark.parametrize("name", PRESETS)
def test_a_number_that_is_called_published_is_the_papers(name: str) -> None:
    made = recipe(name)
    values = flat(made.model_dump(mode="json", exclude={"sources"}))
    for path, value in values.items():
        source, last = made.source_of(path), path.rpartition(".")[2]
        if source == "ours":
            continue
        figures = FIGURES[source]
        rmsprop = values.get(f"{path.rpartition('.')[0]}.kind") == "rmsprop"
        if (last in BUILT_IN and last not in figures) or (rmsprop and last == "betas"):
            continue
        assert figures.get(path, figures.get(last)) == value, path


@pytest.mark.parametrize("name", PRESETS)
def test_a_source_is_that_of_a_setting_which_is_there(name: str) -> None:
    made = recipe(name)
    paths = flat(made.model_dump(mode="json", exclude={"sources"}))
    for path in made.sources:
        assert any(known == path or known.startswith(f"{path}.") for known in paths), path


def test_what_is_set_by_hand_is_no_longer_called_published() -> None:
    paper = recipe("wgan/cifar10")
    own = paper.override({"optim.critic.lr": 1e-3, "train.batch": 32, "evaluate.samples": 10})
    algorithm = "arXiv:1701.07875, algorithm 1"
    assert paper.source_of("optim.critic.lr") == paper.source_of("train.batch") == algorithm
    assert own.source_of("optim.critic.lr") == own.source_of("train.batch") == "set by hand"
    assert own.source_of("optim.critic.kind") == own.source_of("optim.generator.lr") == algorithm
    assert own.source_of("evaluate.samples") == "ours"
    whole = paper.override({"optim": paper.model_dump()["optim"]})
    assert whole.source_of("optim.critic.lr") == "set by hand"


def test_sources_in_one_line() -> None:
    assert recipe("rpgan/digits").source == "ours"
    assert recipe("unrolled/cifar10").source == "arXiv:1511.06434, section 4: optim; the rest ours"
