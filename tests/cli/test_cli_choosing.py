"""`zerosum train --data FOLDER` without a system: the table, and the one line that says so."""

from __future__ import annotations

import json

import pytest
from cli_command import call, write_photos

from zerosum.core.registry import recipe
from zerosum.modalities.images.choosing import AUGMENTATION, DEVICES, chosen, row


@pytest.mark.parametrize(
    ("size", "images", "device", "gamma", "remedy"),
    [
        ((64, 64), 300, "cpu", 10.0, "ada"),
        ((32, 32), 2_000, "cpu", 2.5, "ada"),
        ((32, 48), 20_000, "cpu", 3.8, None),
        ((8, 8), 999, "cpu", 1.0, "ada"),
        ((64, 64), 1_000, "mps", 10.0, "ada"),
        ((128, 128), 19_999, "cuda", 0.1, "ada"),
        ((64, 64), 100_000, "cuda", 0.026, None),
    ],
)
def test_the_table_by_size_number_and_device(size, images, device, gamma, remedy):
    settings = chosen(size, images, device)
    assert settings["model.gamma"] == gamma
    assert [one["name"] for one in settings.get("remedies", [])] == [remedy] * (remedy is not None)


def test_all_rows_are_presets_that_take_their_settings():
    for device in DEVICES:
        found = recipe(row(device).preset)
        changed = found.override({"remedies": AUGMENTATION, "model.gamma": 1.0})
        assert [one.name for one in changed.remedies] == [one["name"] for one in AUGMENTATION]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_photos(tmp_path / "photos", [(20, 20)] * 30)
    return "photos"


def dry(*words):
    ended = call(
        "train", "--data", "photos", "--out", "run", "--device", "cpu", *words, "--dry-run"
    )
    assert ended.status == 0, ended.err
    tree = json.loads(ended.out[: ended.out.rindex("}") + 1])
    return tree, [line for line in ended.err.splitlines() if "docs/guide/train.md" in line]


def test_what_was_chosen_is_said_in_one_line_and_stands_in_the_recipe(photos):
    tree, lines = dry()
    assert lines == [
        "27 images to learn from, at 20x20, on cpu: rpgan/photos model.gamma=1.0 "
        "remedies=ada (docs/guide/train.md has the table)"
    ]
    assert tree["about"] == lines[0]
    assert (tree["system"], tree["preset"], tree["model"]["gamma"]) == ("rpgan", "photos", 1.0)
    assert tree["remedies"][0]["speed"] == 100_000


def test_what_the_user_sets_goes_before_it(photos):
    tree, (line,) = dry("data.size=16", "model.gamma=3", "remedies=lecam")
    assert line.startswith("27 images to learn from, at 16x16, on cpu: rpgan/photos (docs")
    assert tree["model"]["gamma"] == 3 and tree["data"]["size"] == [16, 16]
    assert [one["name"] for one in tree["remedies"]] == ["lecam"]


def test_a_named_system_is_left_as_it_is(photos):
    ended = call("train", "dcgan/tiny", "--data", "photos", "data.size=16", "--dry-run")
    assert ended.status == 0 and "docs/guide/train.md" not in ended.err
