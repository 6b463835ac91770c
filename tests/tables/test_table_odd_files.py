"""Tables as programs and people leave them: what is read, what is said, who is to blame."""

import datetime
import decimal
import gzip

import numpy as np
import pytest

from zerosum.errors import UserError
from zerosum.modalities.tables import MODALITY
from zerosum.modalities.tables.columns import LeftOut
from zerosum.modalities.tables.config import Table
from zerosum.modalities.tables.reading import read_table

pd = pytest.importorskip("pandas")

VALUES = [round(1.5 * i - 7.25, 2) for i in range(60)]
PLAIN = "x,w\n" + "".join(f"{value},{'ab'[i % 2]}\n" for i, value in enumerate(VALUES))


def write(folder, text, name="rows.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "text",
    [
        "\n\r\n\n" + PLAIN,
        "sep=,\n" + PLAIN,
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", ",\n"),
        PLAIN.replace("\n", ",\n").replace("w,", "w", 1),
        PLAIN + "\n\n",
    ],
    ids=["blank lines above", "sep=", "CR", "delimiter at ends", "the same below", "blank below"],
)
def test_the_same_rows_are_found(tmp_path, text):
    frame = read_table(write(tmp_path, text)).frame
    assert list(frame.columns) == ["x", "w"] and frame["x"].tolist() == VALUES


def test_an_unnamed_last_column_with_cells_is_none_of_the_delimiters(tmp_path):
    read = read_table(write(tmp_path, "x,w,\n1,a,\n2,b,oh\n"))
    assert read.notes == ("column 3 has no name: it is called 'column_3'",)
    assert read.frame["column_3"].tolist()[1] == "oh" and len(read.frame.columns) == 3


def test_names_that_are_lacking_or_repeated_are_made_and_said(tmp_path):
    """What pandas writes with its index, and a name that is in use already."""
    read = read_table(write(tmp_path, ",a,a,a_2\n0,1.5,3,x\n1,2.5,4,y\n"))
    assert list(read.frame.columns) == ["column_1", "a", "a_3", "a_2"]
    assert read.frame["a_3"].tolist() == [3, 4] and read.frame["a"].tolist() == [1.5, 2.5]
    assert read.notes == (
        "column 1 has no name: it is called 'column_1'",
        "another column is called 'a': this one is called 'a_3'",
    )


def test_the_delimiter_that_excel_states_counts(tmp_path):
    frame = read_table(write(tmp_path, "sep=;\na;b, c\n1;2, 5\n3;4, 5\n")).frame
    assert list(frame.columns) == ["a", "b, c"]


def test_blank_lines_between_rows_are_counted(tmp_path):
    read = read_table(write(tmp_path, "x\n1.5\n\n2.5\n\n\n3.5\n\n"))
    assert read.frame["x"].tolist() == [1.5, 2.5, 3.5]
    assert read.notes == ("blank lines left out: 3",)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8"])
def test_a_large_file_is_cut_between_characters_when_it_is_looked_at(tmp_path, encoding):
    text = "x,w\n" + "1.5,écrit\n2.5,ünd\n" * 9_000
    frame = read_table(write(tmp_path, text, encoding=encoding), encoding=encoding).frame
    assert len(frame) == 18_000 and frame["w"][0] == "écrit"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A report of 2024\n\n" + PLAIN, "line 1 has 1 cell and most lines below 2: take away"),
        (PLAIN + 'oops,"a\nb"\n', "'oops' in line 62"),
        ('x,w\n1.5,"a\n\nb"\n' + PLAIN[4:] + "oops,a\n", "'oops' in line 65"),
        (PLAIN + '1.5,"a\n' + PLAIN[4:], "line 62: close the quote"),
        (PLAIN + '"1.5,a\n' + PLAIN[4:], "line 62: 1 cells where .* a quote its end"),
        (PLAIN + '1.5,"a\n' + PLAIN * 300, "line 62: .*: close the quote"),
    ],
)
def test_the_line_at_fault_is_named(tmp_path, text, words):
    with pytest.raises(UserError, match=words):
        read_table(write(tmp_path, text))


def test_a_damaged_gzip_is_said(tmp_path):
    packed = gzip.compress("".join(f"{i * 7919 % 1000},{i}\n" for i in range(9_000)).encode())
    path = write(tmp_path, packed[:300] + bytes(range(200, 256)) + packed[400:], "rows.csv.gz")
    with pytest.raises(UserError, match=r"cannot be read .*: copy or download it again"):
        read_table(path)


def test_words_among_numbers_are_a_question_however_many_rows_hold_them(tmp_path):
    text = "x,w\n" + "".join(f"{v if i % 3 else 'none'},a\n" for i, v in enumerate(VALUES))
    with pytest.raises(UserError, match="column 'x' holds numbers, but 'none' in line 2"):
        read_table(write(tmp_path, text))
    frame = Table(path=str(write(tmp_path, text)), missing=("none",)).open().codec.columns[0]
    assert frame.kind == "number" and frame.missing


@pytest.mark.parametrize("mark", ["\t", "|", ";"])
def test_decimal_commas_between_all_delimiters_but_the_comma(tmp_path, mark):
    text = PLAIN.replace(",", mark).replace(".", ",")
    assert read_table(write(tmp_path, text)).frame["x"].tolist() == VALUES


def test_points_of_thousands_beside_decimal_commas_are_no_decimals(tmp_path):
    text = "a;b\n" + "".join(f"{i},5;{i + 1}.{500 + i}\n" for i in range(60))
    frame = read_table(write(tmp_path, text)).frame
    assert frame["a"][3] == 3.5 and frame["b"][3] == "4.503"


@pytest.mark.parametrize(
    "cell", ['"{:,}"', "${}.50", "{}%", "−{}", "{}.12.1999"], ids=lambda cell: cell
)
def test_numbers_and_dates_in_other_spellings_are_not_called_identifiers(tmp_path, cell):
    text = "x,w\n" + "".join(f"{cell.format(1000 + i)},{i % 2}\n" for i in range(60))
    columns = Table(path=str(write(tmp_path, text))).open().codec.columns
    assert isinstance(columns[0], LeftOut)
    assert "of digits, which are read as numbers if they are like 1234.5" in columns[0].reason


def test_repeated_numbers_in_another_spelling_are_said_to_be_categories(tmp_path):
    text = "x,w\n" + "".join(f'"{1000 + i % 30:,}",{i % 2}\n' for i in range(120))
    notes = Table(path=str(write(tmp_path, text))).open().train.notes
    assert any("'x' is learned as categories: it holds texts of digits" in note for note in notes)
    warned = MODALITY.inspect(str(tmp_path / "rows.csv")).warnings
    assert any("'x' is learned as categories" in line for line in warned)


def test_identifiers_longer_than_a_float_are_no_numbers(tmp_path):
    text = "x,w\n" + "".join(f"{10**20 + i},{i % 2}\n" for i in range(60))
    assert read_table(write(tmp_path, text)).frame["x"][1] == str(10**20 + 1)


def test_a_date_without_end_survives(tmp_path):
    dates = [f"2024-01-{i % 28 + 1:02d}" if i % 4 else "9999-12-31" for i in range(120)]
    path = write(tmp_path, "d,w\n" + "".join(f"{d},{i % 2}\n" for i, d in enumerate(dates)))
    split = Table(path=str(path), holdout=0).open()
    rows = split.codec.decode(split.train.fetch(range(120)))
    assert rows["d"].tolist() == dates


def test_a_day_that_is_none_is_named_with_a_cure(tmp_path):
    dates = "".join(f"2024-01-{i % 28 + 1:02d},{i % 2}\n" for i in range(60))
    path = write(tmp_path, "d,w\n" + dates + "2024-02-30,1\n")
    with pytest.raises(UserError, match=r"'2024-02-30' \(row .*data.missing="):
        Table(path=str(path), holdout=0).open()


def test_parquet_keeps_the_index_that_has_a_name_and_its_own_types(tmp_path):
    pytest.importorskip("pyarrow")
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(i) for i in range(60)]
    frame = pd.DataFrame({"price": [decimal.Decimal(i) / 8 for i in range(60)], "day": days})
    frame.index = pd.Index(VALUES, name="x")
    frame.to_parquet(tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet")
    assert read.frame["x"].tolist() == VALUES
    assert np.array_equal(read.frame["price"], np.arange(60) / 8)
    kinds = MODALITY.inspect(str(tmp_path / "a.parquet")).facts["columns"]
    assert kinds["numbers"] == ["x", "price"] and kinds["dates"] == ["day"]
    frame.set_index(pd.Index([f"row {i}" for i in range(60)])).to_parquet(tmp_path / "b.parquet")
    assert "the index of the rows has no name" in read_table(tmp_path / "b.parquet").notes[0]


def test_a_single_column_of_several_cells_gets_a_hint(tmp_path):
    text = "".join(f"{i}.5  {i + 1} b\n" for i in range(60))
    with pytest.raises(UserError, match="part them by a comma, semicolon or tab"):
        Table(path=str(write(tmp_path, text))).open()
