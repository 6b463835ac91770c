"""Where files may be written: what is there stays what it is, and nothing of value is lost."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
from pathlib import Path
from unittest import mock

import pytest
from cli_command import SCRIPT, contents, done, spawn

from zerosum.errors import UserError
from zerosum.files import DiskError, atomic, must_be_json


@pytest.fixture
def pipe():
    """A named pipe and what its reader, who is there already, has got in the end."""
    os.mkfifo("pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()), daemon=True)
    reader.start()
    return Path("pipe"), lambda: reader.join(20) or got[0]


def test_a_pipe_is_written_to_and_stays_a_pipe(points, pipe):
    place, got = pipe
    done("doctor", points.path, "--json", place)
    assert json.loads(got())["signals"]
    assert stat.S_ISFIFO(place.stat().st_mode), "a file has taken its place"
    assert [path.name for path in Path().iterdir()] == ["pipe"]


def test_a_device_is_written_to_and_stays_a_device(tmp_path):
    """In a folder of its own, for root could replace the system's."""
    try:
        os.mknod("null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod("full", 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        Path("null").write_bytes(b"x")
    except OSError as error:
        pytest.skip(f"no devices can be made here: {error}")
    with atomic(Path("null")) as partial:
        partial.write_text("{}", encoding="utf-8")
    with pytest.raises(DiskError, match="the disk is full"), atomic(Path("full")) as partial:
        partial.write_text("{}", encoding="utf-8")
    assert all(stat.S_ISCHR(Path(name).stat().st_mode) for name in ("null", "full"))
    assert sorted(path.name for path in Path().iterdir()) == ["full", "null"]


def test_records_go_where_the_output_goes(points):
    ended = spawn(SCRIPT, "doctor", points.path, "--json", "/dev/stdout")
    assert ended.status == 0, ended.err
    assert json.JSONDecoder().raw_decode(ended.out)[0]["signals"]
    assert "healthy" in ended.out


def test_of_a_link_the_file_behind_it_is_replaced(points):
    Path("disk").mkdir()
    Path("link.json").symlink_to(Path("disk", "s.json"))
    for _ in range(2):  # there is no file behind it at first
        done("doctor", points.path, "--json", "link.json")
    assert Path("link.json").is_symlink()
    assert json.loads(Path("disk", "s.json").read_text(encoding="utf-8"))["signals"]
    assert [path.name for path in Path("disk").iterdir()] == ["s.json"]


def test_a_file_that_takes_what_is_printed_takes_no_records():
    with Path("log").open("w") as log, mock.patch("sys.__stdout__", log):
        with pytest.raises(UserError, match="log takes what is printed: name another file"):
            must_be_json(Path("log"))
        must_be_json(Path("other"))


def test_records_replace_records_and_no_other_file(points, refused, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(points.path, run)
    for name in ("recipe.json", "codec.json", "machine.json"):
        words = [f"{name} is there", "a part of what zerosum reads again", "--json"]
        refused("doctor", run, "--json", run / name, naming=words)
    refused("evaluate", run, "--quiet", "--json", run / "samples.png", naming=["is no JSON"])
    Path("notes").write_text("my thesis", encoding="utf-8")
    refused("evaluate", run, "--quiet", "--json", "notes", naming=["notes is there", "no JSON"])
    for _ in range(2):
        done("doctor", run, "--json", "s.json")


def test_a_place_that_cannot_be_is_refused_before_anything_is_drawn(trained, refused):
    Path("s.png").mkdir()
    Path("file").write_text("precious", encoding="utf-8")
    with mock.patch("zerosum.core.draw.draw", side_effect=AssertionError("it was begun")):
        for out, naming in (
            ("s.png", ["s.png is a folder", "name a file with --out"]),
            ("file", ["file is a file", "name a folder with --out"]),
            ("file/s.png", ["file, it is a file", "name another file with --out"]),
            ("file/s", ["file, it is a file", "name another folder with --out"]),
        ):
            line = refused("generate", trained.path, "-n", 2, "--out", out, naming=naming)
            assert "free some space" not in line
        refused("study", trained.path, "--out", "file", naming=["file is a file", "--out"])


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_no_run_goes_into_an_exported_model(more, points, trained, refused):
    """Nor below a file; the model's own files, of another kind of data, are not called damaged."""
    done("export", trained.path, "--to", "model")
    words = ["train", "toy/tiny", "train.examples=64", *more]
    line = refused(*words, "--out", "model", naming=["model holds files but no run", "--out"])
    assert "damaged" not in line
    Path("file").write_text("precious", encoding="utf-8")
    refused(*words, "--out", "file/run", naming=["file, it is a file", "--out"])


def test_only_a_full_disk_asks_for_space():
    Path("there").mkdir()
    before = contents(Path())
    with pytest.raises(DiskError) as refusal, atomic(Path("there")) as partial:
        partial.write_text("x", encoding="utf-8")
    assert "Mend that, or name another place" in str(refusal.value)
    assert contents(Path()) == before
