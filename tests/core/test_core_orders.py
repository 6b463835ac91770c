"""Orders of play and optimistic Adam, on games whose dynamics are known in closed form."""

from __future__ import annotations

from itertools import repeat

import pytest
import torch
from torch import nn

import zerosum
from zerosum.core.engine import play_step
from zerosum.core.game import Game, Turn
from zerosum.core.optim import Optim
from zerosum.core.optimistic import OptimisticAdam
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError

RUNTIME = Runtime(torch.device("cpu"))
BATCH = {"point": torch.zeros(1, 1)}


class Number(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value, dtype=torch.float64))


class Bilinear(Game):
    """min over x, max over y of x y: the equilibrium is the origin."""

    def __init__(self, repeat=1):
        super().__init__(None)
        self.x, self.y, self.repeat = Number(1.0), Number(1.0), repeat

    def players(self):
        return {"x": [self.x], "y": [self.y]}

    def generators(self):
        return [self.x]

    def turns(self):
        return [
            Turn("x", lambda _: {"value": self.x.value * self.y.value}),
            Turn("y", lambda _: {"value": -self.x.value * self.y.value}, repeat=self.repeat),
        ]

    def sample(self, n, *, rng=None, **condition):
        return {}

    def point(self):
        return torch.stack([self.x.value, self.y.value]).detach()


def play(game, order, steps, build=None):
    build = build or (lambda p: torch.optim.SGD(p, lr=0.1))
    optimizers = {name: build(m[0].parameters()) for name, m in game.players().items()}
    for _ in range(steps):
        play_step(game, repeat(BATCH), optimizers, RUNTIME, order=order)
        game.progress = game.progress.after(1)
    return game.point()


def test_one_step_of_each_order_is_the_formula():
    lr, x, y = 0.1, 1.0, 1.0
    after = torch.tensor([x - lr * y, y + lr * (x - lr * y)], dtype=torch.float64)
    torch.testing.assert_close(play(Bilinear(), "alternating", 1), after)
    after = torch.tensor([x - lr * y, y + lr * x], dtype=torch.float64)
    torch.testing.assert_close(play(Bilinear(), "simultaneous", 1), after)
    ahead = (x - lr * y, y + lr * x)
    after = torch.tensor([x - lr * ahead[1], y + lr * ahead[0]], dtype=torch.float64)
    torch.testing.assert_close(play(Bilinear(), "extragradient", 1), after)


def test_simultaneous_descent_leaves_the_equilibrium_at_the_known_rate():
    """Each step multiplies the distance by sqrt(1 + lr^2)."""
    distance = play(Bilinear(), "simultaneous", 100).norm()
    assert distance == pytest.approx(2**0.5 * (1 + 0.01) ** 50, rel=1e-9)


def test_extragradient_comes_in_at_the_known_rate():
    """Each step multiplies the distance by sqrt((1 - lr^2)^2 + lr^2)."""
    distance = play(Bilinear(), "extragradient", 400).norm()
    assert distance == pytest.approx(2**0.5 * (0.99**2 + 0.01) ** 200, rel=1e-6)


def test_optimistic_adam_ends_nearer_than_adam():
    def optimistic(parameters):
        return OptimisticAdam(parameters, lr=0.02, betas=(0.0, 0.9))

    def adam(parameters):
        return torch.optim.Adam(parameters, lr=0.02, betas=(0.0, 0.9))

    ours = play(Bilinear(), "simultaneous", 2_000, optimistic).norm()
    theirs = play(Bilinear(), "simultaneous", 2_000, adam).norm()
    assert ours < 0.1 < theirs


def test_optimistic_adam_is_twice_this_direction_less_the_last():
    number = Number(0.0)
    rule = OptimisticAdam(number.parameters(), lr=0.1, betas=(0.0, 0.0), eps=0.0)
    for gradient in (3.0, -2.0):  # with these betas the direction is the sign
        number.value.grad = torch.tensor(gradient, dtype=torch.float64)
        rule.step()
    assert number.value.item() == pytest.approx(-0.1 * 2 - 0.1 * (2 * -1 - 1))


def test_optimistic_adam_goes_on_from_its_state():
    def train(rule, number, gradients):
        for gradient in gradients:
            number.value.grad = torch.tensor(gradient, dtype=torch.float64)
            rule.step()

    build = Optim(kind="optimistic-adam", lr=0.1).build
    one, gradients = Number(0.5), [1.0, -0.5, 2.0, 0.3]
    whole = build(one.parameters())
    train(whole, one, gradients)
    two = Number(0.5)
    first = build(two.parameters())
    train(first, two, gradients[:2])
    second = build(two.parameters())
    second.load_state_dict(first.state_dict())
    train(second, two, gradients[2:])
    assert one.value.item() == two.value.item()


def test_a_repeated_turn_needs_an_alternating_order():
    with pytest.raises(UserError, match=r"the turn of y repeats 3 times.*train\.order"):
        play(Bilinear(repeat=3), "simultaneous", 1)


@pytest.mark.parametrize("order", ["simultaneous", "extragradient"])
def test_a_real_game_trains_in_each_order(order, tmp_path):
    recipe = zerosum.recipe("rpgan/tiny").override(
        {
            "train.order": order,
            "train.examples": 64,
            "optim.generator.kind": "optimistic-adam",
            "evaluate.samples": 0,
        }
    )
    before = zerosum.core.registry.system("rpgan")
    game = zerosum.train(recipe, tmp_path / "run", device="cpu", quiet=True)
    assert game.progress.seen == 64 and before.name == "rpgan"
    assert all(torch.isfinite(p).all() for p in game.parameters())
