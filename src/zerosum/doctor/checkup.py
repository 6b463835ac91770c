"""One look at a game: every signal that can be had at this point of a run, by name."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.augment.diffaugment import DiffAugment
from zerosum.core.draw import draw, given_inputs
from zerosum.core.game import Game
from zerosum.data.fields import Batch, Category, size_of
from zerosum.data.source import Source, Split
from zerosum.doctor import signals as of
from zerosum.doctor.probe import critic_logits, tangents, undisturbed
from zerosum.modalities.modality import Modality

JUDGED = 192
"""Real samples of each part, and fakes, that the critics judge at a checkup."""
COMPARED = 256
"""Generated and real samples that are compared."""
BASE = 2_000
"""Training samples among which nearest neighbours are looked for."""
DIRECTIONS = 16
"""Numbers that stand for the mean of the samples."""
SEED = 7_919
"""Seed of the codes, so that each checkup looks at the same ones."""
TELLING = 0.1
"""How far above chance the labels of near samples must agree to say something."""
FEWEST = 16
"""Real samples below which nothing is compared."""


@dataclass(frozen=True)
class Reference:
    """Real samples that checkups compare with, and what depends on them alone.

    Attributes:
        modality: How samples become rows.
        train: Training samples, at most `BASE`.
        held_out: Samples that the game never sees; empty where none are kept aside.
        inputs: For games that map: `COMPARED` inputs, or as many as there are.
        compared: How many samples are compared with as many real ones.
        fresh: Whether these are held out.
        rows: Features (N, d) of `train`.
        held_rows: Features of `held_out`.
        width: Kernel width of `variety`.
        variety: Effective number of different ones among `compared` real samples.
        scale: Root of the summed variances of the features.
        directions: (d, `DIRECTIONS`), random and fixed.
        known: Agreement of held-out samples with the labels of their neighbours, and the share
            of the commonest label; None without labels.
    """

    modality: Modality
    train: Batch
    held_out: Batch
    inputs: Batch
    compared: int
    fresh: bool
    rows: Tensor
    held_rows: Tensor
    width: float
    variety: float
    scale: float
    directions: Tensor
    known: tuple[float, float] | None

    @classmethod
    def of(cls, split: Split, modality: Modality, game: Game) -> Reference | None:
        """Taken from a split; None for fewer than `FEWEST` samples."""
        if isinstance(split.train, Source) and len(split.train) < FEWEST:
            return None
        train = split.train.some(BASE, SEED)
        compared = split.heldout is not None and modality.independent
        held_out = split.heldout.some(JUDGED, SEED) if split.heldout and compared else {}
        rows = modality.rows(train)
        held_rows = modality.rows(held_out) if held_out else rows[:0]
        enough = split.heldout if split.heldout and len(split.heldout) >= FEWEST else None
        inputs, _ = given_inputs(game, split.train, enough, COMPARED, repeat=False)
        number = size_of(inputs) if inputs else COMPARED
        first = rows[:number]
        width = of.kernel_width(first)
        rng = torch.Generator().manual_seed(SEED)
        known = None
        if "label" in train and held_out:
            share = train["label"].bincount().max().item() / len(rows)
            near = of.agreement(held_rows, held_out["label"], rows, train["label"])
            known = (near, share)
        return cls(
            modality=modality,
            train=train,
            held_out=held_out,
            inputs=inputs,
            compared=number,
            fresh=not inputs or enough is not None,
            rows=rows,
            held_rows=held_rows,
            width=width,
            variety=of.variety(first, width),
            scale=max(rows.var(0).sum().sqrt().item(), 1e-12),
            directions=torch.randn(rows.shape[1], DIRECTIONS, generator=rng) / DIRECTIONS**0.5,
            known=known,
        )


@dataclass(frozen=True)
class Checkup:
    """What one look gave.

    Attributes:
        signals: By name.
        mean: Where the mean of the samples lies, along fixed directions.
    """

    signals: dict[str, float]
    mean: list[float]


def checkup(game: Game, reference: Reference, batch: int, seed: int = SEED) -> Checkup:
    """Look at a game as it is now, with its own weights rather than averaged ones.

    Args:
        game: The game; it is left as it was.
        reference: Real samples.
        batch: Samples that the critics judge at a time: its training batch.
        seed: Of codes and noise.

    Returns:
        Signals as `docs/doctor.md` lists them: those that this kind of game has.
    """
    found: dict[str, float] = {}
    with undisturbed(game, seed):
        found |= _judgement(game, reference, batch, seed)
        fake = draw(game, reference.compared, seed, reference.inputs)
        rows = reference.modality.rows(fake)
        if not bool(rows.isfinite().all()):
            return Checkup(found | {"broken": 1.0}, [])
        found |= _samples(rows, reference)
        found |= _conditions(game, fake, rows, reference, seed)
        game.eval()
        rng = torch.Generator().manual_seed(seed)
        moved = tangents(game, reference.modality, rng)
        if moved is not None and min(moved.shape[1:]) >= 4 and _smooth(moved):
            found["directions"] = of.directions(moved)
        found |= _leak(game, rows, reference)
    mean = (rows.mean(0) - reference.rows.mean(0)) @ reference.directions / reference.scale
    return Checkup(found, mean.tolist())


def _judgement(game: Game, reference: Reference, batch: int, seed: int) -> dict[str, float]:
    """What the critics say of training, held-out and generated samples: the mean over critics."""
    game.train()
    train = _first(reference.train, JUDGED, game.device)
    held_out = _first(reference.held_out, JUDGED, game.device)
    judged: list[dict[str, float]] = []
    for name in game.critics():
        torch.manual_seed(seed)
        real, fake = critic_logits(game, name, train, batch)
        if not bool(torch.cat([real, fake]).isfinite().all()):
            return {"broken": 1.0}
        found = {
            "critic_auc": of.auc(real, fake),
            "logit_spread": torch.cat([real, fake]).std().item(),
            "r_t": real.sign().mean().item(),
        }
        if held_out:
            torch.manual_seed(seed)
            held, _ = critic_logits(game, name, held_out, batch)
            found["held_out_auc"] = of.auc(held, fake)
            found["overfit_auc"] = of.auc(real, held)
            found["r_v"] = of.overfit_ratio(real, held, fake)
        judged.append(found)
    if not judged:
        return {}
    return {name: sum(one[name] for one in judged) / len(judged) for name in judged[0]}


def _samples(rows: Tensor, reference: Reference) -> dict[str, float]:
    real = reference.rows[: reference.compared]
    found = {
        "variety": of.variety(rows, reference.width) / reference.variety,
        "coverage": of.covered(real, rows),
    }
    if not reference.fresh:  # answers to training inputs lie near their truth, as they should
        return found
    found["nn_accuracy"] = of.nn_accuracy(real, rows[: len(real)])
    if len(reference.held_rows):
        found["copying"] = of.copying(rows, reference.rows, reference.held_rows)
    return found


def _conditions(
    game: Game, fake: Batch, rows: Tensor, reference: Reference, seed: int
) -> dict[str, float]:
    """What a condition of classes does to samples."""
    classes = (name for name, field in game.conditions().items() if isinstance(field, Category))
    name = next(classes, None)
    if name is None:
        return {}
    labels = fake[name]
    others = labels.roll(1)
    changed = labels != others
    if not bool(changed.any()):
        return {}

    def under(condition: Tensor, codes: int) -> Tensor:
        drawn = draw(game, len(rows), codes, {**reference.inputs, name: condition})
        return reference.modality.rows(drawn)

    asked, otherwise = under(labels, seed), under(others, seed)
    other_code = under(labels, seed + 1)
    found = {"effect": of.effect(asked[changed], otherwise[changed], other_code[changed])}
    if name in reference.train and reference.known is not None:
        near = of.agreement(rows, labels, reference.rows, reference.train[name])
        known, chance = reference.known
        if known - chance > TELLING:
            found["class_agreement"] = (near - chance) / (known - chance)
    return found


def _smooth(moved: Tensor) -> bool:
    """Whether nearly every small step of a code moves its sample, as it does unless samples are
    made of whole numbers, which have no slope. `moved`: (codes, directions, d)."""
    return (moved.abs().amax(2) > 0).double().mean().item() > 0.9


def _leak(game: Game, rows: Tensor, reference: Reference) -> dict[str, float]:
    """Whether samples look more like augmented pictures than like real ones."""
    augments = augmentations(game)
    if not augments:
        return {}
    game.train()
    some = _first(reference.train, COMPARED, game.device)
    shown = {n: v for n, v in some.items() if v.ndim == 4 and v.is_floating_point()}
    changed = {**some, **{name: augments[0](value) for name, value in shown.items()}}
    width = 2 * reference.width
    clean = of.kernel_gap(rows, reference.rows[:COMPARED], width)
    return {"leak": of.kernel_gap(rows, reference.modality.rows(changed), width) - clean}


def augmentations(game: Game) -> list[DiffAugment]:
    """The modules that change images before a critic sees them."""
    return [module for module in game.modules() if isinstance(module, DiffAugment)]


def _first(batch: Batch, count: int, device: torch.device) -> dict[str, Tensor]:
    return {name: value[:count].to(device) for name, value in batch.items()}
