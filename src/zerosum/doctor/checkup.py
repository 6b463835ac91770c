"""One look at a game: every signal that can be had at this point of a run, by name."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.augment.diffaugment import DiffAugment
from zerosum.core.game import Batch, Game
from zerosum.core.scores import draw
from zerosum.data.source import Source, Split, finish
from zerosum.doctor import signals as of
from zerosum.doctor.probe import critic_turn, logits, tangents, undisturbed

JUDGED = 192
"""Real samples of each part, and fakes, that the critic judges at a checkup."""
COMPARED = 256
"""Generated and real samples that are compared."""
BASE = 2_000
"""Training samples among which nearest neighbours are looked for."""
DIRECTIONS = 16
"""Numbers that stand for the mean of the samples."""
SEED = 7_919
"""Seed of the codes, so that each checkup looks at the same ones."""


@dataclass(frozen=True)
class Reference:
    """Real samples that checkups compare with, and what depends on them alone.

    Attributes:
        field: The field that is compared, `image` or `point`.
        train: Training samples, at most `BASE`.
        held_out: Samples that the game never sees; empty where none are kept aside.
        rows: Features (N, d) of `train`.
        held_rows: Features of `held_out`.
        width: Kernel width of `variety`.
        variety: Effective number of different ones among `COMPARED` real samples.
        scale: Root of the summed variances of the features.
        directions: (d, `DIRECTIONS`), random and fixed.
        known: Agreement of held-out samples with the labels of their neighbours, and the share
            of the commonest label; None without labels.
    """

    field: str
    train: Batch
    held_out: Batch
    rows: Tensor
    held_rows: Tensor
    width: float
    variety: float
    scale: float
    directions: Tensor
    known: tuple[float, float] | None

    @classmethod
    def of(cls, split: Split) -> Reference | None:
        """Taken from a split; None for streams and for data that are no images or points."""
        source = split.train
        if not isinstance(source, Source):
            return None
        field = next((name for name in ("image", "point") if name in source.shapes), None)
        if field is None or len(source) < 16:
            return None
        train = _some(source, BASE)
        held_out = _some(split.heldout, JUDGED) if split.heldout is not None else {}
        rows = of.features(train[field])
        held_rows = of.features(held_out[field]) if held_out else rows[:0]
        first = rows[:COMPARED]
        width = of.kernel_width(first)
        rng = torch.Generator().manual_seed(SEED)
        known = None
        if "label" in train and held_out:
            share = train["label"].bincount().max().item() / len(rows)
            near = of.agreement(held_rows, held_out["label"], rows, train["label"])
            known = (near, share)
        return cls(
            field=field,
            train=train,
            held_out=held_out,
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
        critics: Players whose loss reports logits.
    """

    signals: dict[str, float]
    mean: list[float]
    critics: tuple[str, ...]


def checkup(game: Game, reference: Reference, batch: int, seed: int = SEED) -> Checkup:
    """Look at a game as it is now, with its own weights rather than averaged ones.

    Args:
        game: The game; it is left as it was.
        reference: Real samples.
        batch: Samples that the critic judges at a time: its training batch.
        seed: Of codes and noise.

    Returns:
        Signals as `docs/doctor.md` lists them: those that this kind of game has.
    """
    found: dict[str, float] = {}
    with undisturbed(game, seed):
        judged, critics = _judgement(game, reference, batch, seed)
        found |= judged
        fake = draw(game, COMPARED, seed)
        rows = of.features(fake[reference.field])
        if not bool(rows.isfinite().all()):
            return Checkup(found | {"broken": 1.0}, [], critics)
        found |= _samples(rows, reference)
        found |= _conditions(game, fake, rows, reference, seed)
        game.eval()
        moved = tangents(game, reference.field, torch.Generator().manual_seed(seed))
        if moved is not None and min(moved.shape[1:]) >= 4:
            found["directions"] = of.directions(moved)
        found |= _leak(game, rows, reference)
    mean = (rows.mean(0) - reference.rows.mean(0)) @ reference.directions / reference.scale
    return Checkup(found, mean.tolist(), critics)


def _judgement(
    game: Game, reference: Reference, batch: int, seed: int
) -> tuple[dict[str, float], tuple[str, ...]]:
    """What the critic says of training, held-out and generated samples; and who it is."""
    game.train()
    train = _first(reference.train, JUDGED, game.device)
    turn = critic_turn(game, _first(train, batch, game.device))
    if turn is None:
        return {}, ()
    torch.manual_seed(seed)
    real, fake = logits(game, turn, train, batch)
    if not bool(torch.cat([real, fake]).isfinite().all()):
        return {"broken": 1.0}, turn.players
    spread = torch.cat([real, fake]).std().item()
    found = {
        "separation": of.separation(real, fake),
        "logit_spread": spread,
        "r_t": real.sign().mean().item(),
    }
    if reference.held_out:
        torch.manual_seed(seed)
        held, _ = logits(game, turn, _first(reference.held_out, JUDGED, game.device), batch)
        found["held_out_separation"] = of.separation(held, fake)
        found["recognition"] = of.separation(real, held)
        found["r_v"] = of.overfit_ratio(real, held, fake)
    return found, turn.players


def _samples(rows: Tensor, reference: Reference) -> dict[str, float]:
    real = reference.rows[:COMPARED]
    found = {
        "variety": of.variety(rows, reference.width) / reference.variety,
        "coverage": of.covered(real, rows),
        "told_apart": of.told_apart(real, rows[: len(real)]),
    }
    if len(reference.held_rows):
        found["copying"] = of.copying(rows, reference.rows, reference.held_rows)
    return found


def _conditions(
    game: Game, fake: Batch, rows: Tensor, reference: Reference, seed: int
) -> dict[str, float]:
    """What a condition of classes does to samples."""
    name = next((n for n in game.conditions if not fake[n].is_floating_point()), None)
    if name is None or fake[name].ndim != 1:
        return {}
    labels = fake[name]
    others = labels.roll(1)
    field = reference.field
    otherwise = draw(game, len(rows), seed, {name: others})[field]
    again = draw(game, len(rows), seed, {name: labels})[field]
    other_code = draw(game, len(rows), seed + 1, {name: labels})[field]
    changed = (labels != others).cpu()
    if not bool(changed.any()):
        return {}
    told, otherwise, other_code = map(of.features, (again, otherwise, other_code))
    found = {"effect": of.effect(told[changed], otherwise[changed], other_code[changed])}
    if name == "label" and reference.known is not None:
        near = of.agreement(rows, labels.cpu(), reference.rows, reference.train["label"])
        known, chance = reference.known
        if known > chance:
            found["obedience"] = (near - chance) / (known - chance)
    return found


def _leak(game: Game, rows: Tensor, reference: Reference) -> dict[str, float]:
    """Whether samples look more like augmented pictures than like real ones."""
    augments = augmentations(game)
    if not augments or reference.field != "image":
        return {}
    game.train()
    pictures = reference.train["image"][:COMPARED].to(game.device)
    changed = of.features(augments[0](pictures))
    width = 2 * reference.width
    clean = of.kernel_gap(rows, reference.rows[:COMPARED], width)
    return {"leak": of.kernel_gap(rows, changed, width) - clean}


def augmentations(game: Game) -> list[DiffAugment]:
    """The modules that change images before a critic sees them."""
    return [module for module in game.modules() if isinstance(module, DiffAugment)]


def _some(source: Source, most: int) -> dict[str, Tensor]:
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(SEED))
    return finish(source.fetch(order[:most].tolist()))


def _first(batch: Batch, count: int, device: torch.device) -> dict[str, Tensor]:
    return {name: value[:count].to(device) for name, value in batch.items()}
