"""`zerosum export`: a trained generator as a folder to ship."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    to: Annotated[Path, typer.Option(help="New folder for the model.")],
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Add generator.onnx, checked with onnxruntime.")
    ] = False,
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
) -> None:
    """Write a model folder: safetensors, config.json and a model card.

    Example: zerosum export runs/demo --to model --onnx
    """
    from zerosum.pipelines import export as exporting
    from zerosum.training.run import RunFolder, read_run

    saved = read_run(run, module)
    game = saved.game
    if onnx:
        # Before anything is written, so that the same command works once the cause is mended.
        from zerosum.pipelines.onnx import tools

        tools(game)
    files = exporting.write(game, saved.recipe, saved.codec, to, RunFolder(run).scores)
    for file in files:
        print(f"{file}  {file.stat().st_size / 2**20:.2f} MiB")
    if onnx:
        from zerosum.pipelines.onnx import write

        path = to / "generator.onnx"
        worst = write(game, path)
        size = path.stat().st_size / 2**20
        print(f"{path}  {size:.2f} MiB, equal to torch within {worst:.1e}")
