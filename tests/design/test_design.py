"""A whole design: its table, its summary, its page, and what it refuses."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import zerosum
from zerosum.chem.docking import heavy_atoms
from zerosum.chem.lists import canonical
from zerosum.chem.scorers import scorer
from zerosum.errors import UserError
from zerosum.modalities.molecules import Molecules
from zerosum.pipelines.design import design, loop, plan
from zerosum.pipelines.design.elite import Rule, admit, best_of, placed
from zerosum.pipelines.design.records import DesignFolder
from zerosum.training import checkpoint


@pytest.fixture(scope="module")
def whole(pretrained, tmp_path_factory):
    """A design with its baselines: two cycles of 10 calls."""
    patch = pytest.MonkeyPatch()
    patch.setattr("zerosum.pipelines.design.sampling.BLOCK", 64)
    patch.setattr("zerosum.pipelines.design.sampling.JUDGED", 128)
    settings = {"score": "qed,sa:2", "calls": 10, "examples": 64, "top": "50%", "pool": 5}
    out = tmp_path_factory.mktemp("whole") / "d"
    terms = plan(None, start=str(pretrained), **settings)
    found = design(terms, out, cycles=2, device="cpu", workers=1, quiet=True)
    patch.undo()
    return out, found


def _rows(out):
    with (out / "molecules.csv").open() as text:
        return list(csv.DictReader(text))


def test_the_table_holds_each_scored_molecule_with_what_it_is(whole, actives):
    out, _ = whole
    rows = _rows(out)
    own = [row for row in rows if row["search"] == "design"]
    assert [row["cycle"] for row in own] == ["0"] * 10 + ["1"] * 10 + ["2"] * 10
    smiles = [row["smiles"] for row in own]
    known = set(Molecules(path=str(actives)).open().train.smiles)
    assert len(set(smiles)) == 30 and not set(smiles) & known
    assert [canonical(one) for one in smiles] == smiles and not any("." in one for one in smiles)
    with scorer("qed,sa:2") as score:
        table = score.table(smiles)
    for number, row in enumerate(own):
        assert float(row["score"]) == pytest.approx(table.score[number], rel=1e-5)
        assert float(row["qed"]) == pytest.approx(table.values["qed"][number], rel=1e-5)
        assert float(row["sa desirability"]) == pytest.approx(
            (10 - float(row["sa"])) / 9, rel=1e-4
        )
        assert int(row["heavy_atoms"]) == heavy_atoms(row["smiles"])
        assert 0 <= float(row["nearest"]) <= 1


def test_the_admitted_are_those_of_the_rule_and_are_what_the_run_holds(whole, actives):
    out, found = whole
    own = [row for row in _rows(out) if row["search"] == "design"]
    scores = [
        [(row["smiles"], float(row["score"])) for row in own if row["cycle"] == str(cycle)]
        for cycle in range(3)
    ]
    rule = Rule(float(np.median([score for _, score in scores[0]])), 5, 10)
    elite: dict[str, float] = {}
    for cycle in range(3):
        before = elite
        elite, taken = admit(elite, best_of(scores[cycle], "50%"), rule)
        said = {
            row["smiles"] for row in own if row["cycle"] == str(cycle) and row["admitted"] == "yes"
        }
        assert said == taken
        assert (found.story[cycle].admitted, found.story[cycle].elite) == (len(taken), len(elite))
    newest, _ = checkpoint.latest(out / "run" / "checkpoints")
    state = checkpoint.load(newest)
    count = len(Molecules(path=str(actives)).open().train)
    wanted = placed(before, count, 0.9)  # the last training was with that of cycle 1
    held = state.training["source"]
    assert sorted(zip(held["places"], held["smiles"])) == sorted(
        zip(wanted["places"], wanted["smiles"])
    )
    assert state.state["seen"] == 480 + 2 * 64


def test_the_baselines_spend_as_many_calls(whole):
    out, found = whole
    rows = _rows(out)
    by = {name: [row for row in rows if row["search"] == name] for name in ("random", "genetic")}
    assert [len(by[name]) for name in by] == [30, 30]
    assert [one.name for one in found.searches] == ["design", "random", "genetic"]
    first = [row["smiles"] for row in rows if (row["search"], row["cycle"]) == ("design", "0")]
    assert [row["smiles"] for row in by["random"][:10]] == first  # cycle 0 prolonged
    best = max(float(row["score"]) for row in by["random"])
    assert found.searches[1].best == pytest.approx(best, rel=1e-5)


def test_the_summary_says_what_the_table_does(whole):
    out, _ = whole
    told = json.loads((out / "summary.json").read_text())
    rows = [row for row in _rows(out) if row["search"] == "design"]
    assert [one["cycle"] for one in told["cycles"]] == [0, 1, 2]
    for one in told["cycles"]:
        own = [float(row["qed"]) for row in rows if row["cycle"] == str(one["cycle"])]
        mean = one["numbers"]["qed"]["mean"]
        half = 1.96 * np.std(own, ddof=1) / np.sqrt(10)
        assert mean["value"] == pytest.approx(np.mean(own), rel=1e-5)
        assert mean["high"] == pytest.approx(np.mean(own) + half, rel=1e-3)
        assert one["judged"] == 128
    start = told["cycles"][0]["numbers"]["score"]["gain_at_equal_heavy_atoms"]
    assert start["value"] == 0
    assert told["settings"]["score"] == "qed,sa:2" and len(told["best"]) == 10


class Balance(HTMLParser):
    """Collects tags that are never closed, and every address."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_holds_its_pictures(whole):
    out, _ = whole
    text = (out / "report.html").read_text()
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    # The best; shares; score, qed and sa; the race; three cycles.
    assert len(parser.addresses) == 1 + 1 + 3 + 1 + 3
    assert all(address.startswith("data:image/png;base64,") for address in parser.addresses)
    assert "http" not in re.sub(r"data:image/png;base64,\S+", "", text)
    assert "<h1>Design: qed,sa:2</h1>" in text and "genetic" in text
    with Image.open(out / "best.png") as picture:
        assert picture.width > 800


def test_a_finished_design_does_nothing_and_may_grow(begin, tmp_path, monkeypatch):
    begin(tmp_path, cycles=1)
    before = (tmp_path / "molecules.csv").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(loop, "sample", lambda *_: pytest.fail("it sampled"))
        begin(tmp_path, cycles=1)
    assert (tmp_path / "molecules.csv").read_bytes() == before
    begin(tmp_path, cycles=2)
    assert (tmp_path / "molecules.csv").read_bytes().startswith(before)
    with pytest.raises(UserError, match="more than 1 cycles: their number may only grow"):
        begin(tmp_path, cycles=1)


def test_a_design_can_begin_with_another_runs_weights_and_codec(pretrained, few, tmp_path):
    other = tmp_path / "mine.smi"
    other.write_text("CCO\nCCN\nCCF\nC1CC1\nCOC\nClCCl\n")
    settings = {"data": str(other), "score": "qed", "calls": 3, "examples": 64}
    terms = plan(None, start=str(pretrained), **settings)
    assert terms.pretrain == 64  # as many as between two cycles
    out = tmp_path / "d"
    found = design(terms, out, cycles=1, baselines=False, device="cpu", workers=1, quiet=True)
    codec = (out / "run" / "codec.json").read_text()
    assert json.loads(codec) == json.loads((pretrained / "codec.json").read_text())
    assert found.story[1].sampled.judged == 128
    assert DesignFolder(out).scored(0).molecules[0].smiles not in ("CCO", "CCN", "COC")


def test_a_system_that_writes_words_designs_too(few, tmp_path):
    settings = {"score": "qed", "calls": 5, "examples": 16, "changes": {"doctor.policy": "off"}}
    terms = plan(zerosum.recipe("latentgan/tiny"), pretrain=160, **settings)
    how = {"cycles": 1, "baselines": False, "device": "cpu", "workers": 1, "quiet": True}
    found = design(terms, tmp_path / "d", **how)
    assert [one.scored for one in found.story] == [5, 5] and found.story[0].admitted == 1
    first = DesignFolder(tmp_path / "d").scored(0)
    newest, _ = checkpoint.latest(tmp_path / "d" / "run" / "checkpoints")
    held = checkpoint.load(newest).training["source"]
    assert set(held["smiles"]) == {best_of(first.ranked, "1")[0][0]}


def test_cycles_are_trained_at_rates_that_do_not_fall(actives, quick, few, tmp_path):
    falling = {"kind": "linear", "start": 4e-3, "end": 1e-5, "begin": 100, "until": 0}
    changes = {"optim.generator.lr": falling, "optim.critic.lr": 2e-3, "train.examples": 160}
    recipe = zerosum.recipe("molgan/tiny").with_data(str(actives))
    recipe = recipe.override({**quick, **changes, "evaluate.samples": 0})
    zerosum.train(recipe, out=tmp_path / "run", device="cpu", quiet=True)
    settings = {"score": "qed", "calls": 5, "examples": 32, "rate": 0.5}
    terms = plan(None, start=str(tmp_path / "run"), **settings)
    how = {"cycles": 1, "baselines": False, "device": "cpu", "workers": 1, "quiet": True}
    design(terms, tmp_path / "d", **how)
    before, after = (
        json.loads((tmp_path / "d" / name / "recipe.json").read_text())["optim"]
        for name in ("pretrained", "run")
    )
    assert before["generator"]["lr"] == falling
    assert (after["generator"]["lr"], after["critic"]["lr"]) == (2e-3, 1e-3)
    design(terms, tmp_path / "d", **{**how, "cycles": 2})  # and goes on


def test_another_design_is_refused_and_nothing_is_changed(begin, tmp_path):
    begin(tmp_path, cycles=1)
    for settings, naming in (
        ({"score": "qed"}, "score was 'qed,sa' and is now 'qed'"),
        ({"calls": 11}, "calls was 10 and is now 11"),
        ({"changes": {"optim.critic.lr": 1e-3}}, "optim.critic.lr was 0.003 and is now 0.001"),
    ):
        with pytest.raises(UserError, match=f"holds another design: {naming}"):
            begin(tmp_path, cycles=1, **settings)


def test_places_and_starts_that_cannot_be_are_refused(begin, pretrained, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds files but no design"):
        begin(tmp_path)
    with pytest.raises(UserError, match="is a file: name a folder with --out"):
        begin(tmp_path / "notes.txt")
    with pytest.raises(UserError, match="0 cycles feed nothing back"):
        begin(tmp_path / "d", cycles=0)
    with pytest.raises(UserError, match=r"--from .*nosuch is no run"):
        plan(None, start=str(tmp_path / "nosuch"), score="qed")
    with pytest.raises(UserError, match=r"--share 0.001 of .* is none"):
        begin(tmp_path / "d", share=0.001)


def test_a_wrong_score_leaves_no_design_behind(begin, tmp_path):
    for score in ("qeed", "docking:nosuch", "similarity:nosuch.smi"):
        with pytest.raises(UserError):
            begin(tmp_path / "d", score=score)
    assert not (tmp_path / "d" / "design.json").exists()
    assert begin(tmp_path / "d", cycles=1).story[0].scored == 10
