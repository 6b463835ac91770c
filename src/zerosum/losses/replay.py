"""A history of generated samples for the critic."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor, nn

from zerosum.errors import UserError


class PoolState(TypedDict):
    """What a `ReplayPool` remembers."""

    samples: Tensor | None


class ReplayPool(nn.Module):
    """The last generated samples, some of which are shown to the critic again.

    Shrivastava et al. 2017 ("Learning from simulated and unsupervised images through adversarial
    training", section 2.3) keep a buffer of refined images so that the critic does not forget
    what the generator has made before. The rule here is CycleGAN's (Zhu et al. 2017, section 4,
    with 50 images): until the pool is full each sample is stored and passed on; then each is, with
    a chance of one half, exchanged for one of the pool.

    The samples are extra state: hold the module in the game and they are in every checkpoint, so
    that a resumed run goes on exactly. On several ranks each has its own pool.
    """

    def __init__(self, capacity: int = 50, chance: float = 0.5) -> None:
        """Start empty.

        Args:
            capacity: Samples to remember; 0 passes everything on.
            chance: How likely a full pool exchanges a sample, in [0, 1].

        Raises:
            UserError: Numbers out of range.
        """
        super().__init__()
        if capacity < 0 or not 0 <= chance <= 1:
            raise UserError(
                "a replay pool has a capacity of at least 0 and a chance in [0, 1], not "
                f"{capacity} and {chance}"
            )
        self.capacity, self.chance = capacity, chance
        self._samples: Tensor | None = None
        self._next: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self._samples is None else len(self._samples)

    @torch.no_grad()
    def mix(
        self, samples: Tensor, *, rng: torch.Generator | None = None, keep: bool = True
    ) -> Tensor:
        """Store a batch and give one of the same shape in which some samples are older ones.

        Args:
            samples: A batch (B, ...) as generated now.
            rng: Where chance comes from, on the CPU; the global CPU generator when None.
            keep: Store them at once. A game's loss may be evaluated more often than a step is
                made: there say False, and call `settle` in `after_step`.

        Returns:
            (B, ...) without gradient.

        Raises:
            UserError: Samples of another shape than those before.
        """
        samples = samples.detach()
        if self.capacity == 0:
            return samples
        if self._samples is not None and self._samples.shape[1:] != samples.shape[1:]:
            raise UserError(
                f"the replay pool holds samples {tuple(self._samples.shape[1:])}: it cannot take "
                f"{tuple(samples.shape[1:])} too"
            )
        pool = samples[:0] if self._samples is None else self._samples.to(samples)
        room = self.capacity - len(pool)
        mixed, pool = samples.clone(), torch.cat([pool, samples[:room]])
        # Drawn for the whole batch, so that the amount of randomness used is always the same.
        swap = torch.rand(len(samples), generator=rng) < self.chance
        place = torch.randint(len(pool), (len(samples),), generator=rng)
        for i in range(min(room, len(samples)), len(samples)):
            if swap[i]:
                mixed[i] = pool[place[i]]
                pool[place[i]] = samples[i]
        self._next = pool
        if keep:
            self.settle()
        return mixed

    def settle(self) -> None:
        """Store what the newest `mix` was given; nothing where it was stored already."""
        if self._next is not None:
            self._samples, self._next = self._next, None

    def get_extra_state(self) -> PoolState:
        """The samples that are remembered, None while there are none."""
        return {"samples": None if self._samples is None else self._samples.cpu().clone()}

    def set_extra_state(self, state: PoolState) -> None:
        """Take up what `get_extra_state` gave."""
        self._samples = state["samples"]
