"""Augmentation on few images: the same training without, with `diffaugment`, with `ada`.

    OMP_NUM_THREADS=1 python benchmarks/ada.py --system dcgan/fashion --page docs/benchmarks/ada.md

Each run learns from 1,000 images of Fashion-MNIST (--few), always the same. Its ten checkpoints
are judged on the 10,000 of the test part: the Fréchet distance of 5,000 samples on features of a
classifier, how much more often than fresh images they are authentic there, and by how much the
critic tells its images from others. What stands in --out is not made again, so a bench that was
stopped goes on. Settings that differ from the preset's follow --set. Table and plot are written
between the marks of the system, the number and the settings in --page.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from zerosum.augment.adaptive import overfitted_by_heldout
from zerosum.bench.kept import demand_same
from zerosum.bench.pages import between_marks, demand, mean_and_spread
from zerosum.core.draw import draw
from zerosum.core.game import Game
from zerosum.core.overrides import parse
from zerosum.core.recipe import Recipe
from zerosum.core.registry import recipe
from zerosum.data.source import Source, Split
from zerosum.files import write_text
from zerosum.metrics import authenticity, frechet_distance
from zerosum.modalities.images.extractors import extractor
from zerosum.plots import COLOURS, save_figure
from zerosum.training import checkpoint, fitting
from zerosum.training.run import RunFolder, read_run
from zerosum.training.trainer import Trainer

FEATURES = "cnn-fashion-mnist"
SAMPLES, POINTS = 5_000, 10
"""Samples and checkpoints."""
ARMS: dict[str, list[dict[str, object]]] = {
    "none": [],
    "diffaugment": [{"name": "diffaugment"}],
    "ada": [{"name": "ada", "speed": 100_000}],
}
"""Remedies of each arm. The speed is that of short runs: p can reach 1 in a fifth of one."""
Row = dict[str, float]


def mark(arguments: argparse.Namespace) -> str:
    """The name of a table on its page."""
    return ", ".join([f"ada: {arguments.system}", str(arguments.few), *arguments.set])


def named(arguments: argparse.Namespace, between: str) -> str:
    """System, number and settings as a part of a file's name."""
    words = [*arguments.system.split("/"), str(arguments.few), *arguments.set]
    return between.join(words).replace("=", between)


def folder_of(arguments: argparse.Namespace, arm: str, seed: int) -> Path:
    return arguments.out / named(arguments, "-") / f"{arm}-{seed}"


def common(arguments: argparse.Namespace) -> Recipe:
    """What all arms have in common."""
    changes = {"data.limit": arguments.few, **dict(map(parse, arguments.set))}
    return recipe(arguments.system).override(changes)


def results(arguments: argparse.Namespace, arm: str, seed: int) -> list[Row]:
    """A row for each checkpoint of a run, which is made where it does not stand there."""
    folder = folder_of(arguments, arm, seed)
    file = folder / "judged.json"
    every = max(arguments.images // POINTS, 1)
    asked = common(arguments).override(
        {
            "remedies": ARMS[arm],
            "train.seed": seed,
            "train.examples": arguments.images,
            "train.checkpoint_every": every,
            "train.keep": POINTS + 2,
            "train.sheet_every": arguments.images,
            "train.log_every": every,
            "evaluate.samples": 0,
        }
    )
    if file.is_file():
        demand_same(asked, folder)
        return json.loads(file.read_text())
    Trainer(asked, folder, device=arguments.device, quiet=True).fit()
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    pace = arguments.images / log[-1]["values"]["seconds"]  # over all that a run was stopped
    strength = {row["seen"]: row["values"].get("ada/p", 0.0) for row in log}
    # A run that was stopped has a checkpoint of that moment too.
    found = [row for row in judged(folder, arguments) if row["seen"] in strength]
    rows = [row | {"pace": pace, "p": strength[row["seen"]]} for row in found]
    write_text(file, json.dumps(rows, indent=1))
    return rows


def judged(folder: Path, arguments: argparse.Namespace) -> list[Row]:
    """Fréchet distance, authenticity and r_v of each checkpoint of a run."""
    saved = read_run(folder)
    split, game = saved.recipe.data.open(saved.codec), saved.game.to(arguments.device)
    real, learned = (seen_by(part, arguments.device) for part in (split.heldout, split.train))
    rows = []
    for path in checkpoint.checkpoints(RunFolder(folder).checkpoints):
        found = checkpoint.load(path)
        fitting.fill(game, found.game | found.training["extra"][0], str(path))
        gap = r_v(game, split, arguments.few)
        fitting.fill(game, found.ema, str(path), whole=False)
        fake = features(draw(game, SAMPLES, 1)["image"], arguments.device)
        distance = frechet_distance(real=real, fake=fake, interval=False).value
        own = authenticity(real=learned, fake=fake, held_out=real).value
        row = {"seen": found.state["seen"], "fd": distance, "r_v": gap, "authentic": own}
        rows.append(row)
    return rows


def features(images: Tensor, device: str) -> Tensor:
    """Features (N, d), on the CPU, of images (N, C, H, W)."""
    net = extractor(FEATURES).to(device)
    return torch.cat([net(part.to(device)).cpu() for part in images.split(250)])


def seen_by(part: Source, device: str) -> Tensor:
    """Features (N, d) of all images of a part of the data."""
    return features(part.finished(range(len(part)))["image"], device)


def copies(arguments: argparse.Namespace) -> float:
    """The distance of the images that are learned from themselves, each of them once."""
    split = common(arguments).data.open()
    real, fake = (seen_by(part, arguments.device) for part in (split.heldout, split.train))
    return frechet_distance(real=real, fake=fake, interval=False).value


@torch.no_grad()
def r_v(game: Game, split: Split, few: int) -> float:
    """How much the critic has overfitted: 0 not at all, 1 knows what it learned from alone.

    It sees all images unchanged, `few` of each kind.
    """
    (critic,) = game.critics().values()
    kinds = split.train.some(few), split.heldout.some(few), draw(game, few, 0)
    logits = [
        torch.cat(
            [critic({"image": p.to(game.device)}).flatten() for p in kind["image"].split(64)]
        )
        for kind in kinds
    ]
    return overfitted_by_heldout(*logits).item()


def table(runs: dict[str, list[list[Row]]], copied: float) -> str:
    lines = [
        "| augmentation | FD at the end | best FD | at images | authentic, points | "
        "r_v at the end | p | images/s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines.append(f"| the images themselves | {copied:.3g} | - | - | - | - | - | - |")
    for arm, found in runs.items():
        best = [min(rows, key=lambda row: row["fd"]) for rows in found]
        cells = [
            mean_and_spread([rows[-1]["fd"] for rows in found]),
            mean_and_spread([row["fd"] for row in best]),
            f"{statistics.mean(row['seen'] for row in best):,.0f}",
            # Results of an earlier edition of this bench lack it.
            mean_and_spread([r[-1]["authentic"] for r in found if "authentic" in r[-1]], "+.1f"),
            mean_and_spread([rows[-1]["r_v"] for rows in found]),
            mean_and_spread([rows[-1]["p"] for rows in found]) if arm == "ada" else "-",
            f"{statistics.mean(rows[-1]['pace'] for rows in found):.0f}",
        ]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(runs: dict[str, list[list[Row]]], path: Path) -> None:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    titles = {"fd": "Fréchet distance to the test part", "r_v": "overfitting of the critic, r_v"}
    for axis, (name, title) in zip(figure.subplots(1, 2), titles.items()):
        for (arm, found), colour in zip(runs.items(), COLOURS):
            for number, rows in enumerate(found):
                x, y = zip(*((row["seen"] / 1000, row[name]) for row in rows))
                axis.plot(x, y, color=colour, lw=1.2, label=None if number else arm)
        axis.set_title(title)
        axis.set_xlabel("thousands of images seen")
        if name == "fd":  # late differences are small beside the first distances
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("{x:g}")
        axis.grid(alpha=0.25, which="both")
        axis.legend(frameon=False)
    save_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--system", default="rpgan/fashion")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--few", type=int, default=1_000, help="images to learn from")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings that differ"
    )
    parser.add_argument("--images", type=int, default=500_000, help="length of each run")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", type=Path, default=Path("runs/ada"))
    parser.add_argument("--page", type=Path, help="page to write into, between its marks")
    arguments = parser.parse_args()
    if arguments.page:
        demand(arguments.page, mark(arguments))  # before hours of work
    runs: dict[str, list[list[Row]]] = {arm: [] for arm in arguments.arms}
    for seed in arguments.seeds:  # seed by seed, so that a stopped bench has whole pairs
        for arm in arguments.arms:
            runs[arm].append(results(arguments, arm, seed))
            print(arm, seed, runs[arm][-1][-1], flush=True)
    found = table(runs, copies(arguments))
    print(found)
    if arguments.page:
        first = folder_of(arguments, arguments.arms[0], arguments.seeds[0])
        where = RunFolder(first).read_machine()
        picture = arguments.page.parent.parent / "pictures" / f"ada_{named(arguments, '_')}.png"
        plot(runs, picture)
        seeds = " ".join(map(str, arguments.seeds))
        few = "" if arguments.few == parser.get_default("few") else f" --few {arguments.few}"
        change = f" --set {' '.join(arguments.set)}" if arguments.set else ""
        told = f", {', '.join(f'`{word}`' for word in arguments.set)}" if arguments.set else ""
        asked = (
            f"--system {arguments.system}{few}{change} --seeds {seeds} --images {arguments.images}"
        )
        text = (
            f"```\nOMP_NUM_THREADS=1 python benchmarks/ada.py {asked}\n```\n\n{found}\n\n"
            f"`{arguments.system}`{told} on {arguments.few:,} images of Fashion-MNIST, "
            f"{arguments.images:,} seen; {SAMPLES:,} samples (seed 1) of the averaged generator "
            f"against the 10,000 images of the test part on `{FEATURES}`; mean ± "
            f"standard deviation of the training seeds {seeds}; {where['device']}, "
            f"{where['versions']}.\n\n"
            f"![curves](../pictures/{picture.name})"
        )
        between_marks(arguments.page, mark(arguments), text)


if __name__ == "__main__":
    main()
