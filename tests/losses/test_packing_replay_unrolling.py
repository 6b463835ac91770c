"""Packs of samples, the pool of older samples, and critics some steps ahead."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.errors import UserError
from zerosum.losses import OBJECTIVES, Adam, Descent, ReplayPool, packed, unrolled


def test_a_pack_holds_consecutive_samples_in_its_channels():
    samples = torch.randn(6, 2, 3, 4)
    packs = packed(samples, 3)
    assert packs.shape == (2, 6, 3, 4)
    assert torch.equal(packs[1], torch.cat([samples[3], samples[4], samples[5]]))
    assert torch.equal(packed(samples, 1), samples)
    assert packed(torch.randn(4, 5), 2).shape == (2, 10)


@pytest.mark.parametrize(("shape", "m"), [((5, 1, 2, 2), 2), ((4,), 2), ((4, 1), 0)])
def test_a_batch_that_cannot_be_packed_is_refused(shape, m):
    with pytest.raises(UserError, match="multiple"):
        packed(torch.zeros(shape), m)


def test_a_pool_passes_on_what_fills_it():
    pool = ReplayPool(4)
    samples = torch.arange(3.0)[:, None]
    assert torch.equal(pool.mix(samples), samples)
    assert len(pool) == 3
    pool.mix(samples + 10)
    assert len(pool) == 4


def test_a_full_pool_swaps_and_loses_nothing():
    """Each sample is either passed on or remembered: never both, never neither."""
    pool = ReplayPool(5)
    rng = torch.Generator().manual_seed(0)
    shown: list[float] = []
    for start in range(0, 400, 8):
        shown += pool.mix(torch.arange(start, start + 8.0)[:, None], rng=rng)[:, 0].tolist()
    state = pool.get_extra_state()["samples"]
    assert state is not None
    # The first five were passed on when they were stored; from then on nothing is made or lost.
    assert sorted([*shown[5:], *state[:, 0].tolist()]) == [float(i) for i in range(400)]
    old = sum(number != i for i, number in enumerate(shown)) / 395
    assert 0.4 < old < 0.6


@pytest.mark.parametrize("before", [1, 4])
def test_a_pool_goes_on_exactly_whether_full_or_not(before):
    batches = [torch.randn(3, 2) for _ in range(before + 3)]
    whole, first = ReplayPool(8), ReplayPool(8)
    for one in (whole, first):
        torch.manual_seed(1)
        for batch in batches[:before]:
            one.mix(batch)
    second = ReplayPool(8)
    second.load_state_dict(first.state_dict())
    assert len(second) == min(3 * before, 8)
    for batch in batches[before:]:
        results = []
        for one in (whole, second):
            torch.manual_seed(2)
            results.append(one.mix(batch))
        assert torch.equal(*results)


def test_a_pool_breaks_the_graph_and_refuses_other_shapes():
    pool = ReplayPool(2)
    assert not pool.mix(torch.randn(3, 2, requires_grad=True)).requires_grad
    with pytest.raises(UserError, match="replay pool holds"):
        pool.mix(torch.randn(3, 4))
    with pytest.raises(UserError, match="chance"):
        ReplayPool(5, chance=2)
    samples = torch.randn(3, 2)
    assert torch.equal(ReplayPool(0).mix(samples), samples)


class Critic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1))
        self.double()

    def forward(self, samples):
        return self.layers(samples)[:, 0]


def ahead(critic, real, fake, **options):
    loss = OBJECTIVES["nonsaturating"].critic
    return unrolled(critic, lambda d: loss(d(real), d(fake)), **options)


@pytest.fixture
def case():
    torch.manual_seed(0)
    return Critic(), torch.randn(6, 2).double() + 1, torch.randn(6, 2).double()


def adam(critic, real, fake, moves):
    """The critic's optimizer after some moves of it."""
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.05, betas=(0.5, 0.999))
    for _ in range(moves):
        optimizer.zero_grad()
        OBJECTIVES["nonsaturating"].critic(critic(real), critic(fake)).backward()
        optimizer.step()
    return optimizer


def standing(critic, optimizer):
    return Adam.of(optimizer, dict(critic.named_parameters()))


@pytest.mark.parametrize("before", [0, 7])
def test_the_critic_unrolled_by_adam_is_the_trained_one(case, before):
    critic, real, fake = case
    rule = standing(critic, adam(critic, real, fake, before))
    found = ahead(critic, real, fake, steps=3, rule=rule)(fake)
    torch.manual_seed(0)
    again = Critic()
    adam(again, real, fake, before + 3)
    assert torch.allclose(found, again(fake), atol=1e-6)


def test_the_critic_unrolled_by_descent_is_the_trained_one(case):
    critic, real, fake = case
    found = ahead(critic, real, fake, steps=3, rule=Descent(0.05))(fake)
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        OBJECTIVES["nonsaturating"].critic(critic(real), critic(fake)).backward()
        optimizer.step()
    assert torch.allclose(found, critic(fake), atol=1e-6)


@pytest.mark.parametrize("kind", ["descent", "adam"])
def test_the_generators_gradient_runs_through_the_steps(case, kind):
    """Finite differences, for Adam from live moments: from zero ones its first step is a sign."""
    critic, real, fake = case
    rule = Descent(0.3)
    if kind == "adam":
        other = torch.randn(6, 2).double()
        rule = standing(critic, adam(critic, real, other, 10))

    def loss(samples):
        later = ahead(critic, real, samples, steps=3, rule=rule)
        return OBJECTIVES["nonsaturating"].generator(later(samples))

    fake.requires_grad_()
    assert torch.autograd.gradcheck(loss, (fake,))


def test_adam_from_zero_moments_hardly_looks_ahead_and_from_live_ones_does(case):
    critic, real, fake = case

    def share(rule):
        """Size of the gradient through the steps over that of the gradient without them."""
        samples = fake.clone().requires_grad_()
        through, merely = (
            torch.autograd.grad(
                OBJECTIVES["nonsaturating"].generator(
                    ahead(critic, real, samples, steps=1, rule=rule, differentiable=d)(samples)
                ),
                samples,
            )[0]
            for d in (True, False)
        )
        return ((through - merely).norm() / merely.norm()).item()

    other = torch.randn(6, 2).double()
    assert share(standing(critic, torch.optim.Adam(critic.parameters(), lr=0.05))) < 1e-6
    assert share(standing(critic, adam(critic, real, other, 10))) > 1e-2


def test_looking_ahead_by_adam_needs_adam(case):
    critic, _, _ = case
    with pytest.raises(UserError, match="must move by it, not by RMSprop"):
        standing(critic, torch.optim.RMSprop(critic.parameters()))


def test_without_differentiable_steps_the_gradient_is_another(case):
    critic, real, fake = case
    fake.requires_grad_()
    through, merely = (
        torch.autograd.grad(
            ahead(critic, real, fake, steps=2, rule=Descent(0.5), differentiable=d)(fake).sum(),
            fake,
        )[0]
        for d in (True, False)
    )
    assert (through - merely).abs().max() > 1e-3


def test_zero_steps_give_the_critic_itself(case):
    critic, real, fake = case
    assert torch.equal(ahead(critic, real, fake, steps=0, rule=Descent(1.0))(real), critic(real))


def test_the_real_critic_rests_even_with_batch_norm_and_frozen():
    critic = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))
    critic.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in critic.state_dict().items()}
    fake = torch.randn(8, 2, requires_grad=True)
    later = ahead(critic, torch.randn(8, 2), fake, steps=2, rule=Descent(0.1))
    (gradient,) = torch.autograd.grad(later(fake).sum(), fake)
    assert gradient.abs().sum() > 0
    assert all(torch.equal(before[name], tensor) for name, tensor in critic.state_dict().items())
    assert all(parameter.grad is None for parameter in critic.parameters())


def test_unrolling_needs_gradients_and_sensible_numbers(case):
    critic, real, fake = case
    with pytest.raises(UserError, match="at least 0"):
        ahead(critic, real, fake, steps=-1, rule=Descent(0.1))
    with torch.no_grad(), pytest.raises(UserError, match="no_grad"):
        ahead(critic, real, fake, steps=1, rule=Descent(0.1))
