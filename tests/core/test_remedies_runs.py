"""Runs with remedies: exact resume, export and generate, what is shown of them."""

from __future__ import annotations

import html
import json

import pytest
import torch
from core_compare import assert_same_end, newest
from safetensors.torch import load_file
from typer.testing import CliRunner

import zerosum
from zerosum.cli.main import app
from zerosum.core.remedies import REMEDIES
from zerosum.pipelines.report import report

REMEDY = {
    "virtual_batch_norm": {"reference": 4},
    "instance_noise": {"sigma": 0.1},
    "top_k": {"share": 0.5},
    "lecam": {"weight": 0.3, "decay": 0.5},
    "ada": {"target": -1, "speed": 1_000, "start": 0.2},
}
"""Settings beside the default ones; schedules would be stretched where a run grows."""
ALL = [{"name": name, **REMEDY.get(name, {})} for name in REMEDIES]


def trained(folder, steps):
    changes = {
        "remedies": ALL,
        "train.examples": 16 * steps,
        "train.batch_per_device": 8,
        "evaluate.samples": 0,
        "doctor.every": 48,
    }
    recipe = zerosum.recipe("dcgan/tiny").override(changes)
    zerosum.train(recipe, folder, device="cpu", quiet=True)
    return pixels(folder)


def pixels(folder):
    """Some samples of a run or a model folder, as bytes."""
    return [image.tobytes() for image in zerosum.load(folder).sample(8, seed=3)]


def test_a_run_with_all_remedies_goes_on_exactly(tmp_path):
    """With micro-batches and checkups, which try losses; and each remedy with state has moved."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trained(parts, 4)
    torch.manual_seed(9)  # what this process has drawn since must not matter
    after, before = trained(parts, 8), trained(whole, 8)
    assert newest(parts).state["step"] == 8
    assert_same_end(whole, parts)
    assert after == before and len(set(after)) == 8
    state = newest(whole).game
    kept = {name.split(".", 2)[2] for name in state if name.startswith("remedies.")}
    assert {"norm.square.total", "anchors.real", "averages.generator.average_0"} <= kept
    assert all(v.count_nonzero() for n, v in state.items() if n.startswith("remedies."))
    log = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert {"discriminator/lecam", "generator/historical"} <= set(log[-1]["values"])


def test_exports_generate_the_same_and_card_and_report_show_the_remedies(tmp_path):
    folder, model = tmp_path / "run", tmp_path / "model"
    here = trained(folder, 2)
    assert CliRunner().invoke(app, ["export", str(folder), "--to", str(model)]).exit_code == 0
    assert pixels(model) == here
    reference = load_file(model / "model.safetensors")["generator.reference"]
    assert reference.shape == (4, 8)
    assert torch.equal(reference, newest(folder).game["generator.reference"])
    assert "| remedies | virtual_batch_norm, gradient_norm" in (model / "README.md").read_text()
    page, _ = report(folder, samples=0)
    assert "'name': 'lecam', 'weight': 0.3" in html.unescape(page.read_text())


@pytest.mark.parametrize("wrong", ["remedies=diffagument", "remedies=lecam,lecam"])
def test_a_wrong_name_is_one_line(run, tmp_path, wrong):
    ended = run("train", "dcgan/tiny", wrong, "--out", tmp_path / "run", status=2)
    assert len(ended.err.strip().splitlines()) == 1 and wrong in ended.err


def test_a_remedy_that_does_not_fit_ends_a_dry_run(run, tmp_path):
    more = ["--out", tmp_path / "run", "remedies=top_k"]
    ended = run("train", "rpgan/tiny", *more, "--dry-run", status=2)
    assert "the remedy top_k does not fit this game" in ended.err and not ended.out
    shown = run("train", "dcgan/tiny", *more, "--dry-run").out
    assert '"name": "top_k"' in shown
    assert not (tmp_path / "run").exists()
