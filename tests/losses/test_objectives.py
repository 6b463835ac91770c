"""Each objective against closed forms: its values, its best critic, what it then measures.

Two distributions on four atoms are played with batches that hold each atom as often as its
probability says, so a batch mean is an exact expectation.
"""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import wasserstein_distance

from zerosum.errors import UserError
from zerosum.losses import DIVERGENCES, OBJECTIVES, ObjectiveName, least_squares, variational
from zerosum.losses.fgan import bounded_exp

P_COUNTS = torch.tensor([4, 2, 1, 1])
Q_COUNTS = torch.tensor([1, 1, 2, 4])
P = P_COUNTS.double() / 8
Q = Q_COUNTS.double() / 8
RATIO = P / Q
MIDDLE = (P + Q) / 2
JSD = float((P * (P / MIDDLE).log() + Q * (Q / MIDDLE).log()).sum() / 2)
PAIRED = ("rpgan", "rlsgan", "rhinge")
RELATIVISTIC = (*PAIRED, "rasgan", "ralsgan", "rahinge", "softmax")


def batches(name, v):
    """Real and fake logits of a critic that gives atom i the logit v[i]."""
    real, fake = v[repeated(P_COUNTS)], v[repeated(Q_COUNTS)]
    if name in PAIRED:  # an exact expectation over independent pairs needs all of them
        return real.repeat_interleave(8), fake.repeat(8)
    return real, fake


def repeated(counts):
    return torch.arange(4).repeat_interleave(counts)


def critic_loss(name, v):
    return OBJECTIVES[name].critic(*batches(name, v))


def rlsgan_optimum():
    # Setting the derivative to 0: v_i (p_i + q_i) - p_i E_q[v] - q_i E_p[v] = p_i - q_i.
    system = torch.diag(P + Q) - torch.outer(P, Q) - torch.outer(Q, P)
    return torch.linalg.lstsq(system, (P - Q)[:, None], driver="gelsd").solution[:, 0]


def rpgan_value():
    chance = torch.outer(P, Q)
    return float((chance * (1 + RATIO[None] / RATIO[:, None]).log()).sum())


# Objective -> (best critic's logit on each atom, what the critic's loss is there).
OPTIMA = {
    "minimax": (RATIO.log(), math.log(4) - 2 * JSD),
    "nonsaturating": (RATIO.log(), math.log(4) - 2 * JSD),
    "lsgan": (P / (P + Q), float((P * Q / (P + Q)).sum() / 2)),
    "rpgan": (RATIO.log(), rpgan_value()),
    "rlsgan": (rlsgan_optimum(), None),
    "forward_kl": (1 + RATIO.log(), -float((P * RATIO.log()).sum())),
    "reverse_kl": (RATIO.log(), float((Q * RATIO.log()).sum())),
    "pearson": (2 * (RATIO - 1), -float(((P - Q).square() / Q).sum())),
    "hellinger": (RATIO.log() / 2, -float((P.sqrt() - Q.sqrt()).square().sum())),
    "jensen_shannon": (RATIO.log(), -2 * JSD),
    "softmax": ((P / (P + Q)).log(), math.log(8) - float((P * (P / (P + Q)).log()).sum())),
}


def test_the_table_and_the_type_name_the_same_objectives():
    assert list(OBJECTIVES) == list(get_args(ObjectiveName))
    assert all(name == objective.name for name, objective in OBJECTIVES.items())
    assert tuple(n for n, o in OBJECTIVES.items() if o.relativistic) == RELATIVISTIC


@pytest.mark.parametrize("name", OPTIMA)
def test_the_best_critic_and_its_loss(name):
    best, loss = OPTIMA[name]
    v = best.clone().requires_grad_()
    reached = critic_loss(name, v)
    (gradient,) = torch.autograd.grad(reached, v)
    assert gradient.abs().max() < 1e-12
    if loss is not None:
        assert reached.item() == pytest.approx(loss, abs=1e-12)


@pytest.mark.parametrize("name", [*OPTIMA, "hinge", "geometric"])
def test_every_other_critic_loses_more(name):
    best = OPTIMA[name][0] if name in OPTIMA else (P - Q).sign()
    lowest = critic_loss(name, best)
    for seed in range(20):
        move = torch.randn(4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for size in (0.01, 1.0):
            assert critic_loss(name, best + size * move) > lowest


@pytest.mark.parametrize("name", [n for n in OPTIMA if n != "softmax"])
def test_gradient_descent_finds_the_best_critic(name):
    v = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([v], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = critic_loss(name, v)
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    found, best = v.detach(), OPTIMA[name][0]
    if OBJECTIVES[name].relativistic:  # known up to a constant
        found, best = found - found.mean(), best - best.mean()
    torch.testing.assert_close(found, best, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["hinge", "geometric"])
def test_hinge_measures_total_variation(name):
    variation = float((P - Q).abs().sum() / 2)
    assert critic_loss(name, (P - Q).sign()).item() == pytest.approx(2 - 2 * variation)


def test_wasserstein_needs_a_lipschitz_critic_and_then_measures_w1():
    v = torch.randn(4, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(critic_loss("wasserstein", v), v)
    torch.testing.assert_close(gradient, Q - P)  # never 0: there is no best critic without a bound
    positions = torch.tensor([0.0, 0.5, 2.0, 2.25], dtype=torch.float64)
    # Kantorovich's potential: slope -+1 where one distribution function is above the other.
    slopes = (P - Q).cumsum(0)[:-1].sign()
    potential = torch.cat([torch.zeros(1), -(slopes * positions.diff()).cumsum(0)])
    distance = wasserstein_distance(positions, positions, P, Q)
    assert critic_loss("wasserstein", potential).item() == pytest.approx(-distance)


def two_atom_batches(p, q, gap):
    """Reals and fakes in tenths on two atoms, the first one's logit `gap` above the other's."""
    real = torch.tensor([gap] * p + [0.0] * (10 - p), dtype=torch.float64)
    return real, torch.tensor([gap] * q + [0.0] * (10 - q), dtype=torch.float64)


LOSSES_OF_A_MARGIN = {
    "s": lambda margin: math.log1p(math.exp(-margin)),
    "ls": lambda margin: (margin - 1) ** 2,
    "hinge": lambda margin: max(0.0, 1 - margin),
}


@pytest.mark.parametrize("kind", LOSSES_OF_A_MARGIN)
def test_relativistic_averages_on_two_atoms(kind):
    name = {"s": "rasgan", "ls": "ralsgan", "hinge": "rahinge"}[kind]
    loss = LOSSES_OF_A_MARGIN[kind]
    p, q = 0.8, 0.3

    def by_hand(gap):
        return (
            p * loss((1 - q) * gap)
            + (1 - p) * loss(-q * gap)
            + q * loss(-(1 - p) * gap)
            + (1 - q) * loss(p * gap)
        )

    for gap in (-2.0, -0.3, 0.0, 0.7, 1.9):
        critic = OBJECTIVES[name].critic(*two_atom_batches(8, 3, gap))
        assert critic.item() == pytest.approx(by_hand(gap))
    best = minimize_scalar(by_hand, bounds=(-9, 9), method="bounded").x
    if kind == "ls":
        closed = (
            2 * (p - q) / (p * (1 - q) ** 2 + (1 - p) * q**2 + q * (1 - p) ** 2 + (1 - q) * p**2)
        )
        assert best == pytest.approx(closed, abs=1e-4)
    if kind != "hinge":
        gap = torch.tensor(best, dtype=torch.float64, requires_grad=True)
        real = gap * two_atom_batches(8, 3, 1.0)[0]
        fake = gap * two_atom_batches(8, 3, 1.0)[1]
        OBJECTIVES[name].critic(real, fake).backward()
        assert gap.grad is not None and abs(gap.grad.item()) < 1e-4


def test_relativistic_hinge_wants_a_gap_of_one():
    p, q = 0.8, 0.3

    def loss(gap):
        real, fake = two_atom_batches(8, 3, gap)
        return OBJECTIVES["rhinge"].critic(real.repeat_interleave(10), fake.repeat(10)).item()

    assert loss(1.0) == pytest.approx(p * q + (1 - p) * (1 - q) + 2 * (1 - p) * q)
    assert loss(1.0) < min(loss(0.9), loss(1.1))


def softplus(x):
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


def mean(values):
    values = list(values)
    return sum(values) / len(values)


R, F = [1.5, -0.25], [0.5, -1.0]
MEAN_R, MEAN_F = mean(R), mean(F)
TOTAL = math.log(sum(math.exp(v) for v in R + F))
PAIRS, SWAPPED = [r - f for r, f in zip(R, F)], [f - r for r, f in zip(R, F)]


def average_form(loss, better, worse):
    return mean(loss(v - mean(worse)) for v in better) + mean(
        loss(mean(better) - v) for v in worse
    )


LOGISTIC, SQUARE, HINGE = LOSSES_OF_A_MARGIN.values()
LOG_2 = math.log(2)
LOGISTIC_CRITIC = mean(softplus(-r) for r in R) + mean(softplus(f) for f in F)
HINGE_CRITIC = mean(max(0, 1 - r) for r in R) + mean(max(0, 1 + f) for f in F)
VALUES = {  # objective -> (critic's loss, generator's loss) at the logits R and F, by hand
    "minimax": (LOGISTIC_CRITIC, -mean(softplus(f) for f in F)),
    "nonsaturating": (LOGISTIC_CRITIC, mean(softplus(-f) for f in F)),
    "lsgan": (
        mean((r - 1) ** 2 + f**2 for r, f in zip(R, F)) / 2,
        mean((f - 1) ** 2 for f in F) / 2,
    ),
    "wasserstein": (MEAN_F - MEAN_R, -MEAN_F),
    "hinge": (HINGE_CRITIC, -MEAN_F),
    "geometric": (HINGE_CRITIC, -MEAN_F),
    "rpgan": (mean(map(LOGISTIC, PAIRS)), mean(map(LOGISTIC, SWAPPED))),
    "rlsgan": (mean(map(SQUARE, PAIRS)), mean(map(SQUARE, SWAPPED))),
    "rhinge": (mean(map(HINGE, PAIRS)), mean(map(HINGE, SWAPPED))),
    "rasgan": (average_form(LOGISTIC, R, F), average_form(LOGISTIC, F, R)),
    "ralsgan": (average_form(SQUARE, R, F), average_form(SQUARE, F, R)),
    "rahinge": (average_form(HINGE, R, F), average_form(HINGE, F, R)),
    "forward_kl": (
        mean(math.exp(f - 1) for f in F) - MEAN_R,
        -mean(math.exp(f - 1) for f in F),
    ),
    "reverse_kl": (mean(math.exp(-r) for r in R) + MEAN_F - 1, 1 - MEAN_F),
    "pearson": (mean(f**2 / 4 + f for f in F) - MEAN_R, -mean(f**2 / 4 + f for f in F)),
    "hellinger": (
        mean(math.exp(-r) - 1 for r in R) + mean(math.exp(f) - 1 for f in F),
        1 - mean(math.exp(f) for f in F),
    ),
    "jensen_shannon": (LOGISTIC_CRITIC - 2 * LOG_2, LOG_2 - mean(softplus(f) for f in F)),
    "softmax": (TOTAL - MEAN_R, TOTAL - mean(R + F)),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_values_at_logits_made_by_hand(name):
    real, fake = torch.tensor(R, dtype=torch.float64), torch.tensor(F, dtype=torch.float64)
    critic, generator = VALUES[name]
    assert OBJECTIVES[name].critic(real, fake).item() == pytest.approx(critic)
    assert OBJECTIVES[name].generator(fake, real).item() == pytest.approx(generator)


@pytest.mark.parametrize("name", ["minimax", "wasserstein", *DIVERGENCES])
def test_the_game_is_zero_sum(name):
    """What the generator gains on a fake logit, the critic loses."""
    fake = torch.randn(5, dtype=torch.float64, requires_grad=True)
    real = torch.randn(5, dtype=torch.float64)
    (critic,) = torch.autograd.grad(OBJECTIVES[name].critic(real, fake), fake)
    (generator,) = torch.autograd.grad(OBJECTIVES[name].generator(fake), fake)
    torch.testing.assert_close(generator, -critic)
    assert generator.abs().min() > 0


@pytest.mark.parametrize("name", DIVERGENCES)
def test_f_divergences_follow_from_their_function(name):
    divergence = DIVERGENCES[name]
    u = RATIO.clone().requires_grad_()
    f = divergence.generator(u)
    (slope,) = torch.autograd.grad(f.sum(), u)
    best = OPTIMA[name][0]
    torch.testing.assert_close(divergence.activation(best), slope)  # T* = f'(p/q)
    # Fenchel: f*(f'(u)) = u f'(u) - f(u), which is also minus dD_f/dq, the generator's gradient.
    torch.testing.assert_close(divergence.conjugate(best), (u * slope - f).detach())
    assert (Q * f).sum().item() == pytest.approx(-critic_loss(name, best).item())
    assert divergence.generator(torch.ones(1)).item() == 0


def test_the_bounded_exponential_goes_on_along_its_tangent():
    v = torch.tensor([-2.0, 29.0, 31.0, 500.0], dtype=torch.float64, requires_grad=True)
    heights = bounded_exp(v)
    (slopes,) = torch.autograd.grad(heights.sum(), v)
    top = math.exp(30)
    expected = [math.exp(-2), math.exp(29), 2 * top, 471 * top]
    assert heights.tolist() == pytest.approx(expected)
    assert slopes.tolist() == pytest.approx([*expected[:2], top, top])


def test_the_alternative_generator_of_f_gan_raises_its_own_logits():
    direct = variational("x", DIVERGENCES["jensen_shannon"])
    other = variational("x", DIVERGENCES["jensen_shannon"], alternative=True)
    fake = torch.tensor([-30.0], requires_grad=True)
    (flat,) = torch.autograd.grad(direct.generator(fake), fake)
    (steep,) = torch.autograd.grad(other.generator(fake), fake)
    assert abs(flat.item()) < 1e-12 and steep.item() == pytest.approx(-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_extreme_logits_stay_finite(name, dtype):
    objective = OBJECTIVES[name]
    for size in (100.0, 10_000.0):
        for signs in ([1, -1, 1, -1], [1, 1, -1, -1], [-1, -1, 1, 1]):
            logits = size * torch.tensor(signs, dtype=dtype)
            real, fake = logits[:2].requires_grad_(), logits[2:].clone().requires_grad_()
            for loss in (objective.critic(real, fake), objective.generator(fake, real)):
                assert loss.dtype == (dtype if dtype == torch.float64 else torch.float32)
                assert loss.isfinite()
                found = torch.autograd.grad(loss, (real, fake), allow_unused=True)
                assert all(g is None or bool(g.isfinite().all()) for g in found)


def test_a_confident_critic_silences_the_minimax_generator_only():
    fake = torch.full((3,), -50.0, requires_grad=True)
    (saturated,) = torch.autograd.grad(OBJECTIVES["minimax"].generator(fake), fake)
    (alive,) = torch.autograd.grad(OBJECTIVES["nonsaturating"].generator(fake), fake)
    assert saturated.abs().max() < 1e-20
    torch.testing.assert_close(alive, torch.full((3,), -1 / 3))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_only_relativistic_objectives_ignore_a_common_shift(name):
    objective = OBJECTIVES[name]
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(6, dtype=torch.float64, generator=rng)
    fake = torch.randn(6, dtype=torch.float64, generator=rng)
    change = objective.generator(fake + 3, real + 3) - objective.generator(fake, real)
    assert (abs(change.item()) < 1e-12) == objective.relativistic
    if objective.relativistic:
        change = objective.critic(real + 3, fake + 3) - objective.critic(real, fake)
        assert abs(change.item()) < 1e-12


@pytest.mark.parametrize("name", OBJECTIVES)
def test_patch_logits_are_averaged(name):
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 3, 1, 2, 2, generator=rng)
    objective = OBJECTIVES[name]
    flat = objective.critic(real.flatten(), fake.flatten())
    torch.testing.assert_close(objective.critic(real, fake), flat)


@pytest.mark.parametrize("name", RELATIVISTIC)
def test_a_relativistic_generator_asks_for_real_logits(name):
    with pytest.raises(UserError, match="real logits"):
        OBJECTIVES[name].generator(torch.zeros(2))


@pytest.mark.parametrize("name", PAIRED)
def test_pairs_of_different_shapes_are_refused(name):
    with pytest.raises(UserError, match="one shape"):
        OBJECTIVES[name].critic(torch.zeros(4, 1), torch.zeros(4))


def test_least_squares_with_other_targets():
    objective = least_squares(a=-1, b=1, c=0)
    best = (P - Q) / (P + Q)
    real, fake = batches("lsgan", best)
    # Mao et al.: with b - c = 1 and b - a = 2, the sum over both sides is chi^2(p + q, 2q)/2.
    on_both = objective.generator(fake) + objective.generator(real)
    chi_squared = ((2 * Q - (P + Q)).square() / (P + Q)).sum()
    assert on_both.item() == pytest.approx(chi_squared.item() / 2)
    with pytest.raises(UserError, match="different targets"):
        least_squares(a=1, b=1)


def test_official_r3gan_and_biggan_losses():
    """Logits and losses that the official implementations gave (stored fixtures)."""
    real = torch.tensor([-0.015507631003856659, 0.0968971177935, -0.2003278732299, -0.13182500004])
    fake = torch.tensor([-0.12016768008470535, 0.0240619033575, -0.1521184742450, -0.18908171355])
    d_loss = [0.6421857476234436, 0.6573925614356995, 0.7175423502922058, 0.6649285554885864]
    g_loss = [0.7468457818031311, 0.7302277684211731, 0.6693329811096191, 0.7221853137016296]
    rpgan, hinge = OBJECTIVES["rpgan"], OBJECTIVES["hinge"]
    assert rpgan.critic(real, fake).item() == pytest.approx(mean(d_loss), rel=1e-6)
    assert rpgan.generator(fake, real).item() == pytest.approx(mean(g_loss), rel=1e-6)
    real = torch.tensor([61.21259307861, -13.22860622406, -14.17364788055, 5.51079845428])
    fake = torch.tensor([60.12435913085, -11.80349636077, -15.30586147308, 11.83786201477])
    expected = 7.3505635261535645 + 18.490554809570312
    assert hinge.critic(real, fake).item() == pytest.approx(expected, rel=1e-6)
    assert hinge.generator(fake).item() == pytest.approx(-11.213214874267578, rel=1e-6)
