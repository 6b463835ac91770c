"""`zerosum check`: does a model keep the contract?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from zerosum.core.registry import System


def check(
    model: Annotated[str, typer.Argument(help="A system's name, a module, or a .py file.")],
) -> None:
    """Check that a model keeps the contract of a Game, on its preset `tiny`.

    Example: zerosum check dcgan
    """
    from zerosum.pipelines.check import check_game

    found, failures = _found(model), 0
    for finding in check_game(found):
        failures += finding.problem is not None
        print(f"{'FAIL' if finding.problem else 'ok  '}  {finding.rule}")
        if finding.problem:
            print(f"      {finding.problem}")
    if failures:
        raise typer.Exit(1)
    print(f"{found.name} keeps the contract")


def _found(model: str) -> System:
    """The system that a word names: a key, a file with or without `.py`, or a module."""
    from importlib.util import find_spec

    from zerosum.core.registry import modules, system
    from zerosum.errors import UserError

    file = Path(model if model.endswith(".py") else f"{model}.py")
    if model in modules():
        return system(model)
    if file.is_file():
        return system(file.stem, str(file))
    dotted = all(part.isidentifier() for part in model.split("."))
    if not dotted and not model.endswith(".py") and (Path(model).exists() or "/" in model):
        raise UserError(
            f"{model} is no model: give the name of a system, a module, or the .py file of one"
        )
    if model.endswith(".py") or (dotted and ("." in model or find_spec(model) is not None)):
        return system(file.stem, model)
    return system(model)  # which is unknown: the refusal names the nearest ones
