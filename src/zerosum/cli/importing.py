"""`zerosum import`: official weights as a model folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer


def import_weights(
    file: Annotated[
        Path,
        typer.Argument(help="Official .pkl of StyleGAN2-ADA, StyleGAN3, R3GAN; .pth of BigGAN."),
    ],
    to: Annotated[Path, typer.Option(help="New folder for the model.")],
    data: Annotated[
        str | None, typer.Option(help="Pictures that it learned from, for `zerosum evaluate`.")
    ] = None,
) -> None:
    """Write official weights as a model folder. Nothing in their file is run.

    Example: zerosum import network-snapshot.pkl --to model
    """
    from zerosum.pipelines.importing import import_official

    done = import_official(file, to, data)
    networks = done.networks
    size, classes = "x".join(map(str, networks.settings["size"])), networks.settings["classes"]
    told = f"{classes} classes" if classes else "no classes"
    print(f"{file.name}: {networks.title}, {size}, {told}")
    if not networks.averaged:
        print("it has no averaged generator (G_ema): this is the last one")
    if networks.discriminator is None:
        print("it has no discriminator: whoever trains on begins with a new one")
    print(f"licence of the weights: {networks.licence}")
    for path in done.files:
        print(f"{path}  {path.stat().st_size / 2**20:.2f} MiB")
    suffix = type(done.recipe.data).codec.suffixes[0]
    print(f"next       zerosum generate {shlex.quote(str(to))} -n 64 --out samples{suffix}")
