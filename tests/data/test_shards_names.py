"""Members of tar shards: no picture is lost, no mask is learned, and what was done is said."""

from __future__ import annotations

import pytest
from test_data_stream import opened, png, write_shard

from zerosum.data.stream import StreamFeed
from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.inspect import inspect
from zerosum.modalities.images.shards import shard_contents


def shards(folder, *members, count=2):
    """Shards with the same members, numbered on."""
    for number in range(count):
        start = number * len(members)
        named = [
            (name.format(n=start + n), png(start + n) if content is None else content)
            for n, (name, content) in enumerate(members)
        ]
        write_shard(folder / f"s-{number}.tar", named)
    return folder


def numbers(stream, count):
    images = next(StreamFeed(stream, batch=count))["image"][:, 0, 0, 0]
    return sorted(((images + 1) * 127.5).round().int().tolist())


def test_names_with_several_dots_lose_no_picture(tmp_path):
    for shard in range(2):
        members = []
        for n in range(10 * shard, 10 * shard + 10):
            members += [
                (f"{shard}.{n:02}.png", png(n)),
                (f"{shard}.{n:02}.cls", b"ab"[n % 2 :][:1]),
            ]
        write_shard(tmp_path / f"s-{shard}.tar", members)
    stream = opened(tmp_path)
    assert numbers(stream, 20) == list(range(20))
    batch = next(StreamFeed(stream, batch=20))
    seen = ((batch["image"][:, 0, 0, 0] + 1) * 127.5).round().long()
    assert (batch["label"] == seen % 2).all() and stream.classes == ("a", "b")
    note = "names with several dots: 20 pictures share a key up to the first dot"
    assert stream.notes[0].startswith(note) and "(0.00, ...)" in stream.notes[0]
    report = inspect(str(tmp_path))
    assert report.count == 20 and report.notes == stream.notes
    assert report.classes == {"a": 10, "b": 10}


def test_dots_in_folders_do_not_matter(tmp_path):
    shards(tmp_path, *((f"v1.2/x.y/{n}{{n}}.png", None) for n in "abc"))
    assert numbers(opened(tmp_path), 6) == list(range(6)) and opened(tmp_path).notes == ()


def test_a_mask_beside_a_picture_is_not_the_picture(tmp_path):
    mask = png(255)
    for n in range(2):
        members = [("{n}.mask.png", mask), ("{n}.png", png(n)), ("{n}.txt", b"words")]
        write_shard(tmp_path / f"s-{n}.tar", [(name.format(n=n), data) for name, data in members])
    stream = opened(tmp_path)
    assert numbers(stream, 2) == [0, 1]
    assert stream.notes == (
        "members of the shards left out: 2 .mask.png, 2 .txt "
        "(labels are read from .cls and .json)",
    )
    assert inspect(str(tmp_path)).notes == stream.notes


def test_the_picture_called_image_is_taken(tmp_path):
    for n in range(2):
        members = [
            (f"{n}.depth.png", png(255)),
            (f"{n}.image.png", png(n)),
            (f"{n}.cls", b"%d" % n),
        ]
        write_shard(tmp_path / f"s-{n}.tar", members)
    stream = opened(tmp_path)
    assert numbers(stream, 2) == [0, 1] and stream.classes == ("0", "1")


def test_two_formats_or_views_are_a_question(tmp_path):
    for n in range(2):
        members = [(f"{n}.jpg", png(n)), (f"{n}.png", png(n + 100))]
        write_shard(tmp_path / "two" / f"s-{n}.tar", members)
        views = [(f"{m}.{v}.png", png(m + d)) for m in range(4) for v, d in (("l", 0), ("r", 9))]
        write_shard(tmp_path / "views" / f"s-{n}.tar", views)
    with pytest.raises(UserError, match=r"0 has several pictures \(\.jpg, \.png\): .*two#jpg"):
        opened(tmp_path / "two")
    with pytest.raises(UserError, match=r"several pictures \(\.l\.png, \.r\.png\): .*views#l.png"):
        inspect(str(tmp_path / "views"))
    assert numbers(opened(f"wds:{tmp_path}/two#png"), 2) == [100, 101]
    assert numbers(opened(f"wds:{tmp_path}/views#r.png"), 8) == [9, 9, 10, 10, 11, 11, 12, 12]
    assert inspect(f"wds:{tmp_path}/two#jpg").count == 2
    with pytest.raises(UserError, match=r"holds no picture \.gif: shards"):
        opened(f"wds:{tmp_path}/two#gif")


def test_of_two_members_with_one_name_the_later_one_counts(tmp_path):
    write_shard(tmp_path / "a.tar", [("1.png", png(1)), ("1.png", png(2))])
    (sample,) = shard_contents(tmp_path / "a.tar").samples
    assert sample.image.offset > 1024


def test_hidden_members_are_no_pictures(tmp_path):
    members = [("__MACOSX/1.png", b"junk"), ("._2.png", b"junk"), ("./3.png", png(3))]
    write_shard(tmp_path / "a.tar", members)
    contents = shard_contents(tmp_path / "a.tar")
    assert [sample.key for sample in contents.samples] == ["./3"]
    assert contents.left == {"hidden": 2}


def test_shards_beside_the_parts_are_named(tmp_path):
    for folder in ("train", "val", "test", "extra"):
        write_shard(tmp_path / folder / "a.tar", [("1.png", png(1)), ("2.png", png(2))])
    split = Images(path=str(tmp_path)).open()
    assert split.heldout_note == "the set's own test/ shards (1), 2 pictures"
    note = "shards in neither train/ nor test/ left out: 2 (extra/a.tar, val/a.tar)"
    assert split.train.notes == (note,)
    report = inspect(str(tmp_path))
    assert (report.train, report.heldout) == (2, 2) and note in report.notes
