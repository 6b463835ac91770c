"""A model file of one's own, edited after it was trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_command import call, done

TRAIN = ["train", "--module", "mygan.py", "--out", "run", "--quiet", "--device", "cpu"]
SHORT = ["mygan/tiny", "train.examples=32", "evaluate.samples=0"]


@pytest.fixture
def edited():
    """Train a model of one's own, then put words of its file in the place of others."""
    from zerosum.core.registry import _import

    _import.cache_clear()
    done("new", "mygan")
    done(*TRAIN, *SHORT)

    def edit(old, new):
        file = Path("mygan.py")
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
        _import.cache_clear()  # as in a process of its own

    yield edit
    _import.cache_clear()


def refusals():
    """What each command that reads the weights says, in one line."""
    commands = (
        ["generate", "run", "--module", "mygan.py", "-n", 2, "--out", "s.npz"],
        ["export", "run", "--module", "mygan.py", "--to", "model"],
        ["report", "run", "--module", "mygan.py", "--samples", 0],
        ["doctor", "run", "--module", "mygan.py"],
        [*TRAIN, "mygan/tiny", "train.examples=64", "evaluate.samples=0"],
    )
    for command in commands:
        ended = call(*command)
        assert ended.status == 2 and ended.err.count("\n") == 1, ended.err
        yield ended.err


def test_a_tensor_of_another_shape_is_named(edited):
    edited("nn.Linear(config.latent, config.hidden)", "nn.Linear(config.latent, 24)")
    edited("nn.Linear(config.hidden, pixels)", "nn.Linear(24, pixels)")
    for line in refusals():
        assert "generator.0.weight was (16, 8) and is (24, 8)" in line
        assert "generator.2.weight" in line and "Bring back the code" in line


def test_a_tensor_that_is_new_or_gone_is_named(edited):
    edited(
        "            nn.Flatten(0),  # logits (B,)",
        "            nn.LayerNorm([1]),\n            nn.Flatten(0),",
    )
    for line in refusals():
        assert "discriminator.4.weight is new" in line


def test_an_export_is_told_from_a_model_that_was_edited(edited):
    done("export", "run", "--module", "mygan.py", "--to", "model")
    edited("nn.Linear(config.latent, config.hidden)", "nn.Linear(config.latent, 24)")
    edited("nn.Linear(config.hidden, pixels)", "nn.Linear(24, pixels)")
    ended = call("generate", "model", "--module", "mygan.py", "--out", "s.npz")
    assert ended.status == 2 and "generator.0.weight was (16, 8) and is (24, 8)" in ended.err
    edited("self.generator = ", "self.maker = ")
    edited("self.generator(z)", "self.maker(z)")
    edited('"generator": [self.generator]', '"generator": [self.maker]')
    ended = call("generate", "model", "--module", "mygan.py", "--out", "s.npz")
    assert ended.status == 2 and "maker.0.weight is missing" in ended.err
