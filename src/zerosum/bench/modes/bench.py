"""The bench: trains what is missing, judges it, and brings it into one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from zerosum.bench.modes.digits import StackedDigits
from zerosum.bench.modes.methods import Method, methods
from zerosum.bench.modes.pictures import draw
from zerosum.bench.modes.report import Report, Result
from zerosum.bench.modes.settings import Setting, setting
from zerosum.bench.modes.suites import Points, Suite
from zerosum.bench.modes.train import Trial
from zerosum.core.runtime import find_device
from zerosum.errors import UserError
from zerosum.training.machine import processor

Progress = Callable[[str, int, int], None]  # what, updates done, of how many

SAVES = 20
"""Checkpoints per training: that share of it at most is lost when the bench is stopped."""

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
        out: Folder of results, pictures and checkpoints.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        on_progress: Called now and then.

    Raises:
        UserError: An unknown name, or `out` holds a training with other settings.
    """
    usual = setting(suite, profile)
    chosen = usual if updates is None else replace(usual, updates=updates)
    asked = methods(",".join(chosen.methods) if models is None else models)
    numbers = list(range(chosen.seeds if seeds is None else seeds))
    chosen = replace(chosen, seeds=len(numbers))
    if len(numbers) < 1 or chosen.updates < 1:
        raise UserError("the bench needs at least one seed and one update")
    where = find_device(device)
    folders = [out / f"{suite}-{profile}" / method.name for method in asked]
    for folder in folders:
        _check(folder, chosen)
    law = SUITES[suite](where)
    results = [_oracle(law)]
    for method, folder in zip(asked, folders):
        results.append(_result(chosen, method, law, numbers, folder, where, on_progress))
    notes = [law.note(), _protocol(chosen, usual, where)]
    return Report(suite, profile, results, law.modes, notes)


def _check(folder: Path, chosen: Setting) -> None:
    """Refuse a folder that was made with other settings, before anything is trained."""
    made = Result.read(folder / "result.json")
    if made is None:
        return
    now = chosen.fingerprint()
    for name, value in now.items():
        if made.setting.get(name) != value:
            raise UserError(
                f"{folder} was trained with {name}={made.setting.get(name)}, not {value}: "
                "name another --out, or remove it"
            )


def _oracle(law: Suite) -> Result:
    draws = [law.oracle(torch.Generator().manual_seed(seed)) for seed in range(law.draws)]
    note = f"samples of the law, {law.draws} draws"
    return Result("oracle", note, [law.judge(samples) for samples in draws], {}, 0.0)


def _result(
    chosen: Setting,
    method: Method,
    law: Suite,
    seeds: list[int],
    folder: Path,
    device: torch.device,
    on_progress: Progress | None,
) -> Result:
    """A stored result, or a training from its last checkpoint to its end."""
    path, kept = folder / "result.json", folder / "checkpoint.pt"
    done = Result.read(path)
    if done is not None and done.rows:
        return done
    Result(method.name, method.note, [], chosen.fingerprint(), 0.0).write(path)  # begun
    trial = Trial(chosen, method, law, seeds, device)
    if kept.is_file():
        trial.restore(kept)
    every = max(1, chosen.updates // SAVES)

    def report(updates: int) -> None:
        if on_progress is not None:
            on_progress(f"{chosen.suite} {method.name}", updates, chosen.updates)

    while trial.updates < chosen.updates:
        trial.run(min((trial.updates // every + 1) * every, chosen.updates), report)
        trial.save(kept)
    samples = trial.samples()
    rows = [law.judge(part) for part in samples]
    draw(folder / "samples.png", law, samples, seeds, f"{chosen.suite}: {method.name}")
    result = Result(method.name, method.note, rows, chosen.fingerprint(), trial.seconds)
    result.write(path)
    return result


def _protocol(chosen: Setting, usual: Setting, device: torch.device) -> str:
    length = f"{chosen.updates:,} updates of the generator"
    if chosen.updates != usual.updates:
        length += f" (the profile has {usual.updates:,})"
    threads = torch.get_num_threads()
    where = f"{threads} thread{'s' if threads > 1 else ''} of {processor()}"
    if device.type == "cuda":
        where = torch.cuda.get_device_name(device)
    seeds = f"seeds 0 to {chosen.seeds - 1} side by side" if chosen.seeds > 1 else "seed 0 only"
    moves = "simultaneous" if chosen.simultaneous else "alternating"
    return (
        f"profile {chosen.profile} ({chosen.source}): networks {chosen.networks}, {length}, batch "
        f"{chosen.batch}, {moves} moves, {seeds}; mean ± "
        f"standard error; seconds for all seeds together on {where}, torch {torch.__version__}"
    )
