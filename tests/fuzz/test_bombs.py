"""Small files that unpack to large ones, or say so, take no more memory than was allowed."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from fuzz_readers import MEMORY, npy, png, zipped

from zerosum.errors import UserError
from zerosum.modalities.images.containers import container
from zerosum.modalities.images.gallery import BadPictureError

ZEROS = bytes(2**26)
ARRAY = npy(np.zeros((9, 8, 8), np.uint8))


def peak(path):
    """MiB that reading the first picture took."""
    tracemalloc.start()
    try:
        container(str(path)).gallery(MEMORY).pictures.image(0)
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_arrays_are_read_as_far_as_their_header_says(tmp_path):
    (tmp_path / "a.npz").write_bytes(zipped({"images.npy": ARRAY + ZEROS}))
    assert peak(tmp_path / "a.npz") < 4
    idx = b"\0\0\x08\x03" + struct.pack(">III", 9, 8, 8) + ZEROS
    (tmp_path / "a-idx3-ubyte.gz").write_bytes(gzip.compress(idx, 1, mtime=0))
    with pytest.raises(UserError, match="not 576 bytes"):
        peak(tmp_path / "a-idx3-ubyte.gz")


def test_arrays_beyond_the_memory_are_refused_by_their_headers(tmp_path):
    large = npy(np.zeros((1000, 64, 64, 3), np.uint8))
    (tmp_path / "a.npz").write_bytes(zipped({"images.npy": large}))
    with pytest.raises(UserError, match=r"is compressed and takes .* more than data.memory=0.01"):
        peak(tmp_path / "a.npz")
    labels = npy(np.zeros((9, 2**22), np.uint8))
    (tmp_path / "b.npz").write_bytes(zipped({"images.npy": ARRAY, "labels.npy": labels}))
    with pytest.raises(UserError, match=r"b.npz is compressed and takes"):
        peak(tmp_path / "b.npz")


def test_a_picture_of_a_zip_that_unpacks_to_gigabytes(tmp_path):
    content = bytearray(zipped({"1.png": png(1)}))
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", 2**31)
    (tmp_path / "a.zip").write_bytes(content)
    assert zipfile.ZipFile(tmp_path / "a.zip").infolist()[0].file_size == 2**31
    with pytest.raises(BadPictureError, match=r"1.png.*unpacks to 2.0 GiB, no picture"):
        peak(tmp_path / "a.zip")
