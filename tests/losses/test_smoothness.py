"""Penalties on generators against closed forms for linear generators."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

from zerosum.errors import UserError
from zerosum.losses import PathLength, jacobian_clamping, mode_seeking

RNG = torch.Generator().manual_seed(0)
Z = torch.randn(6, 4, dtype=torch.float64, generator=RNG)


class Synthesis(nn.Module):
    """Latents (B, D) or (B, L, D) to images (B, 2, 3, 3); smooth, not linear."""

    def __init__(self, features):
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(features, 18).double()

    def forward(self, w):
        return self.layer(w.flatten(1)).tanh().reshape(-1, 2, 3, 3)


def test_path_length_of_a_linear_generator():
    """For G(w) = A w the gradient is A^T y / sqrt(H W), whatever w is."""
    matrix = torch.randn(18, 4, dtype=torch.float64, generator=RNG)
    noise = torch.randn(6, 2, 3, 3, dtype=torch.float64, generator=RNG)
    regulariser = PathLength(decay=0.25)
    lengths = (noise.flatten(1) @ matrix).norm(dim=1) / 3
    mean = 0.0
    for _ in range(3):
        mean += 0.25 * (lengths.mean().item() - mean)
        penalty = regulariser(lambda w: (w @ matrix.T).reshape(-1, 2, 3, 3), Z, noise=noise)
        assert penalty.item() == pytest.approx((lengths - mean).square().mean().item(), rel=1e-6)
        regulariser.update()
        assert regulariser.mean.item() == pytest.approx(mean, rel=1e-6)
    regulariser.update()  # without a new batch
    assert regulariser.mean.item() == pytest.approx(mean, rel=1e-6)


def test_path_length_averages_squares_over_layers():
    w = torch.randn(5, 3, 4, dtype=torch.float64, generator=RNG)
    scale = torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64)
    regulariser = PathLength(decay=1.0)
    noise = torch.randn(5, 4, dtype=torch.float64, generator=RNG)
    regulariser(lambda w: (scale[:, None] * w).sum(1), w, noise=noise)
    assert regulariser.mean.item() == 0, "a loss that is evaluated moves nothing"
    regulariser.update()
    expected = (noise.square().sum(1) * (1 + 4 + 0) / 3).sqrt().mean().item()
    assert regulariser.mean.item() == pytest.approx(expected, rel=1e-6)


def test_path_length_does_not_depend_on_resolution():
    """E |J^T y| of a constant image: the noise divided by sqrt(H W) sums to a standard normal."""
    for size in (2, 16):
        regulariser = PathLength(decay=1.0)
        torch.manual_seed(0)
        w = torch.zeros(4000, 1)
        regulariser(lambda w, size=size: w[:, :, None, None].expand(-1, 1, size, size), w)
        regulariser.update()
        expected = math.sqrt(2 / math.pi)  # of |y|, y standard normal
        spread = math.sqrt((1 - 2 / math.pi) / 4000)
        assert abs(regulariser.mean.item() - expected) < 4 * spread


def test_official_path_length():
    """Lengths, mean and penalties that the official StyleGAN2 gave (stored fixture)."""
    lengths = torch.tensor([[1.301069736480713], [1.0482659339904785]])
    regulariser = PathLength()
    penalty = regulariser(lambda w: w, torch.zeros(2, 1), noise=lengths)
    expected = (1.6623539924621582 + 1.0743722915649414) / 2
    assert penalty.item() == pytest.approx(expected, rel=1e-6)
    regulariser.update()
    assert regulariser.mean.item() == pytest.approx(0.011746678501367569, rel=1e-6)


def test_path_length_gradients_equal_finite_differences():
    synthesis, mapping = Synthesis(8), nn.Linear(4, 4).double()
    noise = torch.randn(6, 2, 3, 3, dtype=torch.float64, generator=RNG)
    parameters = [*synthesis.parameters(), mapping.weight]

    def penalty():
        w = mapping(Z)[:, None].repeat(1, 2, 1)
        return PathLength(decay=0.3).double()(synthesis, w, noise=noise)

    found = torch.autograd.grad(penalty(), parameters)
    step = 1e-5
    for parameter, gradient in zip(parameters, found):
        flat = parameter.data.view(-1)
        for i in range(0, flat.numel(), 5):
            start = flat[i].item()
            flat[i] = start + step
            above = penalty().item()
            flat[i] = start - step
            below = penalty().item()
            flat[i] = start
            numeric = (above - below) / (2 * step)
            assert gradient.view(-1)[i].item() == pytest.approx(numeric, rel=1e-6, abs=1e-9)
        assert gradient.abs().max() > 1e-4  # the mapping network learns too


def test_path_length_leaves_autocast_and_compiled_code():
    noise = torch.randn(6, 2, 3, 3, generator=RNG)
    plain, compiled = Synthesis(4).float(), Synthesis(4).float()
    backend = CompileCounterWithBackend("aot_eager")
    compiled.compile(backend=backend)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert compiled(Z.float()).dtype == torch.bfloat16
        assert backend.frame_count == 1
        inside = PathLength()(compiled, Z.bfloat16(), noise=noise.bfloat16())
    outside = PathLength()(plain, Z.bfloat16().float(), noise=noise.bfloat16().float())
    assert inside.dtype == torch.float32
    assert inside.item() == outside.item()
    expected = torch.autograd.grad(outside, plain.layer.weight)[0]
    torch.testing.assert_close(torch.autograd.grad(inside, compiled.layer.weight)[0], expected)


def test_path_length_state_is_saved():
    first, second = PathLength(), PathLength()
    first(lambda w: w, torch.zeros(2, 1), noise=torch.ones(2, 1))
    first.update()
    second.load_state_dict(first.state_dict())
    assert second.mean.item() == first.mean.item() == pytest.approx(0.01)


def test_path_length_of_a_dead_generator_has_no_nan():
    synthesis = Synthesis(4)
    nn.init.zeros_(synthesis.layer.weight)
    PathLength()(synthesis, Z).backward()
    assert synthesis.layer.weight.grad is not None
    assert bool(synthesis.layer.weight.grad.isfinite().all())


def test_wrong_path_length_is_refused():
    with pytest.raises(UserError, match="decay"):
        PathLength(decay=0)
    with pytest.raises(UserError, match=r"\(B, D\)"):
        PathLength()(lambda w: w, torch.zeros(3))
    with pytest.raises(UserError, match="shape of the samples"):
        PathLength()(lambda w: w, torch.zeros(3, 2), noise=torch.zeros(3, 1))
    with torch.no_grad(), pytest.raises(UserError, match="no_grad"):
        PathLength()(lambda w: w, torch.zeros(3, 2))


@pytest.mark.parametrize(("slope", "expected"), [(0.25, 0.75**2), (1, 0), (20, 0), (23, 9)])
def test_jacobian_clamping_of_a_linear_generator(slope, expected):
    for step in (1.0, 0.1):
        loss = jacobian_clamping(lambda z: slope * z, Z, step=step)
        assert loss.item() == pytest.approx(expected, abs=1e-8)


def test_jacobian_clamping_along_a_direction():
    along = torch.tensor([0.0, 5.0, 0.0, 0.0], dtype=torch.float64).expand(6, 4)
    scale = torch.tensor([1.0, 30.0, 1.0, 1.0], dtype=torch.float64)
    loss = jacobian_clamping(lambda z: scale * z, Z, direction=along)
    assert loss.item() == pytest.approx(100)
    with pytest.raises(UserError, match="smallest"):
        jacobian_clamping(lambda z: z, Z, smallest=3, largest=2)


def test_mode_seeking_of_a_linear_generator():
    other = torch.randn(6, 4, dtype=torch.float64, generator=RNG)
    assert mode_seeking(4 * Z, 4 * other, Z, other).item() == pytest.approx(1 / 4.00001)
    collapsed = torch.ones(6, 4, dtype=torch.float64)
    assert mode_seeking(collapsed, collapsed, Z, other).item() == pytest.approx(1e5)
    with pytest.raises(UserError, match="same shapes"):
        mode_seeking(Z, other[:2], Z, other)
