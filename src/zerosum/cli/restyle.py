"""`zerosum restyle`: pictures brought to another domain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli.pictures import with_a_bar
from zerosum.limits import LARGEST_SEED


def restyle(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    picture: Annotated[
        Path | None, typer.Argument(help="Picture, or a folder of them.", show_default=False)
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="The domain: a name or a number.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="FILE.png for one picture, a folder for a folder.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="Picture of that domain whose style is taken, for starganv2."),
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            help="Work at this size: trained (shorter side as in training), own, 128 or 128x192 "
            "(height x width)."
        ),
    ] = "trained",
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of the style that is drawn.")
    ] = 0,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Only tell whether answers change with the domain."),
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Pass over pictures that cannot be read.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Bring pictures to another domain: another style, season, age.

    Example: zerosum restyle runs/ages photo.jpg --to 60-79 --out older.png
    """
    from zerosum.errors import UserError
    from zerosum.modalities.images.pictures import to_pictures
    from zerosum.pipelines.pictures.taken import take
    from zerosum.pipelines.restyle import Restyler

    restyler = Restyler.load(run, device=device, module=module)
    domains = ", ".join(restyler.domain.names)
    if probe:
        found = restyler.condition_used()
        print(
            f"between two targets answers differ by {found.targets:.3f} of 1 on average, and from "
            f"the picture by {found.input:.3f} ({found.pictures} held-out pictures); near 0 the "
            "domain is ignored"
        )
        return
    if picture is None or to is None or out is None:
        raise UserError(f"give a picture or a folder, --to (one of {domains}) and --out")
    style = None if reference is None else to_pictures(take(reference).seen(3))[0]
    done = with_a_bar(
        lambda on_picture: restyler.restyle_all(
            picture,
            out,
            to,
            reference=style,
            seed=seed,
            size=size,
            skip_bad=skip_bad,
            on_picture=on_picture,
        ),
        "restyling",
        quiet=quiet,
    )
    for line in done.bad:
        print(f"left out: {line}")
    there = f", {done.there:,} there already" if done.there else ""
    print(f"{len(done.written):,} restyled to {out}{there}")
