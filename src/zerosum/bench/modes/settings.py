"""What is trained how: one setting per suite and profile.

`smoke` is ours, sized for two cores; every method has the same networks, updates and learning
rates. `paper` is the setting of the publication, for a GPU or much patience. `r3gan` is `smoke`
with the networks of R3GAN, small, and their optimizer.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from zerosum.bench.modes.networks import (
    Networks,
    dcgan_discriminator,
    dcgan_generator,
    pacgan_discriminator,
    pacgan_generator,
    r3gan_discriminator,
    r3gan_generator,
    small,
    small_image_discriminator,
    small_image_generator,
)
from zerosum.errors import UserError, nearest


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One protocol of training.

    Attributes:
        suite: The law.
        profile: `smoke`, `paper` or `r3gan`.
        source: Where the numbers come from.
        networks: Key of `NETWORKS`.
        updates: Updates of the generator.
        batch: Rows that the discriminator sees of each side; packs take that many times `m`.
        latent: Numbers in the code.
        prior: `normal`, or `uniform` on [-1, 1).
        lr: Learning rate of the generator's Adam at the start.
        lr_end: At the end, along half a cosine.
        critic_rate: The discriminator's learning rate, as a multiple of that.
        betas: Of Adam.
        gamma: Weight of R1 and R2 at the start, where a method has them, each times gamma / 2.
        gamma_end: At the end, at a steady rate: a mode of width 0.01 needs steep slopes at last.
        half_life: Of the generator's averaged weights, in updates; 0 judges the last weights.
        simultaneous: Both players move from the same point, else one after the other.
        generator_steps: Moves of the generator per update.
        seeds: How many by default.
        methods: Which by default.
    """

    suite: str
    profile: str
    source: str
    networks: str
    updates: int
    batch: int
    latent: int
    prior: str = "normal"
    lr: float
    lr_end: float
    critic_rate: float = 1.0
    betas: tuple[float, float]
    gamma: float
    gamma_end: float
    half_life: float
    simultaneous: bool
    generator_steps: int = 1
    seeds: int
    methods: tuple[str, ...]

    def fingerprint(self) -> dict[str, Any]:
        """All that decides a training, for JSON; what it leaves out only says what to train."""
        fields = asdict(self)
        del fields["methods"], fields["source"]
        return fields | {"betas": list(self.betas)}


NETWORKS: Final[dict[str, Networks]] = {
    "mlp-64x5": small((64,) * 5),
    "conv-32": Networks(small_image_generator, small_image_discriminator, images=True),
    "r3gan-96": Networks(r3gan_generator, r3gan_discriminator, images=True),
    "pacgan": Networks(pacgan_generator, pacgan_discriminator, width=400),
    "dcgan-64": Networks(dcgan_generator, dcgan_discriminator, width=512, images=True),
}

_AHEAD = ("unrolled", "unrolled_first_order", "gan_long")  # looking ahead, with its two controls
_PLANE = ("gan", *_AHEAD, "pacgan2", "veegan", "wgan_gp", "rpgan_r1r2")
_PACKED = ("gan", "pacgan2", "pacgan3", "pacgan4", "rpgan_r1r2")

_RING = Setting(
    suite="ring",
    profile="smoke",
    source="ours",
    networks="mlp-64x5",
    updates=5_000,
    batch=64,
    latent=2,
    lr=6e-3,
    lr_end=1e-5,
    betas=(0.0, 0.9),
    gamma=0.1,
    gamma_end=0.0003,
    half_life=50,
    simultaneous=False,
    seeds=4,
    methods=_PLANE,
)
_PACGAN = Setting(
    suite="ring",
    profile="paper",
    source="PacGAN, arXiv:1712.04086, section 4.1 and its public code",
    networks="pacgan",
    updates=400_000,
    batch=100,
    latent=2,
    lr=1e-4,
    lr_end=1e-4,
    betas=(0.8, 0.999),
    gamma=0.1,
    gamma_end=0.1,
    half_life=0,
    simultaneous=True,
    seeds=10,
    methods=_PACKED,
)

_STACKED = replace(
    _RING,
    suite="stacked-mnist",
    networks="conv-32",
    latent=64,
    batch=32,
    updates=3_000,
    lr=1e-3,
    gamma=1.0,
    gamma_end=1.0,
    betas=(0.5, 0.99),
    seeds=1,
    methods=("gan", "pacgan2", "gan_r1", "rpgan_r1r2"),
)

SETTINGS: Final = {
    (setting.suite, setting.profile): setting
    for setting in (
        _RING,
        replace(_RING, suite="grid", updates=6_000, gamma=5.0, gamma_end=0.005),
        _STACKED,
        replace(
            _STACKED,
            profile="r3gan",
            source="ours; networks and betas of R3GAN, arXiv:2501.05441, an eighth as wide",
            networks="r3gan-96",
            updates=5_000,
            lr_end=1e-4,
            betas=(0.0, 0.99),
            methods=("rpgan_r1r2",),
        ),
        _PACGAN,
        replace(_PACGAN, suite="grid"),
        replace(
            _PACGAN,
            suite="stacked-mnist",
            source="VEEGAN's setting in PacGAN, arXiv:1712.04086, section 4.2 and its public code",
            networks="dcgan-64",
            updates=100_000,
            batch=64,
            latent=100,
            prior="uniform",
            lr=2e-4,
            lr_end=2e-4,
            betas=(0.5, 0.999),
            gamma=1.0,
            gamma_end=1.0,
            generator_steps=2,
            simultaneous=False,
        ),
    )
}


def setting(suite: str, profile: str) -> Setting:
    """Look a setting up.

    Raises:
        UserError: An unknown name.
    """
    suites = list(dict.fromkeys(name for name, _ in SETTINGS))
    if suite not in suites:
        raise UserError(f"no suite '{suite}': {nearest(suite, suites)}")
    profiles = [name for other, name in SETTINGS if other == suite]
    if profile not in profiles:
        raise UserError(f"{suite} has no profile '{profile}': {nearest(profile, profiles)}")
    return SETTINGS[suite, profile]
