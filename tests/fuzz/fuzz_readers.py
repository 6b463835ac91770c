"""Readers of files of any origin, valid files to begin from, and damage that reaches deep.

Whatever a file holds, reading it ends in pictures or in one line for the user: no other exception,
no hang, no memory beyond what was allowed. Damage of a plain kind stops at checksums, so files
with checksums are damaged inside and sealed again.
"""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from zerosum.errors import UserError
from zerosum.modalities.images.class_lists import read_classes
from zerosum.modalities.images.classic import read_cifar
from zerosum.modalities.images.containers import container
from zerosum.modalities.images.gallery import BadPictureError, Gallery
from zerosum.modalities.images.shard_sets import shard_gallery
from zerosum.names import printable

MEMORY = 0.01
"""GiB that a reader may take for what is compressed."""


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes:
        name: Of the file that is written.
        seeds: Valid contents.
        read: Reads the file; may raise UserError and nothing else.
        seal: Makes damaged content pass the checksums of its kind.
    """

    name: str
    seeds: tuple[bytes, ...]
    read: Callable[[Path], object]
    seal: Callable[[bytes], bytes] = bytes

    def run(self, content: bytes, folder: Path) -> bool:
        """Read damaged content; whether it was read, not refused."""
        path = folder / self.name
        path.write_bytes(self.seal(content))
        try:
            self.read(path)
        except UserError as error:
            one_line(str(error))
            return False
        return True


def gallery(path: Path) -> None:
    """List the pictures of a file and look at the first."""
    look(container(str(path)).gallery(MEMORY))


def shards(path: Path) -> None:
    """List a tar shard and look at its first picture."""
    look(shard_gallery([path]))


def look(found: Gallery) -> None:
    """Check what a gallery promises, and decode a picture."""
    count = len(found.pictures)
    assert count == len(found.pictures.names) > 0 and len(found.train)
    if found.labels is not None:
        assert found.labels.shape == (count,) and found.labels.dtype == np.int64
        assert found.labels.min() >= -1 and found.labels.max() < len(found.classes)
        assert found.labels[np.asarray(found.train)].min() >= 0
    for note in found.notes:
        one_line(note)
    try:
        found.pictures.probe(found.train[0])
        found.pictures.image(found.train[0])
    except BadPictureError as error:
        one_line(error.reason)


def one_line(text: str) -> None:
    """Check that a message is one line that can be printed anywhere."""
    assert text and text == printable(text, keep="\t"), f"no single line: {text!r}"


class Edit(NamedTuple):
    """One piece of damage: where (0 to 1), what kind, and with what."""

    where: float
    kind: int
    what: bytes


KINDS = 6


def edited(content: bytes, edits: Sequence[Edit]) -> bytes:
    """Content with pieces overwritten, inserted, taken out, doubled, flipped or cut off."""
    data = bytearray(content)
    for where, kind, what in edits:
        place, size = int(where * len(data)), len(what)
        if kind == 0:
            data[place : place + size] = what
        elif kind == 1:
            data[place:place] = what
        elif kind == 2:
            del data[place : place + size]
        elif kind == 3:
            data[place:place] = data[place : place + 16 * size]
        elif kind == 4 and place < len(data):
            data[place] ^= 1 << (size % 8)
        elif kind == 5:
            del data[place:]
    return bytes(data)


WORDS = [b"\0", b"\xff", b"-1", b"9" * 20, b"(", b"'", b"O", b"|O", b"{}", b"1e9", b"\n", b"NaN"]
WORDS += [struct.pack(form, n) for n in (2**31 - 1, 2**16, 1) for form in ("<I", ">I", "<Q")]
WORDS += [
    b"\xff" * 4,
    b"\xff" * 8,
    b"\x80" + b"\xff" * 11,
    b"\x80" + bytes(7) + b"\x7f\xff\xff\xff",
]


def drawn(rng: random.Random) -> list[Edit]:
    """A few pieces of damage."""
    return [
        Edit(
            rng.random(),
            rng.choices(range(KINDS), (8, 2, 2, 1, 4, 1))[0],
            rng.choice(WORDS) if rng.random() < 0.7 else rng.randbytes(rng.randint(1, 8)),
        )
        for _ in range(rng.choice((1, 1, 1, 2, 3, 6)))
    ]


def png(number: int) -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (number, 9, 9)).save(buffer, "png")
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    """An array in numpy's format."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array)
    return buffer.getvalue()


def zipped(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(members: dict[str, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    """A tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()[: -(-buffer.tell() // 512) * 512]


def sealed_tar(content: bytes) -> bytes:
    """Checksums put right in every block that looks like the header of a member."""
    data = bytearray(content)
    for start in range(0, len(data) - 511, 512):
        if data[start + 257 : start + 262] == b"ustar":
            block = data[start : start + 148] + b" " * 8 + data[start + 156 : start + 512]
            data[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    return bytes(data)


def sealed_npz(content: bytes) -> bytes:
    """Damaged content as the array of pictures in a sound .npz."""
    return zipped({"images.npy": content, "labels.npy": npy(np.arange(5))})


def sealed_label(content: bytes) -> bytes:
    """Damaged content as the label of a sample in a sound shard."""
    return tarred({"1.png": png(1), "1.json": content, "2.png": png(2), "2.json": b'{"cls": "a"}'})


def sealed_word(content: bytes) -> bytes:
    """Damaged content as the word of a sample in a sound shard."""
    return tarred({"1.png": png(1), "1.cls": content, "2.png": png(2), "2.cls": b"a"})


def sealed_gzip(content: bytes) -> bytes:
    """Damaged content in a sound gzip file."""
    return gzip.compress(content, 1, mtime=0)


def sealed_targz(content: bytes) -> bytes:
    """Damaged members of a tar in a sound gzip file."""
    return sealed_gzip(sealed_tar(content))


def _idx(*shape: int, code: int = 8, width: int = 1) -> bytes:
    head = bytes([0, 0, code, len(shape)]) + np.array(shape, ">u4").tobytes()
    return head + bytes(width * int(np.prod(shape)))


_GREY = (np.arange(5 * 8 * 8) % 251).astype(np.uint8).reshape(5, 8, 8)
_FILES = {"a/1.png": png(1), "a/1.cls": b"0", "b/2.png": png(2), "b/2.cls": b"1"}
_DOTTED = {"0.1.png": png(1), "0.2.png": png(2), "0.2.mask.png": png(3), "0.json": b'{"label": 1}'}
_LONG = {f"{'long' * 30}/{n}.png": png(n) for n in range(2)}
_TARS = (tarred(_FILES), tarred(_DOTTED), tarred(_LONG, tarfile.PAX_FORMAT))
_TARS += (tarred(_LONG, tarfile.GNU_FORMAT),)
_NPYS = (
    npy(_GREY),
    npy(np.asfortranarray(_GREY / 255)),
    npy(_GREY[..., None].astype(">u2") * 257),
)
_ARRAYS = {"x_train.npy": _NPYS[0], "y_train.npy": npy(np.arange(5)), "x_test.npy": _NPYS[0]}
_STATED = {"1.png": png(1), "dataset.json": json.dumps({"labels": [["1.png", 1]]}).encode()}
_BATCH = pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [1]}, protocol=2)

TARGETS = {
    "npy": Target("x.npy", _NPYS, gallery),
    "npz": Target("x.npz", (zipped(_ARRAYS), zipped(_ARRAYS, zipfile.ZIP_STORED)), gallery),
    "npz member": Target("y.npz", _NPYS, gallery, sealed_npz),
    "tar": Target("x.tar", _TARS, gallery, sealed_tar),
    "shard": Target("s.tar", _TARS, shards, sealed_tar),
    "shard json": Target(
        "j.tar", (b'{"label": 3}', b'"cat"', b'{"cls": 2.0}'), shards, sealed_label
    ),
    "shard cls": Target("c.tar", (b"3", b"cat", b"-17"), shards, sealed_word),
    "tar.gz": Target("x.tar.gz", _TARS, gallery, sealed_targz),
    "zip": Target("x.zip", (zipped(_FILES), zipped(_STATED, zipfile.ZIP_STORED)), gallery),
    "idx": Target("x-idx3-ubyte", (_idx(3, 8, 8), _idx(3, 8, 8, code=13, width=4)), gallery),
    "idx.gz": Target("x-idx3-ubyte.gz", (_idx(3, 8, 8),), gallery, sealed_gzip),
    "gzip": Target("y-idx3-ubyte.gz", (sealed_gzip(_idx(3, 8, 8)),), gallery),
    "classes": Target(
        "classes.txt",
        (b"cat\ndog\n", b"\xef\xbb\xbfa\r\nb", "ö\nü".encode("utf-16")),
        read_classes,
    ),
    "cifar": Target("data_batch_1", (_BATCH,), lambda path: read_cifar(path.parent)),
}
