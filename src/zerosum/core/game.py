"""What a GAN system is: players who take turns.

A model file subclasses `Game` (or `LatentGame`), declares its networks, players, turns and
losses as plain Python, and reads like the paper. It holds no optimizer, no device code and no
I/O.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from zerosum.config import Part
from zerosum.data.fields import Batch, Field, size_of
from zerosum.data.source import Split
from zerosum.data.spec import GameConfig
from zerosum.errors import UserError

Terms = dict[str, Tensor]
"""Named scalars of a loss, already weighted; the engine minimises their sum."""


@dataclass(frozen=True)
class Progress:
    """The clock of a run. It counts examples, so batch size and devices change no schedule.

    Attributes:
        step: Steps done.
        seen: Examples done (steps times batch).
        total: Examples of the whole run, 0 where there is no end.
    """

    step: int = 0
    seen: int = 0
    total: int = 0

    def after(self, examples: int) -> Progress:
        """The clock one step of so many examples later."""
        return Progress(self.step + 1, self.seen + examples, self.total)


@dataclass(frozen=True)
class Turn:
    """One move: who, on which loss, how often.

    Attributes:
        player: The moving player, or several that move on the same loss.
        loss: Maps a batch to weighted terms.
        every: Play in each `every`-th step only (lazy regularisation).
        repeat: Play so often in a row, each time on a new batch.
        fresh: Draw an own batch instead of the one that the step's turns share.
        then: Called after each move, without gradients: clipping, projections.
    """

    player: str | tuple[str, ...]
    loss: Callable[[Batch], Terms]
    every: int = 1
    repeat: int = 1
    fresh: bool = False
    then: Callable[[], None] | None = None

    @property
    def players(self) -> tuple[str, ...]:
        return (self.player,) if isinstance(self.player, str) else self.player


@dataclass(frozen=True)
class Lines:
    """Curves that a game offers to the sample sheet: several functions of one variable."""

    x: Tensor
    y: Mapping[str, Tensor]
    label: str = ""
    dashed: frozenset[str] = field(default_factory=frozenset)


def input_of(condition: Batch, n: int, how: str, name: str = "input") -> Tensor:
    """What a game that maps is given for n samples, (n, ...).

    Args:
        condition: What `sample` was given, by name.
        n: How many samples were asked for.
        how: What the game does and how to give it that, for the message.
        name: Of the input.

    Raises:
        UserError: It is missing, or there are not as many.
    """
    if name not in condition:
        raise UserError(how)
    given = condition[name]
    if given.shape[0] != n:  # no `len`, which an export takes for a constant
        raise UserError(f"{n} samples were asked for with {len(given)} inputs: give as many")
    return given


class SampleOptions(Part):
    """Settings of sampling, such as truncation. A game that has some nests its own subclass."""

    def still(self) -> Self:
        """The same with nothing drawn on the way from what is given to the sample, for files of
        a network that must answer alike each time."""
        return self

    def unscored(self) -> str:
        """Why no score can be taken of samples under these settings; empty where one can."""
        return ""


class Game(nn.Module, ABC):
    """A complete system: networks, losses, turns and sampling.

    Attributes:
        config: What it was built from.
        progress: The clock, set by whoever runs the game; losses and turns may read it.
        options: Settings of sampling; `zerosum.core.draw` sets them for a while.
        signals: The last tensors given to `report`.
        optimizers: What moves the players, by name, while a step is played; else empty.
    """

    Config: ClassVar[type[GameConfig]] = GameConfig
    Options: ClassVar[type[SampleOptions]] = SampleOptions
    bf16: ClassVar[bool] = False
    """Whether trainings in bfloat16 were measured to be faster and to score alike: then
    `train.precision=auto` takes it."""

    def __init__(self, config: GameConfig) -> None:
        super().__init__()
        self.config = config
        self.progress = Progress()
        self.options: SampleOptions = self.Options()
        self.signals: dict[str, Tensor] = {}
        self.optimizers: Mapping[str, torch.optim.Optimizer] = {}

    @abstractmethod
    def players(self) -> dict[str, list[nn.Module]]:
        """The players and the modules that each moves. A module belongs to one player."""

    @abstractmethod
    def turns(self) -> list[Turn]:
        """The moves of one step, in order. May depend on `self.progress`."""

    @abstractmethod
    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        """Draw n samples.

        Args:
            n: How many.
            rng: Source of all randomness; the global one when None.
            **condition: Tensors (n, ...) named in `inputs`, all of them, and in `conditions`,
                which are drawn from `rng` when absent.

        Returns:
            Fields as in the data, finished, and the inputs and conditions used.
        """

    def inputs(self) -> Mapping[str, Field]:
        """What `sample` must be given and never draws, such as the picture to translate."""
        return {}

    def answered(self, batch: Batch, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        """As many samples as a batch has examples, answering its inputs in games that map."""
        given: dict[str, Tensor] = {name: batch[name] for name in self.inputs()}
        return self.sample(size_of(batch), rng=rng, **given)

    def conditions(self) -> Mapping[str, Field]:
        """What `sample` may be given and draws where it is absent, such as a label or a code."""
        return {}

    def critics(self) -> Mapping[str, Callable[[Batch], Tensor]]:
        """Who judges: by player, a function from finished examples to logits.

        A batch holds real examples or what `sample` returned. Logits have the batch first, or a
        part of it for critics that see several examples at once; higher means more real. A
        critic that gives several maps of logits joins them. Empty where nobody judges.
        """
        return {}

    def learn_from(self, split: Split) -> None:
        """Look at the data, once, before the first step or before a run goes on: for what is
        computed of them and not trained, such as mean features of the classes, or where weights
        begin. What a checkpoint or a transfer brings replaces it."""
        return

    def anew(self) -> tuple[str, ...]:
        """How the names of tensors begin that a transfer from another run leaves as they were
        built, such as those of a new stage; none by default."""
        return ()

    def after_step(self, progress: Progress) -> None:
        """Move what moves once a step: clipped weights, running means, strengths.

        Called after the last turn of a step, without gradients. Nothing of the kind belongs into
        a loss, which may be evaluated more often than a step is made.

        Args:
            progress: The clock of the step that was just played.
        """
        return

    def generators(self) -> list[nn.Module]:
        """The modules that `sample` runs: what averaging follows and an export holds."""
        return self.players()["generator"]

    def ready(self) -> bool:
        """Whether all that `sample` runs has begun to learn. A game that trains parts of it one
        after the other says no until the last one's turn: samples say nothing before."""
        return True

    def offers(self) -> tuple[Batch, Tensor] | None:
        """Samples (N, ...) of the last step and their scores (N,), higher is better, for a source
        that lets examples be replaced by better ones; None when there are none."""
        return None

    def captions(self, samples: Batch) -> list[str]:
        """A line for each sample on a sheet, such as what it is worth. None by default."""
        return []

    def lines(self) -> dict[str, Lines]:
        """Curves for the sample sheet, by title. None by default."""
        return {}

    def report(self, **signals: Tensor) -> None:
        """Hand signals, such as logits (B,), to whoever listens. Costs no synchronisation."""
        self.signals.update({name: signal.detach() for name, signal in signals.items()})

    def normal(self, *shape: int, rng: torch.Generator | None = None) -> Tensor:
        """Standard normal numbers on the game's device, drawn where `rng` lives.

        Numbers of a CPU generator are the same whatever device the game is on.
        """
        source = self.device if rng is None else rng.device
        return torch.randn(shape, generator=rng, device=source).to(self.device)

    def uniform_labels(self, n: int, classes: int, rng: torch.Generator | None = None) -> Tensor:
        """Labels (n,) drawn uniformly from 0 .. classes - 1."""
        source = self.device if rng is None else rng.device
        return torch.randint(classes, (n,), generator=rng, device=source).to(self.device)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


class LatentGame(Game):
    """A game whose samples are a function of a latent code and of conditions."""

    @abstractmethod
    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Draw codes (n, ...) from the prior."""

    @abstractmethod
    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        """Samples of codes (n, ...) under conditions (n, ...)."""

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        """Conditions for n samples when the caller names none."""
        return {}

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        z = self.latent(n, rng)
        if set(self.conditions()) - set(condition):
            condition = {**self.prior(n, rng), **condition}
        return self.decode(z, condition)
