"""Runs of the high end go on to the bit, with what they keep beside weights."""

from __future__ import annotations

import shutil

import pytest
import torch

import zerosum
from zerosum.core.registry import recipe
from zerosum.training import checkpoint

KEPT = {
    "stylegan": "mapping.average",
    "stylegan2": "path.mean",
    "stylegan3": "generator.synthesis.layers.0.magnitude",
    "r3gan": "",
    "biggan": "",
}
"""A number of each system that moves once a step and is no weight; none where there is none."""


@pytest.mark.parametrize("name", KEPT)
def test_a_run_resumes_exactly(name, tmp_path):
    batch = recipe(f"{name}/tiny").train.batch
    made = recipe(f"{name}/tiny").override(
        {
            "evaluate.samples": 0,
            "remedies": "ada",
            "doctor.policy": "off",
            "train.examples": 9 * batch,
            "train.checkpoint_every": 5 * batch,
        }
    )
    zerosum.train(made, tmp_path / "whole", device="cpu", quiet=True)
    shutil.copytree(tmp_path / "whole", tmp_path / "again")
    shutil.rmtree(tmp_path / "again/checkpoints/step_00000009")
    zerosum.train(made, tmp_path / "again", device="cpu", quiet=True)
    ends = []
    for folder in ("whole", "again"):
        path, _ = checkpoint.latest(tmp_path / folder / "checkpoints")
        assert path is not None
        assert path.name == "step_00000009"
        ends.append(checkpoint.load(path))
    for one, two in ((ends[0].game, ends[1].game), (ends[0].ema, ends[1].ema)):
        assert one and one.keys() == two.keys()
        assert all(torch.equal(value, two[key]) for key, value in one.items())
    assert any(key.endswith(".p") for key in ends[0].game), sorted(ends[0].game)
    if KEPT[name]:
        begun = torch.zeros(()) if name != "stylegan3" else torch.ones(())
        assert not torch.equal(ends[0].game[KEPT[name]], begun.expand_as(ends[0].game[KEPT[name]]))
