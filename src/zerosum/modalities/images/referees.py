"""Small networks that learn from real pictures what is in them, to judge generated ones.

A referee learns from the training part alone, under a fixed seed, and judges held-out pictures
and generated ones alike: what it says of real ones is the ceiling.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate, l1_loss

from zerosum.data.fields import Batch
from zerosum.data.source import Source
from zerosum.errors import UserError
from zerosum.metrics.registry import Metric, Taken
from zerosum.metrics.score import Score, around, wilson
from zerosum.metrics.sets import Sets
from zerosum.modalities.images.faces import GROUPS, middle

STEPS = 400
"""Steps of Adam that a referee learns for."""
BATCH = 8
RATE = 2e-3
YEARS = 50.0
"""Ages are learned in this unit, so that they weigh about as much as an identity's numbers."""
MOST = 4_000
"""Training pictures that a referee learns from, at most."""

Loss = Callable[[Tensor, Tensor], Tensor]


class Segmenter(nn.Module):
    """A small U-Net: pictures (B, channels, H, W) to class scores (B, classes, H, W)."""

    def __init__(self, channels: int, classes: int, width: int = 16, levels: int = 3) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(levels)]
        self.down = nn.ModuleList(
            _double(before, after) for before, after in zip([channels, *widths], widths)
        )
        self.up = nn.ModuleList(
            _double(low + high, high) for low, high in zip(widths[:0:-1], widths[-2::-1])
        )
        self.last = nn.Conv2d(width, classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        kept, maps = [], pictures
        for number, block in enumerate(self.down):
            maps = block(nn.functional.avg_pool2d(maps, 2) if number else maps)
            kept.append(maps)
        kept.pop()
        for block in self.up:
            beside = kept.pop()
            maps = block(torch.cat([interpolate(maps, beside.shape[2:]), beside], dim=1))
        return self.last(maps)


class Recogniser(nn.Sequential):
    """A small convolutional network: pictures (B, channels, H, W) to numbers (B, answers)."""

    def __init__(
        self, channels: int, answers: int, size: tuple[int, int], width: int = 32
    ) -> None:
        halvings = max(1, min(3, int(math.log2(min(size) / 4)))) if min(size) >= 8 else 1
        layers: list[nn.Module] = []
        now = channels
        for level in range(halvings):
            layers += [_double(now, width * 2**level), nn.MaxPool2d(2)]
            now = width * 2**level
        super().__init__(
            *layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * now, answers)
        )


def _double(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for given in (before, after):
        layers += [nn.Conv2d(given, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)


def taught(
    make: Callable[[], nn.Module],
    pictures: Tensor,
    targets: Tensor,
    loss: Loss = cross_entropy,
    *,
    steps: int | None = None,
    seed: int = 0,
    flip: bool = False,
) -> nn.Module:
    """A network that has learned targets from pictures; the same for the same seed.

    Args:
        make: Builds the network.
        pictures: (N, C, H, W) in [-1, 1].
        targets: (N, ...) that the loss compares its answers with.
        loss: Of answers and targets.
        steps: Of Adam, whose rate falls to 0; `STEPS` where None.
        seed: Of weights and order.
        flip: Mirror half of the pictures, and targets (N, H, W) with them.
    """
    steps = STEPS if steps is None else steps
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        network = make().train()
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
        falling = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
        for _ in range(steps):
            rows = torch.randint(len(pictures), (min(BATCH, len(pictures)),))
            x, y = pictures[rows], targets[rows]
            if flip and torch.rand(()) < 0.5:
                x, y = x.flip(-1), y.flip(-1)
            optimizer.zero_grad()
            loss(network(x), y).backward()
            optimizer.step()
            falling.step()
    return network.eval().requires_grad_(False)


@torch.no_grad()
def answers(network: nn.Module, pictures: Tensor) -> Tensor:
    """What a referee says of pictures (N, C, H, W)."""
    return torch.cat([network(part.float().cpu()) for part in pictures.split(64)])


_KEPT: dict[str, nn.Module] = {}
"""The last referees, so that several runs on the same data are judged by the same one, once."""


def kept(
    kind: str, pictures: Tensor, targets: Tensor, teach: Callable[[], nn.Module]
) -> nn.Module:
    """The referee of some data, taught when it is first asked for."""
    digest = hashlib.sha256(kind.encode())
    for tensor in (pictures, targets):
        digest.update(tensor.contiguous().numpy().tobytes())
    if digest.hexdigest() not in _KEPT:
        if len(_KEPT) > 3:
            _KEPT.pop(next(iter(_KEPT)))
        _KEPT[digest.hexdigest()] = teach()
    return _KEPT[digest.hexdigest()]


def training_part(sets: Sets) -> Batch:
    """What a referee learns from: the training part, or as much of it as is known."""
    if isinstance(sets.learned, Source):
        return sets.learned.some(MOST)
    return sets.real.examples


def label_accuracy(sets: Sets) -> list[Taken]:
    """Share of the pixels of generated photos that a segmenter finds to be of their label.

    `label-accuracy-real` is the same of the true photos: the ceiling. Intervals are over pictures.
    """
    truth, fake = sets.answers().examples, sets.fake.examples
    if truth["input"].ndim != 3:
        raise UserError("label-accuracy needs label maps as inputs: it is for spade and its kin")
    train = training_part(sets)
    labels = train["input"].long()
    classes = 1 + max(int(labels.max()), int(truth["input"].max()))
    channels = train["image"].shape[1]
    referee = kept(
        f"segmenter {classes}",
        train["image"],
        labels,
        lambda: taught(lambda: Segmenter(channels, classes), train["image"], labels, flip=True),
    )

    def score(pictures: Tensor) -> Score:
        found = answers(referee, pictures).argmax(1) == truth["input"].long().cpu()
        return over_pictures(found.double().flatten(1).mean(1), len(labels))

    facts = {"segmenter": "U-Net", "steps": STEPS, "taught by": len(labels)}
    return [
        ("label-accuracy", score(fake["image"]), facts),
        ("label-accuracy-real", score(truth["image"]), facts),
    ]


def domain_accuracy(sets: Sets) -> list[Taken]:
    """Share of restyled pictures that a classifier finds to be of their target domain.

    `domain-accuracy-real` is the same of held-out pictures and their own domains: the ceiling.
    """
    fake, train = sets.fake.examples, training_part(sets)
    if not {"input", "origin"} <= set(train):
        raise UserError("domain-accuracy needs pictures of several domains: leave it out")
    count = 1 + max(int(train["origin"].max()), int(fake["domain"].max()))
    pictures, own = train["input"], train["origin"]
    channels, size = pictures.shape[1], (pictures.shape[2], pictures.shape[3])
    referee = kept(
        f"domains {count}",
        pictures,
        own,
        lambda: taught(lambda: Recogniser(channels, count, size), pictures, own),
    )

    def score(shown: Tensor, wanted: Tensor) -> Score:
        share = float((answers(referee, shown).argmax(1) == wanted.cpu()).double().mean())
        interval = wilson(share, len(shown))
        return Score(value=share, interval=interval, n_real=len(own), n_fake=len(shown))

    facts = {"classifier": "convolutional", "steps": STEPS, "taught by": len(own)}
    found = [("domain-accuracy", score(fake["image"], fake["domain"]), facts)]
    if sets.held_out is not None:
        real = sets.held_out.examples
        found.append(("domain-accuracy-real", score(real["input"], real["origin"]), facts))
    return found


def aging(sets: Sets) -> list[Taken]:
    """How old edited faces look and whose they are, for pictures of known age and identity.

    `age-error` is the mean distance, in years, of the age that a regressor reads off an edited
    face from the one in the middle of its target group; `identity-error` that of the identity's
    numbers, in [0, 1], from the true ones. Both beside those of the true faces (`-real`).
    """
    truth, fake, train = sets.answers().examples, sets.fake.examples, training_part(sets)
    if not {"age", "identity"} <= set(train):
        raise UserError("aging needs faces of known age and identity (data.path=faces)")
    targets = torch.cat([train["age"][:, None] / YEARS, train["identity"]], dim=1)
    pictures = train["input"]
    channels, size = pictures.shape[1], (pictures.shape[2], pictures.shape[3])
    referee = kept(
        "aging",
        pictures,
        targets,
        lambda: taught(
            lambda: Recogniser(channels, targets.shape[1], size), pictures, targets, l1_loss
        ),
    )
    middles = torch.tensor([middle(group) for group in range(len(GROUPS))])
    facts = {"regressor": "convolutional", "steps": STEPS, "taught by": len(targets)}
    found: list[Taken] = []
    for word, shown in (("", fake["image"]), ("-real", truth["image"])):
        told = answers(referee, shown)
        years = (YEARS * told[:, 0] - middles[fake["domain"].cpu()]).abs()
        apart = (told[:, 1:] - truth["identity"]).abs().mean(1)
        found.append((f"age-error{word}", over_pictures(years.double(), len(targets)), facts))
        found.append((f"identity-error{word}", over_pictures(apart.double(), len(targets)), facts))
    return found


def over_pictures(values: Tensor, n_real: int) -> Score:
    """The mean of one value per picture (N,), with a normal interval."""
    n, mean = len(values), float(values.mean())
    interval = around(mean, float(values.var()) / n) if n > 1 else None
    return Score(value=mean, interval=interval, n_real=n_real, n_fake=n)


REFEREED: Mapping[str, Metric] = {
    "label-accuracy": Metric(
        label_accuracy,
        {"label-accuracy": "higher"},
        ceiling=False,
        takes="examples",
        needs=("image", "input"),
        paired=True,
    ),
    "domain-accuracy": Metric(
        domain_accuracy,
        {"domain-accuracy": "higher"},
        ceiling=False,
        takes="examples",
        needs=("image", "domain"),
    ),
    "aging": Metric(
        aging,
        {"age-error": "lower", "identity-error": "lower"},
        ceiling=False,
        takes="examples",
        needs=("image", "domain"),
        paired=True,
    ),
}
"""Metrics that a network judges which has learned from the training part."""
