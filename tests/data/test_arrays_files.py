"""Numpy files: read off their headers, mapped, never unpickled, bounded in memory."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from made_pictures import picture

from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.array_sets import open_array
from zerosum.modalities.images.numpy_files import Stacked, stored_arrays

PICTURES = np.stack([np.asarray(picture(n)) for n in range(6)])


def npy(array, **options):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def header(descr, shape):
    """An .npy that promises an array and holds nothing of it."""
    buffer = io.BytesIO()
    facts = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, facts)
    return buffer.getvalue()


def packed(path, how=zipfile.ZIP_DEFLATED, **members):
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def pixels(gallery):
    return np.stack([np.asarray(gallery.pictures.image(n)) for n in range(len(gallery.pictures))])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_order_and_byte_order_of_the_file(tmp_path, save):
    wide = PICTURES.astype(np.uint16) * 257
    for array in (np.asfortranarray(PICTURES), wide, wide.astype(">u2"), np.asfortranarray(wide)):
        save(tmp_path / "a.npz", images=array)
        assert np.array_equal(pixels(open_array(tmp_path / "a.npz")), PICTURES)
        np.save(tmp_path / "a.npy", array)
        assert np.array_equal(pixels(open_array(tmp_path / "a.npy")), PICTURES)


def test_large_files_are_mapped_and_not_read(tmp_path):
    big = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (4000, 64, 64, 3))
    big[-1] = 7
    big.flush()
    np.savez(tmp_path / "b.npz", images=big)
    for name in ("a.npy", "b.npz"):
        tracemalloc.start()
        gallery = open_array(tmp_path / name, memory=0.001)
        last = np.asarray(gallery.pictures.image(3999))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (last == 7).all() and peak < 2**20, "of 47 MiB, hardly anything is read"
        sent = pickle.dumps(gallery.pictures)
        assert len(sent) < 10_000 and (np.asarray(pickle.loads(sent).image(3999)) == 7).all()


def test_parts_lie_where_they_are(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=PICTURES[:4], x_test=PICTURES[4:])
    stored = stored_arrays(tmp_path / "a.npz")
    stacked = Stacked([stored["x_train"], stored["x_test"]])
    assert np.array_equal(stacked[:], PICTURES) and np.array_equal(
        stacked[[5, 0, 4]], PICTURES[[5, 0, 4]]
    )
    assert np.array_equal(stacked[3:5], PICTURES[3:5])


def test_a_compressed_file_beyond_the_memory(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((64, 64, 64, 3), np.uint8))
    config = Images(path=str(tmp_path / "a.npz"), memory=0.0005)
    with pytest.raises(UserError, match=r"takes 0.0 GiB, more than data.memory=0.0005: unpack"):
        config.open()
    assert len(Images(path=str(tmp_path / "a.npz"), holdout=0, memory=0.1).open().train) == 64


def test_headers_that_promise_more_than_there_is(tmp_path):
    huge = header("|u1", (10**12, 64, 64, 3))
    (tmp_path / "a.npy").write_bytes(huge)
    cases = [tmp_path / "a.npy", packed(tmp_path / "a.npz", images=huge)]
    cases.append(packed(tmp_path / "b.npz", zipfile.ZIP_STORED, images=huge))
    for path in cases:
        with pytest.raises(UserError, match=r"cannot be read .cut off: "):
            open_array(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"junk and more junk",
        pickle.dumps([1, 2, 3]),
        npy(PICTURES)[:300],
        npy(PICTURES)[:-1],
        npy(PICTURES).replace(b"'shape': (6", b"'shape': (("),
        npy(PICTURES).replace(b"(6, 6, 6, 3)", b"(-6, 6, 6,3)"),
        npy(PICTURES, version=(3, 0)),
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"(" * 20_000,
        b"PK\x03\x04" + bytes(60),
    ],
)
def test_damaged_files(tmp_path, content):
    for name in ("a.npy", "a.npz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{name} cannot be read .*copy or download it again"):
            open_array(tmp_path / name)


def test_a_changed_byte_of_a_compressed_member(tmp_path):
    path = packed(tmp_path / "a.npz", images=npy(PICTURES))
    content = bytearray(path.read_bytes())
    content[300] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a.npz cannot be read"):
        open_array(path)


def test_pickled_arrays_are_named_with_a_cure(tmp_path):
    odd = np.empty(2, object)
    odd[:] = [PICTURES[0], PICTURES[1, :3]]
    np.save(tmp_path / "a.npy", odd, allow_pickle=True)
    np.savez(tmp_path / "b.npz", images=odd)
    for name, culprit in (("a.npy", "a.npy is"), ("b.npz", "b.npz: its array images is")):
        with pytest.raises(UserError, match=f"{culprit} of dtype object, .* as files in a folder"):
            open_array(tmp_path / name)


@pytest.mark.parametrize(
    ("shape", "cure"),
    [
        ((48, 64, 3), r"one picture of 48x64 with 3 channels, or 48 grey .*\(1, 48, 64, 3\)"),
        ((48, 64, 4), "one picture of 48x64 with 4 channels"),
        ((48, 64, 1), "one picture of 48x64 with 1 channels"),
        ((3, 48, 64), r"with 3 channels, or 3 grey ones of 48x64\? .*\(3, 48, 64, 1\)"),
    ],
)
def test_one_picture_or_many_is_a_question(tmp_path, shape, cure):
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    np.savez(tmp_path / "a.npz", images=np.zeros(shape, np.uint8))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(UserError, match=cure):
            open_array(tmp_path / name)


@pytest.mark.parametrize("shape", [(), (0,), (5,), (0, 4, 4), (3, 0, 4, 1), (2, 2, 2, 2, 2)])
def test_shapes_without_pictures(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    with pytest.raises(UserError, match=r"holds no pictures|is not that of pictures"):
        open_array(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("array", "meant"),
    [
        (PICTURES.astype(np.uint16), "uint16 from 0..25., which may mean 0..255 or 0..65535"),
        (PICTURES.astype(np.int64) // 128, "int64 from 0..1, which may mean 0..255 or 0..1"),
    ],
)
def test_values_of_two_meanings_are_a_question(tmp_path, array, meant):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UserError, match=f"{meant}: save it as uint8"):
        open_array(tmp_path / "a.npy")
