"""Wrong input: one line on stderr that names culprit and cure, status 2, nothing touched."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from cli_command import SCRIPT, call, done, spawn, write_photos

from zerosum.core.registry import recipe
from zerosum.errors import UserError
from zerosum.training.run import RunFolder

DRY = "--dry-run"


# -- real processes ------------------------------------------------------------------------


def test_a_process_ends_with_status_2_and_one_line(tmp_path):
    ended = spawn(SCRIPT, "train", "dcgn", "--out", "run", cwd=tmp_path)
    assert (ended.status, ended.out) == (2, "")
    assert re.fullmatch(r"zerosum: there is no model 'dcgn': did you mean dcgan.*\n", ended.err)
    assert not (tmp_path / "run").exists()


def test_debug_shows_the_traceback(tmp_path):
    command = (sys.executable, "-m", "zerosum", "--debug", "train", "dcgn")
    ended = spawn(*command, cwd=tmp_path)
    assert ended.status != 0
    assert ended.err.startswith("Traceback") and "UserError: there is no model" in ended.err


def test_debug_may_stand_anywhere(monkeypatch):
    from zerosum.cli.main import main

    monkeypatch.setattr(sys, "argv", ["zerosum", "train", "dcgn", "--debug"])
    with pytest.raises(UserError, match="dcgn"):
        main()


# -- names and overrides -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "naming"),
    [
        (["dcgn"], ["'dcgn'", "did you mean dcgan"]),
        (["dcgan/fashon"], ["'fashon'", "did you mean fashion", "cifar10"]),
        (["dcgan/tiny", "gan/tiny"], ["two systems", "dcgan/tiny, gan/tiny"]),
        (["dcgan/tiny", "model.wdth=8"], ["'model.wdth'", "did you mean model.width"]),
        (["dcgan/tiny", "trian.images=8"], ["'trian.images'", "did you mean train"]),
        (["dcgan/tiny", "optim.generater.lr=1"], ["did you mean optim.generator"]),
        (["dcgan/tiny", "system=gan"], ["unknown setting 'system'"]),
        (["dcgan/tiny", "train.seed.low=1"], ["'train.seed' is a single value"]),
        (["dcgan/tiny", "=8"], ["'=8' is no override", "dotted.path=value"]),
        (
            ["dcgan/tiny", "train.examples=many"],
            ["train.examples=many", "expected a valid integer"],
        ),
        (["dcgan/tiny", "train.examples=1.5"], ["train.examples=1.5", "expected a valid integer"]),
        (["dcgan/tiny", "train.batch=0"], ["train.batch=0", "must be at least 1"]),
        (["dcgan/tiny", "train.batch_per_device=5"], ["batch=16 is no multiple"]),
        (["dcgan/tiny", "train.precision=fp8"], ["expected 'fp32', 'bf16' or 'auto'"]),
        (["dcgan/tiny", "train.compile=maybe"], ["expected a valid boolean"]),
        (["dcgan/tiny", "model.objective=best"], ["expected", "'nonsaturating'"]),
        (["dcgan/tiny", "data.size=big"], ["data.size=big: this is no size", "64x128"]),
        (["dcgan/tiny", "data.holdout=2"], ["data.holdout=2", "must be less than 1"]),
        (["dcgan/tiny", "data=mnist"], ["'data' is a group of settings", "data.path"]),
        (["dcgan/tiny", "optim.generator=1"], ["group of settings", "optim.generator.lr"]),
        (["dcgan/tiny", "optim.generator={'rate': 1}"], ["generator.rate: Extra inputs"]),
        (["gan/tiny", "model.hidden=5"], ["model.hidden=5", "expected a valid tuple"]),
        (["toy/tiny", "data.modes=5", "data.name=moons"], ["data.modes means nothing for moons"]),
        (["toy/tiny", "--skip-bad"], ["--skip-bad means nothing for data of the kind 'toy'"]),
        (["--module", "nosuch.py"], ["there is no file 'nosuch.py'"]),
        (["--module", "nosuchmodule"], ["there is no module 'nosuchmodule'"]),
        (["--device", "cuda:99"], ["device 'cuda:99' is not there", "cpu"]),
        (["--device", "quantum"], ["device 'quantum' is not there", "cpu"]),
        (["--bogus"], ["--bogus"]),
    ],
)
@pytest.mark.parametrize("dry", [(), (DRY,)], ids=["run", "dry"])
def test_words_that_mean_nothing(words, naming, dry, refused):
    refused("train", *words, *dry, naming=naming)


def test_a_learning_rate_must_be_a_number(refused):
    line = refused("train", "dcgan/tiny", "optim.generator.lr=fast")
    assert line.startswith("zerosum: optim.generator.lr=fast: expected a valid number")


def test_a_whole_group_may_be_given_as_a_mapping():
    out = done("train", "dcgan/tiny", 'optim.generator={"lr": 0.5, "clip": 2}', DRY)
    assert '"lr": 0.5' in out and '"clip": 2.0' in out


@pytest.mark.parametrize(
    ("words", "naming"),
    [
        (["check", "dcgn"], ["'dcgn'", "did you mean dcgan"]),
        (["check", "nosuch.py"], ["nosuch.py"]),
        (["new", "dcgan"], ["'dcgan' already", "another name"]),
        (["new", "My-GAN"], ["'My-GAN'", "small letters"]),
        (["inspect", "nosuch"], ["nosuch", "digits"]),
        (["generate"], ["'run'"]),
        (["generate", "run", "-n", "0"], ["-n"]),
        (["generate", "run", "-n", "few"], ["-n", "valid integer"]),
        (["generate", "run", "--out", "s.jpg"], ["run is no run"]),
        (["generate", "run", "--device", "cuda:99"], ["cuda:99", "cpu"]),
        (["export", "run"], ["--to"]),
        (["trian"], ["trian"]),
    ],
)
def test_other_commands_refuse_as_clearly(words, naming, refused):
    refused(*words, naming=naming)


def test_new_overwrites_nothing(refused):
    Path("mygan.py").write_text("precious")
    refused("new", "mygan", naming=["mygan.py is there already"])


# -- data ----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["gan/tiny"], [], ["cgan/tiny", DRY]])
def test_missing_data(words, refused):
    refused("train", *words, "--data", "mnst", naming=["mnst", "did you mean mnist"])
    refused("train", *words, "--data", "no/such/place", naming=["no/such/place", "digits"])


def test_data_without_pictures(refused):
    Path("empty").mkdir()
    refused("train", "--data", "empty", naming=["empty is empty", "image files"])
    Path("texts").mkdir()
    Path("texts", "a.txt").write_text("a")
    refused("train", "gan/tiny", "--data", "texts", naming=["texts", "1 .txt", "image files"])


def test_unreadable_pictures(refused):
    write_photos(Path("photos"), [(16, 16)] * 5)
    Path("photos", "torn.png").write_bytes(Path("photos", "000.png").read_bytes()[:90])
    naming = ["torn.png", "--skip-bad"]
    refused("train", "gan/tiny", "--data", "photos", naming=naming)
    refused("train", "--data", "photos", naming=naming)


def test_pictures_of_several_sizes_for_a_named_model(refused):
    write_photos(Path("photos"), [(16, 16), (20, 24)])
    refused("train", "dcgan/tiny", "--data", "photos", naming=["16x16 to 20x24", "data.size="])


@pytest.mark.parametrize("size", ["30", "4", "33x47", "100x22"])
def test_a_size_that_the_model_cannot_do_comes_with_one_that_it_can(size, refused):
    naming = ["cannot be reached", "data.size="]
    line = refused("train", "dcgan/tiny", f"data.size={size}", DRY, naming=naming)
    done("train", "dcgan/tiny", line.split()[-1], DRY)


def test_a_size_that_the_model_cannot_do_leaves_no_run_behind(refused):
    refused("train", "dcgan/tiny", "data.size=30", "--out", "run", naming=["data.size=32"])


def test_a_size_of_the_model_against_the_datas(refused):
    naming = ["model.size=(32, 32)", "(8, 8)", "data.size"]
    refused("train", "dcgan/tiny", "model.size=32", naming=naming)


def test_a_conditional_model_without_labels(refused):
    write_photos(Path("photos"), [(8, 8)] * 5)
    naming = ["needs labels", "one sub-folder per class", "dcgan"]
    refused("train", "cgan/tiny", "--data", "photos", naming=naming)
    refused("train", "cgan/tiny", "data.labels=false", naming=["needs labels"])


def test_points_for_a_model_of_images(refused):
    naming = ["these points come from a law", "ring"]
    refused("train", "toy/tiny", "--data", "digits", naming=naming)


# -- folders -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "naming"),
    [
        (["gan/tiny"], ["a run of dcgan, not of gan", "--out"]),
        (["dcgan/tiny", "train.seed=1"], ["train.seed was 0 and is now 1", "--out"]),
        (["dcgan/tiny", "model.width=16"], ["model.width was 8 and is now 16"]),
        (["dcgan/tiny", "train.examples=320"], ["train.examples (may only grow) was 640"]),
    ],
)
def test_a_folder_with_another_run(words, naming, trained, refused):
    words = [*words, "evaluate.every=320"]
    refused(
        "train", *words, "--out", trained.path, naming=[str(trained.path), *naming],
        folders=[trained.path],
    )  # fmt: skip


def test_a_folder_of_a_run_that_was_killed_at_its_birth(tmp_path):
    """The recipe was being written: nobody else's files are there, so the run may begin."""
    found, out = recipe("gan/tiny"), RunFolder(tmp_path / "run")
    out.path.mkdir()
    (out.path / ".recipe.writing.json").write_text("{")
    out.check(found)
    out.claim(found, found.data.open().codec, {})
    assert out.recipe.is_file() and out.sheets.is_dir()


def test_a_folder_with_other_files(refused):
    Path("home").mkdir()
    Path("home", "thesis.txt").write_text("precious")
    refused("train", "gan/tiny", "--out", "home", naming=["home holds files but no run", "--out"])
    refused("train", "gan/tiny", "--out", "home/thesis.txt", naming=["is a file"])


@pytest.mark.parametrize("command", ["generate", "export"])
def test_a_folder_that_is_no_run(command, refused):
    to = ["--to", "model"] if command == "export" else []
    Path("empty").mkdir()
    for folder in ("empty", "nosuch"):
        refused(command, folder, *to, naming=[f"{folder} is no run", "zerosum train"])


@pytest.mark.parametrize("command", ["generate", "export"])
def test_a_run_without_a_checkpoint(command, trained, refused):
    shutil.copytree(trained.path, "run")
    shutil.rmtree("run/checkpoints")
    to = ["--to", "model"] if command == "export" else []
    refused(command, "run", *to, naming=["run has no whole checkpoint yet", "train it"])


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b'{"system": "dc',
        b"[1, 2]",
        b'{"system": "dcgan"}',
        b'{"system": "dcgan", "model": 1}',
        b"\xff\xfe\x00",
    ],
)
def test_a_damaged_recipe(damage, trained, refused):
    shutil.copytree(trained.path, "run")
    Path("run", "recipe.json").write_bytes(damage)
    refused("generate", "run", naming=["recipe"])
    refused("export", "run", "--to", "model", naming=["recipe"])
    refused("train", "dcgan/tiny", "--out", "run", naming=["recipe"])


def test_a_recipe_of_a_model_that_is_gone(trained, refused):
    shutil.copytree(trained.path, "run")
    file = Path("run", "recipe.json")
    file.write_text(file.read_text().replace('"system": "dcgan"', '"system": "dcgam"'))
    refused("generate", "run", naming=["no model 'dcgam'", "did you mean dcgan"])


def test_a_damaged_export(trained, refused):
    done("export", trained.path, "--to", "model")
    weights = Path("model", "model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-40])
    refused("generate", "model", naming=["model", "weights cannot be read"])
    weights.unlink()
    refused("generate", "model", naming=["model", "weights cannot be read"])
    Path("model", "config.json").write_text('{"format": 99}')
    refused("generate", "model", naming=["newer zerosum", "upgrade"])
    Path("model", "config.json").write_text("{")
    refused("generate", "model", naming=["no whole model folder"])


@pytest.mark.parametrize("out", ["file/run", "file/deep/run"])
def test_an_output_folder_that_cannot_be_written(out, trained, refused):
    """Below a file, where not even root can make a folder."""
    Path("file").write_text("precious")
    refused("train", "gan/tiny", "train.examples=16", "--out", out, naming=["file"])
    refused("generate", trained.path, "--out", f"{out}/s.png", naming=["file"])
    refused("generate", trained.path, "--out", f"{out}/many", naming=["file"])
    refused("export", trained.path, "--to", out, naming=["file"])


def test_output_folders_with_other_files(trained, refused):
    Path("full").mkdir()
    Path("full", "thesis.txt").write_text("precious")
    refused("generate", trained.path, "--out", "full", naming=["full is not empty", "--out"])
    refused("export", trained.path, "--to", "full", naming=["full is not empty", "--to"])


# -- conditions and extras -----------------------------------------------------------------


def test_labels_for_a_model_without(trained, points, refused):
    for run in (trained, points):
        refused("generate", run.path, "--labels", "3", naming=["no condition", "'label'"])


@pytest.mark.parametrize(
    ("labels", "naming"),
    [
        ("10", ["no class 10", "0 to 9"]),
        ("3,-1", ["no class -1", "0 to 9"]),
        ("three", ["label=three", "known: 0, 1, 2"]),
        ("1.5", ["label=[1.5]", "whole numbers"]),
        ("", ["--labels is empty"]),
    ],
)
def test_labels_that_are_none(labels, naming, labelled, refused):
    refused("generate", labelled.path, "--labels", labels, naming=naming)


def test_points_are_no_pictures(points, refused):
    naming = ["many is of no known kind", ".csv, .npz"]
    refused("generate", points.path, "--out", "many", naming=naming)


def test_a_missing_extra(monkeypatch, refused):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    naming = ["tensorboard", "pip install 'zerosum[tensorboard]'"]
    refused("train", "gan/tiny", "--tensorboard", naming=naming)


def test_a_bug_is_called_a_bug(monkeypatch):
    from zerosum.core import registry

    def broken():
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(registry, "list_models", broken)
    ended = call("list")
    assert ended.status == 1
    assert (
        ended.err == "zerosum: unexpected ZeroDivisionError: oops (a bug; --debug shows where)\n"
    )
