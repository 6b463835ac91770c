"""Rows that meet conditions: how they are read, planned, and drawn."""

import numpy as np
import pytest
import torch

from zerosum.errors import UserError
from zerosum.modalities.tables import TableCodec
from zerosum.modalities.tables.fitting import Rules
from zerosum.modalities.tables.where import filters, parse, plan

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.integers(17, 90, 500),
            "age group": rng.choice(["young", "old"], 500),
            "income": rng.choice(["<=50K", ">50K"], 500, p=[0.75, 0.25]),
            "job": pd.Series(rng.choice(["a", "b"], 500)).where(rng.random(500) < 0.9),
            "rooms": rng.integers(1, 5, 500),
            "day": pd.date_range("2020-01-01", periods=500).strftime("%Y-%m-%d"),
        }
    )


@pytest.fixture(scope="module")
def codec(table):
    return TableCodec.fit(table, Rules())


@pytest.mark.parametrize(
    ("text", "column", "sign", "value"),
    [
        ("income=>50K", "income", "=", ">50K"),
        ("income==<=50K", "income", "=", "<=50K"),
        ("income != >50K", "income", "!=", ">50K"),
        ("age>=30", "age", ">=", "30"),
        ("age < 30.5", "age", "<", "30.5"),
        ("age group=old", "age group", "=", "old"),
        ("job=", "job", "=", ""),
        ("rooms>2", "rooms", ">", "2"),
        ("day<2020-02-01", "day", "<", "2020-02-01"),
    ],
)
def test_conditions_are_read(codec, text, column, sign, value):
    where = parse(text, codec)
    assert (where.column.name, where.sign, where.value) == (column, sign, value)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("income=>50K", lambda t: t["income"] == ">50K"),
        ("income!=>50K", lambda t: t["income"] != ">50K"),
        ("age>30", lambda t: t["age"] > 30),
        ("age<=30", lambda t: t["age"] <= 30),
        ("job=", lambda t: t["job"].isna()),
        ("job!=", lambda t: t["job"].notna()),
        ("job!=a", lambda t: t["job"] != "a"),
        ("rooms=3.0", lambda t: t["rooms"] == 3),
        ("rooms>2", lambda t: t["rooms"] > 2),
        ("day<2020-02-01", lambda t: t["day"] < "2020-02-01"),
    ],
)
def test_rows_that_meet_them(table, codec, text, rows):
    assert plan([text], codec).met(table).tolist() == rows(table).tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("incme=>50K", "no learned column is called 'incme': did you mean income"),
        ("age", "write a sign and a value, such as age="),
        ("age=>30", "'age' is a number: write age>=30"),
        ("age>old", "'age' is a number"),
        ("age=120", "'age' goes from 17 to 89"),
        ("age=", "'age' has no missing values"),
        ("income>50K", "categories, which have no order: write income="),
        ("income=50K", "no category '50K': did you mean"),
        ("rooms=9", "no category '9'"),
        ("day>soon", "holds dates: write one as 2024-01-31"),
    ],
)
def test_conditions_that_are_refused(codec, text, words):
    with pytest.raises(UserError, match=words):
        parse(text, codec)


def test_the_rarest_category_is_asked_for(codec):
    found = plan(["age>30", "age group=old", "income=>50K"], codec)
    assert str(found.asked) == "income=>50K"
    start = next(c.start for c in codec.condition.choices if c.column == "income")
    assert found.shares.nonzero().flatten().tolist() == [start + 1]
    assert plan(["age>30"], codec).shares is None
    missing = plan(["job="], codec)
    job = next(c for c in codec.condition.choices if c.column == "job")
    assert missing.shares.nonzero().item() == job.start + 2 and job.names[2] == "(missing)"
    with pytest.raises(UserError, match="no row can be both"):
        plan(["rooms=1", "rooms=2"], codec)


def test_filters_ask_for_one_and_check_all(table, codec):
    found = filters(["income=>50K", "age>60"], codec, codec.fields)
    given = found.condition(7, torch.Generator())["condition"]
    asked = plan(["income=>50K"], codec).shares
    assert given.shape == (7, *codec.condition.shape) and torch.equal(given[3], asked)
    expected = (table["income"] == ">50K") & (table["age"] > 60)
    assert found.holds(codec.encode(table)).tolist() == expected.tolist()
    assert filters(["age>60"], codec, codec.fields).condition(3, torch.Generator()) == {}
    # A game that takes no conditions is asked for nothing, and all is checked.
    assert filters(["income=>50K"], codec, {}).condition(3, torch.Generator()) == {}
