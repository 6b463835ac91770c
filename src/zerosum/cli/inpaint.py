"""`zerosum inpaint`: holes in pictures filled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli.pictures import tell, with_a_bar


def inpaint(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    pictures: Annotated[Path, typer.Argument(help="A picture, or a folder of them.")],
    mask: Annotated[
        Path,
        typer.Option(help="Light where the hole is; or a folder of masks with the same names."),
    ],
    out: Annotated[
        Path, typer.Option(help="FILE.png, .jpg or .webp; a folder for a folder of pictures.")
    ],
    feather: Annotated[
        int, typer.Option(min=0, max=256, help="Pixels around a hole that fade into it.")
    ] = 3,
    memory: Annotated[
        float, typer.Option(min=0.05, max=1e6, help="GiB that the model may take for a picture.")
    ] = 2.0,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out pictures that cannot be read.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Fill the hole of a picture, or of each of a folder, with a trained model.

    What lies beyond the feather stays as it is. Answers of a folder that are there already are
    not made again, so the same command goes on where it stopped.

    Example: zerosum inpaint runs/whole photo.jpg --mask mask.png --out filled.png
    """
    from PIL import Image

    from zerosum.pipelines.generate import Generator
    from zerosum.pipelines.pictures.folder import answer_all
    from zerosum.pipelines.pictures.taken import TakenPicture
    from zerosum.pipelines.restore.inpaint import Inpainter, mask_for

    generator = Generator.load(run, device=device, module=module)
    inpainter = Inpainter(generator, feather, memory)

    def task(picture: TakenPicture) -> Image.Image:
        return inpainter(picture, mask_for(Path(picture.name), mask))

    done = with_a_bar(
        lambda on_picture: answer_all(
            pictures,
            out,
            task,
            skip_bad=skip_bad,
            notes=lambda: inpainter.notes,
            on_picture=on_picture,
        ),
        "filling",
        quiet=quiet,
    )
    tell(done, out)
