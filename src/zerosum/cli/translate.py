"""`zerosum translate`: pictures of any size through a model that maps pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

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
    from zerosum.names import printable
    from zerosum.pipelines.generate import Generator
    from zerosum.pipelines.pictures.folder import answer_all
    from zerosum.pipelines.translate import Translator
    from zerosum.progress import ProgressBar

    generator = Generator.load(run, device=device, module=module)
    words = dict(parse(word) for word in option or [])
    translator = Translator(generator, seed, words, memory)
    bar = ProgressBar(quiet, "pictures", pause=3.0)
    try:
        done = answer_all(
            pictures,
            out,
            translator,
            skip_bad=skip_bad,
            notes=lambda: translator.notes,
            on_picture=lambda at, total: bar("translating", at, total),
        )
    finally:
        bar.close()
    for line in done.lines():
        print(printable(line), file=sys.stderr)
    there = f", {done.there:,} were there already" if done.there else ""
    noun = "picture" if len(done.written) == 1 else "pictures"
    print(f"{len(done.written):,} {noun} written to {printable(str(out))}{there}")
