"""The bench: trains what is missing, judges it, and brings it into one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from zerosum.bench.modes import search
from zerosum.bench.modes.digits import StackedDigits
from zerosum.bench.modes.methods import METHODS, Method, methods
from zerosum.bench.modes.report import Report, Result
from zerosum.bench.modes.rows import Bench, Progress, check, row
from zerosum.bench.modes.settings import Setting, setting
from zerosum.bench.modes.suites import Points, Suite
from zerosum.core.runtime import find_device
from zerosum.errors import UserError
from zerosum.training.machine import processor

SUITES: dict[str, Callable[[torch.device], Suite]] = {
    "ring": lambda device: Points("ring", device),
    "grid": lambda device: Points("grid", device),
    "stacked-mnist": StackedDigits,
}


def run(
    suite: str,
    profile: str = "smoke",
    *,
    models: str | None = None,
    seeds: int | None = None,
    updates: int | None = None,
    trials: int = 0,
    out: Path = Path("runs/modes"),
    device: str = "cpu",
    on_progress: Progress | None = None,
) -> Report:
    """Compare methods on one suite; what `out` holds already is not trained again.

    Args:
        suite: ring, grid or stacked-mnist.
        profile: smoke or paper.
        models: Methods, separated by commas; the setting's own when None.
        seeds: How many, 0 to seeds - 1; the setting's own number when None.
        updates: Updates of the generator; the setting's own number when None.
        trials: Learning rates that each method tries on the ring first; 0 keeps the profile's.
        out: Folder of results, pictures and checkpoints.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        on_progress: Called now and then.

    Raises:
        UserError: An unknown name, a search where there is none, or `out` holds a training with
            other settings.
    """
    usual = setting(suite, profile)
    chosen = usual if updates is None else replace(usual, updates=updates)
    asked = methods(",".join(chosen.methods) if models is None else models)
    numbers = list(range(chosen.seeds if seeds is None else seeds))
    chosen = replace(chosen, seeds=len(numbers))
    if len(numbers) < 1 or chosen.updates < 1:
        raise UserError("the bench needs at least one seed and one update")
    demand_search(suite, profile, trials)
    where = find_device(device)
    folder = out / f"{suite}-{profile}{f'-{trials}-trials' if trials else ''}"
    for method in asked:
        unknown = ["lr", "critic_rate"] if trials else []
        unknown += ["updates"] if method.as_long_as else []
        check(folder / method.name, chosen, unknown)
    law = SUITES[suite](where)
    bench = Bench(law, where, on_progress)
    home, ring = bench, chosen
    if trials:  # they are of the ring, whatever is trained then
        ring = setting("ring", profile)
        ring = ring if updates is None else replace(ring, updates=updates)
        home = bench if suite == "ring" else replace(bench, law=SUITES["ring"](where))
    results = {"oracle": _oracle(law)}
    for method in asked:
        mine, note = chosen, ""
        if trials:
            tried = METHODS[method.like or method.name]
            place = out / f"ring-{profile}-search" / tried.name
            found = search.search(home, ring, tried, trials, place)
            mine = replace(chosen, lr=found.lr, critic_rate=found.critic_rate)
        if method.as_long_as:
            mine, note = _as_long(mine, method, results)
        place, title = folder / method.name, f"{suite}: {method.name}"
        results[method.name] = row(bench, mine, method, numbers, place, title=title, note=note)
    notes = [law.note(), _protocol(chosen, usual, where)]
    if trials:
        notes.append(search.note(ring, trials))
    return Report(suite, profile, list(results.values()), law.modes, notes, searched=trials > 0)


def demand_search(suite: str, profile: str, trials: int) -> None:
    """Refuse a search where there is none.

    Raises:
        UserError: Too many trials, or a suite or profile without a search.
    """
    most = len(search.TRIALS)
    if not 0 <= trials <= most:
        raise UserError(f"a search has at most {most} trials, not {trials}")
    if trials and (suite not in ("ring", "grid") or profile != "smoke"):
        raise UserError(
            f"trials are of the smoke profile's rates on ring and grid: leave --trials out for "
            f"{suite}, {profile}"
        )


def _as_long(chosen: Setting, method: Method, results: dict[str, Result]) -> tuple[Setting, str]:
    """As many updates as the other method's processor time holds, and the words for it."""
    ratio = results[method.as_long_as].seconds / results[method.like].seconds
    updates = max(1, round(ratio * chosen.updates))
    note = f"{method.like} in the time of {method.as_long_as}: {updates:,} updates"
    return replace(chosen, updates=updates), note


def _oracle(law: Suite) -> Result:
    draws = [law.oracle(torch.Generator().manual_seed(seed)) for seed in range(law.draws)]
    note = f"samples of the law, {law.draws} draws"
    return Result("oracle", note, [law.judge(samples) for samples in draws], {}, 0.0)


def _protocol(chosen: Setting, usual: Setting, device: torch.device) -> str:
    length = f"{chosen.updates:,} updates of the generator"
    if chosen.updates != usual.updates:
        length += f" (the profile has {usual.updates:,})"
    threads = torch.get_num_threads()
    where = f"{threads} thread{'s' if threads > 1 else ''} of {processor()}"
    seconds = "processor seconds"
    if device.type == "cuda":
        where, seconds = torch.cuda.get_device_name(device), "seconds"
    seeds = f"seeds 0 to {chosen.seeds - 1} side by side" if chosen.seeds > 1 else "seed 0 only"
    moves = "simultaneous" if chosen.simultaneous else "alternating"
    return (
        f"profile {chosen.profile} ({chosen.source}): networks {chosen.networks}, {length}, batch "
        f"{chosen.batch}, {moves} moves, {seeds}; mean ± "
        f"standard error; {seconds} for all seeds together on {where}, torch {torch.__version__}"
    )
