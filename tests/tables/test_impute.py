"""`zerosum impute`: what was there stays to the letter, what was not is filled and valid."""

import csv
import gzip
import sys

import numpy as np
import pytest

from zerosum.cli.main import main
from zerosum.core.registry import recipe
from zerosum.errors import UserError
from zerosum.modalities.tables import TableGaps
from zerosum.pipelines.impute import Imputer
from zerosum.training.trainer import Trainer

pd = pytest.importorskip("pandas")

TEXT = """\
id;age;kind;day;paid;flag;unit;note;rank
a-1;31;cat;2024-01-31;1,50;yes;kg;x y z w v;1
a-2;;dog;2024-02-29;2,25;;kg;;2
a-3;45;;;;no;;q r s t u;
a-4;0052;"co;w";2023-12-01;0,75;yes;kg;;3
a-5;NA;?;2024-03-01;;no;kg;a b c d e;99
"""


def people(n=400):
    rng = np.random.default_rng(0)
    kind = rng.choice(["cat", "dog", "co;w"], n)
    days = pd.date_range("2023-01-01", periods=n).strftime("%Y-%m-%d").to_numpy()
    words = np.array(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"])
    return pd.DataFrame(
        {
            "id": [f"a-{i}" for i in range(n)],
            "age": rng.integers(18, 90, n),
            "kind": kind,
            "day": rng.permutation(days),
            "paid": np.round(rng.gamma(2, 10, n), 2),
            "flag": np.where(rng.random(n) < 0.3, "yes", "no"),
            "unit": "kg",
            "note": [" ".join(rng.choice(words, 6)) for _ in range(n)],
            "rank": rng.integers(1, 4, n),
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gain")
    table = people()
    table.to_csv(folder / "people.csv", index=False, sep=";", decimal=",")
    data = TableGaps(path=str(folder / "people.csv"))
    found = recipe("gain/tiny").model_copy(update={"data": data})
    found = found.override({"train.examples": 400, "evaluate.samples": 0})
    Trainer(found, folder / "run", device="cpu", quiet=True).fit()
    return folder / "run"


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*words):
        """Exit status, stdout and stderr of a command."""
        monkeypatch.setattr(sys, "argv", ["zerosum", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


def cells(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", newline="") as file:
        return list(csv.reader(file, delimiter=";"))


@pytest.mark.parametrize("name", ["full.csv", "full.csv.gz"])
def test_known_cells_stay_to_the_letter_and_the_others_are_valid(run, call, tmp_path, name):
    broken, full = tmp_path / "broken.csv", tmp_path / name
    broken.write_text(TEXT)
    status, told, complaint = call("impute", run, broken, "--out", full, "--quiet")
    assert status == 0, complaint
    before, after = cells(broken), cells(full)
    assert len(after) == len(before)
    empty, left = ("", "NA", "?"), (0, 7)  # id and note are not learned
    learned = people()
    for old, new in zip(before, after):
        for number, (was, now) in enumerate(zip(old, new)):
            if was not in empty or number in left:
                assert now == was
                continue
            column = before[0][number]
            if column in ("kind", "flag"):
                assert now in set(learned[column])
            elif column == "age":
                assert 18 <= int(now) <= 89
            elif column == "rank":
                assert now in ("1", "2", "3")
            elif column == "day":
                assert "2023-01-01" <= now <= "2024-02-04" and len(now) == 10
            elif column == "unit":
                assert now == "kg"
            else:
                assert column == "paid" and "." not in now and float(now.replace(",", ".")) >= 0
    assert "10 cells of 7 columns filled, in 3 of 5 rows" in told
    assert "column 'note': 2 empty cells stay empty" in told
    assert "column 'rank': 1 values such as '99' were not among the training rows" in told


def test_the_same_seed_fills_the_same_and_rows_in_any_number(run):
    imputer = Imputer.load(run, device="cpu")
    frame = people(200).astype({"age": "Int64"})
    frame.loc[::3, ["age", "kind", "paid"]] = None
    once = imputer.fill(frame)
    pd.testing.assert_frame_equal(once, imputer.fill(frame))
    pd.testing.assert_frame_equal(once.head(70), imputer.fill(frame.head(70)))
    assert not once.isna().to_numpy().any()
    assert (once.dtypes == frame.dtypes).all()
    known = frame.notna()
    assert (once.where(known) == frame.where(known)).to_numpy()[known.to_numpy()].all()


def test_parquet_keeps_its_types(run, tmp_path):
    frame = people(50).astype({"age": "Int64"})
    frame.loc[3:9, "age"] = None
    frame.loc[5:20, "flag"] = None
    frame.to_parquet(tmp_path / "broken.parquet")
    done = Imputer.load(run, device="cpu").fill_file(
        str(tmp_path / "broken.parquet"), tmp_path / "full.parquet"
    )
    assert done.cells == {"age": 7, "flag": 16} and (done.rows, done.mended) == (50, 18)
    full = pd.read_parquet(tmp_path / "full.parquet")
    assert full["age"].dtype == "Int64" and full["age"].between(18, 89).all()
    pd.testing.assert_frame_equal(full.drop(columns=["age", "flag"]),
                                  frame.drop(columns=["age", "flag"]))  # fmt: skip


def test_columns_that_lack_or_are_new(run, tmp_path):
    broken = tmp_path / "broken.csv"
    broken.write_text("flag,new,age\nyes,,20\n,b,\n")
    done = Imputer.load(run, device="cpu").fill_file(str(broken), tmp_path / "full.csv")
    rows = list(csv.reader((tmp_path / "full.csv").open()))
    assert rows[:2] == [["flag", "new", "age"], ["yes", "", "20"]] and rows[2][1] == "b"
    assert rows[2][0] in ("yes", "no") and rows[2][2].isdigit()
    assert "column 'new' was not learned: it stays as it is" in done.notes
    assert "column 'kind' is not there: it is not made" in done.notes


@pytest.mark.parametrize(
    ("text", "out", "said"),
    [
        ("wrong,names\n1,2\n", "full.csv", "none of the columns that were learned"),
        ("age,flag\nold,yes\n", "full.csv", "holds numbers, not 'old' (row 1)"),
        ("age,flag\n1,yes\n2\n", "full.csv", "line 3: 1 cells where the table has 2"),
        ("age,flag\n1,\n", "full.xlsx", "of no known kind"),
        ("age,flag\n1,\n", "broken.csv", "is the table itself"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(run, call, tmp_path, text, out, said):
    broken = tmp_path / "broken.csv"
    broken.write_text(text)
    status, _, complaint = call("impute", run, broken, "--out", tmp_path / out, "--quiet")
    assert status == 2 and said in complaint and complaint.count("\n") == 1
    assert broken.read_text() == text


def test_systems_that_draw_tables_are_told_apart(tmp_path):
    found = recipe("ctgan/tiny").override({"train.examples": 40, "evaluate.samples": 0})
    Trainer(found, tmp_path / "run", device="cpu", quiet=True).fit()
    with pytest.raises(UserError, match="fills no gaps: train one that does"):
        Imputer.load(tmp_path / "run")


def test_constraints_are_refused():
    data = TableGaps(
        path="wine", schema={"constraints": [{"kind": "positive", "columns": ["ash"]}]}
    )
    with pytest.raises(UserError, match="no constraint is kept"):
        data.open()
