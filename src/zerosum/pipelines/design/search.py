"""`design`: from a training set and a score to new molecules, a table and a page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zerosum.chem.docking import heavy_atoms
from zerosum.chem.grammar import parse
from zerosum.chem.molecules import rdkit
from zerosum.chem.scorers import PARTS, Scorer, Settings, processors, scorer
from zerosum.core.recipe import Recipe
from zerosum.core.registry import system
from zerosum.errors import UserError, nearest
from zerosum.files import atomic
from zerosum.modalities.molecules.smiles import SmilesCodec
from zerosum.pipelines.design.baselines import Compared, compared
from zerosum.pipelines.design.elite import wanted
from zerosum.pipelines.design.loop import Cycle, Design
from zerosum.pipelines.design.page import write_page
from zerosum.pipelines.design.records import DesignFolder, Molecule, Scored, Terms, seen
from zerosum.pipelines.design.records import write_summary as write_json
from zerosum.pipelines.design.scoring import Row, write_molecules
from zerosum.pipelines.design.summary import Story, summarised, tell
from zerosum.progress import ProgressBar
from zerosum.training.lock import locked
from zerosum.training.run import RunFolder

POSES = 10
"""Docked poses that are kept, of the best molecules."""
OURS = {"evaluate.samples": 0, "data.elite": 0.0}
"""Settings of a recipe that the design takes the place of."""


@dataclass(frozen=True)
class Found:
    """What a design came to; its folder holds the rest.

    Attributes:
        story: Numbers by cycle.
        searches: The design and its baselines at the same number of calls; empty without these.
        best: The best molecules of the design, best first, those of the training set left out.
        counts: What became of the molecules of each part of the score in this call.
        docked: Whether there are poses.
    """

    story: list[Story]
    searches: list[Compared]
    best: list[tuple[int, Molecule]]
    counts: dict[str, str] = field(default_factory=dict)
    docked: bool = False


def plan(
    recipe: Recipe | None,
    *,
    data: str | None = None,
    start: str = "",
    changes: dict[str, Any] | None = None,
    pretrain: int | None = None,
    module: str | None = None,
    **settings: Any,
) -> Terms:
    """The terms of a design.

    Args:
        recipe: What is trained; None with `start` takes that run's.
        data: File or named set of molecules; None takes the recipe's.
        start: Run that it begins with.
        changes: Of the recipe, by dotted path.
        pretrain: Examples before cycle 0; None takes the recipe's, with a run to begin with 0,
            with other data too as many as between two cycles.
        module: Module or file of an outside model.
        **settings: Fields of `Terms`.

    Raises:
        UserError: A run that is none or was not finished, other data than molecules, or a wrong
            number.
    """
    wanted(settings.get("top", "10%"), 100)
    parse(settings["score"], {name: example for name, (example, _) in PARTS.items()})
    seed = settings.get("seed", 0)
    fresh = {"train.seed": seed} if not start or data is not None else {}
    if start:
        stored = _stored(Path(start), module)
        if recipe is not None and recipe.system != stored.system:
            raise UserError(f"{start} is a run of {stored.system}, not of {recipe.system}")
        recipe = stored
    if recipe is None:
        raise UserError("name a system to begin with, or a run with --from")
    if not issubclass(recipe.data.codec, SmilesCodec):
        raise UserError(
            f"{recipe.system} does not make molecules: name a system that does, such as molgan"
        )
    if data is not None:
        recipe = recipe.with_data(data)
    recipe = recipe.override({**fresh, **(changes or {}), **OURS})
    if pretrain is not None:
        length = pretrain
    elif start:
        usual = Terms.model_fields["examples"].default
        length = 0 if data is None else int(settings.get("examples", usual))
    else:
        length = recipe.train.examples
    if length:
        begun = {"train.start": start} if start else {}
        recipe = recipe.override({"train.examples": length, **begun})
    elif not start:
        raise UserError("--pretrain 0 leaves nothing to begin with: name a run with --from")
    elif data is not None:
        raise UserError(f"{start} knows nothing of {data}: give --pretrain 1 at least")
    elif (done := seen(Path(start))) < (whole := recipe.train.examples):
        raise UserError(f"{start} has seen {done:,} of {whole:,}: train it to its end first")
    tree = json.loads(recipe.to_json())
    return Terms(recipe=tree, module=module, start=start, pretrain=length, **settings)


def design(
    terms: Terms,
    out: str | Path,
    *,
    cycles: int = 5,
    baselines: bool = True,
    device: str = "auto",
    workers: int | None = None,
    timeout: float = 120.0,
    quiet: bool = False,
) -> Found:
    """Search for molecules; the same call again goes on where it stopped.

    The folder gets `molecules.csv` with every molecule that was scored, `summary.json`,
    `report.html`, `best.png`, `best.sdf` where molecules are docked, and `run`, a run like any
    other.

    Args:
        terms: What is searched, see `plan`.
        out: Folder of the design.
        cycles: How often the best are fed back; may grow when the design goes on.
        baselines: Whether random sampling and the genetic algorithm get as many calls.
        device: Where networks run.
        workers: Processes that score at a time; None takes one per processor.
        timeout: Seconds that a molecule may take in each slow part of the score.
        quiet: Show no progress.

    Raises:
        UserError: A wrong score, folder, file or disk, in one line.
        Stopped: SIGINT or SIGTERM came during training; the state is saved.
    """
    if cycles < 1:
        raise UserError(f"{cycles} cycles feed nothing back: give 1 at least with --cycles")
    folder = DesignFolder(Path(out))
    folder.check_place()
    settings = Settings(
        folder=folder.scores,
        workers=workers or processors(),
        timeout=timeout,
        seed=terms.seed,
        exhaustiveness=terms.exhaustiveness,
        atoms=terms.atoms,
    )
    bar = ProgressBar(quiet)
    try:
        with locked(folder.path):
            folder.check(terms, cycles)
            with scorer(terms.score, settings) as judge:
                folder.claim(terms)  # not before: a wrong score leaves no design behind
                return _search(terms, folder, judge, cycles, baselines, device, bar)
    finally:
        bar.close()


def _search(
    terms: Terms,
    folder: DesignFolder,
    judge: Scorer,
    cycles: int,
    baselines: bool,
    device: str,
    bar: ProgressBar,
) -> Found:
    searching = Design(terms, folder, judge, device, bar)
    found = searching.search(cycles)
    _write_table(folder, found, {}, searching)
    rivals: dict[str, Scored] = {}
    if baselines:
        rivals = searching.baselines(terms.calls * (cycles + 1))
        _write_table(folder, found, rivals, searching)
    sampled = [folder.sampled(number) for number in range(cycles + 1)]
    story = summarised(found, [one for one in sampled if one is not None], searching.laboratory)
    start = found[0].scored.molecules
    own = [one for cycle in found for one in cycle.scored.molecules]
    searches = [
        compared(name, molecules, searching.train_set, start, searching.laboratory)
        for name, molecules in (
            ("design", own),
            *((name, scored.molecules) for name, scored in rivals.items()),
        )
    ]
    known = [
        (number, one)
        for number, cycle in enumerate(found)
        for one in cycle.scored.molecules
        if one.score is not None
    ]
    best = sorted(known, key=lambda row: -(row[1].score or 0.0))
    docked = _write_poses(folder.poses, [one for _, one in best[:POSES]], searching)
    counts = {
        part: f"{count.calls:,} measured now, {count.cached:,} known, {count.failed:,} failed"
        for part, count in judge.counts.items()
    }
    result = Found(story, searches if baselines else [], best, counts, docked)
    write_json(folder.summary, tell(terms, cycles, story, result.searches, best[:POSES]))
    parts = searching.laboratory.parts
    rest = (found, story, result.searches, rivals, searching.train_set)
    write_page(folder, terms, parts, *rest)
    return result


def _write_table(
    folder: DesignFolder, cycles: list[Cycle], rivals: dict[str, Scored], searching: Design
) -> None:
    rows: list[Row] = []
    for number, cycle in enumerate(cycles):
        for one in cycle.scored.molecules:
            rows.append(("design", number, one, one.smiles in cycle.admitted))
    for name, scored in rivals.items():
        rows += [(name, None, one, False) for one in scored.molecules]
    write_molecules(folder.table, searching.laboratory.parts, rows)


def _write_poses(path: Path, best: list[Molecule], searching: Design) -> bool:
    """The docked poses of molecules as structures; whether there are any."""
    chem = rdkit()
    poses = [(one, searching.laboratory.pose(one.smiles)) for one in best]
    poses = [(one, pose) for one, pose in poses if pose]
    if not poses:
        return False
    with atomic(path) as partial:
        writer = chem.SDWriter(str(partial))
        for one, pose in poses:
            mol = chem.MolFromMolBlock(pose, removeHs=False)
            mol.SetProp("_Name", one.smiles)
            mol.SetDoubleProp("score", one.score or 0.0)
            for part, value in one.values.items():
                mol.SetDoubleProp(part, float("nan") if value is None else value)
            mol.SetIntProp("heavy_atoms", heavy_atoms(one.smiles))
            writer.write(mol)
        writer.close()
    return True


def _stored(start: Path, module: str | None) -> Recipe:
    """The recipe of a run.

    Raises:
        UserError: The folder holds none.
    """
    folder = RunFolder.around(start)
    if not folder.recipe.is_file():
        near = [one.name for one in start.parent.iterdir()] if start.parent.is_dir() else []
        hint = nearest(start.name, sorted(near)) if near else "give the folder of a training"
        raise UserError(f"--from {start} is no run: {hint}")
    tree, name = folder.read_tree()
    return Recipe.from_tree(tree, system(name, module).game.Config, str(folder.recipe))
