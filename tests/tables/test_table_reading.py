"""Reading tables: delimiters, headers, types, missing values, and what is refused."""

import gzip

import numpy as np
import pytest

from zerosum.errors import UserError
from zerosum.modalities.tables.config import Table
from zerosum.modalities.tables.reading import find_delimiter, read_table

pd = pytest.importorskip("pandas")


def write(folder, text, name="rows.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiter_is_found(mark):
    lines = [["name", "size, in all"], ["a", "1"], ["b", "2"]]
    assert find_delimiter("\n".join(mark.join(f'"{c}"' for c in line) for line in lines)) == mark


def test_types_and_missing_values(tmp_path):
    text = "n,x,word,code,few\n1,0.5,a,007,1\n2,?,,010,NA\n3,1.25,b,011,2\n"
    frame = read_table(write(tmp_path, text)).frame
    assert [str(t) for t in frame.dtypes] == ["int64", "float64", "str", "str", "Int64"]
    assert frame["x"].tolist()[::2] == [0.5, 1.25] and np.isnan(frame["x"][1])
    assert frame["word"].isna().tolist() == [False, True, False]
    assert frame["code"].tolist() == ["007", "010", "011"]
    assert frame["few"].isna().tolist() == [False, True, False]


def test_packed_and_tab_separated_are_the_same(tmp_path):
    text = "a,b\n1,x\n2,y\n"
    plain = read_table(write(tmp_path, text)).frame
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(text.encode()))
    pd.testing.assert_frame_equal(read_table(tmp_path / "rows.csv.gz").frame, plain)
    tabs = write(tmp_path, text.replace(",", "\t"), "rows.tsv")
    pd.testing.assert_frame_equal(read_table(tabs).frame, plain)
    pytest.importorskip("pyarrow")
    plain.to_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "rows.parquet").frame, plain)


def test_a_file_without_header_is_noticed(tmp_path):
    read = read_table(write(tmp_path, "1,a\n2,b\n3,a\n"))
    assert list(read.frame.columns) == ["column_1", "column_2"]
    assert len(read.frame) == 3 and "column_1" in read.notes[0]
    named = read_table(write(tmp_path, "1,a\n2,b\n"), names=["size", "kind"]).frame
    assert list(named.columns) == ["size", "kind"] and len(named) == 2


def test_decimal_commas(tmp_path):
    read = read_table(write(tmp_path, "a;b\n1,5;x\n2,25;y\n"))
    assert read.frame["a"].tolist() == [1.5, 2.25] and "comma" in read.notes[0]


def test_another_encoding(tmp_path):
    path = write(tmp_path, "name,n\ncafé,1\nthé,2\n", encoding="latin-1")
    with pytest.raises(UserError, match=r"is not utf-8 \(byte 10\): .*data.encoding=latin-1"):
        read_table(path)
    assert read_table(path, encoding="latin-1").frame["name"].tolist() == ["café", "thé"]


LETTERS = "".join(f"{i},{chr(97 + i % 26)}\n" for i in range(40))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "header and no rows"),
        ("a,b\n1,2\n3,4,5\n", "line 3: 3 cells where the table has 2 columns"),
        ("a,b\n1,2,9\n3,4,5\n", "line 2: 3 cells where the table has 2 columns"),
        ("a,b,c\n1,2,3\n3,4\n", "line 3: 2 cells where the table has 3 columns"),
        (
            "n,w\n" + LETTERS + "oops,z\n",
            r"column 'n' holds numbers, but 'oops' in line 42: .*data.missing='\[\"oops\"\]'",
        ),
        ("a,b\n1,\x00\n", "is no text file"),
    ],
)
def test_what_is_refused(tmp_path, text, words):
    with pytest.raises(UserError, match=words):
        read_table(write(tmp_path, text))


def test_the_cures_of_a_mixed_column_work(tmp_path):
    path = write(tmp_path, "n,w\n" + LETTERS + "oops,z\n")
    assert read_table(path, missing=["oops"]).frame["n"].isna().sum() == 1
    split = Table(path=str(path), kinds={"n": "category"}, holdout=0).open()
    assert "oops" in next(c for c in split.codec.columns if c.name == "n").values


def test_places_that_are_no_table(tmp_path):
    with pytest.raises(UserError, match=r"no file or folder .*adult, wine"):
        Table(path=str(tmp_path / "gone.csv")).open()
    with pytest.raises(UserError, match="holds no table"):
        Table(path=str(tmp_path)).open()
    write(tmp_path, "a,b\n1,2\n", "a.csv")
    write(tmp_path, "a,b\n1,2\n", "b.csv")
    with pytest.raises(UserError, match=r"several tables, name one of them: a.csv, b.csv"):
        Table(path=str(tmp_path)).open()
    with pytest.raises(UserError, match=r"is no table: give \.csv"):
        Table(path=str(write(tmp_path, "x", "a.png"))).open()


def test_adult_says_where_it_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"place adult-train.csv.gz in .*tabular"):
        Table(path="adult").open()


def test_adult_is_read_as_published(tmp_path, monkeypatch):
    row = "39, State-gov, {}, Bachelors, 13, Divorced, ?, Husband, White, Male, 0, 0, {}, Cuba, {}"
    folder = tmp_path / "tabular"
    folder.mkdir()
    for part, ends in (("train", ("<=50K", ">50K")), ("test", ("<=50K.", ">50K."))):
        lines = [row.format(77_000 + 7 * i, i, ends[i % 2]) for i in range(30)]
        (folder / f"adult-{part}.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    split = Table(path="adult").open()
    assert (len(split.train), len(split.heldout)) == (30, 30)
    assert split.heldout_note == "the official test part (30)"
    frame = split.codec.decode(split.heldout.some(30))
    assert set(frame["income"]) == {"<=50K", ">50K"} and frame["occupation"].isna().all()
    assert split.codec.target == "income"


def test_the_held_out_part_is_chosen_once():
    split = Table(path="wine").open()
    assert (len(split.train), len(split.heldout)) == (160, 18)
    assert split.heldout_note == "10 % (18 of 178), seed 0"
    again = Table(path="wine", limit=50).open()
    assert len(again.train) == 50
    one, other = (part.codec.decode(part.heldout.finished(range(18))) for part in (split, again))
    assert one["class"].tolist() == other["class"].tolist()
    assert one["hue"].tolist() == other["hue"].tolist()
