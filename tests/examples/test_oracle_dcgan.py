"""The plain script and the library compute the same game."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from itertools import repeat
from pathlib import Path

import pytest
import torch
from PIL import Image

from zerosum.core.engine import play_step
from zerosum.core.runtime import Runtime
from zerosum.models.images.dcgan import ADAM, DCGAN

SCRIPT = Path(__file__).parents[2] / "examples" / "plain" / "dcgan.py"


@pytest.fixture(scope="module")
def plain():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("plain_dcgan", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def the_library(seed, side, channels):
    """A step of the library's DCGAN as a function of a batch, and its networks."""
    torch.manual_seed(seed)
    game = DCGAN(DCGAN.Config(latent=8, width=8, channels=channels, size=side))
    optimizers = {
        name: ADAM.build(p for module in modules for p in module.parameters())
        for name, modules in game.players().items()
    }
    runtime = Runtime(torch.device("cpu"))

    def step(real):
        log = play_step(game, repeat({"image": real}), optimizers, runtime)
        return (
            log["discriminator/adversarial"].item(),
            log["generator/adversarial"].item(),
        )

    return step, game


@pytest.mark.parametrize(("side", "channels"), [(16, 1), (32, 3)])
def test_three_steps_of_the_script_are_three_steps_of_the_library(plain, side, channels):
    batches = torch.rand(3, 8, channels, side, side, generator=torch.Generator().manual_seed(5))
    batches = batches * 2 - 1
    step, game = the_library(3, side, channels)
    theirs = [step(real) for real in batches]
    torch.manual_seed(3)
    players = plain.Players(latent=8, width=8, channels=channels, side=side)
    ours = [plain.step(players, real) for real in batches]
    assert torch.tensor(ours).sub(torch.tensor(theirs)).abs().max() < 1e-6
    assert ours[0] != ours[2]  # the losses move, so equality says something
    for name, network in (
        ("generator", players.generator),
        ("discriminator", players.discriminator),
    ):
        expected = vars(game)["_modules"][name].state_dict()
        found = network.state_dict()
        assert list(found) == list(expected)
        for key, tensor in expected.items():
            torch.testing.assert_close(found[key], tensor, rtol=0, atol=1e-6, msg=f"{name} {key}")


def test_another_seed_gives_other_losses(plain):
    real = torch.zeros(8, 1, 8, 8)
    losses = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        losses.append(plain.step(plain.Players(latent=8, width=8, side=8), real))
    assert losses[0] != losses[1]


def test_the_script_runs_and_draws(tmp_path):
    picture = tmp_path / "dcgan.png"
    command = [sys.executable, str(SCRIPT), "--steps", "3", "--batch", "16", "--out", str(picture)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr
    assert "step     3" in ended.stdout and str(picture) in ended.stdout
    with Image.open(picture) as image:
        assert image.size == (540, 540)
        low, high = image.convert("L").getextrema()
        assert high - low > 20


def test_the_script_stays_short():
    assert len(SCRIPT.read_text().splitlines()) <= 150
