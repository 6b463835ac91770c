"""The loop: train, sample, score, take the best into the training set, and again.

Each phase ends with a file that is written whole or not at all, and is a function of the files
before it and of the seed; the training of a run and slow scores go on from where they stopped.
So a design that is killed anywhere comes to the same table as one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from zerosum.chem.scorers import Scorer
from zerosum.core.game import Progress
from zerosum.core.recipe import Recipe
from zerosum.core.registry import runtime_of
from zerosum.data.source import Examples
from zerosum.errors import UserError
from zerosum.files import write_text
from zerosum.modalities.molecules import MoleculeSource
from zerosum.pipelines.design.baselines import genetic_search, random_search
from zerosum.pipelines.design.elite import Rule, admit, best_of, placed
from zerosum.pipelines.design.records import DesignFolder, Scored, Terms, copy_run, seen
from zerosum.pipelines.design.sampling import sample
from zerosum.pipelines.design.scoring import Laboratory
from zerosum.pipelines.generate import Generator
from zerosum.progress import ProgressBar
from zerosum.training.machine import machine
from zerosum.training.prepare import prepare
from zerosum.training.run import RunFolder, read_run
from zerosum.training.trainer import Trainer

RANDOM, GENETIC = "random", "genetic"


@dataclass(frozen=True)
class Cycle:
    """The scored molecules of a cycle, and what became of them.

    Attributes:
        scored: In the order in which they were drawn.
        admitted: Those that the training set took, though displaced since.
        elite: Scores of those that the training set held afterwards.
    """

    scored: Scored
    admitted: set[str]
    elite: dict[str, float]


def replay(terms: Terms, cycles: list[Scored]) -> list[Cycle]:
    """Who was admitted in each cycle: a function of the scores alone."""
    found: list[Cycle] = []
    elite: dict[str, float] = {}
    bar = median(score for _, score in cycles[0].ranked)
    rule = Rule(bar, terms.pool, terms.per_scaffold)
    for scored in cycles:
        elite, admitted = admit(elite, best_of(scored.ranked, terms.top), rule)
        found.append(Cycle(scored, admitted, elite))
    return found


class Design:
    """A search for molecules in a folder, which goes on with what the folder holds.

    Args:
        terms: What is searched.
        folder: Where.
        scorer: What molecules are worth.
        device: Where networks run.
        bar: Hears of progress.
    """

    def __init__(
        self, terms: Terms, folder: DesignFolder, scorer: Scorer, device: str, bar: ProgressBar
    ) -> None:
        self.terms, self.folder, self.device, self.bar = terms, folder, device, bar
        self._recipe = terms.asked()
        self._scorer = scorer
        self._scored: list[Scored] = []

    def search(self, cycles: int) -> list[Cycle]:
        """All cycles from 0, those that are there already read back.

        Raises:
            UserError: Data, a part of the score or the disk, in one line.
            Stopped: SIGINT or SIGTERM came during training; the state is saved.
        """
        self._pretrain()
        self._open()
        for cycle in range(cycles + 1):
            self._scored.append(self.folder.scored(cycle) or self._cycle(cycle))
        return replay(self.terms, self._scored)

    def baselines(self, calls: int) -> dict[str, Scored]:
        """Random sampling and the genetic algorithm at so many calls."""
        found: dict[str, Scored] = {}
        for name in (RANDOM, GENETIC):
            known = self.folder.baseline(name, calls)
            if known is None:
                known = self._baseline(name, calls)
                self.folder.write_baseline(name, calls, known)
            found[name] = known
        return found

    # -- one cycle -------------------------------------------------------------------------

    def _cycle(self, cycle: int) -> Scored:
        sampled = self.folder.sampled(cycle)
        if sampled is None:
            if cycle:
                self._train_on(cycle)
            generator = Generator.load(
                self.folder.run, device=self.device, module=self.terms.module
            )
            known = {one.smiles for scored in self._scored for one in scored.molecules}
            sampled = sample(
                generator,
                self.terms.calls,
                (self.terms.seed, cycle),
                self.train_set,
                known,
                lambda done, total: self.bar(f"cycle {cycle}: new molecules", done, total),
            )
            if not sampled.smiles:
                raise UserError(
                    f"cycle {cycle}: none of {sampled.draws:,} samples is a valid molecule that "
                    "is new: train longer before, with --pretrain, or begin with a better run"
                )
            self.folder.write_sampled(cycle, sampled)
        molecules = self.laboratory.examine(
            sampled.smiles, lambda done, total: self.bar(f"cycle {cycle}: scores", done, total)
        )
        note = ""
        if len(molecules) < self.terms.calls:
            note = f"only {len(molecules):,} new molecules in {sampled.draws:,} draws"
            self.bar.note(f"cycle {cycle}: {note}")
        found = Scored(molecules=molecules, note=note)
        if not found.ranked:
            reasons = sorted({one.reason for one in molecules})
            raise UserError(
                f"cycle {cycle}: no molecule has a score ({'; '.join(reasons[:3])}): look at it "
                "with another --score"
            )
        self.folder.write_scored(cycle, found)
        return found

    def _train_on(self, cycle: int) -> None:
        """Train between two cycles, with the elite in the training set."""
        begins = self._begun + (cycle - 1) * self.terms.leg
        ends, now = begins + self.terms.leg, seen(self.folder.run)
        if now > ends:
            raise UserError(
                f"{self.folder.run} is ahead of cycle {cycle}: bring back what is missing in "
                f"{self.folder.path / 'cycles'}, or name another --out"
            )
        if now == ends:
            return
        elite = replay(self.terms, self._scored)[-1].elite

        def place(train: Examples, clock: Progress) -> None:
            if clock.seen == begins:  # later the checkpoints know
                assert isinstance(train, MoleculeSource)
                train.load_state(placed(elite, len(train), self.terms.share))

        self._steady()
        # Each cycle is judged by more than the doctor sees.
        recipe = self.terms.steady(self._recipe)
        recipe = recipe.override({"train.examples": ends, "doctor.policy": "off"})
        Trainer(
            recipe,
            self.folder.run,
            device=self.device,
            loggers=[_Pace(self.bar, f"cycle {cycle}: training", begins, ends)],
            quiet=True,
            module=self.terms.module,
            ready=place,
        ).fit()

    def _steady(self) -> None:
        """Let the run be one of steady learning rates, before its first cycle."""
        folder = RunFolder(self.folder.run)
        stored = folder.read(self._recipe)
        optim = self.terms.steady(self._recipe).optim
        steady = stored.model_copy(update={"optim": optim})
        if steady != stored:
            write_text(folder.recipe, steady.to_json())

    def _baseline(self, name: str, calls: int) -> Scored:
        def show(done: int, total: int) -> None:
            self.bar(f"{name} search", done, total)

        if name == GENETIC:
            return genetic_search(self._train, calls, self.terms.seed, self.laboratory, show)
        return random_search(
            self.folder.pretrained,
            calls,
            self.terms.seed,
            self.train_set,
            self.laboratory,
            self.device,
            self.terms.module,
            show,
        )

    # -- before cycle 0 --------------------------------------------------------------------

    def _pretrain(self) -> None:
        """Make the run of cycle 0, and keep it as it is then."""
        run, start = self.folder.run, self.terms.start
        if not self.folder.pretrained.is_dir():
            if not self.terms.pretrain:
                if not run.is_dir():
                    copy_run(Path(start), run)
            else:
                if start and not RunFolder(run).recipe.is_file():
                    self._claim(self._recipe, start)
                Trainer(
                    self._recipe,
                    run,
                    device=self.device,
                    quiet=self.bar.quiet,
                    module=self.terms.module,
                ).fit()
            copy_run(run, self.folder.pretrained)
        self._begun = seen(self.folder.pretrained)

    def _claim(self, recipe: Recipe, start: str) -> None:
        """Begin the run with the codec of another one, whose weights it begins with."""
        codec = read_run(Path(start), self.terms.module).codec
        runtime = runtime_of(recipe, self.device, self.terms.module)
        try:
            split, resolved = prepare(recipe, runtime, codec)
            folder = RunFolder(self.folder.run)
            folder.claim(resolved, split.codec, machine(runtime))
        finally:
            runtime.close()

    def _open(self) -> None:
        """The training set as it was read, without the elite."""
        generator = Generator.load(
            self.folder.pretrained, device=self.device, module=self.terms.module
        )
        split = generator.open(lambda done, total: self.bar("reading", done, total))
        source = split.train
        assert isinstance(source, MoleculeSource)
        self._train, self.train_set = source.smiles, set(source.smiles)
        self.laboratory = Laboratory(self._scorer, self._train)
        if not int(self.terms.share * len(source)):
            raise UserError(
                f"--share {self.terms.share:g} of {len(source):,} training molecules is none: "
                "give more"
            )


class _Pace:
    """Tells the design's bar of a training's progress."""

    def __init__(self, bar: ProgressBar, what: str, begins: int, ends: int) -> None:
        self._bar, self._what, self._begins, self._ends = bar, what, begins, ends

    def scalars(self, values: Mapping[str, float], progress: Progress) -> None:
        self._bar(self._what, progress.seen - self._begins, self._ends - self._begins)

    def picture(self, name: str, path: Path, progress: Progress) -> None:
        return

    def close(self) -> None:
        return
