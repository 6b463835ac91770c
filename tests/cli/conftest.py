"""Fixtures of the tests of the command line: small trained runs, made once."""

from __future__ import annotations

from collections import namedtuple

import cli_command
import pytest
import torch

Run = namedtuple("Run", "path out arguments")  # folder, what was printed, the command


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    """Each test works in an empty folder and sees no data of the user."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "ZEROSUM_DATA", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def refused(tmp_path):
    """Run a command that must be refused: one line, status 2, no file touched."""

    def call(*arguments, naming=(), folders=()):
        places = [tmp_path, *folders]
        before = [cli_command.contents(place) for place in places]
        ended = cli_command.call(*arguments)
        assert ended.status == 2, ended.err
        assert ended.err.startswith("zerosum: ")
        assert ended.err.count("\n") == 1 and ended.err.endswith("\n")
        assert "Traceback" not in ended.err + ended.out
        assert [cli_command.contents(place) for place in places] == before
        for word in naming:
            assert word in ended.err
        return ended.err

    return call


def _train(folder, *arguments):
    words = ["train", *arguments, "--out", folder, "--quiet", "--device", "cpu"]
    return Run(folder, cli_command.done(*words), words)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run of DCGAN with several sheets, checkpoints and scores. Do not write into it."""
    pace = ["train.sheet_every=160", "train.log_every=160", "train.checkpoint_every=320"]
    folder = tmp_path_factory.mktemp("trained") / "run"
    return _train(folder, "dcgan/tiny", *pace, "evaluate.every=320")


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """A short run of the conditional GAN. Do not write into it."""
    folder = tmp_path_factory.mktemp("labelled") / "run"
    return _train(folder, "cgan/tiny", "train.examples=160", "evaluate.samples=0")


@pytest.fixture(scope="session")
def points(tmp_path_factory):
    """A short run on points of the plane. Do not write into it."""
    folder = tmp_path_factory.mktemp("points") / "run"
    return _train(folder, "toy/tiny", "train.examples=1024", "evaluate.samples=0")
