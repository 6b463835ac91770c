"""The schema: what is written is what is read, and what an editor says is obeyed."""

import json

import numpy as np
import pytest

from zerosum.core.registry import recipe
from zerosum.errors import UserError
from zerosum.modalities.tables import MODALITY, Table, TableCodec
from zerosum.modalities.tables.columns import Discrete, Identifier, LeftOut, Number
from zerosum.modalities.tables.fitting import TAIL
from zerosum.modalities.tables.identifiers import personal
from zerosum.modalities.tables.kinds import Rules
from zerosum.modalities.tables.schema import load, schema_of, text

pd = pytest.importorskip("pandas")

N = 240


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": np.arange(N) + 500,
            "email": [f"p{i % 200}@mail.example.net" for i in range(N)],
            "phone": [f"+44 20 7946 {i:04d}" for i in range(N)],
            "surname": [f"Miller{chr(97 + i % 26)}{i % 30}" for i in range(N)],
            "uid": [f"6f9619ff-8b86-4011-b42d-{i:012x}" for i in range(N)],
            "code": [f"K{i:05d}" for i in range(N)],
            "size": rng.choice(["S", "M", "L"], N),
            "flag": rng.random(N) < 0.5,
            "pay": np.round(np.exp(rng.normal(3, 2.5, N)), 2),
            "days": rng.integers(0, 400, N),
            "born": pd.date_range("1950-01-01", periods=N, freq="40D").strftime("%Y-%m-%d"),
            "story": [f"some words that say number {i}" for i in range(N)],
            "land": "here",
        }
    )


@pytest.fixture(scope="module")
def codec(people):
    return TableCodec.fit(people)


def test_what_was_found(codec):
    found = {name: column.kind for name, column in schema_of(codec).columns.items()}
    assert found == {
        "id": "identifier", "email": "identifier", "phone": "identifier",
        "surname": "identifier", "uid": "identifier", "code": "identifier",
        "size": "category", "flag": "boolean", "pay": "number", "days": "integer",
        "born": "date", "story": "text", "land": "constant",
    }  # fmt: skip
    reasons = {c.name: c.reason for c in codec.columns if isinstance(c, Identifier)}
    assert reasons["email"] == "e-mail addresses" and reasons["phone"] == "telephone numbers"
    assert reasons["uid"] == "UUIDs" and reasons["surname"] == "names"


def test_identifiers_are_new_and_unique(people, codec):
    made = codec.decode(codec.encode(people))
    for name in ("id", "email", "phone", "surname", "uid", "code"):
        assert made[name].is_unique and not set(made[name]) & set(people[name])
    assert made["id"].tolist()[:2] == [740, 741] and made["id"].dtype == people["id"].dtype
    assert made["email"][0] == "person1@example.com"
    assert made["phone"][0] == "+999 00000001" and made["code"][0] == "K00240"
    assert made["uid"][1] == "00000000-0000-8000-8000-000000000002"
    state = json.dumps(codec.state()[0])
    assert "mail.example.net" not in state and "7946" not in state and "Miller" not in state


def test_what_is_reserved_may_be_in_use():
    """Made values differ from the data's even where those hold what we would have made."""
    mails = pd.DataFrame({"m": [f"person{i}@example.com" for i in range(60)], "x": [0, 1] * 30})
    made = TableCodec.fit(mails).decode(TableCodec.fit(mails).encode(mails))
    assert made["m"][0] == "person1@example.org"
    keys = pd.DataFrame({"k": [f"row-{i}x" for i in range(60)], "x": [0, 1] * 30})
    codec = TableCodec.fit(keys)
    assert codec.decode(codec.encode(keys))["k"][0] == "row-0-1"


def test_missing_identifiers_stay_as_frequent():
    keys = [f"A{i}" if i % 4 else None for i in range(4000)]
    frame = pd.DataFrame({"k": keys, "x": [0, 1] * 2000})
    codec = TableCodec.fit(frame)
    made = codec.decode(codec.encode(frame))["k"]
    assert made.isna().mean() == pytest.approx(0.25, abs=0.02) and made.dropna().is_unique


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("x", ["a@b.org", "c@d.co.uk"], "e-mail addresses"),
        ("x", ["a@b", "c"], ""),
        ("x", ["+1 555 010 9999", "+44 20 7946 0000"], "telephone numbers"),
        ("phone", ["(555) 010-9999", "555.010.9998"], "telephone numbers"),
        ("order", ["2024-01-31", "2024-02-01"], ""),
        ("phone", [5550109999, 5550109998], "telephone numbers"),
        ("year", [5550109999, 5550109998], ""),
        ("last name", [f"n{i}" for i in range(21)], "names"),
        ("last name", [f"n{i}" for i in range(20)], ""),
        ("file name", [f"n{i}" for i in range(21)], ""),
    ],
)
def test_personal_data_are_recognised(name, values, found):
    assert personal(pd.Series(values, name=name)) == found


def test_the_schema_that_was_written_gives_the_same_codec(people, codec, tmp_path):
    people.to_csv(tmp_path / "people.csv", index=False)
    path = tmp_path / "schema.json"
    path.write_text(MODALITY.schema(str(tmp_path / "people.csv")))
    plain = Table(path=str(tmp_path / "people.csv"), holdout=0)
    told = recipe("ctgan/tiny").with_data(plain.path).override({"data.schema": str(path)}).data
    again = told.model_copy(update={"holdout": 0}).open().codec
    for one, other in zip(plain.open().codec.columns, again.columns):
        assert one.model_dump(exclude={"reason"}) == other.model_dump(exclude={"reason"})
    path.unlink()  # the recipe holds what the file held
    assert told.schema.columns["born"].kind == "date"
    assert told.at("other.csv").schema is None


def test_what_an_editor_says_is_obeyed(people):
    rules = Rules(
        kinds={"size": "ordinal", "days": "number", "code": "category", "id": "skip",
               "pay": "number", "flag": "category"},
        orders={"size": ("S", "M", "L")},
        logs={"pay": False},
        categories=20,
    )  # fmt: skip
    found = {column.name: column for column in TableCodec.fit(people, rules).columns}
    size = found["size"]
    assert isinstance(size, Discrete) and size.ordered and size.values == ("S", "M", "L")
    assert isinstance(found["code"], Discrete) and len(found["code"].rare) == N - 19
    assert isinstance(found["id"], LeftOut) and found["pay"].offset is None


@pytest.mark.parametrize(
    ("kinds", "orders", "words"),
    [
        ({"pay": "integer"}, {}, r"column 'pay': '.*' in row 1 is no whole number"),
        ({"size": "number"}, {}, "column 'size' holds numbers, not '.' "),
        ({"size": "date"}, {}, "column 'size': '.' in row 1 is no date like"),
        ({"size": "boolean"}, {}, r"column 'size': '.' in row \d+ is a third value"),
        ({"size": "ordinal"}, {}, "column 'size' is said to be ordinal: list its values"),
        ({"size": "ordinal"}, {"size": ("S", "M")}, r"'L' in row \d+ is none of its `order`"),
        ({"sise": "number"}, {}, "there is no column 'sise': did you mean size"),
    ],
)
def test_a_kind_that_a_column_is_not_is_refused(people, kinds, orders, words):
    with pytest.raises(UserError, match=words):
        TableCodec.fit(people, Rules(kinds=kinds, orders=orders))


def test_ordinal_columns_compare(people):
    from zerosum.modalities.tables.where import plan

    rules = Rules(kinds={"size": "ordinal"}, orders={"size": ("S", "M", "L")})
    codec = TableCodec.fit(people, rules)
    assert plan(["size>=M"], codec).met(people).tolist() == (people["size"] != "S").tolist()
    with pytest.raises(UserError, match="'size' has no category 'XL'"):
        plan(["size<XL"], codec)


def test_a_long_tail_is_learned_by_its_logarithm():
    """One beyond TAIL times the median is, one just below is not; both come back exactly."""
    rng = np.random.default_rng(1)
    body = np.round(rng.uniform(1, 3, 999), 3)
    middle = float(np.median(np.append(body, 9999)))
    for factor, long in ((1.01, True), (0.99, False)):
        values = np.append(body, np.round(TAIL * middle * factor, 3))
        frame = pd.DataFrame({"x": values})
        codec = TableCodec.fit(frame)
        column = codec.columns[0]
        assert isinstance(column, Number)
        assert column.offset == (body.min() if long else None)
        back = codec.decode(codec.encode(frame))["x"].to_numpy()
        assert np.array_equal(back[:999], values[:999])
    with pytest.raises(UserError, match="'x' has negative values, of which there is no logarithm"):
        TableCodec.fit(pd.DataFrame({"x": body - 2}), Rules(logs={"x": True}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no schema in .*: write one with  zerosum inspect DATA --schema FILE"),
        ("{", "is no JSON"),
        ('{"columns": {"a": {"kind": "colour"}}}', "columns.a.kind: expected 'number', 'integer'"),
        ('{"constraints": [{"kind": "below"}]}', "constraints"),
    ],
)
def test_a_schema_that_is_none_is_refused_in_a_line(tmp_path, content, words):
    path = tmp_path / "schema.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=words) as caught:
        recipe("ctgan/tiny").override({"data.schema": str(path)})
    assert "\n" not in str(caught.value)


def test_a_schema_reads_back(codec, tmp_path):
    (tmp_path / "s.json").write_text(text(schema_of(codec)))
    assert load(tmp_path / "s.json") == schema_of(codec)
