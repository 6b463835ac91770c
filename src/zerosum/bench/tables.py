"""All systems for tables, and what is no GAN, on several tables at one budget.

Each training is kept in a folder of its own with what it scored, so that a stopped bench goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

from zerosum.bench.pages import mean_and_spread
from zerosum.core.recipe import Recipe
from zerosum.core.registry import list_models, recipe, system
from zerosum.data.places import named_file
from zerosum.data.source import Source
from zerosum.errors import UserError, nearest
from zerosum.files import read_json, write_text
from zerosum.modalities.tables import Table
from zerosum.pipelines.evaluate import Evaluation, Evaluator
from zerosum.pipelines.generate import Generator
from zerosum.training.trainer import Trainer

PRESET = "adult"
"""The preset of a system that is compared, whatever the table."""
METRICS = ("quality", "tstr", "discriminative", "dcr")
SAMPLES = 10_000
"""Rows that are drawn, or as many as there are to learn from."""
REAL = "real rows"
SHOWN = {
    "column-shapes": "column shapes",
    "pair-trends": "pair trends",
    "quality": "quality",
    "tstr": "TSTR",
    "discriminative-auc": "discriminative AUC",
    "dcr-share": "DCR share",
    "copies": "copies",
    "seconds": "processor s",
}
"""What a table shows, and how it is called there; `tstr` is the AUC of a class, or R2."""


class Bench(NamedTuple):
    """A table to compare on.

    Attributes:
        file: Its file below the data folder; "" for a set that is known by name.
        target: What is predicted.
        note: What it is, in words.
    """

    file: str
    target: str
    note: str


SETS = {
    "adult": Bench("", "income", "census, 32,561 rows and an official test part"),
    "german": Bench("german.csv.gz", "column_21", "credit, 1,000 rows, most columns categories"),
    "california-housing": Bench(
        "california-housing.csv.gz", "median_house_value", "20,640 rows, most columns numbers"
    ),
    "mammography": Bench("mammography.csv.gz", "column_7", "11,183 rows, a class of 2 %"),
    # The last of the classes of quality has five rows: what says nothing is not predicted.
    "wine": Bench("winequality-white.csv.gz", "column_11", "4,898 rows; alcohol is predicted"),
}


@dataclass(frozen=True)
class Trial:
    """One training of the bench, or its baselines.

    Attributes:
        data: One of `SETS`.
        name: The system.
        seed: Of the training and of all that is drawn.
        examples: Length of the training; 0 for the preset's.
        out: Folder of the bench.
    """

    data: str
    name: str
    seed: int
    examples: int
    out: Path

    @property
    def folder(self) -> Path:
        length = f"-{self.examples}" if self.examples else ""
        return self.out / self.data / f"{self.name}{length}-{self.seed}"

    @property
    def recipe(self) -> Recipe:
        bench = SETS[self.data]
        path = named_file(self.data, "tabular", bench.file) if bench.file else self.data
        found = recipe(f"{self.name}/{PRESET}").with_data(str(path))
        changes = {"data.target": bench.target, "train.seed": self.seed, "evaluate.samples": 0}
        changes |= {"train.examples": self.examples} if self.examples else {}
        return found.override(changes)

    @property
    def result(self) -> dict[str, Any] | None:
        """What it scored, by rows and measure; None where it was not made yet.

        Raises:
            UserError: It was made by another recipe.
        """
        file = self.folder / "bench.json"
        if not file.is_file():
            return None
        try:
            found = read_json(file)
            said = found["recipe"]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise UserError(f"{file} cannot be read: remove it, and it is made anew") from error
        if said != _said(self.recipe):
            raise UserError(
                f"{self.folder} was trained by another recipe than {self.name}/{PRESET} is now: "
                "give another --out"
            )
        return found


def _said(recipe: Recipe) -> dict[str, Any]:
    """What decides a result: the recipe without words on it and without its data's place."""
    tree = recipe.model_dump(mode="json", exclude={"about", "sources"})
    tree["data"]["path"] = ""
    return json.loads(json.dumps(tree))


def chosen(names: Sequence[str], known: Sequence[str], what: str) -> list[str]:
    """Names, all of those known where none is given.

    Raises:
        UserError: One is unknown.
    """
    for name in names:
        if name not in known:
            raise UserError(f"no {what} '{name}' in this bench: {nearest(name, known)}")
    return list(dict.fromkeys(names)) or list(known)


def systems() -> list[str]:
    """Systems that draw rows of tables."""
    found = []
    for name in list_models():
        preset = system(name).presets.get(PRESET)
        if preset is not None and isinstance(preset.data, Table):
            found.append(name)
    return found


def play(trial: Trial, *, rivals: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Train, score, and keep what was found.

    Args:
        trial: What to do.
        rivals: Whether to score the baselines of this table and seed too.
        say: Told a line when something is done.
    """
    begun, found = time.process_time(), trial.recipe
    stopped = (trial.folder / "run").exists()  # what it took before, nobody counted
    Trainer(found, trial.folder / "run", device="cpu", quiet=True).fit()
    seconds = time.process_time() - begun
    learned = Generator.load(trial.folder / "run", device="cpu").open().train
    assert isinstance(learned, Source)
    rows = len(learned)
    judge = Evaluator(METRICS, samples=min(SAMPLES, rows), seed=trial.seed, device="cpu")
    scored = judge.run(trial.folder / "run")
    spent = {} if stopped else {"seconds": seconds}
    scores = {trial.name: _scores(scored) | spent, REAL: _real(scored)}
    if rivals:
        made = judge.baselines(trial.folder / "run")
        scores |= {one.name: _scores(one) for one in made}
    result = {"recipe": _said(found), "samples": min(SAMPLES, rows), "scores": scores}
    write_text(trial.folder / "bench.json", json.dumps(result, indent=1) + "\n")
    say(f"{trial.data}, {trial.name}, seed {trial.seed}: {seconds:.0f} s")
    return result


def _scores(found: Evaluation) -> dict[str, float]:
    values = {record.metric: record.value for record in found.scores}
    return _named(values, "tstr")


def _real(found: Evaluation) -> dict[str, float]:
    """What real rows score: held out against training ones, and learned from."""
    values = {record.metric: record.value for record in found.scores}
    ceiling = {name: record.value for name, record in found.ceilings.items()}
    learned = _named(values, "trtr")
    return _named(ceiling, "") | {name: learned[name] for name in ("tstr",) if name in learned}


def _named(values: Mapping[str, float], learned: str) -> dict[str, float]:
    kept = {name: values[name] for name in SHOWN if name in values}
    useful = [values[n] for n in (f"{learned}-auc", f"{learned}-r2") if n in values]
    return kept | ({"tstr": useful[0]} if useful else {})


def table(results: Mapping[Trial, Mapping[str, Any]]) -> str:
    """Markdown of all results: means, ± the standard deviation of seeds."""
    groups: dict[tuple[str, str], dict[int, Mapping[str, float]]] = {}
    for trial, result in results.items():
        for rows, scores in result["scores"].items():
            # Every training of a table scores the same real rows: its first seed is enough.
            seed = 0 if rows == REAL else trial.seed
            groups.setdefault((trial.data, rows), {}).setdefault(seed, scores)
    lines = [f"| table | rows | seeds | {' | '.join(SHOWN.values())} |"]
    lines.append("|---" * (len(SHOWN) + 3) + "|")
    order = list(SETS)
    for (data, rows), some in sorted(groups.items(), key=lambda group: order.index(group[0][0])):
        cells = [_cell([s[n] for s in some.values() if n in s], n) for n in SHOWN]
        lines.append(f"| {data} | {rows} | {len(some)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: Sequence[float], name: str) -> str:
    form = ".0f" if name == "seconds" else ".3f"
    return mean_and_spread(values, form, form)


def note(results: Mapping[Trial, Mapping[str, Any]], command: str) -> str:
    """What the table rests on."""
    lengths = {trial.examples for trial in results}
    said = ", ".join("the presets'" if not n else f"{n:,} rows seen" for n in sorted(lengths))
    text = (
        f"`{command}`; presets `{PRESET}`, length {said}, one core. At most {SAMPLES:,} rows are "
        "drawn and compared. TSTR: boosting learns the target from generated rows (for real rows: "
        "from the training rows) and is tested on the rows kept aside: AUC, or R² for "
        "california-housing and wine."
    )
    return "\n".join(wrap(text, 128, break_on_hyphens=False, break_long_words=False))
