"""Damaged checkpoints, full disks and what is left on the disk."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from core_compare import assert_same_end, newest

from zerosum.errors import UserError
from zerosum.training import checkpoint
from zerosum.training.checkpoint import Snapshot
from zerosum.training.run import read_run

STEPS = ["train.examples=480", "train.checkpoint_every=160", "evaluate.samples=0"]


# -- the files alone --------------------------------------------------------------------------


def snapshot(value=1.0):
    return Snapshot(
        game={"weight": torch.full((3,), value)},
        ema={"weight": torch.full((3,), value / 2)},
        training={"optimizers": {"p": {"state": {0: torch.ones(2)}}}, "random": [(3, (1, 2))]},
        state={"step": int(value), "seen": 16 * int(value)},
    )


def names(folder):
    return [path.name for path in checkpoint.checkpoints(folder)]


def tear(path):
    path.write_bytes(path.read_bytes()[:-5])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGES = {
    "torn game": (lambda p: tear(p / "game.safetensors"), "game.safetensors is torn or changed"),
    "empty ema": (lambda p: (p / "ema.safetensors").write_bytes(b""), "ema.safetensors is torn"),
    "flipped byte": (lambda p: flip(p / "optimizers.pt"), "optimizers.pt is torn or changed"),
    "garbage state": (lambda p: (p / "state.json").write_text("{{"), "state.json is unreadable"),
    "binary state": (
        lambda p: (p / "state.json").write_bytes(b"\xff\xfe\x00"),
        "state.json is unreadable",
    ),
    "empty state": (lambda p: (p / "state.json").write_text("{}"), "state.json is unreadable"),
    "list state": (lambda p: (p / "state.json").write_text("[]"), "state.json is unreadable"),
    "lost file": (lambda p: (p / "ema.safetensors").unlink(), "ema.safetensors is missing"),
}


def test_a_snapshot_comes_back_as_it_was(tmp_path):
    path = checkpoint.save(tmp_path, 7, snapshot(7.0))
    assert path.name == "step_00000007"
    files = {"game.safetensors", "ema.safetensors", "optimizers.pt", "state.json"}
    assert {file.name for file in path.iterdir()} == files
    again = checkpoint.load(path)
    assert torch.equal(again.game["weight"], torch.full((3,), 7.0))
    assert torch.equal(again.ema["weight"], torch.full((3,), 3.5))
    assert again.training["random"] == [(3, (1, 2))]
    assert (again.state["step"], again.state["seen"]) == (7, 112)


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_are_kept(tmp_path, keep):
    for step in range(1, 6):
        checkpoint.save(tmp_path, step, snapshot(), keep)
    assert names(tmp_path) == [f"step_{s:08d}" for s in range(6 - keep, 6)]


def test_leftovers_of_a_kill_are_removed_and_never_read(tmp_path):
    for name in (".writing_step_00000009", ".old_step_00000003"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "state.json").write_text("{}")
    assert names(tmp_path) == []
    assert checkpoint.latest(tmp_path) == (None, [])
    checkpoint.save(tmp_path, 1, snapshot())
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000001"]


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_named_and_the_one_before_is_taken(tmp_path, kind):
    damage, words = DAMAGES[kind]
    checkpoint.save(tmp_path, 1, snapshot())
    damage(checkpoint.save(tmp_path, 2, snapshot()))
    path, complaints = checkpoint.latest(tmp_path)
    assert path == tmp_path / "step_00000001"
    (complaint,) = complaints
    assert "step_00000002 is damaged" in complaint
    assert words in complaint
    assert "\n" not in complaint


def test_a_format_of_the_future_asks_for_an_upgrade(tmp_path):
    path = checkpoint.save(tmp_path, 1, snapshot())
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps(state | {"format": checkpoint.FORMAT + 1}))
    with pytest.raises(UserError, match="pip install -U zerosum"):
        checkpoint.load(path)


def test_no_code_is_run_from_a_checkpoint(tmp_path):
    """A pickle that calls a function is refused."""

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "pwned"), "w"))

    path = checkpoint.save(tmp_path, 1, snapshot())
    torch.save({"optimizers": Evil()}, path / "optimizers.pt")
    with pytest.raises(Exception, match=r"[Ww]eights"):
        checkpoint.load(path)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("keep", [1, 2])
def test_what_was_just_saved_outlives_damaged_ones_of_later_steps(tmp_path, keep):
    """A run that went back must not throw its new checkpoints away for the damaged ones."""
    for step in (1, 20, 30):
        checkpoint.save(tmp_path, step, snapshot(), keep=3)
    for later in names(tmp_path)[1:]:
        flip(tmp_path / later / "game.safetensors")
    checkpoint.save(tmp_path, 2, snapshot(2.0), keep)
    path, _ = checkpoint.latest(tmp_path)
    assert path == tmp_path / "step_00000002"
    checkpoint.save(tmp_path, 3, snapshot(3.0), keep)
    assert names(tmp_path) == ["step_00000002", "step_00000003"][-keep:]


def test_a_damaged_one_is_replaced_when_its_step_comes_again(tmp_path):
    flip(checkpoint.save(tmp_path, 4, snapshot(1.0)) / "game.safetensors")
    path = checkpoint.save(tmp_path, 4, snapshot(4.0))
    assert checkpoint.damage(path) is None
    assert checkpoint.load(path).game["weight"][0] == 4.0


def test_saving_a_step_again_never_leaves_a_moment_without_it(tmp_path, monkeypatch):
    """The end of a run saves the step that its last interval saved: a kill must not lose it."""
    path = checkpoint.save(tmp_path, 4, snapshot(4.0), keep=1)
    moments = []
    rename = type(path).rename

    def watched(self, target):
        done = rename(self, target)
        moments.append(checkpoint.latest(tmp_path)[0])
        return done

    monkeypatch.setattr(type(path), "rename", watched)
    checkpoint.save(tmp_path, 4, snapshot(4.0), keep=1)
    assert None not in moments
    assert checkpoint.damage(path) is None


# -- runs -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 30 steps with checkpoints after 20 and 30. Not to be changed."""
    import zerosum

    changes = dict(change.split("=") for change in STEPS)
    folder = tmp_path_factory.mktemp("finished") / "run"
    zerosum.train(zerosum.recipe("gan/tiny").override(changes), folder, quiet=True)
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def places(folder):
    return checkpoint.checkpoints(folder / "checkpoints")


def test_the_folder_of_a_run(finished):
    assert [path.name for path in places(finished)] == ["step_00000020", "step_00000030"]
    expected = {"recipe.json", "machine.json", "log.jsonl", "checkups.jsonl"}
    expected |= {"codec.json", ".lock"}
    pictures = {"samples.png", "curves.png", "progress.gif"}
    folders = {"samples", "checkpoints"}
    assert {path.name for path in finished.iterdir()} == expected | pictures | folders
    assert read_run(finished).game.progress.seen == 480


@pytest.mark.parametrize(
    "kind",
    [
        "torn game",
        pytest.param("flipped byte", marks=pytest.mark.slow),
        pytest.param("garbage state", marks=pytest.mark.slow),
    ],
)
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(run, copy, finished, kind):
    damage, words = DAMAGES[kind]
    damage(places(copy)[-1])
    ended = run("train", "gan/tiny", "--out", copy, *STEPS)
    (line,) = [line for line in ended.err.splitlines() if "damaged" in line]
    assert words in line
    assert "step_00000030" in line
    assert "going on from step_00000020" in ended.err
    assert_same_end(finished, copy)


def test_samples_come_from_the_checkpoint_before_a_damaged_one(copy):
    flip(places(copy)[-1] / "ema.safetensors")
    saved = read_run(copy)
    game, snapshot = saved.game, saved.snapshot
    assert (game.progress.seen, snapshot.state["step"]) == (320, 20)


def test_where_all_are_damaged_the_run_says_so_and_starts_anew(run, copy, finished):
    for path in places(copy):
        flip(path / "game.safetensors")
    with pytest.raises(UserError, match="no whole checkpoint") as caught:
        read_run(copy)
    assert "damaged" in str(caught.value)
    ended = run("train", "gan/tiny", "--out", copy, *STEPS)
    assert ended.err.count("is damaged") == 2
    assert "starts anew" in ended.err
    assert "going on" not in ended.err
    assert_same_end(finished, copy)
    rows = [json.loads(line) for line in (copy / "log.jsonl").read_text().splitlines()]
    assert len({row["seen"] for row in rows}) == len(rows)


def test_a_finished_run_asked_again_changes_nothing(run, copy, finished):
    before = {file.name: file.read_bytes() for file in places(copy)[-1].iterdir()}
    run("train", "gan/tiny", "--out", copy, *STEPS)
    assert_same_end(finished, copy)
    after = {file.name: file.read_bytes() for file in places(copy)[-1].iterdir()}
    for name in ("game.safetensors", "ema.safetensors"):
        assert before[name] == after[name]


def test_stale_folders_of_a_kill_are_removed_by_the_next_run(run, copy):
    stale = copy / "checkpoints" / ".writing_step_00000040"
    shutil.copytree(places(copy)[-1], stale)
    run("train", "gan/tiny", "--out", copy, *STEPS)
    assert not stale.exists()


def test_another_recipe_is_refused_and_a_longer_one_goes_on(run, copy):
    before = (copy / "recipe.json").read_bytes()
    ended = run("train", "gan/tiny", "--out", copy, *STEPS, "train.seed=1", status=2)
    assert "train.seed was 0 and is now 1" in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    ended = run("train", "gan/tiny", "--out", copy, "train.examples=160", STEPS[2], status=2)
    assert "may only grow" in ended.err
    assert (copy / "recipe.json").read_bytes() == before
    ended = run("train", "gan/tiny", "--out", copy, "train.examples=640", STEPS[2])
    assert "going on from step_00000030" in ended.err
    assert newest(copy).state["seen"] == 640


# -- a full disk ------------------------------------------------------------------------------

WIDE = ["model.hidden=[128,128]", "model.latent=8"]
"""Optimizer states of about a megabyte, much larger than sheets and logs."""


@pytest.mark.parametrize("limit", [300_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_full_disk_ends_in_one_line_and_the_run_goes_on_later(run, tmp_path, limit):
    """Either limit is below the optimizers' file, the smaller one also below the weights'."""
    folder, whole = tmp_path / "run", tmp_path / "whole"
    half, full = "train.examples=160", "train.examples=320"
    run("train", "gan/tiny", "--out", folder, *WIDE, half, "evaluate.samples=0")
    (before,) = places(folder)
    ended = run(
        *("train", "gan/tiny", "--out", folder, *WIDE, full, "evaluate.samples=0"),
        largest_file=limit,
        status=2,
    )
    assert places(folder) == [before]
    assert checkpoint.damage(before) is None
    assert not [*(folder / "checkpoints").glob(".*")]
    assert "Traceback" not in ended.err
    complaints = [line for line in ended.err.splitlines() if not line.startswith("going on")]
    assert len(complaints) == 1, ended.err
    assert "the disk is full" in complaints[0]
    assert "intact" in complaints[0]
    run("train", "gan/tiny", "--out", folder, *WIDE, full, "evaluate.samples=0")
    run("train", "gan/tiny", "--out", whole, *WIDE, full, "evaluate.samples=0")
    assert_same_end(whole, folder)


def test_a_disk_that_takes_nothing_ends_in_one_line(run, tmp_path):
    """Not even the recipe can be written."""
    folder = tmp_path / "run"
    ended = run("train", "gan/tiny", "--out", folder, largest_file=1_000, status=2)
    assert "Traceback" not in ended.err
    assert not (folder / "recipe.json").exists()
