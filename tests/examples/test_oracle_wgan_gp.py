"""The plain WGAN-GP script and the library compute the same game."""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from zerosum.core.engine import play_step
from zerosum.core.runtime import Runtime
from zerosum.models.images.wgan_gp import ADAM, WGANGP

SCRIPT = Path(__file__).parents[2] / "examples" / "plain" / "wgan_gp.py"


@pytest.fixture(scope="module")
def plain():
    spec = importlib.util.spec_from_file_location("plain_wgan_gp", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("side", "channels"), [(16, 1), (16, 3)])
def test_three_steps_of_the_script_are_three_steps_of_the_library(plain, side, channels):
    source = torch.Generator().manual_seed(5)
    batches = torch.rand(3, 2, 8, channels, side, side, generator=source) * 2 - 1
    torch.manual_seed(3)
    config = WGANGP.Config(
        backbone="dcgan", latent=8, width=8, critic_steps=2, channels=channels, size=side
    )
    game = WGANGP(config)
    optimizers = {
        name: ADAM.build(p for module in modules for p in module.parameters())
        for name, modules in game.players().items()
    }
    feed = itertools.chain.from_iterable([{"image": r} for r in reals] for reals in batches)
    runtime, theirs = Runtime(torch.device("cpu")), []
    for _ in batches:
        log = play_step(game, feed, optimizers, runtime)
        theirs.append([log["critic/adversarial"].item(), log["generator/adversarial"].item()])

    torch.manual_seed(3)
    players = plain.Players(latent=8, width=8, channels=channels, side=side)
    ours = [plain.step(players, list(reals)) for reals in batches]
    torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), rtol=0, atol=1e-6)
    assert ours[0] != ours[2]
    for name, network in (("generator", players.generator), ("critic", players.critic)):
        expected, found = vars(game)["_modules"][name].state_dict(), network.state_dict()
        assert list(found) == list(expected)
        for key, tensor in expected.items():
            torch.testing.assert_close(found[key], tensor, rtol=0, atol=1e-6, msg=f"{name} {key}")


@pytest.mark.slow
def test_the_script_runs_and_draws(tmp_path):
    picture = tmp_path / "wgan_gp.png"
    command = [sys.executable, str(SCRIPT), "--steps", "2", "--batch", "16", "--out", str(picture)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr
    assert "step     2" in ended.stdout and picture.stat().st_size > 1_000


def test_the_script_stays_short():
    assert len(SCRIPT.read_text().splitlines()) <= 150
