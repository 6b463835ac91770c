"""What every command asks of tables: inspection, sheets, metrics, baselines."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from zerosum.errors import UserError
from zerosum.metrics.judge import Judge
from zerosum.metrics.registry import known_metrics
from zerosum.metrics.sets import Sets
from zerosum.modalities.tables import MODALITY, Table
from zerosum.modalities.tables.scores import pair_trends
from zerosum.modalities.tables.show import SIDES, _closest, _matrix
from zerosum.modalities.tables.view import views

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """240 rows with an identifier, a constant, holes, two repeats, and a class that follows."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": [f"p{i:04d}" for i in range(240)],
            "age": rng.integers(18, 80, 240),
            "sex": rng.choice(["f", "m"], 240),
            "pay": np.where(rng.random(240) < 0.1, np.nan, rng.normal(50, 9, 240).round(1)),
            "land": "here",
        }
    )
    frame["rich"] = np.where(frame["pay"].fillna(0) > 50, "yes", "no")
    frame = pd.concat([frame, frame.tail(2)], ignore_index=True)
    path = tmp_path_factory.mktemp("people") / "people.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def split(people):
    return Table(path=str(people)).open()


def test_inspection_says_what_is_there(people):
    found = MODALITY.inspect(str(people))
    assert found.facts["rows"] == 242 and found.facts["repeated"] == 2
    assert found.facts["columns"] == {
        "numbers": ["age", "pay"],
        "dates": [],
        "categories": ["sex", "rich"],
        "constant": ["land"],
        "made anew": ["id"],
        "left out": [],
    }
    holes = int(pd.read_csv(people)["pay"].isna().sum())
    assert found.facts["missing"] == {"pay": holes} and f"pay {holes}" in found.rows["missing"]
    assert found.command == f"zerosum train ctgan --data {people}"
    said = "\n".join(found.warnings)
    assert "242 rows are few" in said
    assert "'id' is made anew, none of its values is copied: identifiers: 240" in said
    assert "constant, and copied as they are: land" in said


def test_what_it_reads(people, tmp_path):
    assert MODALITY.reads(str(people)) == "a table"
    assert MODALITY.reads("wine") == "the table 'wine'"
    assert MODALITY.reads(str(people.parent)) == "a folder with a table (people.csv)"
    assert MODALITY.reads(str(tmp_path)) == MODALITY.reads("photo.png") == ""


def test_pictures_are_drawn(split):
    real, fake = split.train.some(60), split.heldout.some(20)
    sheet = MODALITY.sheet(fake, split.codec, real=real, columns=0, title="here")
    alone = MODALITY.sheet(fake, split.codec, real={}, columns=0, title="")
    assert sheet.mode == alone.mode == "RGB" and min(sheet.size) >= 300
    assert np.asarray(sheet).std() > 10
    twins = MODALITY.twins(fake, real, split.codec)
    assert twins is not None and twins.size[0] > 300
    panels = MODALITY.panels(real, fake, split.codec)
    assert [*panels] == [
        "Likeness of columns", "Likeness of related pairs", "Associations, real",
        "Associations, generated", "Associations, generated less real", "Closest row",
        "age", "sex", "pay", "rich",
    ]  # fmt: skip


def test_matrices_show_how_columns_hang_together_and_curves_how_near_rows_are():
    rng = np.random.default_rng(0)
    x, kinds = rng.normal(size=400), rng.integers(0, 2, 400)
    real = pd.DataFrame({"x": x, "y": -x + rng.normal(size=400), "kind": kinds.astype(str)})
    real["copy"] = real["kind"]
    apart = {name: rng.permutation(real[name].to_numpy()) for name in real}
    one, other = views(real, pd.DataFrame(apart))
    pairs = pair_trends(real=one, fake=other)
    figure = Figure()
    shown = {}
    for which in SIDES:
        axis = figure.add_subplot()
        _matrix(pairs, one.names, which)(axis)
        shown[which] = np.asarray(axis.images[0].get_array().filled(np.nan))
    at = one.names.index
    assert shown["strength"][at("x"), at("y")] == pytest.approx(abs(real["x"].corr(real["y"])))
    assert shown["strength"][at("kind"), at("copy")] == pytest.approx(1)
    assert shown["made"][at("copy"), at("kind")] < 0.15
    assert shown["off"] == pytest.approx(shown["made"] - shown["strength"], nan_ok=True)
    curves = figure.add_subplot()
    _closest(curves, one, one.take(np.arange(200)))  # "generated" rows that are the first half
    fresh, copies = (line.get_xdata() for line in curves.lines)
    assert not np.any(copies) and np.median(fresh) > 0.001


def taken(split, fake, name):
    judge = Judge(
        MODALITY.features(None, {}, ""), known_metrics(MODALITY.own_metrics), split.codec.decode
    )
    train, held = split.train.some(200), split.heldout.some(24)
    sets = Sets(judge.embed(train), judge.embed(fake), judge.embed(held), 0)
    return {one.name: one for one in judge.take(name, sets)}


def test_metrics_of_the_training_rows_themselves(split):
    train = split.train.some(200)
    found = taken(split, train, "quality")
    assert {name: one.score.value for name, one in found.items()} == {
        "column-shapes": 1, "pair-trends": 1, "quality": 1, "missing-rates": 1,
        "column-coverage": 1,
    }  # fmt: skip
    assert all(one.better == "higher" for one in found.values())
    useful = taken(split, train, "tstr")
    assert useful["tstr-auc"].score == useful["trtr-auc"].score > 0.9
    assert useful["tstr-auc"].parameters["target"] == "rich"
    close = taken(split, train, "dcr")
    assert close["dcr-ratio"].score == 0 and close["copies"].score == 1


def test_metrics_need_held_out_rows(people):
    bare = Table(path=str(people), holdout=0).open()
    judge = Judge(
        MODALITY.features(None, {}, ""), known_metrics(MODALITY.own_metrics), bare.codec.decode
    )
    rows = judge.embed(bare.train.some(50))
    with pytest.raises(UserError, match="tstr needs held-out real examples"):
        judge.take("tstr", Sets(rows, rows, None, 0))


def test_baselines_are_rows_of_the_codec(split):
    made = MODALITY.baselines(split.train, split.codec, 70, 3, {})
    assert list(made) == ["independent columns", "gaussian copula", "bootstrap", "smote"]
    for batch in made.values():
        assert batch["row"].shape == (70, *split.codec.row.shape)
        frame = split.codec.decode(batch)
        assert set(frame["sex"]) == {"f", "m"} and (frame["land"] == "here").all()
    again = MODALITY.baselines(split.train, split.codec, 70, 3, {})
    assert all(torch.equal(made[name]["row"], again[name]["row"]) for name in made)


def test_rows_that_training_lacks_are_left_out_and_said(tmp_path):
    """The 10 % that are kept aside may hold a category that no training row has."""
    frame = pd.DataFrame({"a": ["x", "y"] * 50, "n": np.arange(100) * 1.5})
    path = tmp_path / "rare.csv"
    frame.to_csv(path, index=False)
    held = Table(path=str(path)).open().heldout
    some = frame.index[frame["n"].round(1).isin(held_numbers(path, held))][0]
    frame.loc[some, "a"] = "only here"
    frame.to_csv(path, index=False)
    split = Table(path=str(path)).open()
    assert len(split.heldout) == 9
    assert split.heldout_note.endswith("1 of them left out: they hold values that training lacks")


def held_numbers(path, held):
    codec = Table(path=str(path)).open().codec
    return codec.decode(held.finished(range(len(held))))["n"].round(1).tolist()


def test_texts_beside_a_table_are_no_tables(people, tmp_path):
    """A README in words is left out and named; a text of cells is a second table, a question."""
    (tmp_path / "people.csv").write_bytes(people.read_bytes())
    (tmp_path / "README.txt").write_text("About these rows.\nThey were made, for a test.\n\nBye\n")
    assert MODALITY.reads(str(tmp_path)) == "a folder with a table (people.csv)"
    notes = Table(path=str(tmp_path)).open().train.notes
    assert notes[:2] == ("the table is people.csv", "left out beside it: 1 (README.txt)")
    (tmp_path / "more.txt").write_text("a;b\n1;2\n3;4\n")
    with pytest.raises(UserError, match=r"several tables, name one of them: more\.txt, people"):
        Table(path=str(tmp_path)).open()
    (tmp_path / "people.csv").unlink()
    (tmp_path / "more.txt").unlink()
    assert MODALITY.reads(str(tmp_path)) == ""


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("labels.csv", "file,kind\nx,cat\n", False),
        ("all.csv", "file,kind\n0.png,cat\n", False),
        ("all.csv", "file,kind\nx,cat\n", True),
    ],
)
def test_a_table_about_the_files_beside_it_is_no_table_to_learn(tmp_path, name, text, read):
    (tmp_path / "0.png").touch()
    (tmp_path / name).write_text(text)
    assert bool(MODALITY.reads(str(tmp_path))) == read
    (tmp_path / "0.png").unlink()
    assert MODALITY.reads(str(tmp_path)) == f"a folder with a table ({name})"


def test_inspection_says_when_rows_follow_each_other_in_time(tmp_path):
    rng, n = np.random.default_rng(0), 120
    days = pd.date_range("2024-01-01", periods=n, freq="D").strftime("%Y-%m-%d")
    prices = pd.DataFrame({"day": days, "price": rng.normal(10, 1, n).round(2)})
    visits = pd.DataFrame(
        {
            "patient": np.repeat([f"P{i}" for i in range(20)], 6),
            "week": np.tile(np.arange(6), 20),
            "pulse": rng.integers(60, 90, n),
        }
    )

    def noted(frame):
        frame.to_csv(tmp_path / "rows.csv", index=False)
        return " ".join(MODALITY.inspect(str(tmp_path / "rows.csv")).notes)

    train = f"zerosum train {{}} --data {tmp_path / 'rows.csv'}"
    assert "in the order of 'day'" in noted(prices) and train.format("timegan") in noted(prices)
    assert "in the order of 'day'" in noted(prices[::-1])
    assert train.format("doppelganger") + " data.series=patient" in noted(visits)
    for frame in (prices, visits):
        assert "order" not in noted(frame.sample(frac=1, random_state=0))
    assert "order" not in noted(prices.head(40))  # too few to tell
    assert "order" not in noted(visits.drop(columns="week"))
    assert "order" not in noted(prices.assign(day=range(n)))  # row numbers are no time
