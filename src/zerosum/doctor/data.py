"""What can be wrong with data before anything is learned from them."""

from __future__ import annotations

import torch
from torch import Tensor

from zerosum.data.source import Source, finish
from zerosum.doctor.event import Event
from zerosum.doctor.signals import distances, features

LOOKED_AT = 1_000
"""Samples that are looked at."""
REPEATED = 0.1
"""Largest share of samples with a twin among the others."""
SPAN = 0.5
"""Least distance of the darkest and the lightest value of pictures, of 2."""


def faults(source: Source) -> list[Event]:
    """Problems of a set: range, repeats, and one class that drowns the others."""
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))
    batch = finish(source.fetch(order[:LOOKED_AT].tolist()))
    found = []
    if "image" in batch:
        found += _range(batch["image"])
    if "label" in batch:
        found += _classes(batch["label"], source.classes)
    field = "image" if "image" in batch else "point" if "point" in batch else None
    if field is not None and not found:
        # Points of a law lie as close as they like; only equal ones are repeats.
        found += _repeats(features(batch[field]), 0.02 if field == "image" else 0.0)
    return found


def _range(images: Tensor) -> list[Event]:
    low, high = images.min().item(), images.max().item()
    if high - low >= SPAN:
        return []
    return [
        _event(
            "span",
            high - low,
            SPAN,
            f"the values of {len(images):,} pictures lie between {low:.3f} and {high:.3f}, where "
            "-1 is black and 1 is white",
            "They were probably stored as 0 .. 1 in bytes, or under-exposed: write the set again "
            "with values from 0 to 255",
        )
    ]


def _classes(labels: Tensor, names: tuple[str, ...]) -> list[Event]:
    counts = labels.bincount(minlength=max(len(names), 1))
    kinds = len(counts)
    share = counts.max().item() / len(labels)
    limit = (1 + 1 / kinds) / 2  # half-way between a fair share and everything
    if kinds < 2 or share <= limit:
        return []
    most = int(counts.argmax())
    name = names[most] if most < len(names) else str(most)
    return [
        _event(
            "commonest class",
            share,
            limit,
            f"class '{name}' has {share:.0%} of the samples of {kinds} classes "
            f"(limit {limit:.0%})",
            "The generator will learn that class and little else: take out the surplus, or train "
            "a conditional system",
        )
    ]


def _repeats(rows: Tensor, share_of_usual: float) -> list[Event]:
    apart = distances(rows, rows).fill_diagonal_(torch.inf)
    near = share_of_usual * apart[apart.isfinite()].median()
    share = (apart.amin(1) <= near).double().mean().item()
    if share <= REPEATED:
        return []
    return [
        _event(
            "twins",
            share,
            REPEATED,
            f"{share:.0%} of {len(rows):,} samples have a twin among the others, the same but for "
            f"a fiftieth of the usual distance at most (limit {REPEATED:.0%})",
            "Repeats are learned as often as they come: remove them",
        )
    ]


def _event(signal: str, value: float, threshold: float, evidence: str, remedy: str) -> Event:
    return Event("data problem", 0, 0, signal, value, threshold, 1, evidence, remedy)
