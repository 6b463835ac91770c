"""What metrics are taken on: sets of examples, and what a generator says itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.detection import Detected


@dataclass(frozen=True)
class Embedded:
    """One set of examples as it is judged.

    Attributes:
        features: (N, d).
        logits: (N, classes); None where the features have no classes.
        examples: The finished examples themselves, by field.
        objects: The same as users' objects, made when first asked for.
    """

    features: Tensor
    logits: Tensor | None = None
    examples: Mapping[str, Tensor] = field(default_factory=dict)
    objects: Callable[[], Any] = tuple

    @property
    def labels(self) -> Tensor | None:
        """Classes (N,); None without labels."""
        return self.examples.get("label")


@dataclass(frozen=True)
class Asked:
    """What a generator can be asked itself; None for what this one cannot say.

    Attributes:
        likelihood: Gives log probabilities (N,) of the held-out examples under the generator, in
            nats per number.
        detection: Gives scores of examples of a test with their truth; None too where the data
            have no test.
        returned: Gives what the answers are mapped back to, in the order of their inputs.
    """

    likelihood: Callable[[], Tensor] | None = None
    detection: Callable[[], Detected] | None = None
    returned: Callable[[], Tensor] | None = None


@dataclass(frozen=True)
class Sets:
    """What a metric is taken on.

    Attributes:
        real: Training examples.
        fake: Generated ones.
        held_out: Examples that the generator never saw; None where none are kept aside.
        seed: Of all that metrics draw.
        learned: What was learned from, whole, as its modality gives it; None where it gives none.
        truth: For games with inputs, the true answers to the inputs of `fake`, in its order.
        asked: What the generator says itself.
    """

    real: Embedded
    fake: Embedded
    held_out: Embedded | None
    seed: int
    truth: Embedded | None = None
    learned: Any = None
    asked: Asked = Asked()

    @property
    def rng(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def logits(self) -> Tensor:
        if self.fake.logits is None:
            raise UserError(
                "is needs class scores, which these features lack: "
                "use --features cnn-digits, efficientnet-lite0 or another classifier"
            )
        return self.fake.logits

    def fresh(self, metric: str) -> Embedded:
        if self.held_out is None:
            raise UserError(
                f"{metric} needs held-out real examples: set data.holdout=0.1, or name a set "
                "with a test part"
            )
        return self.held_out

    def held_out_likelihood(self) -> Tensor:
        """Log probabilities (N,) of the held-out examples, in nats per number."""
        assert self.asked.likelihood is not None  # a metric of the game is not taken without
        return self.asked.likelihood()

    def detected(self) -> Detected:
        """Scores of the test, with their truth."""
        assert self.asked.detection is not None  # a metric of a detector is not taken without
        return self.asked.detection()

    def returned(self) -> Tensor:
        """What the answers of `fake` are mapped back to."""
        assert self.asked.returned is not None  # a metric of the way back is not taken without
        return self.asked.returned()

    def answers(self) -> Embedded:
        """The true answers to the inputs of `fake`."""
        assert self.truth is not None  # a paired metric is not taken without
        return self.truth
