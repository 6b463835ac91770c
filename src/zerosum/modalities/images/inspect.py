"""What is in a set of pictures, what is wrong with it, and what to type next."""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from zerosum.data.config import OnProgress
from zerosum.data.pixels import over_white
from zerosum.modalities.images.containers import container
from zerosum.modalities.images.decoding import map_numbers, none_readable
from zerosum.modalities.images.gallery import BadPictureError, Gallery, Pictures
from zerosum.modalities.images.opening import part
from zerosum.modalities.modality import Inspection, counted, listed

_FLAT = 8  # of 255: a picture whose every channel spans no more is near-constant
_FEW = 500  # pictures; below, a network learns them by heart
_TINY = 16  # pixels of the shorter side
_MODEST = 64  # pixels of the shorter side: what trains in hours, not weeks
_HOLDOUT = 0.1  # the default of `Images`
_PAIRED = ({"a", "b"}, {"input", "image"}, {"traina", "trainb"})  # names of folders of pairs


@dataclass(frozen=True)
class Report:
    """What `inspect` found.

    Attributes:
        path: As typed.
        count: Pictures in the set.
        inspected: Pictures looked at; fewer than `count` when a limit was given.
        train: Training pictures among all.
        heldout: Held-out pictures among all.
        heldout_note: Where the held-out part comes from.
        sizes: (height, width) to number of pictures, most frequent first.
        modes: Stored mode, such as RGB, L, P or I;16, to number of pictures.
        channels: The fewest of 1 and 3 that lose no colour.
        transparent: Pictures that are not opaque everywhere.
        classes: Class name to number of pictures; empty without labels.
        duplicates: Names of pictures with equal pixels, by group.
        leaked: Names of held-out pictures that are also in the set's own training part.
        constant: Names of near-constant pictures.
        unreadable: Name to reason.
        size: Recommended (height, width); None when the stored size is fine.
        memory: Bytes of the decoded set at the recommended size and channels.
        warnings: One line each.
        notes: Decisions taken while reading, one line each.
        command: The exact command to type next.
    """

    path: str
    count: int
    inspected: int
    train: int
    heldout: int
    heldout_note: str
    sizes: dict[tuple[int, int], int]
    modes: dict[str, int]
    channels: int
    transparent: int
    classes: dict[str, int]
    duplicates: tuple[tuple[str, ...], ...]
    leaked: tuple[str, ...]
    constant: tuple[str, ...]
    unreadable: dict[str, str]
    size: tuple[int, int] | None
    memory: int
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    command: str

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it; sizes become `HEIGHTxWIDTH`."""
        return asdict(self) | {
            "sizes": {f"{height}x{width}": n for (height, width), n in self.sizes.items()}
        }

    def described(self) -> Inspection:
        """The report in words for people."""
        sizes = {f"{height}x{width}": count for (height, width), count in self.sizes.items()}
        transparent = f" (with transparency: {self.transparent:,})" if self.transparent else ""
        unreadable = [f"{name} ({why})" for name, why in self.unreadable.items()]
        rows = {
            "images": f"{self.count:,} ({self.train:,} to learn from, held out: "
            f"{self.heldout_note})",
            "sizes": counted(sizes),
            "modes": counted(self.modes),
            "channels": f"{self.channels}{transparent}",
            "classes": counted(self.classes, most=12) if self.classes else "none",
            "duplicates": listed([" = ".join(group) for group in self.duplicates]),
            "near-constant": listed(self.constant),
            "unreadable": listed(unreadable),
            "in memory": f"{self.memory / 2**20:,.1f} MiB",
        }
        return Inspection(self.path, rows, self.notes, self.warnings, self.command, self.to_dict())


class _Look(NamedTuple):
    size: tuple[int, int]
    mode: str
    digest: bytes
    flat: bool
    grey: bool
    transparent: bool


def _look(pictures: Pictures, number: int) -> _Look | BadPictureError:
    try:
        _, mode = pictures.probe(number)
        image = pictures.image(number)
    except BadPictureError as error:
        return error
    # RGBA is the common form, so that equal pixels match whatever mode they are stored in
    rgba = np.asarray(image.convert("RGBA"))
    height, width = rgba.shape[:2]
    digest = hashlib.blake2b(rgba.tobytes() + f"{height}x{width}".encode(), digest_size=16)
    seen = np.asarray(over_white(image)).reshape(height * width, -1)
    return _Look(
        (height, width),
        mode,
        digest.digest(),
        bool((np.ptp(seen, axis=0) <= _FLAT).all()),
        bool((seen == seen[:, :1]).all()),
        bool((rgba[..., 3] < 255).any()),
    )


def inspect(
    path: str,
    *,
    limit: int | None = None,
    on_progress: OnProgress | None = None,
    largest: int = _MODEST,
) -> Report:
    """Look at every picture of a set, or at `limit` of them spread evenly.

    Args:
        path: Anything that `Images.path` takes.
        limit: Look at no more than that many.
        on_progress: Called now and then with (done, of how many).
        largest: Pixels of the shorter side that are recommended at most.

    Raises:
        UserError: Nothing is there, or no picture can be read.
    """
    gallery = container(path).gallery()
    train, heldout, note = part(gallery, _HOLDOUT)
    used = np.sort(np.concatenate([train, heldout]))
    count = len(used)
    if limit is not None and limit < count:
        used = used[np.linspace(0, count - 1, max(1, limit)).round().astype(np.int64)]

    looks: dict[int, _Look] = {}
    unreadable: dict[str, str] = {}
    example: BadPictureError | None = None
    for number, look in map_numbers(lambda n: _look(gallery.pictures, n), used, on_progress):
        if isinstance(look, BadPictureError):
            unreadable[look.name] = look.reason
            example = example or look
        else:
            looks[number] = look
    if not looks:
        raise none_readable(path, len(used), example)

    names = gallery.pictures.names
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    for number, look in looks.items():
        groups[look.digest].append(number)
    twins = [numbers for numbers in groups.values() if len(numbers) > 1]
    sizes = Counter(look.size for look in looks.values())
    size = _recommended(sizes, largest)
    height, width = size or next(iter(sizes))
    channels = 1 if all(look.grey for look in looks.values()) else 3
    options = [] if size is None else [f"data.size={_written(size)}"]
    options += ["data.skip_bad=true"] if unreadable else []
    found = Report(
        path=path,
        count=count,
        inspected=len(used),
        train=len(train),
        heldout=len(heldout),
        heldout_note=note,
        sizes=dict(sizes.most_common()),
        modes=dict(Counter(look.mode for look in looks.values()).most_common()),
        channels=channels,
        transparent=sum(look.transparent for look in looks.values()),
        classes=_balance(gallery, used),
        duplicates=tuple(tuple(names[number] for number in numbers) for numbers in twins),
        leaked=_leaked(gallery, twins),
        constant=tuple(names[number] for number, look in looks.items() if look.flat),
        unreadable=unreadable,
        size=size,
        memory=count * channels * height * width,
        warnings=(),
        notes=gallery.notes + gallery.pictures.remarks(),
        command=shlex.join(["zerosum", "train", "--data", path, *options]),
    )
    warnings = _warnings(found)
    if _may_be_pairs(gallery):
        warnings += (
            f"the folders {' and '.join(gallery.classes)} hold pictures of the same names: if "
            f"they are pairs, type  zerosum train pix2pix --data {path}",
        )
    return Report(**{**vars(found), "warnings": warnings})


def _may_be_pairs(gallery: Gallery) -> bool:
    """Whether the classes are two folders that are named like those of pairs, with partners."""
    if len(gallery.classes) != 2 or {name.lower() for name in gallery.classes} not in _PAIRED:
        return False
    if gallery.labels is None:
        return False
    stems = [PurePosixPath(name).stem for name in gallery.pictures.names]
    sides = [{stem for stem, label in zip(stems, gallery.labels) if label == n} for n in (0, 1)]
    return sides[0] == sides[1]


def _balance(gallery: Gallery, used: np.ndarray) -> dict[str, int]:
    if gallery.labels is None:
        return {}
    counts = np.bincount(gallery.labels[used], minlength=len(gallery.classes))
    return {name: int(number) for name, number in zip(gallery.classes, counts)}


def _leaked(gallery: Gallery, twins: list[list[int]]) -> tuple[str, ...]:
    """Held-out pictures with a twin in training, where the set brings its own parts."""
    if gallery.heldout is None:
        return ()
    held = set(gallery.heldout)
    crossing = [n for n in twins if 0 < sum(number in held for number in n) < len(n)]
    names = gallery.pictures.names
    return tuple(names[number] for numbers in crossing for number in numbers if number in held)


def _recommended(sizes: Counter[tuple[int, int]], largest: int) -> tuple[int, int] | None:
    """A size that nearly all pictures reach and a small machine can train."""
    if len(sizes) == 1:
        stored = next(iter(sizes))
        size = _doubled(stored, largest)
        return None if size == stored else size
    shorts = np.sort([min(size) for size in sizes.elements()])
    reached = int(shorts[len(shorts) // 10])  # nine in ten are at least that large
    side = min(largest, max(8, 1 << (reached.bit_length() - 1)))
    return side, side


def _doubled(size: tuple[int, int], largest: int) -> tuple[int, int]:
    """Nearly the same proportions, of a modest size that is a small grid doubled a few times.

    Convolutional networks double a grid whose shorter side has 4 to 7 pixels.
    """
    scale = min(1.0, largest / min(size))
    height, width = (max(8, round(side * scale)) for side in size)
    while True:
        step = 1 << ((min(height, width) // 4).bit_length() - 1)
        rounded = (round(height / step) * step, round(width / step) * step)
        if rounded == (height, width):
            return rounded
        height, width = rounded


def _written(size: tuple[int, int]) -> str:
    return str(size[0]) if size[0] == size[1] else f"{size[0]}x{size[1]}"


def _warnings(report: Report) -> tuple[str, ...]:
    """What to know before training, one line each, the gravest first."""
    lines = []
    seen = report.inspected
    if report.unreadable:
        lines.append(f"{len(report.unreadable):,} of {seen:,} pictures cannot be read")
    if report.count < _FEW:
        lines.append(
            f"very few pictures ({report.count:,}): a network learns them by heart; train --data "
            "adds augmentation, with a system of your own add remedies=ada"
        )
    if report.leaked:
        lines.append(
            f"held-out pictures that are also in the training part: {len(report.leaked):,}"
        )
    copies = sum(len(group) - 1 for group in report.duplicates)
    if copies:
        lines.append(f"exact copies of other pictures: {copies:,} ({copies / seen:.1%})")
    if report.constant:
        lines.append(f"pictures of nearly one colour: {len(report.constant):,}")
    if len(report.sizes) > 1:
        lines.append(f"pictures have {len(report.sizes)} sizes: they are cropped and resized")
    shortest = min(min(size) for size in report.sizes)
    if shortest < _TINY:
        lines.append(f"tiny pictures: the shortest side is {shortest} pixels")
    elif report.size is not None and shortest < min(report.size):
        lines.append(f"pictures below {_written(report.size)} are enlarged and look soft")
    if report.transparent:
        lines.append(
            f"transparent pictures, laid over white: {report.transparent:,}; "
            "data.channels=4 keeps the transparency"
        )
    if all(width == 2 * height for height, width in report.sizes):
        lines.append(
            "all pictures are twice as wide as high: if they are pairs side by side, type  "
            f"zerosum train pix2pix --data {report.path}"
        )
    total = sum(report.classes.values())
    if total:
        name, most = max(report.classes.items(), key=lambda item: item[1])
        if most / total > 0.5 + 0.5 / len(report.classes):
            lines.append(f"class {name} dominates: {most:,} of {total:,} ({most / total:.0%})")
    return tuple(lines)
