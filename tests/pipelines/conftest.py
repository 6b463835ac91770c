"""Fixtures of the tests of pipelines: runs of a few steps, made once."""

from __future__ import annotations

import pytest
import torch

import zerosum
from zerosum.pipelines import export
from zerosum.training.run import RunFolder, read_run

SHORT = {"train.examples": 160, "evaluate.samples": 0}


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _train(folder, name, **changes):
    recipe = zerosum.recipe(name).override(SHORT | changes)
    zerosum.train(recipe, folder, device="cpu", quiet=True)
    return folder


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A run of DCGAN on the digits. Do not write into it."""
    return _train(tmp_path_factory.mktemp("digits") / "run", "dcgan/tiny")


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """A run of the conditional GAN. Do not write into it."""
    return _train(tmp_path_factory.mktemp("labelled") / "run", "cgan/tiny")


@pytest.fixture(scope="session")
def styled(tmp_path_factory):
    """A run of StyleGAN3, whose samples are made of styles. Do not write into it."""
    return _train(tmp_path_factory.mktemp("styled") / "run", "stylegan3/tiny")


@pytest.fixture(scope="session")
def points(tmp_path_factory):
    """A run on points of the plane. Do not write into it."""
    return _train(tmp_path_factory.mktemp("points") / "run", "toy/tiny")


@pytest.fixture(scope="session")
def exported(labelled, tmp_path_factory):
    """The conditional GAN as a model folder."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    saved = read_run(labelled)
    export.write(saved.game, saved.recipe, saved.codec, folder, RunFolder(labelled).scores)
    return folder
