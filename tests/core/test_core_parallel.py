"""Two processes on halves of a batch do what one does on the whole."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import core_parallel
import core_tenants
import pytest
import torch
from core_compare import assert_same_end
from filelock import FileLock

from zerosum.core.registry import recipe
from zerosum.core.runtime import Runtime
from zerosum.training import checkpoint
from zerosum.training.run import read_run


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def torchrun(*arguments, folder):
    """Run a script or module in two processes; gives its stderr."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-port", str(free_port()), *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    return done


def run_once(script, temporary):
    """The folder in which two ranks have run a script, once for all workers of the tests."""
    place = temporary.getbasetemp()
    folder = (place.parent if "PYTEST_XDIST_WORKER" in os.environ else place) / script.stem
    with FileLock(f"{folder}.lock"):
        if not (folder / "found.pt").is_file():
            folder.mkdir(exist_ok=True)
            torchrun(script, folder / "found.pt", folder=folder)
    return folder


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Folder in which two ranks have played all cases."""
    return run_once(Path(core_parallel.__file__), tmp_path_factory)


@pytest.fixture(scope="module")
def ranks(played):
    """What each of the ranks found."""
    return torch.load(played / "found.pt", weights_only=True)


@pytest.fixture(scope="module")
def alone():
    return core_parallel.alone()


@pytest.mark.skipif(sys.platform != "linux", reason="threads are told by /proc")
def test_no_thread_of_the_group_outlives_it(played):
    """One that does can abort the interpreter's end, and the rank is then counted as failed."""
    for rank in range(2):
        names = (played / f"found.pt.threads-{rank}").read_text().split()
        assert names
        assert not [name for name in names if "gloo" in name]


NAMES = [
    f"{penalty}-{kind}{'-compiled' * compiled}" for penalty, kind, compiled in core_parallel.CASES
]


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_two_processes_equal_one(number, ranks, alone):
    expected = alone[number]["weights"]
    start = dict(core_parallel.Duellists("plain").named_parameters())
    for rank in ranks:
        for name, value in rank["cases"][number]["weights"].items():
            torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-6, msg=name)
    moved = max((expected[n] - start[n]).abs().max() for n in start)
    assert moved > 1e-3  # the comparison is of something
    for name, value in alone[number]["norms"].items():
        assert ranks[0]["cases"][number]["norms"][name] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_ranks_are_equal_to_the_bit(number, ranks):
    first, second = (rank["cases"][number]["weights"] for rank in ranks)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_compiled_cases_did_compile(ranks):
    for number, (_, _, compiled) in enumerate(core_parallel.CASES):
        for rank in ranks:
            assert (rank["cases"][number]["compiled"] >= 2) == compiled


def test_a_bad_gradient_on_one_rank_stops_all(ranks):
    assert [rank["failure"] for rank in ranks] == [{"still": True, "skipped": 1.0}] * 2


def test_records_are_means_over_ranks(ranks):
    """Values that one rank alone has are means over those that have them."""
    expected = {"player/term": 1.5, "player/own": 5.0, "signal/logits": 6.0}
    assert [rank["recorded"] for rank in ranks] == [expected] * 2


def test_running_statistics_are_averaged_and_counters_are_not(ranks):
    assert [rank["buffers"] for rank in ranks] == [(0.5, 7)] * 2


def test_the_strength_of_ada_follows_what_all_ranks_saw(ranks):
    """Their mean sign is -0.25, above the target -0.5: up by four batches of 8 in 1,000."""
    expected = {"r_t": -0.25, "p": pytest.approx(0.032, rel=1e-6)}
    assert [rank["ada"] for rank in ranks] == [expected] * 2
    assert ranks[0]["ada"] == ranks[1]["ada"]


def test_rank_0_decides(ranks):
    assert [rank["shared"] for rank in ranks] == ["from rank 0"] * 2
    assert [rank["world"] for rank in ranks] == [2, 2]


def test_torchrun_trains_and_the_same_command_goes_on(tmp_path):
    """One folder, one log, one voice; the second command doubles the length."""
    first = train_in_two(tmp_path, "run", 160)
    assert first.stdout.count("pictures") == 1
    done = train_in_two(tmp_path, "run", 320)
    assert done.stderr.count("going on from step_00000010, 160 images") == 1
    rows = [json.loads(row) for row in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [row["seen"] for row in rows] == [80, 160, 240, 320]
    assert all(row["values"]["discriminator/skipped"] == 0 for row in rows)
    saved = read_run(tmp_path / "run")
    game, snapshot = saved.game, saved.snapshot
    assert game.progress.seen == 320
    assert len(snapshot.training["random"]) == 2  # the random state of each rank


@pytest.fixture(scope="module")
def tenants(tmp_path_factory):
    """What each of two ranks made of each kind of data."""
    folder = run_once(Path(core_tenants.__file__), tmp_path_factory)
    return torch.load(folder / "found.pt", weights_only=True)


@pytest.mark.parametrize("system", core_tenants.CASES)
def test_two_processes_equal_one_on_tables_pairs_and_molecules(system, tenants):
    runtime = Runtime(torch.device("cpu"))
    expected, start = core_tenants.play(system, runtime), core_tenants.play(system, runtime, 0)
    assert max((expected[name] - start[name]).abs().max() for name in start) > 1e-3
    for rank in tenants:
        for name, value in rank[system].items():
            torch.testing.assert_close(value, expected[name], rtol=0, atol=2e-6, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("system", ["dcgan", "ctgan", "pix2pix", "molgan", "cyclegan", "esrgan"])
def test_resume_is_exact_under_torchrun_too(tmp_path, system):
    batch = recipe(f"{system}/tiny").train.batch
    train_in_two(tmp_path, "whole", 20 * batch, system)
    train_in_two(tmp_path, "parts", 10 * batch, system)
    train_in_two(tmp_path, "parts", 20 * batch, system)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.slow
def test_extra_states_of_both_ranks_are_kept_and_given_back(tmp_path):
    """A replay pool holds what its own rank has made."""
    (tmp_path / "pooled.py").write_text(POOLED)
    more = ("--module", "pooled.py")
    train_in_two(tmp_path, "whole", 320, "pooled", *more)
    train_in_two(tmp_path, "parts", 160, "pooled", *more)
    train_in_two(tmp_path, "parts", 320, "pooled", *more)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")
    newest, _ = checkpoint.latest(tmp_path / "whole" / "checkpoints")
    pools = [extra["pool._extra_state"] for extra in checkpoint.load(newest).training["extra"]]
    assert len(pools) == 2 and pools[0]["samples"].shape == (20, 1, 8, 8)
    assert not torch.equal(pools[0]["samples"], pools[1]["samples"])


POOLED = '''"""A game whose critic is shown older samples too."""

import torch

from zerosum.losses.replay import ReplayPool
from zerosum.models.images.dcgan import DCGAN, PRESETS as GOOD

PRESETS = {"tiny": GOOD["tiny"]}


class Pooled(DCGAN):
    def __init__(self, config):
        super().__init__(config)
        self.pool = ReplayPool(20)

    def discriminator_loss(self, batch):
        with torch.no_grad():
            fake = self.pool.mix(self.sample(len(batch["image"]))["image"])
        real, made = self.discriminator(batch["image"]), self.discriminator(fake)
        return {"adversarial": self.objective.critic(real, made)}
'''


def train_in_two(folder, name, examples, system="dcgan", *more):
    return torchrun(
        *("-m", "zerosum", "train", f"{system}/tiny", "--out", name),
        *(f"train.examples={examples}", "train.log_every=80", "evaluate.samples=0", *more),
        folder=folder,
    )


def test_two_processes_are_treated_alike(tmp_path):
    """Rank 0 looks, both act: the same rates, the same penalty, and no rank waits for ever."""
    words = ["-m", "zerosum", "train", "dcgan/tiny", "--out", tmp_path / "run", "--quiet"]
    words += ["optim.generator.lr=1e-9", "doctor.policy=act", "doctor.every=64"]
    words += ["train.examples=640", "evaluate.samples=0", "--device", "cpu"]
    torchrun(*words, folder=tmp_path)
    events = (tmp_path / "run" / "events.jsonl").read_text()
    assert '"action": "learning rate of the generator x' in events
    snapshot = read_run(tmp_path / "run").snapshot
    assert snapshot.state["seen"] == 640
    assert snapshot.state["treatment"]["factors"]["generator"] > 1e3


def test_two_processes_stop_together(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-port", str(free_port()), "-m", "zerosum", "train", "dcgan/tiny"]
    command += ["--out", "run", "--quiet", "optim.generator.lr=1e-9", "doctor.policy=stop"]
    command += ["doctor.every=64", "train.examples=640", "--device", "cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110
    )
    assert ended.returncode and ended.stderr.count("stopped, the state is saved: dead run") == 1
    assert read_run(tmp_path / "run").snapshot.state["seen"] == 192
