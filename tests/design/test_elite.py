"""Who is admitted, by hand, and where the elite stands in the training set."""

from __future__ import annotations

import pytest

from zerosum.errors import UserError
from zerosum.modalities.molecules import MoleculeCodec, MoleculeSource
from zerosum.pipelines.design.elite import Rule, admit, best_of, placed, wanted

RING = ("Cc1ccccc1", "Oc1ccccc1", "Nc1ccccc1")
"""Three molecules with the scaffold benzene."""


def test_only_what_is_above_the_bar_enters_and_none_twice():
    offered = [("CCO", 0.5), ("CCN", 0.4), ("CC", 0.9)]
    held, taken = admit({"CC": 0.8}, offered, Rule(0.4, 9, 9))
    assert held == {"CC": 0.8, "CCO": 0.5} and taken == {"CCO"}  # 0.4 is not above 0.4


def test_in_a_full_pool_the_lowest_gives_way_to_a_higher_one_alone():
    full = {"CC": 0.6, "CCC": 0.5, "C1CC1": 0.7}
    rule = Rule(0.1, 3, 3)
    assert admit(full, [("CCO", 0.5)], rule) == (full, set())  # not higher than the lowest
    held, taken = admit(full, [("CCO", 0.55), ("CCN", 0.56)], rule)
    assert held == {"CC": 0.6, "C1CC1": 0.7, "CCN": 0.56} and taken == {"CCN"}


def test_a_full_scaffold_keeps_its_best():
    held, taken = admit({}, zip(RING, (0.5, 0.6, 0.7)), Rule(0.0, 9, 2))
    assert held == {RING[2]: 0.7, RING[1]: 0.6} and taken == {RING[1], RING[2]}
    held, taken = admit(held, [(RING[0], 0.65), ("C1CC1", 0.1)], Rule(0.0, 9, 2))
    assert held == {RING[2]: 0.7, RING[0]: 0.65, "C1CC1": 0.1}
    assert taken == {RING[0], "C1CC1"}


def test_a_scaffold_that_is_full_cannot_push_out_another_one():
    full = {RING[0]: 0.9, "C1CC1": 0.1}
    assert admit(full, [(RING[1], 0.8)], Rule(0.0, 5, 1)) == (full, set())


def test_the_top_is_a_number_or_a_share():
    scored = [("a", 0.1), ("b", 0.9), ("c", 0.9), ("d", 0.5)]
    assert best_of(scored, "50%") == [("b", 0.9), ("c", 0.9)]
    assert best_of(scored, "3") == [("b", 0.9), ("c", 0.9), ("d", 0.5)]
    assert wanted("1%", 400) == 4 and wanted("1%", 20) == 1 and wanted("50", 20) == 50


@pytest.mark.parametrize(
    "text", ["0", "-1", "0%", "101%", "1.5", "ten", "nan", "inf", "1e999", ""]
)
def test_another_top_is_refused(text):
    with pytest.raises(UserError, match=r"--top .* write  --top 50  or  --top 10%"):
        wanted(text, 100)


def test_the_elite_fills_its_share_in_turn_and_gives_it_back():
    known = tuple("C" * n + "O" for n in range(1, 11))
    source = MoleculeSource(known, MoleculeCodec.fit([*known, "CCN"]), name="t")

    def held():
        return source.codec.smiles(source.finished(range(len(source))))

    state = placed({"CN": 0.5, "CCN": 0.9}, len(source), 0.5)
    assert state["smiles"] == ["CCN", "CN", "CCN", "CN", "CCN"]
    source.load_state(state)
    now = held()
    assert [now[place] for place in state["places"]] == state["smiles"]
    assert sum(smiles in known for smiles in now) == 5 and len(set(state["places"])) == 5
    assert source.elite == {"CCN": 0.9, "CN": 0.5}

    twin = MoleculeSource(known, source.codec, name="t")
    twin.load_state(source.state())
    assert twin.codec.smiles(twin.finished(range(10))) == now
    twin.load_state(placed({}, 10, 0.5))
    assert twin.codec.smiles(twin.finished(range(10))) == list(known)
