"""From signals to named failures: when each is bad, for how long, and what helps.

The thresholds are set on the ward (docs/doctor.md), where every one of them has broken runs on
one side and healthy ones on the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from zerosum.core.game import Progress
from zerosum.core.recipe import Recipe
from zerosum.doctor.event import Event, Failure
from zerosum.doctor.remedies import Remedy, advise, augment, calm, clip, even, faster, slower

Signals = Mapping[str, float]
WINDOW = 6
"""Checkups over which movements are judged."""
VARIED = 0.3
"""Variety of samples, as a share of real ones', from which they can resemble something else."""


@dataclass(frozen=True)
class Rule:
    """One way to notice a failure.

    Attributes:
        failure: What it is called.
        signal: The number that is judged; `name/*` is the worst of all players.
        limit: What it must not cross.
        above: Whether it must stay below the limit (bad above it), or the other way round.
        window: Checkups in a row for which it must hold.
        after: Share of the run before which it is not asked: games begin with bad samples.
        also: What must hold beside it.
        evidence: A sentence, filled with `value`, `limit`, `name` (the player) and all signals.
        remedy: What to do, and the words that do it.
    """

    failure: Failure
    signal: str
    limit: float
    above: bool
    window: int
    after: float
    evidence: str
    remedy: Remedy
    also: Callable[[Signals], bool] = lambda signals: True

    def read(self, signals: Signals) -> tuple[str, float] | None:
        """Name and value of the signal that is worst; None where there is none of that name."""
        if not self.signal.endswith("/*"):
            value = signals.get(self.signal)
            return None if value is None else (self.signal, value)
        stem = self.signal.removesuffix("*")
        found = {name: value for name, value in signals.items() if name.startswith(stem)}
        if not found:
            return None
        worst = (max if self.above else min)(found, key=lambda name: found[name])
        return worst, found[worst]

    def holds(self, signals: Signals) -> bool:
        """Whether one checkup shows it."""
        found = self.read(signals)
        if found is None:
            return False
        crossed = found[1] > self.limit if self.above else found[1] < self.limit
        return crossed and self.also(signals)

    def event(self, rows: Sequence[Signals], now: Progress, recipe: Recipe) -> Event | None:
        """What to say when the last rows all show it, else None."""
        last = rows[-self.window :]
        if len(last) < self.window or not all(self.holds(row) for row in last):
            return None
        if now.seen < self.after * now.total:
            return None
        found = self.read(last[-1])
        assert found is not None  # it holds
        name, value = found
        player = name.partition("/")[2]
        words = {key.replace("/", "_"): number for key, number in last[-1].items()}
        words |= {"value": value, "limit": self.limit, "player": player}
        advice, override = self.remedy(recipe, player)
        return Event(
            failure=self.failure,
            step=now.step,
            seen=now.seen,
            signal=name,
            value=value,
            threshold=self.limit,
            window=self.window,
            evidence=self.evidence.format_map(words),
            remedy=advice,
            override=override,
        )


def derived(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Signals of the newest checkup that need the ones before it."""
    signals = rows[-1]["signals"]
    found: dict[str, float] = {}
    for name, value in signals.items():
        kind, _, player = name.partition("/")
        before = [row["signals"][name] for row in rows[:-1] if name in row["signals"]]
        if kind == "gradient" and len(before) >= 4:
            usual = median(before)
            found[f"growth/{player}"] = math.log10(max(value, 1e-30) / max(usual, 1e-12))
        if kind == "gradient":
            size = signals.get(f"weights/{player}")
            if size is not None:
                found[f"pull/{player}"] = value * size
    strides = [value for name, value in signals.items() if name.startswith("stride/")]
    if len(strides) > 1:
        found["uneven"] = max(strides) / max(min(strides), 1e-30)
    recent = [row["signals"].get("variety") for row in rows[-WINDOW:]]
    known = [value for value in recent if value is not None]
    if len(known) == WINDOW:
        found["lasting_variety"] = median(known)
        earlier = rows[-1 - WINDOW]["signals"] if len(rows) > WINDOW else {}
        if earlier.get("lasting_variety"):
            found["variety_trend"] = found["lasting_variety"] / earlier["lasting_variety"]
    means = [row["mean"] for row in rows[-WINDOW:] if row["mean"]]
    if len(means) == WINDOW:
        path = [math.dist(a, b) for a, b in pairwise(means)]
        found["swing"] = median(path)
        found["progress"] = math.dist(means[0], means[-1]) / max(sum(path), 1e-12)
    return found


RULES = (
    Rule(
        "exploding", "broken", 0.5, True, 1, 0.0,
        "samples or logits are no longer finite numbers",
        slower("Lower the learning rates or clip the gradients"),
    ),
    Rule(
        "exploding", "skipped", 0.02, True, 1, 0.0,
        "{value:.0%} of the moves since the last checkup had no finite gradient "
        "(limit {limit:.0%})",
        slower("Lower the learning rates or clip the gradients"),
    ),
    Rule(
        "exploding", "stride/*", 0.1, True, 2, 0.0,
        "one step moves the weights of the {player} by {value:.1%} of their length "
        "(limit {limit:.0%})",
        slower("Steps of 0.1 % to 1 % are usual: lower its learning rate"),
    ),
    Rule(
        "exploding", "jump/*", 3.0, True, 1, 0.0,
        "the weights of the {player} are {value:.1f} times as long as at the look before "
        "(limit {limit})",
        slower("Lower the learning rate of this player"),
        # weights that begin small grow as fast in a healthy game, whose samples then come nearer
        also=lambda s: s.get("coverage", 0.0) < 0.1,
    ),
    Rule(
        "exploding", "growth/*", 1.5, True, 2, 0.0,
        "the gradient of the {player} is 10^{value:.1f} times what was usual in this run",
        clip("Clip the gradient, or lower the learning rate"),
    ),
    Rule(
        "dead run", "stride/*", 3e-7, False, 3, 0.0,
        "a step moves the weights of the {player} by {value:.0e} of their length: "
        "nothing is learned",
        faster("Raise its learning rate; usual steps are 0.1 % to 1 %"),
        also=lambda s: min(v for n, v in s.items() if n.startswith("rate/")) > 0.02,
    ),
    Rule(
        "imbalance", "uneven", 60.0, True, 4, 0.05,
        "the steps of one player are {value:.0f} times as long as the other's, and the nearest "
        "neighbour tells {nn_accuracy:.0%} of the samples from real ones",
        even("Bring the learning rates together"),
        also=lambda s: s.get("nn_accuracy", 0.0) > 0.9,
    ),
    Rule(
        "vanishing gradient", "pull/generator", 0.02, False, 3, 0.05,
        "the critic splits real from generated ({critic_auc:.1%} of the pairs) and the "
        "generator's gradient, times the length of its weights, is {value:.1e} (limit {limit})",
        calm("Use a loss that does not saturate, smooth the critic, or slow it down"),
        also=lambda s: s.get("critic_auc", 0.0) > 0.98,
    ),
    Rule(
        "augmentation leak", "leak", 0.0, False, 3, 0.3,
        "samples are nearer to augmented pictures than to real ones (difference of squared kernel "
        "distances {value:.4f})",
        advise("Augment generated pictures as well as real ones, in both players' losses"),
        # A few blurs, as an untrained generator draws, lie nearer to whatever is spread widest.
        also=lambda s: s.get("variety", 1.0) > VARIED,
    ),
    Rule(
        "condition ignored", "effect", 0.05, False, 3, 0.2,
        "another condition changes a sample {value:.1%} as much as another code does "
        "(limit {limit:.0%})",
        advise("Show the condition to the discriminator, or raise its weight in the loss"),
    ),
    Rule(
        "condition ignored", "class_agreement", 0.25, False, 3, 0.3,
        "samples lie among real ones of the class that was asked for {value:.0%} as often, beyond "
        "chance, as held-out samples do (limit {limit:.0%})",
        advise("Show the condition to the discriminator, and check the labels"),
    ),
    Rule(
        "memorisation", "nn_accuracy", 0.4, False, 3, 0.1,
        "the nearest neighbour tells {value:.0%} of the samples from real ones, where new samples "
        "give 50 % or more: real and generated samples lie in pairs",
        augment("Use more data or augmentation, or a smaller generator"),
    ),
    Rule(
        "memorisation", "copying", 0.6, False, 3, 0.1,
        "samples are {value:.2f} times as far from their nearest training sample as held-out "
        "samples are (limit {limit})",
        augment("Use more data or augmentation, or a smaller generator"),
    ),
    Rule(
        "discriminator overfit", "overfit_auc", 0.8, True, 3, 0.1,
        "the critic puts {value:.0%} of the pairs of a training and a held-out sample in that "
        "order, where 50 % would be fair (limit {limit:.0%})",
        augment("Augment, use more data, or strengthen R1"),
    ),
    Rule(
        "ill-conditioned generator", "directions", 1.4, False, 3, 0.2,
        "samples follow {value:.2f} directions of the code (limit {limit})",
        advise("Normalise the code; a path-length or Jacobian penalty evens its directions"),
        also=lambda s: s.get("lasting_variety", 1.0) > 0.03,
    ),
    Rule(
        "mode collapse", "lasting_variety", 1 / 3, False, 2, 0.35,
        "samples have {value:.0%} of the variety of real ones over six checkups "
        "(limit {limit:.0%}) and cover {coverage:.0%} of them",
        calm("Use a relativistic loss with R1 and R2, pack samples, or slow the generator down"),
        # a slow learner's variety still rises
        also=lambda s: s.get("coverage", 0.0) < 0.5 and s.get("variety_trend", 1.0) < 1.35,
    ),
    Rule(
        "oscillation", "swing", 0.75, True, 3, 0.35,
        "the mean of the samples moves by {value:.0%} of the data's spread from checkup to "
        "checkup, and ends up near where it was",
        calm("Regularise the critic (R1), average weights, or play by the extragradient method"),
        # a slow learner's first samples swing too, while their variety rises
        also=lambda s: s.get("progress", 1.0) < 0.5 and s.get("variety_trend", 1.0) < 1.35,
    ),
)  # fmt: skip
