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
    "arXiv:1609.04802, eq. 3": {"model.adversarial": 1e-3},
    "arXiv:1609.04802, section 2.1": {"model.width": 64, "model.blocks": 16},
    "arXiv:1609.04802, section 3.2": {
        "data.scale": 4,
        "data.crop": 96,
        "lr": 1e-4,
        "betas": [0.9, 0.999],
        "model.warm_up": 1_000_000 * 16,
        "train.batch": 16,
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
    "arXiv:1703.05921, section 2.2": {"model.discrimination": 0.1},
    "arXiv:1805.06725, section 4": {
        "model.adversarial": 1.0,
        "model.contextual": 50.0,
        "model.consistency": 1.0,
        "lr": 2e-4,
        "betas": [0.5, 0.999],
    },
    "Medical Image Analysis 54 (2019), section 3": {
        "model.kappa": 1.0,
        "model.penalty": 10.0,
        "model.latent": 128,
        "model.width": 64,
        "model.critic_steps": 5,
        "optim.critic.lr": 1e-4,
        "optim.generator.lr": 1e-4,
        "optim.encoder.lr": 5e-5,
        "betas": [0.0, 0.9],
        "data.size": [64, 64],
        "train.batch": 64,
    },
    "arXiv:2007.15651, section 4 and appendix C": {
        "model.objective": "lsgan",
        "model.places": 256,
        "model.head": 256,
        "model.temperature": 0.07,
        "model.nce": 1.0,
        "model.identity": 1.0,
        "model.width": 64,
        "model.blocks": 9,
        "data.size": [256, 256],
        "optim.discriminator.lr.kind": "linear",
        "optim.generator.lr.kind": "linear",
        "optim.heads.lr.kind": "linear",
        "start": 2e-4,
        "end": 0.0,
        "begin": 200_000,
        "until": 0,
        "betas": [0.5, 0.999],
        "train.batch": 1,
    },
    "arXiv:1703.10593, section 4": {
        "model.cycle": 10.0,
        "model.pool": 50,
        "model.objective": "lsgan",
        "start": 2e-4,
        "end": 0.0,
        "begin": 100_000,
        "until": 0,
        "optim.generators.lr.kind": "linear",
        "optim.discriminators.lr.kind": "linear",
        "betas": [0.5, 0.999],
        "train.batch": 1,
    },
    "arXiv:1703.10593, section 5.2": {"model.identity": 0.5},
    "arXiv:1703.10593, appendix 7": {
        "model.width": 64,
        "model.blocks": 9,
        "data.size": [256, 256],
        "data.flip": True,
        "data.crop": True,
    },
    "arXiv:1711.09020, section 4.1": {
        "model.penalty": 10.0,
        "model.classification": 1.0,
        "model.back": 10.0,
        "model.critic_steps": 5,
        "start": 1e-4,
        "end": 0.0,
        "begin": 320_000,
        "until": 0,
        "betas": [0.5, 0.999],
        "data.size": [128, 128],
        "data.flip": True,
        "train.batch": 16,
    },
    "arXiv:1711.09020, table 4": {"model.width": 64, "model.blocks": 6},
    "arXiv:1711.11585, section 3.2 and authors' code": {
        "model.matching": 10.0,
        "model.perceptual": 10.0,
        "model.scales": 3,
        "model.width": 32,
        "model.blocks": 9,
        "model.fine_blocks": 3,
        "model.halvings": 4,
        "model.critic_width": 64,
        "start": 2e-4,
        "end": 0.0,
        "begin": 40_000,
        "until": 0,
        "betas": [0.5, 0.999],
        "train.batch": 1,
    },
    "arXiv:1903.07291, section 3": {"model.objective": "hinge"},
    "arXiv:1903.07291, section 4": {
        "optim.discriminator.lr": 4e-4,
        "optim.generator.lr": 1e-4,
        "betas": [0.0, 0.9],
    },
    "arXiv:1903.07291, appendix A": {
        "model.matching": 10.0,
        "model.perceptual": 10.0,
        "model.scales": 2,
        "model.width": 64,
        "model.critic_width": 64,
        "model.latent": 256,
        "model.divergence": 0.05,
    },
    "arXiv:1912.01865, appendix B": {
        "model.penalty": 1.0,
        "model.styled": 1.0,
        "model.diversity": 1.0,
        "model.cycle": 1.0,
        "optim.critic.lr": 1e-4,
        "optim.generator.lr": 1e-4,
        "optim.mapping.lr": 1e-6,
        "optim.encoder.lr": 1e-4,
        "weight_decay": 1e-4,
        "betas": [0.0, 0.99],
        "ema.half_life": 5_542,  # 8 pictures a step times log 2 / -log 0.999
        "train.batch": 8,
        "train.examples": 100_000 * 8,
    },
    "arXiv:1912.01865, appendix, tables 5 to 7": {
        "model.latent": 16,
        "model.style": 64,
        "model.mapping_width": 512,
        "data.size": [256, 256],
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
    "arXiv:1809.00219, section 4.1": {
        "data.scale": 4,
        "data.crop": 128,
        "lr": 1e-4,
        "betas": [0.9, 0.999],
        "model.blocks": 23,
        "train.batch": 16,
    },
    "arXiv:1809.00219, section 4.1, weights": {
        "model.perceptual": 1.0,
        "model.adversarial": 0.005,
        "model.distance": 0.01,
    },
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
    "arXiv:2107.10833, section 4.1": {
        "data.scale": 4,
        "data.crop": 256,
        "data.degradation": "second-order",
        "betas": [0.9, 0.999],
        "optim.discriminator.lr": 1e-4,
        "points": [[0, 2e-4], [48_000_000, 2e-4], [48_000_001, 1e-4]],
        "model.warm_up": 1_000_000 * 48,
        "train.batch": 48,
        "train.examples": 1_400_000 * 48,
    },
    "arXiv:2107.10833, section 4.1, weights": {
        "model.perceptual": 1.0,
        "model.adversarial": 0.1,
        "model.distance": 1.0,
    },
    "arXiv:2109.07161, eq. 6": {
        "model.adversarial": 10.0,
        "model.matching": 100.0,
        "model.perceptual": 30.0,
        "model.penalty": 0.001,
    },
    "arXiv:2109.07161, section 3": {
        "optim.generator.lr": 1e-3,
        "optim.discriminator.lr": 1e-4,
        "data.size": [256, 256],
        "model.blocks": 9,
        "model.halvings": 3,
        "model.share": 0.75,
        "train.batch": 30,
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
