"""The plain script and the library compute the same game, pools included."""

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
from zerosum.core.optim import Optim, build_optimizers
from zerosum.core.runtime import Runtime
from zerosum.models.translation.cyclegan import CycleGAN

SCRIPT = Path(__file__).parents[2] / "examples" / "plain" / "cyclegan.py"
ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))


@pytest.fixture(scope="module")
def plain():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("plain_cyclegan", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_four_steps_of_the_script_are_four_steps_of_the_library(plain):
    kinds = torch.rand(2, 4, 3, 1, 16, 16, generator=torch.Generator().manual_seed(5)) * 2 - 1
    torch.manual_seed(3)
    players = plain.Players(width=4, blocks=1, capacity=5)  # full in the second step
    torch.manual_seed(3)
    game = CycleGAN(
        CycleGAN.Config(
            input_channels=1, channels=1, size=(16, 16), width=4, blocks=1, critic_width=4,
            patch=16, pool=5,
        )
    )  # fmt: skip
    optimizers = build_optimizers({"generators": ADAM, "discriminators": ADAM}, game.players())
    theirs, ours = [], []
    torch.manual_seed(7)
    for x, y in zip(*kinds):
        log = play_step(game, repeat({"input": x, "image": y}), optimizers, Runtime("cpu"))
        terms = ("adversarial", "cycle", "identity")
        loss = sum(log[f"generators/{term}"].item() for term in terms)
        theirs.append((loss, log["discriminators/adversarial"].item()))
    torch.manual_seed(7)
    for x, y in zip(*kinds):
        ours.append(plain.step(players, x, y))
    assert torch.tensor(ours).sub(torch.tensor(theirs)).abs().max() < 1e-5
    assert ours[0] != ours[3]
    pairs = {"forth": players.forth, "back": players.back, "judge_x": players.judge_x}
    for name, network in pairs.items():
        for mine, other in zip(
            network.parameters(), getattr(game, name).parameters(), strict=True
        ):
            torch.testing.assert_close(mine, other, rtol=0, atol=1e-6, msg=name)


@pytest.mark.slow
def test_the_script_runs_and_draws(tmp_path):
    picture = tmp_path / "cyclegan.png"
    command = [sys.executable, str(SCRIPT), "--steps", "2", "--batch", "4", "--out", str(picture)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr
    assert "step     2" in ended.stdout and str(picture) in ended.stdout
    with Image.open(picture) as image:
        assert image.size == (540, 162)
