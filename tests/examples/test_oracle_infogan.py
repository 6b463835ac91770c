"""The plain InfoGAN script and the library compute the same game."""

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
from zerosum.models.images.infogan import FAST, SLOW, InfoGAN

SCRIPT = Path(__file__).parents[2] / "examples" / "plain" / "infogan.py"


@pytest.fixture(scope="module")
def plain():
    spec = importlib.util.spec_from_file_location("plain_infogan", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_three_steps_of_the_script_are_three_steps_of_the_library(plain):
    batches = torch.rand(3, 8, 1, 8, 8, generator=torch.Generator().manual_seed(5)) * 2 - 1
    torch.manual_seed(3)
    game = InfoGAN(InfoGAN.Config(noise=32, width=8, hidden=16, channels=1, size=8))
    speeds = {"discriminator": SLOW, "recogniser": SLOW, "generator": FAST}
    optimizers = {
        name: speeds[name].build(p for module in modules for p in module.parameters())
        for name, modules in game.players().items()
    }
    feed, runtime, theirs = ({"image": r} for r in batches), Runtime(torch.device("cpu")), []
    for _ in batches:
        log = play_step(game, feed, optimizers, runtime)
        judges = "discriminator+recogniser"
        names = [f"{judges}/adversarial", "generator/adversarial", "generator/category"]
        theirs.append([log[name].item() for name in names])

    torch.manual_seed(3)
    players = plain.Players(width=8, hidden=16)
    ours = [plain.step(players, real) for real in batches]
    expected = torch.tensor(theirs)
    expected[:, 2] *= -1  # the library minimises minus the bound
    torch.testing.assert_close(torch.tensor(ours), expected, rtol=0, atol=2e-6)
    assert ours[0] != ours[2]
    # A trunk inside one list or another: the order of the weights is the same, names are not.
    modules = (players.generator, players.trunk, players.score, players.recogniser)
    found = [t for module in modules for t in module.state_dict().values()]
    wanted = list(game.state_dict().values())
    for mine, its in itertools.zip_longest(found, wanted):
        torch.testing.assert_close(mine, its, rtol=0, atol=2e-6)


@pytest.mark.slow
def test_the_script_runs_and_draws(tmp_path):
    picture = tmp_path / "infogan.png"
    command = [sys.executable, str(SCRIPT), "--steps", "2", "--batch", "16", "--out", str(picture)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr
    assert "step     2" in ended.stdout and picture.stat().st_size > 1_000


def test_the_script_stays_short():
    assert len(SCRIPT.read_text().splitlines()) <= 150
