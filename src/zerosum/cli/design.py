"""`zerosum design`: new molecules for a score, from cycle to cycle."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.limits import LARGEST_CLOCK, LARGEST_SEED

if TYPE_CHECKING:
    from zerosum.pipelines.design import Found

DEFAULT = "molgan/qm9"
_MOST = 2**20
_SHOWN = 5


def design(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SYSTEM[/PRESET]] [PATH=VALUE]...",
            help=f"What learns the molecules, and overrides of its recipe.  [default: {DEFAULT}]",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Known molecules (.smi, .csv, .sdf) or a named set, to begin with."),
    ] = None,
    score: Annotated[
        str, typer.Option(help="What molecules are worth, such as qed,sa,docking:CA2.")
    ] = "",
    cycles: Annotated[
        int, typer.Option(min=1, max=999, help="How often the best are fed back; may grow.")
    ] = 5,
    calls: Annotated[
        int, typer.Option(min=1, max=_MOST, help="Molecules that each cycle has scored.")
    ] = 400,
    start: Annotated[
        str, typer.Option("--from", help="Run to begin with instead of training one.")
    ] = "",
    pretrain: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=LARGEST_CLOCK,
            help="Examples of training before cycle 0.  [default: the preset's; 0 with --from]",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        int, typer.Option(min=1, max=LARGEST_CLOCK, help="Examples of training between cycles.")
    ] = 30_000,
    top: Annotated[
        str, typer.Option(help="Scored molecules of a cycle that are offered: 50, or 10%.")
    ] = "10%",
    pool: Annotated[int, typer.Option(min=1, max=_MOST, help="Elite molecules at most.")] = 100,
    share: Annotated[
        float, typer.Option(min=1e-6, max=0.999, help="Of the training set, for the elite.")
    ] = 0.9,
    rate: Annotated[
        float,
        typer.Option(
            min=1e-6,
            max=100,
            help="Learning rates between cycles, in the recipe's highest ones.",
        ),
    ] = 0.3,
    per_scaffold: Annotated[
        int, typer.Option(min=1, max=_MOST, help="Elite molecules of one scaffold at most.")
    ] = 10,
    exhaustiveness: Annotated[int, typer.Option(min=1, max=1024, help="Of docking.")] = 1,
    atoms: Annotated[
        int, typer.Option(min=1, max=200, help="Heavy atoms up to which molecules are docked.")
    ] = 50,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=1e6, help="Seconds for each molecule in a slow part.")
    ] = 120.0,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Processes that score.  [default: one per processor]"),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines/--no-baselines",
            help="Spend as many calls on random sampling and on a genetic algorithm.",
        ),
    ] = True,
    seed: Annotated[
        int, typer.Option(min=0, max=min(LARGEST_SEED, 2**31 - 2), help="Of everything random.")
    ] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the design.")] = Path("runs/design"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Search for molecules: train, sample, score, feed the best back, repeat.

    The same command again goes on where it stopped, in the middle of a cycle too.

    Example: zerosum design --data actives.csv --score qed,sa,docking:CA2 --out runs/design
    """
    from zerosum.core.overrides import parse
    from zerosum.core.registry import recipe as find
    from zerosum.errors import UserError
    from zerosum.pipelines.design import design as search
    from zerosum.pipelines.design import plan
    from zerosum.training.interrupts import Stopped

    if not score:
        raise UserError("say what molecules are worth with --score, such as --score qed,sa")
    names = [word for word in what or [] if "=" not in word]
    if len(names) > 1:
        raise UserError(f"two systems named: {', '.join(names)}; overrides are PATH=VALUE")
    if data is None and not start and not names:
        raise UserError("name the known molecules with --data, or a run with --from")
    named = names[0] if names else None if start else DEFAULT
    terms = plan(
        find(named, module) if named else None,
        data=data,
        start=start,
        changes=dict(parse(word) for word in what or [] if "=" in word),
        pretrain=pretrain,
        module=module,
        score=score,
        calls=calls,
        examples=examples,
        top=top,
        pool=pool,
        share=share,
        rate=rate,
        per_scaffold=per_scaffold,
        exhaustiveness=exhaustiveness,
        atoms=atoms,
        seed=seed,
    )
    try:
        found = search(
            terms,
            out,
            cycles=cycles,
            baselines=baselines,
            device=device,
            workers=workers,
            timeout=timeout,
            quiet=quiet,
        )
    except (Stopped, KeyboardInterrupt) as stop:
        again = shlex.join(["zerosum", *sys.argv[1:]])
        print(f"stopped; what was done is saved. To go on:  {again}", file=sys.stderr)
        raise typer.Exit(128 + (stop.signum if isinstance(stop, Stopped) else 2)) from None
    _report(found, out)


def _report(found: Found, out: Path) -> None:
    """Say what was found and where it lies."""
    from zerosum.names import printable
    from zerosum.pipelines.design.page import measured

    print("cycle  mean score              change at equal size    diversity  admitted")
    for one in found.story:
        law = one.laws["score"]
        diversity = one.sampled.diversity.value
        print(
            f"{one.cycle:>5}  {measured(law.mean):<24}{measured(law.gain):<24}"
            f"{'none' if diversity is None else f'{diversity:.3f}':<11}{one.admitted}"
        )
    for one in found.searches:
        print(
            f"{one.name:<8} {one.calls:,} calls: best {one.best:.3f}, mean of the best 10 "
            f"{one.few:.3f}, of the best 100 {one.many:.3f}"
        )
    for cycle, one in found.best[:_SHOWN]:
        print(f"  {one.score:.3f}  cycle {cycle}  {printable(one.smiles)}")
    print(f"table      {out / 'molecules.csv'}")
    print(f"report     {out / 'report.html'}, {out / 'summary.json'}, {out / 'best.png'}")
    if found.docked:
        print(f"poses      {out / 'best.sdf'}")
    print(f"next       zerosum generate {shlex.quote(str(out / 'run'))} -n 64 --out new.csv")
