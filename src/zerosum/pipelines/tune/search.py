"""A search for the best recipe around a preset: equal trials, the preset itself the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from zerosum.core.recipe import Recipe
from zerosum.core.registry import system
from zerosum.core.search import Range, origin, space
from zerosum.errors import UserError, require
from zerosum.files import must_be_writable, write_text
from zerosum.pipelines.tune.found import Found
from zerosum.pipelines.tune.propose import Known, limits, propose
from zerosum.pipelines.tune.records import Outcome, Plan, SearchFolder, Terms
from zerosum.pipelines.tune.trial import run_trial
from zerosum.training.budget import affordable
from zerosum.training.lock import locked
from zerosum.training.pool import Job, refuse_failed, work_off

SEED = 1000
"""Far from the seeds that people train with: the winner is to be trained on others."""
FEWEST_STEPS = 3
"""A trial is judged at each third of its way."""
Say = Callable[[str], None]


def tune(
    recipe: Recipe,
    out: str | Path,
    *,
    trials: int,
    seconds: float,
    seed: int = SEED,
    jobs: int | None = None,
    module: str | None = None,
    say: Say = lambda line: None,
) -> Found:
    """Search for the best recipe around one; the same call again does what is missing.

    Every trial is trained with the same seed and as long as the processor time buys at the
    recipe's own pace. It is judged by the run's own first score, on the way by the median of the
    trials before it.

    Args:
        recipe: What is tuned: the first trial, so that the best is no worse on this seed.
        out: Folder of the search.
        trials: How many, that one among them; may grow when the search goes on.
        seconds: Processor time of each, without its scores.
        seed: Of the trainings and of what is proposed.
        jobs: Processes at a time, of one thread each; None trains in this process. What is
            proposed depends on it: a trial knows those that ended at least so many before it.
        module: Module or file of an outside model.
        say: Hears one line about each trial.

    Returns:
        The trials and the best. The folder holds `recipe.json`, `trials.csv` and `index.html`.

    Raises:
        UserError: Optuna is missing, there is nothing to search, the seconds are too few, the
            folder holds another search, or no trial came to an end.
    """
    from zerosum.pipelines.tune.page import write_page, write_table

    folder = SearchFolder(Path(out))
    ranges = _check(recipe, folder, trials, seconds, module)
    terms = folder.terms()
    if terms is None:
        terms = _terms(recipe, seconds, seed, module)
    _check_same(folder, terms, recipe, seconds, seed)
    with locked(folder.path):
        if not folder.terms_file.is_file():
            folder.write_terms(terms)
        if jobs is None:
            _one_by_one(folder, terms, ranges, trials, say)
        else:
            done = sum(folder.outcome(number) is not None for number in range(trials))
            waiting = _jobs(folder, terms, ranges, trials, jobs)
            refuse_failed(work_off(waiting, jobs, say, done, trials))
        found = _best(folder, terms, ranges, trials)
        write_text(folder.recipe, found.recipe.to_json())
        write_page(folder, found)
        write_table(folder.table, found)  # the last: it says that the search has ended
    return found


def _check(
    recipe: Recipe, folder: SearchFolder, trials: int, seconds: float, module: str | None
) -> dict[str, Range]:
    """Refuse what cannot be, before anything is read or written; the space."""
    require("optuna", "tune")
    if trials < 1:
        raise UserError(f"--trials {trials}: the preset itself is the first, so give at least 1")
    if not 0 < seconds < float("inf"):
        raise UserError(f"--seconds {seconds:g}: give the processor time of a trial, such as 20")
    if not folder.path.exists():
        must_be_writable(folder.path, "folder", "--out")
    elif not folder.path.is_dir():
        raise UserError(f"{folder.path} is a file: name a folder with --out")
    elif not folder.terms_file.is_file() and any(
        not path.name.startswith(".") and path.name != "output.txt"
        for path in folder.path.iterdir()
    ):
        raise UserError(
            f"{folder.path} holds files but no search: name an empty folder with --out"
        )
    return space(recipe, system(recipe.system, module).search)


def _terms(recipe: Recipe, seconds: float, seed: int, module: str | None) -> Terms:
    """What all trials share; the pace is measured once, so that all are equally long."""
    examples, batch = affordable(recipe, seconds, module), recipe.train.batch
    steps = examples // batch
    if steps < FEWEST_STEPS:
        raise UserError(
            f"--seconds {seconds:g} buys {steps} steps of {recipe.system}/{recipe.preset}, and a "
            f"trial is judged at each third of its way: give --seconds {_enough(seconds, steps)}"
        )
    tree = recipe.model_dump(mode="json")
    return Terms(recipe=tree, module=module, seconds=seconds, seed=seed, examples=examples)


def _enough(seconds: float, steps: int) -> str:
    return f"{10 * FEWEST_STEPS * seconds / steps:.2g}"


def _check_same(
    folder: SearchFolder, terms: Terms, recipe: Recipe, seconds: float, seed: int
) -> None:
    """Refuse to go on with another search."""
    then = terms.recipe["system"]
    if then != recipe.system:
        raise UserError(
            f"{folder.path} holds a search of {then}, not of {recipe.system}: name another --out"
        )
    if terms.seconds != seconds or terms.seed != seed:
        raise UserError(
            f"{folder.path} holds a search with --seconds {terms.seconds:g} --seed {terms.seed}: "
            "give these, or another --out"
        )
    paths = ", ".join(list(terms.asked().differences(recipe))[:3])
    if paths:
        raise UserError(
            f"{folder.path} was searched before {paths} of the recipe changed: take it away, or "
            "give another --out"
        )


def _one_by_one(
    folder: SearchFolder, terms: Terms, ranges: dict[str, Range], trials: int, say: Say
) -> None:
    for job in _jobs(folder, terms, ranges, trials, 1):
        assert job is not None  # each ends before the next is planned
        number = int(job.words[-1])
        run_trial(folder, number)
        say(f"{number + 1}/{trials} {job.label}: {job.outcome()}")


def _jobs(
    folder: SearchFolder, terms: Terms, ranges: dict[str, Range], trials: int, lag: int
) -> Iterator[Job | None]:
    """The trials that have no outcome, each planned when those that it knows of have ended.

    With two at a time, trial 7 is proposed from the outcomes of trials 0 to 5, whichever of them
    ended first: so timing changes nothing, and a search that was stopped proposes the same.
    """
    home = origin(terms.asked(), ranges)
    for number in range(trials):
        while folder.plan(number) is None:
            ended = [folder.outcome(one) for one in range(number - lag + 1)]
            if None in ended:
                yield None
                continue
            known = [_known(folder, one, one < len(ended)) for one in range(number)]
            point = propose(ranges, known, number, terms.seed) if number else home
            folder.write_plan(Plan(number=number, point=point, limits=limits(known)))
        if folder.outcome(number) is None:
            yield _job(folder, number)


def _known(folder: SearchFolder, number: int, ended: bool) -> Known:
    plan = folder.plan(number)
    assert plan is not None
    return plan, folder.outcome(number) if ended else None


def _job(folder: SearchFolder, number: int) -> Job:
    def outcome() -> str:
        found = folder.outcome(number)
        return in_words(found) if found else ""

    words = ["zerosum.pipelines.tune.trial", str(folder.path), str(number)]
    label = f"trial {number}" + ("" if number else ", the preset")
    return Job(label, words, folder.trial(number), outcome)


def in_words(outcome: Outcome) -> str:
    """What a trial came to, in a few words."""
    if outcome.state == "failed":
        return f"failed ({outcome.reason})"
    early = ", stopped early" if outcome.state == "stopped early" else ""
    return f"{outcome.metric} {outcome.score:.4g}{early}"


def _best(folder: SearchFolder, terms: Terms, ranges: dict[str, Range], trials: int) -> Found:
    made = []
    for number in range(trials):
        plan, outcome = folder.plan(number), folder.outcome(number)
        assert plan is not None and outcome is not None
        made.append((plan, outcome))
    whole = {one.number: one.losses[-1] for _, one in made if one.state == "complete"}
    if not whole:
        raise UserError(
            f"no trial of {folder.path} came to its end; the preset's: {in_words(made[0][1])}"
        )
    return Found(terms, ranges, tuple(made), min(whole, key=lambda number: whole[number]))
