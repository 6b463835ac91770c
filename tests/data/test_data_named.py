"""Named sets: where they are looked for, how their files are read, what is said without them."""

from __future__ import annotations

import gzip
import os
import pickle
import tarfile

import numpy as np
import pooch
import pytest
from made_pictures import pack, write_cifar, write_folder, write_idx, write_mnist

from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.classic import read_cifar, read_idx
from zerosum.modalities.images.named import NAMED


def everything(source):
    return source.fetch(range(len(source)))


def check_mnist(split, pixels, labels, train=12):
    assert np.array_equal(everything(split.train)["image"][:, 0], pixels[:train])
    assert np.array_equal(everything(split.train)["label"], labels[:train])
    assert np.array_equal(everything(split.heldout)["image"][:, 0], pixels[train:])
    assert split.heldout_note == f"the official test part ({len(pixels) - train:,})"


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "mnist"),
        ("mnist", "MNIST/raw"),
        ("mnist", "mnist/MNIST/raw"),
        ("fashion-mnist", "fashion-mnist"),
        ("fashion-mnist", "FashionMNIST/raw"),
    ],
)
@pytest.mark.parametrize("suffix", [".gz", ""])
def test_idx_sets_are_found(tmp_path, monkeypatch, name, folder, suffix):
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    pixels, labels = write_mnist(tmp_path / folder, suffix=suffix)
    split = Images(path=name).open()
    check_mnist(split, pixels, labels)
    assert split.train.name == f"{name}/train"
    assert split.train.classes == NAMED[name].classes and len(split.train.classes) == 10


def test_cache_is_used_and_downloads_land_there(tmp_path, monkeypatch, offline):
    def retrieve(url, known_hash, fname, path):
        fetched.append((url, known_hash))
        if "ossci" in url:
            raise OSError("down")
        path.mkdir(parents=True, exist_ok=True)
        (path / fname).write_bytes((tmp_path / "origin" / fname).read_bytes())

    fetched = []
    pixels, labels = write_mnist(tmp_path / "origin")
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    check_mnist(Images(path="mnist").open(), pixels, labels)
    assert len(fetched) == 8, "each file from the second source after the first fails"
    assert {known for _, known in fetched} == {f"md5:{m}" for m in NAMED["mnist"].files.values()}
    check_mnist(Images(path="mnist").open(), pixels, labels)
    assert len(fetched) == 8, "the second time nothing is fetched"


def test_offline_says_which_files_go_where(tmp_path, monkeypatch, offline):
    with pytest.raises(UserError) as caught:
        Images(path="cifar10").open()
    assert str(caught.value) == (
        "cifar10 is not here and could not be downloaded: place cifar-10-python.tar.gz "
        "in $ZEROSUM_DATA/cifar10 (ZEROSUM_DATA is not set)"
    )
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte.gz, .* in /.*/mnist$"):
        Images(path="mnist").open()


def test_incomplete_set_names_what_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    write_mnist(tmp_path / "mnist")
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match=r"mnist lacks t10k-labels-idx1-ubyte.gz$"):
        Images(path="mnist").open()


def test_labels_that_do_not_fit(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    write_mnist(tmp_path / "mnist")
    write_idx(tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz", np.zeros(3))
    with pytest.raises(UserError, match="mnist: 17 pictures do not fit their labels"):
        Images(path="mnist").open()


@pytest.mark.parametrize(
    "content",
    [b"junk and more junk", gzip.compress(b"junk!!!!", mtime=0),
     gzip.compress(b"\0" * 90, mtime=0)[:20], b"", bytes([0, 0, 8, 1, 0, 0, 0, 9, 1])],
)  # fmt: skip
def test_damaged_idx(tmp_path, content):
    (tmp_path / "x-ubyte").write_bytes(content)
    with pytest.raises(UserError, match="x-ubyte cannot be read"):
        read_idx(tmp_path / "x-ubyte")


@pytest.mark.parametrize(
    "where", ["cifar-10-batches-py", "cifar10/cifar-10-batches-py", "cifar10"]
)
def test_cifar_batches(tmp_path, monkeypatch, where):
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    pixels, labels = write_cifar(tmp_path / where)
    split = Images(path="cifar10").open()
    assert np.array_equal(everything(split.train)["image"], pixels[:20])
    assert np.array_equal(everything(split.heldout)["image"], pixels[20:])
    assert np.array_equal(everything(split.train)["label"], labels[:20])
    assert split.train.classes[3] == "cat"


def test_cifar_archive(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    pixels, _ = write_cifar(tmp_path / "x" / "cifar-10-batches-py")
    (tmp_path / "cifar10").mkdir()
    with tarfile.open(tmp_path / "cifar10" / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "x" / "cifar-10-batches-py", "cifar-10-batches-py")
    assert np.array_equal(everything(Images(path="cifar10").open().train)["image"], pixels[:20])


def test_cifar_as_pictures_in_an_archive(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    names = [f"{part}/{kind}/0001.png" for part in ("train", "test") for kind in ("cat", "dog")]
    (tmp_path / "cifar10").mkdir()
    pack(write_folder(tmp_path / "x", names), tmp_path / "cifar10" / "jpg.tar.xz")
    split = Images(path="cifar10").open()
    assert (len(split.train), split.train.classes) == (2, ("cat", "dog"))
    assert split.heldout_note == "the set's own test/ part (2)"


def test_missing_and_damaged_cifar_batches(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    write_cifar(folder)
    (folder / "data_batch_3").write_bytes(b"junk")
    with pytest.raises(UserError, match="data_batch_3 cannot be read"):
        read_cifar(folder)
    (folder / "data_batch_3").unlink()
    with pytest.raises(UserError, match="lacks data_batch_3: unpack cifar-10-python"):
        read_cifar(folder)


class _Trap:
    def __reduce__(self):
        return os.mkdir, (os.environ["TRAP"],)


def test_a_pickle_cannot_run_code(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAP", str(tmp_path / "sprung"))
    folder = tmp_path / "cifar-10-batches-py"
    write_cifar(folder)
    (folder / "data_batch_1").write_bytes(pickle.dumps({b"data": _Trap()}))
    with pytest.raises(UserError, match="mkdir has no place in an array file"):
        read_cifar(folder)
    assert not (tmp_path / "sprung").exists()


def test_a_batch_as_python_2_wrote_it(tmp_path):
    pixels = np.arange(3072, dtype=np.uint16).astype(np.uint8)
    batch = (
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b"
        b"\x87R(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ"
        b"\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T\x00\x0c\x00\x00"
        + pixels.tobytes()
        + b"tbU\x06labels]K\x07au."
    )
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        (tmp_path / name).write_bytes(batch)
    found, labels, train = read_cifar(tmp_path)
    assert np.array_equal(found[3].reshape(-1), pixels) and labels.tolist() == [7] * 6
    assert train == 5


DTYPE = b"cnumpy\ndtype\n(U\x02u1I0\nI1\ntR"


@pytest.mark.parametrize(
    "content",
    [
        # a memo of two billion places, of which each would be set
        b"\x80\x02}r\xff\xff\xff\x7f.",
        # a state of a type that is cut short: numpy itself crashes
        b"\x80\x02" + DTYPE + b"(K\x03U\x01|NJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb.",
        b"\x80\x02c_codecs\nencode\n(N}U\x01aK\x01s\x86b.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R(K\x01K\x09\x85"
        + DTYPE
        + b"I0\nU\x01xtb.",
        pickle.dumps({b"data": np.zeros((1, 3072), np.float32), b"labels": [1]}, protocol=2),
        pickle.dumps({b"data": np.zeros((1, 3072), object), b"labels": [1]}, protocol=2),
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, protocol=2),
    ],
)
def test_hostile_batches_are_refused(tmp_path, content):
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(UserError, match="data_batch_1 cannot be read"):
        read_cifar(tmp_path)


def test_real_sets(real_data):
    sizes = {"mnist": (60_000, 10_000), "fashion-mnist": (60_000, 10_000)}
    for name, (train, heldout) in sizes.items():
        if not (real_data / name).is_dir():
            pytest.skip(f"{name} is not there")
        split = Images(path=name).open()
        assert split.heldout is not None
        assert (len(split.train), len(split.heldout)) == (train, heldout)
        counts = np.bincount(everything(split.train)["label"])
        assert len(counts) == 10 and counts.sum() == train and counts.min() > 5000


@pytest.mark.parametrize(
    ("name", "options", "count", "shape", "classes"),
    [
        ("dcss-tiles", {}, 4249, (3, 32, 32), 8),
        ("dcss-tiles", {"channels": 4}, 4249, (4, 32, 32), 8),
        ("kodak", {"size": (32, 48)}, 24, (3, 32, 48), 0),
        ("facades", {"size": (32, 64)}, 400, (3, 32, 64), 0),
        ("omniglot/images_background_small1.zip", {"size": 28}, 2720, (1, 28, 28), 5),
        ("pneumoniamnist", {}, 3882, (1, 28, 28), 2),
    ],
)
def test_real_paths(real_data, name, options, count, shape, classes):
    if not (real_data / name).exists():
        pytest.skip(f"{name} is not there")
    train = Images(path=name, holdout=0, **options).open().train
    assert len(train) == count
    assert train.shapes["image"] == shape and len(train.classes) == classes


def test_real_cifar(real_data):
    if not (real_data / "cifar10").is_dir():
        pytest.skip("cifar10 is not there")
    split = Images(path="cifar10", limit=200, size=32, channels=3, memory=0.5).open()
    assert split.heldout is not None
    assert (len(split.train), len(split.heldout)) == (200, 10_000)
    assert split.train.classes == NAMED["cifar10"].classes
