"""The set in memory, and the rule by which new molecules take places in it."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("rdkit")

from zerosum.data.fields import finish
from zerosum.modalities.molecules import MoleculeCodec, Molecules, MoleculeSource, split_of

KNOWN = ("CC", "CCC", "CCO", "CCN", "CO")


def _source(elite: float = 0.4) -> MoleculeSource:
    codec = MoleculeCodec.fit(["CCCO", "CCN", "CC=O"])
    return MoleculeSource(KNOWN, codec, name="t", elite=elite)


def _offer(source: MoleculeSource, smiles: list[str], scores: list[float]) -> int:
    batch = finish(source.codec.encode(smiles), source.fields)
    return source.admit(batch, torch.tensor(scores))


def _held(source: MoleculeSource) -> list[str | None]:
    return source.codec.smiles(source.finished(range(len(source))))


def test_free_places_are_taken_then_the_lowest_gives_way() -> None:
    source = _source()  # two of five places
    assert _offer(source, ["CCC=O", "CC", "CCCO"], [0.5, 0.9, 0.7]) == 2  # CC is known
    assert source.elite == pytest.approx({"CCC=O": 0.5, "CCCO": 0.7})
    assert _offer(source, ["CCCO", "CNC"], [0.9, 0.5]) == 0  # held already; not higher
    assert _offer(source, ["CNC"], [0.6]) == 1
    assert source.elite == pytest.approx({"CCCO": 0.7, "CNC": 0.6})
    held = _held(source)
    assert len(held) == 5 and {"CCCO", "CNC"} < set(held)
    assert sum(smiles in KNOWN for smiles in held) == 3
    assert list(source) == list(KNOWN)


def test_what_is_invalid_or_worth_nothing_is_not_taken() -> None:
    source = _source()
    batch = finish(source.codec.encode(["CCC=O", "CNC"]), source.fields)
    batch["bonds"][0] = torch.eye(batch["bonds"].shape[-1])[0]
    assert source.admit(batch, torch.tensor([1.0, 0.0])) == 0
    assert _held(source) == list(KNOWN)


def test_without_an_elite_part_nothing_changes() -> None:
    source = _source(0.0)
    assert _offer(source, ["CCC=O"], [1.0]) == 0
    assert _held(source) == list(KNOWN)


def test_the_state_is_exact_and_goes_on_alike() -> None:
    one, other = _source(), _source()
    _offer(one, ["CCC=O", "CCCO", "CNC"], [0.5, 0.7, 0.6])
    _offer(other, ["CC=O"], [0.1])  # forgotten when a state is taken up
    other.load_state(one.state())
    assert other.state() == one.state() and _held(other) == _held(one)
    for source in (one, other):
        _offer(source, ["COC", "CC=O"], [0.65, 0.8])
    assert other.state() == one.state() and _held(other) == _held(one)
    fresh = _source()
    fresh.load_state(one.state())
    assert _held(fresh) == _held(one)


def test_a_split_is_the_same_each_time_and_keeps_parts_apart() -> None:
    smiles = ["C" * n + tail for n in range(1, 30) for tail in ("O", "N", "F")]
    one, other = split_of(smiles), split_of(smiles)
    assert one.train.smiles == other.train.smiles
    assert len(one.heldout) == 9 and not set(one.train.smiles) & set(one.heldout.smiles)
    assert one.heldout_note == "10 % (9 of 87), seed 0"
    few = Molecules(smiles=tuple(smiles), limit=10).open()
    assert len(few.train) == 10 and set(few.train.smiles) < set(one.train.smiles)
    assert few.heldout.smiles and set(few.heldout.smiles) <= set(one.heldout.smiles)


def test_a_kept_codec_is_used_and_not_fitted_again() -> None:
    codec = MoleculeCodec.fit(["CCO", "CC=O"])
    split = Molecules(smiles=("CCO", "CCN", "CCCC", "OCO"), holdout=0).open(codec)
    assert split.codec is codec and split.train.smiles == ("CCO", "OCO")
    assert split.heldout is None and split.heldout_note.startswith("none")
