"""Records of a run that were damaged from outside: named, never skipped in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import zerosum
from zerosum.errors import UserError
from zerosum.pipelines.report import report
from zerosum.records import LOG_ROW, append_line, read_lines
from zerosum.training import scores
from zerosum.training.run import RunFolder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    changes = {"train.examples": 64, "train.log_every": 16, "evaluate.samples": 32}
    zerosum.train(zerosum.recipe("dcgan/tiny").override(changes), folder, quiet=True)
    return folder


@pytest.fixture
def run(trained, tmp_path):
    import shutil

    return Path(shutil.copytree(trained, tmp_path / "copy"))


@pytest.mark.parametrize(
    "line",
    ["", "{", "5", "null", "{}", '{"seen": "x"}', '{"seen": 1}', '{"seen": 1, "values": 2}'],
)
def test_a_damaged_line_is_named(line, tmp_path):
    path = tmp_path / "log.jsonl"
    append_line(path, {"seen": 1, "values": {}})
    with path.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    append_line(path, {"seen": 3, "values": {}})
    with pytest.raises(UserError, match=r"log\.jsonl is damaged in line 2: take that line out"):
        read_lines(path, LOG_ROW)


def test_only_a_line_that_was_never_ended_is_torn(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"seen": 1, "values": {}}\n{"seen": 2, "val\xff')
    assert [row["seen"] for row in read_lines(path, LOG_ROW)] == [1]
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(UserError, match="damaged in line 2"):
        read_lines(path, LOG_ROW)
    path.write_bytes(b"")
    assert read_lines(path) == []


@pytest.mark.parametrize("name", ["log.jsonl", "scores.jsonl", "checkups.jsonl", "events.jsonl"])
@pytest.mark.parametrize("content", [b"{\n", b"\xff\xfe\n", b'{"seen": 0}\n'])
def test_a_damaged_record_ends_the_report_with_one_line(name, content, run):
    (run / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} is damaged in line 1"):
        report(run, samples=0)


@pytest.mark.parametrize("content", ["", "[]"])
def test_a_damaged_record_of_the_machine_is_named(content, run):
    RunFolder(run).machine.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"machine\.json is damaged: take it away"):
        report(run, samples=0)
    RunFolder(run).machine.unlink()
    report(run, samples=0)


def few(tmp_path, count):
    """A folder of so many pictures, all different."""
    import numpy as np
    from PIL import Image

    folder = tmp_path / f"of{count}"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("count", [12, 14])
def test_few_pictures_are_learned_from_and_scores_left_out_aloud(count, tmp_path, capsys):
    data = few(tmp_path, count)
    recipe = zerosum.recipe("dcgan/tiny").override({"train.examples": 32, "data.path": str(data)})
    zerosum.train(recipe, tmp_path / "run")
    report(tmp_path / "run", samples=0)
    said = capsys.readouterr().err
    learned = count - (count > 1)
    assert scores.FEWEST == 12
    assert ("no scores are taken" in said) == (learned < 12)
    assert RunFolder(tmp_path / "run").scores.is_file() == (learned >= 12)
    if learned < 12:
        assert f"{data} gives {learned} images to train on" in said


def test_metrics_that_were_asked_for_are_refused_with_the_data_named(tmp_path):
    data = few(tmp_path, 8)
    changes = {"train.examples": 32, "data.path": str(data), "evaluate.metrics": ("prdc",)}
    with pytest.raises(UserError, match=r"of8 gives 7 examples to score against \(held out: 10 %"):
        zerosum.train(zerosum.recipe("dcgan/tiny").override(changes), tmp_path / "run", quiet=True)


def test_optimizers_of_other_players_are_named(run):
    """As after a player was added to the model's file, in the same shapes."""
    folder = sorted(RunFolder(run).checkpoints.iterdir())[-1]
    stored = torch.load(folder / "optimizers.pt", weights_only=True)
    stored["optimizers"]["critic"] = stored["optimizers"].pop("discriminator")
    torch.save(stored, folder / "optimizers.pt")
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    del state["digests"]["optimizers.pt"]
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    changes = {"train.examples": 96, "train.log_every": 16, "evaluate.samples": 32}
    with pytest.raises(UserError, match="written for the players generator, critic"):
        zerosum.train(zerosum.recipe("dcgan/tiny").override(changes), run, quiet=True)
