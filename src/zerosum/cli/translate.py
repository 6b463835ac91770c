"""`zerosum translate`: pictures of any size through a model that maps pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli.pictures import tell, with_a_bar
from zerosum.limits import LARGEST_SEED


def translate(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    pictures: Annotated[Path, typer.Argument(help="A picture, or a folder of them.")],
    out: Annotated[
        Path, typer.Option(help="FILE.png, .jpg or .webp; a folder for a folder of pictures.")
    ],
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="A setting of sampling, such as back=true."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of what the model draws on the way.")
    ] = 0,
    memory: Annotated[
        float, typer.Option(min=0.05, max=1e6, help="GiB that the model may take for a picture.")
    ] = 2.0,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out unreadable pictures.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Translate a picture, or each of a folder, with a trained model.

    Sizes, alpha and colour profiles are kept. Answers of a folder that are there already are not
    made again, so the same command goes on where it stopped.

    Example: zerosum translate runs/horses photo.jpg --out zebra.png
    """
    from zerosum.core.overrides import parse
    from zerosum.pipelines.generate import Generator
    from zerosum.pipelines.pictures.folder import answer_all
    from zerosum.pipelines.translate import Translator

    generator = Generator.load(run, device=device, module=module)
    words = dict(parse(word) for word in option or [])
    translator = Translator(generator, seed, words, memory)
    done = with_a_bar(
        lambda on_picture: answer_all(
            pictures,
            out,
            translator,
            skip_bad=skip_bad,
            notes=lambda: translator.notes,
            on_picture=on_picture,
        ),
        "translating",
        quiet=quiet,
    )
    tell(done, out)
