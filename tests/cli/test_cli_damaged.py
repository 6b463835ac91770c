"""JSON files of runs, models and studies that somebody edited: the file is named, with a cure."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli_command import call, done

import zerosum
from zerosum.errors import UserError

DEEP = "[" * 100_000


@pytest.fixture
def run(points, tmp_path):
    """A run of one's own, to be spoiled."""
    shutil.copytree(points.path, tmp_path / "here" / "run")
    return Path("run")


def edited(path: Path, **changes) -> None:
    """Write a JSON file with some keys changed, or taken out where the value is `...`."""
    tree = json.loads(path.read_text(encoding="utf-8")) | changes
    kept = {name: value for name, value in tree.items() if value is not ...}
    path.write_text(json.dumps(kept), encoding="utf-8")


@pytest.mark.parametrize("name", [[], 3, None, {"a": 1}])
def test_a_recipe_of_no_system(name, run, refused):
    edited(run / "recipe.json", system=name)
    refused("doctor", run, naming=["run/recipe.json is damaged", "bring it back"])
    resume = ["train", "toy/tiny", "train.examples=2048", "--out", run]
    refused(*resume, naming=["run/recipe.json is damaged", "--out"])


def test_a_recipe_whose_parts_are_wrong_is_named(run, refused):
    edited(run / "recipe.json", train={"batches": 3})
    refused("generate", run, naming=["run/recipe.json cannot be read", "train.batches"])
    edited(run / "recipe.json", model=...)
    refused("generate", run, naming=["run/recipe.json cannot be read", "'model' is missing"])


def test_a_run_of_a_model_of_ones_own_asks_for_its_module(run, refused):
    edited(run / "recipe.json", system="mygan")
    refused("report", run, naming=["no model 'mygan'", "--module"])


@pytest.mark.parametrize("name", ["recipe.json", "codec.json", "machine.json"])
def test_files_that_nest_too_deeply(name, run, refused):
    (run / name).write_text(DEEP, encoding="utf-8")
    refused("report", run, "--samples", 0, naming=[f"run/{name} is damaged"])


def test_a_codec_without_its_hash(run, refused):
    edited(run / "codec.json", hash=...)
    refused("generate", run, naming=["run/codec.json is damaged", "hash"])


def test_an_export_whose_configuration_is_wrong(points, refused):
    done("export", points.path, "--to", "model")
    file = Path("model", "config.json")
    whole = file.read_text(encoding="utf-8")
    edited(file, recipe=...)
    refused("generate", "model", naming=["no whole model folder", "config.json lacks 'recipe'"])
    file.write_text(whole, encoding="utf-8")
    edited(file, recipe={"model": 3})
    refused("generate", "model", naming=["model/config.json cannot be read"])
    file.write_text(DEEP, encoding="utf-8")
    refused("generate", "model", naming=["no whole model folder", "config.json", "too deeply"])


def test_a_study_whose_files_nest_too_deeply(trained, refused):
    done("study", trained.path, "--out", "study", "--images", 2)
    answers = Path("study", "answers", "a.json")
    answers.write_text(DEEP, encoding="utf-8")
    refused("study", "score", "study", naming=["a.json is no file of answers", "take it away"])
    Path("study", "key.json").write_text(DEEP, encoding="utf-8")
    refused("study", "score", "study", naming=["key.json is damaged", "bring it back"])


ROW = {"seen": 64, "step": 1}
SCORED = ROW | {
    "scores": {"fd": 1.0},
    "reference": {},
    "reference_note": "two halves",
    "protocol": {"real": "64 of the training part", "fake": 64, "seed": 0},
}
EVENT = ROW | {
    **dict.fromkeys(("failure", "signal", "evidence", "remedy", "override", "action"), "x"),
    **dict.fromkeys(("value", "threshold", "window"), 1),
}


@pytest.mark.parametrize(
    ("name", "row", "wrong"),
    [
        ("log.jsonl", ROW | {"values": {"loss": 0.5}}, {"values": {"loss": "low"}}),
        ("scores.jsonl", SCORED, {"scores": {"fd": None}}),
        ("scores.jsonl", SCORED, {"reference": {"fd": "x"}}),
        ("scores.jsonl", SCORED, {"protocol": {}}),
        ("scores.jsonl", SCORED, {"seen": True}),
        ("checkups.jsonl", ROW | {"signals": {}, "failures": []}, {"signals": {"x": "y"}}),
        ("checkups.jsonl", ROW | {"signals": {}, "failures": []}, {"failures": [3]}),
        ("events.jsonl", EVENT, {"window": "x"}),
    ],
)
def test_a_record_with_wrong_values_is_named_by_its_line(name, row, wrong, run, refused):
    lines = [json.dumps(row), json.dumps(row | {"more": "of a later version"})]
    (run / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = ["doctor", run] if name[0] in "ce" else ["report", run, "--samples", 0, "--quiet"]
    done(*command)
    lines[1] = json.dumps(row | wrong)
    (run / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    refused(*command, naming=[f"run/{name} is damaged in line 2", "take that line out"])
    (run / name).write_text(f"{lines[0]}\n{DEEP}\n", encoding="utf-8")
    refused(*command, naming=[f"run/{name} is damaged in line 2"])


def test_an_older_checkpoint_is_used_aloud(trained, tmp_path):
    spoiled = tmp_path / "spoiled"
    shutil.copytree(trained.path, spoiled)
    older, newest = sorted((spoiled / "checkpoints").iterdir())
    (newest / "ema.safetensors").write_bytes(b"")
    ended = call("generate", spoiled, "-n", 2, "--out", "s.npz")
    assert ended.status == 0
    assert f"checkpoint {newest.name} is damaged" in ended.err
    assert f"{older.name} is used" in ended.err


@pytest.mark.parametrize("key", ["format", "step", "seen"])
@pytest.mark.parametrize("value", [..., "x", None])
def test_a_run_whose_only_checkpoint_is_damaged(key, value, run, refused):
    for checkpoint in (run / "checkpoints").iterdir():
        edited(checkpoint / "state.json", **{key: value})
    line = refused("generate", run, naming=["state.json is unreadable", "bring its files back"])
    assert "longer" not in line


def test_a_generator_that_diverged_is_named(run, trained, refused, monkeypatch):
    """Its samples are no black pictures, and no fault of the metrics."""
    from zerosum.models.toy.toy import ToyGAN

    decode = ToyGAN.decode

    def diverged(self, z, condition):
        return {name: value / 0 for name, value in decode(self, z, condition).items()}

    monkeypatch.setattr(ToyGAN, "decode", diverged)
    for command in (["generate", run, "-n", 3], ["evaluate", run, "--quiet"]):
        refused(*command, naming=["run draws NaN or infinity", "diverged", "lower rates"])
    with pytest.raises(UserError, match="run draws NaN or infinity"):
        zerosum.load(run).interpolate()
    words = ["toy/tiny", "train.examples=256", "doctor.policy=off", "--quiet"]
    ended = call("train", *words, "--out", "new", "--device", "cpu")
    assert ended.status == 2 and "the generator, after 256 examples, draws NaN" in ended.err
