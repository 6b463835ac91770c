"""The arithmetic of mode coverage, against closed forms and hand-made samples."""

from __future__ import annotations

import math

import pytest
import torch

from zerosum.bench.modes.measure import (
    coverage,
    spread,
)
from zerosum.bench.modes.stack import Streams
from zerosum.bench.modes.suites import ACCEPTANCE, Points

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def ring():
    return Points("ring", CPU)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_even_counts_have_no_divergence_and_one_mode_has_the_logarithm():
    law = torch.full((8,), 1 / 8)
    even = coverage(torch.full((8,), 5), 50, law)
    assert (even.modes, even.solid, even.quality) == (8, 8, 0.8)
    assert even.reverse_kl == pytest.approx(0, abs=1e-12)
    one = coverage(torch.tensor([0, 7, 0, 0, 0, 0, 0, 0]), 7, law)
    assert (one.modes, one.solid) == (1, 1)
    assert one.reverse_kl == one.law_kl == pytest.approx(math.log(8))
    none = coverage(torch.zeros(8, dtype=torch.int64), 7, law)
    assert (none.modes, none.quality, none.reverse_kl, none.law_kl) == (0, 0, None, None)


def test_the_overlap_is_the_share_of_the_law_that_is_covered():
    law = torch.tensor([0.5, 0.3, 0.2])
    # of 10 samples 6, 1 and 0 are in the modes and 3 outside: min(.6, .5) + min(.1, .3) + 0
    found = coverage(torch.tensor([6, 1, 0]), 10, law)
    assert found.overlap == pytest.approx(0.6)
    assert coverage(torch.tensor([50, 30, 20]), 100, law).overlap == pytest.approx(1)
    assert coverage(torch.tensor([0, 0, 0]), 10, law).overlap == 0


def test_divergence_from_an_uneven_law():
    law = torch.tensor([0.5, 0.25, 0.25])
    found = coverage(torch.tensor([2, 1, 1]), 4, law)
    assert found.law_kl == pytest.approx(0, abs=1e-12)
    assert found.reverse_kl == pytest.approx(math.log(3) - 1.5 * math.log(2))
    assert found.solid == 0


def test_sampling_noise_alone_gives_the_floor_of_stacked_digits():
    """(K - 1) / 2N to first order; 0.0192 for 1,000 modes and 26,000 samples."""
    law = torch.full((1_000,), 1e-3)
    values = []
    for seed in range(20):
        counts = torch.randint(1_000, (26_000,), generator=rng(seed)).bincount(minlength=1_000)
        values.append(coverage(counts, 26_000, law, graded=False).reverse_kl)
    assert sum(values) / 20 == pytest.approx(999 / 52_000, rel=0.02)


def test_hand_made_points_of_the_ring(ring):
    near = ring.centres + torch.tensor([0.0299, 0.0])
    far = ring.centres + torch.tensor([0.0, 0.0301])
    found = ring.judge(torch.cat([near, far[:4]]))
    assert found.modes == 8 and found.quality == pytest.approx(8 / 12)
    assert ring.judge(far).modes == 0
    assert ring.judge(torch.zeros(10, 2)).quality == 0


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_a_perfect_sampler_scores_what_is_expected(name):
    suite = Points(name, CPU)
    rows = [suite.judge(suite.oracle(rng(seed))) for seed in range(20)]
    assert all(row.modes == suite.modes for row in rows)
    quality = sum(row.quality for row in rows) / 20
    error = math.sqrt(ACCEPTANCE * (1 - ACCEPTANCE) / (20 * suite.samples))
    assert abs(quality - ACCEPTANCE) < 4 * error
    assert sum(row.spread for row in rows) / 20 == pytest.approx(1, abs=0.01)
    floor = (suite.modes - 1) / (2 * suite.samples)
    assert sum(row.reverse_kl for row in rows) / 20 == pytest.approx(floor, rel=0.4)


@pytest.mark.parametrize("factor", [0.0, 0.5])
def test_shrunken_modes_show_in_the_spread_not_in_the_quality(ring, factor):
    which = torch.arange(2_500) % 8
    noise = torch.randn(2_500, 2, generator=rng())
    found = ring.judge(ring.centres[which] + factor * ring.sigma * noise)
    assert found.quality > 0.999 and found.modes == 8
    # the cut-off at three sigma, which is divided out, hardly touches such samples
    assert found.spread == pytest.approx(factor / math.sqrt(0.9494), rel=0.03, abs=1e-3)


def test_spread_ignores_thin_modes_and_where_modes_lie():
    points = torch.randn(4_000, 3, generator=rng())
    moved = points + torch.tensor([5.0, -2.0, 1.0])
    mode = torch.zeros(4_000, dtype=torch.int64)
    assert spread(points, mode, 1.0, 100.0) == pytest.approx(1, abs=0.02)
    assert spread(moved, mode, 1.0, 100.0) == pytest.approx(
        spread(points, mode, 1.0, 100.0), rel=1e-4
    )
    assert spread(points[:9], mode[:9], 1.0, 100.0) is None


def test_a_seeds_numbers_do_not_depend_on_its_neighbours(ring):
    both, alone = Streams([3, 4]), Streams([4])
    assert torch.equal(ring.draw(both, 5)[5:], ring.draw(alone, 5))
    assert torch.equal(both.normal(2, 3)[2:], alone.normal(2, 3))
    state = alone.state()
    first = alone.uniform(4)
    alone.restore(state)
    assert torch.equal(alone.uniform(4), first)
