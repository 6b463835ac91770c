"""Make the page of a study, and the key that says what was shown."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from zerosum.data.fields import Batch
from zerosum.data.source import Source
from zerosum.errors import UserError
from zerosum.files import disk_errors, must_be_empty, write_text
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.page import data_address, template
from zerosum.pipelines.study.score import ANSWERS, KEY

Kind = Literal["real", "generated", "check"]
PAGE = Path("page") / "index.html"
SIDE = 256
"""Images are enlarged by whole factors up to about so many pixels."""


@dataclass(frozen=True)
class Trial:
    """One image of a study.

    Attributes:
        name: What the page calls it; it says nothing about the kind.
        kind: What it is. A check is noise, which nobody who looks takes for real.
        picture: The image.
    """

    name: str
    kind: Kind
    picture: Image.Image


def make(
    run: str | Path,
    out: str | Path,
    *,
    real: str | None = None,
    images: int = 50,
    checks: int = 4,
    milliseconds: int = 0,
    seed: int = 0,
    module: str | None = None,
) -> Path:
    """Write a study: `page/index.html` to be shown to people, and `key.json` to be kept.

    Args:
        run: Folder of a run or of an exported model.
        out: Folder of the study; must not hold one already.
        real: Folder, archive or named set of real images; the held-out images of the run when
            None, so that nobody sees a training image.
        images: Real images, and as many generated ones.
        checks: Attention checks.
        milliseconds: How long an image is shown; 0 until the answer (HYPE-infinity).
        seed: Of the choice of real images and of the samples.
        module: Module or file of an outside model.

    Returns:
        The page.

    Raises:
        UserError: Too few images, samples that are no images, or a folder that is in use.
    """
    folder = Path(out)
    if (folder / KEY).exists():
        raise UserError(f"{folder} holds a study, whose answers would be lost: give another --out")
    if not folder.is_dir():
        must_be_empty(folder)
    if images < 1 or checks < 0 or milliseconds < 0:
        raise UserError("a study needs at least one image of each kind, and no negative numbers")
    generator = Generator.load(run, module=module)
    fake = generator.draw(images, seed=seed)
    found = _real(generator, real, images, seed)
    trials = _trials(generator, fake, found, checks, seed)
    number = secrets.token_hex(8)
    key = {
        "study": number,
        "run": str(run),
        "milliseconds": milliseconds,
        "seed": seed,
        "trials": {trial.name: trial.kind for trial in trials},
    }
    text = template("zerosum.pipelines.study").render(
        study=number,
        milliseconds=milliseconds,
        trials=[{"name": trial.name, "source": _address(trial.picture)} for trial in trials],
    )
    with disk_errors(folder, "nothing was written"):
        (folder / PAGE).parent.mkdir(parents=True, exist_ok=True)
        (folder / ANSWERS).mkdir(exist_ok=True)
    write_text(folder / PAGE, text)
    write_text(folder / KEY, json.dumps(key, indent=1) + "\n")
    return folder / PAGE


def _real(generator: Generator, named: str | None, count: int, seed: int) -> Batch:
    """Real examples, prepared as the training ones were."""
    config = generator.recipe.data
    split = (config if named is None else config.at(named)).open(generator.codec)
    source = split.heldout if named is None and split.heldout is not None else split.train
    noun = generator.modality.noun
    if not isinstance(source, Source) or len(source) < count:
        have = len(source) if isinstance(source, Source) else "a stream of"
        raise UserError(
            f"there are {have} real {noun} and {count} are wanted: give --real with more, or "
            "a smaller --images"
        )
    return source.some(count, seed)


def _trials(generator: Generator, fake: Batch, real: Batch, checks: int, seed: int) -> list[Trial]:
    """All trials, in an order that says nothing; the page shuffles them again for each rater."""
    kinds: list[tuple[Kind, Batch]] = [("real", real), ("generated", fake)]
    if checks:
        kinds.append(("check", generator.modality.nonsense(real, generator.codec, checks, seed)))
    made = [
        Trial(secrets.token_hex(6), kind, picture)
        for kind, batch in kinds
        for picture in generator.modality.shown_alone(batch, generator.codec)
    ]
    return sorted(made, key=lambda trial: trial.name)


def _address(picture: Image.Image) -> str:
    """The picture, enlarged without smoothing, as a data address without a trace of its origin."""
    factor = max(1, SIDE // max(picture.size))
    plain = Image.fromarray(np.asarray(picture.convert("RGB")))
    large = plain.resize((plain.width * factor, plain.height * factor), Image.Resampling.NEAREST)
    return data_address(large)
