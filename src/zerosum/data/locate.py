"""From the text a user types to the pictures it means."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePath

from zerosum.data.archives import (
    ARCHIVE_SUFFIXES,
    ARRAY_SUFFIXES,
    FolderPictures,
    is_picture,
    open_archive,
    walk,
)
from zerosum.data.arrays import open_array
from zerosum.data.gallery import Gallery, from_names
from zerosum.data.hub import open_hub
from zerosum.data.named import FOLDER_VARIABLE, NAMES, data_folder, open_named
from zerosum.errors import UserError, nearest

GIB = 2**30


def locate(text: str) -> Path:
    """The file or folder that a text names, in the working folder or in the data folder.

    Raises:
        UserError: Neither is there.
    """
    path = Path(text).expanduser()
    root = data_folder()
    places = [path] if root is None or path.is_absolute() else [path, root / path]
    for place in places:
        if place.exists():
            return place
    also = f" (nor in {root}, the {FOLDER_VARIABLE})" if len(places) > 1 else ""
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = nearest(path.name, [*NAMES, *siblings])
    cure = hint if hint.startswith("did you") else f"named sets: {', '.join(NAMES)}"
    raise UserError(f"no file or folder {text}{also}: {cure}")


def shards_of(text: str) -> list[Path] | None:
    """Tar shards that a text names: `wds:` and a pattern, or a folder of several .tar files.

    Returns:
        Their paths in sorted order; None when the text means something else.

    Raises:
        UserError: `wds:` was written but no shard is there.
    """
    asked = text.startswith("wds:")
    if (not asked and text in NAMES) or text.startswith("hf:"):
        return None
    if asked:
        paths = [locate(name) for name in expand(text.removeprefix("wds:"))]
    else:
        paths = [locate(text)]
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        names = list(walk(path))
        if not asked and any(is_picture(name) for name in names):
            return None
        found += [path / name for name in names if name.endswith(".tar")]
    if not asked:
        return found if paths[0].is_dir() and len(found) > 1 else None
    if not found:
        raise UserError(f"{text} holds no .tar shards: name a folder of them or a pattern")
    return found


def expand(pattern: str) -> list[str]:
    """Names of a brace pattern: `a-{00..02}.tar` and `a-{x,y}.tar`, several braces allowed."""
    head, brace, rest = pattern.partition("{")
    inside, closed, tail = rest.partition("}")
    if not brace or not closed:
        return [pattern]
    first, dots, last = inside.partition("..")
    if dots:
        if not (first.isdigit() and last.isdigit()):
            raise UserError(f"{{{inside}}} is no range of shards: write it like {{000..009}}")
        choices = [f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1)]
    else:
        choices = inside.split(",")
    return [head + choice + end for choice in choices for end in expand(tail)]


def find(text: str, memory: float = 2.0) -> Gallery:
    """The pictures that a text means, not yet decoded.

    Args:
        text: A named set, `hf:...`, or the path of a folder, archive or array file.
        memory: GiB that the encoded files of a compressed tar may take.

    Raises:
        UserError: Nothing is there, or no pictures are in it.
    """
    budget = int(memory * GIB)
    if text in NAMES:
        return open_named(text, lambda folder: _open_path(folder, budget))
    if text.startswith("hf:"):
        return open_hub(text.removeprefix("hf:"))
    return _open_path(locate(text), budget)


def _open_path(path: Path, budget: int) -> Gallery:
    name = path.resolve().name
    if path.is_dir():
        names = list(walk(path))
        pictures = [file for file in names if is_picture(file)]
        if pictures:
            return from_names(name, FolderPictures(path, pictures))
        return _open_path(_only_pack(path, names), budget)
    lowered = name.lower()
    if lowered.endswith(ARRAY_SUFFIXES):
        return open_array(path)
    if lowered.endswith(ARCHIVE_SUFFIXES):
        found = open_archive(path, budget)
        if not len(found):
            raise UserError(f"{path} holds no image files: check that it is the right archive")
        suffix = next(s for s in sorted(ARCHIVE_SUFFIXES, key=len)[::-1] if lowered.endswith(s))
        return from_names(name[: -len(suffix)], found)
    if is_picture(name):
        raise UserError(f"{path} is one picture: name the folder that holds the set")
    raise UserError(
        f"{path} is no set of pictures: give a folder, {', '.join(ARCHIVE_SUFFIXES[:4])}, "
        ".tar.xz, .npz or .npy"
    )


def _only_pack(folder: Path, names: list[str]) -> Path:
    """The one archive or array file in a folder without pictures."""
    visible = [name for name in names if not any(p.startswith(".") for p in PurePath(name).parts)]
    packs = [n for n in visible if n.lower().endswith(ARCHIVE_SUFFIXES + ARRAY_SUFFIXES)]
    if len(packs) == 1:
        return folder / packs[0]
    if packs:
        raise UserError(f"{folder} holds several sets, name one of them: {', '.join(packs[:8])}")
    if not visible:
        raise UserError(f"{folder} is empty: put image files in it, or name another folder")
    kinds = Counter(PurePath(name).suffix or "no suffix" for name in visible)
    listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(3))
    raise UserError(f"{folder} holds no image files (found {listed}): name the folder of images")
