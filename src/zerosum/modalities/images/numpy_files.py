"""What stands in .npy and .npz files: read off the headers, mapped where it lies, never unpickled.

So a file of any size opens at once, and nothing is allocated on the word of a header alone.
"""

from __future__ import annotations

import math
import os
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zerosum.data.places import GIB
from zerosum.errors import UserError
from zerosum.modalities.images.archives import damaged

_NPY = b"\x93NUMPY"
_LONGEST = 16_384  # bytes of a header that are read; numpy itself refuses more than 10,000
_LOCAL = struct.Struct("<26xHH")  # the header of a zip's member: lengths of its name and extra


@dataclass(frozen=True)
class Stored:
    """An array in a file, not yet read.

    Attributes:
        path: The file.
        member: Its name in an .npz; "" elsewhere.
        dtype: Of its values, in the byte order of the file.
        shape: Of the array.
        fortran: Whether the first axis varies fastest.
        offset: Where its values start in the file; None where they are compressed.
    """

    path: Path
    member: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool = False
    offset: int | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of its values."""
        return self.dtype.itemsize * math.prod(self.shape)

    def load(self) -> np.ndarray:
        """Its values: mapped from the file where they lie there as they are, else read.

        Raises:
            UserError: They are damaged.
        """
        if not self.nbytes:
            return np.empty(self.shape, self.dtype)
        try:
            if self.offset is not None:
                order = "F" if self.fortran else "C"
                return np.memmap(self.path, self.dtype, "r", self.offset, self.shape, order)
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                values = np.lib.format.read_array(file, allow_pickle=False)
                file.read(1)  # past the end: only there is the checksum compared
                return values
        except Exception as error:
            # zipfile and its decompressors raise a dozen unrelated types on damaged files.
            raise damaged(self.path, error) from error


class Stacked:
    """Arrays of one shape and type, one after the other, without copying them together.

    Args:
        parts: Arrays (N_i, ...).
    """

    def __init__(self, parts: Sequence[Stored]) -> None:
        self._parts = tuple(parts)
        self._arrays = [part.load() for part in parts]
        self._ends = np.cumsum([part.shape[0] for part in parts])
        self.dtype = parts[0].dtype
        self.shape = (int(self._ends[-1]), *parts[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, numbers: Any) -> np.ndarray:
        """A copy of some of them, by a slice or by an array of numbers."""
        rows = np.arange(len(self))[numbers]
        of = np.searchsorted(self._ends, rows, side="right")
        values = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for number, (array, end) in enumerate(zip(self._arrays, self._ends)):
            values[of == number] = array[rows[of == number] - (end - len(array))]
        return values

    def __getstate__(self) -> dict[str, Any]:
        # A worker maps the file anew instead of being sent all of it.
        sent = [
            None if part.offset is not None else array
            for part, array in zip(self._parts, self._arrays)
        ]
        return {**self.__dict__, "_arrays": sent}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._arrays = [
            part.load() if array is None else array
            for part, array in zip(self._parts, self._arrays)
        ]


def stored_arrays(path: Path) -> dict[str, Stored]:
    """The arrays of an .npz by name; the one of an .npy has the name "".

    Raises:
        UserError: The file is damaged or no numpy file.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(len(_NPY))
            file.seek(0)
            if start == _NPY:
                dtype, shape, fortran, length = _header(file)
                if not dtype.hasobject:
                    _enough(length + dtype.itemsize * math.prod(shape), os.path.getsize(path))
                return {"": Stored(path, "", dtype, shape, fortran, length)}
            if not start:
                raise ValueError("the file is empty")
            if start[:2] != b"PK":
                raise ValueError("neither .npy nor .npz")
            return _members(path, file)
    except Exception as error:
        # numpy evaluates a header as Python and zipfile believes offsets: both fail in any way.
        raise damaged(path, error) from error


def _members(path: Path, file: BinaryIO) -> dict[str, Stored]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.filename.endswith(".npy"):
                continue
            with archive.open(info) as member:
                dtype, shape, fortran, length = _header(member)
            size = length + dtype.itemsize * math.prod(shape)
            offset = None
            if not dtype.hasobject:
                _enough(size, info.file_size)
            if info.compress_type == zipfile.ZIP_STORED and not dtype.hasobject:
                file.seek(info.header_offset)
                name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
                offset = info.header_offset + _LOCAL.size + name + extra + length
                _enough(offset + size - length, os.path.getsize(path))
            key = info.filename.removesuffix(".npy")
            found[key] = Stored(path, info.filename, dtype, shape, fortran, offset)
    return found


def _header(file: Any) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """Type, shape, order and length of the header that a file begins with."""
    start = BytesIO(file.read(_LONGEST))
    version = np.lib.format.read_magic(start)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(start)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(start)
    else:
        raise ValueError(f"its format {version[0]}.{version[1]} is not for plain arrays")
    shape = tuple(int(side) for side in shape)
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {shape}")
    return dtype, shape, bool(fortran), start.tell()


def _enough(needed: int, there: int) -> None:
    if needed > there:
        raise ValueError(f"cut off: {there:,} of {needed:,} bytes")


def plain(arrays: Mapping[str, Stored], memory: float) -> None:
    """Check that arrays can be read: no pickles among them, and not more than fits.

    Args:
        arrays: By name.
        memory: GiB that compressed ones may take together.

    Raises:
        UserError: One is pickled, or they are too large.
    """
    for key, array in arrays.items():
        if array.dtype.hasobject:
            name = f"{array.path}: its array {key}" if key else str(array.path)
            raise UserError(
                f"{name} is of dtype object, a pickle, and cannot be read safely: save pictures "
                "of one size as one array of uint8, those of several sizes as files in a folder"
            )
    packed = [array for array in arrays.values() if array.offset is None]
    size = sum(array.nbytes for array in packed)
    if size > memory * GIB:
        raise UserError(
            f"{packed[0].path} is compressed and takes {size / GIB:,.1f} GiB, more than "
            f"data.memory={memory:g}: unpack it (numpy.savez and .npy are read where they lie)"
        )
