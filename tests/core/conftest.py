"""Fixtures of the tests of the engine room."""

from __future__ import annotations

import multiprocessing
import os

import core_launch
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Two cores are shared, and one thread makes every sum the same everywhere."""
    os.environ["OMP_NUM_THREADS"] = "1"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _not_under_torchrun(monkeypatch):
    """No variable of a launcher or of the user's data leaks into a test."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "ZEROSUM_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start(tmp_path):
    """Start `zerosum ARGUMENTS` in a new process; what is left is killed after the test."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(core_launch.PRELOAD)
    commands = []

    def begin(*arguments, **options):
        folder = tmp_path / "output" / str(len(commands))
        command = core_launch.Command([str(a) for a in arguments], folder, **options)
        commands.append(command)
        return command

    yield begin
    for command in commands:
        if command.process.is_alive():
            command.process.kill()
        command.process.join()


@pytest.fixture
def run(start):
    """Run `zerosum ARGUMENTS` in a new process to its end; by default it must succeed."""

    def whole(*arguments, status=0, **options):
        ended = start(*arguments, **options).ended()
        assert ended.status == status, ended.err
        return ended

    return whole
