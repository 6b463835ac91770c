"""Numbers that presets call published are those of the papers, written here a second time."""

from __future__ import annotations

import pytest

from zerosum.core.recipe import flat
from zerosum.core.registry import list_models, recipe, system

BUILT_IN = ("kind", "eps", "momentum", "weight_decay", "clip")
"""Defaults of optimizers, which come with a group that is named as a whole."""
GAN_2015: dict[str, object] = {"lr": 2e-4, "betas": [0.5, 0.999]}
SPECTRAL: dict[str, object] = {
    "lr": 2e-4,
    "betas": [0.0, 0.9],
    "model.latent": 128,
    "model.width": 256,
    "model.critic_width": 128,
    "model.critic_steps": 5,
    "train.batch": 64,
}

FIGURES: dict[str, dict[str, object]] = {
    "arXiv:1406.2661, eq. 1": {"model.objective": "minimax"},
    "arXiv:1506.05751, section 4": {"model.latent": 100},
    "arXiv:1511.06434, section 4": GAN_2015 | {"train.batch": 128, "model.latent": 100},
    "arXiv:1606.03498, section 6.1": {"model.labelled": 100 / 60_000},
    "arXiv:1606.03498, table 3": {
        "model.technique": "minibatch",
        "remedies": [
            {"name": "virtual_batch_norm", "reference": 100},  # the paper does not say how many
            {"name": "label_smoothing", "real": 0.9},
        ],
    },
    "arXiv:1606.03657, appendix C.1": {
        "model.noise": 62,
        "model.categories": 10,
        "model.styles": 2,
        "model.category_weight": 1.0,
        "optim.discriminator.lr": 2e-4,
        "optim.recogniser.lr": 2e-4,
        "optim.generator.lr": 1e-3,
        "train.batch": 128,
    },
    "arXiv:1610.09585, appendix": GAN_2015
    | {"model.dropout": 0.5, "train.batch": 100, "train.examples": 50_000 * 100},
    "arXiv:1611.04076, eq. 8": {
        "model.fake_target": -1.0,
        "model.real_target": 1.0,
        "model.wanted": 0.0,
    },
    "arXiv:1611.04076, eq. 9": {
        "model.fake_target": 0.0,
        "model.real_target": 1.0,
        "model.wanted": 1.0,
    },
    "arXiv:1611.07004, section 3.3": GAN_2015,
    "arXiv:1611.07004, section 4.2": {"model.adversarial": 0.0},
    "arXiv:1611.07004, section 6.1": {"model.width": 64, "model.critic_width": 64},
    "arXiv:1611.07004, section 6.2": {
        "model.distance": 100.0,
        "data.size": [256, 256],
        "data.flip": True,
        "data.crop": True,
        "train.batch": 1,
        "train.examples": 200 * 400,
    },
    "arXiv:1701.07875, algorithm 1": {
        "model.limit": 0.01,
        "model.critic_steps": 5,
        "kind": "rmsprop",
        "lr": 5e-5,
        "train.batch": 64,
    },
    "arXiv:1703.10717, section 4": {
        "model.latent": 64,
        "model.diversity": 0.5,
        "model.rate": 0.001,
        "optim.discriminator.lr.start": 1e-4,
        "optim.generator.lr.start": 1e-4,
        "train.batch": 16,
    },
    "arXiv:1704.00028, algorithm 1": {
        "model.critic_steps": 5,
        "model.penalty": 10.0,
        "lr": 1e-4,
        "betas": [0.0, 0.9],
        "train.batch": 64,
    },
    "arXiv:1704.00028, the authors' code for CIFAR-10": {
        "model.width": 128,
        "model.latent": 128,
        "model.critic_norm": "none",
        "optim.critic.lr.start": 2e-4,
        "optim.critic.lr.end": 0.0,
        "optim.generator.lr.start": 2e-4,
        "optim.generator.lr.end": 0.0,
        "begin": 0,
        "until": 0,
        "betas": [0.0, 0.9],
        "train.examples": 100_000 * 64,
    },
    "arXiv:1705.07215, section 2": {"model.penalty": 10.0, "model.slope": 1.0},
    "arXiv:1705.08868, section 4": {"model.likelihood": 0.0},
    "arXiv:1710.10196, appendix A": {
        "model.latent": 512,
        "model.most": 512,
        "model.penalty": 10.0,
        "model.drift": 0.001,
        "lr": 1e-3,
        "betas": [0.0, 0.99],
        "train.batch": 16,
    },
    "arXiv:1802.05637, section 5": SPECTRAL,
    "arXiv:1802.05957, appendix B": SPECTRAL,
    "arXiv:1802.05957, section 4 and appendix B": SPECTRAL,
    "arXiv:1805.08318, section 4": {
        "optim.discriminator.lr": 4e-4,
        "optim.generator.lr": 1e-4,
        "betas": [0.0, 0.9],
    },
    "arXiv:1805.11973, section 4": {
        "model.latent": 32,
        "model.hidden": [128, 256, 512],
        "model.convolutions": [64, 32],
        "model.features": 128,
        "model.judge_hidden": [128],
        "lr": 1e-3,
        "train.batch": 32,
    },
    "arXiv:1807.00734, section 5": GAN_2015 | {"train.batch": 32, "train.examples": 100_000 * 32},
    "arXiv:1907.00503, section 4.4": {
        "model.generator_width": [256, 256],
        "model.critic_width": [256, 256],
        "model.pack": 10,
        "model.temperature": 0.2,
        "model.penalty": 10.0,
        "lr": 2e-4,
    },
    "arXiv:1907.00503, section 5": {"train.batch": 500, "train.examples": 300 * 32_561},
    "arXiv:2006.11239, section 4": {"model.steps": 1000},
    "arXiv:2102.07074, section 4": {
        "model.critic_width": 384,
        "model.penalty": 10.0,
        "lr": 1e-4,
        "betas": [0.0, 0.99],
    },
    "arXiv:2206.02262, section 3 and appendix": {
        "model.sigma": 0.05,
        "model.target": 0.6,
        "model.most": 1_000,
    },
    "arXiv:2112.07804, section 5": {"model.steps": 4},
}
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
