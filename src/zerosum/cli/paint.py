"""`zerosum paint`: photos of label maps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli.pictures import with_a_bar
from zerosum.limits import LARGEST_SEED


def paint(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    labels: Annotated[
        Path | None,
        typer.Argument(help="Label map, or a folder of them.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="FILE.png for one map, a folder for a folder.")
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            help="Paint at this size: trained (shorter side as in training), own, 128 or 128x192 "
            "(height x width)."
        ),
    ] = "trained",
    like: Annotated[
        Path | None,
        typer.Option(help="Photo whose style is taken, for models with an image encoder."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of the style that is drawn.")
    ] = 0,
    classes: Annotated[
        bool, typer.Option("--classes", help="Only list the classes that a map may hold.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Pass over maps that cannot be read.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Paint photos from label maps: class numbers, palettes or the classes' colours.

    Example: zerosum paint runs/facades labels.png --out photo.png
    """
    from zerosum.errors import UserError
    from zerosum.modalities.images.pictures import to_pictures
    from zerosum.pipelines.paint import Painter
    from zerosum.pipelines.pictures.taken import take

    painter = Painter.load(run, device=device, module=module)
    if classes:
        for name, number, colour in painter.legend():
            print(f"{number:>3}  {colour}  {name}")
        return
    if labels is None:
        raise UserError("nothing to paint: name a label map or a folder, or ask for --classes")
    if out is None:
        raise UserError("say where to with --out: a .png file, or a folder for a folder")
    style = None if like is None else to_pictures(take(like).seen(3))[0]
    done = with_a_bar(
        lambda on_picture: painter.paint_all(
            labels,
            out,
            size=size,
            like=style,
            seed=seed,
            skip_bad=skip_bad,
            on_picture=on_picture,
        ),
        "painting",
        quiet=quiet,
    )
    for line in done.bad:
        print(f"left out: {line}")
    there = f", {done.there:,} there already" if done.there else ""
    print(f"{len(done.written):,} painted to {out}{there}")
