"""Column shapes, pair trends and quality are those of SDMetrics, on ten generated tables."""

import json
from pathlib import Path

import pytest

pytest.importorskip("pandas")

from quality_tables import pair

from zerosum.modalities.tables.scores import quality
from zerosum.modalities.tables.view import views

EXPECTED = json.loads(
    Path(__file__).parent.parent.joinpath("data", "table_quality.json").read_text()
)
"""Of SDMetrics 0.32.0: a pair that it does not count has no score."""


@pytest.mark.parametrize("number", range(10))
def test_quality_is_that_of_sdmetrics(number):
    real, fake, _ = pair(number)
    expected = EXPECTED[str(number)]
    found = quality(**dict(zip(("real", "fake"), views(real, fake))))
    assert found.shapes == pytest.approx(expected["column-shapes"], abs=1e-6)
    assert found.pairs == pytest.approx(expected["pair-trends"], abs=1e-6)
    assert found.overall == pytest.approx(expected["quality"], abs=1e-6)
    assert found.by_column == pytest.approx(expected["columns"], abs=1e-6)
    counted = {
        frozenset(key.split("|")): value
        for key, value in expected["pairs"].items()
        if value is not None
    }
    ours = {frozenset(key): p.likeness for key, p in found.by_pair.items() if p.related}
    assert ours == pytest.approx(counted, abs=1e-6)
    assert len(found.by_pair) == len(expected["pairs"])
