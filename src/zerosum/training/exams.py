"""The exams of a run: scores on the way, the best state kept, an early end when none is better."""

from __future__ import annotations

from zerosum.core.frozen import helpers
from zerosum.core.recipe import Recipe
from zerosum.data.source import Source, Split
from zerosum.modalities import modality
from zerosum.progress import ProgressBar
from zerosum.records import SCORE_ROW, append_line, forget_after, read_lines
from zerosum.training import checkpoint
from zerosum.training.run import RunFolder
from zerosum.training.scores import FEWEST, RunJudge, is_best, since_best
from zerosum.training.state import TrainingState


class Exams:
    """Scores a run as its recipe's `evaluate` says: the first rank does, all hear of it.

    Args:
        recipe: What is trained.
        split: Its data.
        state: What has state in the run; already restored.
        out: The run's folder.
        screen: Where a person reads.

    Attributes:
        known: Point of the clock up to which the run's records stand.

    Raises:
        UserError: Scores that cannot be taken here.
    """

    def __init__(
        self,
        recipe: Recipe,
        split: Split,
        state: TrainingState,
        out: RunFolder,
        screen: ProgressBar,
    ) -> None:
        self.asked, self.state, self.out, self.screen = recipe.evaluate, state, out, screen
        self.averaged, self.examples = recipe.ema.on, recipe.train.examples
        self._judge = self._find_judge(recipe, split) if state.runtime.first else None
        self._waited, self.known = state.runtime.share(self._found())

    @property
    def hopeless(self) -> bool:
        """Whether the first score was no better for as long as the recipe is patient."""
        patience = self.asked.patience if self.asked.every else 0
        return 0 < patience <= self._waited and self.state.game.progress.seen < self.examples

    def take(self, position: int) -> None:
        """Score on the first rank, and keep the state on all where it is the best so far."""
        state, best = self.state, False
        if self._judge is not None:
            progress = state.game.progress
            with state.ema.applied():
                row = self._judge.row(state.game, averaged=self.averaged)
            append_line(self.out.scores, {"step": progress.step, "seen": progress.seen, **row})
            rows = self._rows()
            best, self._waited = self.asked.every > 0 and is_best(rows), since_best(rows)
        best, self._waited = state.runtime.share((best, self._waited))
        if best:
            state.save(self.out.best, position, keep=1)

    def take_last(self, position: int) -> None:
        """Score the end of the run, unless that was done."""
        rows = self._rows()
        if self.state.runtime.share(not rows or rows[-1]["seen"] < self.state.game.progress.seen):
            self.take(position)

    def back_to_best(self, position: int) -> int:
        """Go back to the state of the best score, clock and all.

        The later lines of `scores.jsonl` stay: they are why the run ended.

        Returns:
            The position in the data.
        """
        state = self.state
        best = checkpoint.latest(self.out.best)[0] if state.runtime.first else None
        best = state.runtime.share(best)
        if best is None:
            return position
        position = state.restore(checkpoint.load(best), self.examples)
        self.screen.note(
            f"no better score in {self._waited} evaluations: ended with the state of "
            f"{state.game.progress.seen:,} {self.screen.unit}"
        )
        return position

    def _found(self) -> tuple[int, int]:
        """Exams in vain up to now, as a resumed run finds them, and how far its records stand.

        Lines beyond the clock are forgotten, since the run writes them again, unless it ended
        for them: then it stands at its best score, and has nothing left to do.
        """
        rows, seen = self._rows(), self.state.game.progress.seen
        waited, patience = since_best(rows), self.asked.patience
        if 0 < patience <= waited and rows[-1 - waited]["seen"] == seen:
            return waited, rows[-1]["seen"]
        if self.state.runtime.first:
            forget_after(self.out.scores, seen)
        return since_best([row for row in rows if row["seen"] <= seen]), seen

    def _rows(self) -> list[dict]:
        """The scores so far, in the process that takes them."""
        return read_lines(self.out.scores, SCORE_ROW) if self.state.runtime.first else []

    def _find_judge(self, recipe: Recipe, split: Split) -> RunJudge | None:
        if not (recipe.evaluate.samples and isinstance(split.train, Source)):
            return None
        kind, title = modality.of(recipe.data), recipe.data.title
        judge = RunJudge.of(split, kind, self.state.game, recipe.evaluate, title)
        asked = recipe.evaluate.features
        if judge is not None and asked in helpers(self.state.game):
            self.screen.note(f"{asked} takes part in this training: scores on it flatter the run")
        count = min(len(split.train), recipe.evaluate.samples)
        if judge is None and count < FEWEST:
            self.screen.note(
                f"no scores are taken: {title} gives {len(split.train)} {kind.noun} to train on "
                f"(held out: {split.heldout_note}), evaluate.samples={recipe.evaluate.samples}, "
                f"and {FEWEST} are the least to compare with"
            )
        return judge
