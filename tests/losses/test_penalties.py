"""Gradient penalties: closed forms, double backward, precision, compiled modules, tuples."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

from zerosum.errors import UserError
from zerosum.losses import dragan, gradient_norms, gradient_penalty, r1, r2

RNG = torch.Generator().manual_seed(0)
REAL = torch.randn(4, 3, dtype=torch.float64, generator=RNG)
FAKE = torch.randn(4, 3, dtype=torch.float64, generator=RNG)
MIX = torch.rand(4, dtype=torch.float64, generator=RNG)
NOISE = torch.randn(4, 3, dtype=torch.float64, generator=RNG)

PENALTIES = {
    "r1": lambda critic, real, fake: r1(critic, real),
    "r2": lambda critic, real, fake: r2(critic, fake),
    "wgan_gp": lambda critic, real, fake: gradient_penalty(critic, real, fake, mix=MIX),
    "zero_centred": functools.partial(gradient_penalty, mix=MIX, target=0.0),
    "one_sided": functools.partial(gradient_penalty, mix=MIX, target=0.05, one_sided=True),
    "dragan": lambda critic, real, fake: dragan(critic, real, noise=NOISE),
}
each_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES.keys())


class SmallCritic(nn.Module):
    """A class of its own: torch leaves a bare nn.Sequential uncompiled, and nothing is tested."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))

    def forward(self, samples):
        return self.layers(samples)[:, 0]


def small_critic(dtype=torch.float64):
    torch.manual_seed(3)
    return SmallCritic().to(dtype)


W = torch.tensor([3.0, 0.0, 4.0], dtype=torch.float64)  # of length 5


def linear(samples):
    return samples @ W.to(samples.dtype).requires_grad_()


def test_closed_forms_for_a_linear_critic():
    assert r1(linear, REAL).item() == pytest.approx(25)
    assert r2(linear, FAKE).item() == pytest.approx(25)
    assert gradient_penalty(linear, REAL, FAKE).item() == pytest.approx(16)
    assert gradient_penalty(linear, REAL, FAKE, target=0).item() == pytest.approx(25)
    assert gradient_penalty(linear, REAL, FAKE, target=7).item() == pytest.approx(4)
    assert gradient_penalty(linear, REAL, FAKE, target=7, one_sided=True).item() == 0
    assert gradient_penalty(linear, REAL, FAKE, one_sided=True).item() == pytest.approx(16)
    assert dragan(linear, REAL).item() == pytest.approx(16)


def test_points_where_the_gradient_is_taken():
    """For D = |x|^2/2 the gradient is x itself, so a penalty with target 0 shows the points."""

    def half_square(x):
        return x.square().sum(1) / 2

    def size(points):
        return points.square().sum(1).mean().item()

    mixed = MIX[:, None] * REAL + (1 - MIX[:, None]) * FAKE
    assert r1(half_square, REAL).item() == pytest.approx(size(REAL))
    assert r2(half_square, FAKE).item() == pytest.approx(size(FAKE))
    penalty = gradient_penalty(half_square, REAL, FAKE, mix=MIX, target=0)
    assert penalty.item() == pytest.approx(size(mixed))
    penalty = gradient_penalty(half_square, REAL, FAKE, mix=torch.ones(4), target=0)
    assert penalty.item() == pytest.approx(size(REAL))
    penalty = dragan(half_square, REAL, noise=NOISE, target=0)
    assert penalty.item() == pytest.approx(size(REAL + NOISE))
    torch.testing.assert_close(gradient_norms(half_square, REAL), REAL.norm(dim=1))


def test_drawn_points_lie_where_they_should():
    seen = []

    def spy(x):
        seen.append(x.detach())
        return x.sum(1)

    zeros, ones = torch.zeros(2000, 1), torch.ones(2000, 1)
    gradient_penalty(spy, zeros, ones)
    assert seen[0].min() >= 0 and seen[0].max() <= 1
    assert abs(seen[0].mean().item() - 0.5) < 4 * (1 / 12 / 2000) ** 0.5
    dragan(spy, 10 * torch.randn(2000, 1))
    real = torch.linspace(0, 12**0.5, 2001)[:, None]  # standard deviation 1
    dragan(spy, real)
    move = seen[2] - real
    assert move.min() >= 0 and move.max() <= 0.502 and move.max() > 0.4
    # A share of each sample's own times one of each value's: E[u v] = 1/4, half a deviation far.
    assert abs(move.mean().item() - 0.125) < 4 * 0.5 * (7 / 144 / 2001) ** 0.5


def test_dragan_moves_each_sample_by_a_share_of_its_own():
    seen = []

    def spy(x):
        seen.append(x.detach())
        return x.sum(1)

    torch.manual_seed(0)
    real = torch.randn(400, 3_000, dtype=torch.float64)
    dragan(spy, real)
    move = seen[0] - real
    # Within a sample the values are uniform up to its share; shares are uniform on [0, 1).
    share = 2 * move.mean(1) / (0.5 * real.std())
    assert abs(share.mean().item() - 0.5) < 4 * (1 / 12 / 400) ** 0.5
    assert share.std().item() == pytest.approx((1 / 12) ** 0.5, rel=0.1)
    spread = move.std(1) / move.mean(1)
    torch.testing.assert_close(spread.mean().item(), 3**-0.5, atol=0.01, rtol=0)


@each_penalty
def test_parameter_gradients_equal_finite_differences(penalty):
    critic = small_critic()
    parameters = list(critic.parameters())
    found = torch.autograd.grad(penalty(critic, REAL, FAKE), parameters, allow_unused=True)
    step = 1e-5
    for parameter, gradient in zip(parameters, found):
        numeric = torch.zeros_like(parameter)
        flat = parameter.data.view(-1)
        for i in range(flat.numel()):
            start = flat[i].item()
            flat[i] = start + step
            above = penalty(critic, REAL, FAKE).item()
            flat[i] = start - step
            below = penalty(critic, REAL, FAKE).item()
            flat[i] = start
            numeric.view(-1)[i] = (above - below) / (2 * step)
        analytic = torch.zeros_like(parameter) if gradient is None else gradient
        torch.testing.assert_close(analytic, numeric, rtol=1e-6, atol=1e-9)
    assert sum(g.abs().sum().item() for g in found if g is not None) > 1e-3


def test_the_gradient_itself_equals_finite_differences():
    critic = small_critic()
    step = 1e-5
    columns = [
        (critic(REAL + step * e) - critic(REAL - step * e)) / (2 * step)
        for e in torch.eye(3, dtype=torch.float64)
    ]
    expected = torch.stack(columns, 1).square().sum(1)
    torch.testing.assert_close(r1(critic, REAL), expected.mean(), rtol=1e-7, atol=0)


@each_penalty
def test_penalties_leave_autocast(penalty):
    critic = small_critic(torch.float32)
    real, fake = REAL.float(), FAKE.float()
    plain = penalty(critic, real, fake)
    seen = []
    hook = critic.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert critic(real).dtype == torch.bfloat16  # autocast does reach this critic
        inside = penalty(critic, real.bfloat16(), fake.bfloat16())
        exact = penalty(critic, real, fake)
    hook.remove()
    assert seen == [torch.bfloat16, torch.float32, torch.float32]
    assert inside.dtype == exact.dtype == torch.float32
    assert exact.item() == plain.item()


@each_penalty
def test_double_precision_stays(penalty):
    assert penalty(small_critic(), REAL, FAKE).dtype == torch.float64


def test_compiled_modules_are_run_uncompiled():
    plain, compiled = small_critic(), small_critic()
    backend = CompileCounterWithBackend("aot_eager")
    compiled.compile(backend=backend)
    torch.testing.assert_close(compiled(REAL), plain(REAL))
    assert backend.frame_count == 1
    values, gradients = [], []
    for critic in (plain, compiled):
        total = sum(penalty(critic, REAL, FAKE) for penalty in PENALTIES.values())
        loss = total + critic(REAL).square().mean()  # beside an ordinary, compiled use
        found = torch.autograd.grad(loss, list(critic.parameters()))
        values.append(loss.detach())
        gradients.append(found)
    torch.testing.assert_close(values[1], values[0], rtol=1e-12, atol=0)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-10, atol=1e-14)


def graph_critic(nodes, edges):
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    return weight * nodes.flatten(1).sum(1) + edges.square().flatten(1).sum(1) / 2


def test_tuples_of_tensors():
    nodes, edges = torch.randn(4, 5, 2).double(), torch.randn(4, 5, 5).double()
    squared = 4 * 10 + edges.square().sum((1, 2))
    assert r1(graph_critic, (nodes, edges)).item() == pytest.approx(squared.mean().item())
    others = (torch.randn(4, 5, 2).double(), torch.randn(4, 5, 5).double())
    mixed = MIX[:, None, None] * edges + (1 - MIX[:, None, None]) * others[1]
    norms = (40 + mixed.square().sum((1, 2))).sqrt()
    penalty = gradient_penalty(graph_critic, (nodes, edges), others, mix=MIX)
    assert penalty.item() == pytest.approx((norms - 1).square().mean().item())
    shifted = (40 + (edges + 1).square().sum((1, 2))).sqrt()
    noise = (torch.zeros_like(nodes), torch.ones_like(edges))
    penalty = dragan(graph_critic, (nodes, edges), noise=noise)
    assert penalty.item() == pytest.approx((shifted - 1).square().mean().item())


def test_images_one_hot_integers_and_patch_logits():
    images = torch.randn(2, 3, 4, 4)
    patch = nn.Conv2d(3, 1, 1, bias=False)
    # Every pixel has its own logit; a sample's logits are summed: 16 times |w|^2.
    expected = 16 * patch.weight.square().sum().item()
    assert r1(patch, images).item() == pytest.approx(expected, rel=1e-5)
    one_hot = torch.eye(3, dtype=torch.long)
    assert r1(linear, one_hot).item() == pytest.approx(25)
    assert r1(linear, one_hot).dtype == torch.float32


@each_penalty
def test_samples_and_generators_get_no_gradient(penalty):
    assert (
        not REAL.requires_grad and not FAKE.requires_grad
    )  # earlier calls left them as they were
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    penalty(small_critic(), real, fake).backward()
    assert real.grad is None and fake.grad is None


class Blind(nn.Module):
    """A critic whose logits do not depend on its input."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.ones(()))

    def forward(self, samples):
        return self.bias.expand(len(samples))


def test_a_critic_that_ignores_its_input():
    critic = Blind()
    penalty = r1(critic, REAL)
    assert penalty.item() == 0
    penalty.backward()  # a turn made of this penalty alone must not fail
    assert critic.bias.grad is None or critic.bias.grad.item() == 0
    assert gradient_penalty(critic, REAL, FAKE).item() == 1  # (0 - 1)^2
    assert r1(lambda samples: torch.zeros(len(samples)), REAL).item() == 0

    half_blind = r1(lambda nodes, edges: 3 * nodes.sum(1), (REAL, FAKE))
    assert half_blind.item() == pytest.approx(27)


def test_no_nan_where_the_gradient_is_zero():
    weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    gradient_penalty(lambda x: x @ weight, REAL, FAKE).backward()
    assert weight.grad is not None and weight.grad.tolist() == [0, 0, 0]


def test_wrong_use_is_refused():
    with torch.no_grad(), pytest.raises(UserError, match="no_grad"):
        r1(linear, REAL)
    with pytest.raises(UserError, match="same shapes"):
        gradient_penalty(linear, REAL, FAKE[:2])
    with pytest.raises(UserError, match="one number per sample"):
        gradient_penalty(linear, REAL, FAKE, mix=torch.rand(4, 1))
    with pytest.raises(UserError, match="shape of the samples"):
        dragan(linear, REAL, noise=NOISE[:2])
