"""`zerosum check`: does a model keep the contract?"""

from __future__ import annotations

from typing import Annotated

import typer


def check(
    model: Annotated[str, typer.Argument(help="A system's name, a module, or a .py file.")],
) -> None:
    """Check that a model keeps the contract of a Game, on its preset `tiny`.

    Example: zerosum check dcgan
    """
    from importlib.util import find_spec
    from pathlib import Path

    from zerosum.core.registry import modules, system
    from zerosum.pipelines.check import check_game

    file = Path(model if model.endswith(".py") else f"{model}.py")
    if model in modules():
        found = system(model)
    elif file.exists():
        found = system(file.stem, str(file))
    elif "." in model or "/" in model or find_spec(model) is not None:
        found = system(file.stem, model)
    else:
        found = system(model)  # which is unknown: the refusal names the nearest ones
    failures = 0
    for finding in check_game(found):
        failures += finding.problem is not None
        print(f"{'FAIL' if finding.problem else 'ok  '}  {finding.rule}")
        if finding.problem:
            print(f"      {finding.problem}")
    if failures:
        raise typer.Exit(1)
    print(f"{found.name} keeps the contract")
