"""`zerosum list`, `--help`, and what importing the package costs."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from cli_command import call, done, spawn

import zerosum

HEAVY = ("torch", "matplotlib", "sklearn", "scipy", "numpy", "pydantic", "PIL")


def test_list_shows_each_system_with_its_presets_and_needs():
    out = done("list")
    for name in zerosum.list_models():
        assert any(line.startswith(name) for line in out.splitlines())
    assert "fashion-mnist" in out
    (cgan,) = [line for line in out.splitlines() if line.startswith("cgan")]
    assert " label " in cgan


def test_list_as_json_says_the_same():
    listed = {row["name"]: row for row in json.loads(done("list", "--json"))}
    assert set(listed) == set(zerosum.list_models())
    assert listed["cgan"]["needs"] == ["image", "label"]
    assert listed["dcgan"]["needs"] == ["image"]
    fashion = listed["dcgan"]["presets"]["fashion"]
    assert fashion["data"] == "fashion-mnist" and fashion["examples"] == 300_000
    assert fashion["source"]
    for row in listed.values():
        assert row["summary"] and "tiny" in row["presets"]


def test_remedies_are_listed_with_who_can_have_them():
    out = " ".join(done("list", "--remedies").split())
    assert "label_smoothing the objective" in out and "remedies=NAME,NAME" in out
    listed = {row["name"]: row for row in json.loads(done("list", "--remedies", "--json"))}
    assert listed["label_smoothing"] == {
        "name": "label_smoothing",
        "needs": "the objective minimax, nonsaturating or lsgan",
        "usual": "0.9 (the paper)",
        "paper": "Salimans et al. 2016, arXiv:1606.03498, section 3.4",
    }
    assert len(listed) == 10


def test_without_arguments_the_help_is_shown():
    bare, asked = call(), call("--help")
    assert bare.status == asked.status == 0
    assert bare.out == asked.out and "train" in asked.out


@pytest.mark.parametrize(
    "command", ["list", "train", "generate", "inspect", "export", "check", "new", "tune"]
)
def test_the_help_of_each_command_has_an_example(command):
    assert f"Example: zerosum {command}" in " ".join(done(command, "--help").split())


@pytest.mark.parametrize("module", ["zerosum", "zerosum.cli.main"])
def test_imports_are_light(module):
    show = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    ended = spawn(sys.executable, "-c", show)
    assert ended.status == 0, ended.err
    assert ended.out.strip() == "[]"


def test_training_and_sampling_wait_for_no_library_of_scores_and_plots():
    show = (
        "import sys, zerosum, zerosum.training.trainer, zerosum.pipelines.generate, "
        "zerosum.pipelines.evaluate, zerosum.pipelines.export; zerosum.recipe('dcgan/tiny'); "
        "print([m for m in ('matplotlib', 'pandas', 'scipy', 'sklearn') if m in sys.modules])"
    )
    ended = spawn(sys.executable, "-c", show)
    assert ended.status == 0, ended.err
    assert ended.out.strip() == "[]"


def test_versions_are_told_in_a_line():
    python = ".".join(map(str, sys.version_info[:3]))
    told = f"zerosum {zerosum.__version__}, torch {torch.__version__}, Python {python}\n"
    assert done("--version") == told
    assert call("--version", "train").out == told
