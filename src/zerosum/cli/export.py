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
    from zerosum.files import must_be_empty, whole_folder
    from zerosum.pipelines import export as exporting
    from zerosum.training.run import RunFolder, read_run

    must_be_empty(to, "--to")
    saved = read_run(run, module)
    game = saved.game
    if onnx:
        # Before anything is written, so that the same command works once the cause is mended.
        from zerosum.pipelines.onnx import tools

        tools(game)
    worst = None
    with whole_folder(to, "--to") as partial:
        exporting.write(game, saved.recipe, saved.codec, partial, RunFolder.around(run).scores)
        if onnx:
            from zerosum.pipelines.onnx import write

            worst = write(game, partial / "generator.onnx")
    for file in sorted(to.iterdir()):
        print(f"{file}  {file.stat().st_size / 2**20:.2f} MiB")
    if worst is not None:
        print(f"generator.onnx is equal to torch within {worst:.1e}")
