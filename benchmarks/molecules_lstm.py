"""What a SMILES LSTM reaches in the processor time of a GAN, and random words beside it.

    python benchmarks/molecules_lstm.py latentgan/moses --seconds 1800 --page lstm.md
    python benchmarks/molecules_lstm.py molgan/qm9 --seconds 900

It learns the training part of the preset's data by maximum likelihood for so many seconds of
processor time and writes as many lines as are asked for. Scores are those of `zerosum evaluate
RUN --metrics molecules,fcd,kl`, against training molecules; the held-out part stands beside it as
the ceiling, and random words of SELFIES where the data are words.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import zerosum
from zerosum.data.order import LIMIT, choose
from zerosum.files import write_text
from zerosum.modalities.molecules import MoleculeSource, SelfiesCodec
from zerosum.modalities.molecules.baselines import cleaned, random_selfies, train_lstm
from zerosum.modalities.molecules.chemnet import frechet_chemnet
from zerosum.modalities.molecules.laws import property_laws
from zerosum.modalities.molecules.scores import judge

COLUMNS = ("valid", "unique", "new", "product", "FCD", "KL", "QED", "SA", "diversity")


def scored(samples: Sequence[str | None], train: set[str], real: Sequence[str]) -> list[float]:
    """The columns of one set of samples."""
    found = judge(samples, train)
    valid = [text for text in samples if text is not None]
    laws = property_laws(real, list(dict.fromkeys(valid)))
    told = (found.validity, found.uniqueness, found.novelty, found.product)
    worth = (found.qed, found.sa, found.diversity)
    return [
        *(score.value for score in told),
        frechet_chemnet(real, valid).value,
        sum(laws.values()) / max(len(laws), 1),
        *(score.value for score in worth),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("preset", help="whose data are learned, such as latentgan/moses")
    parser.add_argument("--seconds", type=float, required=True, help="of processor time")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--page", type=Path, help="write the table here, too")
    arguments = parser.parse_args()
    split = zerosum.recipe(arguments.preset).data.open()
    source, aside, codec = split.train, split.heldout, split.codec
    assert isinstance(source, MoleculeSource)
    count, train = arguments.samples, set(source.smiles)
    rows = choose((0, LIMIT), len(source), min(count, len(source))).tolist()
    # KL looks at the first molecules of each set: files begin with the small ones.
    shuffled = random.Random(0)
    shuffled.shuffle(rows)
    real = [source.smiles[row] for row in rows]
    sets: dict[str, Sequence[str | None]] = {}
    if isinstance(aside, MoleculeSource):
        sets["held-out molecules"] = shuffled.sample(aside.smiles, min(count, len(aside)))
    if isinstance(codec, SelfiesCodec):
        for name, shares in (("random SELFIES", False), ("random SELFIES by shares", True)):
            sets[name] = random_selfies(source.smiles, codec, count, 0, shares=shares)
    for seed in range(arguments.seeds):
        model = train_lstm(source.smiles, seed=seed, seconds=arguments.seconds)
        sets[f"SMILES LSTM, seed {seed}"] = cleaned(model.write(count, seed))
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|"]
    for name, samples in sets.items():
        cells = " | ".join(f"{value:.3f}" for value in scored(samples, train, real))
        lines.append(f"| {name} | {cells} |")
        print(lines[-1], flush=True)
    if arguments.page is not None:
        write_text(arguments.page, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
