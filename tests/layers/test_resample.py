"""Filtered resampling, the modulated convolution and activations: the release's numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.layers.activation import ACTIVATIONS, activated
from zerosum.layers.modulated import modulated_conv
from zerosum.layers.resample import (
    conv_resampled,
    downsampled,
    filtered,
    fir,
    upfirdn,
    upsampled,
)

FILE = np.load(Path(__file__).parents[1] / "data/official/sg2_ops.npz")
CASES: list[dict[str, Any]] = json.loads(str(FILE["meta"]))["upfirdn2d_cases"]


def given(name: str) -> Tensor:
    return torch.from_numpy(FILE[f"in/{name}"])


def equal(name: str, found: Tensor) -> None:
    wanted = torch.from_numpy(FILE[f"out/{name}"])
    least = 1e-5 * float(wanted.abs().max())
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=least)


def factors(value: Any) -> tuple[int, int]:
    """The release says (horizontal, vertical)."""
    return (value, value) if isinstance(value, int) else (value[1], value[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["i"]))
def test_upfirdn_is_the_releases(case: dict[str, Any]):
    found = upfirdn(
        given("x"),
        given(case["f"]),
        up=factors(case.get("up", 1)),
        down=factors(case.get("down", 1)),
        padding=tuple(case.get("padding", (0, 0, 0, 0))),  # pyright: ignore[reportArgumentType]
        flip=case.get("flip_filter", False),
        gain=case.get("gain", 1),
    )
    equal(f"upfirdn2d_{case['i']}", found)


def test_filters_and_sizes_are_the_releases():
    x = given("x")
    torch.testing.assert_close(fir([1, 3, 3, 1]), given("f4"))
    equal("filter2d_f4", filtered(x, given("f4")))
    for name in ("f4", "f2d"):
        equal(f"upsample2d_{name}", upsampled(x, given(name)))
    for name in ("f4", "f12"):
        equal(f"downsample2d_{name}", downsampled(x, given(name)))


@pytest.mark.parametrize("kernel", ["w33", "w11"])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
def test_resampling_convolutions_are_the_releases(kernel: str, up: int, down: int):
    for flip, end in ((True, ""), (False, "_noflip")):
        found = conv_resampled(
            given("xe"), given(kernel), given("f4"), up=up, down=down,
            padding=1 if kernel == "w33" else 0, flip_weight=flip,
        )  # fmt: skip
        equal(f"conv2d_resample_{kernel}_up{up}_down{down}{end}", found)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize("up", [1, 2])
def test_modulated_convolutions_are_the_releases(up: int, demodulate: bool, fused: bool):
    found = modulated_conv(
        given("xe"), given("w33"), given("styles"), demodulate=demodulate, f=given("f4"), up=up,
        noise=given("noise" if up == 1 else "noise_up"), padding=1, flip_weight=up == 1,
        fused=fused,
    )  # fmt: skip
    equal(f"modconv_up{up}_demod{demodulate:d}_fused{fused:d}", found)


def test_pointwise_modulation_is_that_of_weights_per_sample():
    x, style, weight = torch.randn(2, 3, 4, 5), torch.randn(2, 3), torch.randn(6, 3, 1, 1)
    found = modulated_conv(x, weight, style, gain=2)
    kernels = weight[None, :, :, 0, 0] * style[:, None]
    kernels = kernels / kernels.square().sum(2, keepdim=True).sqrt()
    torch.testing.assert_close(found, 2 * torch.einsum("boi,bihw->bohw", kernels, x))


@pytest.mark.parametrize("kind", list(ACTIVATIONS))
def test_activations_are_the_releases(kind: str):
    equal(f"bias_act_{kind}", activated(given("x"), given("b"), kind))
    bounded = activated(given("x"), given("b"), kind, gain=0.7, clamp=0.4)
    equal(f"bias_act_{kind}_g0.7_c0.4", bounded)


@pytest.mark.parametrize(
    "how",
    [
        {"up": 2, "padding": (2, 1, 2, 1), "gain": 4},
        {"down": 2, "padding": 1},
        {"up": (2, 3), "down": (3, 2), "padding": (2, 1, 3, -1)},
        {"up": 2, "down": 2, "flip": True, "padding": (-1, 2, 1, 0)},
    ],
)
def test_the_derivative_of_filtering_is_right_twice(how: dict[str, Any]):
    """It is an own function: against finite differences, with an asymmetric filter."""
    torch.manual_seed(0)
    f = torch.randn(4, 3, dtype=torch.double)
    x = torch.randn(1, 2, 5, 6, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: upfirdn(x, f, **how), x)
    assert torch.autograd.gradgradcheck(lambda x: upfirdn(x, f, **how) ** 2, x)


def test_a_filter_may_be_learned():
    f = torch.rand(3, 3, requires_grad=True)
    x = torch.ones(1, 1, 3, 3, requires_grad=True)
    upfirdn(x, f).sum().backward()
    torch.testing.assert_close(f.grad, torch.ones(3, 3))


def test_what_is_no_filter_is_refused():
    with pytest.raises(UserError, match="one or two dimensions"):
        fir(torch.zeros(2, 2, 2))
    with pytest.raises(UserError, match="no activation 'lerlu'"):
        activated(torch.zeros(1, 1), kind="lerlu")
