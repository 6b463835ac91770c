"""Features: what an extractor makes of examples, and the rows that metrics compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class Outputs(NamedTuple):
    """What an extractor makes of a batch.

    Attributes:
        features: Shape (B, d), float32.
        logits: Class scores before the softmax, shape (B, classes); None where it has no classes.
    """

    features: Tensor
    logits: Tensor | None


@dataclass(frozen=True)
class Features:
    """A way from finished examples to features.

    Attributes:
        name: As in a score's name, such as `cnn-digits`.
        take: From a batch of finished examples to features.
        weight_hash: sha256 of its weights; empty where there are none.
        filter: How examples are brought to what it sees, in words.
        why: Why it was chosen, where nobody asked for it.
        raw: Whether the features are the examples themselves, so that intervals are not wanted.
    """

    name: str
    take: Callable[[Mapping[str, Tensor]], Outputs]
    weight_hash: str = ""
    filter: str = "none"
    why: str = ""
    raw: bool = False
