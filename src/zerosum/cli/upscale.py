"""`zerosum upscale`: pictures of any size through a super-resolution model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli.pictures import tell, with_a_bar


def upscale(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    pictures: Annotated[Path, typer.Argument(help="A picture, or a folder of them.")],
    out: Annotated[
        Path, typer.Option(help="FILE.png, .jpg or .webp; a folder for a folder of pictures.")
    ],
    strength: Annotated[
        float,
        typer.Option(min=0, max=1, help="0: smooth, the first phase's network; 1: the game's."),
    ] = 1.0,
    memory: Annotated[
        float, typer.Option(min=0.05, max=1e6, help="GiB that the model may take for a picture.")
    ] = 2.0,
    half: Annotated[bool, typer.Option("--half", help="Compute in 16 bits; for GPUs.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out unreadable pictures.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Enlarge a picture, or each of a folder, with a trained model.

    Large pictures go through the model in tiles, without seams. Alpha grows with the picture;
    grey pictures stay grey; colour profiles are kept. Answers of a folder that are there already
    are not made again, so the same command goes on where it stopped.

    Example: zerosum upscale runs/sharp photo.jpg --out large.png
    """
    from zerosum.pipelines.generate import Generator
    from zerosum.pipelines.pictures.folder import answer_all
    from zerosum.pipelines.restore.upscale import Upscaler

    generator = Generator.load(run, device=device, module=module)
    upscaler = Upscaler.of(generator, strength=strength, memory=memory, half=half)
    done = with_a_bar(
        lambda on_picture: answer_all(
            pictures,
            out,
            upscaler,
            skip_bad=skip_bad,
            notes=lambda: upscaler.notes,
            on_picture=on_picture,
        ),
        "enlarging",
        quiet=quiet,
    )
    tell(done, out)
