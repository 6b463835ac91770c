"""Outputs of many files: whole or not there, and no larger than the machine."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from cli_command import call, done
from PIL import Image

from zerosum import files
from zerosum.errors import UserError
from zerosum.files import UNFINISHED, whole_folder


@pytest.fixture
def full(monkeypatch):
    """A disk that takes so many pictures and no more; call it with None for room again."""
    save = Image.Image.save

    def limit(most):
        left = [most]

        def saved(self, where, *words, **settings):
            if left[0] is not None:
                if not left[0]:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                left[0] -= 1
            return save(self, where, *words, **settings)

        monkeypatch.setattr(Image.Image, "save", saved)

    return limit


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
def test_the_command_of_a_full_disk_works_once_there_is_room(there, trained, full):
    if there:
        Path("many").mkdir()
    command = ["generate", trained.path, "-n", 12, "--out", "many"]
    full(5)
    ended = call(*command)
    assert ended.status == 2 and "the disk is full; many is as it was" in ended.err
    assert "type the same command again" in ended.err
    assert list(Path().iterdir()) == ([Path("many")] if there else [])
    full(None)
    done(*command)
    assert len(list(Path("many").iterdir())) == 12
    assert [path.name for path in Path().iterdir()] == ["many"]


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
def test_what_a_killed_command_left_is_taken_away(there, trained):
    left = Path("many", UNFINISHED) if there else Path(f"{UNFINISHED}-many")
    left.mkdir(parents=True)
    (left / "99.png").write_bytes(b"half")
    done("generate", trained.path, "-n", 12, "--out", "many")
    assert [path.name for path in sorted(Path("many").iterdir())] == [
        f"{number:02}.png" for number in range(12)
    ]


def test_pictures_of_somebody_else_are_left_alone(trained):
    Path("many").mkdir()
    Path("many", "mine.png").write_bytes(b"precious")
    for command in (["generate", "--out"], ["export", "--to"]):
        ended = call(command[0], trained.path, command[1], "many")
        assert ended.status == 2 and f"another folder with {command[1]}" in ended.err
    assert [path.name for path in Path("many").iterdir()] == ["mine.png"]


def test_an_export_that_failed_can_be_typed_again(trained, monkeypatch):
    from zerosum.pipelines import export

    command = ["export", trained.path, "--to", "model"]
    card = export.card

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(export, "card", full)
    ended = call(*command)
    assert ended.status == 2 and "the disk is full; model is as it was" in ended.err
    assert not Path("model").exists()
    monkeypatch.setattr(export, "card", card)
    done(*command)
    assert Path("model", "config.json").is_file()


def test_the_best_checkpoint_is_exported_with_the_scores_of_its_run(trained):
    done("export", trained.path / "best", "--to", "model")
    assert "fd-pixels" in Path("model", "README.md").read_text(encoding="utf-8")


def test_a_folder_appears_when_it_is_whole(tmp_path):
    target = tmp_path / "deep" / "out"
    with whole_folder(target) as partial:
        (partial / "a").write_text("a", encoding="utf-8")
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["a"]
    with pytest.raises(UserError, match="is not empty"), whole_folder(target):
        pytest.fail("it must not begin")
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "new") as partial:
        raise KeyboardInterrupt
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "here"]


@pytest.mark.parametrize("suffix", [".PNG", ".NPZ", ".Npz"])
def test_suffixes_in_capitals_mean_the_same(suffix, trained):
    done("generate", trained.path, "-n", 3, "--out", f"s{suffix}")
    assert [path.name for path in Path().iterdir()] == [f"s{suffix}"]
    if suffix == ".PNG":
        with Image.open("s.PNG") as sheet:
            assert sheet.format == "PNG"
    else:
        with np.load(f"s{suffix}") as arrays:
            assert len(arrays["images"]) == 3


@pytest.mark.parametrize("suffix", [".CSV", ".PNG", ".NPZ"])
def test_suffixes_of_points_in_capitals_mean_the_same(suffix, points):
    done("generate", points.path, "-n", 3, "--out", f"s{suffix}")
    begin = {".CSV": b"x0,x1\n", ".PNG": b"\x89PNG", ".NPZ": b"PK"}[suffix]
    assert Path(f"s{suffix}").read_bytes().startswith(begin)


@pytest.mark.parametrize("count", [10**12, 10**15])
@pytest.mark.parametrize("more", [(), ("--labels", "3")])
def test_more_samples_than_memory_are_refused_at_once(count, more, labelled, monkeypatch):
    monkeypatch.setattr("zerosum.core.draw.drawn", lambda *_: pytest.fail("it was begun"))
    ended = call("generate", labelled.path, "-n", count, *more, "--out", "s.npz")
    assert ended.status == 2 and f"{count:,} samples need" in ended.err
    assert "of memory and this machine has" in ended.err


def test_what_streams_needs_no_memory_but_for_conditions(labelled, monkeypatch):
    monkeypatch.setattr("zerosum.pipelines.streaming.memory", lambda: 1_000)
    done("generate", labelled.path, "-n", 20, "--out", "many")
    assert len(list(Path("many").iterdir())) == 20
    ended = call("generate", labelled.path, "-n", 20, "--labels", 3, "--out", "more")
    assert ended.status == 2 and "20 samples need 2.5 KiB of memory" in ended.err


def test_other_commands_refuse_as_many(trained):
    for command in (
        ["evaluate", trained.path, "--samples", 10**12],
        ["report", trained.path, "--samples", 10**12],
        ["study", trained.path, "--out", "s", "--images", 10**12],
    ):
        ended = call(*command, *(["--quiet"] if command[0] != "study" else []))
        assert ended.status == 2 and "samples need" in ended.err, ended.err


def test_more_files_than_the_disk_has_room_for_are_refused(trained, monkeypatch):
    monkeypatch.setattr("zerosum.pipelines.streaming.room", lambda path: 10_000)
    ended = call("generate", trained.path, "-n", 3, "--out", "many")
    assert ended.status == 2
    assert "3 files need at least 12 KiB of disk and many has 9.766 KiB left" in ended.err
    done("generate", trained.path, "-n", 2, "--out", "many")


def test_out_of_memory_is_no_bug(trained, monkeypatch):
    def hungry(*arguments, **settings):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")

    monkeypatch.setattr("zerosum.pipelines.generate.drawn", hungry)
    ended = call("generate", trained.path, "-n", 3)
    assert ended.status == 2 and ended.err.startswith("zerosum: out of memory: ask for fewer")


def test_room_is_asked_of_the_nearest_folder_that_is_there(tmp_path):
    assert files.room(tmp_path / "a" / "b") == files.room(tmp_path) > 0
    assert files.amount(3 * 2**30) == "3 GiB" and files.memory() > 2**28
