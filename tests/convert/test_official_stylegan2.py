"""StyleGAN2 gives the numbers of its authors' release, through `zerosum.convert`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stylegan2_reference import Reference
from torch import Tensor

from zerosum.convert import stylegan2
from zerosum.errors import UserError
from zerosum.nets.stylegan2 import Generator
from zerosum.nets.stylegan2_critic import Discriminator

OFFICIAL = Path(__file__).parents[1] / "data/official"


class Fixture:
    """One case of the release's numbers."""

    def __init__(self, name: str) -> None:
        found = np.load(OFFICIAL / f"{name}.npz")
        self.values = {key: torch.from_numpy(found[key]) for key in found.files if key != "meta"}
        self.meta: dict[str, Any] = json.loads(str(found["meta"]))
        self.state = {k[2:]: v for k, v in self.values.items() if k[:2] in ("p/", "b/")}

    def __getitem__(self, key: str) -> Tensor:
        return self.values[key]

    def equal(self, key: str, given: Tensor, tolerance: float = 1e-4) -> None:
        wanted = self.values[f"out/{key}"]
        least = 1e-5 * float(wanted.abs().max())
        torch.testing.assert_close(given.detach(), wanted, rtol=tolerance, atol=least)


@pytest.fixture(scope="module")
def made() -> Fixture:
    return Fixture("sg2_G_cifar_like_r32_map2")


@pytest.fixture(scope="module")
def judged() -> Fixture:
    return Fixture("sg2_D_resnet_cond10_r16_mb4")


def test_styles_and_images_are_the_releases(made: Fixture):
    G = stylegan2.generator(made.meta["kwargs"], made.state)
    z, c = made["in/z"], made["in/c"]
    ws = G.mapping(z, c)
    made.equal("ws", ws)
    made.equal("ws_psi0.7", G.mapping(z, c, truncation=0.7))
    made.equal("ws_psi0.5_cut4", G.mapping(z, c, truncation=0.5, cutoff=4))
    made.equal("img_const", G.synthesis(ws, noise="const"))
    made.equal("img_none", G.synthesis(ws, noise="none"))
    mixed = torch.cat([ws[:, :4], ws.flip(0)[:, 4:]], dim=1)
    made.equal("img_stylemix_half", G.synthesis(mixed, noise="none"))
    G.mapping.track(ws[:, 0].mean(0))
    made.equal("w_avg_after_one_train_call", G.mapping.average)


def test_path_lengths_and_their_gradients_are_the_releases(made: Fixture):
    """With the penalty that the game plays, which holds the running mean in its graph."""
    from zerosum.losses import PathLength

    G = stylegan2.generator(made.meta["kwargs"], made.state)
    ws = G.mapping(made["in/z"][:2], made["in/c"][:2]).detach()
    noise = made["in/pl_noise"] * 32  # the penalty divides by the root of the pixels itself
    path = PathLength()
    penalty = path(lambda w: G.synthesis(w, noise="none"), ws, noise=noise)
    path.update()
    made.equal("pl_mean", path.mean, 1e-3)
    torch.testing.assert_close(penalty, made["out/pl_penalty"].mean(), rtol=1e-3, atol=0)
    (2 * penalty).backward()
    names, ours = G.official_names(), dict(G.named_parameters())
    compared = 0
    for key, value in made.values.items():
        kind, _, name = key.removeprefix("out/").partition("/")
        if kind in ("pl_grad", "pl_gradnorm"):
            gradient = ours[names[f"synthesis.{name}"]].grad
            assert gradient is not None, name
            if kind == "pl_grad":
                made.equal(f"pl_grad/{name}", gradient, 1e-3)
            else:
                assert float(gradient.norm()) == pytest.approx(float(value), rel=1e-3), name
            compared += 1
    assert compared == 67


def test_logits_penalty_and_every_gradient_are_the_releases(judged: Fixture):
    D = stylegan2.discriminator(judged.meta["kwargs"], judged.state)
    images = judged["in/img"].clone().requires_grad_(True)
    logits = D(images, judged["in/c"])
    judged.equal("logits", logits)
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    judged.equal("r1_input_grad", slope, 1e-3)
    penalty = slope.square().sum((1, 2, 3))
    judged.equal("r1_penalty", penalty, 1e-3)
    loss = torch.nn.functional.softplus(-logits[:, 0]) + judged.meta["r1_gamma"] / 2 * penalty
    judged.equal("d_real_plus_r1_loss", loss, 1e-3)
    loss.mean().backward()
    ours = dict(D.named_parameters())
    names = D.official_names()
    assert set(names.values()) >= set(ours)
    for official, name in names.items():
        gradient = ours[name].grad
        assert gradient is not None, official
        judged.equal(f"grad/{official}", gradient, 1e-3)


def randomised(network: Generator | Discriminator) -> dict[str, Tensor]:
    """An official state of random numbers for a network, so that nothing is hidden by zeros."""
    ours = dict(network.named_parameters()) | dict(network.named_buffers())
    rng = torch.Generator().manual_seed(3)
    return {
        official: torch.randn(ours[name].shape, generator=rng) * (100 if ".fc" in official else 1)
        if "mapping" in official
        else torch.randn(ours[name].shape, generator=rng)
        for official, name in network.official_names().items()
    }


SMALL: dict[str, Any] = {"channel_base": 64, "channel_max": 8}


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize(("classes", "clamp"), [(0, None), (3, 1.5)])
def test_generators_agree_with_a_slow_one(architecture: str, classes: int, clamp: float | None):
    given = {**SMALL, "architecture": architecture, "conv_clamp": clamp}
    kwargs = {"z_dim": 6, "c_dim": classes, "w_dim": 5, "img_resolution": 16, "img_channels": 2}
    mapping = {"num_layers": 3, "lr_multiplier": 0.01, "layer_features": 7, "embed_features": 4}
    shape = Generator(
        6, classes, 5, 2, (16, 16), layers=3, hidden=7, embedding=4, base=64, most=8,
        architecture=architecture,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    state = randomised(shape)
    both = {"mapping_kwargs": mapping, "synthesis_kwargs": given}
    G = stylegan2.generator({**kwargs, **both}, state)
    slow = Reference({**kwargs, **given}, state)
    z, c = torch.randn(3, 6), torch.eye(3)[:, :classes]
    ws = G.mapping(z, c).detach()
    torch.testing.assert_close(ws[:, 0].double(), slow.mapped(z, c, 3), rtol=1e-4, atol=1e-5)
    mixed = ws * torch.linspace(0.5, 1.5, G.synthesis.copies)[:, None]
    wanted = slow.synthesised(mixed)
    found = G.synthesis(mixed)
    least = 1e-5 * float(wanted.abs().max())
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=least)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize(("classes", "clamp", "group"), [(0, None, 2), (3, 0.7, None)])
def test_discriminators_agree_with_a_slow_one(
    architecture: str, classes: int, clamp: float | None, group: int | None
):
    given = {**SMALL, "architecture": architecture, "conv_clamp": clamp}
    kwargs = {"c_dim": classes, "img_resolution": 16, "img_channels": 2, **given}
    shape = Discriminator(
        classes, 2, (16, 16), base=64, most=8,
        architecture=architecture,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    state = randomised(shape)
    D = stylegan2.discriminator({**kwargs, "epilogue_kwargs": {"mbstd_group_size": group}}, state)
    images = torch.randn(6, 2, 16, 16)
    c = torch.eye(3)[torch.arange(6) % 3] if classes else torch.zeros(6, 0)
    wanted = Reference(kwargs, state).judged(images, c, group)
    least = 1e-5 * float(wanted.abs().max())
    torch.testing.assert_close(D(images, c).double(), wanted, rtol=1e-4, atol=least)


def test_frozen_layers_are_no_parameters_and_give_the_same(judged: Fixture):
    kwargs = {**judged.meta["kwargs"], "block_kwargs": {"freeze_layers": 3}}
    free = stylegan2.discriminator(judged.meta["kwargs"], judged.state)
    D = stylegan2.discriminator(kwargs, judged.state)
    frozen = set(dict(free.named_parameters())) - set(dict(D.named_parameters()))
    first = ("sees", "look", "halve")
    assert frozen == {f"blocks.0.{layer}.{t}" for layer in first for t in ("weight", "bias")}
    torch.testing.assert_close(
        D(judged["in/img"], judged["in/c"]), free(judged["in/img"], judged["in/c"])
    )


def test_what_does_not_fit_is_one_line(made: Fixture):
    kwargs, state = made.meta["kwargs"], made.state
    with pytest.raises(UserError, match=r"no argument chanel_base.*channel_base"):
        stylegan2.generator({**kwargs, "synthesis_kwargs": {"chanel_base": 3}}, state)
    with pytest.raises(UserError, match="needs the argument z_dim"):
        stylegan2.generator({k: v for k, v in kwargs.items() if k != "z_dim"}, state)
    with pytest.raises(UserError, match=r"mapping.fc0.weight has shape \(32, 32\)"):
        stylegan2.generator({**kwargs, "z_dim": 31}, state)
    short = {k: v for k, v in state.items() if k != "mapping.w_avg"}
    with pytest.raises(UserError, match=r"lacks the tensor mapping.w_avg"):
        stylegan2.generator(kwargs, short)
    other = {**state, "synthesis.b8.resample_filter": torch.ones(4, 4) / 16}
    with pytest.raises(UserError, match=r"b8.resample_filter.*not the filter"):
        stylegan2.generator(kwargs, other)
    with pytest.raises(UserError, match="img_resolution=24"):
        stylegan2.generator({**kwargs, "img_resolution": 24}, state)
