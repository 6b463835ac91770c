"""StyleGAN3 equals its authors' release: numbers of the official code, kept as data."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from zerosum.convert import stylegan3
from zerosum.errors import UserError
from zerosum.layers.lowpass import filtered_lrelu, lowpass
from zerosum.nets.bands import Bands
from zerosum.nets.stylegan3 import Generator, Layer

OFFICIAL = Path(__file__).parent.parent / "data" / "official"


class Case:
    """A file of official numbers."""

    def __init__(self, name: str) -> None:
        self.arrays = np.load(OFFICIAL / f"{name}.npz")
        self.meta = json.loads(str(self.arrays["meta"]))
        self.state = {k[2:]: self.arrays[k] for k in self.arrays if k[:2] in ("p/", "b/")}

    def __getitem__(self, name: str) -> Tensor:
        return torch.from_numpy(self.arrays[name])


def same(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


@pytest.fixture(scope="module")
def case() -> Case:
    return Case("sg3_t_r32")


def network(case: Case) -> Generator:
    return stylegan3.generator(case.meta["kwargs"], case.state)


def layers_of(network: Generator) -> list[Layer]:
    return [layer for layer in network.synthesis.layers if isinstance(layer, Layer)]


@torch.no_grad()
def test_styles_and_images_are_the_official_ones(case: Case) -> None:
    G = network(case)
    styles = G.mapping(case["in/z"], case["in/c"])
    same(styles, case["out/ws"])
    same(G.mapping(case["in/z"], case["in/c"], truncation=0.6), case["out/ws_psi0.6"])
    same(G.synthesis(styles), case["out/img"])


@torch.no_grad()
def test_a_transform_of_the_input_is_the_official_one_in_any_type(case: Case) -> None:
    G = network(case)
    transform = case["out/transform"]
    assert transform.dtype == torch.float64
    same(G.synthesis(case["out/ws"], transform), case["out/img_transformed"])
    each = transform.float().expand(2, 3, 3)
    same(G.synthesis(case["out/ws"], transform=each), case["out/img_transformed"])
    G.synthesis.begin.transform.copy_(transform)
    same(G.synthesis(case["out/ws"]), case["out/img_transformed"])


@torch.no_grad()
def test_each_layer_gives_what_the_official_one_gives(case: Case) -> None:
    G = network(case)
    seen: list[Tensor] = []
    for part in (G.synthesis.begin, *G.synthesis.layers):
        part.register_forward_hook(lambda *given: seen.append(given[-1]))
    G.synthesis(case["out/ws"][:1])
    same(seen[0][:, :4], case["out/act/input"])
    names = ["input", *case.meta["layers"]]
    assert len(names) == len(seen) == 16
    for name, maps in zip(names, seen):
        mean, deviation, *shape = case[f"out/act_mean_std_shape/{name}"].tolist()
        assert list(maps.shape[1:]) == [int(one) for one in shape[-3:]]
        assert float(maps.mean()) == pytest.approx(mean, abs=1e-5 * max(deviation, 1))
        assert float(maps.std()) == pytest.approx(deviation, rel=1e-4)


@torch.no_grad()
def test_means_move_once_a_step_by_what_the_last_forward_saw(case: Case) -> None:
    G = network(case).train()
    before = [layer.magnitude.clone() for layer in layers_of(G)]
    seen: list[Tensor] = []
    for layer in layers_of(G):
        layer.register_forward_pre_hook(lambda _m, given: seen.append(given[0].square().mean()))
    G.synthesis(case["out/ws"])
    assert [float(x.magnitude) for x in layers_of(G)] == [float(x) for x in before]
    G.synthesis.track()
    beta = case.meta["kwargs"]["magnitude_ema_beta"]
    for layer, old, square in zip(layers_of(G), before, seen, strict=True):
        torch.testing.assert_close(layer.magnitude, (1 - beta) * square + beta * old)
    # The first layer's is the official one; those after it saw magnitudes that had moved there.
    first = layers_of(G)[0]
    torch.testing.assert_close(first.magnitude, case["out/magnitude_ema_after_update"][0])
    G.mapping.track(case["out/ws"][:, 0].mean(0))
    same(G.mapping.average, case["out/w_avg_after_update"])


def test_each_official_name_is_one_tensor_here(case: Case) -> None:
    G = network(case)
    names, ours = G.official_names(), {*dict(G.named_parameters()), *dict(G.named_buffers())}
    assert set(names) == set(case.state)
    assert set(names.values()) == ours
    G.synthesis(G.mapping(case["in/z"], case["in/c"])).square().sum().backward()
    parameters = dict(G.named_parameters())
    for official, name in names.items():
        if name in parameters:
            gradient = parameters[name].grad
            assert gradient is not None
            assert gradient.shape == case.state[official].shape


@pytest.mark.parametrize("name", ["t256", "r256", "t512", "t1024", "r1024"])
def test_layers_are_planned_as_officially(name: str) -> None:
    plan = Case("sg3_filter_plans").meta["plans"][name]
    side, wider = int(name[1:]), 2 if name[0] == "r" else 1
    bands = Bands.of((side, side), 3, base=32768 * wider // 64, most=512 * wider // 64)
    for k, wanted in enumerate(plan):
        before, after = bands.bands[k : k + 2]
        last = k == len(plan) - 1
        layer = Layer(
            4, before, after, colours=last, critical=k >= len(plan) - 3, radial=wider == 2,
            kernel=1 if wider == 2 else 3,
        )  # fmt: skip
        finer, coarser = layer.finer, layer.coarser
        assert {
            "name": f"L{k}_{after.size[1]}_{after.maps}",
            "in_size": list(before.size),
            "out_size": list(after.size),
            "up": layer.up,
            "down": layer.down,
            "pad": list(layer.padding),
            "cin64": before.maps,
            "cout64": after.maps,
            "up_taps": 0 if finer is None else len(finer),
            "down_shape": [] if coarser is None else list(coarser.shape),
        } == {key: value for key, value in wanted.items() if key != "fp16"}
    assert len(plan) == len(bands.bands) - 1 == 15


def test_filters_are_the_official_ones() -> None:
    case = Case("sg3_filter_plans")
    for number, (taps, cutoff, width, rate, radial) in enumerate(case.meta["lowpass"]):
        f = lowpass(taps, cutoff, width, rate, radial=radial)
        if taps == 1:
            assert f is None
            continue
        assert f is not None
        torch.testing.assert_close(f, case[f"out/lowpass_{number}"])


@pytest.mark.parametrize("number", range(5))
def test_the_filtered_nonlinearity_is_the_official_one(number: int) -> None:
    case = Case("sg3_filtered_lrelu")
    given = dict(case.meta["cases"][number])
    filters = {
        name: None if given.get(name, name) is None else case[f"in/{given.get(name, name)}"]
        for name in ("fu", "fd")
    }
    settings = {k: v for k, v in given.items() if k not in ("fu", "fd", "flip_filter")}
    ours = filtered_lrelu(
        case["in/x"], filters["fu"], filters["fd"], case["in/b"],
        flip=given.get("flip_filter", False), **settings,
    )  # fmt: skip
    same(ours, case[f"out/case{number}"])


def test_a_side_that_is_no_power_of_two_keeps_the_unit_of_length() -> None:
    bands = Bands.of((28, 42), 1, base=512, most=8, layers=6, margin=4)
    assert [band.size for band in bands.bands[-2:]] == [(28, 42), (28, 42)]
    assert bands.bands[0].rate == 16
    assert bands.bands[0].size == (14 + 8, 21 + 8)
    G = Generator(4, 0, 4, bands)
    assert G(torch.randn(2, 4)).shape == (2, 1, 28, 42)
    with pytest.raises(UserError, match=r"27 pixels is no multiple of 2.*data.size=28"):
        Bands.of((27, 28), 1, layers=6)


@torch.no_grad()
def test_a_shift_of_the_input_shifts_the_image() -> None:
    """EQ-T of the network as it starts: the paper's T reaches 60 to 67 dB when trained."""
    torch.manual_seed(0)
    bands = Bands.of((64, 64), 3, base=1024, most=16, layers=10)
    G = Generator(16, 0, 16, bands).eval()
    styles = G.mapping(torch.randn(4, 16))
    still = G.synthesis(styles)
    move = torch.eye(3)
    move[0, 2] = -8 / 64  # the inverse of a shift by 8 pixels to the right
    moved = G.synthesis(styles, move)
    error = (moved[..., 8:] - still[..., :-8]).square().mean()
    psnr = 10 * math.log10(float(4 * still.std() ** 2) / float(error))
    assert psnr > 45


def test_what_is_unknown_or_missing_is_named(case: Case) -> None:
    kwargs = case.meta["kwargs"]
    with pytest.raises(UserError, match=r"no argument num_layer:.*num_layers"):
        stylegan3.generator({**kwargs, "num_layer": 3}, case.state)
    with pytest.raises(UserError, match="is not the filter of its arguments"):
        stylegan3.generator({**kwargs, "lrelu_upsampling": 4}, case.state)
    without = {k: v for k, v in case.state.items() if k != "mapping.fc0.bias"}
    with pytest.raises(UserError, match=r"lacks the tensor mapping\.fc0\.bias"):
        stylegan3.generator(kwargs, without)
