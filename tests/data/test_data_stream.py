"""Tar shards: deterministic, split without overlap, resumed exactly."""

from __future__ import annotations

import io
import json
import tarfile
from itertools import islice

import numpy as np
import pytest
import torch
from made_pictures import picture

from zerosum.data import stream as stream_module
from zerosum.data.feed import Feed, feed
from zerosum.data.places import expand
from zerosum.data.stream import StreamFeed
from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.streaming import ImageStream


def png(number, size=(4, 4)):
    """A picture whose pixels are all its number, so that a batch tells which samples it holds."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", size, number).save(buffer, "png")
    return buffer.getvalue()


def write_shard(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def write_shards(folder, counts, label=lambda n: f"{n % 3}", kind="cls"):
    number = 0
    for shard, count in enumerate(counts):
        members = []
        for _ in range(count):
            members.append((f"{number:06}.png", png(number)))
            members.append((f"{number:06}.{kind}", label(number).encode()))
            number += 1
        write_shard(folder / f"shards-{shard:03}.tar", members)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_shards(tmp_path / "set", [5, 7, 6, 4, 8, 6])


def opened(path, **options):
    return Images.model_validate({"path": str(path), "holdout": 0, **options}).open().train


def seen(feed, steps):
    """Numbers of the samples handed out."""
    batches = [b["image"][:, 0, 0, 0] for b in islice(feed, steps)]
    return ((torch.cat(batches) + 1) * 127.5).round().int().tolist()


def test_a_folder_of_shards_is_a_stream(folder):
    stream = opened(folder)
    assert stream.name == "set/train" and len(stream.shards) == 6
    assert stream.shapes == {"image": (1, 4, 4), "label": ()}
    assert stream.classes == ("0", "1", "2")
    fed = feed(stream, batch=6)
    assert isinstance(fed, StreamFeed)
    batch = next(fed)
    numbers = ((batch["image"][:, 0, 0, 0] + 1) * 127.5).round().long()
    assert torch.equal(batch["label"], numbers % 3) and batch["label"].dtype == torch.int64


def test_patterns_name_shards(folder, monkeypatch):
    stream = opened(f"wds:{folder}/shards-{{000..002}}.tar")
    assert [shard.name for shard in stream.shards] == [f"shards-00{i}.tar" for i in range(3)]
    assert len(opened(f"wds:{folder}").shards) == 6
    monkeypatch.setenv("ZEROSUM_DATA", str(folder.parent))
    assert len(opened("wds:set/shards-{000,005}.tar").shards) == 2
    assert expand("a{08..11}-{x,y}") == [
        f"a{n}-{c}" for n in ("08", "09", "10", "11") for c in "xy"
    ]
    with pytest.raises(UserError, match=r"\{0..x\} is no range of shards"):
        expand("a{0..x}")
    with pytest.raises(UserError, match=r"no file or folder .*shards-006.tar"):
        opened(f"wds:{folder}/shards-{{005..009}}.tar")


@pytest.mark.parametrize("buffer", [1, 8, 8192])
def test_every_epoch_covers_the_set_once(folder, monkeypatch, buffer):
    monkeypatch.setattr(stream_module, "SHUFFLE_BUFFER", buffer)
    numbers = seen(StreamFeed(opened(folder), batch=9), 8)
    assert sorted(numbers[:36]) == sorted(numbers[36:]) == list(range(36))
    assert numbers[:36] != numbers[36:] and numbers[:36] != list(range(36))
    assert numbers == seen(StreamFeed(opened(folder), batch=9), 8)
    assert numbers != seen(StreamFeed(opened(folder), batch=9, seed=1), 8)


def test_ranks_never_overlap(folder):
    shares = [
        [s.key for s in islice(StreamFeed(opened(folder), batch=1, rank=r, world=3)._order(), n)]
        for r, n in enumerate(_epoch_sizes(folder, 3))
    ]
    assert sorted(key for share in shares for key in share) == [f"{n:06}" for n in range(36)]


def _epoch_sizes(folder, world):
    from zerosum.data.order import SHUFFLE, permutation

    counts = [5, 7, 6, 4, 8, 6]
    order = permutation((0, SHUFFLE, 0), 6)
    return [sum(counts[i] for i in order[r::world]) for r in range(world)]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_resume_equals_the_uninterrupted_stream(folder, workers):
    options = {"batch": 5, "seed": 2}
    whole = list(islice(StreamFeed(opened(folder, flip=True), **options), 20))
    one = StreamFeed(opened(folder, flip=True), workers=workers, **options)
    for expected in whole[:4]:
        assert torch.equal(next(one)["image"], expected["image"])
    assert one.position == 4, "what was read ahead does not count"
    for start in (17, 2, 9):
        one.position = start
        for expected in whole[start : start + 3]:
            batch = next(one)
            assert torch.equal(batch["image"], expected["image"])
            assert torch.equal(batch["label"], expected["label"])
    one.close()
    assert torch.equal(next(one)["image"], whole[12]["image"])


def test_going_forward_decodes_nothing(folder, monkeypatch):
    fed = StreamFeed(opened(folder), batch=2)
    calls = []
    read = ImageStream.read
    monkeypatch.setattr(
        ImageStream, "read", lambda self, s, v: (calls.append(len(s)), read(self, s, v))[1]
    )
    fed.position = 100
    next(fed)
    assert calls == [2]


def test_flips_differ_by_sample(tmp_path):
    members = []
    for number in range(40):
        buffer = io.BytesIO()
        picture(0).save(buffer, "png")
        members.append((f"{number}.png", buffer.getvalue()))
    write_shard(tmp_path / "a.tar", members)
    write_shard(tmp_path / "b.tar", members)
    batch = next(StreamFeed(opened(tmp_path, flip=True), batch=80))["image"]
    same = (batch == batch[:1]).flatten(1).all(1)
    mirrored = (batch == batch[:1].flip(-1)).flatten(1).all(1)
    assert (same | mirrored).all() and 20 < same.sum() < 60


def test_shards_written_by_webdataset_are_read(tmp_path):
    writer_module = pytest.importorskip("webdataset")
    for shard in range(2):
        with writer_module.TarWriter(str(tmp_path / f"s-{shard}.tar")) as sink:
            for number in range(4):
                pixels = np.asarray(picture(shard * 4 + number))
                sink.write({"__key__": f"dir/{number}", "png": pixels, "cls": number % 2})
    stream = opened(tmp_path)
    assert stream.classes == ("0", "1") and stream.shapes["image"] == (3, 6, 6)
    batch = next(StreamFeed(stream, batch=8))
    got = {bytes(((p + 1) * 127.5).round().byte().numpy().tobytes()) for p in batch["image"]}
    want = {np.asarray(picture(i)).transpose(2, 0, 1).tobytes() for i in range(8)}
    assert got == want


@pytest.mark.parametrize(
    ("label", "kind", "classes"),
    [
        (lambda n: json.dumps({"label": n % 2}), "json", ("0", "1")),
        (lambda n: json.dumps({"id": 4, "cls": "ab"[n % 2]}), "json", ("a", "b")),
        (lambda n: ["no", "yes"][n % 2], "cls", ("no", "yes")),
        (lambda n: str(n % 2 * 2), "cls", ("0", "2")),
        (lambda n: "5", "cls", ()),
    ],
)
def test_labels(tmp_path, label, kind, classes):
    stream = opened(write_shards(tmp_path, [3, 3], label, kind))
    assert stream.classes == classes
    assert ("label" in next(StreamFeed(stream, batch=2))) == bool(classes)


def test_class_names_beside_the_shards(folder):
    (folder / "classes.txt").write_text("ant\nbee\ncow\n")
    stream = opened(folder)
    assert stream.classes == ("ant", "bee", "cow")
    assert set(next(StreamFeed(stream, batch=36))["label"].tolist()) == {0, 1, 2}
    (folder / "classes.txt").write_text("ant\nbee\n")
    with pytest.raises(UserError, match=r"has label 2: .*; or set data.labels=false"):
        next(StreamFeed(opened(folder), batch=36))
    assert opened(folder, labels=False).shapes == {"image": (1, 4, 4)}


def test_labels_of_no_use(tmp_path):
    bad = write_shards(tmp_path / "bad", [2, 2], lambda n: "[1]", "json")
    with pytest.raises(UserError, match="000000 has no usable label: write a number or a word"):
        opened(bad)
    mixed = write_shards(tmp_path / "mixed", [2, 2], lambda n: ["7", "x"][n % 2])
    with pytest.raises(UserError, match="mix numbers and words: write one kind"):
        opened(mixed)


def test_heldout_shards(folder):
    split = Images(path=str(folder), holdout=0.34).open()
    assert split.heldout is not None
    assert len(split.train.shards) == 4 and not split.heldout.in_memory
    held = seen(Feed(split.heldout, batch=1), len(split.heldout))
    total = 36 - len(held)
    rest = seen(StreamFeed(split.train, batch=1), total)
    assert sorted(held + rest) == list(range(36))
    assert split.heldout_note == f"2 of 6 shards, seed 0, {len(held)} pictures"
    assert split.heldout.shapes == split.train.shapes
    few = Images(path=f"wds:{folder}/shards-{{000..001}}.tar").open()
    assert few.heldout is None
    assert few.heldout_note == "none: 2 shards are too few to keep 10 % aside"


def test_own_parts(tmp_path):
    write_shards(tmp_path / "train", [3, 3])
    write_shards(tmp_path / "val", [4])
    split = Images(path=str(tmp_path)).open()
    assert split.heldout is not None and len(split.heldout) == 4
    assert split.heldout_note == "the set's own val/ shards (1), 4 pictures"


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_pictures(tmp_path, workers):
    members = [(f"{n}.png", b"junk" if n == 12 else png(n)) for n in range(20)]
    write_shard(tmp_path / "a.tar", members[:10])
    write_shard(tmp_path / "b.tar", members[10:])
    options = {"size": 4, "channels": 1}
    fed = StreamFeed(opened(tmp_path, **options), batch=20, workers=workers)
    with pytest.raises(UserError, match=r"b.tar:12 cannot be read \(not an image, or damaged\)"):
        next(fed)
    assert fed.position == 0
    write_shard(tmp_path / "b.tar", [(f"{n}.png", png(n)) for n in range(10, 20)])
    expected = next(StreamFeed(opened(tmp_path), batch=20))["image"]
    assert torch.equal(next(fed)["image"], expected), "mended, it goes on where it stood"
    fed.close()
    write_shard(tmp_path / "b.tar", members[10:])
    stream = opened(tmp_path, skip_bad=True, **options)
    fed = StreamFeed(stream, batch=20, workers=workers)
    numbers = seen(fed, 1)
    fed.close()
    assert sorted(set(numbers)) == [n for n in range(20) if n != 12] and len(numbers) == 20
    assert stream.skipped == (f"{tmp_path / 'b.tar'}:12",)


def test_bad_held_out_pictures_are_left_out(tmp_path):
    write_shards(tmp_path / "train", [3, 3])
    write_shard(tmp_path / "val" / "a.tar", [("1.png", b"junk"), ("2.png", png(2))])
    split = Images(path=str(tmp_path), skip_bad=True, labels=False).open()
    assert split.heldout is not None and len(split.heldout) == 1
    assert split.heldout.skipped == (f"{tmp_path / 'val' / 'a.tar'}:1",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: {"limit": 3}, "data.limit does not apply to tar shards"),
        (lambda f: write_shard(f / "shards-000.tar", []), "shards-000.tar holds no pictures"),
        (lambda f: (f / "shards-000.tar").write_bytes(b"x" * 2000), r"shards-000.tar cannot be"),
        (
            lambda f: write_shard(f / "shards-000.tar", [("a.png", png(1, (3, 5)))] * 1
                                  + [("b.png", png(1))]),
            r"images have 2 sizes from 4x4 to 5x3: set data.size",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_a_stream(folder, change, message):
    options = change(folder)
    with pytest.raises(UserError, match=message):
        opened(folder, **(options if isinstance(options, dict) else {}))


def test_more_ranks_than_shards_and_empty_shares(folder, tmp_path):
    with pytest.raises(UserError, match="has 6 shards for 7 ranks: make at least one shard per"):
        StreamFeed(opened(folder), batch=1, world=7)
    write_shards(tmp_path / "half", [3, 0])
    fed = [StreamFeed(opened(tmp_path / "half"), batch=1, rank=r, world=2) for r in range(2)]
    with pytest.raises(UserError, match=r"the shards of rank \d are empty"):
        [next(one) for one in fed]


def test_no_shards(tmp_path):
    with pytest.raises(UserError, match=r"holds no \.tar shards"):
        opened(f"wds:{tmp_path}")
