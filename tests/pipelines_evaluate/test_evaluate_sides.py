"""What `evaluate` says of its two sides, and of a cache that it cannot use."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.doctor.checkup import Reference
from zerosum.errors import UserError
from zerosum.modalities import modality
from zerosum.pipelines import cache as kept
from zerosum.pipelines.evaluate import Evaluator
from zerosum.training.run import read_run


def scored(real, fake, **settings):
    return Evaluator(("kd",), features="pixels", **settings).folders(str(real), str(fake))


def test_sides_that_share_pictures_are_told(folders, tmp_path):
    notes = scored(folders / "real", folders / "real").notes
    assert "both sides share images: 200 of 200 fakes equal a real one" in notes[0]
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name, few in (("alike", None), ("real", 3)):
        for path in sorted((folders / name).iterdir())[:few]:
            (mixed / f"{name}{path.name}").symlink_to(path)
    assert "share images: 3 of 123 fakes" in scored(folders / "real", mixed).notes[0]
    assert not any("share" in one for one in scored(folders / "real", folders / "alike").notes)


def test_the_side_that_is_too_small_is_named(folders):
    with pytest.raises(UserError, match=r"few gives 4 images to score against \(held out: 20 %"):
        scored(folders / "few", folders / "real")
    with pytest.raises(UserError, match="few gives 5 images to be scored: 10 are the least"):
        scored(folders / "real", folders / "few")


def test_data_that_moved_are_called_the_runs(train, folders, tmp_path, monkeypatch):
    monkeypatch.chdir(folders)
    run = train("dcgan/tiny", tmp_path / "run", {"data.path": "alike"})
    evaluator = Evaluator(("kd",), samples=20)
    assert evaluator.run(run).scores
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZEROSUM_DATA", raising=False)
    with pytest.raises(
        UserError, match=r"run was trained on --data alike, which cannot be read"
    ) as e:
        Evaluator(("kd",), samples=20).run(run)
    assert "change to the one where the run was trained, or set ZEROSUM_DATA" in str(e.value)
    monkeypatch.setenv("ZEROSUM_DATA", str(folders))
    assert Evaluator(("kd",), samples=20).run(run).scores


def test_the_cure_for_an_absolute_path_is_to_bring_the_data_back(train, folders, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for path in (folders / "alike").iterdir():
        (data / path.name).write_bytes(path.read_bytes())
    run = train("dcgan/tiny", tmp_path / "run", {"data.path": str(data)})
    data.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="bring them back to that place"):
        Evaluator(("kd",), samples=20).run(run)


@pytest.mark.parametrize("place", ["file", "homeless"])
def test_a_cache_that_cannot_be_written_costs_no_score(place, tiny_run, tmp_path, monkeypatch):
    known = Evaluator(("kd",), samples=50).run(tiny_run)
    assert not any("ZEROSUM_CACHE" in note for note in known.notes)
    if place == "file":  # below a file, where not even root can write
        (tmp_path / "file").write_bytes(b"")
        monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "file" / "cache"))
    else:
        monkeypatch.setattr(kept, "cache_folder", lambda: Path("~nobody-at-all").expanduser())
    found = Evaluator(("kd",), samples=50).run(tiny_run)
    assert found.scores == known.scores
    (note,) = [note for note in found.notes if "ZEROSUM_CACHE" in note]
    assert "not kept for the next time" in note and "\n" not in note


# -- games that map ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mapping(train, tmp_path_factory):
    """A run of pix2pix on so many pairs, a tenth of them held out."""

    def made(number):
        folder = tmp_path_factory.mktemp("pairs")
        rng = np.random.default_rng(number)
        for side in "AB":
            (folder / side).mkdir()
            for one in range(number):
                pixels = rng.integers(0, 256, (16, 16), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / side / f"{one:03}.png")
        changes = {"data.path": str(folder), "evaluate.samples": 2_000, "doctor.every": 64}
        return train("pix2pix/tiny", folder / "run", changes)

    return made


@pytest.fixture(scope="module")
def many(mapping):
    return mapping(300)


def test_each_input_is_answered_once(many):
    """Thirty answers are thirty however many samples are asked for, and so are intervals."""
    every, exactly = (
        Evaluator(("l1", "kd"), features="pixels", samples=n).run(many).scores for n in (2_000, 30)
    )
    assert [one.n_fake for one in every] == [30, 30]
    l1, kd = every
    assert (l1.value, l1.interval) == (exactly[0].value, exactly[0].interval)
    assert (kd.n_real, exactly[1].n_real) == (270, 30)
    for made in Evaluator(("l1",), features="pixels").baselines(many):
        assert [one.n_fake for one in made.scores] == [30]


def test_a_training_scores_each_input_once(many):
    (row,) = map(json.loads, (many / "scores.jsonl").read_text().splitlines())
    assert row["protocol"]["fake"] == 30


def test_few_inputs_are_scored_by_their_answers_alone(mapping):
    run = mapping(30)
    found = Evaluator(features="pixels").run(run)
    assert {one.metric: one.n_fake for one in found.scores} == {"l1": 3, "psnr": 3}
    assert not (run / "scores.jsonl").exists()  # what three answers would say of a distribution
    with pytest.raises(UserError, match="1 images to be scored: 2 are the least, so train with a"):
        Evaluator(features="pixels").run(mapping(12))


def test_few_inputs_without_true_answers_name_the_cure(train, tmp_path):
    rng = np.random.default_rng(0)
    for side in "AB":
        (tmp_path / side).mkdir()
        for one in range(40):
            pixels = rng.integers(0, 256, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / side / f"{side}{one:03}.png")
    run = train("cyclegan/tiny", tmp_path / "run", {"data.path": str(tmp_path)})
    with pytest.raises(UserError, match="4 images to be scored: 10 are the least, so train with"):
        Evaluator(features="pixels").run(run)


@pytest.mark.parametrize(("number", "compared", "fresh"), [(300, 30, True), (100, 90, False)])
def test_the_doctor_looks_at_as_many_answers_as_there_are_inputs(mapping, number, compared, fresh):
    """Ten held-out inputs, each answered many times, would have the variety of a collapse."""
    saved = read_run(mapping(number))
    split = saved.recipe.data.open(saved.codec)
    reference = Reference.of(split, modality.of(saved.recipe.data), saved.game)
    assert (reference.compared, reference.fresh) == (compared, fresh)
    assert all(len(rows) == compared for rows in reference.inputs.values())
