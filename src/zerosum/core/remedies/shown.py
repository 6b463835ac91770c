"""Remedies before the critic: other samples for it, or another gradient from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from zerosum.augment.diffaugment import DiffAugment, PolicyName
from zerosum.config import Fraction
from zerosum.core.game import Game, Turn
from zerosum.core.remedies.base import Effect, Remedy
from zerosum.core.schedule import Linear, Number, at, bounded
from zerosum.errors import UserError
from zerosum.losses.gradients import GradientNorm
from zerosum.losses.stabilisers import instance_noise

PROBED = 12
"""Samples that critics are shown once, to see what reaches them: whole packs of most sizes."""


class Shown(Effect):
    """Networks that are given, while they learn, something else in the place of samples.

    Args:
        networks: The networks that samples reach first.
        change: Maps samples to others of the same shape.
        images: Change arguments of four dimensions alone.
    """

    def __init__(
        self, networks: Iterable[nn.Module], change: nn.Module, *, images: bool = False
    ) -> None:
        super().__init__()
        self.change, self.images = change, images
        for network in networks:
            network.register_forward_pre_hook(self.show)

    def show(self, network: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The hook: what the network is given instead."""
        first = given[0] if given else None
        if not network.training or not isinstance(first, Tensor):
            return None
        if not first.is_floating_point() or (self.images and first.ndim != 4):
            return None
        return (self.change(first), *given[1:])


class ShowsAugmented(Remedy):
    """Every critic sees images that were changed at random, real and fake, in all turns."""

    paper: ClassVar[str] = "Zhao et al. 2020, arXiv:2006.10738"
    needs: ClassVar[str] = "a critic whose network is given an image of the data"
    usual: ClassVar[str] = "translation and cutout; color too for a hundred images (the paper)"

    name: Literal["diffaugment"] = "diffaugment"
    policy: Annotated[tuple[PolicyName, ...], Field(min_length=1)] = ("translation", "cutout")
    """Changes, in this order: `color`, `translation`, `cutout`."""

    def effect(self, game: Game) -> Effect:
        return Shown(viewers(game, images=True), DiffAugment(self.policy), images=True)


class _Noise(nn.Module):
    """Instance noise of a strength that is set once a step."""

    sigma = 0.0

    def forward(self, samples: Tensor) -> Tensor:
        return instance_noise(samples, self.sigma)


class _Noisy(Shown):
    """Noise whose strength follows the clock."""

    def __init__(self, networks: Iterable[nn.Module], sigma: Number) -> None:
        noise = _Noise()
        super().__init__(networks, noise)
        self.noise, self.sigma = noise, sigma

    def turn(self, game: Game, turn: Turn) -> Turn:
        self.noise.sigma = at(self.sigma, game.progress)
        return turn


class InstanceNoise(Remedy):
    """Every critic sees normal noise on top of its samples, real and fake."""

    paper: ClassVar[str] = "Arjovsky & Bottou 2017, arXiv:1701.04862, section 3"
    needs: ClassVar[str] = "a critic whose network is given whole samples, of any shape"
    usual: ClassVar[str] = "sigma from 0.1 to 0 over the run (common practice)"

    name: Literal["instance_noise"] = "instance_noise"
    sigma: Annotated[Number, bounded(ge=0, le=1e3)] = Linear(start=0.1, end=0.0)
    """Standard deviation in units of the samples, a number or a schedule."""

    def effect(self, game: Game) -> Effect:
        return _Noisy(viewers(game), self.sigma)


class _Normal(Shown):
    """The gradient's normalisation, which moves its mean once a step."""

    def __init__(self, networks: Iterable[nn.Module], norm: GradientNorm) -> None:
        super().__init__(networks, norm)
        self.norm = norm

    def show(self, network: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        # A leaf is where a penalty takes a slope, which must stay as it is.
        made = bool(given) and isinstance(given[0], Tensor) and given[0].grad_fn is not None
        return super().show(network, given) if made else None

    def after_step(self, game: Game) -> None:
        self.norm.update()


class NormalisedGradient(Remedy):
    """What flows back from a critic into whoever made its samples has a running RMS of one."""

    paper: ClassVar[str] = "Lin et al. 2025, arXiv:2511.22475"
    needs: ClassVar[str] = "a critic whose network is given whole samples, of any shape"
    usual: ClassVar[str] = "decay 0.9 (the paper's code)"

    name: Literal["gradient_norm"] = "gradient_norm"
    decay: Fraction = 0.9
    """How much of the running mean square stays at each step."""

    def effect(self, game: Game) -> Effect:
        return _Normal(viewers(game), GradientNorm(self.decay))


def viewers(game: Game, *, images: bool = False) -> list[nn.Module]:
    """The networks of each critic that samples reach first, found by showing some once.

    Args:
        game: The game; weights, buffers and random numbers stay as they are.
        images: Whether samples must come as images with all their channels.

    Raises:
        UserError: Nobody judges, or a critic's networks are not given whole samples.
    """
    calls: dict[nn.Module, list[Tensor]] = {}

    def note(module: nn.Module, given: tuple[Any, ...]) -> None:
        calls.setdefault(module, [one for one in given if isinstance(one, Tensor)])

    players, modes = game.players(), [(m, m.training) for m in game.modules()]
    hooks = [
        module.register_forward_pre_hook(note)
        for name in game.critics()
        for module in players[name]
    ]
    devices = [game.device] if game.device.type == "cuda" else []
    try:
        game.eval()
        with torch.no_grad(), torch.random.fork_rng(devices):
            made = _some(game)
            for critic in game.critics().values():
                critic(made)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes:
            module.training = mode
    if not game.critics():
        raise UserError("it needs a critic, and nobody judges here")
    told = {*game.inputs(), *game.conditions()}
    samples = [v for n, v in made.items() if n not in told and v.is_floating_point()]
    found: list[nn.Module] = []
    for name in game.critics():
        own = _viewers(players[name], calls, samples, images)
        if not own:
            kind = "an image of the data" if images else "whole samples"
            raise UserError(
                f"it needs a critic that is given {kind}, and what its {name} is given is another "
                "thing, such as packs, pairs or samples joined with a condition"
            )
        found += own
    return found


def _viewers(
    modules: list[nn.Module],
    calls: dict[nn.Module, list[Tensor]],
    samples: list[Tensor],
    images: bool,
) -> list[nn.Module]:
    """Those of a critic's networks that see samples, which may come flat or packed: the first,
    and each other one that is given images too."""
    if any(module not in calls for module in modules if _learns(module)):
        return []  # some network judges by other means than `Game.critics`
    own = [module for module in calls if module in modules]
    shown = [module for module in own if _is_image(calls[module], samples)]
    if images or not own or own[0] in shown:
        return shown if own[:1] == shown[:1] else []
    sizes = {sample.numel() for sample in samples}
    whole = [number for number, one in enumerate(calls[own[0]]) if one.numel() in sizes]
    return own[:1] if whole == [0] else []


def _is_image(given: list[Tensor], samples: list[Tensor]) -> bool:
    """Whether the first thing that a network is given, and no other, is an image of the data."""
    shapes = {sample.shape for sample in samples if sample.ndim == 4}
    return [number for number, one in enumerate(given) if one.shape in shapes] == [0]


def _learns(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _some(game: Game) -> dict[str, Tensor]:
    """Some samples, of inputs of zeros where the game maps."""
    given = {
        name: torch.zeros(PROBED, *(side or 1 for side in field.shape), device=game.device)
        for name, field in game.inputs().items()
    }
    return game.sample(PROBED, rng=None, **given)
