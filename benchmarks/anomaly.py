"""Detectors beside what is no game: a row for each method, set and seed; a stopped one goes on.

    OMP_NUM_THREADS=1 python benchmarks/anomaly.py --out runs/anomaly --seeds 3
    python benchmarks/anomaly.py --out runs/anomaly --table --page docs/guide/anomaly.md

Everybody learns from the normal examples of the training part. Pictures: 250 normal ones and 250
anomalies of the test part, always the same; pneumoniamnist and tables: the whole test. The
autoencoder has the networks of f_anogan's preset (encoder and generator) and as much processor
time as f_anogan took on the same set and seed. PCA is reconstruction error, once with as many
components as that autoencoder has numbers in its code, once with 95 % of the variance; kNN is the
mean distance to 5 neighbours. Intervals are bootstraps over the test.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from torch import nn

from zerosum.bench.pages import between_marks, demand, mean_and_spread
from zerosum.core.registry import recipe as preset
from zerosum.core.registry import system
from zerosum.data.source import Source, Split
from zerosum.metrics.detection import Detected, detection
from zerosum.nets.mlp import mlp
from zerosum.nets.plain import Generator, Trunk
from zerosum.pipelines.anomaly import AnomalyDetector
from zerosum.training.trainer import Trainer

SETS = {
    "mnist:1": ("mnist", {"data.normal": "1"}),
    "mnist:4": ("mnist", {"data.normal": "4"}),
    "mnist:8": ("mnist", {"data.normal": "8"}),
    "pneumoniamnist": ("pneumonia", {}),
    "mammography": ("mammography", {}),
}
GAMES = ("f_anogan", "ganomaly", "anogan")
ORDER = ("autoencoder", "PCA", "kNN", "isolation forest")
MARK = "anomaly"
"""Of the table on its page."""
EACH = 250
"""Test pictures of each kind, where the test is larger."""
NEIGHBOURS = 5
RATE, BATCH = 1e-3, 64

Rows = NDArray[np.float64]
Method = Callable[[Rows, Rows, int], Rows]


def rows_of(source: Source, numbers: list[int]) -> Rows:
    found = source.finished(numbers)
    (name,) = (key for key in found if key not in ("abnormal", "mask", "condition"))
    return found[name].flatten(1).double().numpy()


def tested(split: Split, most: int) -> tuple[list[int], NDArray[np.bool_]]:
    """Numbers of the test's examples that are used, and their truth."""
    assert split.trial is not None
    truth = split.trial.fetch(range(len(split.trial)))["abnormal"].bool().numpy()
    if most == 0:
        return list(range(len(truth))), truth
    rng = np.random.default_rng(0)
    kinds = [np.flatnonzero(truth == one) for one in (False, True)]
    chosen = np.sort(np.concatenate([rng.permutation(kind)[:most] for kind in kinds]))
    return chosen.tolist(), truth[chosen]


def pca(components: float) -> Method:
    def method(train: Rows, test: Rows, seed: int) -> Rows:
        fitted = PCA(components, random_state=seed).fit(train)
        return ((fitted.inverse_transform(fitted.transform(test)) - test) ** 2).mean(1)

    return method


def knn(train: Rows, test: Rows, seed: int) -> Rows:
    found = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(train)
    return found.kneighbors(test)[0].mean(1)


def forest(train: Rows, test: Rows, seed: int) -> Rows:
    return -IsolationForest(random_state=seed).fit(train).score_samples(test)


def autoencoder(
    train: torch.Tensor, test: torch.Tensor, seed: int, model: dict, seconds: float
) -> tuple[Rows, float]:
    """Squared errors of a plain autoencoder that learns for so many seconds of processor time."""
    torch.manual_seed(seed)
    if train.ndim == 4:
        shape = (model["width"], train.shape[1], (train.shape[2], train.shape[3]))
        trunk = Trunk(*shape, norm=nn.BatchNorm2d)
        encoder = nn.Sequential(trunk, nn.Linear(trunk.features, model["latent"]))
        network = nn.Sequential(encoder, Generator(model["latent"], *shape, norm=nn.BatchNorm2d))
    else:
        layers = (train.shape[1], *model["hidden"], model["latent"])
        network = nn.Sequential(mlp(layers), mlp(layers[::-1]))
    mover = torch.optim.Adam(network.parameters(), lr=RATE)
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        batch = train[torch.randint(len(train), (BATCH,))]
        loss = (network(batch) - batch).square().mean()
        mover.zero_grad()
        loss.backward()
        mover.step()
    spent = time.process_time() - begun
    network.eval()
    with torch.no_grad():
        made = torch.cat([network(part) for part in test.split(BATCH)])
    return (made - test).square().flatten(1).mean(1).double().numpy(), spent


def game(name: str, case: str, seed: int, out: Path, search: dict) -> tuple[Detected, float]:
    kind, changes = SETS[case]
    changes = {**changes, "train.seed": seed, "evaluate.samples": 0, "doctor.policy": "off"}
    recipe = preset(f"{name}/{kind}").override(changes)
    begun = time.process_time()
    Trainer(recipe, out, device="cpu", quiet=True).fit()
    spent = time.process_time() - begun
    detector = AnomalyDetector.load(out, device="cpu", options=search if name == "anogan" else {})
    trial = detector.split.trial
    assert trial is not None
    numbers, truth = tested(detector.split, EACH if case.startswith("mnist") else 0)
    examples = trial.finished(numbers)
    found = {k: v for k, v in examples.items() if k not in ("abnormal", "mask", "condition")}
    scores = detector.scores_of(found)
    normal = torch.from_numpy(detector.calibration.scores)
    return Detected.of(scores, torch.from_numpy(truth), normal), spent


def others(case: str, seed: int, seconds: float) -> Iterator[tuple[str, Detected, float]]:
    """Methods that are no game, on the same examples."""
    kind, changes = SETS[case]
    recipe = preset(f"{'ganomaly' if case == 'mammography' else 'f_anogan'}/{kind}")
    split = recipe.override(changes).data.open()
    train, held = split.train, split.heldout
    assert isinstance(train, Source) and held is not None and split.trial is not None
    numbers, truth = tested(split, EACH if case.startswith("mnist") else 0)
    learned = rows_of(train, list(range(len(train))))
    kept, test = rows_of(held, list(range(len(held)))), rows_of(split.trial, numbers)
    model = recipe.model.model_dump()
    width = min(model["latent"], learned.shape[1] - 1)
    methods: dict[str, Method] = {f"PCA {width}": pca(width), "PCA 95 %": pca(0.95), "kNN": knn}
    methods["isolation forest"] = forest
    for name, method in methods.items():
        begun = time.process_time()
        scores = method(learned, np.concatenate([kept, test]), seed)
        spent = time.process_time() - begun
        yield name, Detected(scores[len(kept) :], truth, scores[: len(kept)]), spent
    name = next(key for key in train.fields if key != "condition")
    tensors = [
        source.finished(chosen)[name]
        for source, chosen in (
            (train, list(range(len(train)))),
            (held, list(range(len(held)))),
            (split.trial, numbers),
        )
    ]
    scores, spent = autoencoder(tensors[0], torch.cat(tensors[1:]), seed, model, seconds)
    yield "autoencoder", Detected(scores[len(kept) :], truth, scores[: len(kept)]), spent


def done(path: Path) -> list[dict]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/anomaly"))
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--games", nargs="*", default=list(GAMES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=200, help="of anogan's search")
    parser.add_argument("--table", action="store_true", help="show what is there, train nothing")
    parser.add_argument("--page", type=Path, help="page to write into, between its marks")
    asked = parser.parse_args()
    if asked.page:
        demand(asked.page, MARK)  # before hours of work
    torch.set_num_threads(1)
    rows = asked.out / "rows.jsonl"
    asked.out.mkdir(parents=True, exist_ok=True)

    def keep(name: str, case: str, seed: int, found: Detected, seconds: float) -> None:
        measures = {k: [s.value, *(s.interval or ())] for k, s in detection(found).items()}
        row = {"method": name, "set": case, "seed": seed, "seconds": seconds, **measures}
        with rows.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        print(f"{case:15} {name:17} {seed} auroc {measures['auroc'][0]:.4f}", flush=True)

    if not asked.table:
        for seed in range(asked.seeds):
            for case in asked.sets:
                known = {(r["method"], r["set"], r["seed"]): r["seconds"] for r in done(rows)}
                playing = [n for n in asked.games if SETS[case][0] in system(n).presets]
                for name in (n for n in playing if (n, case, seed) not in known):
                    folder = asked.out / name / case.replace(":", "-") / str(seed)
                    found, spent = game(name, case, seed, folder, {"steps": asked.steps})
                    keep(name, case, seed, found, spent)
                    known[name, case, seed] = spent
                if playing and ("autoencoder", case, seed) not in known:
                    seconds = known[playing[0], case, seed]
                    for one in others(case, seed, seconds):
                        if (one[0], case, seed) not in known:
                            keep(one[0], case, seed, one[1], one[2])
    print(table(done(rows)))
    if asked.page:
        between_marks(asked.page, MARK, table(done(rows)))


def table(rows: list[dict]) -> str:
    """A row for each set and method: the mean of the seeds with their standard deviation, or of
    one seed the value with its interval over the test."""
    lines = ["| set | method | AUROC | AP | F1 | FPR at 95 % TPR | train s |", "|" + "---|" * 7]
    found = sorted(
        {(row["set"], row["method"]) for row in rows},
        key=lambda one: (list(SETS).index(one[0]), place(one[1])),
    )
    for case, name in found:
        here = [row for row in rows if (row["set"], row["method"]) == (case, name)]
        cells = []
        for key in ("auroc", "ap", "f1", "fpr95"):
            values = [row[key][0] for row in here]
            spread = f"{values[0]:.3f} [{here[0][key][1]:.3f}, {here[0][key][2]:.3f}]"
            cells.append(mean_and_spread(values, ".3f", ".3f") if len(values) > 1 else spread)
        seconds = np.mean([row["seconds"] for row in here])
        link = f"[{name}](../models/{name}.md)" if name in GAMES else name
        lines.append(f"| {case} | {link} | {' | '.join(cells)} | {seconds:.0f} |")
    return "\n".join(lines)


def place(method: str) -> tuple[int, str]:
    """Where a method stands in the table: games first, then as `ORDER` has them."""
    words = (*GAMES, *ORDER)
    return next(n for n, word in enumerate(words) if method.startswith(word)), method


if __name__ == "__main__":
    main()
