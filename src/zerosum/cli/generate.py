"""`zerosum generate`: samples of a trained model, as the files of their kind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zerosum.limits import LARGEST_CLOCK, LARGEST_SEED


def generate(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    n: Annotated[
        int,
        typer.Option("-n", "--number", min=1, max=LARGEST_CLOCK, help="How many samples."),
    ] = 64,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="The same seed gives the same samples.")
    ] = 0,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            help="NAME=VALUE, such as label=3, or label=0,1,2 or names, repeated in order.",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Short for --condition label=...: classes by number or name."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="For tables: COLUMN=VALUE, or COLUMN>3; all must hold."),
    ] = None,
    counts: Annotated[
        str | None,
        typer.Option(
            help="For tables: exact numbers, 'income=>50K:200,<=50K:800'; -n means nothing then."
        ),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            help="For tables: a FILE with some cells filled, which come out as they are; a row "
            "for each of its rows."
        ),
    ] = None,
    filter_: Annotated[
        str | None,
        typer.Option(
            "--filter",
            help="For molecules: 'qed>0.6 and sa<4'; draws until -n are found, each once, and at "
            "most 500 for each.",
        ),
    ] = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="For molecules: a line a draw, blank where it is none."),
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="A setting of sampling, such as temperature=0.7."),
    ] = None,
    truncation: Annotated[
        float | None, typer.Option(help="Short for --option truncation=...")
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(help="For models that map: what to map.  [default: held-out examples]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="DIR or FILE; what the suffix may be depends on the kind of data."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Draw samples of a trained model.

    Example: zerosum generate runs/demo -n 100 --seed 1 --out digits.png
    """
    from zerosum.errors import UserError
    from zerosum.pipelines.generate import Generator
    from zerosum.progress import ProgressBar

    if filter_ is not None and (condition or labels or where or inputs or raw):
        raise UserError("--filter goes with -n, --seed, --option and --out alone")
    if (counts or like) and (condition or labels or where or inputs or filter_ or raw):
        raise UserError("--counts and --like go with --seed, --option and --out alone")
    if counts and like:
        raise UserError("--counts and --like both say how many rows: give one of them")
    generator = Generator.load(run, device=device, module=module)
    path = out or Path(f"samples{generator.codec.suffixes[0]}")
    generator.codec.check(path)
    settings = pairs(option or [], "--option")
    if truncation is not None:
        settings["truncation"] = truncation
    given = pairs(condition or [], "--condition")
    if labels is not None:
        given["label"] = labels
    held = bool(like or counts or filter_ or where or raw or generator.game.inputs())
    generator.check_number(n, None if held else path, given=bool(given))
    if like is not None:
        rows = generator.complete(like, seed=seed, options=settings)
        written = generator.modality.write_objects(rows, generator.codec, path)
        print(f"{written:,} {generator.modality.noun} like {like} written to {path}")
        return
    noun = generator.modality.noun
    progress = ProgressBar(quiet, noun)
    values = {name: _cycled(name, text, n) for name, text in given.items()}
    objects = None if inputs is None else generator.read_inputs(inputs, n)
    if not (counts or filter_ or where or raw):
        with progress.counted("drawn", n) as told:
            written = generator.write_drawn(
                n, path, seed=seed, options=settings, inputs=objects, on_progress=told, **values
            )
        print(f"{_of(written, n)} {noun} written to {path}")
        return
    after = ""
    if counts is not None:
        samples = generator.draw_counts(counts, seed=seed, options=settings)
    elif filter_ is not None:
        with progress.counted("kept", n) as told:
            sifted = generator.draw_filtered(
                n, filter_, seed=seed, options=settings, on_progress=told
            )
        samples, after = sifted.samples, f", kept of {sifted.drawn:,} draws"
    elif where:
        samples = generator.draw_where(n, where, seed=seed, options=settings)
    else:
        samples = generator.draw(n, seed=seed, options=settings, inputs=objects, **values)
    write = generator.codec.write_raw if raw else generator.write
    written = write(samples, path)
    print(f"{_of(written, len(next(iter(samples.values()))))} {noun} written to {path}{after}")


def _of(written: int, drawn: int) -> str:
    return f"{written:,}" if written == drawn else f"{written:,} of {drawn:,}"


def pairs(words: list[str], option: str) -> dict[str, Any]:
    """NAME=VALUE words as a mapping."""
    from zerosum.errors import UserError

    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(f"{option} {word}: write NAME=VALUE, such as label=3")
        found[name.strip()] = value.strip()
    return found


def _cycled(name: str, text: str, n: int) -> list[int] | list[float] | list[str]:
    """n values of a text such as `0,1,2` or `trouser,bag`, repeated in order."""
    words = [word.strip() for word in text.split(",")]
    cycled = [words[i % len(words)] for i in range(n)]
    try:
        return [int(word) for word in cycled]
    except ValueError:
        pass
    try:
        return [float(word) for word in cycled]
    except ValueError:
        return cycled
