"""What a design writes down, and its folder. Files are all that it knows: a design that goes on
after a stop reads them, and does what is missing."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from zerosum.config import Count, Examples, Part, Seed, Whole
from zerosum.core.recipe import Recipe
from zerosum.core.registry import system
from zerosum.core.schedule import highest
from zerosum.errors import UserError
from zerosum.files import must_be_writable, read_json, whole_folder, write_text
from zerosum.metrics.score import Score
from zerosum.training import checkpoint
from zerosum.training.run import RunFolder

Record = TypeVar("Record", bound=Part)


class Terms(Part):
    """What a design is, from its first cycle to its last."""

    recipe: dict[str, Any]
    """What is trained, as JSON."""
    module: str | None = None
    """Module or file of an outside model."""
    start: str = ""
    """Run that it begins with."""
    pretrain: Whole = 0
    """Examples before cycle 0; 0 takes `start` as it is."""
    score: str
    """What molecules are worth, as `zerosum.chem.scorers` reads it."""
    calls: Count = 400
    """Molecules that each cycle has scored."""
    examples: Examples = 30_000
    """Examples of training between two cycles."""
    top: str = "10%"
    """Of the scored molecules of a cycle, those that are offered to the elite."""
    pool: Count = 100
    """Elite molecules at most."""
    share: float = Field(default=0.9, gt=0, lt=1)
    """Share of the training set that the elite takes."""
    per_scaffold: Count = 10
    """Elite molecules of one scaffold at most."""
    rate: float = Field(default=0.3, gt=0, le=100)
    """Learning rates between two cycles, as a share of the highest of the recipe's."""
    exhaustiveness: Count = 1
    """Of docking."""
    atoms: Count = 50
    """Heavy atoms up to which molecules are docked."""
    seed: Seed = 0
    """Of samples, docking and baselines."""

    def asked(self) -> Recipe:
        """What is trained."""
        found = system(self.recipe["system"], self.module)
        return Recipe.from_tree(self.recipe, found.game.Config)

    def steady(self, recipe: Recipe) -> Recipe:
        """A recipe as it is trained between two cycles: at learning rates that do not fall.

        Rates that fall to the end of a training would be next to nothing behind that end, and
        what the cycles feed back would hardly be learned.
        """
        rates = {name: self.rate * highest(one.lr) for name, one in recipe.optim.items()}
        return recipe.override({f"optim.{name}.lr": rate for name, rate in rates.items()})

    @property
    def leg(self) -> int:
        """Examples between two cycles, as whole batches."""
        batch = self.recipe["train"]["batch"]
        return -(-self.examples // batch) * batch


class Measured(Part):
    """A number, and its 95 % interval where it has one; None where there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, score: Score | None) -> Measured:
        if score is None or score.value != score.value:
            return cls()
        low, high = score.interval or (None, None)
        return cls(value=score.value, low=low, high=high)


class Sampled(Part):
    """What a generator gave in one cycle."""

    draws: int
    """Samples that were drawn to have as many new molecules."""
    judged: int
    """The first of these, which the shares are of."""
    validity: Measured
    uniqueness: Measured
    novelty: Measured
    diversity: Measured
    smiles: list[str]
    """Valid, connected, not in the training set and never scored before; each once."""


class Molecule(Part):
    """A molecule that was scored."""

    smiles: str
    score: float | None
    values: dict[str, float | None]
    """By part, in its own unit."""
    worth: dict[str, float | None]
    """Desirabilities by part."""
    atoms: int
    """Heavy ones."""
    nearest: float
    """Tanimoto similarity to the training molecule most like it."""
    reason: str = ""
    """Why it has no score."""


class Scored(Part):
    """All molecules that a cycle, or a baseline, had scored, in the order in which it asked."""

    molecules: list[Molecule]
    note: str = ""
    """Why there are fewer than might be; "" where there are not."""

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """SMILES and scores of those that have one, as they came."""
        return [(one.smiles, one.score) for one in self.molecules if one.score is not None]


@dataclass(frozen=True)
class DesignFolder:
    """Paths of a design, and what they hold."""

    path: Path

    @property
    def run(self) -> Path:
        """The run that is trained from cycle to cycle."""
        return self.path / "run"

    @property
    def pretrained(self) -> Path:
        """That run as it was at cycle 0."""
        return self.path / "pretrained"

    @property
    def scores(self) -> Path:
        """Of slow parts, by molecule."""
        return self.path / "scores"

    @property
    def table(self) -> Path:
        return self.path / "molecules.csv"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def page(self) -> Path:
        return self.path / "report.html"

    @property
    def poses(self) -> Path:
        return self.path / "best.sdf"

    @property
    def picture(self) -> Path:
        return self.path / "best.png"

    def check(self, terms: Terms, cycles: int) -> None:
        """Refuse a folder that holds something else than an earlier part of this design.

        Raises:
            UserError: Another design, a longer one, or files of another kind.
        """
        known = _read(self._terms, Terms)
        if known is None:
            names = [one.name for one in self.path.iterdir() if not one.name.startswith(".")]
            if set(names) - {self.scores.name}:
                raise UserError(
                    f"{self.path} holds files but no design: name an empty folder with --out"
                )
            return
        differing = _differences(known, terms)
        if differing:
            raise UserError(
                f"{self.path} holds another design: {', '.join(differing)}. Name another folder "
                "with --out, or give the old settings to go on with it"
            )
        if self.scored(cycles + 1) is not None:
            raise UserError(
                f"{self.path} holds more than {cycles} cycles: their number may only grow"
            )

    def claim(self, terms: Terms) -> None:
        """Store the terms."""
        _write(self._terms, terms)

    def check_place(self) -> None:
        """Refuse, before long work, a place where no folder can be.

        Raises:
            UserError: It is one.
        """
        if not self.path.exists():
            must_be_writable(self.path, "folder", "--out")
        elif not self.path.is_dir():
            raise UserError(f"{self.path} is a file: name a folder with --out")

    @property
    def _terms(self) -> Path:
        return self.path / "design.json"

    def sampled(self, cycle: int) -> Sampled | None:
        return _read(self._cycle(cycle) / "sampled.json", Sampled)

    def scored(self, cycle: int) -> Scored | None:
        return _read(self._cycle(cycle) / "scored.json", Scored)

    def baseline(self, name: str, calls: int) -> Scored | None:
        """What a baseline found with so many calls."""
        return _read(self.path / "baselines" / f"{name}-{calls}.json", Scored)

    def write_sampled(self, cycle: int, found: Sampled) -> None:
        _write(self._cycle(cycle) / "sampled.json", found)

    def write_scored(self, cycle: int, found: Scored) -> None:
        _write(self._cycle(cycle) / "scored.json", found)

    def write_baseline(self, name: str, calls: int, found: Scored) -> None:
        _write(self.path / "baselines" / f"{name}-{calls}.json", found)

    def _cycle(self, cycle: int) -> Path:
        return self.path / "cycles" / f"{cycle:03d}"


def seen(run: Path) -> int:
    """Examples that a run has seen by its newest whole checkpoint; -1 where it has none."""
    newest, _ = checkpoint.latest(_kept(run))
    return -1 if newest is None else int(read_json(newest / "state.json")["seen"])


def _kept(run: Path) -> Path:
    """Where a run's checkpoints are; of `best` and the like, the folder itself."""
    folder = RunFolder.around(run)
    return folder.checkpoints if folder.path == run else run


def copy_run(source: Path, target: Path) -> None:
    """Copy recipe, codec and newest whole checkpoint of a run, all or nothing.

    Raises:
        UserError: There is no whole checkpoint, or the disk refuses.
    """
    folder = RunFolder.around(source)
    newest, _ = checkpoint.latest(_kept(source))
    if newest is None:
        raise UserError(f"{source} has no whole checkpoint to begin with: train it first")
    with whole_folder(target) as partial:
        for file in (folder.recipe, folder.codec, folder.codec.with_suffix(".safetensors")):
            if file.is_file():
                shutil.copy2(file, partial / file.name)
        shutil.copytree(newest, partial / "checkpoints" / newest.name)


def write_summary(path: Path, found: dict[str, Any]) -> None:
    """Write facts as JSON."""
    write_text(path, json.dumps(found, indent=1) + "\n")


def _differences(known: Terms, now: Terms) -> list[str]:
    found = [
        f"{name} was {getattr(known, name)!r} and is now {getattr(now, name)!r}"
        for name in Terms.model_fields
        if name != "recipe" and getattr(known, name) != getattr(now, name)
    ]
    if known.recipe["system"] != now.recipe["system"]:
        return [f"it searches with {known.recipe['system']}, not {now.recipe['system']}", *found]
    for path, (before, after) in known.asked().differences(now.asked()).items():
        found.append(f"{path} was {before} and is now {after}")
    return found


def _read(path: Path, kind: type[Record]) -> Record | None:
    """A record; None where there is none yet.

    Raises:
        UserError: The file is damaged.
    """
    if not path.is_file():
        return None
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(f"{path} is damaged: bring it back, or name another --out") from error


def _write(path: Path, record: Part) -> None:
    write_text(path, record.model_dump_json(indent=1) + "\n")
