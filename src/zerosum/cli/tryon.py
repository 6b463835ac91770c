"""`zerosum tryon`: persons in garments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli.pictures import tell, with_a_bar


def tryon(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    person: Annotated[
        Path,
        typer.Argument(
            help="Picture of a person whose torso and arms are grey (128), or any photo with "
            "--region; or a folder of them."
        ),
    ],
    garment: Annotated[Path, typer.Argument(help="Flat garment on white or transparent.")],
    out: Annotated[
        Path, typer.Option(help="FILE.png, .jpg or .webp; a folder for a folder of persons.")
    ],
    region: Annotated[
        Path | None,
        typer.Option(
            help="Light where torso and arms are, which are made grey; or a folder of such "
            "pictures with the persons' names."
        ),
    ] = None,
    garment_mask: Annotated[
        Path | None,
        typer.Option(help="Light where the garment is; without it the white around it tells."),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out pictures that cannot be read.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Dress a person, or each of a folder, in a garment.

    Person and garment are brought to the size that the model was trained at, and the answer back
    to the person's. Answers of a folder that are there already are not made again.

    Example: zerosum tryon runs/tryon person.png shirt.png --region torso.png --out dressed.png
    """
    from PIL import Image

    from zerosum.pipelines.pictures.folder import answer_all
    from zerosum.pipelines.pictures.taken import TakenPicture, take
    from zerosum.pipelines.restore.inpaint import mask_for
    from zerosum.pipelines.tryon import Dresser

    dresser = Dresser.load(run, device=device, module=module)
    flat = take(garment)
    mask = None if garment_mask is None else take(garment_mask)

    def task(picture: TakenPicture) -> Image.Image:
        where = None if region is None else mask_for(Path(picture.name), region)
        return dresser(picture, flat, where, mask)

    done = with_a_bar(
        lambda on_picture: answer_all(
            person,
            out,
            task,
            skip_bad=skip_bad,
            notes=lambda: dresser.notes,
            on_picture=on_picture,
        ),
        "dressing",
        quiet=quiet,
    )
    tell(done, out)
