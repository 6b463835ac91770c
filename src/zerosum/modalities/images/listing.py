"""The names in a folder or an archive sorted out: pictures, statements of labels, and the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath
from posixpath import splitext

from zerosum.data.walking import LeftOut
from zerosum.errors import UserError
from zerosum.names import first_names, printable

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff")
IMAGE_SUFFIXES += (".ppm", ".pgm", ".pbm", ".pnm", ".avif")
STATEMENT = "dataset.json"
"""What StyleGAN's dataset tool calls the file of its labels."""

# Pictures and films to those who took them, but not to the decoder.
_FOREIGN = re.compile(
    r"\.(heic|heif|hif|jxl|jp2|j2k|jpx|svg|svgz|psd|xcf|ai|eps|pdf|exr|hdr|tga|ico|dds|apng|jpe|mpo"
    r"|dng|cr2|cr3|crw|nef|nrw|arw|orf|rw2|raf|pef|srw|raw|x3f|dcm|nii|fits|qoi|pcx|sgi|icns|xbm|xpm"
    r"|mp4|mov|avi|mkv|webm|m4v|mpg|mpeg|wmv|3gp)"
)
_TABLE = re.compile(r"\.(csv|tsv|json|jsonl|ndjson|parquet|xml|mat|xlsx|yaml|yml)")
_SIDECAR = re.compile(r"\.(txt|cls|json|xml|caption|npy)")
_WORD = re.compile(r"label|annot|meta|class|target|categor|attr|caption|tags")
_RUN, _EXPORT = {"recipe.json", "codec.json"}, {"config.json", "codec.json", "model.safetensors"}


def is_picture(name: str) -> bool:
    """Whether a name is that of an image file that people mean: not hidden, not a Mac shadow."""
    return not is_hidden(name) and _suffix(name) in IMAGE_SUFFIXES


def is_hidden(name: str) -> bool:
    """Whether a file lies in the shade: a dot before it or a folder of it, or a Mac's shadow."""
    if "." not in name[:1] and "/." not in name and "__MACOSX" not in name:
        return False  # nearly always: a set may have millions of names
    parts = name.split("/")
    return any((p[:1] == "." and p not in (".", "..")) or p == "__MACOSX" for p in parts)


def plain_name(name: str) -> str:
    """A stored name as a relative path with /: without the root, `.`, `..` and backslashes."""
    parts = name.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))


class Listing:
    """What a place holds, by names alone.

    Args:
        place: What the user calls it, for messages.
        names: Of all its files, relative, with /.
        left: What was passed over before the names were known; takes what is left out here.

    Attributes:
        pictures: Names of the image files.
        statements: Names of the files called dataset.json.
        others: Names of the other files in sight.

    Raises:
        UserError: The place is a run or an exported model.
    """

    def __init__(self, place: str, names: Iterable[str], left: LeftOut) -> None:
        self.left = left
        self.pictures: list[str] = []
        self.statements: list[str] = []
        self.others: list[str] = []
        files = list(names)
        made = _made_by_zerosum(files)
        if "" in made:
            raise UserError(
                f"{place} is a folder that zerosum wrote ({made['']}), not a set of pictures: "
                "name the set's own folder, or one below this one"
            )
        for folder, what in made.items():
            left.add(f"{what}s of zerosum", folder)
        for name in files:
            if made and any(str(parent) in made for parent in PurePosixPath(name).parents):
                continue
            if is_hidden(name):
                left.add("hidden files", name)
            elif _suffix(name) in IMAGE_SUFFIXES:
                self.pictures.append(name)
            elif name.rpartition("/")[2] == STATEMENT:
                self.statements.append(name)
            else:
                self.others.append(name)

    def leave_out(self, reason: str, names: Iterable[str]) -> None:
        """Take some pictures away, and note why.

        Args:
            reason: What they are, in the plural.
            names: Of the pictures.
        """
        gone = dict.fromkeys(names)
        for name in gone:
            self.left.add(reason, name)
        self.pictures = [name for name in self.pictures if name not in gone]

    def notes(self, used: Iterable[str] = ()) -> tuple[str, ...]:
        """What is left out and why, one line each.

        Args:
            used: Names of others that are used after all.
        """
        rest = set(self.others) - set(used)
        lines = list(self.left.notes())
        if foreign := [name for name in sorted(rest) if _FOREIGN.fullmatch(_suffix(name))]:
            lines.append(
                f"pictures and films of kinds that are not read left out: {_counted(foreign)}; "
                "convert them to .png or .jpg"
            )
        rest -= set(foreign)
        beside = sorted(name for name in rest if _SIDECAR.fullmatch(_suffix(name)))
        if beside:
            stems = {splitext(name)[0] for name in self.pictures}
            beside = [name for name in beside if splitext(name)[0] in stems]
        if beside:
            lines.append(f"files named like pictures are not used as labels: {_counted(beside)}")
        rest -= set(beside)
        if labels := sorted(name for name in rest if self.pictures and _like_labels(name)):
            lines.append(
                f"files that look like labels are not used: {len(labels):,} "
                f"({first_names([printable(name) for name in labels])})"
            )
        if rest := sorted(rest - set(labels)):
            lines.append(f"files of other kinds left out: {_counted(rest)}")
        return tuple(lines)


def _made_by_zerosum(names: Iterable[str]) -> dict[str, str]:
    """Folders that are runs or exported models, and which; "" for the place itself."""
    marks = _RUN | _EXPORT
    inside: dict[str, set[str]] = {}
    for name in names:
        folder, _, file = name.rpartition("/")
        if file in marks:
            inside.setdefault(folder, set()).add(file)
    return {
        folder: "run" if files >= _RUN else "exported model"
        for folder, files in inside.items()
        if files >= _RUN or files >= _EXPORT
    }


def _like_labels(name: str) -> bool:
    suffix, base = _suffix(name), PurePosixPath(name).name.lower()
    plain = suffix in (".txt", ".npy", ".npz", ".pkl", "")
    return bool(_TABLE.fullmatch(suffix) or (plain and _WORD.search(base)))


def _suffix(name: str) -> str:
    return splitext(name)[1].lower()


def _counted(names: list[str]) -> str:
    """Files by their suffix, and the first one's name."""
    kinds = Counter(_suffix(name) or "without suffix" for name in names)
    listed = [f"{count:,} {printable(kind)}" for kind, count in kinds.most_common()]
    return f"{first_names(listed, 6)} ({printable(names[0])}{', ...' if names[1:] else ''})"
