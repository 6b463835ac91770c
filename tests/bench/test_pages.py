"""How the numbers of a table's cells read."""

from __future__ import annotations

import pytest

from zerosum.bench.pages import mean_and_spread


@pytest.mark.parametrize(
    ("values", "forms", "text"),
    [
        ([], (), "-"),
        ([0.12345], (), "0.123"),
        ([1, 2, 3], (), "2 ± 1"),
        ([0.5, 0.7], (".3f", ".3f"), "0.600 ± 0.141"),
        ([0.25, 0.75], (".1f", ".1f", 100), "50.0 ± 35.4"),
    ],
)
def test_a_cell_is_the_mean_of_its_seeds_and_their_deviation(values, forms, text):
    assert mean_and_spread(values, *forms) == text
