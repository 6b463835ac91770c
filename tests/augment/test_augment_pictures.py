"""`zerosum augment` for pictures: gains of a class whose pictures are known, and refusals."""

from __future__ import annotations

import pytest
import torch

import zerosum
from zerosum.errors import UserError
from zerosum.modalities.images import augmenting
from zerosum.modalities.images.augmenting import shifted
from zerosum.pipelines.augmenting import augment
from zerosum.pipelines.generate import Generator


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    """A run that is told the class, on 300 digits."""
    changes = {"data.limit": 300, "data.holdout": 0.3, "evaluate.samples": 0}
    chosen = zerosum.recipe("cgan/tiny").override({**changes, "data.path": "digits"})
    out = tmp_path_factory.mktemp("pictures") / "run"
    zerosum.train(chosen, out, device="cpu", quiet=True)
    return out


def test_copies_are_moved_by_a_few_pixels():
    one = torch.zeros(1, 1, 8, 8)
    one[0, 0, 3, 4] = 1.0
    made = shifted(one, 200, 0)
    assert made.shape == (200, 1, 8, 8) and torch.equal(made.sum((1, 2, 3)), torch.ones(200))
    places = {tuple(place[2:]) for place in made.nonzero().tolist()}
    assert places == {(y, x) for y in range(1, 6) for x in range(2, 7)}
    assert torch.equal(shifted(one, 200, 0), made) and not torch.equal(shifted(one, 200, 1), made)


def test_real_pictures_of_the_class_help_and_noise_does_not(conditional, monkeypatch):
    """The generator's place is taken by more real digits, and by noise: the gain says which."""
    monkeypatch.setattr(augmenting, "STEPS", 60)
    generator = Generator.load(conditional, device="cpu")
    split = generator.open()
    whole = zerosum.recipe("cgan/tiny").override({"data.path": "digits", "data.holdout": 0.3})
    every = whole.data.open()
    train = every.train.finished(range(len(every.train)))
    counts = torch.bincount(split.train.finished(range(300))["label"], minlength=10)
    rare = int(counts.argmin())
    more = train["image"][train["label"] == rare]

    asked: list[int] = []

    def drawn(source):
        def draw(n, *, seed=0, label=0):
            asked.append(label)
            rows = torch.randint(len(source), (n,), generator=torch.Generator().manual_seed(seed))
            return {"image": source[rows]}

        return draw

    monkeypatch.setattr(generator, "draw", drawn(more))
    told: list[tuple[int, int]] = []
    good = augment(generator, seeds=2, on_progress=lambda *done: told.append(done))
    assert told == [(k, 8) for k in range(1, 9)]
    assert good.value == str(rare) and good.learned == (300, int(counts[rare]))
    assert good.added == 300 - 2 * int(counts[rare]) and good.noun == "pictures"
    assert [*good.scores] == ["nothing", "class weights", "shifted copies", "generated pictures"]
    noise = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    monkeypatch.setattr(generator, "draw", drawn(noise))
    bad = augment(generator, seeds=2)
    gains = [one.scores["generated pictures"]["ap"][1].value for one in (good, bad)]
    assert gains[0] > gains[1] + 0.02 and gains[1] < 0.01
    for way in ("nothing", "shifted copies"):  # the same whatever is drawn
        assert good.scores[way]["auc"][0] == bad.scores[way]["auc"][0]
    chosen = augment(generator, value="3", add=5, seeds=1)
    assert (chosen.value, chosen.added) == ("3", 5)
    assert asked == [rare] * 4 + [3]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"value": "12"}, "--class 12: there is no such class"),
        ({"data": "a.csv"}, "--data is for tables"),
        ({"target": "label"}, "--target is for tables"),
        ({"learner": "forest"}, "--learner is for tables"),
    ],
)
def test_what_pictures_do_not_take_is_told_in_a_line(conditional, settings, words):
    with pytest.raises(UserError, match=words):
        augment(Generator.load(conditional, device="cpu"), **settings)
