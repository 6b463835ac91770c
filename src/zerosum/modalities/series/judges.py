"""Small recurrent networks that judge: can they tell series apart, or foretell the next step?

Yoon, Jarrett and van der Schaar 2019, "Time-series Generative Adversarial Networks", section 5.1.
Unlike theirs, real series for the test come from the held-out part: windows of one series overlap,
and a random split of them leaks. Steps that are NaN, behind the end of a shorter series, are not
looked at.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss

from zerosum.nets.recurrent import Recurrent

STEPS = 300
"""Updates of a judge."""
BATCH = 128
MOST = 2_000
"""Series of each kind that a judge sees."""


def discriminative(real: Tensor, fake: Tensor, held: Tensor, seed: int) -> float:
    """|accuracy - 1/2| of a judge of real (N, T, C) and generated series; 0 is best, 1/2 worst.

    It learns from the real ones and four fifths of the generated ones, and is tested on held-out
    real ones and on the other generated ones, each kind counting half.
    """
    real, held = _few(real, seed), _few(held, seed)
    fake = _few(fake, seed)
    cut = max(1, min(len(fake) - 1, len(fake) * 4 // 5))
    series = torch.cat([real, fake[:cut]])
    truth = torch.cat([torch.ones(len(real)), torch.zeros(cut)])
    # Each kind weighs the same, however many there are of it.
    weight = torch.where(truth > 0, 0.5 / len(real), 0.5 / cut) * len(series)

    def loss(judge: nn.Module, rows: Tensor) -> Tensor:
        logits = _last(judge, series[rows])
        return binary_cross_entropy_with_logits(logits, truth[rows], weight[rows])

    judge = _trained(series.shape[2], 1, loss, len(series), seed)
    with torch.no_grad():
        right = (_last(judge, held) > 0).float().mean()
        wrong = (_last(judge, fake[cut:]) <= 0).float().mean()
    return abs(float(right + wrong) / 2 - 0.5)


def predictive(learned: Tensor, held: Tensor, seed: int) -> float:
    """Mean absolute error of the next step of held-out series (N, T, C), over all channels, by a
    judge that learned from other ones."""
    learned, held = _few(learned, seed), _few(held, seed)

    def loss(judge: nn.Module, rows: Tensor) -> Tensor:
        return _foretold(judge, learned[rows])

    channels = learned.shape[2]
    judge = _trained(channels, channels, loss, len(learned), seed)
    with torch.no_grad():
        return float(_foretold(judge, held))


def _last(judge: nn.Module, series: Tensor) -> Tensor:
    """What a judge says (N,) at the last step of each series."""
    there = series.isfinite().all(2)
    said = judge(series.nan_to_num())[:, :, 0]
    return said.gather(1, there.sum(1, keepdim=True) - 1)[:, 0]


def _foretold(judge: nn.Module, series: Tensor) -> Tensor:
    """The mean absolute error of the next steps that a judge foretells."""
    there = series[:, 1:].isfinite()
    return l1_loss(judge(series[:, :-1].nan_to_num())[there], series[:, 1:][there])


def _few(series: Tensor, seed: int) -> Tensor:
    """At most `MOST` of the series, in an order of the seed."""
    order = torch.randperm(len(series), generator=torch.Generator().manual_seed(seed))
    return series[order[:MOST]]


def _trained(
    channels: int,
    after: int,
    loss: Callable[[nn.Module, Tensor], Tensor],
    count: int,
    seed: int,
) -> nn.Module:
    """A judge after `STEPS` updates on random rows; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Recurrent(channels, after, width=max(8, channels // 2), layers=2)
        adam = torch.optim.Adam(judge.parameters(), lr=5e-3)
        for _ in range(STEPS):
            adam.zero_grad()
            loss(judge, torch.randint(count, (min(BATCH, count),))).backward()
            adam.step()
    return judge.eval()
