"""Files of the classic sets: IDX (MNIST and its kin) and the CIFAR-10 python batches."""

from __future__ import annotations

import gzip
import importlib
import io
import pickle
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.errors import UserError
from zerosum.modalities.images.archives import damaged

_IDX_UINT8 = b"\x00\x00\x08"  # two zero bytes, then the code of unsigned bytes

# All that the pickles of arrays, bytes, lists and dicts call by name.
_PICKLE_NAMES = {
    ("_reconstruct", "multiarray"),
    ("ndarray", "numpy"),
    ("dtype", "numpy"),
    ("encode", "_codecs"),
}


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array of an IDX file, gzip or not.

    Raises:
        UserError: The file is damaged, or not an IDX file of bytes.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, error) from error
    if content[:3] != _IDX_UINT8 or len(content) < 8:
        raise damaged(path, ValueError("not an IDX file of bytes"))
    axes = content[3]
    shape = tuple(np.frombuffer(content, ">u4", axes, offset=4).astype(int).tolist())
    body = np.frombuffer(content, np.uint8, offset=4 + 4 * axes)
    if body.size != np.prod(shape):
        raise damaged(path, ValueError(f"{body.size} bytes for shape {shape}"))
    return body.reshape(shape)


class _ArrayUnpickler(pickle.Unpickler):
    """Refuses every name that arrays do not need, so a pickle cannot run code."""

    def find_class(self, module: str, name: str) -> Any:
        package = module.split(".")
        if (name, package[-1]) not in _PICKLE_NAMES or package[0] not in ("numpy", "_codecs"):
            raise pickle.UnpicklingError(f"{module}.{name} has no place in an array file")
        if name == "_reconstruct":  # its home was renamed in numpy 2
            return np.ndarray.__reduce__(np.zeros(0))[0]
        return importlib.import_module(module).__dict__[name]


def _batch(content: bytes, where: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
        pixels, labels = batch[b"data"], np.asarray(batch[b"labels"], dtype=np.int64)
        return np.asarray(pixels, dtype=np.uint8).reshape(-1, 3, 32, 32), labels
    except Exception as error:
        # A foreign pickle can fail in any way; all of them mean that the file is not CIFAR.
        raise damaged(where, error) from error


CIFAR_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
CIFAR_TEST = ("test_batch",)


def read_cifar(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """CIFAR-10 from its folder `cifar-10-batches-py` or the tar.gz of it.

    Returns:
        Pictures uint8 (N, 3, 32, 32), labels int64 (N,), and how many of the N are training
        pictures; those come first.

    Raises:
        UserError: A batch is missing or damaged.
    """
    if path.is_dir():
        return _assemble(lambda name: (path / name).read_bytes(), path)
    try:
        with tarfile.open(path) as archive:
            members = {Path(m.name).name: m for m in archive.getmembers() if m.isfile()}
            wanted = {}
            for name in CIFAR_TRAIN + CIFAR_TEST:
                content = archive.extractfile(members[name]) if name in members else None
                if content is not None:
                    wanted[name] = content.read()
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise damaged(path, error) from error
    return _assemble(wanted.__getitem__, path)


def _assemble(content: Callable[[str], bytes], where: Path) -> tuple[np.ndarray, np.ndarray, int]:
    parts = []
    for name in CIFAR_TRAIN + CIFAR_TEST:
        try:
            parts.append(_batch(content(name), where / name))
        except (KeyError, FileNotFoundError) as error:
            raise UserError(f"{where} lacks {name}: unpack cifar-10-python.tar.gz anew") from error
    pixels = np.concatenate([part[0] for part in parts])
    labels = np.concatenate([part[1] for part in parts])
    return pixels, labels, len(labels) - len(parts[-1][1])
