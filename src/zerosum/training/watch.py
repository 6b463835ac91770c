"""The doctor beside the trainer: asks, speaks, and does what the policy allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from zerosum.core.game import Progress, Turn
from zerosum.core.recipe import Recipe
from zerosum.data.source import Split
from zerosum.doctor.doctor import Doctor, changed
from zerosum.doctor.event import Event, Failure
from zerosum.doctor.treatment import Treatment
from zerosum.errors import UserError
from zerosum.modalities import modality
from zerosum.progress import ProgressBar
from zerosum.records import append_line
from zerosum.training import checkpoint
from zerosum.training.run import RunFolder
from zerosum.training.state import TrainingState

BACK: frozenset[Failure] = frozenset({"exploding", "mode collapse"})
"""Failures after which a run goes back to its last good state."""
ANEW: frozenset[Failure] = frozenset({"vanishing gradient"})
"""And to its start: nothing of a critic that is sure of everything can be kept."""
NOTE = "treatment"
"""Where a checkpoint's `state.json` keeps what was prescribed."""


class Alarm(UserError):  # noqa: N818 (the run did what its policy says)
    """The policy `stop`: a failure was named, and the run ended with its state saved."""


class Watch:
    """Watches a run as its recipe's `doctor` says. One on every rank; the first one speaks.

    Args:
        recipe: What is trained.
        split: Its data.
        state: What has state in the run; already restored.
        out: The run's folder.
        screen: Where a person reads.
        known: Point of the clock up to which the records stand.
    """

    def __init__(
        self,
        recipe: Recipe,
        split: Split,
        state: TrainingState,
        out: RunFolder,
        screen: ProgressBar,
        known: int,
    ) -> None:
        self.recipe, self.state, self.out, self.screen = recipe, state, out, screen
        self.settings = recipe.doctor
        self._doctor: Doctor | None = None
        if self.settings.policy != "off":
            kind, first = modality.of(recipe.data), state.runtime.first
            self._doctor = Doctor(recipe, split, kind, out.checkups, out.events, known, first)
        self._looks = False
        self._treatment: Treatment | None = None
        if state.notes.get(NOTE):
            self._treatment = self._treated(state.notes[NOTE])

    def factor(self, player: str) -> float:
        """What a player's learning rate is multiplied by."""
        return self._treatment.factor(player) if self._treatment else 1.0

    def turns(self) -> list[Turn]:
        """Turns to play after the game's own."""
        return self._treatment.turns() if self._treatment else []

    def welcome(self, position: int) -> None:
        """Before the first step: look at the data, and keep a state to go back to."""
        if self._doctor is not None and self.state.runtime.first:
            for event in self._doctor.first_look(self.state.game):
                self._say(event)
        if self.settings.policy == "act":
            runtime = self.state.runtime
            kept = checkpoint.latest(self.out.start)[0] if runtime.first else None
            if runtime.share(kept) is None:
                self.state.save(self.out.start, position, 1)

    def before_step(self, now: Progress) -> None:
        """Make ready for a look after the step that ends at `now`, if one is due."""
        if self._doctor is None:
            return
        self._looks = self._doctor.due(now)
        if self._looks and self.state.runtime.first:
            self._doctor.before_step(self.state.game)

    def after_step(self, log: dict[str, Any], position: int) -> str:
        """Look, speak and act.

        Returns:
            Why the run must end, under the policy `stop`; else "".
        """
        doctor, first = self._doctor, self.state.runtime.first
        if doctor is None:
            return ""
        if first:
            doctor.take(log)
        if not self._looks:
            return ""
        events = doctor.examine(self.state.game) if first else []
        if self.settings.policy == "watch":
            self._record(events)
            return ""
        events, cause, well = self.state.runtime.share((events, doctor.cause, doctor.well_due()))
        if self.settings.policy == "act":
            events = [
                self._act(event)
                if event.failure == cause
                else replace(event, action=f"nothing: {cause} comes first")
                for event in events
            ]
            if any(changed(event.action) for event in events):
                doctor.begin_anew()
            elif well:
                # A run that is resumed must not find a good state of its lost future.
                self.state.save(self.out.checkpoints, position, self.recipe.train.keep)
                self.state.save(self.out.good, position, 1)
        self._record(events)
        return str(events[0]) if events and self.settings.policy == "stop" else ""

    def _record(self, events: list[Event]) -> None:
        if self.state.runtime.first:
            for event in events:
                append_line(self.out.events, event.row())
                self._say(event)

    def _say(self, event: Event) -> None:
        self.screen.note(f"doctor at {event.seen:,} {self.screen.unit}: {event}")

    # -- act -------------------------------------------------------------------------------

    def _act(self, event: Event) -> Event:
        if self._treatment is None:
            self._treatment = self._treated({})
        treatment = self._treatment
        if treatment.taken >= self.settings.actions:
            return replace(event, action="nothing: all actions are used up")
        rates = {name: optim.lr for name, optim in self.recipe.optim.items()}
        done = treatment.prescribe(event, rates)
        if done and event.failure in BACK:
            done.insert(0, self._go_back(self.out.good, self.out.start))
        if done and event.failure in ANEW:
            done.insert(0, self._go_back(self.out.start))
        if not done:
            return replace(event, action="nothing: no setting mends this")
        self.state.notes[NOTE] = treatment.state()
        return replace(event, action=", ".join(done))

    def _treated(self, kept: dict[str, Any]) -> Treatment:
        return Treatment(self.state.game, self.state.ema, kept)

    def _go_back(self, *folders: Path) -> str:
        """Weights, averages and optimizers of the first state there is; the clock goes on."""
        newest = None
        if self.state.runtime.first:
            found = (checkpoint.latest(folder)[0] for folder in folders)
            newest = next((state for state in found if state is not None), None)
        newest = self.state.runtime.share(newest)
        if newest is None:
            return "no good state to go back to"
        snapshot = checkpoint.load(newest)
        self.state.rewind(snapshot)
        return f"back to the weights of {snapshot.state['seen']:,} {self.screen.unit}"
