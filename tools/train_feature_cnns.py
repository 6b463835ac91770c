"""Train the small classifiers whose features `cnn-<set>` gives, and store them in the package.

    python tools/train_feature_cnns.py digits mnist fashion-mnist cifar10

Each set takes a few minutes on one core. The seed fixes everything on one machine and one
version of torch; elsewhere round-off may move the accuracy a little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from zerosum.data.source import Source
from zerosum.modalities.images import Images
from zerosum.modalities.images.extractors.classifiers import SETS, SmallCNN, weights_file


@dataclass(frozen=True)
class Plan:
    """How long to train, how images are varied, and the least accuracy to ship."""

    epochs: int
    shift: int
    flip: bool
    least: float


PLANS = {
    "digits": Plan(epochs=60, shift=1, flip=False, least=0.98),
    "mnist": Plan(epochs=3, shift=2, flip=False, least=0.99),
    "fashion-mnist": Plan(epochs=4, shift=1, flip=True, least=0.91),
    "cifar10": Plan(epochs=4, shift=2, flip=True, least=0.75),
}
BATCH = 128
RATE = 4e-3


def varied(images: Tensor, plan: Plan, rng: torch.Generator) -> Tensor:
    """Images shifted by a few pixels and, where left and right mean nothing, mirrored."""
    n, _, height, width = images.shape
    edge = plan.shift
    padded = F.pad(images, (edge,) * 4, mode="replicate")
    # One offset for each small group: as good as one for each image, and much quicker.
    parts = []
    for group in padded.split(8):
        y, x = torch.randint(0, 2 * edge + 1, (2,), generator=rng).tolist()
        part = group[:, :, y : y + height, x : x + width]
        parts.append(part)
    moved = torch.cat(parts)
    if plan.flip:
        mirrored = torch.rand(n, generator=rng) < 0.5
        moved = torch.where(mirrored[:, None, None, None], moved.flip(3), moved)
    return moved


def batches(source: Source, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of a set in random order."""
    for rows in torch.randperm(len(source), generator=rng).split(BATCH):
        if len(rows) == BATCH:
            batch = source.finished(rows.tolist())
            yield batch["image"], batch["label"]


@torch.no_grad()
def accuracy(network: SmallCNN, source: Source) -> float:
    """Share of a set that is classified right."""
    network.eval()
    right = 0
    for rows in torch.arange(len(source)).split(500):
        batch = source.finished(rows.tolist())
        right += int((network(batch["image"])[1].argmax(1) == batch["label"]).sum())
    network.train()
    return right / len(source)


def train(name: str, seed: int, epochs: int | None) -> float:
    """Train and store one classifier; gives its accuracy on the held-out part."""
    plan, kind, begun = PLANS[name], SETS[name], time.perf_counter()
    length = epochs or plan.epochs
    split = Images(path=name, size=(kind.side, kind.side), channels=kind.channels).open()
    assert isinstance(split.train, Source) and split.heldout is not None
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    network = SmallCNN(kind.channels, kind.side).to(memory_format=torch.channels_last)
    steps = length * (len(split.train) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for epoch in range(length):
        total = 0.0
        for images, labels in batches(split.train, rng):
            seen = varied(images, plan, rng).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(seen)[1]
            loss = F.cross_entropy(logits.float(), labels, label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        last = epoch == length - 1
        if last or length < 20:
            share = accuracy(network, split.heldout)
            spent = time.perf_counter() - begun
            print(
                f"{name}: epoch {epoch + 1}/{length}, loss "
                f"{total / (steps // length):.4f}, test accuracy {share:.4f}, {spent:.0f} s",
                flush=True,
            )
    if share < plan.least:
        raise SystemExit(f"{name}: {share:.4f} is below {plan.least}: not stored")
    path = weights_file(name)
    path.parent.mkdir(exist_ok=True)
    metadata = {
        "data": f"{split.train.name}, {len(split.train)} images",
        "tested_on": split.heldout_note,
        "accuracy": f"{share:.4f}",
        "seed": str(seed),
        "epochs": str(length),
        "made_by": "tools/train_feature_cnns.py",
    }
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    save_file(state, path, metadata)
    path.chmod(0o644)  # safetensors keeps its files to their owner
    print(f"{name}: {path.name}, {path.stat().st_size:,} bytes", flush=True)
    return share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="instead of the plan's")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.sets or SETS:
        if name not in SETS:
            parser.error(f"there is no set {name}: known are {', '.join(SETS)}")
        train(name, options.seed, options.epochs)


if __name__ == "__main__":
    main()
