"""`zerosum train`: what a run leaves, says and resumes; data of one's own; `--dry-run`."""

from __future__ import annotations

import json
import shlex
import shutil
import zipfile

import pytest
import torch
from cli_command import call, contents, done, opened, write_photos
from PIL import Image
from safetensors.torch import load_file

import zerosum
from zerosum.core.registry import system

MIXED = [(34, 50), (64, 40), (36, 36), (100, 70)] * 5
FEW = ("train.examples=32", "train.batch=16", "model.width=4", "evaluate.samples=0")


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


# -- what a run leaves ---------------------------------------------------------------------


def test_a_run_leaves_the_files_of_the_design(trained):
    names = {name for name in contents(trained.path) if "." in name}
    parts = ("game.safetensors", "ema.safetensors", "optimizers.pt", "state.json")
    assert names == {
        ".lock",
        "codec.json",
        "recipe.json",
        "machine.json",
        "report.html",
        "report.png",
        "log.jsonl",
        "scores.jsonl",
        "samples.png",
        "curves.png",
        "progress.gif",
        "checkups.jsonl",
        *(f"checkpoints/step_{step:08d}/{part}" for step in (20, 40) for part in parts),
        *(f"best/step_00000040/{part}" for part in parts),
        *(f"samples/seen_{seen:010d}.png" for seen in (0, 160, 320, 480, 640)),
    }


def test_the_recipe_of_a_run_holds_what_was_asked_and_found(trained):
    recipe = json.loads((trained.path / "recipe.json").read_text())
    assert (recipe["system"], recipe["preset"]) == ("dcgan", "tiny")
    assert recipe["train"]["sheet_every"] == 160
    assert recipe["model"]["size"] == [8, 8] and recipe["model"]["channels"] == 1
    assert recipe["facts"]["samples"] + 180 == 1797 and "180" in recipe["facts"]["held_out"]


def test_the_log_has_losses_norms_and_signals_at_each_interval(trained):
    log = rows(trained.path / "log.jsonl")
    assert [row["seen"] for row in log] == [160, 320, 480, 640]
    for name in ("discriminator/adversarial", "generator/adversarial", "generator/grad_norm"):
        assert all(torch.tensor(row["values"][name]).isfinite() for row in log)
    assert any(name.startswith("signal/") for name in log[-1]["values"])


def test_the_scores_name_their_protocol(trained):
    scores = rows(trained.path / "scores.jsonl")
    assert [row["seen"] for row in scores] == [320, 640]
    assert scores[-1]["protocol"]["fake"] == 64
    assert set(scores[-1]["scores"]) == set(scores[-1]["reference"])


def test_the_pictures_of_a_run_can_be_seen(trained):
    sheet = opened(trained.path / "samples.png")
    # Ten by ten digits, each enlarged twelvefold to 96 pixels, with a small gap between two.
    gap = (sheet.width - 960) / 9
    assert sheet.width == sheet.height and gap in (1, 2, 3, 4)
    last = opened(trained.path / "samples" / "seen_0000000640.png")
    assert last.tobytes() == sheet.tobytes()
    curves = opened(trained.path / "curves.png")
    assert curves.width > 1000 and curves.height > 600
    assert len(curves.convert("RGB").getcolors(2**20)) > 100  # lines of several colours


def test_the_film_has_a_frame_per_sheet_of_one_fixed_latent(trained):
    with Image.open(trained.path / "progress.gif") as film:
        assert film.n_frames == 5
        frames = []
        for number in range(film.n_frames):
            film.seek(number)
            frames.append(film.convert("L").tobytes())
        assert film.size == opened(trained.path / "samples.png").size
    assert len(set(frames)) == 5


def test_a_run_ends_with_where_things_lie_and_what_to_type_next(trained, tmp_path):
    lines = dict(line.split(None, 1) for line in trained.out.splitlines() if line[0] != " ")
    for name in ("samples.png", "curves.png", "progress.gif"):
        assert str(trained.path / name) in lines["pictures"]
    weights = trained.path / "checkpoints" / "step_00000040" / "ema.safetensors"
    assert lines["weights"] == str(weights) and weights.is_file()
    typed = lines["next"].split()
    assert typed[:3] == ["zerosum", "generate", str(trained.path)]
    done(*typed[1:])  # in this test's own folder
    assert opened(tmp_path / "here" / "samples.png").size[0] > 900


def test_points_are_drawn_as_a_plot(points):
    assert opened(points.path / "samples.png").size == (520, 500)


def test_tensorboard_files_lie_beside_the_others(tmp_path):
    pytest.importorskip("tensorboard")
    few = ("train.examples=32", "evaluate.samples=0", "--quiet")
    done("train", "gan/tiny", *few, "--tensorboard", "--out", "run")
    (events,) = (tmp_path / "here" / "run" / "tensorboard").iterdir()
    assert events.stat().st_size > 1000


# -- the same command again ----------------------------------------------------------------


def test_the_same_command_again_changes_nothing_that_counts(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained.path, folder)
    words = [folder if word == trained.path else word for word in trained.arguments]
    again = call(*words)
    assert again.status == 0
    assert again.out == trained.out.replace(str(trained.path), str(folder))
    assert "is trained to its end" in again.err
    before, after = contents(trained.path), contents(folder)
    assert set(before) == set(after)
    for name in ("recipe.json", "log.jsonl", "scores.jsonl", "samples.png"):
        assert before[name] == after[name]
    where = "checkpoints/step_00000040/ema.safetensors"
    old, new = load_file(trained.path / where), load_file(folder / where)
    assert all(torch.equal(old[name], new[name]) for name in old)


def test_a_longer_run_goes_on_where_the_shorter_one_ended(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained.path, folder)
    words = [folder if word == trained.path else word for word in trained.arguments]
    done(*words, "train.examples=800")
    assert (folder / "checkpoints" / "step_00000050").is_dir()
    assert [row["seen"] for row in rows(folder / "log.jsonl")] == [160, 320, 480, 640, 800]


# -- --dry-run -----------------------------------------------------------------------------


def test_a_dry_run_writes_nothing_and_tells_what_it_would(tmp_path):
    out = done("train", "dcgan/tiny", "model.width=16", "--dry-run", "--device", "cpu")
    assert contents(tmp_path / "here") == {}
    text, rest = out.split("\n}\n", 1)
    recipe = json.loads(text + "\n}")
    assert recipe["model"]["width"] == 16 and recipe["model"]["size"] == [8, 8]
    game = system("dcgan").game(system("dcgan").game.Config.model_validate(recipe["model"]))
    for player, modules in game.players().items():
        count = sum(p.numel() for module in modules for p in module.parameters())
        assert f"{player:<16}{count:>14,} parameters" in rest
    for words in ("memory", "MiB at least", "activations", "runs/dcgan-tiny", "samples.png"):
        assert words in rest
    assert f"{40:,} of 16 examples on cpu" in rest


def test_a_dry_run_refuses_what_the_run_would(trained, refused):
    arguments = ("train", "dcgan/tiny", "train.seed=5", "--out", trained.path, "--dry-run")
    refused(*arguments, naming=["train.seed was 0 and is now 5"], folders=[trained.path])


# -- data of one's own ---------------------------------------------------------------------


def test_a_folder_of_photos_needs_no_model_and_no_size(tmp_path):
    photos = write_photos(tmp_path / "photos", MIXED)
    done("train", "--data", photos, *FEW, "--quiet")
    (run,) = (tmp_path / "here" / "runs").iterdir()
    recipe = json.loads((run / "recipe.json").read_text())
    assert recipe["model"]["size"] == [32, 32] and recipe["model"]["channels"] == 3
    assert recipe["data"]["path"] == str(photos) and recipe["facts"]["samples"] == 18
    assert opened(run / "samples.png").mode == "RGB"
    done("generate", run, "-n", 2, "--out", "pair.npz")


def test_a_zip_of_photos_is_as_good_as_the_folder(tmp_path):
    photos = write_photos(tmp_path / "photos", MIXED)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for file in photos.iterdir():
            archive.write(file, file.name)
    samples = {}
    for name in ("photos", "photos.zip"):
        done("train", "--data", tmp_path / name, *FEW, "--quiet", "--out", f"run-{name}")
        samples[name] = zerosum.load(f"run-{name}").sample(2, decode=False)
    assert torch.equal(samples["photos"], samples["photos.zip"])


@pytest.mark.parametrize("size", [(96, 128), (50, 50), (36, 60)])
def test_photos_of_one_odd_size_need_no_more_words_either(size, tmp_path):
    photos = write_photos(tmp_path / "photos", [size] * 6)
    done("train", "--data", photos, "--dry-run")


def test_the_command_that_inspect_suggests_works_as_it_stands(tmp_path):
    photos = write_photos(tmp_path / "my photos", MIXED)
    (photos / "broken.png").write_bytes(b"no picture")
    command = json.loads(done("inspect", photos, "--json"))["command"]
    words = shlex.split(command)
    assert words[:2] == ["zerosum", "train"]
    out = done(*words[1:], "--dry-run")
    assert '"skip_bad": true' in out


def test_bad_pictures_can_be_skipped(tmp_path):
    photos = write_photos(tmp_path / "photos", [(16, 16)] * 20)
    (photos / "007.png").write_bytes(b"no picture")
    words = ("gan/tiny", "--data", photos, "train.examples=32", "evaluate.samples=0", "--quiet")
    refusal = call("train", *words)
    assert refusal.status == 2 and "007.png" in refusal.err and "--skip-bad" in refusal.err
    done("train", *words, "--skip-bad", "--out", "run")
    recipe = json.loads((tmp_path / "here" / "run" / "recipe.json").read_text())
    assert recipe["data"]["skip_bad"] is True
    assert recipe["facts"]["samples"] < 19
