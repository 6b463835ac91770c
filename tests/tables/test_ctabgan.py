"""CTAB-GAN+: each of its losses by hand, its players, and what it learns of a target."""

import numpy as np
import pytest
import torch
from torch import nn

from zerosum.core.draw import draw
from zerosum.core.engine import play_step
from zerosum.core.optim import Optim, build_optimizers
from zerosum.core.runtime import Runtime
from zerosum.data.spec import DataSpec
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.tables import RowField, TableCodec
from zerosum.modalities.tables.constraints import Combination
from zerosum.modalities.tables.kinds import Rules
from zerosum.modalities.tables.source import TableSource
from zerosum.models.tables.ctabgan import CTABGAN, information

pd = pytest.importorskip("pandas")


def frame(n=200, seed=0):
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, n)
    return pd.DataFrame(
        {
            "size": np.round(4.0 * kind + rng.normal(size=n), 2),
            "kind": np.where(kind == 1, "b", "a"),
            "class": np.where(rng.random(n) < 0.9, kind, 1 - kind) == 1,
        }
    ).astype({"class": str})


@pytest.fixture
def codec():
    return TableCodec.fit(frame(), target="class")


def game_of(codec, **changes):
    torch.manual_seed(0)
    config = CTABGAN.Config(
        latent=4, generator_width=(8,), critic_width=(6, 5), auxiliary_width=(7,), dropout=0,
        **changes,
    )  # fmt: skip
    return CTABGAN(config.matched(DataSpec(codec.fields, codec)))


def test_information_by_hand():
    real = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    fake = torch.tensor([[4.0, 1.0], [4.0, 5.0]])
    mean = np.hypot(1 - 4, 1 - 3)
    deviation = np.hypot(2**0.5 - 0, 0 - 8**0.5)  # unbiased, over two rows
    assert information(real, fake).item() == pytest.approx(mean + deviation, rel=1e-6)
    assert information(real, real.flip(0)).item() == 0


def test_the_downstream_loss_by_hand_for_a_class(codec):
    game = game_of(codec)
    rows = codec.encode(frame(8, 1))["row"]
    spans = codec.row.categories()["class"]
    others = torch.cat([rows[:, : spans.start], rows[:, spans.stop :]], 1)
    chance = game.auxiliary(others).softmax(1)
    by_hand = -(rows[:, spans.start : spans.stop] * chance.log()).sum(1).mean()
    assert game.disagreement(rows).item() == pytest.approx(by_hand.item(), rel=1e-5)
    # What the player is told must not hold the answer.
    turned = rows.clone()
    turned[:, spans.start : spans.stop] = rows[:, spans.start : spans.stop].flip(1)
    assert game.disagreement(turned).item() != pytest.approx(by_hand.item(), rel=1e-3)
    swapped = -(rows[:, spans.start : spans.stop].flip(1) * chance.log()).sum(1).mean()
    assert game.disagreement(turned).item() == pytest.approx(swapped.item(), rel=1e-5)


def test_the_downstream_loss_by_hand_for_a_number(codec):
    game = game_of(codec, target="size")
    rows = codec.encode(frame(8, 1))["row"]
    place, modes = (s for s in codec.row.spans if s.column == "size")
    told = game.auxiliary(rows[:, modes.stop :])
    number = (told[:, 0] - rows[:, place.start]) ** 2
    mode = -(rows[:, modes.start : modes.stop] * told[:, 1:].log_softmax(1)).sum(1)
    assert game.disagreement(rows).item() == pytest.approx((number + mode).mean().item(), rel=1e-5)


def test_the_generator_s_terms_and_their_weights(codec):
    game = game_of(codec, information=2.0, downstream=3.0, obedience=0.5)
    batch = codec.encode(frame(16, 2))
    torch.manual_seed(7)
    terms = game.generator_loss(batch)
    torch.manual_seed(7)
    raw, row = game.trial(batch)
    beside = torch.cat([row, batch["condition"]], 1)
    features = game.trunk(beside)
    real = game.trunk(torch.cat([batch["row"], batch["condition"]], 1))
    assert terms["adversarial"].item() == pytest.approx(-game.head(features).mean().item())
    told = 2 * information(real, features).item()
    assert terms["information"].item() == pytest.approx(told, rel=1e-5)
    assert terms["downstream"].item() == pytest.approx(3 * game.disagreement(row).item(), rel=1e-5)
    kinds, classes = (raw[:, s.start : s.stop] for s in codec.row.categories().values())
    logs = torch.cat([kinds.log_softmax(1), classes.log_softmax(1)], 1)
    asked = -(batch["condition"] * logs).sum(1).mean().item() / 2
    assert terms["condition"].item() == pytest.approx(asked, rel=1e-5)


def test_the_critic_s_loss_is_that_of_wgan_gp(codec):
    game = game_of(codec)
    batch = codec.encode(frame(16, 2))
    torch.manual_seed(7)
    terms = game.critic_loss(batch)
    torch.manual_seed(7)
    fake = torch.cat([game.trial(batch)[1], batch["condition"]], 1).detach()
    real = torch.cat([batch["row"], batch["condition"]], 1)
    apart = game.critic(fake).mean() - game.critic(real).mean()
    assert terms["adversarial"].item() == pytest.approx(apart.item(), rel=1e-5)
    penalty = 10 * gradient_penalty(game.critic, real, fake)
    assert terms["penalty"].item() == pytest.approx(penalty.item(), rel=1e-5)


def test_the_features_are_those_before_the_last_layer(codec):
    game = game_of(codec)
    assert isinstance(game.trunk[-1], nn.LeakyReLU)
    assert game.trunk(torch.zeros(3, codec.row.shape[0] + 4)).shape == (3, 5)


def test_who_plays_and_in_which_order(codec):
    game = game_of(codec, critic_steps=2)
    turns = [(turn.players, turn.repeat) for turn in game.turns()]
    assert turns == [(("critic",), 2), (("auxiliary",), 1), (("generator",), 1)]
    # A column that a constraint derives is in no row: then nobody predicts it.
    rules = Rules(constraints=(Combination(columns=("kind", "class")),))
    alone = game_of(TableCodec.fit(frame(), rules, target="class"))
    assert "auxiliary" not in alone.players() and len(alone.turns()) == 2


def test_the_target_is_the_datas_or_the_last_or_what_is_said(codec):
    fields = DataSpec(codec.fields, codec)
    assert CTABGAN.Config().matched(fields).target == "class"
    assert CTABGAN.Config(target="kind").matched(fields).target == "kind"
    unsaid = TableCodec.fit(frame()[["class", "kind", "size"]])
    assert CTABGAN.Config().matched(DataSpec(unsaid.fields, unsaid)).target == "size"
    with pytest.raises(UserError, match=r"model\.target=clas: no learned column"):
        CTABGAN.Config(target="clas").matched(fields)
    with pytest.raises(UserError, match="ctabgan learns from tables"):
        CTABGAN.Config().matched(DataSpec({"row": RowField(shape=(0,), spans=())}))


@pytest.mark.slow
def test_it_learns_a_target_that_follows_from_the_others():
    table = frame(4000)
    codec = TableCodec.fit(table, target="class")
    source = TableSource(codec.stored(table), codec.condition, name="t", balanced=False)
    torch.manual_seed(0)
    config = CTABGAN.Config(
        latent=16, generator_width=(64,), critic_width=(64, 64), auxiliary_width=(32,)
    )
    game = CTABGAN(config.matched(DataSpec(codec.fields, codec)))
    players = dict.fromkeys(game.players(), Optim(lr=5e-4, betas=(0.5, 0.9)))
    optimizers = build_optimizers(players, game.players())

    def batches():
        for step in range(10_000):
            numbers = np.arange(step * 200, step * 200 + 200)
            yield source.fetch(numbers % 4000, Visits(0, numbers))

    stream, runtime = batches(), Runtime(torch.device("cpu"))
    for _ in range(1200):
        play_step(game, stream, optimizers, runtime)
    made = codec.decode(draw(game, 3000, 0))
    assert ((made["kind"] == "b") == (made["class"] == "True")).mean() == pytest.approx(
        0.9, abs=0.06
    )
    assert (made["kind"] == "b").mean() == pytest.approx(0.5, abs=0.08)
    for number, name in enumerate("ab"):
        size = made.loc[made["kind"] == name, "size"]
        assert size.median() == pytest.approx(4 * number, abs=0.5)
