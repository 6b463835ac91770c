"""Feeds: an order that is a function of the seed, exact positions, nothing global touched."""

from __future__ import annotations

import multiprocessing
import random
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pictures import write_folder

from zerosum.data import fields as data_fields
from zerosum.data.feed import Feed, feed
from zerosum.data.fields import Category, finish
from zerosum.data.order import MIRROR, Order, draw, permutation
from zerosum.data.source import Mirrored, Source
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images import ImageField, Images, LabelMap
from zerosum.modalities.points import Toy


class Numbers(Source):
    """Every sample is its own number."""

    def __init__(self, count):
        self.count = count
        self.name = "numbers"
        self.fields = {"number": data_fields.Numbers(shape=())}

    def __len__(self):
        return self.count

    def fetch(self, indices, visits=None):
        return {"number": torch.tensor(indices)}


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "set", [f"{i:02}.png" for i in range(13)])


def on_demand(folder, flip=False):
    config = Images(path=str(folder), holdout=0, memory=0, size=(6, 6), channels=3, flip=flip)
    return config.open().train


def numbers(source, steps, **options):
    return torch.cat([b["number"] for b in islice(Feed(source, **options), steps)]).tolist()


@given(st.integers(1, 40), st.integers(1, 50), st.integers(-(2**40), 2**40))
@settings(deadline=None, max_examples=50)
def test_every_epoch_covers_the_set_once(count, batch, seed):
    steps = -(-3 * count // batch)
    seen = numbers(Numbers(count), steps, batch=batch, seed=seed)
    for epoch in range(3):
        assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))


@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_the_global_sequence_does_not_depend_on_the_world(count, batch, world):
    source = Numbers(count)
    shares = [
        list(islice(Feed(source, batch=batch, seed=3, rank=r, world=world), 4))
        for r in range(world)
    ]
    together = [int(n) for step in zip(*shares) for share in step for n in share["number"]]
    assert together == numbers(source, 4, batch=batch * world, seed=3)


def test_epochs_and_seeds_differ():
    one = numbers(Numbers(50), 4, batch=25, seed=0)
    assert one[:50] != one[50:]
    assert one != numbers(Numbers(50), 4, batch=25, seed=1)


def test_the_order_is_pinned():
    """Written out once: a change of the order would silently break every resumed run."""
    assert permutation((0, 1, 0), 8).tolist() == [6, 3, 1, 5, 4, 0, 2, 7]
    assert draw((7, 2), np.arange(2)).tolist() == [9351301419765037533, 15824311263734336937]


def test_shuffles_are_uniform():
    places = np.zeros((6, 6))
    for seed in range(3000):
        places[np.arange(6), permutation((seed, 1, 0), 6)] += 1
    chi_square = ((places - 500) ** 2 / 500).sum()
    assert chi_square < 70  # 25 degrees of freedom: about 1e-5 of chance


def test_order_keeps_no_more_than_two_epochs():
    order = Order(5, 0)
    for step in range(20):
        order(np.arange(step * 7, step * 7 + 7))
    assert len(order._epochs) == 2


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_resume_equals_the_uninterrupted_stream(folder, workers):
    source = on_demand(folder, flip=True)
    options = {"batch": 5, "seed": 4, "workers": workers}
    whole = [b["image"] for b in islice(Feed(source, batch=5, seed=4), 9)]
    one = Feed(source, **options)
    for step in range(3):
        assert torch.equal(next(one)["image"], whole[step])
    assert one.position == 3, "what was fetched ahead does not count"
    one.position = 7
    assert torch.equal(next(one)["image"], whole[7])
    assert torch.equal(next(one)["image"], whole[8])
    one.position = 2
    assert torch.equal(next(one)["image"], whole[2])
    one.close()
    assert torch.equal(next(one)["image"], whole[3]), "closed, it goes on in this process"


def test_workers_can_be_spawned(folder):
    expected = next(Feed(on_demand(folder), batch=4))["image"]
    method = multiprocessing.get_start_method()
    multiprocessing.set_start_method("spawn", force=True)
    try:
        spawned = Feed(on_demand(folder), batch=4, workers=1)
        assert torch.equal(next(spawned)["image"], expected)
        spawned.close()
    finally:
        multiprocessing.set_start_method(method, force=True)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_breaks_later_is_named_in_one_line(folder, workers):
    source = on_demand(folder)
    (folder / "05.png").write_bytes(b"junk")
    broken = Feed(source, batch=13, workers=workers)
    for _ in range(2):
        with pytest.raises(UserError, match=r"^05.png cannot be read \(not an image") as caught:
            next(broken)
        assert "\n" not in str(caught.value)
        assert broken.position == 0
    write_folder(folder, [f"{i:02}.png" for i in range(13)])
    expected = next(Feed(source, batch=13))["image"]
    assert torch.equal(next(broken)["image"], expected), "mended, it goes on where it stood"
    broken.close()


def test_memory_needs_no_workers():
    source = Images(path="digits").open().train
    fed = Feed(source, batch=4, workers=2)
    assert fed._loader is None
    assert next(fed)["image"].shape == (4, 1, 8, 8)


def test_flips_are_by_number_and_half():
    source = Images(path="digits", holdout=0).open().train
    turned = Images(path="digits", holdout=0, flip=True).open().train
    plain, flipped = Feed(source, batch=200), Feed(turned, batch=200)
    for step in range(2):
        which = Visits(0, np.arange(step * 200, step * 200 + 200)).coins(MIRROR)
        assert 70 < which.sum() < 130
        before, after = next(plain), next(flipped)
        for row in range(200):
            expected = before["image"][row].flip(-1) if which[row] else before["image"][row]
            assert torch.equal(after["image"][row], expected)
        assert torch.equal(before["label"], after["label"])


def test_mirroring_leaves_points_alone():
    source = Toy(count=10).open().train
    one, other = Feed(Mirrored(source), batch=6), Feed(source, batch=6)
    assert torch.equal(next(one)["point"], next(other)["point"])


@pytest.mark.parametrize("workers", [0, 1])
def test_no_global_random_state_is_touched(folder, workers):
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    split = Images(path=str(folder), memory=0, limit=9, flip=True).open()
    fed = feed(split.train, batch=3, workers=workers)
    list(islice(fed, 4))
    fed.position = 1
    next(fed)
    fed.close()
    Toy(count=5).open()
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert torch.equal(torch.get_rng_state(), before[2])


def test_finish_maps_bytes_to_minus_one_to_one():
    raw = torch.tensor([0, 51, 255], dtype=torch.uint8)
    fields = {
        "image": ImageField(shape=(1, 1, 1)),
        "label": Category(count=4),
        "point": data_fields.Numbers(shape=()),
        "map": LabelMap(shape=(1, 1), count=9),
    }
    given = {"image": raw, "label": torch.tensor([3]), "point": torch.tensor([0.5])}
    batch = finish({**given, "map": raw.clone()}, fields)
    assert torch.equal(batch["map"], raw), "what is no picture is never scaled"
    assert torch.allclose(batch["image"], torch.tensor([-1.0, -0.6, 1.0]), atol=1e-7)
    assert batch["image"][0] == -1 and batch["image"][2] == 1
    assert batch["label"].dtype == torch.int64 and batch["point"].item() == 0.5
    assert raw.tolist() == [0, 51, 255], "the raw samples are left as they were"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch=0: a batch needs at least 1 sample"),
        ({"batch": 1, "rank": 2, "world": 2}, "rank=2 of world=2: ranks count from 0"),
        ({"batch": 1, "world": 0}, "rank=0 of world=0"),
    ],
)
def test_senseless_numbers(options, message):
    with pytest.raises(UserError, match=message):
        Feed(Numbers(3), **options)


def test_empty_sources_and_negative_positions():
    with pytest.raises(UserError, match="numbers holds no samples"):
        Feed(Numbers(0), batch=1)
    with pytest.raises(UserError, match="position=-1: a feed starts at 0"):
        Feed(Numbers(1), batch=1).position = -1


@pytest.mark.gpu
def test_batches_arrive_on_the_accelerator():
    source = Images(path="digits").open().train
    there, here = Feed(source, batch=8, device="cuda"), Feed(source, batch=8)
    for one, other in islice(zip(there, here), 5):
        assert one["image"].device.type == "cuda" and one["label"].device.type == "cuda"
        difference = (one["image"].cpu() - other["image"]).abs()
        assert difference.max() < 1e-6  # a GPU rounds in its own way
