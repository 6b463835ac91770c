"""What a finished or stopped run can tell about itself, read from its folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zerosum.core.recipe import Recipe, flat
from zerosum.modalities.modality import of
from zerosum.progress import duration
from zerosum.records import CHECKUP_ROW, EVENT_ROW, LOG_ROW, SCORE_ROW, read_lines
from zerosum.training.prepare import parameter_counts
from zerosum.training.run import RunFolder, read_run


@dataclass(frozen=True)
class Facts:
    """The records of a run.

    Attributes:
        name: Name of the run's folder.
        recipe: What was trained.
        state: The newest checkpoint's clock and times.
        log: Lines of `log.jsonl`.
        scores: Lines of `scores.jsonl`.
        events: Lines of `events.jsonl`; empty where nothing was noticed.
        checkups: Lines of `checkups.jsonl`: what the doctor measured.
        machine: Where it was trained; empty for runs that did not record it.
        notes: What was decided and left out while the data were read.
        sheets: Sample sheets in the order of the clock.
        players: Parameters by player.
    """

    name: str
    recipe: Recipe
    state: dict[str, Any]
    log: list[dict]
    scores: list[dict]
    events: list[dict]
    checkups: list[dict]
    machine: dict[str, str]
    notes: list[str]
    sheets: list[Path]
    players: dict[str, int] = field(default_factory=dict)

    @property
    def noun(self) -> str:
        """What examples are called."""
        return of(self.recipe.data).noun

    @property
    def title(self) -> str:
        return f"{self.recipe.system}/{self.recipe.preset}"

    @property
    def finished(self) -> bool:
        return self.state["seen"] >= self.recipe.train.examples

    @property
    def summary(self) -> dict[str, str]:
        """The run in a few words, by what they are about."""
        seen, total = self.state["seen"], self.recipe.train.examples
        seconds = self.state["elapsed"]
        done = "finished" if self.finished else f"{100 * seen / total:.0f} % done"
        parameters = ", ".join(f"{name} {count:,}" for name, count in self.players.items())
        rows = {
            "length": f"{seen:,} {self.noun}, {self.state['step']:,} steps of "
            f"{self.recipe.train.batch} ({done})",
            "time": f"{duration(seconds)}, "
            f"{seen / max(seconds, 1e-9):,.0f} {self.noun} per second",
            "parameters": parameters,
            "energy": "not measured",
        }
        return rows | self.machine

    @property
    def data(self) -> dict[str, str]:
        """The data card."""
        facts = self.recipe.facts
        rows = {"set": str(facts.get("data", ""))}
        if "samples" in facts:
            rows["samples trained on"] = f"{facts['samples']:,}"
        if isinstance(names := facts.get("class_names"), list):
            shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            rows["classes"] = f"{len(names)}: {shown}"
        rows["held out"] = str(facts.get("held_out", ""))
        chosen = self.recipe.data.model_dump(mode="json", exclude={"kind"})
        rows |= {name: str(value) for name, value in chosen.items() if value is not None}
        return rows

    @property
    def settings(self) -> list[tuple[str, str, str]]:
        """Every setting of the recipe: its dotted path, its value, and where that comes from."""
        left_out = {"facts", "data", "about", "sources"}
        tree = self.recipe.model_dump(mode="json", exclude=left_out)
        source = self.recipe.source_of
        return [(path, str(value), source(path)) for path, value in flat(tree).items()]


def read(path: Path, module: str | None = None) -> Facts:
    """Read a run; `module` is the module or file of an outside model.

    Raises:
        UserError: The folder holds no run, or no whole checkpoint yet.
    """
    saved = read_run(path, module)
    folder = RunFolder.around(path)
    return Facts(
        name=path.resolve().relative_to(folder.path.resolve().parent).as_posix(),
        recipe=saved.recipe,
        state=saved.snapshot.state,
        log=read_lines(folder.log, LOG_ROW),
        scores=read_lines(folder.scores, SCORE_ROW),
        events=read_lines(folder.events, EVENT_ROW),
        checkups=read_lines(folder.checkups, CHECKUP_ROW),
        machine=folder.read_machine(),
        notes=folder.read_notes(),
        sheets=sorted(folder.sheets.glob("seen_*.png")),
        players=parameter_counts(saved.game),
    )
