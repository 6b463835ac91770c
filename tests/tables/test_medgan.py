"""medGAN: its losses by hand, its phases, and binary codes of known prevalences and pairs."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from zerosum.core.draw import draw
from zerosum.core.engine import play_step
from zerosum.core.game import Progress
from zerosum.core.optim import build_optimizers
from zerosum.core.runtime import Runtime
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.modalities.tables import RowField, TableCodec
from zerosum.modalities.tables.fields import Span
from zerosum.models.tables.medgan import PLAYERS, MedGAN

pd = pytest.importorskip("pandas")

ROW = RowField(
    shape=(5,),
    spans=(
        Span(column="n", start=0, stop=1, part="scalar"),
        Span(column="n", start=1, stop=2, part="modes"),
        Span(column="a", start=2, stop=5, part="category"),
    ),
)
ROWS = torch.tensor([[-0.5, 1.0, 0.0, 1.0, 0.0], [0.25, 1.0, 1.0, 0.0, 0.0]])


def small(**changes):
    torch.manual_seed(0)
    return MedGAN(MedGAN.Config(row=ROW, latent=4, critic_width=(6, 5), **changes))


def test_the_autoencoder_s_loss_by_hand():
    game = small()
    told = game.decoder(game.encoder(ROWS))
    number = (told[:, 0].tanh() - ROWS[:, 0]) ** 2
    bits = F.binary_cross_entropy(told[:, 1:].sigmoid(), ROWS[:, 1:], reduction="none").sum(1)
    found = game.autoencoder_loss({"row": ROWS})["reconstruction"].item()
    assert found == pytest.approx((number + bits).mean().item(), rel=1e-5)


def test_the_critic_sees_the_mean_of_the_minibatch():
    game = small()
    mean = torch.tensor([[-0.125, 1.0, 0.5, 0.5, 0.0]]).expand(2, -1)
    torch.testing.assert_close(game.judge(ROWS), game.critic(torch.cat([ROWS, mean], 1)))
    alone = small(averaging=False)
    torch.testing.assert_close(alone.judge(ROWS), alone.critic(ROWS))


def test_phases_and_who_moves_in_them():
    game = small(pretrain=0.25, critic_steps=2)
    game.progress = Progress(2, 24, 100)
    assert [turn.players for turn in game.turns()] == [("encoder", "decoder")]
    game.progress = Progress(3, 25, 100)
    first, second = game.turns()
    assert (first.players, first.repeat) == (("critic",), 2)
    assert second.players == ("generator", "decoder")


def test_shortcuts_add_what_a_layer_makes():
    game = small().train()
    x = torch.randn(6, 4)
    block = game.generator[0]
    linear, norm = block.layers[0], block.layers[1]
    raw = linear(x)
    normed = (raw - raw.mean(0)) / (raw.var(0, unbiased=False) + norm.eps).sqrt()
    torch.testing.assert_close(block(x), normed.relu() + x, rtol=1e-4, atol=1e-5)


def test_samples_are_whole_records():
    row = draw(small().eval(), 9, 0)["row"]
    assert set(row[:, 1:].unique().tolist()) <= {0.0, 1.0}
    assert (row[:, 2:].sum(1) == 1).all() and (row[:, 1] == 1).all()
    assert row[:, 0].abs().max() <= 1


def test_categories_are_drawn_in_proportion_to_their_bits():
    """Bits of 0.2, 0.6 and 0.4 are shares of 1/6, 1/2 and 1/3; the likeliest is the second."""
    game = small().eval()
    torch.nn.init.zeros_(game.decoder.weight)
    with torch.no_grad():
        game.decoder.bias.copy_(torch.tensor([0.0, 0.0, *torch.tensor([0.2, 0.6, 0.4]).logit()]))
    shares = draw(game, 20_000, 0)["row"][:, 2:].mean(0)
    error = 3.3 * 0.5 / 20_000**0.5  # of a share at most, one time in a thousand
    assert shares.tolist() == pytest.approx([1 / 6, 1 / 2, 1 / 3], abs=error)
    rounded = draw(game, 100, 0, options=MedGAN.Options(draw=False))["row"][:, 2:]
    assert rounded.mean(0).tolist() == [0, 1, 0]


def test_a_config_needs_a_table():
    with pytest.raises(UserError, match="medgan learns from tables"):
        MedGAN.Config().matched(DataSpec({}))


def codes(n, seed):
    """Eight binary codes and a count: two illnesses, each with codes that come together."""
    rng = np.random.default_rng(seed)
    ill = rng.random((n, 2)) < [0.3, 0.15]
    chances = np.where(ill[:, [0, 0, 0, 1, 1]], 0.85, 0.04)
    some = rng.random((n, 5)) < chances
    free = rng.random((n, 3)) < [0.5, 0.2, 0.1]
    table = pd.DataFrame(np.concatenate([some, free], 1).astype(int))
    table.columns = [f"c{i}" for i in range(8)]
    table["visits"] = rng.poisson(np.where(ill[:, 0], 60, 20))
    return table


@pytest.mark.slow
def test_binary_codes_keep_their_prevalences_and_pairs():
    frame = codes(6000, 0)
    codec = TableCodec.fit(frame)
    rows = codec.encode(frame)["row"]
    torch.manual_seed(0)
    game = MedGAN(
        MedGAN.Config(latent=32, critic_width=(128, 64)).matched(DataSpec(codec.fields, codec))
    )
    optimizers = build_optimizers(PLAYERS, game.players())

    def batches():
        while True:
            yield {"row": rows[torch.randint(6000, (250,))]}

    stream, runtime, steps = batches(), Runtime(torch.device("cpu")), 2500
    for step in range(steps):
        game.progress = Progress(step, step * 250, steps * 250)
        play_step(game, stream, optimizers, runtime)
    made = codec.decode(draw(game, 6000, 0))
    bits = [f"c{i}" for i in range(8)]
    apart = (made[bits].mean() - frame[bits].mean()).abs()
    assert apart.max() < 0.08, apart
    real, fake = (np.corrcoef(x[bits].to_numpy().T + 0.0) for x in (frame, made))
    # Within an illness the codes come together (0.7); rounding binds others that are free (0.4).
    pairs = [(0, 1), (0, 2), (1, 2), (3, 4)]
    assert all(fake[pair] == pytest.approx(real[pair], abs=0.15) for pair in pairs)
    others = [(i, j) for i in range(8) for j in range(i) if (j, i) not in pairs]
    assert max(abs(fake[pair]) for pair in others) < 0.45 < min(fake[pair] for pair in pairs)
    assert made["visits"].dtype == frame["visits"].dtype
    assert abs(made["visits"].mean() - frame["visits"].mean()) < 6
