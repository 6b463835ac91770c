"""Three hundred molecules of one family: do minibatch discrimination and replay prevent collapse?

    python benchmarks/molecules_few.py --out runs/few --page few.md

The family is chosen by rule: of the QM9 molecules the Bemis-Murcko scaffold that most of them
share, and of its molecules 300 that a seed draws. `molgan/imitation`, whose drafts are learned as
in the paper, learns them with neither option, with each, and with both; `molgan/qm9`, whose drafts
are free, with neither. Per seed it is told how many of 5,000 samples are valid, how many of the
first 1,000 valid ones are distinct, how diverse they are (IntDiv1), how many are new, and how many
have the family's scaffold. The training molecules stand beside them. A run that is there is not
trained again. A cell is mean ± standard deviation over seeds.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import zerosum
from zerosum.bench.pages import mean_and_spread
from zerosum.chem.fingerprints import scaffold
from zerosum.chem.molecules import rdkit
from zerosum.data.order import LIMIT, choose
from zerosum.files import write_text
from zerosum.modalities.molecules import Molecules, MoleculeSource
from zerosum.modalities.molecules.scores import diversity, judge

COMPARED, REPLAY = {"model.compared": 16}, {"model.replay": 1_000}
VARIANTS = {
    "neither": ("imitation", {}),
    "minibatch discrimination": ("imitation", COMPARED),
    "replay": ("imitation", REPLAY),
    "both": ("imitation", COMPARED | REPLAY),
    "free drafts, neither": ("qm9", {}),
}
COLUMNS = ("valid", "distinct of 1,000", "diversity", "new", "in the family")


def family(count: int) -> tuple[str, list[str]]:
    """The commonest scaffold of QM9, and molecules that have it, always the same ones."""
    every = Molecules(path="qm9", holdout=0).open().train
    assert isinstance(every, MoleculeSource)
    found = [(text, scaffold(text)) for text in every]
    ((ring, _),) = Counter(ring for _, ring in found if ring).most_common(1)
    members = [text for text, own in found if own == ring]
    return ring, [members[row] for row in choose((0, LIMIT), len(members), count).tolist()]


def scored(samples: list[str | None], train: list[str], ring: str) -> list[float]:
    """The columns of one set of samples."""
    found = judge(samples, train, worth=False)
    valid = [text for text in samples if text is not None]
    first = valid[:1_000]
    same = sum(scaffold(text) == ring for text in first) / max(len(first), 1)
    distinct = len(set(first)) / max(len(first), 1)
    return [found.validity, distinct, diversity(first), found.novelty, same]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/few"))
    parser.add_argument("--page", type=Path, help="write the table here, too")
    parser.add_argument("--examples", type=int, default=60_000, help="molecules seen per run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=5_000)
    arguments = parser.parse_args()
    ring, members = family(300)
    print(f"{len(members)} molecules with the scaffold {ring}")
    data = Molecules(path="family", smiles=tuple(members), holdout=0)
    rows = {"the training molecules": [scored([*members], [], ring)]}
    seen = arguments.examples
    terms = {"train.examples": seen, "ema.half_life": seen // 20, "evaluate.every": 0}
    for name, (preset, settings) in VARIANTS.items():
        base = zerosum.recipe(f"molgan/{preset}").model_copy(update={"data": data})
        for seed in range(arguments.seeds):
            folder = arguments.out / f"{name.replace(',', '').replace(' ', '-')}-{seed}"
            zerosum.train(base.override({**settings, **terms, "train.seed": seed}), folder)
            mols = zerosum.load(folder).sample(arguments.samples, seed=0)
            made = [None if mol is None else rdkit().MolToSmiles(mol) for mol in mols]
            rows.setdefault(name, []).append(scored(made, members, ring))
            print(name, seed, *(f"{value:.3f}" for value in rows[name][-1]), flush=True)
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|"]
    for name, found in rows.items():
        columns = [[row[place] for row in found] for place in range(len(COLUMNS))]
        cells = [mean_and_spread(column, ".3f", ".3f") for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    table = "\n".join(lines) + "\n"
    print(table)
    if arguments.page is not None:
        write_text(arguments.page, table)


if __name__ == "__main__":
    main()
