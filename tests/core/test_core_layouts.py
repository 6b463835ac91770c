"""Fused Adam takes a gradient to lie in memory as its parameter does, without a check."""

from __future__ import annotations

from itertools import repeat

import pytest
import torch

from zerosum.core.engine import play_step
from zerosum.core.registry import recipe, system
from zerosum.core.runtime import Runtime
from zerosum.data.fields import Category
from zerosum.data.spec import DataSpec
from zerosum.modalities.images import ImageField


class Looking(torch.optim.SGD):
    """Notes parameters whose gradient lies otherwise than they do."""

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                assert p.grad is None or order(p.grad) == order(p), tuple(p.shape)
        return super().step(closure)


def order(tensor):
    """Strides that matter: those of axes with more than one entry."""
    return [step for step, size in zip(tensor.stride(), tensor.shape) if size > 1]


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    "name", ["rpgan", "wgan_gp", "sngan", "sagan", "progan", "ddpm", "pacgan"]
)
def test_gradients_lie_as_their_parameters_do(name, memory):
    torch.manual_seed(0)
    spec = DataSpec({"image": ImageField(shape=(1, 8, 8)), "label": Category(count=10)})
    found = system(name)
    game = found.game(recipe(f"{name}/tiny").model.matched(spec)).to(memory_format=memory)
    batch = {"image": torch.rand(8, 1, 8, 8) * 2 - 1, "label": torch.arange(8)}
    optimizers = {
        player: Looking([p for m in modules for p in m.parameters()], lr=1e-3)
        for player, modules in game.players().items()
    }
    for _ in range(2):
        play_step(game, repeat(batch), optimizers, Runtime(torch.device("cpu")))
        game.progress = game.progress.after(8)
