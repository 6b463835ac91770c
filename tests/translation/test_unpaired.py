"""Two kinds of pictures without pairs: what is found, who is whose partner, and translators."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.core.draw import given_inputs, sampling
from zerosum.core.registry import recipe, system
from zerosum.data.spec import DataSpec
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.losses.contrast import patch_nce
from zerosum.losses.replay import ReplayPool
from zerosum.modalities.images import Unpaired
from zerosum.modalities.images.paired_scores import (
    baselines,
    filled_holes,
    matched_histograms,
    paired_iou,
)
from zerosum.nets.translator import ResidualTranslator
from zerosum.pipelines.evaluate import Evaluator
from zerosum.training.trainer import Trainer


def folder(path, **counts):
    """Folders of plain pictures: number i of A is (i, 0, 0), of B (0, i, 0)."""
    for name, count in counts.items():
        (path / name).mkdir(parents=True)
        for i in range(count):
            colour = (10 * i, 0, 0) if name.endswith("A") else (0, 10 * i, 0)
            Image.new("RGB", (8, 8), colour).save(path / name / f"{name}{i:02d}.png")
    return path


def numbers(batch):
    """Which picture of A and of B each row is."""
    x, y = batch["input"][:, 0, 0, 0], batch["image"][:, 1, 0, 0]
    return [int(v) // 10 for v in x], [int(v) // 10 for v in y]


def visits(count, seed=0, start=0):
    return Visits(seed, np.arange(start, start + count))


def pictured(path, height=8, width=12):
    """One picture of each kind: A's red is the row and its green the column, B's ten more."""
    row, column = np.mgrid[:height, :width]
    for name, more in (("A", 0), ("B", 10)):
        (path / name).mkdir(parents=True)
        pixels = np.stack([row + more, column + more, 0 * row], 2).astype(np.uint8)
        Image.fromarray(pixels).save(path / name / "only.png")
    return path


def test_windows_of_one_picture_of_each_kind(tmp_path):
    data = Unpaired(path=str(pictured(tmp_path)), window=4, holdout=0.1)
    assert data.prepared == "as stored, windows of 4x4"
    split = data.open()
    train = split.train
    assert len(train) == 6 and split.heldout is None  # 2 x 3 windows side by side
    assert train.fields["input"].shape == (3, 4, 4)
    whole = train.fetch(range(6))
    assert whole["input"][:, :2, 0, 0].tolist() == [[y, x] for y in (0, 4) for x in (0, 4, 8)]
    assert torch.equal(whole["image"][:, :2], whole["input"][:, :2] + 10)
    many = train.fetch(list(range(6)) * 900, visits(5_400))
    for key, more in (("input", 0), ("image", 10)):
        rows, columns = many[key][:, 0].int() - more, many[key][:, 1].int() - more
        assert torch.equal(rows - rows[:, :1, :1], torch.arange(4)[:, None].expand(5_400, 4, 4))
        assert torch.equal(columns - columns[:, :1, :1], torch.arange(4).expand(5_400, 4, 4))
        places = torch.bincount(rows[:, 0, 0] * 9 + columns[:, 0, 0], minlength=45)  # 5 x 9
        assert abs(places / 5_400 - 1 / 45).max() < 4 * (1 / 45 * 44 / 45 / 5_400) ** 0.5
    corners = [many[key][:, :2, 0, 0].int() for key in ("input", "image")]
    assert not torch.equal(corners[0], corners[1] - 10)  # each kind is cropped for itself


def test_windows_of_held_out_pictures_lie_side_by_side(tmp_path):
    path = str(folder(tmp_path, trainA=2, trainB=2, testA=2, testB=3))
    split = Unpaired(path=path, window=3).open()
    assert split.heldout is not None and len(split.heldout) == 2 * 4  # two pixels are left over
    assert numbers(split.heldout.fetch(range(8)))[0] == [0] * 4 + [1] * 4
    again = Unpaired(path=path, window=3).open(split.codec)
    assert torch.equal(again.train.fetch([5])["image"], split.train.fetch([5])["image"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 9}, "data.window=9 is larger than the pictures of .*, 8x12: lower it"),
        ({"window": 4, "crop": True}, "data.window crops already: set data.crop=false"),
    ],
)
def test_windows_that_cannot_be_are_refused(tmp_path, settings, message):
    with pytest.raises((UserError, ValueError), match=message):
        Unpaired(path=str(pictured(tmp_path)), **settings).open()


def test_each_visit_draws_a_partner_of_the_other_kind(tmp_path):
    split = Unpaired(path=str(folder(tmp_path, A=6, B=9)), holdout=0).open()
    assert len(split.train) == 6
    everything = list(range(6))
    first, partners = numbers(split.train.fetch(everything * 200, visits(1_200)))
    assert first == everything * 200
    shares = np.bincount(partners, minlength=9) / 1_200
    assert abs(shares - 1 / 9).max() < 4 * (1 / 9 * 8 / 9 / 1_200) ** 0.5
    again = numbers(split.train.fetch(everything, visits(6, start=18)))[1]
    assert again == partners[18:24]  # a function of seed and number alone
    assert numbers(split.train.fetch(everything, visits(6, seed=1, start=18)))[1] != again
    assert numbers(split.train.fetch(everything)) == (everything, everything)


def test_both_kinds_are_turned_and_cropped_apart(tmp_path):
    for name in "AB":
        (tmp_path / name).mkdir()
        ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))
        Image.fromarray(np.stack([ramp, ramp, ramp // 2], 2)).save(tmp_path / name / "1.png")
    split = Unpaired(path=str(tmp_path), holdout=0, flip=True, crop=True).open()
    batch = split.train.fetch([0] * 400, visits(400))
    turned = {k: (v[:, 0, 0, 0] > v[:, 0, 0, -1]).numpy() for k, v in batch.items()}
    for one in turned.values():
        assert abs(one.mean() - 0.5) < 0.1
    assert abs((turned["input"] == turned["image"]).mean() - 0.5) < 0.1


def test_parts_of_their_own_and_words_about_them(tmp_path):
    found = folder(tmp_path, trainA=5, trainB=4, testA=3, testB=2)
    split = Unpaired(path=str(found)).open()
    assert len(split.train) == 5 and len(split.heldout) == 3
    assert split.heldout_note == ("X: the set's own test part (3); Y: the set's own test part (2)")
    back = Unpaired(path=str(found), direction="BtoA").open()
    assert len(back.train) == 4 and int(back.train.fetch([1])["input"][0, 1, 0, 0]) == 10


def test_answers_are_known_of_a_set_of_pairs_alone(tmp_path):
    game = build("cyclegan", 1)
    known = Unpaired(path="digits-edges").open()
    inputs, truth = given_inputs(game, known.train, known.heldout, 5)
    assert torch.equal(truth["input"], inputs["input"]) and "image" in truth
    unknown = Unpaired(path=str(folder(tmp_path, A=5, B=5))).open()
    assert given_inputs(game, unknown.train, unknown.heldout, 5)[1] == {}


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match="has no folder B: put"):
        Unpaired(path=str(folder(tmp_path / "one", A=3))).open()
    bad = folder(tmp_path / "two", A=3, B=3)
    (bad / "B" / "B01.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"B01\.png cannot be read"):
        Unpaired(path=str(bad), holdout=0).open()
    split = Unpaired(path=str(bad), holdout=0, skip_bad=True).open()
    assert any("B01.png" in note for note in split.train.notes)
    with pytest.raises(UserError, match=r"more than data\.memory"):
        Unpaired(path="digits-edges", memory=0).open()


class Plainly(torch.nn.Module):
    """A function in a network's place."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, pictures):
        return self.function(pictures)


def build(name, channels, **changes):
    torch.manual_seed(0)
    found = recipe(f"{name}/tiny")
    fields = Unpaired(path="digits-edges").open().train.fields
    config = found.model.matched(DataSpec(fields)).model_copy(update=changes)
    return system(name).game(config)


@pytest.mark.parametrize("name", ["cyclegan", "cut"])
def test_a_size_that_cannot_be_halved_is_refused(tmp_path, name):
    for kind in "AB":
        (tmp_path / kind).mkdir()
        Image.new("L", (10, 10)).save(tmp_path / kind / "1.png")
    fields = Unpaired(path=str(tmp_path), holdout=0).open().train.fields
    with pytest.raises(UserError, match=r"multiples of 4, not 10x10: set data\.size=8x8"):
        recipe(f"{name}/tiny").model.matched(DataSpec(fields))


def test_the_cycles_terms_of_translators_that_do_nothing():
    game = build("cyclegan", 1)
    game.forth = game.back = torch.nn.Identity()
    x, y = torch.full((3, 1, 8, 8), -0.5), torch.full((3, 1, 8, 8), 0.7)
    terms = game.generator_loss({"input": x, "image": y})
    assert terms["cycle"].item() == terms["identity"].item() == 0
    game.forth, game.back = Plainly(lambda p: p + 0.3), Plainly(lambda p: p - 0.1)
    terms = game.generator_loss({"input": x, "image": y})
    assert terms["cycle"].item() == pytest.approx(10 * (0.2 + 0.2), rel=1e-5)
    assert terms["identity"].item() == pytest.approx(5 * (0.3 + 0.1), rel=1e-5)


def test_the_cycle_error_is_the_distance_there_and_back(tmp_path):
    """On the scale 0..1; who goes one way is refused."""
    asked = recipe("cyclegan/tiny").override({"train.examples": 32, "evaluate.samples": 0})
    game = Trainer(asked, tmp_path / "run", device="cpu", quiet=True).fit()
    judge = Evaluator(["cycle", "l1"], samples=20, device="cpu")
    found = {score.metric: score.value for score in judge.run(tmp_path / "run").scores}
    split = Unpaired(path="digits-edges").open()
    given = given_inputs(game, split.train, split.heldout, 20)[0]["input"]
    with sampling(game), torch.no_grad():
        again = game.back(game.forth(given))
    assert found["cycle"] == pytest.approx((again - given).abs().mean().item() / 2, rel=1e-5)
    assert found["cycle"] != pytest.approx(found["l1"], rel=1e-2)
    judge = Evaluator(["l1"], samples=20, device="cpu", options={"back": "true"})
    with pytest.raises(UserError, match="cannot be scored, back=true maps the other way: turn"):
        judge.run(tmp_path / "run")
    asked = recipe("cut/tiny").override({"train.examples": 32, "evaluate.samples": 0})
    Trainer(asked, tmp_path / "one", device="cpu", quiet=True).fit()
    with pytest.raises(UserError, match=r"cycle maps answers back.*\(cyclegan does\): leave it"):
        Evaluator(["cycle"], samples=20, device="cpu").run(tmp_path / "one")


def test_least_squares_have_no_half_before_them():
    for name in ("cyclegan", "cut"):
        game = build(name, 1)
        blind = Plainly(lambda pictures: torch.full((1, 1, 2, 2), 0.25))
        for judge in ("judge_x", "judge_y", "discriminator"):
            if hasattr(game, judge):
                setattr(game, judge, blind)
        batch = {"input": torch.zeros(2, 1, 8, 8), "image": torch.zeros(2, 1, 8, 8)}
        sides = 2 if name == "cyclegan" else 1
        made = game.generator_loss(batch)["adversarial"].item()
        judged = game.discriminator_loss(batch)["adversarial"].item()
        assert made == pytest.approx(sides * 0.75**2)
        assert judged == pytest.approx(sides * (0.75**2 + 0.25**2) / 2)


def test_old_translations_are_stored_once_a_step():
    game = build("cyclegan", 1, pool=4)
    batch = {"input": torch.zeros(3, 1, 8, 8), "image": torch.zeros(3, 1, 8, 8)}
    for _ in range(3):  # a loss may be asked more often than a step is made
        game.discriminator_loss(batch)
    assert len(game.pool_x) == len(game.pool_y) == 0
    game.after_step(game.progress)
    assert len(game.pool_x) == len(game.pool_y) == 3
    game.after_step(game.progress)
    assert len(game.pool_x) == 3


def test_half_of_what_a_full_pool_shows_is_old():
    torch.manual_seed(1)
    pool = ReplayPool(50)
    pool.mix(torch.arange(50.0))
    old = 0
    for number in range(200):
        fresh = torch.full((10,), 1_000.0 + number)
        old += int((pool.mix(fresh) != fresh).sum())
    assert abs(old / 2_000 - 0.5) < 4 * (0.25 / 2_000) ** 0.5


def test_patches_are_found_by_their_own_place_alone():
    keys = torch.eye(4)[None]  # four places that have nothing in common
    perfect = patch_nce(3 * keys, keys, temperature=0.5)
    assert perfect.item() == pytest.approx(-2 + torch.tensor([2.0, 0, 0, 0]).logsumexp(0).item())
    blind = patch_nce(torch.ones(1, 4, 4), keys)
    assert blind.item() == pytest.approx(torch.tensor(4.0).log().item(), rel=1e-5)
    shifted = patch_nce(keys.roll(1, 1), keys, temperature=0.5)
    assert shifted.item() == pytest.approx(perfect.item() + 2)
    queries = torch.randn(1, 4, 4, requires_grad=True)
    keys = torch.randn(1, 4, 4, requires_grad=True)
    patch_nce(queries, keys).backward()
    assert keys.grad is None and queries.grad is not None
    with pytest.raises(UserError, match=r"\(B, S, D\)"):
        patch_nce(torch.zeros(1, 4, 4), torch.zeros(1, 5, 4))


def test_cut_compares_a_picture_with_itself_at_no_cost_of_places():
    game = build("cut", 1)
    pictures = torch.rand(2, 1, 8, 8) * 2 - 1
    torch.manual_seed(3)
    same = game.contrast(pictures, pictures)
    torch.manual_seed(3)
    other = game.contrast(pictures, pictures.roll(3, 3))
    assert same < other  # its own place is the likeliest where nothing has changed
    assert same.item() > -1e-6


def test_a_penalty_of_cut_is_that_of_the_mean_logit():
    """R1 by hand: the squared slope of a picture's mean logit, a mean over pictures."""
    game = build("cut", 1, penalty=3.0)
    batch = {"input": torch.rand(2, 1, 8, 8), "image": torch.rand(2, 1, 8, 8)}
    slopes = []
    for picture in batch["image"].split(1):
        point = picture.clone().requires_grad_()
        (slope,) = torch.autograd.grad(game.discriminator(point).mean(), point)
        slopes.append(slope.square().sum())
    wanted = 3.0 * torch.stack(slopes).mean()
    torch.testing.assert_close(game.discriminator_loss(batch)["penalty"], wanted)
    assert "penalty" not in build("cut", 1).discriminator_loss(batch)


@pytest.mark.parametrize("rise", ["resize", "transposed"])
def test_a_pixel_changes_no_more_than_the_radius_says(rise):
    torch.manual_seed(0)
    network = ResidualTranslator(1, 1, width=4, blocks=1, norm="batch", rise=rise).eval()
    assert ResidualTranslator(1, 1, width=4, blocks=1).radius is None
    radius, middle = network.radius, 64
    pictures = torch.rand(1, 1, 128, 128, dtype=torch.float64)
    network.double()
    with torch.no_grad():
        before = network(pictures)
        pictures[..., middle, middle] += 100
        moved = (network(pictures) - before).abs()[0, 0] > 0
    rows, columns = moved.nonzero().T
    reach = max(int((rows - middle).abs().max()), int((columns - middle).abs().max()))
    assert radius - 2 * network.step <= reach <= radius


def test_overlap_and_baselines_that_need_no_pairs():
    ring = -torch.ones(1, 1, 5, 5)
    ring[..., 1:4, 1:4] = 1
    full = ring.clone()
    ring[..., 2, 2] = -1
    assert paired_iou(real=full, fake=ring).value == pytest.approx(8 / 9)
    assert paired_iou(real=-torch.ones(1, 1, 2, 2), fake=-torch.ones(1, 1, 2, 2)).value == 1
    torch.testing.assert_close(filled_holes(ring), full)
    values = torch.tensor([0.3, -0.2, 0.9, 0.1]).view(1, 1, 2, 2)
    like = torch.tensor([5.0, 6.0, 7.0, 8.0]).view(1, 1, 2, 2)
    matched = matched_histograms(values, like)
    assert matched.flatten().tolist() == [7, 5, 8, 6]
    train = {"image": like, "input": values}
    assert list(baselines(train, values, paired=False)) == [
        "the input copied", "histogram matched", "holes filled"
    ]  # fmt: skip
    assert next(name for name in baselines(train, values) if name.startswith("dilation"))
