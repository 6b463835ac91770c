"""Molecules as data: where their SMILES are, and what is kept of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, Self

from pydantic import Field as Setting

from zerosum.chem.lists import Lines, lines_of
from zerosum.chem.molecules import clean
from zerosum.config import Examples, Whole
from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.order import HOLDOUT, LIMIT, choose
from zerosum.data.source import Split
from zerosum.errors import UserError
from zerosum.modalities.molecules import named
from zerosum.modalities.molecules.codec import MoleculeCodec
from zerosum.modalities.molecules.smiles import SmilesCodec
from zerosum.modalities.molecules.source import MoleculeSource
from zerosum.modalities.molecules.words import SelfiesCodec
from zerosum.names import printable

_SEED = 0  # of the held-out part and of `limit`: the same molecules in every run
_CHUNK = 256  # lines per report of progress
_SHOWN = 80  # characters of a refused line that are shown
_LARGEST = 40  # heavy atoms that no size asks for: a dense graph grows with their square


@dataclass
class Reading:
    """What became of some lines.

    Attributes:
        lines: How many there were.
        smiles: Clean ones, each once, in the order of the lines.
        refused: Lines by reason.
        examples: The first refused line of each reason.
        left_out: Each refused line: its number, what stands there, and why.
        duplicates: Lines that repeat an earlier molecule.
        salts: Accepted lines of which only the largest fragment is kept.
        stereo: Accepted lines whose stereochemistry or isotopes are left out.
        sizes: Molecules by number of heavy atoms.
        column: The column that the lines come from; "" in a list.
        beside: What the file holds besides, one line each.
    """

    lines: int = 0
    smiles: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    duplicates: int = 0
    salts: int = 0
    stereo: int = 0
    sizes: Counter[int] = field(default_factory=Counter)
    column: str = ""
    beside: tuple[str, ...] = ()

    def refuse(self, text: str, reason: str, number: int = 0) -> None:
        """Count a refused line; 0 stands for the number of one that is not known."""
        self.refused[reason] += 1
        short = printable(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
        self.examples.setdefault(reason, short)
        self.left_out.append(f"{f'line {number}: ' if number else ''}{short} ({reason})")

    def notes(self) -> tuple[str, ...]:
        """What was decided, one line each."""
        found = list(self.beside)
        if self.refused:
            reasons = "; ".join(f"{n:,} {why}" for why, n in self.refused.most_common())
            found.append(f"lines left out: {sum(self.refused.values()):,} ({reasons})")
        if self.duplicates:
            found.append(f"repeated molecules left out: {self.duplicates:,}")
        if self.salts:
            found.append(f"salts and solvents stripped from {self.salts:,} lines")
        if self.stereo:
            found.append(f"stereochemistry or isotopes left out of {self.stereo:,} lines")
        return tuple(found)


def read_lines(
    texts: Sequence[str],
    *,
    size: int = 0,
    numbers: Sequence[int] = (),
    on_progress: OnProgress | None = None,
) -> Reading:
    """Clean lines of SMILES, and count what is left out.

    Args:
        texts: One SMILES each.
        size: Most heavy atoms; 0 for at most 40.
        numbers: Of each line in its file; they are counted from 1 when empty.
        on_progress: Called now and then with (done, of how many).
    """
    reading, seen, most = Reading(lines=len(texts)), set[str](), size or _LARGEST
    for number, text in enumerate(texts, 1):
        found, line = clean(text), numbers[number - 1] if numbers else number
        if found.reason:
            reading.refuse(text, found.reason, line)
        elif found.size > most:
            reading.refuse(text, f"more than {most} heavy atoms", line)
        elif found.smiles in seen:
            reading.duplicates += 1
        else:
            seen.add(found.smiles)
            reading.smiles.append(found.smiles)
            reading.salts += found.salt
            reading.stereo += found.stereo
            reading.sizes[found.size] += 1
        if on_progress is not None and (number % _CHUNK == 0 or number == len(texts)):
            on_progress(number, len(texts))
    return reading


class MoleculeList(DataConfig):
    """A list of molecules as SMILES: a file, a named set, or the list itself."""

    modality: ClassVar[str] = "molecules"
    codec: ClassVar[type[SmilesCodec]]

    path: str = named.MADE
    """Named set (alkanes-and-friends, qm9, qm9-5k, esol, moses) or a .smi, .txt, .csv, .tsv or
    .sdf (.gz)."""
    smiles: tuple[str, ...] = ()
    """The SMILES themselves; then `path` only gives them a name."""
    column: str = ""
    """Column of a table; empty finds it."""
    size: Whole = 0
    """Most heavy atoms of a molecule; 0 takes the largest one, up to 40."""
    holdout: float = Setting(default=0.1, ge=0, lt=1)
    """Share of the molecules kept aside; of moses, whether its test part is (0 for not)."""
    limit: Examples | None = None
    """Use only so many training molecules, always the same ones. Of a set with a test part of its
    own only so many lines are read."""
    elite: float = Setting(default=0.0, ge=0, lt=1)
    """Share of the training molecules that better new ones may replace during the run."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        reading = self.read(on_progress)
        if not reading.smiles:
            first = next(iter(reading.examples.items()), ("it is empty", ""))
            raise UserError(
                f"{self.path} holds no molecule that can be used ({first[0]}: '{first[1]}'): "
                "name the right column with data.column, or look at it with  zerosum inspect"
            )
        aside = named.open_aside(self.path) if not self.smiles and self.holdout > 0 else None
        train, held, note = self._parts(reading.smiles, aside, on_progress)
        fitted = (
            codec if isinstance(codec, SmilesCodec) else type(self).codec.fit(train, self.size)
        )
        train = _fitting(train, fitted, reading)
        before = len(held)
        held = _fitting(held, fitted, reading)
        if not train:
            raise UserError(f"none of the {len(reading.smiles):,} molecules of {self.path} fits")
        if len(held) < before:
            note += f", of which {before - len(held):,} hold what the training part does not"
        name, notes = self.path, reading.notes()
        source = MoleculeSource(
            train,
            fitted,
            name=f"{name}/train",
            elite=self.elite,
            notes=notes,
            skipped=tuple(reading.left_out),
        )
        kept = MoleculeSource(held, fitted, name=f"{name}/heldout", notes=notes)
        return Split(source, kept if held else None, note, fitted)

    def at(self, path: str) -> Self:
        return self.model_copy(update={"path": path, "smiles": (), "column": ""})

    def read(self, on_progress: OnProgress | None = None, most: int | None = None) -> Reading:
        """The lines that the settings name, cleaned and counted.

        Args:
            on_progress: Called now and then with (done, of how many).
            most: Look at most at so many lines.

        Raises:
            UserError: Nothing is there, or it holds no column of SMILES.
        """
        if self.smiles:
            lines = Lines(list(self.smiles))
        elif self.path in named.NAMES:
            lines = named.open_named(self.path)
            if self.path in named.ASIDE and self.limit is not None and most is None:
                lines = _some(lines, self.limit)
        else:
            place = named.place_of(self.path)
            lines = lines_of(place, self.column, most=most, named="data.column=NAME")
        texts = lines.texts if most is None else lines.texts[:most]
        reading = read_lines(texts, size=self.size, numbers=lines.numbers, on_progress=on_progress)
        reading.column, reading.beside = lines.column, lines.notes
        return reading

    @property
    def title(self) -> str:
        return self.path

    @property
    def prepared(self) -> str:
        return "canonical SMILES without salts, stereochemistry and isotopes; each molecule once"

    def _parts(
        self, smiles: list[str], aside: Lines | None, on_progress: OnProgress | None
    ) -> tuple[list[str], list[str], str]:
        """Training molecules, held-out ones, and where those come from."""
        total, held = len(smiles), list[str]()
        note = "none: every molecule is used for training"
        if aside is not None:
            known = set(smiles)
            test = read_lines(aside.texts, size=self.size, on_progress=on_progress).smiles
            train, held = smiles, [text for text in test if text not in known]
            note = f"the test part of {self.path} ({len(held):,} molecules)"
        else:
            count = min(max(1, round(total * self.holdout)), total - 1) if self.holdout > 0 else 0
            apart = set(choose((_SEED, HOLDOUT), total, count).tolist())
            train = [text for number, text in enumerate(smiles) if number not in apart]
            held = [smiles[number] for number in sorted(apart)]
            if count:
                note = f"{self.holdout * 100:g} % ({count:,} of {total:,}), seed {_SEED}"
        if self.limit is not None and self.limit < len(train):
            kept = choose((_SEED, LIMIT), len(train), self.limit)
            train = [train[number] for number in kept.tolist()]
        return train, held, note


class Molecules(MoleculeList):
    """Molecules as graphs."""

    codec: ClassVar[type[SmilesCodec]] = MoleculeCodec

    kind: Literal["molecules"] = "molecules"


class SelfiesMolecules(MoleculeList):
    """Molecules as words of SELFIES."""

    codec: ClassVar[type[SmilesCodec]] = SelfiesCodec

    kind: Literal["selfies"] = "selfies"


def _some(lines: Lines, most: int) -> Lines:
    """At most so many of some lines, always the same ones: cleaning takes a millisecond a line."""
    if len(lines.texts) <= most:
        return lines
    kept = choose((_SEED, LIMIT), len(lines.texts), most).tolist()
    numbers = [lines.numbers[row] if lines.numbers else row + 1 for row in kept]
    return replace(lines, texts=[lines.texts[row] for row in kept], numbers=numbers)


def _fitting(smiles: list[str], codec: SmilesCodec, reading: Reading) -> list[str]:
    """The molecules that a codec can hold; the others are counted as refused."""
    kept: list[str] = []
    for text in smiles:
        reason = codec.refusal(text)
        if reason:
            reading.refuse(text, reason)
        else:
            kept.append(text)
    return kept


def split_of(smiles: Sequence[str], name: str = "list", *, holdout: float = 0.1) -> Split:
    """Training and held-out molecules of a list of SMILES, for use from Python."""
    return Molecules(path=name, smiles=tuple(smiles), holdout=holdout).open()
