"""`zerosum generate`: samples of a trained model, as pictures or arrays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


def generate(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="How many samples.")] = 64,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.")] = 0,
    labels: Annotated[
        str | None,
        typer.Option(help="Classes by number or name, such as 3 or 0,1,2, repeated in order."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(help="DIR for single pictures, FILE.png for a sheet, FILE.npz for arrays."),
    ] = Path("samples.png"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
) -> None:
    """Draw samples of a trained model.

    Example: zerosum generate runs/demo -n 100 --seed 1 --out digits.png
    """
    from zerosum.errors import UserError
    from zerosum.pipelines.generate import Generator

    if out.suffix not in ("", ".png", ".npz"):
        raise UserError(f"{out} is of no known kind: name a folder, a .png or a .npz file")
    generator = Generator.load(run, device=device, module=module)
    condition = {} if labels is None else {"label": _labels(labels, n, generator.class_names)}
    samples = generator.draw(n, seed=seed, **condition)
    _write(samples, out)
    print(f"{n} samples written to {out}")


def _labels(text: str, n: int, names: list[str]) -> list[int]:
    """n labels of a text such as `0,1,2` or `trouser,bag`, repeated in order."""
    from zerosum.errors import UserError, nearest

    values: list[int] = []
    for word in (word.strip() for word in text.split(",")):
        if word.lstrip("-").isdecimal():
            values.append(int(word))
        elif word in names:
            values.append(names.index(word))
        else:
            hint = nearest(word, names) if names else "write class numbers such as 3 or 0,1,2"
            raise UserError(f"--labels {text}: there is no class '{word}': {hint}")
    return [values[i % len(values)] for i in range(n)]


def _write(samples: Mapping[str, Tensor], out: Path) -> None:
    """Write samples as a folder of pictures, a sheet or arrays."""
    import numpy as np

    from zerosum.codecs.image import to_array, to_pictures
    from zerosum.core.files import atomic
    from zerosum.core.sheets import draw_sheet
    from zerosum.errors import UserError

    labels: dict[str, Any] = {"labels": samples["label"].numpy()} if "label" in samples else {}
    if out.suffix == ".npz":
        if "image" in samples:
            arrays = {"images": to_array(samples["image"])}
        else:
            arrays = {"samples": next(iter(samples.values())).float().numpy()}
        with atomic(out) as partial:
            np.savez_compressed(partial, **arrays, **labels)
    elif out.suffix == ".png":
        columns = min(len(next(iter(samples.values()))), 10)
        draw_sheet(out, samples, {}, {}, columns=columns)
    else:
        if "image" not in samples:
            raise UserError("these samples are no images: write them to a .npz or .png file")
        pictures = to_pictures(samples["image"])
        if out.exists() and any(out.iterdir()):
            raise UserError(f"{out} is not empty: name another folder with --out")
        digits = len(str(len(pictures) - 1))
        for i, picture in enumerate(pictures):
            label = f"_class{int(labels['labels'][i])}" if labels else ""
            with atomic(out / f"{i:0{digits}d}{label}.png") as partial:
                picture.save(partial)
