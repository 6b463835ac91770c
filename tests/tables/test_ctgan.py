"""CTGAN: its losses by hand, a step against a plain script, and its samples."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from zerosum.core.draw import draw
from zerosum.core.engine import play_step
from zerosum.core.optim import build_optimizers
from zerosum.core.runtime import Runtime
from zerosum.data.spec import DataSpec
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.tables import ConditionField, RowField, Table, TableCodec
from zerosum.modalities.tables.fields import Choice, Span
from zerosum.modalities.tables.source import TableSource
from zerosum.models.tables.ctgan import ADAM, CTGAN
from zerosum.nets.rows import gumbel

pd = pytest.importorskip("pandas")

ROW = RowField(
    shape=(8,),
    spans=(
        Span(column="n", start=0, stop=1, part="scalar"),
        Span(column="n", start=1, stop=3, part="modes"),
        Span(column="a", start=3, stop=6, part="category"),
        Span(column="b", start=6, stop=8, part="category"),
    ),
)
CONDITION = ConditionField(
    shape=(5,),
    choices=(
        Choice(column="a", start=0, names=("x", "y", "z"), counts=(6, 3, 1)),
        Choice(column="b", start=3, names=("u", "v"), counts=(5, 5)),
    ),
)


def small(**changes):
    settings = {"latent": 4, "generator_width": (7, 6), "critic_width": (9, 8), "pack": 2}
    return CTGAN.Config(row=ROW, condition=CONDITION, **{**settings, **changes})


@pytest.fixture
def game():
    torch.manual_seed(0)
    return CTGAN(small())


def test_the_condition_s_cross_entropy_by_hand(game):
    raw = torch.tensor([[9.0, 1.0, 2.0, 0.0, 1.0, 2.0, 5.0, 5.0]] * 2)
    asked = torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0]])
    first = -(1 - math.log(1 + math.e + math.e**2))
    assert game.disobedience(raw, asked).item() == pytest.approx((first + math.log(2)) / 2)


def test_heads(game):
    raw = torch.tensor([[0.3, 0.0, 1.0, 9.0, 0.0, 0.0, 0.0, 40.0]])
    noise = gumbel(torch.zeros(1, 8))  # the middle of the normal law: all are -log log 2
    assert noise.tolist()[0] == pytest.approx([-math.log(math.log(2))] * 8)
    soft = game.heads(raw, noise)
    assert soft[0, 0].item() == pytest.approx(math.tanh(0.3))
    assert soft[0, 2].item() == pytest.approx(1 / (1 + math.exp(-1 / 0.2)))
    for part in (soft[0, 1:3], soft[0, 3:6], soft[0, 6:]):
        assert part.sum().item() == pytest.approx(1)
    hard = game.eval().heads(raw, noise)
    assert hard[0, 1:].tolist() == [0, 1, 1, 0, 0, 0, 1]


def test_hard_samples_follow_the_softmax(game):
    game.eval()
    raw = torch.zeros(20_000, 8)
    raw[:, 3:6] = torch.tensor([0.5, 0.3, 0.2]).log()
    noise = torch.randn(20_000, 8, generator=torch.Generator().manual_seed(0))
    shares = game.heads(raw, gumbel(noise))[:, 3:6].mean(0)
    assert shares.tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.01)


def test_prior_has_the_data_s_frequencies(game):
    asked = game.prior(40_000, torch.Generator().manual_seed(1))["condition"]
    assert (asked.sum(1) == 1).all()
    expected = [0.3, 0.15, 0.05, 0.25, 0.25]
    assert asked.mean(0).tolist() == pytest.approx(expected, abs=0.01)


@pytest.mark.usefixtures("doubles")
def test_one_step_equals_a_plain_script():
    torch.manual_seed(3)
    game = CTGAN(small(dropout=0.5))
    game.train()
    rng = torch.Generator().manual_seed(4)
    index = torch.randint(3, (6,), generator=rng), torch.randint(2, (6,), generator=rng)
    row = torch.cat([
        torch.rand(6, 1, generator=rng) * 2 - 1,
        torch.eye(2)[index[1]], torch.eye(3)[index[0]], torch.eye(2)[index[1]],
    ], 1)  # fmt: skip
    asked = torch.cat([torch.eye(3)[index[0]], torch.zeros(6, 2)], 1)
    batch = {"row": row, "condition": asked}

    torch.manual_seed(3)
    twin = CTGAN(small(dropout=0.5)).train()  # the same weights
    generator, critic = twin.generator, twin.critic
    rules = {"critic": ADAM, "generator": ADAM}
    ours = build_optimizers(rules, game.players())
    d_adam = torch.optim.Adam(critic.parameters(), 2e-4, (0.5, 0.9), weight_decay=1e-6)
    g_adam = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.9), weight_decay=1e-6)

    torch.manual_seed(7)
    log = play_step(game, iter([batch]), ours, Runtime(torch.device("cpu")))

    # The same step in plain PyTorch, in the same order of random numbers.
    def make():
        raw = generator(torch.cat([torch.randn(6, 4), asked], 1))
        shaken = (raw - (-torch.rand(6, 8).log()).log()) / 0.2
        spans = [(1, 3), (3, 6), (6, 8)]
        made = [raw[:, :1].tanh(), *(shaken[:, a:b].softmax(1) for a, b in spans)]
        return raw, torch.cat(made, 1)

    def pack(x):
        return torch.cat([x, asked], 1).reshape(3, 2 * 13)

    torch.manual_seed(7)
    with torch.no_grad():
        fake = pack(make()[1])
    real = pack(row)
    on_real, on_fake = critic(torch.cat([real, fake])).chunk(2)  # one pass drops units of both
    judged = on_fake.mean() - on_real.mean()
    mix = torch.rand(3)[:, None]
    between = (mix * real + (1 - mix) * fake).requires_grad_()
    slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
    penalty = 10 * ((slope.norm(dim=1) - 1) ** 2).mean()
    d_adam.zero_grad()
    (judged + penalty).backward()
    d_adam.step()
    raw, made = make()
    told = -critic(pack(made)).mean()
    asked_for = nn.functional.cross_entropy(raw[:, 3:6], index[0])
    g_adam.zero_grad()
    (told + asked_for).backward()
    g_adam.step()

    expected = {
        "critic/adversarial": judged,
        "critic/penalty": penalty,
        "generator/adversarial": told,
        "generator/condition": asked_for,
    }
    for name, value in expected.items():
        assert log[name].item() == pytest.approx(value.item(), rel=1e-9), name
    for one, other in (
        (game.critic, critic),
        (game.generator[:2], generator[:2]),
        (game.generator[2], generator[2]),
    ):
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_critics_take_any_number_of_rows(game):
    game.eval()
    judge = game.critics()["critic"]
    rows = game.sample(7)
    assert set(rows) == {"row", "condition"}
    assert judge(rows).shape == (3,)  # whole packs of two
    assert judge({name: value[:1] for name, value in rows.items()}).shape == (1,)


def test_a_config_needs_a_table():
    spec = DataSpec({})
    with pytest.raises(UserError, match="ctgan learns from tables"):
        CTGAN.Config().matched(spec)


def test_config_goes_through_json(game):
    text = game.config.model_dump_json()
    assert CTGAN.Config.model_validate_json(text) == game.config


def test_a_table_without_categories():
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=90)})
    codec = TableCodec.fit(frame)
    source = TableSource(codec.stored(frame), codec.condition, name="x/train")
    config = small().matched(DataSpec(codec.fields, codec))
    game = CTGAN(config)
    assert game.conditions() == {} and config.condition is None
    batch = source.fetch(range(40), Visits(0, np.arange(40)))
    assert set(game.generator_loss(batch)) == {"adversarial"}
    assert all(term.isfinite() for term in game.critic_loss(batch).values())
    assert len(codec.decode(draw(game, 5, 0))) == 5


@pytest.mark.slow
def test_it_learns_a_table_that_is_not_independent():
    """Two categories that determine each other, and a number that follows them."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 4000)
    frame = pd.DataFrame(
        {
            "kind": np.array(["a", "b", "c"])[kind],
            "twin": np.array(["A", "B", "C"])[kind],
            "size": np.round(10.0 * kind + rng.normal(size=4000), 2),
        }
    )
    codec = TableCodec.fit(frame)
    source = TableSource(codec.stored(frame), codec.condition, name="made/train")
    torch.manual_seed(0)
    game = CTGAN(CTGAN.Config(pack=1, dropout=0).matched(DataSpec(codec.fields, codec)))
    optimizers = build_optimizers({"critic": ADAM, "generator": ADAM}, game.players())

    def batches():
        for start in range(0, 10**9, 200):
            yield source.fetch([0] * 200, Visits(0, np.arange(start, start + 200)))

    stream, runtime = batches(), Runtime(torch.device("cpu"))
    for _ in range(1500):
        play_step(game, stream, optimizers, runtime)
    rows = codec.decode(draw(game, 3000, 0))
    assert (rows["kind"].str.upper() == rows["twin"]).mean() > 0.95
    for number, name in enumerate("abc"):
        part = rows.loc[rows["kind"] == name, "size"]
        assert len(part) / 3000 == pytest.approx(1 / 3, abs=0.06)
        assert part.median() == pytest.approx(10 * number, abs=2)


def test_the_tiny_preset_names_a_table_that_is_here():
    split = Table(path="wine").open()
    assert isinstance(split.codec, TableCodec) and split.codec.target == "class"
