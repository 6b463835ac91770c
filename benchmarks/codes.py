"""What the inferring systems learn beside sampling, on the 8x8 digits.

    python benchmarks/codes.py --runs runs/families/digits --seeds 3

InfoGAN: accuracy of the categorical code as a clustering (each value of the code stands for one
digit, matched one to one), beside k-means on pixels. BiGAN: 1-nearest-neighbour accuracy of the
codes E(x), beside that of pixels. Both runs are those of `zerosum bench families` (folders
SYSTEM-SEED/run). Improved: error of the preset `classifier`, trained here, with about a hundred
labels, beside the same network trained on these labels alone and a support vector machine. The
training part is the 90 % that the runs learned from, tests are on the other 10 %.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from torch import Tensor
from torch.nn.functional import cross_entropy

import zerosum
from zerosum.bench.pages import mean_and_spread
from zerosum.data.source import Source
from zerosum.modalities.images import Images
from zerosum.training.run import read_run
from zerosum.training.state import seed_everything

Set = tuple[Tensor, Tensor]


def digits() -> tuple[Set, Set]:
    """Images and labels of the training part and of the held-out part."""
    split = Images(path="digits").open()
    parts = []
    for source in (split.train, split.heldout):
        assert isinstance(source, Source)
        batch = source.finished(range(len(source)))
        parts.append((batch["image"], batch["label"]))
    return parts[0], parts[1]


def matched_accuracy(clusters: Tensor, labels: Tensor) -> float:
    """Share of samples whose cluster is matched, one to one, with their label."""
    table = torch.zeros(10, 10, dtype=torch.long)
    table.index_put_((clusters, labels), torch.ones_like(labels), accumulate=True)
    rows, columns = linear_sum_assignment(-table.numpy())
    return int(table[rows, columns].sum()) / len(labels)


def neighbour_accuracy(train: Set, test: Set) -> float:
    rule = KNeighborsClassifier(1).fit(train[0].flatten(1), train[1])
    return float(rule.score(test[0].flatten(1), test[1]))


@torch.no_grad()
def error(game, test: Set) -> float:
    return float((game.classify(test[0]).argmax(1) != test[1]).float().mean())


def classifier(runs: Path, seed: int):
    """The game of preset `improved/classifier`, trained unless it is there already."""
    out = runs / f"classifier-{seed}"
    changes = {"train.seed": seed, "evaluate.samples": 0}
    if not (out / "samples.png").exists():
        zerosum.train(zerosum.recipe("improved/classifier").override(changes), out, quiet=True)
    return read_run(out).game


def supervised_twin(game, known: Set, test: Set, seed: int) -> float:
    """Error of the same classifier, from the start, on the labelled images alone."""
    seed_everything(seed)
    twin = type(game)(game.config)
    network = torch.nn.ModuleList([twin.trunk, twin.head])
    rule = torch.optim.Adam(network.parameters(), lr=3e-4, betas=(0.5, 0.999))
    for _ in range(1_000):
        rule.zero_grad()
        cross_entropy(twin.classify(known[0]), known[1]).backward()
        rule.step()
    return error(twin.eval(), test)


def line(name: str, values: list[float], rival: str) -> str:
    return f"| {name} | {mean_and_spread(values, '.1f', '.1f', 100)} | {rival} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/families/digits"))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    train, test = digits()
    games = {
        name: [
            read_run(arguments.runs / f"{name}-{s}" / "run").game for s in range(arguments.seeds)
        ]
        for name in ("infogan", "bigan")
    }
    games["improved"] = [classifier(arguments.runs, seed) for seed in range(arguments.seeds)]
    print(f"| what ({arguments.seeds} seeds) | % | beside it |\n|---|---|---|")

    everything = torch.cat([train[0], test[0]]), torch.cat([train[1], test[1]])
    with torch.no_grad():
        found = [
            matched_accuracy(g.cluster(everything[0]), everything[1]) for g in games["infogan"]
        ]
    means = [
        matched_accuracy(
            torch.as_tensor(
                KMeans(10, n_init=10, random_state=seed).fit_predict(everything[0].flatten(1))
            ).long(),
            everything[1],
        )
        for seed in range(arguments.seeds)
    ]
    rival = f"k-means on pixels {100 * statistics.mean(means):.1f}"
    print(line("infogan: clusters right", found, rival))

    with torch.no_grad():
        codes = [
            neighbour_accuracy((g.encode(train[0]), train[1]), (g.encode(test[0]), test[1]))
            for g in games["bigan"]
        ]
    rival = f"1-NN on pixels {100 * neighbour_accuracy(train, test):.1f}"
    print(line("bigan: 1-NN on E(x) right", codes, rival))

    errors, twins = [], []
    for seed, game in enumerate(games["improved"]):
        known = game.labelled(train[0])
        labelled = train[0][known], train[1][known]
        errors.append(error(game, test))
        twins.append(supervised_twin(game, labelled, test, seed))
    machine = SVC().fit(labelled[0].flatten(1), labelled[1])
    wrong = 1 - machine.score(test[0].flatten(1), test[1])
    alone = 100 * statistics.mean(twins)
    rival = (
        f"the same network on the {len(labelled[0])} labels alone {alone:.1f}"
        f", a support vector machine on them {100 * wrong:.1f}"
    )
    print(line(f"improved: error with {len(labelled[0])} labels", errors, rival))


if __name__ == "__main__":
    main()
