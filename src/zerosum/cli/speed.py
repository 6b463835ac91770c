"""`zerosum bench speed`: how fast systems generate and train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def speed(
    models: Annotated[
        str, typer.Option(help="Systems and presets, such as stylegan2/cifar10,r3gan/cifar10.")
    ] = "stylegan2/digits,r3gan/digits,biggan/digits",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    batch: Annotated[int, typer.Option(min=1, max=65_536, help="Images at a time.")] = 8,
    repeats: Annotated[int, typer.Option(min=1, max=1_000, help="Timings of each part.")] = 3,
    precision: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="Of losses and of generating.")
    ] = "fp32",
    threads: Annotated[int, typer.Option(min=1, max=1_024, help="Of a CPU.")] = 1,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the generator with torch.compile.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write all figures to this file too.")
    ] = None,
) -> None:
    """Time generating and a whole training iteration, all turns as the recipe plays them.

    Example: zerosum bench speed --models stylegan2/cifar10,r3gan/cifar10 --device cpu
    """
    from dataclasses import asdict
    from json import dumps

    from zerosum.bench.speed import HEAD, measure
    from zerosum.files import must_be_json, write_text

    must_be_json(json)
    found = []
    for name in models.split(","):
        one = measure(
            name.strip(),
            device=device,
            batch=batch,
            repeats=repeats,
            precision=precision,
            threads=threads,
            compiled=compiled,
        )
        if not found:
            print(f"{one.device}; medians of {repeats}\n\n{HEAD}")
        print(one.row(), flush=True)
        found.append(one)
    if json is not None:
        tree = [asdict(one) | {"iteration": one.iteration} for one in found]
        write_text(json, dumps(tree, indent=1) + "\n")
