"""Picture files in folders, zip files and tar files."""

from __future__ import annotations

import lzma
import os
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from zerosum.errors import UserError
from zerosum.modalities.images.gallery import EncodedPictures

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff")
IMAGE_SUFFIXES += (".ppm", ".pgm", ".pbm", ".pnm", ".avif")
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
ARRAY_SUFFIXES = (".npz", ".npy")

_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)


def is_picture(name: str) -> bool:
    """Whether a name is that of an image file that people mean: not hidden, not a Mac shadow."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return not hidden and path.suffix.lower() in IMAGE_SUFFIXES


def walk(folder: Path) -> Iterator[str]:
    """Names of all files below a folder, relative, with /, links followed once, sorted."""
    seen = {os.path.realpath(folder)}
    for base, folders, files in os.walk(folder, followlinks=True):
        inside = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(base, name))
            if not name.startswith(".") and real not in seen:
                seen.add(real)
                inside.append(name)
        folders[:] = inside
        here = Path(base).relative_to(folder).as_posix()
        for name in sorted(files):
            yield name if here == "." else f"{here}/{name}"


class FolderPictures(EncodedPictures):
    """Files below a folder."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder = folder
        self.names = sorted(names)

    def stream(self, number: int) -> BinaryIO:
        return open(self.folder / self.names[number], "rb")


class ZipPictures(EncodedPictures):
    """Members of a zip file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        try:
            with zipfile.ZipFile(path) as archive:
                self.names = sorted(name for name in archive.namelist() if is_picture(name))
        except _DAMAGE as error:
            raise damaged(path, error) from error

    def stream(self, number: int) -> BinaryIO:
        return BytesIO(self._archive().read(self.names[number]))

    def _archive(self) -> zipfile.ZipFile:
        # One handle per thread and process: a shared one would take turns at one file position,
        # and would not survive the way into a worker process.
        key = os.getpid()
        if getattr(self._local, "process", None) != key:
            self._local.archive = zipfile.ZipFile(self.path)
            self._local.process = key
        return self._local.archive

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "names": self.names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path = state["path"]
        self.names = state["names"]
        self._local = threading.local()


class Member(NamedTuple):
    """One file of an uncompressed tar: its bytes are data[offset : offset + size] of the tar."""

    name: str
    offset: int
    size: int


def tar_members(path: Path) -> list[Member]:
    """Files of an uncompressed tar, in stored order; only the headers are read.

    Raises:
        UserError: The tar is damaged or compressed.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            return [Member(m.name, m.offset_data, m.size) for m in archive if m.isfile()]
    except _DAMAGE as error:
        raise damaged(path, error) from error


def read_member(path: Path, offset: int, size: int) -> bytes:
    """Bytes of a file inside an uncompressed tar."""
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(size)


class TarPictures(EncodedPictures):
    """Members of an uncompressed tar, read where they lie."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # A name that was added twice means the later one, as when the tar is unpacked.
        found = {member.name: member for member in tar_members(path) if is_picture(member.name)}
        self._members = [found[name] for name in sorted(found)]
        self.names = [member.name for member in self._members]

    def stream(self, number: int) -> BinaryIO:
        member = self._members[number]
        return BytesIO(read_member(self.path, member.offset, member.size))


class PackedTarPictures(EncodedPictures):
    """Members of a compressed tar. It has no random access, so the files are kept in memory.

    Args:
        path: The .tar.gz, .tar.xz or .tar.bz2.
        budget: Bytes that the encoded files may take.

    Raises:
        UserError: The tar is damaged, or larger than the budget.
    """

    def __init__(self, path: Path, budget: int) -> None:
        files: dict[str, bytes] = {}
        taken = 0
        try:
            with tarfile.open(path, "r:*") as archive:
                for member in archive:
                    if not member.isfile() or not is_picture(member.name):
                        continue
                    taken += member.size
                    if taken > budget:
                        raise UserError(
                            f"{path} is compressed and larger than data.memory "
                            f"({budget / 2**30:g} GiB): unpack it into a folder"
                        )
                    content = archive.extractfile(member)
                    if content is not None:
                        files[member.name] = content.read()
        except _DAMAGE as error:
            raise damaged(path, error) from error
        self._files = [files[name] for name in sorted(files)]
        self.names = sorted(files)

    def stream(self, number: int) -> BinaryIO:
        return BytesIO(self._files[number])


def archive_stem(name: str) -> str:
    """The name of an archive without its suffixes, `.tar.gz` as a whole."""
    suffix = next(s for s in sorted(ARCHIVE_SUFFIXES, key=len)[::-1] if name.lower().endswith(s))
    return name[: -len(suffix)]


def open_archive(path: Path, budget: int) -> EncodedPictures:
    """The pictures of a zip or tar file, compressed or not."""
    if path.name.lower().endswith(".zip"):
        return ZipPictures(path)
    if path.name.lower().endswith(".tar"):
        return TarPictures(path)
    return PackedTarPictures(path, budget)


def damaged(path: Path, error: Exception) -> UserError:
    """The message for a file that cannot be opened at all."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UserError(f"{path} cannot be read ({reason}): copy or download it again")
