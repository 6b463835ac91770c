"""TVAE: its bound by hand, its samples, and a table that it learns."""

import math

import numpy as np
import pytest
import torch

from zerosum.core.draw import draw
from zerosum.core.engine import play_step
from zerosum.core.optim import build_optimizers
from zerosum.core.runtime import Runtime
from zerosum.data.spec import DataSpec
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.tables import RowField, TableCodec
from zerosum.modalities.tables.fields import Span
from zerosum.modalities.tables.source import TableSource
from zerosum.models.tables.tvae import ADAM, TVAE

pd = pytest.importorskip("pandas")

ROW = RowField(
    shape=(6,),
    spans=(
        Span(column="n", start=0, stop=1, part="scalar"),
        Span(column="n", start=1, stop=3, part="modes"),
        Span(column="a", start=3, stop=6, part="category"),
    ),
)


@pytest.fixture
def game():
    torch.manual_seed(0)
    return TVAE(TVAE.Config(row=ROW, latent=4, width=(5, 7)))


def test_the_surprise_of_a_row_by_hand(game):
    """A normal density of the number, and the logarithms of two softmaxes."""
    told = torch.tensor([[0.2, 0.0, 1.0, 0.0, 1.0, 2.0]])
    row = torch.tensor([[0.5, 1.0, 0.0, 0.0, 0.0, 1.0]])
    game.decoder.log_sigma.data.fill_(math.log(0.3))
    z = (0.5 - math.tanh(0.2)) / 0.3
    number = z**2 / 2 + math.log(0.3) + math.log(2 * math.pi) / 2
    mode = math.log(1 + math.e)
    category = math.log(1 + math.e + math.e**2) - 2
    assert game.surprise(told, row).item() == pytest.approx(number + mode + category, rel=1e-5)


def test_the_bound_by_hand(game):
    row = torch.tensor([[0.5, 1.0, 0.0, 0.0, 0.0, 1.0], [-0.1, 0.0, 1.0, 1.0, 0.0, 0.0]])
    torch.manual_seed(5)
    terms = game.loss({"row": row})
    mean, log_variance = game.encoder(row).chunk(2, 1)
    torch.manual_seed(5)
    z = mean + (log_variance / 2).exp() * torch.randn(2, 4)
    kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
    assert terms["kl"].item() == pytest.approx(kl.item(), rel=1e-5)
    expected = game.surprise(game.decoder(z), row).item()
    assert terms["reconstruction"].item() == pytest.approx(expected, rel=1e-5)


def test_samples_follow_the_decoder_s_laws(game):
    """With a decoder that says the same for each code, shares and moments are known."""
    for parameter in game.decoder.network.parameters():
        parameter.data.zero_()
    bias = game.decoder.network[-1].bias
    bias.data = torch.tensor([0.3, 0.0, 0.0, math.log(0.5), math.log(0.3), math.log(0.2)])
    game.decoder.log_sigma.data.fill_(math.log(0.1))
    row = draw(game.eval(), 20_000, 0)["row"]
    assert row[:, 3:].mean(0).tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.012)
    assert row[:, 1:3].mean(0).tolist() == pytest.approx([0.5, 0.5], abs=0.012)
    assert set(row[:, 1:].unique().tolist()) == {0.0, 1.0}
    assert row[:, 0].mean().item() == pytest.approx(math.tanh(0.3), abs=0.003)
    assert row[:, 0].std().item() == pytest.approx(0.1, rel=0.03)


def test_a_config_needs_a_table():
    with pytest.raises(UserError, match="tvae learns from tables"):
        TVAE.Config().matched(DataSpec({}))


def test_rows_are_visited_as_they_are():
    """Unlike ctgan's: a category of one row in ten is seen in one visit of ten."""
    frame = pd.DataFrame({"a": ["x"] * 90 + ["y"] * 10, "n": np.arange(100) * 1.5})
    codec = TableCodec.fit(frame)
    numbers = np.arange(1000)
    shares = {}
    for balanced in (True, False):
        source = TableSource(codec.stored(frame), codec.condition, name="a", balanced=balanced)
        rows = source.fetch(numbers % 100, Visits(0, numbers))["row"]
        shares[balanced] = codec.decode({"row": rows})["a"].eq("y").mean()
    assert shares[False] == pytest.approx(0.1)
    both = pd.DataFrame({"a": ["x"] * 90 + ["y"] * 10, "b": ["u", "v"] * 50})
    joint = TableCodec.fit(both)
    source = TableSource(joint.stored(both), joint.condition, name="b", balanced=False)
    asked = source.fetch(numbers % 100, Visits(0, numbers))["condition"]
    # Either column as often, its categories as often as they are; another column at each visit.
    assert asked.mean(0).tolist() == pytest.approx([0.45, 0.05, 0.25, 0.25], abs=0.04)
    assert len({tuple(row.tolist()) for row in asked[::100]}) == 2
    log = math.log1p(10) / (math.log1p(10) + math.log1p(90))
    assert shares[True] == pytest.approx(log, abs=0.04)


@pytest.mark.slow
def test_it_learns_a_table_that_is_not_independent():
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
    rows = codec.encode(frame)["row"]
    torch.manual_seed(0)
    game = TVAE(TVAE.Config(latent=8, width=(64, 64)).matched(DataSpec(codec.fields, codec)))
    optimizers = build_optimizers(ADAM, game.players())

    def batches():
        while True:
            yield {"row": rows[torch.randint(4000, (200,))]}

    stream, runtime = batches(), Runtime(torch.device("cpu"))
    for _ in range(800):
        play_step(game, stream, optimizers, runtime)
    made = codec.decode(draw(game, 3000, 0))
    # Codes between those of two kinds give either: a third is chance.
    assert (made["kind"].str.upper() == made["twin"]).mean() > 0.8
    for number, name in enumerate("abc"):
        part = made.loc[made["kind"] == name, "size"]
        assert len(part) / 3000 == pytest.approx(1 / 3, abs=0.06)
        assert part.median() == pytest.approx(10 * number, abs=1)
