"""Games for two processes: imported by the test, and run by torchrun as a script.

As a script it plays every case on this rank's half of the batch and writes what came out to the
file named on the command line.
"""

from __future__ import annotations

import sys
from itertools import islice, product
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))

from core_games import Duel, optimizers

from zerosum.core.engine import play_step
from zerosum.core.game import Progress, Turn
from zerosum.core.registry import build_game, recipe
from zerosum.core.runtime import Runtime
from zerosum.losses.penalties import gradient_penalty, r1, r2
from zerosum.training.prepare import prepare
from zerosum.training.recorder import Recorder

BATCH, STEPS = 8, 3
LOSSES = ["plain", "r1", "r2", "wgan-gp", "lazy r1"]
CASES = [
    *product(LOSSES, ["sgd", "adam"], [False]),
    *product(LOSSES, ["adam"], [True]),
]
KINDS = {"sgd": (torch.optim.SGD, {"lr": 0.02}), "adam": (torch.optim.Adam, {"lr": 0.01})}
"""Adam's default betas: a momentum, which must rest where a gradient is missing."""


class Duellists(Duel):
    """`Duel` with a penalty; all randomness is in the batch."""

    def __init__(self, penalty, seed=0):
        super().__init__(seed)
        self.penalty = penalty
        self.moves = [
            Turn("discriminator", self.critic_loss),
            Turn("generator", self.generator_loss),
        ]
        if penalty == "lazy r1":  # the critic's last bias gets no gradient from this turn
            lazy = Turn(
                "discriminator", lambda b: {"r1": 2 * r1(self.discriminator, b["point"])}, every=2
            )
            self.moves.append(lazy)

    def critic_loss(self, batch):
        real, mix = batch["point"], batch["mix"]
        with torch.no_grad():
            fake = self.generator(batch["noise"])
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        if self.penalty == "wgan-gp":
            adversarial = fake_logits.mean() - real_logits.mean()
        else:
            adversarial = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
        terms = {"adversarial": adversarial}
        if self.penalty == "r1":
            terms["penalty"] = r1(self.discriminator, real)
        elif self.penalty == "r2":
            terms["penalty"] = r2(self.discriminator, fake)
        elif self.penalty == "wgan-gp":
            terms["penalty"] = 10 * gradient_penalty(self.discriminator, real, fake, mix=mix)
        return terms


def batches():
    rng = torch.Generator().manual_seed(3)
    while True:
        yield {
            "point": torch.randn(BATCH, 2, generator=rng),
            "noise": torch.randn(BATCH, 2, generator=rng),
            "mix": torch.rand(BATCH, generator=rng),
        }


def play(case, runtime):
    """Weights and log after some steps on this rank's share, and how often dynamo compiled."""
    penalty, kind, compiled = case
    game = Duellists(penalty, seed=runtime.rank)  # only the broadcast makes ranks equal
    runtime.broadcast(game)
    rule, options = KINDS[kind]
    chosen = optimizers(game, rule, **options)
    counter = None
    if compiled:
        from torch._dynamo.testing import CompileCounterWithBackend

        torch._dynamo.reset()
        counter = CompileCounterWithBackend("aot_eager")
        for net in (game.discriminator, game.generator):
            net.forward = torch.compile(net.forward, backend=counter, dynamic=False)
    share = BATCH // runtime.world
    here = slice(runtime.rank * share, (runtime.rank + 1) * share)
    mine = ({name: t[here] for name, t in batch.items()} for batch in batches())
    log = {}
    for step in range(STEPS):
        game.progress = Progress(step, step * BATCH, STEPS * BATCH)
        log = play_step(game, mine, chosen, runtime)
    norms = {name: value.item() for name, value in log.items() if name.endswith("grad_norm")}
    return {
        "weights": {name: p.detach() for name, p in game.named_parameters()},
        "norms": norms,
        "compiled": 0 if counter is None else counter.frame_count,
    }


class Listener:
    """A logger that keeps what it hears."""

    def __init__(self):
        self.heard = []

    def scalars(self, values, progress):
        self.heard.append(dict(values))

    def picture(self, name, path, progress):
        return

    def close(self):
        return


def only_one_rank_fails(runtime):
    """Whether this rank's weights stayed, when rank 1 alone had a gradient that is not finite."""
    game = Duellists("plain")
    batch = next(batches())
    if runtime.rank == 1:
        batch["point"] = batch["point"] * torch.nan
    before = [p.clone() for p in game.discriminator.parameters()]
    game.moves = game.moves[:1]
    log = play_step(game, iter([batch]), optimizers(game), runtime)
    after = list(game.discriminator.parameters())
    return {
        "still": all(torch.equal(a, b) for a, b in zip(before, after, strict=True)),
        "skipped": log["discriminator/skipped"].item(),
    }


def recorded(runtime):
    """What a logger hears when rank r reports r + 1 and, on rank 1 only, `own`."""
    listener = Listener()
    recorder = Recorder([listener], runtime)
    log = {"player/term": torch.tensor(runtime.rank + 1.0)}
    if runtime.rank == 1:
        log["player/own"] = torch.tensor(5.0)
    recorder.add(log, {"logits": torch.tensor([0.0, 2.0]) + 10 * runtime.rank})
    recorder.flush(Progress(1, 8, 8), {})
    return listener.heard[0]


def buffers(runtime):
    """Running means after `synchronise_buffers`, when ranks saw different data."""
    norm = nn.BatchNorm1d(1)
    norm.running_mean.fill_(float(runtime.rank))
    norm.num_batches_tracked.fill_(7)
    runtime.synchronise_buffers(norm)
    return norm.running_mean.item(), norm.num_batches_tracked.item()


def controlled(runtime):
    """r_t and p of the remedy `ada`, when ranks saw different logits for five steps."""
    settings = {"name": "ada", "target": -0.5, "speed": 1_000}
    asked = recipe("dcgan/tiny").override({"remedies": [settings]})
    game = build_game(prepare(asked, Runtime(torch.device("cpu")))[1]).train()
    (effect,) = game.remedies
    # A mean sign of 0.5 on rank 0, of -1 on rank 1.
    real = torch.tensor([3.0, 2.0, 1.0, -1.0]) if runtime.first else torch.full((4,), -2.0)
    turn = Turn("discriminator", lambda batch: {"loss": game.objective.critic(real, real)})
    for step in range(5):
        game.progress = Progress(step, step * BATCH, 1_000)
        effect.turn(game, turn).loss({})
        game.after_step(game.progress)
        runtime.synchronise_buffers(game)
    return {"r_t": effect.measured.item(), "p": effect.p.item()}


def main(out):
    torch.set_num_threads(1)
    runtime = Runtime.start("cpu")
    found = {
        "cases": [play(case, runtime) for case in CASES],
        "failure": only_one_rank_fails(runtime),
        "recorded": recorded(runtime),
        "buffers": buffers(runtime),
        "ada": controlled(runtime),
        "shared": runtime.share(f"from rank {runtime.rank}"),
        "world": runtime.world,
    }
    everyone = runtime.gather(found)
    if runtime.first:
        torch.save(everyone, out)
    runtime.close()
    Path(f"{out}.threads-{runtime.rank}").write_text("\n".join(threads()))


def threads():
    """Names of this process's threads, those of libraries included; Linux tells them."""
    names = Path("/proc/self/task").glob("*/comm")
    return sorted(name.read_text().strip() for name in names)


def alone():
    """Each case in one process on the whole batch, uncompiled."""
    runtime = Runtime(torch.device("cpu"))
    return [play((penalty, kind, False), runtime) for penalty, kind, _ in CASES]


def first_batches(count):
    return list(islice(batches(), count))


if __name__ == "__main__":
    main(sys.argv[1])
