"""`zerosum colorize`: grey pictures in colour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli.pictures import tell, with_a_bar


def colorize(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    pictures: Annotated[Path, typer.Argument(help="A picture, or a folder of them.")],
    out: Annotated[
        Path, typer.Option(help="FILE.png, .jpg or .webp; a folder for a folder of pictures.")
    ],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out pictures that cannot be read.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Colour a grey picture, or each of a folder, with a trained model.

    Sizes, lightness and alpha are kept; of pictures in colour the colours are left out first.
    Answers of a folder that are there already are not made again, so the same command goes on
    where it stopped.

    Example: zerosum colorize runs/colours photo.jpg --out coloured.png
    """
    from zerosum.pipelines.generate import Generator
    from zerosum.pipelines.pictures.folder import answer_all
    from zerosum.pipelines.restore.colorize import Colorizer

    colorizer = Colorizer(Generator.load(run, device=device, module=module))
    done = with_a_bar(
        lambda on_picture: answer_all(
            pictures,
            out,
            colorizer,
            skip_bad=skip_bad,
            notes=lambda: colorizer.notes,
            on_picture=on_picture,
        ),
        "colouring",
        quiet=quiet,
    )
    tell(done, out)
