"""`zerosum augment`: gains whose values are known, SMOTE of one class, and the whole command."""

import json
import sys

import numpy as np
import pytest

from zerosum.cli.main import main
from zerosum.core.registry import recipe
from zerosum.errors import UserError
from zerosum.modalities.tables import Table, TableCodec
from zerosum.modalities.tables.augmenting import rare_class
from zerosum.modalities.tables.baselines import smote_class
from zerosum.modalities.tables.utility import chances
from zerosum.modalities.tables.view import views
from zerosum.pipelines.augmenting import augment
from zerosum.pipelines.augmenting.gains import compared, measures
from zerosum.pipelines.generate import Generator
from zerosum.training.trainer import Trainer

pd = pytest.importorskip("pandas")
pytest.importorskip("imblearn")


def patients(n=600, seed=0):
    rng = np.random.default_rng(seed)
    ill = rng.random(n) < 0.2
    return pd.DataFrame(
        {
            "pressure": np.round(rng.normal(np.where(ill, 150, 120), 12), 1),
            "smokes": np.where(rng.random(n) < np.where(ill, 0.8, 0.2), "yes", "no"),
            "ill": np.where(ill, 1, 0),
        }
    )


def test_measures_by_hand():
    truth = np.array([True, True, False, False])
    said = np.array([0.9, 0.4, 0.6, 0.1])
    found = measures(truth, said)
    assert found["auc"] == 0.75  # three of four pairs stand in the right order
    assert found["ap"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["f1"] == pytest.approx(0.5)  # one hit, one false alarm, one miss


def test_gains_are_over_the_first_way_and_mean_over_seeds():
    truth = np.arange(200) < 60
    perfect, blind = truth.astype(float), np.full(200, 0.2)
    found = compared(truth, {"nothing": [blind, blind], "more": [perfect, blind]})
    value, gain = found["more"]["auc"]
    assert value == pytest.approx(0.75) and gain == pytest.approx(0.25)
    # Each resampled pair of seeds has one of 0, 1/2 and 1 of the perfect one.
    assert gain.interval == pytest.approx((0.0, 0.5))
    assert found["nothing"]["ap"][0] == pytest.approx(0.3)
    assert all(score[1] == 0 for score in found["nothing"].values())


def test_a_class_is_named_or_the_rarest():
    codec = TableCodec.fit(patients(), target="ill")
    assert rare_class(codec, "", "") == ("ill", "1")
    assert rare_class(codec, "smokes", "no") == ("smokes", "no")
    for words, said in [
        (("il", ""), "--target il: no learned column"),
        (("pressure", ""), "no column of several classes"),
        (("ill", "2"), "--class 2: 'ill' has no such class"),
    ]:
        with pytest.raises(UserError, match=said):
            rare_class(codec, *words)


def test_smote_lies_between_rows_of_the_class():
    frame = patients()
    codec = TableCodec.fit(frame, target="ill")
    made = smote_class(frame, codec, "ill", "1", 70, seed=0)
    ill = frame[frame["ill"] == 1]
    assert len(made) == 70 and (made["ill"] == 1).all() and list(made) == list(frame)
    assert made["pressure"].between(ill["pressure"].min(), ill["pressure"].max()).all()
    assert set(made["smokes"]) <= {"yes", "no"}
    one = frame[(frame["ill"] == 0) | (frame.index == ill.index[0])].reset_index(drop=True)
    assert (smote_class(one, codec, "ill", "1", 3, 0)["pressure"] == ill["pressure"].iloc[0]).all()


@pytest.mark.parametrize("learner", ["boosting", "forest", "linear"])
def test_weights_make_a_rare_class_count_as_much(learner):
    train, test = views(patients(), patients(seed=1), target="ill")
    plain, weighed = (
        chances(train, test, "ill", 1, learner=learner, weighed=w).mean() for w in (False, True)
    )
    assert plain == pytest.approx(0.2, abs=0.04)
    # The forest weighs its splits, and its leaves hold single rows: their shares hardly move.
    assert weighed - plain > {"boosting": 0.03, "forest": -0.02, "linear": 0.05}[learner]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("augment")
    patients().to_csv(folder / "patients.csv", index=False)
    data = Table(path=str(folder / "patients.csv"), target="ill", holdout=0.2)
    found = recipe("ctgan/tiny").model_copy(update={"data": data})
    found = found.override({"train.examples": 400, "evaluate.samples": 0})
    Trainer(found, folder / "run", device="cpu", quiet=True).fit()
    return folder / "run"


def test_the_whole_command(run, tmp_path, monkeypatch, capsys):
    words = ["augment", run, "--seeds", 1, "--add", 40, "--out", tmp_path / "more.csv"]
    words += ["--learner", "linear", "--json", tmp_path / "s.json", "--quiet"]
    monkeypatch.setattr(sys, "argv", ["zerosum", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert left.value.code == 0, said.err
    found = json.loads((tmp_path / "s.json").read_text())
    learned, rare = found["learned"]
    more = pd.read_csv(tmp_path / "more.csv")
    assert len(more) == learned + 40 and learned == 480 and (more["ill"][-40:] == 1).all()
    assert (more["ill"][:480] == 1).sum() == rare
    assert list(found["scores"]) == ["nothing", "class weights", "SMOTE", "generated rows"]
    # The test is that of the run: the same rows as a model of one's own makes of the split.
    whole = pd.read_csv(run.parent / "patients.csv")
    assert found["tested"] == [120, int((whole["ill"] == 1).sum()) - rare]
    assert found["scores"]["nothing"]["auc"]["value"] > 0.85  # it is 0.95 for what is known
    assert found["scores"]["nothing"]["auc"]["gain"] == 0
    assert "generated rows" in said.out and "40 rows added" in said.out


def test_what_cannot_be_tested_is_refused(run, tmp_path):
    generator = Generator.load(run, device="cpu")
    patients(60).to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(UserError, match="10 of each are the least to test on"):
        augment(generator, str(tmp_path / "few.csv"))
    with pytest.raises(UserError, match="--learner trees: one of boosting, forest, linear"):
        augment(generator, learner="trees")
    patients(60).drop(columns="smokes").to_csv(tmp_path / "less.csv", index=False)
    with pytest.raises(UserError, match="lacks the column 'smokes'"):
        augment(generator, str(tmp_path / "less.csv"))


def test_other_systems_are_told_apart(tmp_path):
    found = recipe("gan/tiny").override({"train.examples": 16, "evaluate.samples": 0})
    Trainer(found, tmp_path / "run", device="cpu", quiet=True).fit()
    with pytest.raises(UserError, match="draws no pictures of a class that is asked for"):
        augment(Generator.load(tmp_path / "run", device="cpu"))
