"""Do the 95 % intervals hold what they claim to? Two hundred repetitions of each."""

from __future__ import annotations

import pytest
from coverage_cases import CASES, coverage


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_intervals_hold_the_expectation(case):
    """90 to 99 % of them."""
    found = coverage(case)
    assert 0.90 <= found.held <= 0.99, f"{found.held:.3f} of the intervals hold {found.truth:.4f}"
