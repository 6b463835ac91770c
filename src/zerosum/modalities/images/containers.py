"""The first step on the way of a path: what holds the pictures. Each container lists them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from zerosum.data.places import GIB, expand, locate
from zerosum.errors import UserError
from zerosum.modalities.images.archives import (
    ARCHIVE_SUFFIXES,
    ARRAY_SUFFIXES,
    FolderPictures,
    archive_stem,
    list_folder,
    open_archive,
)
from zerosum.modalities.images.array_sets import open_array
from zerosum.modalities.images.class_lists import is_list
from zerosum.modalities.images.gallery import Gallery, from_names
from zerosum.modalities.images.hub import open_hub
from zerosum.modalities.images.idx_sets import idx_fellows, is_idx, open_idx
from zerosum.modalities.images.labels import with_choice
from zerosum.modalities.images.listing import Listing, is_picture
from zerosum.modalities.images.named import NAMES, open_named
from zerosum.modalities.images.shard_sets import labelled_tar, shard_gallery
from zerosum.names import printable


class Container(ABC):
    """What a text names: something that holds pictures."""

    @abstractmethod
    def gallery(self, memory: float = 2.0) -> Gallery:
        """Its pictures, not yet decoded.

        Args:
            memory: GiB that the encoded files of a compressed tar may take.

        Raises:
            UserError: It is damaged, or no pictures are in it.
        """


@dataclass(frozen=True)
class Named(Container):
    """A set known by name."""

    name: str

    def gallery(self, memory: float = 2.0) -> Gallery:
        return open_named(self.name, lambda folder: _inside(folder).gallery(memory))


@dataclass(frozen=True)
class Hub(Container):
    """A set of the Hugging Face hub, or a folder in its formats."""

    place: str

    def gallery(self, memory: float = 2.0) -> Gallery:
        return open_hub(self.place)


@dataclass(frozen=True)
class Folder(Container):
    """Picture files below a folder."""

    path: Path
    listing: Listing

    def gallery(self, memory: float = 2.0) -> Gallery:
        pictures = FolderPictures(self.path, self.listing)
        return from_names(printable(self.path.resolve().name), pictures)


@dataclass(frozen=True)
class Archive(Container):
    """A zip or tar file of pictures."""

    path: Path

    def gallery(self, memory: float = 2.0) -> Gallery:
        name = printable(archive_stem(self.path.resolve().name))
        if self.path.name.lower().endswith(".tar") and (found := labelled_tar(self.path, name)):
            return found
        found = open_archive(self.path, int(memory * GIB))
        if not len(found):
            raise UserError(
                f"{self.path} holds no image files: check that it is the right archive"
            )
        return from_names(name, found)


@dataclass(frozen=True)
class Array(Container):
    """A numpy file."""

    path: Path

    def gallery(self, memory: float = 2.0) -> Gallery:
        return open_array(self.path, memory)


@dataclass(frozen=True)
class Idx(Container):
    """IDX files of one folder, as MNIST and its kin come."""

    folder: Path
    names: Sequence[str]
    notes: tuple[str, ...] = ()

    def gallery(self, memory: float = 2.0) -> Gallery:
        found = open_idx(self.folder, self.names, memory)
        return replace(found, notes=self.notes + found.notes)


@dataclass(frozen=True)
class Alone(Container):
    """The only archive or array file in a folder, and what lies beside it."""

    inner: Container
    notes: tuple[str, ...]

    def gallery(self, memory: float = 2.0) -> Gallery:
        found = self.inner.gallery(memory)
        return replace(found, notes=self.notes + found.notes)


@dataclass(frozen=True)
class Shards(Container):
    """Tar shards, which a training streams and never lists."""

    paths: Sequence[Path]
    notes: tuple[str, ...] = ()
    picture: str = ""

    def gallery(self, memory: float = 2.0) -> Gallery:
        found = shard_gallery(self.paths, self.picture)
        return replace(found, notes=self.notes + found.notes)


def container(text: str) -> Container:
    """What a text names: a named set, `hf:...`, `wds:...`, a folder, an archive, an array file.

    Raises:
        UserError: Nothing is there, or it cannot hold pictures.
    """
    if text in NAMES:
        return Named(text)
    kind, _, place = text.partition(":")
    if kind == "hf":
        return Hub(place)
    if kind == "wds":
        place, picture = with_choice(place)
        return replace(_all_shards(place), picture=picture)
    return _inside(locate(text, NAMES))


def _inside(path: Path) -> Container:
    """What a path holds."""
    if path.is_dir():
        return _in_folder(path)
    lowered = path.resolve().name.lower()
    if lowered.endswith(ARRAY_SUFFIXES):
        return Array(path)
    if lowered.endswith(ARCHIVE_SUFFIXES):
        return Archive(path)
    if is_idx(path.name):
        return Idx(path.parent, idx_fellows(path))
    if is_picture(lowered):
        raise UserError(f"{path} is one picture: name the folder that holds the set")
    raise UserError(
        f"{path} is no set of pictures: give a folder, {', '.join(ARCHIVE_SUFFIXES[:4])}, "
        ".tar.xz, .npz, .npy or IDX files"
    )


def _in_folder(folder: Path) -> Container:
    """Pictures, else several tar shards, else the only archive or array file, else IDX files."""
    listing = list_folder(folder)
    if listing.pictures:
        return Folder(folder, listing)
    others = listing.others
    shards = [name for name in others if name.endswith(".tar")]
    if len(shards) > 1:
        notes = listing.notes(used=[*shards, *(n for n in others if is_list(n))])
        return Shards([folder / name for name in shards], notes)
    packs = [name for name in others if name.lower().endswith(ARCHIVE_SUFFIXES + ARRAY_SUFFIXES)]
    if len(packs) == 1:
        notes = (f"the set is {printable(packs[0])}", *listing.notes(used=packs))
        return Alone(_inside(folder / packs[0]), notes)
    if packs:
        raise UserError(f"{folder} holds several sets, name one of them: {', '.join(packs[:8])}")
    if idx := [name for name in others if is_idx(name)]:
        return Idx(folder, idx, listing.notes(used=idx))
    left = "; ".join(listing.left.notes())
    if not others and not left:
        raise UserError(f"{folder} is empty: put image files in it, or name another folder")
    kinds = Counter(PurePath(name).suffix or "no suffix" for name in others)
    found = [f"{count:,} {kind}" for kind, count in kinds.most_common(3)]
    if found:
        left = f"found {', '.join(found)}" + (f"; {left}" if left else "")
    raise UserError(f"{folder} holds no image files ({left}): name the folder of images")


def _all_shards(pattern: str) -> Shards:
    """The tar files that a pattern names, those of folders in it too, in sorted order."""
    found: list[Path] = []
    notes: tuple[str, ...] = ()
    for path in (locate(name) for name in expand(pattern)):
        if not path.is_dir():
            found.append(path)
            continue
        listing = list_folder(path)
        inside = [name for name in listing.others if name.endswith(".tar")]
        found += [path / name for name in inside]
        notes += listing.notes(used=[*inside, *(n for n in listing.others if is_list(n))])
    if not found:
        raise UserError(f"wds:{pattern} holds no .tar shards: name a folder or a pattern")
    return Shards(found, notes)


def recognised(text: str) -> str:
    """What a text would be read as, from names and headers; "" for what holds no pictures."""
    if text in NAMES:
        return f"the named set {text}"
    if text.startswith(("hf:", "wds:")):
        return {"hf": "a set of the hub", "wds": "tar shards"}[text.partition(":")[0]]
    try:
        found = _inside(locate(text, NAMES))
        match found:
            case Folder():
                return "a folder of pictures"
            case Shards():
                return "tar shards"
            case Archive() | Alone(inner=Archive()):
                return "an archive of pictures" if found.gallery().train else ""
            case Idx():
                return "IDX files of pictures" if found.gallery().train else ""
            case Array() | Alone():
                return "an array of pictures" if found.gallery().train else ""
    except UserError:
        return ""
    return ""
