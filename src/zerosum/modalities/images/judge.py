"""How sets of pictures are compared: rows, features, metrics of their own, faults of data."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from zerosum import metrics
from zerosum.data.fields import Batch
from zerosum.errors import UserError
from zerosum.metrics.features import Features, Outputs
from zerosum.metrics.registry import Metric, Taken
from zerosum.metrics.sets import Sets
from zerosum.metrics.similarity import WEIGHTS, WINDOW
from zerosum.modalities.images.extractors import Extractor, extractor, lite0_available
from zerosum.modalities.images.extractors.classifiers import SETS, weights_file
from zerosum.modalities.images.extractors.simple import WIDEST
from zerosum.modalities.images.pictures import to_uint8
from zerosum.modalities.modality import Fault

SIDE = 32
"""Pictures are brought down to this side before they are compared by pixels in passing."""
SPAN = 0.5
"""Least distance of the darkest and the lightest value of pictures, of 2."""


def pixel_rows(images: Tensor) -> Tensor:
    """Rows (N, d), float32 on the CPU, of images (N, C, H, W), made small where they are large."""
    if max(images.shape[2:]) > SIDE:
        height, width = images.shape[2:]
        factor = SIDE / max(height, width)
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        images = torch.nn.functional.adaptive_avg_pool2d(images.float(), size)
    return images.detach().flatten(1).float().cpu()


def chosen_features(name: str | Extractor | None, real: Batch, title: str) -> Features:
    """The extractor of a name, or the one that suits some images best among those here.

    Raises:
        UserError: There is none of that name, or its weights are missing.
    """
    why = ""
    if isinstance(name, Extractor):
        return wrapped(name)
    if name is None:
        name, why = _suited(real["image"], title)
    return wrapped(extractor(name), why)


def wrapped(chosen: Extractor, why: str = "") -> Features:
    """An extractor of images as features of batches, on pictures as their files give them."""

    def take(batch: Mapping[str, Tensor]) -> Outputs:
        stored = to_uint8(batch["image"])  # rounded to 8 bits, as files are
        return chosen.to(stored.device).outputs(stored.to(torch.float32).div_(127.5).sub_(1))

    return Features(
        chosen.name, take, chosen.weight_hash, chosen.filter, why, raw=chosen.name == "pixels"
    )


def _suited(images: Tensor, title: str) -> tuple[str, str]:
    if title in SETS and weights_file(title).is_file():
        return f"cnn-{title}", f"for the data are {title}"
    if lite0_available():
        return "efficientnet-lite0", "for its weights are here"
    if images[0].numel() <= WIDEST:
        return "pixels", "for no weights of efficientnet-lite0 are here (ZEROSUM_WEIGHTS)"
    return "random-conv", "for no weights are here and the pixels are too many"


def span_faults(images: Tensor) -> list[Fault]:
    """Whether finished images (N, C, H, W) use too little of their range."""
    low, high = images.min().item(), images.max().item()
    if high - low >= SPAN:
        return []
    evidence = (
        f"the values of {len(images):,} pictures lie between {low:.3f} and {high:.3f}, where "
        "-1 is black and 1 is white"
    )
    remedy = (
        "They were probably stored as 0 .. 1 in bytes, or under-exposed: write the set again "
        "with values from 0 to 255"
    )
    return [Fault("span", high - low, SPAN, evidence, remedy)]


def _stored(sets: Sets) -> tuple[Tensor, Tensor]:
    """Real and fake images with values from 0 to 255, float32."""
    real, fake = sets.real.examples["image"], sets.fake.examples["image"]
    return to_uint8(real).float(), to_uint8(fake).float()


def _ms_ssim(sets: Sets) -> list[Taken]:
    _, fake = _stored(sets)
    side = min(fake.shape[2:])
    if side < WINDOW:
        raise UserError(
            f"ms-ssim needs images of {WINDOW} pixels and these have {side}: leave it out"
        )
    scales = min(len(WEIGHTS), 1 + int(math.log2(side / WINDOW)))
    score = metrics.ms_ssim_variety(fake=fake, peak=255.0, scales=scales, rng=sets.rng)
    return [("ms-ssim", score, {"pairs": 1000, "scales": scales})]


def _spectrum(sets: Sets) -> list[Taken]:
    real, fake = _stored(sets)
    score = metrics.spectrum_distance(real=real, fake=fake, quiet=1 / 12)
    return [("spectrum", score, {"quiet": "rounding to bytes"})]


METRICS: Mapping[str, Metric] = {
    "ms-ssim": Metric(_ms_ssim, "lower", takes="examples", needs=("image",)),
    "spectrum": Metric(_spectrum, "lower", takes="examples", needs=("image",)),
}
"""Metrics on the pictures themselves."""
