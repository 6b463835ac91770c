"""`zerosum train`: from a recipe and data to a trained generator."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from zerosum.core.recipe import Recipe
    from zerosum.modalities.modality import Choice
    from zerosum.training.trainer import Trainer

DEFAULT = "rpgan/digits"


def train(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SYSTEM[/PRESET]] [PATH=VALUE]...",
            help="A system or preset (see `zerosum list`) and overrides of its recipe.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder, archive, file or named set to learn from, read as the system reads data."
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Run or model whose weights it begins with, where they fit."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.  [default: runs/SYSTEM-PRESET]")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done and do nothing.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out unreadable examples.")
    ] = False,
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard files too.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Train a system on data. The same command again goes on where a run stopped.

    Example: zerosum train dcgan/fashion model.width=48 --out runs/clothes
    """
    recipe, chosen = _recipe(what or [], data, skip_bad, module, device)
    if start is not None:
        recipe = recipe.override({"train.start": start})
    folder = out or Path("runs") / "-".join(filter(None, (recipe.system, recipe.preset)))
    if dry_run:
        _explain(recipe, folder, device, module, chosen)
        return

    from zerosum.training.interrupts import Stopped
    from zerosum.training.recorder import Logger, TensorBoard
    from zerosum.training.trainer import Trainer

    loggers: list[Logger] = [TensorBoard(folder / "tensorboard")] if tensorboard else []
    trainer = Trainer(recipe, folder, device=device, loggers=loggers, quiet=quiet, module=module)
    trainer.notes = chosen
    try:
        trainer.fit()
    except Stopped as stopped:
        _leave(trainer, stopped.signum, f"stopped by {stopped}; the state is saved. To go on")
    except KeyboardInterrupt:  # the second one, while the first waits for its step
        _leave(trainer, signal.SIGINT, "stopped at once; to go on from what was saved before")
    if trainer.first:
        _report(folder, recipe, module)


def _recipe(
    words: list[str], data: str | None, skip_bad: bool, module: str | None, device: str = "auto"
) -> tuple[Recipe, list[str]]:
    """The recipe that the words and options of a command line ask for, and a line that says what
    was chosen where they name no system."""
    from zerosum.core.overrides import parse
    from zerosum.core.registry import recipe as find
    from zerosum.core.runtime import find_device
    from zerosum.errors import UserError
    from zerosum.pipelines.reading import kind_of

    names = [word for word in words if "=" not in word]
    if len(names) > 1:
        raise UserError(f"two systems named: {', '.join(names)}; overrides are PATH=VALUE")
    notes: list[str] = []
    changes: dict[str, Any] = dict(parse(word) for word in words if "=" in word)
    if names:
        recipe = find(names[0], module)
    elif module is not None:
        recipe = find(Path(module).stem, module)
    elif data is not None:
        choice = kind_of(data).choice(data, find_device(device).type, changes)
        recipe = find(choice.preset)
        wanted = {path: value for path, value in choice.settings.items() if path not in changes}
        if choice.why:
            notes.append(_said(choice, wanted))
            recipe = recipe.model_copy(update={"about": notes[0]})
        changes = {**wanted, **changes}
    else:
        recipe = find(DEFAULT)
    if data is not None:
        recipe = recipe.with_data(data)
    if skip_bad and "skip_bad" not in type(recipe.data).model_fields:
        raise UserError(f"--skip-bad means nothing for data of the kind '{recipe.data.kind}'")
    if skip_bad:
        changes["data.skip_bad"] = True
    return recipe.override(changes), notes


def _said(choice: Choice, settings: Mapping[str, Any]) -> str:
    """What was chosen and why, in one line."""
    named = []
    for path, value in settings.items():
        if path == "remedies":
            value = ",".join(one["name"] for one in value)
        if isinstance(value, tuple):
            value = "x".join(map(str, value))
        named.append(f"{path}={value}")
    return f"{choice.why}: {' '.join([choice.preset, *named])} (docs/guide/train.md has the table)"


def _explain(
    recipe: Recipe, folder: Path, device: str, module: str | None, chosen: list[str]
) -> None:
    """Print the resolved recipe, parameter counts, memory and files of a run."""
    from zerosum.core.registry import build_game, runtime_of
    from zerosum.names import printable
    from zerosum.training.prepare import needs, prepare
    from zerosum.training.run import RunFolder
    from zerosum.training.transfer import begin_with

    train = recipe.train
    runtime = runtime_of(recipe, device, module)
    split, resolved = prepare(recipe, runtime)
    RunFolder(folder).check(resolved)
    need = needs(resolved, split, runtime, module)
    begun = begin_with(build_game(resolved, module), train.start) if train.start else ""
    steps = -(-train.examples // train.batch)
    for line in [*chosen, *split.train.notes, *recipe.warnings, *filter(None, [begun])]:
        print(printable(line), file=sys.stderr)
    print(resolved.to_json())
    for player, count in need.parameters.items():
        print(f"{player:<16}{count:>14,} parameters")
    print(f"{'memory':<16}{_mib(need.total):>14} at least, of which")
    print(f"{'  weights':<16}{_mib(need.weights):>14} with gradients, optimizer and average")
    print(f"{'  activations':<16}{_mib(need.activations):>14} of one micro-batch")
    print(f"{'  data':<16}{_mib(need.data):>14}")
    on = f"{runtime.device}, {runtime.precision}"
    print(f"{'steps':<16}{steps:>14,} of {train.batch} examples on {on}")
    print(f"\nwould write to {folder}: recipe.json, log.jsonl, scores.jsonl,")
    print(f"  {-(-train.examples // train.sheet_every) + 1} sheets in samples/,")
    print(
        f"  checkpoints/ every {train.checkpoint_every:,} examples, the newest {train.keep} kept,"
    )
    print("  and at the end samples.png, curves.png, progress.gif")


def _report(folder: Path, recipe: Recipe, module: str | None) -> None:
    """Say what the run left and what to type next."""
    from zerosum.pipelines.report import report as write_report
    from zerosum.records import SCORE_ROW, read_lines
    from zerosum.training.checkpoint import checkpoints
    from zerosum.training.run import RunFolder
    from zerosum.training.scores import closing

    run, suffix = RunFolder(folder), type(recipe.data).codec.suffixes[0]
    page = write_report(folder, samples=0, module=module)[0]  # before a word is printed
    scored = read_lines(run.scores, SCORE_ROW)
    if scored:
        last = closing(scored, recipe.evaluate.patience)
        for name, value in last["scores"].items():
            reference = last["reference"].get(name)
            known = (
                f"   ({last['reference_note']}: {reference:.3f})" if reference is not None else ""
            )
            print(f"{name:<18}{value:>9.3f}{known}")
    here, own = shlex.quote(str(folder)), f" --module {shlex.quote(module)}" if module else ""
    print(
        f"pictures   {folder / 'samples.png'}, {folder / 'curves.png'}, {folder / 'progress.gif'}"
    )
    print(f"report     {page}")
    print(f"weights    {checkpoints(run.checkpoints)[-1] / 'ema.safetensors'}")
    print(f"next       zerosum generate {here} -n 64 --seed 0 --out samples{suffix}{own}")
    print(f"           zerosum export {here} --to model{own}")


def _leave(trainer: Trainer, signum: int, how: str) -> NoReturn:
    """End after a signal: how, the command that goes on, and the status of the signal."""
    if trainer.first:
        print(f"{how}:  {shlex.join(['zerosum', *sys.argv[1:]])}", file=sys.stderr)
    raise typer.Exit(128 + signum) from None


def _mib(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
