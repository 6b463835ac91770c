"""Pictures and files of the classic sets, made for the tests."""

from __future__ import annotations

import gzip
import pickle
import tarfile
import zipfile

import numpy as np
from PIL import Image


def picture(number, size=(6, 6), mode="RGB"):
    """A picture of noise that differs for every number, so that mix-ups show."""
    rng = np.random.default_rng(number)
    bands = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}[mode]
    return Image.fromarray(rng.integers(0, 256, (*size, *bands), dtype=np.uint8))


def write_folder(root, names, size=(6, 6), mode="RGB"):
    """PNG files of `picture(i)` below root, in the order of the names."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number, size, mode).save(path)
    return root


def pack(root, path):
    """The folder as a .zip or .tar of any compression."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.relative_to(root))
    else:
        kind = path.suffix.removeprefix(".")
        with tarfile.open(path, "w" if kind == "tar" else f"w:{kind}") as archive:
            for file in files:
                archive.add(file, file.relative_to(root))
    return path


def write_idx(path, array):
    """An IDX file of bytes, gzipped when the name says so."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content = head + array.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_mnist(folder, train=12, test=5, suffix=".gz"):
    """A small MNIST; returns its pictures and labels, training first."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (train + test, 28, 28), dtype=np.uint8)
    labels = np.arange(train + test, dtype=np.uint8) % 10
    for word, where in (("train", slice(0, train)), ("t10k", slice(train, None))):
        write_idx(folder / f"{word}-images-idx3-ubyte{suffix}", pixels[where])
        write_idx(folder / f"{word}-labels-idx1-ubyte{suffix}", labels[where])
    return pixels, labels


def write_cifar(folder, per_batch=4):
    """A small CIFAR-10 in python batches; returns its pictures and labels, training first."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True)
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    pixels = rng.integers(0, 256, (len(names), per_batch, 3072), dtype=np.uint8)
    labels = rng.integers(0, 10, (len(names), per_batch))
    for name, rows, numbers in zip(names, pixels, labels):
        batch = {b"data": rows, b"labels": numbers.tolist(), b"filenames": [b"x.png"] * per_batch}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return pixels.reshape(-1, 3, 32, 32), labels.reshape(-1)
