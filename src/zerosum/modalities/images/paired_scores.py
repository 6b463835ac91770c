"""Scores of answers beside the true ones, and honest answers that need no network.

An answer that is near the truth pixel by pixel may be blurred, and one that looks real may be far
from it: read these beside a distance of distributions, such as `kd` on features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from zerosum.data.fields import Batch
from zerosum.errors import UserError
from zerosum.metrics.registry import Better, Metric, Taken
from zerosum.metrics.score import Score
from zerosum.metrics.sets import Sets
from zerosum.metrics.similarity import WINDOW, ms_ssim

RESAMPLES = 2000
"""Resamples of a bootstrap."""
SEED = 0
"""Of the bootstrap."""


def paired_l1(*, real: Tensor, fake: Tensor) -> Score:
    """Mean absolute difference of pixels on the scale 0..1, 0 for equal pictures.

    Args:
        real: True answers (N, C, H, W) in [-1, 1].
        fake: Answers to the same inputs in the same order.

    Returns:
        The mean, with a 95 % bootstrap interval over the pictures.

    Raises:
        UserError: The two differ in shape, or there are none.
    """
    return _over_pictures(_difference(real, fake).abs().flatten(1).mean(1), 0.0)


def paired_psnr(*, real: Tensor, fake: Tensor) -> Score:
    """Mean over pictures of 10 log10(1 / mean squared error) on the scale 0..1, in decibels.

    Infinite where a picture is met exactly; such a mean has no interval. Arguments as for
    `paired_l1`.
    """
    squared = _difference(real, fake).square().flatten(1).mean(1)
    return _over_pictures(-10 * squared.log10())


def paired_ssim(*, real: Tensor, fake: Tensor) -> Score:
    """Mean structural similarity (Wang et al. 2004), 1 for equal pictures.

    Arguments as for `paired_l1`.

    Raises:
        UserError: Also where pictures are smaller than its window of 11 pixels.
    """
    _difference(real, fake)
    if min(real.shape[2:]) < WINDOW:
        raise UserError(
            f"ssim needs pictures of {WINDOW} pixels and these have {min(real.shape[2:])}: "
            "leave it out"
        )
    parts = zip(real.split(64), fake.split(64))
    found = torch.cat([ms_ssim(a.cpu(), b.cpu(), peak=2.0, scales=1) for a, b in parts])
    return _over_pictures(found)


def paired_perceptual(*, real: Tensor, fake: Tensor) -> Score:
    """Mean distance of a classifier's layers, as LPIPS without its weights, 0 for equal pictures.

    See `perceptual.perceptual_distances`. Arguments as for `paired_l1`.

    Raises:
        UserError: Also where the classifier's weights are not here.
    """
    from zerosum.modalities.images.perceptual import perceptual_distances

    _difference(real, fake)
    return _over_pictures(perceptual_distances(real, fake), 0.0)


def paired_iou(*, real: Tensor, fake: Tensor) -> Score:
    """Mean intersection over union of the light pixels, those above the middle grey, 1 for equal.

    For glyphs and masks. A pixel is light where the mean of its channels is; two pictures without
    a light pixel are equal. Arguments as for `paired_l1`.
    """
    _difference(real, fake)
    ours, theirs = ((one.detach().cpu().float().mean(1) > 0).flatten(1) for one in (fake, real))
    both, either = (ours & theirs).sum(1), (ours | theirs).sum(1)
    return _over_pictures(torch.where(either > 0, both / either.clamp(min=1), 1.0), 0.0)


def colourfulness(pictures: Tensor) -> Tensor:
    """How colourful pictures are, (N,): 0 for greys, 15 slightly, 45 quite, 109 extremely.

    Hasler and Suesstrunk 2003, "Measuring colourfulness in natural images": M^(3), on the scale
    0..255.

    Args:
        pictures: (N, C, H, W) in [-1, 1], grey or RGB; an alpha channel is left out.
    """
    if pictures.shape[1] < 3:
        return torch.zeros(len(pictures), dtype=torch.float64)
    red, green, blue = (pictures[:, :3].detach().cpu().double() * 127.5).flatten(2).unbind(1)
    opponents = torch.stack([red - green, (red + green) / 2 - blue])
    spread, mean = opponents.std(2, correction=0), opponents.mean(2)
    return spread.norm(dim=0) + 0.3 * mean.norm(dim=0)


def paired_colourfulness(*, real: Tensor, fake: Tensor) -> Score:
    """Mean absolute difference of the colourfulness of answers and true ones, 0 for equal
    pictures.

    Arguments as for `paired_l1`.
    """
    _difference(real, fake)
    return _over_pictures((colourfulness(fake) - colourfulness(real)).abs(), 0.0)


def _difference(real: Tensor, fake: Tensor) -> Tensor:
    """Differences (N, C, H, W) on the scale 0..1, float64 on the CPU."""
    if real.shape != fake.shape:
        raise UserError(
            f"answers {tuple(fake.shape)} and true ones {tuple(real.shape)} differ in shape: "
            "give as many of both, in one order"
        )
    if not len(real):
        raise UserError("there are no answers to compare")
    return (fake.detach().cpu().double() - real.detach().cpu().double()) / 2


def _over_pictures(values: Tensor, floor: float = -math.inf) -> Score:
    """The mean of one value per picture (N,), with a percentile interval of the bootstrap."""
    values = values.double().cpu()
    n, interval = len(values), None
    if n > 1 and bool(values.isfinite().all()):
        rng = torch.Generator().manual_seed(SEED)
        picked = torch.randint(n, (RESAMPLES, n), generator=rng)
        means = values[picked].mean(1)
        low, high = means.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
        interval = (low, high)
    return Score(value=float(values.mean()), interval=interval, n_real=n, n_fake=n, floor=floor)


def _paired(name: str, score: Callable[..., Score], better: Better) -> Metric:
    def run(sets: Sets) -> list[Taken]:
        real, fake = sets.answers().examples["image"], sets.fake.examples["image"]
        return [(name, score(real=real, fake=fake), {"bootstrap": RESAMPLES})]

    return Metric(run, better, ceiling=False, takes="examples", needs=("image",), paired=True)


def _cycle(sets: Sets) -> list[Taken]:
    """How far pictures are from themselves, there and back, as `paired_l1` (0..1)."""
    score = paired_l1(real=sets.fake.examples["input"], fake=sets.returned())
    return [("cycle", score, {"bootstrap": RESAMPLES})]


PAIRED_METRICS: Mapping[str, Metric] = {
    "l1": _paired("l1", paired_l1, "lower"),
    "psnr": _paired("psnr", paired_psnr, "higher"),
    "ssim": _paired("ssim", paired_ssim, "higher"),
    "perceptual": _paired("perceptual", paired_perceptual, "lower"),
    "iou": _paired("iou", paired_iou, "higher"),
    "colourfulness": _paired("colourfulness", paired_colourfulness, "lower"),
}
"""Metrics that need the true answer to each input."""
RETURN_METRICS: Mapping[str, Metric] = {
    "cycle": Metric(
        _cycle, "lower", ceiling=False, takes="examples", needs=("input",), of_return=True
    ),
}
"""Metrics that need the way back of each answer."""


@dataclass(frozen=True)
class Dilation:
    """Grey dilation by a flat structuring element: each pixel becomes the lightest around it.

    Attributes:
        name: Of the element, such as `cross 3x3`.
        footprint: The element, bool (h, w).
        error: Mean absolute difference on the pairs it was chosen by, on the scale 0..1.
    """

    name: str
    footprint: NDArray[np.bool_]
    error: float = math.nan

    def __call__(self, pictures: Tensor) -> Tensor:
        """Pictures (N, C, H, W), uint8 or float, dilated."""
        from scipy.ndimage import grey_dilation

        values = pictures.cpu().numpy()
        grown = grey_dilation(values, footprint=self.footprint[None, None], mode="nearest")
        return torch.from_numpy(np.asarray(grown)).to(pictures.dtype)


def dilations() -> list[Dilation]:
    """The elements that are tried: nothing, squares of 2 to 5, and discs."""
    found = [Dilation("nothing", np.ones((1, 1), dtype=bool))]
    found += [
        Dilation(f"square {side}x{side}", np.ones((side, side), bool)) for side in (2, 3, 4, 5)
    ]
    for reach, radius in ((1, 1.0), (2, 2.0), (2, 2.3), (3, 3.0)):
        across = np.arange(-reach, reach + 1)
        disc = across[:, None] ** 2 + across**2 <= radius**2
        found.append(Dilation(f"disc of radius {radius:g}", disc))
    return found


def best_dilation(train: Batch) -> Dilation:
    """The dilation that is nearest to the true answers of training pairs, by mean difference.

    Args:
        train: Finished pairs, `input` and `image` (N, C, H, W) with as many channels.

    Raises:
        UserError: Input and answer differ in channels.
    """
    given, truth = train["input"], train["image"]
    if given.shape != truth.shape:
        raise UserError("a dilation changes no channels: input and answer differ in theirs")
    tried = [
        Dilation(one.name, one.footprint, float((one(given) - truth.cpu()).abs().mean()) / 2)
        for one in dilations()
    ]
    return min(tried, key=lambda one: one.error)


def enlarged(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (N, C, h, w) in [-1, 1] brought to (height, width) by bicubic interpolation with
    a = -0.5, which is what super-resolution is compared with."""
    # Without antialiasing torch takes a = -0.75.
    return interpolate(pictures, size, mode="bicubic", antialias=True).clamp(-1, 1)


def filled_holes(pictures: Tensor) -> Tensor:
    """Grey pictures (N, 1, H, W) in [-1, 1] with dark regions that light ones surround made
    light, as closed outlines are filled."""
    from scipy.ndimage import binary_fill_holes

    light = (pictures > 0).cpu().numpy()
    filled = np.stack([np.asarray(binary_fill_holes(one[0])) for one in light])[:, None]
    return torch.where(torch.from_numpy(filled), pictures.clamp(min=1.0), pictures)


def matched_histograms(pictures: Tensor, like: Tensor) -> Tensor:
    """Pictures (N, C, H, W) whose values, channel by channel over all of them, have the law of
    others (M, C, H, W): each value becomes that of the same rank."""
    answers = []
    for one, other in zip(pictures.transpose(0, 1), like.transpose(0, 1)):
        order = one.flatten().double().argsort(stable=True)
        sorted_other = other.flatten().double().sort().values
        place = torch.linspace(0, len(sorted_other) - 1, len(order)).round().long()
        answer = torch.empty(len(order), dtype=torch.float64)
        answer[order] = sorted_other[place]
        answers.append(answer.view(one.shape).to(pictures))
    return torch.stack(answers, dim=1)


def baselines(train: Batch, given: Tensor, *, paired: bool = True) -> dict[str, Tensor]:
    """Answers (N, C, H, W) of methods that are no network, by name.

    Args:
        train: Finished training examples.
        given: Inputs to answer, (N, C, H, W).
        paired: Whether the training examples are pairs that a method may learn from.

    Returns:
        The input copied, its channels made those of answers; for grey pictures of both kinds also
        the best dilation of pairs, or, without pairs, holes filled; and without pairs
        the histogram of the other kind. Where answers are larger than inputs, the input enlarged.
    """
    wanted = train["image"].shape[1]
    if given.shape[2:] != train["image"].shape[2:]:
        return {"bicubic": enlarged(given, (train["image"].shape[2], train["image"].shape[3]))}
    copied = given
    if given.shape[1] != wanted:
        grey = given.float().mean(1, keepdim=True)
        copied = grey.expand(-1, wanted, -1, -1)
    found = {"the input copied": copied}
    if not paired:
        found["histogram matched"] = matched_histograms(copied, train["image"])
        if given.shape[1] == wanted == 1:
            found["holes filled"] = filled_holes(given)
        return found
    if given.shape[1] == wanted == 1:
        best = best_dilation(train)
        found[f"dilation ({best.name})"] = best(given)
    return found


def baselines_of_domains(train: Batch, given: Tensor, domain: Tensor) -> dict[str, Tensor]:
    """Answers (N, C, H, W) in domains (N,) of methods that are no network, by name.

    Args:
        train: Finished training examples, pictures `input` of domains `origin`.
        given: Inputs to answer, (N, C, H, W).
        domain: The domain that each is to be brought to.

    Returns:
        The input copied; its histogram made that of its domain; and a training picture of the
        domain, whatever the input is: a translator whose answers are no nearer to the truth than
        those has not looked at what it was given.
    """
    matched, others = given.clone(), given.clone()
    for one in domain.unique():
        asked, known = domain == one, train["input"][train["origin"] == one]
        if len(known) == 0:
            continue  # so rare a domain that none of it is among these: its inputs stay
        matched[asked] = matched_histograms(given[asked], known)
        others[asked] = known[torch.arange(int(asked.sum())) % len(known)].to(others)
    return {
        "the input copied": given,
        "histogram matched": matched,
        "another picture": others,
    }
