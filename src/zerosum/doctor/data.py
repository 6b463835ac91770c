"""What can be wrong with data before anything is learned from them."""

from __future__ import annotations

from torch import Tensor

from zerosum.data.fields import Category
from zerosum.data.source import Source
from zerosum.doctor.event import Event
from zerosum.modalities.modality import Fault, Modality

LOOKED_AT = 1_000
"""Samples that are looked at."""


def faults(source: Source, modality: Modality) -> list[Event]:
    """Problems of a set: those of its kind, and one class that drowns the others."""
    batch = source.some(LOOKED_AT)
    found = modality.faults(batch, source.fields)
    label = source.fields.get("label")
    if isinstance(label, Category):
        found += _classes(batch["label"], label)
    return [
        Event("data problem", 0, 0, f.signal, f.value, f.limit, 1, f.evidence, f.remedy)
        for f in found
    ]


def _classes(labels: Tensor, field: Category) -> list[Fault]:
    counts = labels.bincount(minlength=field.count)
    kinds = len(counts)
    share = counts.max().item() / len(labels)
    limit = (1 + 1 / kinds) / 2  # half-way between a fair share and everything
    if kinds < 2 or share <= limit:
        return []
    most = int(counts.argmax())
    name = field.names[most] if field.names else str(most)
    return [
        Fault(
            "commonest class",
            share,
            limit,
            f"class '{name}' has {share:.0%} of the samples of {kinds} classes "
            f"(limit {limit:.0%})",
            "The generator will learn that class and little else: take out the surplus, or train "
            "a conditional system",
        )
    ]
