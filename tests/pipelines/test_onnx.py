"""Generators that map, written as ONNX: equal to torch at batches and sizes of all kinds.

Those of a latent code: tests/cli/test_cli_generate.py and tests/models/test_stylegan2.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import zerosum
from zerosum.core.registry import build_game, list_models, system
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.nets.ffc import _spelled_out
from zerosum.training.prepare import prepare

MAPPING = [name for name in list_models() if "inputs" in vars(system(name).game)]
QUICK = ("pix2pix",)


def tiny(name):
    _, recipe = prepare(zerosum.recipe(f"{name}/tiny"), Runtime(torch.device("cpu")))
    torch.manual_seed(0)
    return build_game(recipe)


def test_systems_that_map_are_found():
    assert {"pix2pix", "cyclegan", "lama", "esrgan", "ganomaly", "tryon"} <= set(MAPPING)


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MAPPING],
)
def test_a_mapping_is_written_with_free_batch_and_size(name, tmp_path: Path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from zerosum.pipelines.onnx import CLOSE, _given, write

    game = tiny(name)
    assert write(game, tmp_path / "generator.onnx") < CLOSE
    session = runtime.InferenceSession(
        tmp_path / "generator.onnx", providers=["CPUExecutionProvider"]
    )
    with torch.no_grad():
        given = _given(game, 3, grow=3)
    assert [one.name for one in session.get_inputs()] == list(given)
    sample = session.run(["sample"], {key: value.numpy() for key, value in given.items()})[0]
    inputs = {key: given[key] for key in game.inputs()}
    conditions = {key: given[key] for key in game.conditions()}
    with torch.no_grad():
        expected = game.sample(3, **inputs, **conditions)
    name = "image" if "image" in expected else next(iter(expected))
    torch.testing.assert_close(torch.from_numpy(sample), expected[name], rtol=0, atol=CLOSE)


def test_a_game_that_only_draws_is_refused(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    from zerosum.pipelines.onnx import write

    with pytest.raises(UserError, match="draws in another way"):
        write(tiny("ddgan"), tmp_path / "generator.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (6, 5), (3, 8)])
def test_the_whole_spectrum_gives_what_half_of_it_gives(size):
    torch.manual_seed(0)
    real, imaginary = torch.randn(2, 2, 3, size[0], size[1] // 2 + 1)
    expected = torch.fft.irfft2(torch.complex(real, imaginary), s=size, norm="ortho")
    torch.testing.assert_close(_spelled_out(real, imaginary, size[1]), expected)
