"""Honest methods that are no GAN: a language model, random trees and words, the set itself."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from zerosum.chem import molecules as chem
from zerosum.chem.molecules import Bonds
from zerosum.data.fields import finish
from zerosum.errors import UserError
from zerosum.modalities.molecules.smiles import SmilesCodec
from zerosum.modalities.molecules.words import SelfiesCodec, words_of

_END, _MOST = 0, 200  # the token that ends a line, and the longest line that is written
_BATCH = 128  # lines per update of the language model
UPDATES = 500
"""Most updates of the language model among the baselines of an evaluation, about a minute."""
EPOCHS = 30
"""Most of its passes over the training part there."""


class SmilesLSTM(nn.Module):
    """A recurrent network that writes SMILES letter by letter, by maximum likelihood.

    In the manner of Segler, Kogej, Tyrchan and Waller 2018, arXiv:1701.01329, but small: one
    layer of LSTM over letters. What most chemists would try first.

    Args:
        letters: The alphabet; token 0 ends a line.
        width: Numbers in the state.
        embedding: Numbers per letter.
    """

    def __init__(self, letters: Sequence[str], width: int = 256, embedding: int = 64) -> None:
        super().__init__()
        self.letters = tuple(letters)
        self.embed = nn.Embedding(len(letters) + 1, embedding)
        self.lstm = nn.LSTM(embedding, width, batch_first=True)
        self.head = nn.Linear(width, len(letters) + 1)

    def loss(self, lines: Tensor, weights: Tensor) -> Tensor:
        """Mean negative log-likelihood of a letter, of padded lines (B, L) with their ends."""
        start = torch.zeros_like(lines[:, :1])
        logits = self.head(self.lstm(self.embed(torch.cat([start, lines[:, :-1]], 1)))[0])
        each = cross_entropy(logits.flatten(0, 1), lines.flatten(), reduction="none")
        return (each * weights.flatten()).sum() / weights.sum()

    @torch.no_grad()
    def write(self, n: int, seed: int, temperature: float = 1.0) -> list[str]:
        """Lines (n) drawn letter by letter, whether they mean a molecule or not."""
        rng = torch.Generator().manual_seed(seed)
        token, state = torch.zeros(n, 1, dtype=torch.int64), None
        drawn: list[Tensor] = []
        running = torch.ones(n, dtype=torch.bool)
        while len(drawn) < _MOST and bool(running.any()):
            hidden, state = self.lstm(self.embed(token), state)
            chances = (self.head(hidden[:, 0]) / temperature).softmax(1)
            token = torch.multinomial(chances, 1, generator=rng)
            running &= token[:, 0] != _END
            drawn.append(token[:, 0])
        lines: list[str] = []
        for row in torch.stack(drawn, 1).tolist():
            ended = row.index(_END) if _END in row else len(row)
            lines.append("".join(self.letters[number - 1] for number in row[:ended]))
        return lines


def train_lstm(
    smiles: Sequence[str],
    *,
    seed: int = 0,
    updates: int | None = None,
    seconds: float | None = None,
    batch: int = _BATCH,
    lr: float = 1e-3,
    width: int = 256,
) -> SmilesLSTM:
    """Train the language model on some SMILES.

    Args:
        smiles: The training part.
        seed: Of weights and order.
        updates: Stop after so many.
        seconds: Stop after so much processor time.
        batch: Lines per update.
        lr: Adam's learning rate.
        width: Numbers in the network's state.

    Raises:
        UserError: Neither `updates` nor `seconds` says when to stop.
    """
    if updates is None and seconds is None:
        raise UserError("train_lstm needs updates or seconds to know when to stop")
    letters = sorted({letter for line in smiles for letter in line})
    number = {letter: token for token, letter in enumerate(letters, 1)}
    lines = [torch.tensor([number[letter] for letter in line] + [_END]) for line in smiles]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SmilesLSTM(letters, width)
    rng = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(model.parameters(), lr=lr)
    start, done = time.process_time(), 0
    while True:
        for rows in torch.randperm(len(lines), generator=rng).split(batch):
            spent = time.process_time() - start
            if (updates is not None and done >= updates) or (seconds and spent >= seconds):
                return model
            some = [lines[row] for row in rows.tolist()]
            padded = pad_sequence(some, batch_first=True)
            weights = pad_sequence([torch.ones(len(line)) for line in some], batch_first=True)
            adam.zero_grad()
            model.loss(padded, weights).backward()
            adam.step()
            done += 1


@dataclass(frozen=True)
class RandomGraphs:
    """Random trees with rings and double bonds, as many as the data have; valences are kept.

    Each takes the atoms of one training molecule, its number of rings and its number of orders
    beyond single bonds, and nothing else: the atoms, in random order, hang together by a random
    tree of single bonds between those that still take one; then as many rings are closed and
    bonds raised at random, as far as valences allow. So sizes, kinds of atoms, rings and double
    bonds have the law of the data, and no chemistry is learned beyond.

    Attributes:
        counts: Of each training molecule its atoms, its bonds beyond a tree, and the sum of its
            bonds' orders beyond single.
    """

    counts: Sequence[tuple[Sequence[str], int, int]]

    @classmethod
    def fit(cls, smiles: Sequence[str]) -> RandomGraphs:
        """Count a training part."""
        counts: list[tuple[Sequence[str], int, int]] = []
        for text in smiles:
            found = chem.graph_of(text)
            if found is not None:
                names, bonds = found
                raised = sum(order - 1 for _, _, order in bonds)
                counts.append((names, len(bonds) - len(names) + 1, raised))
        return cls(counts)

    def draw(self, rng: random.Random) -> tuple[list[str], Bonds]:
        """One graph."""
        while True:
            atoms, rings, raised = rng.choice(self.counts)
            names = rng.sample(atoms, len(atoms))
            found = _bound(names, rings, raised, rng)
            if found is not None:
                return names, found


def _bound(names: Sequence[str], rings: int, raised: int, rng: random.Random) -> Bonds | None:
    """A random tree over atoms, then rings, then orders; None where the tree cannot be ended."""
    free = [chem.valence(name) for name in names]
    orders: dict[tuple[int, int], int] = {}

    def bind(i: int, j: int) -> None:
        orders[i, j] = orders.get((i, j), 0) + 1
        free[i] -= 1
        free[j] -= 1

    for node in range(1, len(names)):
        hosts = [host for host in range(node) if free[host]]
        if not hosts or not free[node]:
            return None  # ends too soon: draw anew
        bind(rng.choice(hosts), node)
    for count, old in ((rings, False), (raised, True)):
        for _ in range(count):
            open_pairs = [
                (i, j)
                for j in range(len(names))
                for i in range(j)
                if free[i]
                and free[j]
                and ((i, j) in orders) is old
                and orders.get((i, j), 0) < len(chem.ORDERS)
            ]
            if not open_pairs:
                break
            bind(*rng.choice(open_pairs))
    return [(i, j, order) for (i, j), order in orders.items()]


def random_smiles(smiles: Sequence[str], n: int, seed: int) -> list[str | None]:
    """Random molecules (n) with the counts of a training part; None where RDKit refuses one."""
    law, rng = RandomGraphs.fit(smiles), random.Random(seed)
    found: list[str | None] = []
    for _ in range(n):
        mol, _reason = chem.assemble(*law.draw(rng))
        found.append(None if mol is None else chem.rdkit().MolToSmiles(mol))
    return found


def random_selfies(
    smiles: Sequence[str], codec: SelfiesCodec, n: int, seed: int, *, shares: bool = False
) -> list[str | None]:
    """Molecules (n) that random words mean, as many words as a training molecule has.

    Args:
        smiles: The training part.
        codec: Whose words are drawn.
        n: How many molecules.
        seed: Of what is drawn.
        shares: Draw words as often as the training part has them, not all alike.
    """
    rng = torch.Generator().manual_seed(seed)
    chances = torch.tensor(codec.shares if shares else [1.0] * len(codec.words))
    rows = torch.randint(len(smiles), (n,), generator=rng).tolist()
    tokens = torch.zeros(n, codec.length, dtype=torch.int64)
    for row, chosen in enumerate(rows):
        length = len(words_of(smiles[chosen]))
        tokens[row, :length] = 1 + torch.multinomial(chances, length, True, generator=rng)
    return codec.smiles({"tokens": codec.fields["tokens"].finish(tokens)})


def cleaned(lines: Sequence[str]) -> list[str | None]:
    """What a language model wrote as canonical SMILES; None where it is not a whole molecule.

    Held to the rule of graphs: what falls into pieces is not valid.
    """
    found = [(line, chem.clean(line)) for line in lines]
    return [None if one.reason or one.salt else one.smiles for _, one in found]


def baselines(
    train: Sequence[str], codec: SmilesCodec, n: int, seed: int
) -> dict[str, dict[str, Tensor]]:
    """Finished samples (n, ...) of each baseline; what is no molecule is an empty graph."""
    rows = torch.randint(len(train), (n,), generator=torch.Generator().manual_seed(seed))
    updates = min(UPDATES, max(1, EPOCHS * len(train) // _BATCH))
    written = train_lstm(train, seed=seed, updates=updates).write(n, seed)
    sets: dict[str, Sequence[str | None]] = {
        "training molecules again": [train[int(row)] for row in rows],
        "random trees with rings": random_smiles(train, n, seed),
        **_worded(train, codec, n, seed),
        f"SMILES LSTM ({updates:,} updates)": cleaned(written),
    }
    return {name: _finished(smiles, codec) for name, smiles in sets.items()}


def _worded(
    train: Sequence[str], codec: SmilesCodec, n: int, seed: int
) -> dict[str, Sequence[str | None]]:
    """What random words mean, for data that are words."""
    if not isinstance(codec, SelfiesCodec):
        return {}
    return {
        "random SELFIES": random_selfies(train, codec, n, seed),
        "random SELFIES by shares": random_selfies(train, codec, n, seed, shares=True),
    }


def _finished(smiles: Sequence[str | None], codec: SmilesCodec) -> dict[str, Tensor]:
    return finish(codec.raw(smiles), codec.fields)
