"""The training of one method: all seeds at once, resumable, judged at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from zerosum.bench.modes.methods import Method, Table
from zerosum.bench.modes.networks import joint_discriminator, reconstructor
from zerosum.bench.modes.settings import NETWORKS, Setting
from zerosum.bench.modes.stack import Stack, Streams
from zerosum.bench.modes.suites import Suite
from zerosum.core.game import Progress
from zerosum.core.schedule import Cosine
from zerosum.files import atomic

Report = Callable[[int], None]  # called with the updates done

CHUNK = 2_500
"""Codes per call when a generator is judged; batch normalisation sees that many."""

RAMP = 0.05
"""The averages' half-life is at most this share of the updates so far."""


class Trial:
    """S seeds of one method on one suite.

    Args:
        setting: How to train.
        method: What to train.
        suite: Where the data come from.
        seeds: Numbers of the seeds; a seed gives the same training whoever is beside it.
        device: Where to train.

    Attributes:
        updates: Done so far.
        seconds: Spent on them: of the processor, whoever else is at work, or of an accelerator.
    """

    def __init__(
        self,
        setting: Setting,
        method: Method,
        suite: Suite,
        seeds: list[int],
        device: torch.device,
    ) -> None:
        self.setting, self.method, self.suite, self.seeds = setting, method, suite, seeds
        networks, latent, shape = NETWORKS[setting.networks], setting.latent, suite.shape

        def stack(build: Callable[[], torch.nn.Module], player: int) -> Stack:
            starts = [3 * seed + player for seed in seeds]
            return Stack(build, starts, device)

        self.generator = stack(lambda: networks.generator(latent, shape), 0)
        back = None
        if method.joint:
            judge = stack(lambda: joint_discriminator(networks, latent, shape), 1)
            back = stack(lambda: reconstructor(networks, latent, shape), 2)
        else:
            judge = stack(lambda: networks.discriminator(shape, method.pack), 1)
        self._moving = [*self.generator.parameters(), *(back.parameters() if back else ())]
        self._judging = [*judge.parameters()]
        self._adams = [
            torch.optim.Adam(weights, setting.lr, betas=setting.betas, fused=True)
            for weights in (self._judging, self._moving)
        ]
        streams = Streams([1_000_003 + seed for seed in seeds], device)
        self.table = Table(
            self.generator, judge, back, streams, setting.gamma, adam=self._adams[0]
        )
        self.averages = {
            name: weight.detach().clone() for name, weight in self.generator.named_parameters()
        }
        self._rate = Cosine(start=setting.lr, end=setting.lr_end)
        self._clock = time.process_time if device.type == "cpu" else time.perf_counter
        self.updates, self.seconds = 0, 0.0

    def run(self, until: int, report: Report | None = None) -> None:
        """Train up to so many updates."""
        while self.updates < until:
            begun = self._clock()
            self._update()
            self.updates += 1
            self._average()
            self.seconds += self._clock() - begun
            if report is not None:
                report(self.updates)

    def _update(self) -> None:
        setting, method = self.setting, self.method
        done = self.updates / setting.updates
        rate = self._rate(Progress(self.updates, self.updates, setting.updates))
        self._adams[0].param_groups[0]["lr"] = setting.critic_rate * rate
        self._adams[1].param_groups[0]["lr"] = rate
        self.table.gamma = setting.gamma ** (1 - done) * setting.gamma_end**done
        if setting.simultaneous and method.critic_steps == setting.generator_steps == 1:
            real, z = self._real(), self._codes()
            fake = self.generator(z)
            loss = method.critic(self.table, real, fake.detach(), z)
            self._slopes(loss, self._judging)
            self._slopes(method.generator(self.table, real, fake, z), self._moving)
            for adam in self._adams:
                adam.step()
            return
        real = self._real()
        for move in range(method.critic_steps):
            real, z = self._real() if move else real, self._codes()
            with torch.no_grad():
                fake = self.generator(z)
            self._slopes(method.critic(self.table, real, fake, z), self._judging)
            self._adams[0].step()
        for _ in range(setting.generator_steps):
            z = self._codes()
            self._slopes(method.generator(self.table, real, self.generator(z), z), self._moving)
            self._adams[1].step()

    def _slopes(self, loss: Tensor, weights: Sequence[Tensor]) -> None:
        """Set the gradients of some weights; the others' are not even computed."""
        slopes = torch.autograd.grad(len(self.seeds) * loss, weights)
        for weight, slope in zip(weights, slopes):
            # fused Adam on a CPU reads memory in order: a transposed gradient would be scrambled
            weight.grad = slope.contiguous()

    def _real(self) -> Tensor:
        return self.suite.draw(self.table.streams, self.setting.batch * self.method.pack)

    def _codes(self) -> Tensor:
        return self._prior(self.table.streams, self.setting.batch * self.method.pack)

    def _prior(self, streams: Streams, rows: int) -> Tensor:
        if self.setting.prior == "uniform":
            return 2 * streams.uniform(rows, self.setting.latent) - 1
        return streams.normal(rows, self.setting.latent)

    @torch.no_grad()
    def _average(self) -> None:
        half_life = min(self.setting.half_life, RAMP * self.updates)
        share = 1 - 0.5 ** (1 / half_life) if half_life else 1.0
        live = [weight.detach() for weight in self.generator.parameters()]
        averages = list(self.averages.values())
        torch._foreach_lerp_(averages, live, share)  # pyright: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Samples of the averaged generators on the CPU, (S, N, *shape), from fixed codes."""
        streams = Streams([2_000_003 + seed for seed in self.seeds], self.table.streams.device)
        codes = self._prior(streams, self.suite.samples).unflatten(0, (len(self.seeds), -1))
        parts = [
            functional_call(self.generator, self.averages, part.flatten(0, 1))
            .unflatten(0, (len(self.seeds), -1))
            .cpu()
            for part in codes.split(CHUNK, dim=1)
        ]
        return torch.cat(parts, dim=1)

    # -- stopping and going on -------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write all that `restore` needs."""
        state: dict[str, Any] = {
            "weights": [stack.state_dict() for stack in self._stacks()],
            "averages": self.averages,
            "adams": [adam.state_dict() for adam in self._adams],
            "streams": self.table.streams.state(),
            "updates": self.updates,
            "seconds": self.seconds,
        }
        with atomic(path) as partial:
            torch.save(state, partial)

    @torch.no_grad()
    def restore(self, path: Path) -> None:
        """Go on as if the training had never stopped; no code is read, only numbers."""
        state = torch.load(path, map_location=self.table.streams.device, weights_only=True)
        for stack, kept in zip(self._stacks(), state["weights"], strict=True):
            stack.load_state_dict(kept)
        for name, average in self.averages.items():
            average.copy_(state["averages"][name])
        for adam, kept in zip(self._adams, state["adams"], strict=True):
            adam.load_state_dict(kept)
        self.table.streams.restore(state["streams"])
        self.updates, self.seconds = state["updates"], state["seconds"]

    def _stacks(self) -> list[Stack]:
        table = self.table
        return [s for s in (table.generator, table.discriminator, table.reconstructor) if s]
