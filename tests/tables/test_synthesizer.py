"""From a data frame to rows like its own, in Python and by command: conditions, counts, cells."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from zerosum.cli.main import main
from zerosum.errors import UserError
from zerosum.modalities.tables.inspect import schema
from zerosum.modalities.tables.reading import read_table
from zerosum.tables import Synthesizer

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

N = 400


def people():
    rng = np.random.default_rng(0)
    kind = rng.choice(["a", "b", "c"], N, p=[0.5, 0.3, 0.2])
    low = np.round(rng.normal(10, 3, N), 1)
    return pd.DataFrame(
        {
            "id": np.arange(N),
            "kind": kind,
            "twin": pd.Series(kind).str.upper(),
            "low": low,
            "high": np.round(low + rng.gamma(2, 4, N), 1),
            "flag": rng.random(N) < 0.4,
            "town": [f"t{i}" for i in (rng.pareto(1.0, N) * 5).astype(int).clip(0, 60)],
        }
    )


SCHEMA = {
    "columns": {"town": {"kind": "category"}},
    "constraints": [
        {"kind": "at-most", "low": "low", "high": "high"},
        {"kind": "combination", "columns": ["kind", "twin"]},
        {"kind": "unique", "columns": ["low", "high", "town"]},
    ],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    frame = people()
    out = tmp_path_factory.mktemp("fitted") / "run"
    maker = Synthesizer(
        "ctgan/tiny",
        schema=SCHEMA,
        target="kind",
        verbose=False,
        data__categories=12,
        train__examples=800,
        evaluate__samples=0,
        doctor__policy="off",
        train__sheet_every=10**6,
    )
    before = torch.get_rng_state()
    fitted = maker.fit(frame.drop_duplicates(["low", "high", "town"]), out)
    assert torch.equal(before, torch.get_rng_state())
    return fitted, out


def command(*words):
    sys.argv = ["zerosum", *map(str, words)]
    try:
        main()
    except SystemExit as left:
        return left.code or 0
    return 0


def test_rows_are_like_the_frame(model):
    made = model[0].sample(300, seed=3)
    frame = people()
    assert list(made.columns) == list(frame.columns)
    assert [str(t) for t in made.dtypes] == [str(t) for t in frame.dtypes]
    assert made["id"].min() >= N and made["id"].is_unique
    assert (made["low"] <= made["high"]).all()
    assert (made["kind"].str.upper() == made["twin"]).all()
    assert not made.duplicated(["low", "high", "town"]).any()
    pd.testing.assert_frame_equal(made, model[0].sample(300, seed=3))
    assert not made.equals(model[0].sample(300, seed=4))


def test_conditions_are_met(model):
    assert set(model[0].sample(50, where={"kind": "c"})["twin"]) == {"C"}
    some = model[0].sample(40, where=["low>9", "flag=True"])
    assert (some["low"] > 9).all() and some["flag"].all()
    # A town that shares its category with others is drawn, found, and stays what it was.
    codec = model[0].generator.codec
    rare = next(c for c in codec.learned if c.name == "town").rare[0]
    assert set(model[0].sample(5, where={"town": rare})["town"]) == {rare}


def test_counts_are_exact(model):
    made = model[0].sample(50, counts={"kind": {"a": 10, "b": 0, "c": 40}})
    assert made["kind"].value_counts().to_dict() == {"c": 40, "a": 10}
    assert made["kind"].iloc[:10].nunique() == 2  # mixed, not one after the other
    with pytest.raises(UserError, match="counts of 'kind' sum to 3, not to 4"):
        model[0].sample(4, counts={"kind": {"a": 3}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kin=a:3", "no learned column is called 'kin': did you mean kind"),
        ("kind=a", "write a number after each value, such as kind=VALUE:100"),
        ("kind=a:1,a:2", "'a' is counted twice"),
        ("kind=z:1", "'kind' has no category 'z'"),
    ],
)
def test_counts_that_mean_nothing_are_refused(model, text, words):
    with pytest.raises(UserError, match=words):
        model[0].generator.draw_counts(text)


def test_given_cells_come_out_exactly(model, tmp_path):
    given = pd.DataFrame(
        {
            "twin": ["C", None, "A", None],
            "flag": ["True", "False", None, None],
            "high": [None, 16.7, 15.3, None],
            "id": [None, 7, None, None],
        }
    )
    given.to_csv(tmp_path / "partial.csv", index=False)
    made = model[0].complete(tmp_path / "partial.csv")
    assert len(made) == 4 and made["twin"][0] == "C" and made["twin"][2] == "A"
    assert made["flag"][0] and not made["flag"][1] and made["flag"].dtype == bool
    assert made["high"][1] == 16.7 and made["high"][2] == 15.3 and made["id"][1] == 7
    assert (made["kind"].str.upper() == made["twin"]).all()
    assert (made["low"] <= made["high"]).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour\nred\nblue\n", "no column that is made is called 'colour'"),
        ("twin,flag\nA,True\nD,False\n", "row 2: 'twin' has no category 'D'"),
        ("high,twin\n-30.5,A\n99.5,C\n", "row 1: 'high' goes from .* to .*, not to -30.5"),
        ("kind,twin\na,B\n", "row 1: kind=a and twin=B holds for 0 of .*: too few to find"),
        ("low,high\n9.1,9.0\n", "1 of 1 rows would break 'low <= high'"),
    ],
)
def test_cells_that_cannot_be_met_are_named(model, tmp_path, text, words, monkeypatch):
    monkeypatch.setattr("zerosum.pipelines.sifting.MOST_TRIES", 20)
    (tmp_path / "partial.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        model[0].complete(tmp_path / "partial.csv")


def test_the_command_does_the_same(model, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted, run = model
    fitted.save(tmp_path / "kept")
    rows = run.with_name("run.parquet")
    rows.rename(run.with_name("gone"))  # neither needs them
    try:
        assert (
            command("generate", tmp_path / "kept", "--counts", "kind=a:3,c:4", "--out", "c.csv")
            == 0
        )
        assert read_table(Path("c.csv")).frame["kind"].value_counts().to_dict() == {"c": 4, "a": 3}
        Path("partial.csv").write_text("kind,low\nb,\n,10.5\n")
        assert command("generate", run, "--like", "partial.csv", "--out", "l.csv") == 0
        made = read_table(Path("l.csv")).frame
        assert made["kind"][0] == "b" and made["low"][1] == 10.5
        pd.testing.assert_frame_equal(
            Synthesizer.load(tmp_path / "kept").sample(20), fitted.sample(20)
        )
    finally:
        run.with_name("gone").rename(rows)
    capsys.readouterr()
    assert command("generate", run, "--counts", "kind=a:3", "--where", "kind=a") == 2
    assert "--counts and --like go with" in capsys.readouterr().err


def test_inspect_writes_a_schema_that_is_never_lost(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    people().to_csv("people.csv", index=False)
    assert command("inspect", "people.csv", "--schema", "s.json") == 0
    assert Path("s.json").read_text() == schema("people.csv")
    assert "--data people.csv data.schema=s.json" in capsys.readouterr().out
    assert command("inspect", "people.csv", "--schema", "s.json") == 2
    assert "s.json is there already" in capsys.readouterr().err
    assert command("inspect", "digits", "--schema", "t.json") == 2
    assert "images have no schema" in capsys.readouterr().err and not Path("t.json").exists()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Synthesizer("dcgan"), "dcgan does not learn from tables: known: .*ctgan"),
        (lambda: Synthesizer("ctgn"), "no model 'ctgn': did you mean ctgan"),
        (lambda: Synthesizer(train__exampels=3), "unknown setting 'train.exampels'"),
        (lambda: Synthesizer().sample(3), r"nothing is learned yet: call fit\(frame\)"),
        (lambda: Synthesizer().fit([1, 2]), "fit takes a pandas DataFrame, not a list"),
        (lambda: Synthesizer().fit(pd.DataFrame()), "the data frame holds no rows"),
    ],
)
def test_what_cannot_be_is_one_line(make, words):
    with pytest.raises(UserError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
