"""What `evaluate` says of its two sides, and of a cache that it cannot use."""

from pathlib import Path

import pytest

from zerosum.errors import UserError
from zerosum.pipelines import cache as kept
from zerosum.pipelines.evaluate import Evaluator


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
