"""The first step on the way of a path: what holds the pictures. Each container lists them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from zerosum.data.places import GIB, expand, locate
from zerosum.errors import UserError
from zerosum.modalities.images.archives import (
    ARCHIVE_SUFFIXES,
    ARRAY_SUFFIXES,
    FolderPictures,
    archive_stem,
    is_picture,
    open_archive,
    walk,
)
from zerosum.modalities.images.arrays import open_array
from zerosum.modalities.images.gallery import Gallery, from_names, from_values
from zerosum.modalities.images.hub import open_hub
from zerosum.modalities.images.named import NAMES, open_named
from zerosum.modalities.images.shards import ShardPictures, label_value, samples_of


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
    names: Sequence[str]

    def gallery(self, memory: float = 2.0) -> Gallery:
        return from_names(self.path.resolve().name, FolderPictures(self.path, self.names))


@dataclass(frozen=True)
class Archive(Container):
    """A zip or tar file of pictures."""

    path: Path

    def gallery(self, memory: float = 2.0) -> Gallery:
        found = open_archive(self.path, int(memory * GIB))
        if not len(found):
            raise UserError(
                f"{self.path} holds no image files: check that it is the right archive"
            )
        return from_names(archive_stem(self.path.resolve().name), found)


@dataclass(frozen=True)
class Array(Container):
    """A numpy file."""

    path: Path

    def gallery(self, memory: float = 2.0) -> Gallery:
        return open_array(self.path)


@dataclass(frozen=True)
class Shards(Container):
    """Tar shards, which a training streams and never lists."""

    paths: Sequence[Path]

    def gallery(self, memory: float = 2.0) -> Gallery:
        samples = [sample for shard in self.paths for sample in samples_of(shard)]
        name = self.paths[0].parent.name
        if not samples:
            raise UserError(f"{name}: its shards hold no pictures")
        values = [label_value(sample) for sample in samples]
        labels, classes = None, ()
        if None not in values:
            labels, classes = from_values(np.array([str(value) for value in values]))
        return Gallery(name, ShardPictures(samples), range(len(samples)), labels, classes)


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
        return Shards(_all_shards(place))
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
    if is_picture(lowered):
        raise UserError(f"{path} is one picture: name the folder that holds the set")
    raise UserError(
        f"{path} is no set of pictures: give a folder, {', '.join(ARCHIVE_SUFFIXES[:4])}, "
        ".tar.xz, .npz or .npy"
    )


def _in_folder(folder: Path) -> Container:
    """Pictures, else several tar shards, else the only archive or array file."""
    names = list(walk(folder))
    pictures = [name for name in names if is_picture(name)]
    if pictures:
        return Folder(folder, pictures)
    shards = [folder / name for name in names if name.endswith(".tar")]
    if len(shards) > 1:
        return Shards(shards)
    visible = [name for name in names if not any(p.startswith(".") for p in PurePath(name).parts)]
    packs = [n for n in visible if n.lower().endswith(ARCHIVE_SUFFIXES + ARRAY_SUFFIXES)]
    if len(packs) == 1:
        return _inside(folder / packs[0])
    if packs:
        raise UserError(f"{folder} holds several sets, name one of them: {', '.join(packs[:8])}")
    if not visible:
        raise UserError(f"{folder} is empty: put image files in it, or name another folder")
    kinds = Counter(PurePath(name).suffix or "no suffix" for name in visible)
    listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(3))
    raise UserError(f"{folder} holds no image files (found {listed}): name the folder of images")


def _all_shards(pattern: str) -> list[Path]:
    """The tar files that a pattern names, those of folders in it too, in sorted order."""
    found: list[Path] = []
    for path in (locate(name) for name in expand(pattern)):
        inside = (path / name for name in walk(path)) if path.is_dir() else (path,)
        found += [file for file in inside if not path.is_dir() or file.name.endswith(".tar")]
    if not found:
        raise UserError(f"wds:{pattern} holds no .tar shards: name a folder or a pattern")
    return found


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
            case Archive():
                return "an archive of pictures" if found.gallery().train else ""
            case Array():
                return "an array of pictures" if found.gallery().train else ""
    except UserError:
        return ""
    return ""
