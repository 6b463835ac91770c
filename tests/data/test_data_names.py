"""Names of files and classes of any kind: read as they are meant, and harmless when shown."""

from __future__ import annotations

import json
import os
import sys
import tarfile
import zipfile

import pytest
from made_pictures import picture, write_folder

from zerosum.core.registry import recipe as find_recipe
from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.names import printable
from zerosum.progress import ProgressBar


def opened(path):
    return Images(path=str(path), holdout=0).open().train


@pytest.mark.parametrize("start", ["../", "./", "/", "../../x/../"])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_names_that_lead_out_of_an_archive_are_read_as_names(tmp_path, start, kind):
    root = write_folder(tmp_path / "set", ["a/1.png", "b/1.png"])
    path = tmp_path / f"set.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("a/1.png", "b/1.png"):
                archive.writestr(start + name, (root / name).read_bytes())
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as archive:
            for name in ("a/1.png", "b/1.png"):
                member = archive.gettarinfo(root / name)
                member.name = start + name
                with open(root / name, "rb") as file:
                    archive.addfile(member, file)
    source = opened(path)
    assert source.classes == ("a", "b") and len(source) == 2


def test_backslashes_in_a_zip_are_folders(tmp_path):
    root = write_folder(tmp_path / "set", ["a/1.png", "b/1.png"])
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("a/1.png", "b/1.png"):
            archive.writestr(name.replace("/", "\\"), (root / name).read_bytes())
    assert opened(tmp_path / "set.zip").classes == ("a", "b")


def test_a_name_stored_twice_is_the_later_file_and_said(tmp_path):
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w") as archive:
        for number, name in enumerate(("./a.png", "a.png")):
            picture(number).save(tmp_path / "a.png")
            archive.add(tmp_path / "a.png", name)
        link = tarfile.TarInfo("b.png")
        link.type, link.linkname = tarfile.LNKTYPE, "a.png"
        archive.addfile(link)
    source = opened(path)
    assert (source.fetch([0])["image"][0].permute(1, 2, 0).numpy() == picture(1)).all()
    assert source.notes == (
        "links, pipes and devices in the archive left out: 1 (b.png)",
        "earlier ones of two files with one name left out: 1 (a.png)",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are for Linux")
def test_names_of_any_bytes_are_classes_that_can_be_stored(tmp_path):
    for name in (b"caf\xe9", b"a\x1b[31m\n"):
        folder = os.fsencode(tmp_path) + b"/" + name
        os.mkdir(folder)
        for number in range(2):
            with open(folder + b"/%d.png" % number, "wb") as file:
                picture(number).save(file, "png")
    split = Images(path=str(tmp_path), holdout=0).open()
    assert split.train.classes == (r"a\x1b[31m\x0a", r"caf\xe9")
    assert json.loads(json.dumps(split.codec.state()[0]))["classes"][1] == r"caf\xe9"
    assert split.train.fetch([0, 2])["image"].float().std() > 0
    assert all(line.isprintable() for line in split.train.notes)


def test_messages_cannot_steer_the_terminal(tmp_path):
    (tmp_path / "bad\x1b[2J\x07\u202e.png").write_bytes(b"junk")
    picture(0).save(tmp_path / "good.png")
    with pytest.raises(UserError) as caught:
        opened(tmp_path)
    assert str(caught.value).startswith(r"bad\x1b[2J\x07\u202e.png cannot be read")
    with pytest.raises(UserError) as caught:
        opened(tmp_path / "\x1b[31mgone")
    assert r"\x1b[31mgone" in str(caught.value) and "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("caf\udce9", r"caf\xe9"),
        ("a\x1b[31m\x07\n", r"a\x1b[31m\x07\x0a"),
        ("a\u202eb\x85", r"a\u202eb\x85"),
        ("cafe\u0301 \u3000 \U0001f469\u200d\U0001f467", None),
    ],
)
def test_what_cannot_be_printed_is_escaped_and_nothing_else(text, shown):
    assert printable(text) == (shown or text)
    assert printable("two\nlines\x1b", keep="\n") == "two\nlines\\x1b"


def test_a_path_that_json_cannot_hold_is_refused_with_its_cure(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    write_folder(tmp_path, [f"{os.path.basename(path)}/1.png"])
    assert len(opened(path)) == 1
    with pytest.raises(UserError, match=r"caf\\xe9 is not UTF-8, so recipe\.json cannot name it"):
        find_recipe("dcgan/tiny").with_data(path).to_json()


def test_what_is_said_on_the_way_cannot_steer_the_terminal(capsys):
    ProgressBar().say("a\x1b[2J\x07b")
    assert capsys.readouterr().err == "a\\x1b[2J\\x07b\n"


def test_inspect_prints_names_that_cannot_steer_the_terminal(tmp_path, capsys):
    pytest.importorskip("pandas")
    from zerosum.cli.main import app

    rows = "".join(f"{n % 7},{'xy'[n % 2]}\x1b[31m\n" for n in range(20))
    (tmp_path / "rows.csv").write_text(f"number,a\x1b[2J\n{rows}")
    app(["inspect", str(tmp_path / "rows.csv")], standalone_mode=False)
    said = capsys.readouterr().out
    assert r"a\x1b[2J" in said and "\x1b" not in said
