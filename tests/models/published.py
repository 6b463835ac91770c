"""Figures of papers and of their authors' code, a second time: by the source that a recipe names.

A name with dots is that of one setting; one without is that of every setting so called.
"""

from __future__ import annotations

from published_more import GAN_2015, MORE


def r3gan(
    gamma: float, half_life: float, p: float, batch: int, until: int = 20_000_000, **more: object
) -> dict[str, object]:
    """What the authors' configurations of R3GAN have, and what most of them share."""

    def falls(start: float, end: float) -> dict[str, object]:
        return {"start": start, "end": end, "begin": 0, "until": until, "kind": "cosine"}

    ada = {"name": "ada", "select": "bgc", "target": 0.6, "speed": 500_000, "interval": 4}
    ada |= {"measure": "r_t", "strength": falls(0.0, p), "start": 0.0}
    numbers: dict[str, object] = {
        "latent": 64,
        "width": 768,
        "cardinality": 96,
        "wide": 4,
        "blocks": 2,
        "expansion": 2,
        "half": 4,
        "labels": False,
        **{f"gamma.{name}": value for name, value in falls(gamma, gamma / 10).items()},
        **more,
    }
    players, rate = ("discriminator", "generator"), falls(2e-4, 5e-5).items()
    return {
        **{f"model.{name}": value for name, value in numbers.items()},
        **{f"optim.{who}.lr.{name}": value for who in players for name, value in rate},
        "betas": [0.0, falls(0.9, 0.99)],
        **{f"ema.half_life.{name}": value for name, value in falls(0.0, half_life).items()},
        "ema.ramp": 0.0,
        "remedies": [ada],
        "train.batch": batch,
    }


def stylegan2(lr: float, **more: object) -> dict[str, object]:
    """What the authors' configurations of StyleGAN2 with ADA have, and what they share.

    Lazy penalties: rate and betas times, and to the power of, k / (k + 1).
    """
    numbers: dict[str, object] = {
        "latent": 512,
        "style": 512,
        "layers": 8,
        "most": 512,
        "architecture": "skip",
        "critic_architecture": "resnet",
        "noise": True,
        "labels": False,
        "path": 2.0,
        "path_every": 4,
        "penalty_every": 16,
        "shrink": 2,
        "mixing": 0.9,
        "clamp": None,
        "momentum": 0.995,
        "freeze": 0,
        "classes": 0,
        "channels": 0,
        "size": [0, 0],
    }
    ada = {"name": "ada", "select": "bgc", "target": 0.6, "speed": 500_000, "interval": 4}
    ada |= {"measure": "r_t", "strength": None, "start": 0.0}
    return {
        **{f"model.{name}": value for name, value in numbers.items()},
        "optim.discriminator.lr": lr * 16 / 17,
        "optim.generator.lr": lr * 4 / 5,
        "optim.discriminator.betas": [0.0, 0.99 ** (16 / 17)],
        "optim.generator.betas": [0.0, 0.99 ** (4 / 5)],
        "ema.ramp": 0.0,
        "remedies": [ada],
        "train.examples": 25_000_000,
        **{name.replace("__", "."): value for name, value in more.items()},
    }


ADA = "arXiv:2006.06676, the authors' configuration"
R3GAN = "arXiv:2501.05441, the authors' configuration for"

FIGURES: dict[str, dict[str, object]] = {
    "arXiv:1807.07688, section 3.1": {"model.anchors": 5},
    "arXiv:1807.07688, section 4.2": {
        "optim.matcher.lr.points": [[0, 1e-4], [400_000, 1e-4], [800_000, 0.0]],
        "optim.generator.lr.points": [[0, 1e-4], [1_200_000, 1e-4], [1_600_000, 0.0]],
        "betas": [0.5, 0.999],
        "train.batch": 4,
        "train.examples": 2 * 200_000 * 4,
        "data.size": [256, 192],
        "model.warping": 0.5,
    },
    "arXiv:1807.07688, section 4.2, weights": {
        "model.distance": 1.0,
        "model.perceptual": 1.0,
        "model.mask": 1.0,
    },
    "arXiv:1809.11096, the authors' code for CIFAR-10": {
        "model.latent": 128,
        "model.width": 64,
        "model.critic_width": 64,
        "model.shared": 0,
        "model.hierarchical": False,
        "model.attention": 0,
        "model.orthogonal": 0.0,
        "model.critic_steps": 4,
        "model.eps": 1e-8,
        "model.begin": "N02",
        "lr": 2e-4,
        "betas": [0.0, 0.999],
        "ema.half_life": 346_000,  # 50 images a step times log 2 / -log 0.9999, in thousands
        "train.batch": 50,
        "train.examples": 500 * 50_000 // 4,  # passes of the images, a fourth of the steps
    },
    "arXiv:1809.11096, section 3 and appendices B and C": {
        "model.width": 96,
        "model.critic_width": 96,
        "model.shared": 128,
        "model.hierarchical": True,
        "model.orthogonal": 1e-4,
        "model.critic_steps": 2,
        "optim.discriminator.lr": 2e-4,
        "optim.generator.lr": 5e-5,
        "betas": [0.0, 0.999],
        "train.batch": 2048,
    },
    f"{ADA} auto, 64 pixels": stylegan2(
        0.0025,
        model__layers=2,
        model__base=16384,
        model__gamma=0.0002 * 64**2 / 32,
        model__group=4,
        ema__half_life=10_000,
        ema__ramp=0.05,
        train__batch=32,
    ),
    f"{ADA} cifar": stylegan2(
        0.0025,
        model__layers=2,
        model__base=32768,
        model__critic_architecture="orig",
        model__gamma=0.01,
        model__path=0.0,
        model__mixing=0.0,
        model__group=32,
        ema__half_life=500_000,
        ema__ramp=0.05,
        train__batch=64,
        train__examples=100_000_000,
    ),
    f"{ADA} paper256": stylegan2(
        0.0025,
        model__base=16384,
        model__gamma=1.0,
        model__group=8,
        ema__half_life=20_000,
        train__batch=64,
    ),
    f"{ADA} paper512": stylegan2(
        0.0025,
        model__base=32768,
        model__gamma=0.5,
        model__group=8,
        ema__half_life=20_000,
        train__batch=64,
    ),
    f"{ADA} paper1024": stylegan2(
        0.002,
        model__base=32768,
        model__gamma=2.0,
        model__group=4,
        ema__half_life=10_000,
        train__batch=32,
    ),
    f"{R3GAN} CIFAR-10": r3gan(0.05, 5e6, 0.55, 512, half=3, labels=True),
    f"{R3GAN} FFHQ-64": r3gan(2.0, 5e5, 0.3, 256),
    f"{R3GAN} FFHQ-256": r3gan(150.0, 5e5, 0.3, 256),
    f"{R3GAN} ImageNet-32": r3gan(
        0.5, 5e7, 0.5, 4096, 200_000_000, half=3, width=1536, labels=True
    ),
    f"{R3GAN} ImageNet-64": r3gan(
        1.0, 5e7, 0.4, 4096, 200_000_000, wide=5, width=1536, labels=True
    ),
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
    "arXiv:1611.07004, section 6.2, colouring": {
        "model.distance": 100.0,
        "data.size": [256, 256],
        "data.flip": True,
        "train.batch": 4,
        "train.examples": 6 * 1_200_000,
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
    **MORE,
}
