"""Files of the classic sets: IDX (MNIST and its kin) and the CIFAR-10 python batches."""

from __future__ import annotations

import gzip
import io
import pickle
import re
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.errors import UserError
from zerosum.modalities.images.archives import damaged
from zerosum.modalities.images.numpy_files import Stored

# The third byte of an IDX file is the code of its type; values are big-endian.
_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def idx_array(path: Path) -> Stored:
    """The array of an IDX file, gzip or not, by its header alone.

    Raises:
        UserError: The file is damaged, or no IDX file.
    """
    try:
        packed = _is_packed(path)
        with gzip.open(path) if packed else open(path, "rb") as file:
            start = file.read(4)
            if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _IDX_TYPES:
                raise ValueError("not an IDX file")
            dtype, axes = np.dtype(_IDX_TYPES[start[2]]), start[3]
            sides = file.read(4 * axes)
            if not 0 < axes <= 4 or len(sides) < 4 * axes:
                raise ValueError(f"no IDX header of {axes} axes")
            shape = tuple(np.frombuffer(sides, ">u4").tolist())
        if packed:
            return PackedIdx(path, "", dtype, shape)
        found = Stored(path, "", dtype, shape, offset=4 + 4 * axes)
        held = path.stat().st_size - 4 - 4 * axes
        if held != found.nbytes:
            raise ValueError(f"{held:,} bytes for shape {shape} of {dtype}")
        return found
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise damaged(path, error) from error


class PackedIdx(Stored):
    """The array of a gzipped IDX file, not yet read."""

    def load(self) -> np.ndarray:
        """Its values.

        Raises:
            UserError: They are damaged, or more or fewer than the header says.
        """
        try:
            with gzip.open(self.path) as file:
                file.read(4 + 4 * len(self.shape))
                content = file.read(self.nbytes + 1)
            if len(content) != self.nbytes:
                raise ValueError(f"not {self.nbytes:,} bytes, as shape {self.shape} needs")
            return np.frombuffer(content, self.dtype).reshape(self.shape)
        except (OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error) as error:
            raise damaged(self.path, error) from error


def read_idx(path: Path) -> np.ndarray:
    """The values of an IDX file, gzip or not.

    Raises:
        UserError: The file is damaged, or no IDX file.
    """
    return idx_array(path).load()


def _is_packed(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


class _StandIn:
    """In a pickle, what stands for a part of an array. It takes no state but what it checks."""

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("state where none belongs")


class _Bytes(_StandIn, bytes):
    """What Python 3 writes for bytes in an old protocol: text, and the name of an encoding."""

    def __new__(cls, text: str, encoding: str) -> _Bytes:
        return super().__new__(cls, text.encode("latin-1"))


class _Type(_StandIn):
    """The type of an array, with its byte order."""

    def __init__(self, code: str | bytes, *flags: object) -> None:
        code = code.decode() if isinstance(code, bytes) else code
        if re.fullmatch("[iu][1248]", code) is None:
            raise pickle.UnpicklingError(f"an array of {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in (">", b">"):
            self.dtype = self.dtype.newbyteorder(">")


class _Array(_StandIn):
    """An array of whole numbers."""

    def __init__(self, *empty: object) -> None:
        self.values = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state
        found = np.frombuffer(content, kind.dtype)
        self.values = found.reshape(shape, order="F" if fortran else "C")


# All that the pickles of arrays, bytes, lists and dicts call by name. numpy's own classes crash on
# a damaged state, so none of them is called.
_STAND_INS: dict[tuple[str, str], type[_StandIn]] = {
    ("multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _StandIn,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _Bytes,
}


# The unpickler written in Python: that in C allocates for any number in its memo.
class _ArrayUnpickler(pickle._Unpickler):
    """Refuses every name that arrays do not need, so a pickle cannot run code."""

    def find_class(self, module: str, name: str) -> Any:
        package = module.split(".")
        found = _STAND_INS.get((package[-1], name))
        if found is None or package[0] not in ("numpy", "_codecs"):
            raise pickle.UnpicklingError(f"{module}.{name} has no place in an array file")
        return found


def _batch(content: bytes, where: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
        pixels, labels = batch[b"data"].values, np.asarray(batch[b"labels"], dtype=np.int64)
        if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3072):
            raise ValueError(f"{pixels.dtype} of shape {pixels.shape} for {labels.shape} labels")
        return pixels.reshape(-1, 3, 32, 32), labels
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
