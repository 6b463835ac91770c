"""GAIN: its masks, hints and losses by hand, what it fills, and a table that it learns."""

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
from zerosum.modalities.tables import GapCodec, RowField
from zerosum.modalities.tables.fields import Span
from zerosum.modalities.tables.gaps import GapSource
from zerosum.modalities.tables.imputing import errors, mean_mode
from zerosum.models.tables.gain import ADAM, GAIN

pd = pytest.importorskip("pandas")

ROW = RowField(
    shape=(6,),
    spans=(
        Span(column="n", start=0, stop=1, part="scalar"),
        Span(column="n", start=1, stop=3, part="modes"),
        Span(column="a", start=3, stop=6, part="category"),
    ),
)
WHOLE = torch.tensor([[0.5, 1.0, 0.0, 1.0, 0.0, 0.0], [-0.25, 1.0, 0.0, 0.0, 1.0, 0.0]])
HOLED = torch.tensor([[0.0, 0.0, 1.0, 1.0, 0.0, 0.0], [-0.25, 1.0, 0.0, 0.0, 0.0, 1.0]])


def small(**changes):
    torch.manual_seed(0)
    return GAIN(GAIN.Config(row=ROW, width=(5,), critic_width=(4,), dropout=0, **changes))


def test_which_cells_are_there_and_where_noise_goes():
    game = small(noise=0.5)
    assert game.there(HOLED).tolist() == [[False, True], [True, False]]
    game.generator = torch.nn.Identity()
    told = game.told(HOLED, torch.ones(2, 6))
    # Missing cells get it, the position that says that they are missing does not.
    expected = torch.tensor([[0.5, 0.5, 1.0, 1.0, 0.0, 0.0], [-0.25, 1.0, 0.0, 0.5, 0.5, 1.0]])
    torch.testing.assert_close(told, expected)


def test_only_missing_cells_are_filled_and_none_stays_missing():
    game = small().eval()
    made = game.sample(2, given=HOLED, rng=torch.Generator().manual_seed(0))["row"]
    assert torch.equal(made[0, 3:], HOLED[0, 3:]) and torch.equal(made[1, :3], HOLED[1, :3])
    assert made[:, [2, 5]].abs().max() == 0
    assert made[0, 1] == 1 and abs(made[0, 0]) < 1
    assert sorted(made[1, 3:5].tolist()) == [0.0, 1.0]


def test_hints_tell_of_the_share_that_is_asked_for():
    game = small(hint=0.9)
    torch.manual_seed(1)
    there = torch.rand(20_000, 2) < 0.7
    hint, open_ = game.hinted(there)
    assert open_.mean().item() == pytest.approx(0.1, abs=0.005)
    assert torch.equal(hint[open_ == 1], torch.full_like(hint[open_ == 1], 0.5))
    assert torch.equal(hint[open_ == 0], there[open_ == 0].float())


def test_the_critic_s_loss_by_hand():
    """Cross-entropy over the cells of which nothing is told: with hint=0 all of them."""
    game = small(hint=0.0, noise=0.0)
    loss = game.critic_loss({"row": WHOLE, "given": HOLED})["adversarial"].item()
    filled = game.filled(HOLED, game.heads(game.told(HOLED, torch.zeros(2, 6))))
    p = game.critic(torch.cat([filled, torch.full((2, 2), 0.5)], 1)).sigmoid()
    by_hand = -(p[0, 1].log() + p[1, 0].log() + (1 - p[0, 0]).log() + (1 - p[1, 1]).log()) / 4
    assert loss == pytest.approx(by_hand.item(), rel=1e-5)


def test_the_generator_s_loss_by_hand():
    game = small(hint=0.0, noise=0.0, alpha=3.0, numbers=8.0)
    terms = game.generator_loss({"row": WHOLE, "given": HOLED})
    told = game.told(HOLED, torch.zeros(2, 6))
    filled = game.filled(HOLED, game.heads(told))
    p = game.critic(torch.cat([filled, torch.full((2, 2), 0.5)], 1)).sigmoid()
    adversarial = -(p[0, 0].log() + p[1, 1].log()) / 2
    assert terms["adversarial"].item() == pytest.approx(adversarial.item(), rel=1e-5)
    numbers = 8 * (told[:, 0].tanh() - WHOLE[:, 0]) ** 2
    share = told[:, 3:5].softmax(1)
    kinds = -torch.stack([share[0, 0], share[1, 1]]).log()
    error = 3 * (numbers.sum() + kinds.sum()) / 4
    assert terms["reconstruction"].item() == pytest.approx(error.item(), rel=1e-5)


def test_cells_that_the_data_lack_teach_nothing():
    game = small(noise=0.0, alpha=1.0)
    torch.manual_seed(0)
    found = game.generator_loss({"row": HOLED, "given": HOLED})["reconstruction"].item()
    told = game.told(HOLED, torch.zeros(2, 6))
    number = 8 * (told[1, 0].tanh() + 0.25) ** 2
    kind = -told[0, 3:5].log_softmax(0)[0]
    assert found == pytest.approx(((number + kind) / 2).item(), rel=1e-5)


def test_a_config_needs_a_table_with_gaps():
    with pytest.raises(UserError, match="gain fills gaps of tables, but the data hold row"):
        GAIN.Config().matched(DataSpec({"row": ROW}))


def table(n, seed):
    """A category that decides a number, and a number that is another one plus noise."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    first = rng.normal(size=n)
    return pd.DataFrame(
        {
            "kind": np.array(["a", "b", "c"])[kind],
            "size": np.round(10.0 * kind + rng.normal(size=n), 3),
            "first": np.round(first, 3),
            "second": np.round(first + 0.1 * rng.normal(size=n), 3),
        }
    )


def test_holes_are_drawn_anew_at_each_visit_and_by_the_row_without():
    frame = table(4000, 0)
    codec = GapCodec.fit(frame)
    source = GapSource(codec.stored(frame), 0.25, name="t")
    numbers = np.arange(4000)
    once, again = (source.fetch(numbers, Visits(0, numbers + k)) for k in (0, 4000))
    missing = [span.stop - 1 for span in codec.row.spans if span.part != "scalar"]
    holes = once["given"][:, missing]
    assert holes.mean(0).tolist() == pytest.approx([0.25] * 4, abs=0.03)
    assert not torch.equal(holes, again["given"][:, missing])
    assert torch.equal(once["row"], again["row"]) and once["row"][:, missing].sum() == 0
    stored = source.fetch(numbers)["given"]
    assert torch.equal(stored, source.fetch(numbers)["given"])
    # A hole holds nothing but its mark; a cell that is there is the row's own.
    for number, span in enumerate(s for s in codec.row.spans if s.part != "scalar"):
        hole = holes[:, number] > 0
        start = span.start - (span.part == "modes")
        assert once["given"][hole, start : span.stop - 1].abs().sum() == 0
        assert torch.equal(once["given"][~hole, start : span.stop],
                           once["row"][~hole, start : span.stop])  # fmt: skip


@pytest.mark.slow
def test_it_learns_what_follows_from_what():
    frame = table(4000, 0)
    codec = GapCodec.fit(frame)
    source = GapSource(codec.stored(frame), 0.25, name="t")
    torch.manual_seed(0)
    config = GAIN.Config(width=(64, 64), critic_width=(32,))
    game = GAIN(config.matched(DataSpec(codec.fields, codec)))
    optimizers = build_optimizers({"critic": ADAM, "generator": ADAM}, game.players())

    def batches():
        for step in range(10_000):
            numbers = np.arange(step * 100, step * 100 + 100)
            yield source.fetch(numbers % 4000, Visits(0, numbers))

    stream, runtime = batches(), Runtime(torch.device("cpu"))
    for _ in range(1500):
        play_step(game, stream, optimizers, runtime)
    fresh = table(1000, 1)
    truth = codec.encode(fresh)["row"]
    given = fresh.copy()
    given.loc[:299, "kind"] = None
    given.loc[300:599, "second"] = None
    holed = codec.encode(given)["given"]
    made = draw(game.eval(), 1000, 0, {"given": holed})["row"]
    found = errors(made, truth, holed, codec.row)
    mean = errors(mean_mode(holed, truth, codec.row), truth, holed, codec.row)
    assert found["pfc"] < 0.03 and mean["pfc"] > 0.6  # a third is chance
    # Of `second` a tenth is noise (0.0995 standard deviations): what can be known is.
    assert 0.09 < found["rmse"] < 0.2 and mean["rmse"] == pytest.approx(1, abs=0.1)


def test_errors_by_hand():
    row = RowField(shape=(6,), spans=ROW.spans)
    made = torch.tensor([[0.25, 1.0, 0.0, 1.0, 0.0, 0.0], [-0.25, 1.0, 0.0, 1.0, 0.0, 0.0]])
    found = errors(made, WHOLE, HOLED, row)
    assert found["rmse"] == pytest.approx(1.0)  # a quarter, in units of four deviations
    assert found["pfc"] == 1.0
    both = errors(made.repeat(2, 1), torch.cat([WHOLE, made]), HOLED.repeat(2, 1), row)
    assert both["rmse"] == pytest.approx(math.sqrt(0.5)) and both["pfc"] == 0.5
    with pytest.raises(UserError, match="no known cell was hidden"):
        errors(made, WHOLE, WHOLE, row)
