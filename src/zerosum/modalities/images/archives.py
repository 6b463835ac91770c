"""Picture files in folders, zip files and tar files."""

from __future__ import annotations

import lzma
import os
import struct
import tarfile
import threading
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, TypeVar

from zerosum.data.walking import LeftOut, walk
from zerosum.errors import UserError
from zerosum.modalities.images.gallery import EncodedPictures
from zerosum.modalities.images.listing import STATEMENT, Listing, is_picture, plain_name
from zerosum.modalities.images.pictures import STAMP_WITHIN, is_stamped
from zerosum.names import printable

T = TypeVar("T")

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
ARRAY_SUFFIXES = (".npz", ".npy")

_MANY = 200_000  # files, beyond which opening each to see who wrote it would take minutes
_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)
# What damaged numbers and names in headers, or kinds of compression that are not known, end in.
_DAMAGE += (RuntimeError, ValueError, OverflowError, IndexError, struct.error, MemoryError)

_LARGEST = 2**29  # bytes of an encoded picture; a few of a zip may unpack to any number


class StoredPictures(EncodedPictures):
    """Picture files in a folder or an archive.

    Args:
        listing: What the place holds.

    Attributes:
        keys: Where each picture is found in the place, in the order of the pictures.
        statements: Content of each dataset.json by name.
    """

    def __init__(self, listing: Listing) -> None:
        self.keys = sorted(listing.pictures)
        self.names = [printable(key) for key in self.keys]
        self.notes = listing.notes()
        self.statements = {name: self.content(name) for name in sorted(listing.statements)}

    @abstractmethod
    def content(self, key: str) -> bytes:
        """A whole file of the place."""

    def stream(self, number: int) -> BinaryIO:
        return BytesIO(self.content(self.keys[number]))


class FolderPictures(StoredPictures):
    """Files below a folder."""

    def __init__(self, folder: Path, listing: Listing) -> None:
        self.folder = folder
        super().__init__(listing)

    def content(self, key: str) -> bytes:
        try:
            return (self.folder / key).read_bytes()
        except OSError as error:
            raise UserError(
                f"{self.folder / key} cannot be read ({error.strerror}): change its permissions"
            ) from error

    def stream(self, number: int) -> BinaryIO:
        return open(self.folder / self.keys[number], "rb")


class ZipPictures(StoredPictures):
    """Members of a zip file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        left = LeftOut()
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
        except _DAMAGE as error:
            raise damaged(path, error) from error
        stored = [(member.filename, member.filename) for member in members]
        self._inside = _without_repeats([pair for pair in stored if not _is_folder(pair[0])], left)
        _note_empty([name for name, _ in stored if _is_folder(name)], self._inside, left)
        super().__init__(Listing(str(path), self._inside, left))

    def content(self, key: str) -> bytes:
        try:
            return self._unpacked(key)
        except _DAMAGE as error:
            raise damaged(self.path, error) from error

    def stream(self, number: int) -> BinaryIO:
        return BytesIO(self._unpacked(self.keys[number]))

    def _unpacked(self, key: str) -> bytes:
        member = self._archive().getinfo(self._inside[key])
        if member.file_size > _LARGEST:
            raise ValueError(f"it unpacks to {member.file_size / 2**30:,.1f} GiB, no picture")
        return self._archive().read(member)

    def _archive(self) -> zipfile.ZipFile:
        # One handle per thread and process: a shared one would take turns at one file position,
        # and would not survive the way into a worker process.
        key = os.getpid()
        if getattr(self._local, "process", None) != key:
            self._local.archive = zipfile.ZipFile(self.path)
            self._local.process = key
        return self._local.archive

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
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


class TarPictures(StoredPictures):
    """Members of an uncompressed tar, read where they lie."""

    def __init__(self, path: Path) -> None:
        self.path = path
        left = LeftOut()
        try:
            with tarfile.open(path, "r:") as archive:
                members = archive.getmembers()
        except _DAMAGE as error:
            raise damaged(path, error) from error
        self._inside = _regular(members, left)
        super().__init__(Listing(str(path), self._inside, left))

    def content(self, key: str) -> bytes:
        member = self._inside[key]
        return read_member(self.path, member.offset, member.size)


class PackedTarPictures(StoredPictures):
    """Members of a compressed tar. It has no random access, so the files are kept in memory.

    Args:
        path: The .tar.gz, .tar.xz or .tar.bz2.
        budget: Bytes that the encoded files may take.

    Raises:
        UserError: The tar is damaged, or larger than the budget.
    """

    def __init__(self, path: Path, budget: int) -> None:
        left, taken = LeftOut(), 0
        self._files: dict[str, bytes] = {}
        try:
            with tarfile.open(path, "r:*") as archive:
                members = []
                for member in archive:
                    members.append(member)
                    name = plain_name(member.name)
                    if not member.isfile() or not (is_picture(name) or _is_statement(name)):
                        continue
                    taken += member.size
                    if taken > budget:
                        raise UserError(
                            f"{path} is compressed and larger than data.memory "
                            f"({budget / 2**30:g} GiB): unpack it into a folder"
                        )
                    content = archive.extractfile(member)
                    if content is not None:
                        self._files[name] = content.read()
        except _DAMAGE as error:
            raise damaged(path, error) from error
        super().__init__(Listing(str(path), _regular(members, left), left))

    def content(self, key: str) -> bytes:
        return self._files[key]


def _is_statement(name: str) -> bool:
    return PurePosixPath(name).name == STATEMENT


def _is_folder(name: str) -> bool:
    return name.endswith(("/", "\\"))


def _regular(members: Sequence[tarfile.TarInfo], left: LeftOut) -> dict[str, Member]:
    """Files of a tar by their plain name; links and the like are noted."""
    stored = []
    for member in members:
        if member.isfile():
            span = Member(member.name, member.offset_data, member.size)
            stored.append((member.name, span))
        elif not member.isdir():
            left.add("links, pipes and devices in the archive", member.name)
    found = _without_repeats(stored, left)
    _note_empty([member.name for member in members if member.isdir()], found, left)
    return found


def _without_repeats(stored: Iterable[tuple[str, T]], left: LeftOut) -> dict[str, T]:
    """What is stored, by plain name: of two the later one, as when the archive is unpacked."""
    found: dict[str, T] = {}
    for name, what in stored:
        plain = plain_name(name)
        if plain in found:
            left.add("earlier ones of two files with one name", name)
        found[plain] = what
    return found


def _note_empty(folders: Sequence[str], files: Iterable[str], left: LeftOut) -> None:
    used = {str(parent) for file in files for parent in PurePosixPath(file).parents}
    for folder in map(plain_name, folders):
        if folder and folder not in used:
            used |= {str(parent) for parent in PurePosixPath(folder).parents}
            left.add("empty folders", folder)


def archive_stem(name: str) -> str:
    """The name of an archive without its suffixes, `.tar.gz` as a whole."""
    suffix = next(s for s in sorted(ARCHIVE_SUFFIXES, key=len)[::-1] if name.lower().endswith(s))
    return name[: -len(suffix)]


def list_folder(folder: Path) -> Listing:
    """What lies below a folder.

    Raises:
        UserError: It may not be entered, or is a run or an exported model.
    """
    left = LeftOut()
    listing = Listing(str(folder), walk(folder, left), left)
    generated = _generated(folder, listing.pictures)
    if len(generated) < len(listing.pictures):  # a folder of nothing else is meant as it is
        listing.leave_out("pictures that zerosum generated", generated)
    return listing


def _generated(folder: Path, names: Sequence[str]) -> list[str]:
    """Names of the pictures that `zerosum generate` wrote."""
    if len(names) > _MANY:
        return []
    found = []
    for name in names:
        if name.lower().endswith(".png"):
            with suppress(OSError), open(folder / name, "rb") as file:
                if is_stamped(file.read(STAMP_WITHIN)):
                    found.append(name)
    return found


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
