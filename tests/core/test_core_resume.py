"""A run in parts, each in a new process, equals the uninterrupted run bit for bit."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest
from core_compare import assert_same_end, assert_same_samples, make_pictures, newest

from zerosum.errors import UserError
from zerosum.training import checkpoint
from zerosum.training.lock import locked
from zerosum.training.run import read_run

SYSTEMS = ["gan", "cgan", "dcgan", "rpgan"]
SAVING = "evaluate.samples=0"
ACCUMULATED = ["train.batch_per_device=4"]
WORKERS = ["data.memory=0", "data.workers=2", "data.flip=true"]


def arguments(system, images, folder, *more):
    return ["train", f"{system}/tiny", "--out", folder, f"train.examples={images}", *more]


def check_resume(run, folder, system, steps, *more):
    """`steps` at once, and in two processes of half of them, each of batch 16."""
    whole, parts = folder / "whole", folder / "parts"
    run(*arguments(system, 16 * steps, whole, *more))
    run(*arguments(system, 8 * steps, parts, *more))
    assert newest(parts).state["step"] == steps // 2
    ended = run(*arguments(system, 16 * steps, parts, *more))
    assert f"going on from step_{steps // 2:08d}, {8 * steps:,} images" in ended.err
    assert_same_end(whole, parts)
    assert newest(parts).state["step"] == steps
    assert_same_samples(run, whole, parts)


@pytest.mark.parametrize(
    ("system", "more", "files"),
    [
        ("gan", ["evaluate.every=320", "evaluate.samples=64"], False),
        ("dcgan", [*WORKERS, *ACCUMULATED, SAVING], True),
        pytest.param("cgan", [*WORKERS, SAVING], True, marks=pytest.mark.slow),
        pytest.param("rpgan", [*ACCUMULATED, SAVING], False, marks=pytest.mark.slow),
    ],
    ids=["gan-scores", "dcgan-workers-accumulation", "cgan-workers", "rpgan-accumulation"],
)
def test_sixty_steps_equal_thirty_and_a_new_process_and_thirty(run, tmp_path, system, more, files):
    if files:
        more = ["--data", make_pictures(tmp_path / "pictures"), *more]
    check_resume(run, tmp_path, system, 60, *more)


@pytest.mark.slow
@pytest.mark.parametrize("more", [WORKERS, ACCUMULATED], ids=["workers", "accumulation"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_400_steps_equal_200_and_a_new_process_and_200(run, tmp_path, system, more):
    pictures = make_pictures(tmp_path / "pictures", 200)
    check_resume(run, tmp_path, system, 400, "--data", pictures, *more, "evaluate.samples=64")


def test_the_number_of_workers_changes_nothing(run, tmp_path):
    """Decoding in memory, in this process or in two others: the same run."""
    pictures = make_pictures(tmp_path / "pictures")
    places = {"memory": [], "here": ["data.workers=0"], "others": ["data.workers=2"]}
    for name, more in places.items():
        memory = [] if name == "memory" else ["data.memory=0"]
        data = ["--data", pictures, "data.flip=true", *memory, *more, SAVING]
        run(*arguments("gan", 320, tmp_path / name, *data))
    assert_same_end(tmp_path / "memory", tmp_path / "here")
    assert_same_end(tmp_path / "memory", tmp_path / "others")


def log_lines(folder):
    log = folder / "log.jsonl"
    return log.read_text().count("\n") if log.exists() else 0


@pytest.mark.parametrize(
    ("signum", "status"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_a_signal_saves_and_the_same_command_goes_on(start, run, tmp_path, signum, status):
    """Ctrl-C reaches the whole group, the workers that decode included."""
    pictures = make_pictures(tmp_path / "pictures")
    more = ["--data", pictures, "data.memory=0", "train.log_every=160", SAVING]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(*arguments("gan", 16 * 300, whole, *more))
    command = start(*arguments("gan", 16 * 300, parts, *more))
    command.wait_for(lambda: log_lines(parts) >= 2, "two lines of the log")
    if signum == signal.SIGINT:
        os.killpg(command.process.pid, signum)
    else:
        command.send(signum)
    ended = command.ended()
    assert ended.status == status
    assert ended.err.count(f"stopped by {signal.Signals(signum).name}; the state is saved") == 1
    assert "zerosum train gan/tiny --out" in ended.err  # what to type
    assert "Traceback" not in ended.err
    stopped = newest(parts).state["step"]
    assert 20 <= stopped < 300
    run(*arguments("gan", 16 * 300, parts, *more))
    assert_same_end(whole, parts)
    seen = [json.loads(line)["seen"] for line in (parts / "log.jsonl").read_text().splitlines()]
    assert seen == [160 * k for k in range(1, 31)]  # no line twice, none missing


@pytest.mark.slow
def test_ctrl_c_saves_where_workers_are_not_forked(start, tmp_path):
    """macOS spawns workers and Python 3.14 starts them from a server: they have no handler.

    Large pictures, so that the signal comes while the run waits for its workers.
    """
    pictures = make_pictures(tmp_path / "pictures", 20, side=512)
    more = ["--data", pictures, "data.size=8", "data.memory=0", "train.log_every=32", SAVING]
    folder = tmp_path / "run"
    command = start(*arguments("gan", 16 * 300, folder, *more), workers_by="forkserver")
    command.wait_for(lambda: log_lines(folder) >= 2, "two lines of the log")
    os.killpg(command.process.pid, signal.SIGINT)
    ended = command.ended()
    assert ended.status == 130, ended.err
    assert newest(folder).state["step"] >= 4


SLOW_GAME = '''"""A step that takes half a minute."""

import time

from zerosum.models.images.gan import GAN, PRESETS


class Slow(GAN):
    def generator_loss(self, batch):
        print("in the step", flush=True)
        time.sleep(30)
        return super().generator_loss(batch)
'''


def test_a_second_sigint_leaves_at_once(start, tmp_path):
    """The first asks for a clean end after the step; the second does not wait for it."""
    model = tmp_path / "slow.py"
    model.write_text(SLOW_GAME)
    folder = tmp_path / "run"
    command = start("train", "--module", model, "slow/tiny", "--out", folder)
    command.wait_for(lambda: "in the step" in command.files[0].read_text(), "the first step")
    command.send(signal.SIGINT)
    time.sleep(0.5)
    assert command.process.is_alive()  # still in its step
    begun = time.monotonic()
    command.send(signal.SIGINT)
    ended = command.ended()
    assert time.monotonic() - begun < 10
    assert ended.status == 130
    line, *rest = ended.err.splitlines()
    assert line.startswith("stopped at once; to go on")
    assert "zerosum train --module" in line  # what to type
    assert not rest
    assert not checkpoint.checkpoints(folder / "checkpoints")


def check_kills(start, run, folder, kills, steps, *more):
    """Kill -9 again and again: readable after each, and the end is the uninterrupted run's."""
    chance = random.Random(7)
    more = ["train.checkpoint_every=80", "train.sheet_every=160", "train.log_every=80", *more]
    whole, killed = folder / "whole", folder / "killed"
    run(*arguments("gan", 16 * steps, whole, *more))
    places = killed / "checkpoints"
    for kill in range(kills):
        command = start(*arguments("gan", 16 * steps, killed, *more))
        before = latest_name(places)
        if kill:  # the first kill may come before anything is written
            command.wait_for(lambda seen=before: latest_name(places) != seen, "a checkpoint")
            time.sleep(chance.uniform(0, 0.12))
        else:
            time.sleep(chance.uniform(0, 0.5))
        command.send(signal.SIGKILL)
        assert command.ended().status == -signal.SIGKILL
        assert_readable(killed)
    assert 0 < newest(killed).state["step"] < steps
    run(*arguments("gan", 16 * steps, killed, *more))
    assert_same_end(whole, killed)
    assert not [*places.glob(".*")]  # nothing half-written is left
    assert len(checkpoint.checkpoints(places)) == 2
    for name in ("samples.png", "curves.png", "progress.gif", "recipe.json"):
        assert (killed / name).stat().st_size > 0
    sheets = [{f.name: f.read_bytes() for f in (r / "samples").iterdir()} for r in (whole, killed)]
    assert sheets[0] == sheets[1]


def latest_name(places):
    found = checkpoint.checkpoints(places) if places.exists() else []
    return found[-1].name if found else None


def assert_readable(folder):
    """A killed run can be read, or says that there is nothing yet."""
    if checkpoint.checkpoints(folder / "checkpoints"):
        saved = read_run(folder)
        game, snapshot = saved.game, saved.snapshot
        assert game.progress.seen == 16 * snapshot.state["step"] > 0
        assert checkpoint.latest(folder / "checkpoints")[1] == []  # no damage either
        return
    with pytest.raises(UserError, match=r"no whole checkpoint yet|is no run") as caught:
        read_run(folder)
    assert "damaged" not in str(caught.value)


def test_data_workers_that_outlive_a_kill_do_not_hold_the_run(start, tmp_path):
    pictures, out = make_pictures(tmp_path / "pictures"), tmp_path / "run"
    more = ["--data", pictures, "data.memory=0", "data.workers=1", "train.checkpoint_every=80"]
    command = start(*arguments("gan", 160_000, out, *more))
    command.wait_for(lambda: latest_name(out / "checkpoints") is not None, "a checkpoint")
    command.send(signal.SIGKILL)
    command.ended()
    with locked(out):
        pass


def test_kill_9_five_times_changes_nothing(start, run, tmp_path):
    check_kills(start, run, tmp_path, 5, 200, SAVING)


@pytest.mark.slow
def test_kill_9_twenty_times_changes_nothing(start, run, tmp_path):
    pictures = make_pictures(tmp_path / "pictures")
    more = ["--data", pictures, "data.memory=0", "evaluate.samples=0"]
    check_kills(start, run, tmp_path, 20, 1_000, *more)
