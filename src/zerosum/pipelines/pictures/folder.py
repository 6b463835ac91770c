"""One picture or a folder of them through a task, each answer written as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from zerosum.errors import UserError
from zerosum.modalities.images.archives import list_folder
from zerosum.names import first_names
from zerosum.pipelines.pictures.taken import WRITTEN, TakenPicture, save, take

Task = Callable[[TakenPicture], Image.Image]
"""From a picture that was read to its answer."""
OnPicture = Callable[[int, int], None]
"""Called with pictures done and of how many."""


@dataclass
class Answered:
    """What came of the pictures of a path.

    Attributes:
        written: Files that were written now.
        there: Answers that lay there already, of an earlier and broken call.
        bad: What was skipped, with the reason.
        notes: What was decided on the way, by picture.
    """

    written: list[Path] = field(default_factory=list)
    there: int = 0
    bad: list[str] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """What to tell a person: skipped pictures, and what was decided, alike ones together."""
        alike: dict[str, list[str]] = {}
        for name, notes in self.notes.items():
            for note in notes:
                alike.setdefault(note, []).append(name)
        told = [f"{first_names(names)}: {note}" for note, names in alike.items()]
        return [*(f"left out: {reason}" for reason in self.bad), *told]


def answer_all(
    given: Path,
    out: Path,
    task: Task,
    *,
    read: Callable[[Path], TakenPicture] = take,
    skip_bad: bool = False,
    notes: Callable[[], list[str]] = list,
    on_picture: OnPicture | None = None,
) -> Answered:
    """Put each picture of a path through a task.

    Args:
        given: A picture, or a folder whose pictures are taken, with those in folders below.
        out: The file of the answer, or a folder, in which answers have the names of their
            pictures and the suffix .png. What is there already is not made again.
        task: What is done.
        read: How a file is read; label maps have a way of their own.
        skip_bad: Leave out pictures that cannot be read instead of stopping.
        notes: What the task decided for its newest picture, one line each.
        on_picture: Called now and then.

    Raises:
        UserError: Nothing is there, or a picture cannot be read or written.
    """
    done = Answered()
    jobs = list(_jobs(given, out))
    for number, (source, target) in enumerate(jobs):
        if on_picture is not None:
            on_picture(number, len(jobs))
        if given.is_dir() and target.is_file():
            done.there += 1
            continue
        try:
            picture = read(source)
        except UserError as error:
            if not skip_bad:
                cure = ": replace it, or add --skip-bad" if given.is_dir() else ""
                raise UserError(f"{error}{cure}") from error
            done.bad.append(str(error))
            continue
        answer = task(picture)
        save(answer, target, picture.profile)
        done.written.append(target)
        told = [*picture.notes, *notes()]
        if told:
            done.notes[picture.name] = told
    if on_picture is not None:
        on_picture(len(jobs), len(jobs))
    if not (done.written or done.there) and done.bad:
        raise UserError(f"no picture of {given} can be read, such as {done.bad[0]}")
    return done


def _jobs(given: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """Each picture, and where its answer goes."""
    if not given.exists():
        raise UserError(f"{given} is not there: name a picture or a folder of them")
    if not given.is_dir():
        if out.is_dir() or not out.suffix:
            out = out / f"{given.stem}.png"
        if out.suffix.lower() not in WRITTEN:
            listed = ", ".join(WRITTEN)
            raise UserError(f"--out {out} is no picture that is written: end it in {listed}")
        if out.resolve() == given.resolve():
            raise UserError(f"--out {out} is the picture itself: name another file")
        yield given, out
        return
    if out.suffix.lower() in WRITTEN or out.is_file():
        raise UserError(
            f"{given} is a folder, so its answers need one: --out {out.with_suffix('')}"
        )
    if out.resolve() == given.resolve():
        raise UserError(f"--out {out} is the folder of the pictures: name another")
    listing = list_folder(given)
    names = list(listing.pictures)
    if not names:
        left = "; ".join(listing.notes())
        raise UserError(
            f"{given} holds no picture files{f' ({left})' if left else ''}: name the folder that "
            "does"
        )
    inside = out.resolve().relative_to(given.resolve()) if _below(out, given) else None
    taken: dict[Path, str] = {}
    for name in names:
        if inside is not None and Path(name).is_relative_to(inside):
            continue  # answers of an earlier call
        target = out / Path(name).with_suffix(".png")
        if target in taken:
            raise UserError(
                f"{taken[target]} and {name} would have one answer, {target}: rename one of them"
            )
        taken[target] = name
        yield given / name, target


def _below(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
