"""What R1 and R2 cost, exact and by finite differences: a table for docs/guide/losses.md.

    OMP_NUM_THREADS=1 python benchmarks/penalties.py --rounds 7

One step of a critic of 64x64 RGB images (losses of real and fake, both penalties, backward) in
milliseconds and in MiB above what the process or the device held before it. The conditions take
turns within one run; times are medians, ratios are medians over the rounds. `exact` needs the
second derivative, so its attention cannot be fused; `finite` makes a pass more for each side,
`finite, logits known` uses those of the loss.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention, softplus

from zerosum.losses import finite_r1, finite_r2, r1, r2
from zerosum.nets.dcgan import Discriminator

WIDTH, PATCH, HEADS, DEPTH = 192, 8, 3, 6


class Block(nn.Module):
    """Attention and two layers, each normalised before and added."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.asked, self.joined = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        parts = self.asked(self.before(x)).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)
        x = x + self.joined(seen)
        return x + self.wide(self.between(x))


class Transformer(nn.Module):
    """A plain transformer of 64 patches to a logit."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.place = nn.Parameter(0.02 * torch.randn((64 // PATCH) ** 2, WIDTH))
        self.blocks = nn.Sequential(*(Block() for _ in range(DEPTH)))
        self.score = nn.Linear(WIDTH, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.cut(images).flatten(2).transpose(1, 2) + self.place
        return self.score(self.blocks(x).mean(1)).squeeze(1)


CRITICS: dict[str, Callable[[], nn.Module]] = {
    "DCGAN": lambda: Discriminator(64, 3, (64, 64), norm=None),
    "transformer": Transformer,
}
KINDS = ("none", "exact", "finite", "finite, logits known")


def step(critic: nn.Module, real: Tensor, fake: Tensor, kind: str) -> None:
    """One critic's step up to its gradients, with penalties of a kind."""
    on_real, on_fake = critic(real), critic(fake)
    loss = softplus(on_fake - on_real).mean()
    if kind == "exact":
        with sdpa_kernel(SDPBackend.MATH):
            loss = loss + 0.05 * (r1(critic, real) + r2(critic, fake))
    elif kind != "none":
        known = (on_real, on_fake) if "known" in kind else (None, None)
        loss = loss + 0.05 * (
            finite_r1(critic, real, logits=known[0]) + finite_r2(critic, fake, logits=known[1])
        )
    critic.zero_grad(set_to_none=True)
    loss.backward()


def built(name: str, batch: int, device: str) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    critic = CRITICS[name]().to(device)
    real, fake = torch.randn(2, batch, 3, 64, 64, device=device)
    return critic, real, fake


def milliseconds(case: tuple[nn.Module, Tensor, Tensor], kind: str, device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    begun = time.perf_counter()
    step(*case, kind)
    if device == "cuda":
        torch.cuda.synchronize()
    return 1_000 * (time.perf_counter() - begun)


def peak(name: str, batch: int, device: str, kind: str) -> float:
    """MiB above what was held before a step."""
    critic, real, fake = built(name, batch, device)
    if device == "cuda":
        step(critic, real, fake, kind)
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step(critic, real, fake, kind)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    step(critic, real[:2], fake[:2], kind)  # loads the kernels
    unit = 2**20 if sys.platform == "darwin" else 2**10
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step(critic, real, fake, kind)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    given = parser.parse_args()
    chip = torch.cuda.get_device_name() if given.device == "cuda" else "CPU"
    print(f"{chip}, {torch.get_num_threads()} thread(s), batch {given.batch}, torch", end=" ")
    print(f"{torch.__version__}\n\n| critic | penalties | ms | to exact | MiB | to exact |")
    print("|---|---|---|---|---|---|")
    # A process of its own for each, and before this one grows: the highest memory of a process
    # never falls, and a child begins with its parent's.
    pool, memory = multiprocessing.get_context("spawn"), {}
    for name in CRITICS:
        for kind in KINDS:
            with pool.Pool(1) as alone:
                memory[name, kind] = alone.apply(peak, (name, given.batch, given.device, kind))
    for name in CRITICS:
        case = built(name, given.batch, given.device)
        times: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for number in range(given.rounds + 2):
            for kind in KINDS:
                spent = milliseconds(case, kind, given.device)
                if number >= 2:  # first steps allocate and plan
                    times[kind].append(spent)
        for kind in KINDS:
            ratio = statistics.median(a / b for a, b in zip(times[kind], times["exact"]))
            print(
                f"| {name} | {kind} | {statistics.median(times[kind]):.3g} | {ratio:.2f} "
                f"| {memory[name, kind]:.0f} | {memory[name, kind] / memory[name, 'exact']:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
