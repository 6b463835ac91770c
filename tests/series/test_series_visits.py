"""Series of different lengths with attributes: from a table to a table, scores, doppelganger."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch

import zerosum
from zerosum.core.registry import build_game
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.losses.penalties import gradient_penalty
from zerosum.metrics.sets import Embedded, Sets
from zerosum.modalities.series import MODALITY, Series, SeriesCodec, made
from zerosum.modalities.series import statistics as of
from zerosum.modalities.series.baselines import baselines, block_bootstrap
from zerosum.modalities.series.judges import discriminative, predictive
from zerosum.modalities.series.scores import METRICS
from zerosum.models.series.doppelganger import alive
from zerosum.pipelines.evaluate import Evaluator
from zerosum.training.prepare import prepare

ROWS = [
    *(("a", "red", 1.5, 10 + k) for k in range(3)),
    *(("b", "blue", 2.5, 20 + k) for k in range(5)),
    *(("c", "red", 0.5, 30 + k) for k in range(2)),
    *(("d", "blue", 1.0, 40 + k) for k in range(4)),
]


def table(path, rows=ROWS, header=("visit", "colour", "level", "heat")):
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return str(path)


def config(tmp_path, rows=ROWS, **changes):
    settings = {"series": "visit", "attributes": ("colour", "level"), "holdout": 0.0, **changes}
    return Series(path=table(tmp_path / "a.csv", rows), **settings)


# -- from a table to a table -------------------------------------------------------------------


def test_rows_of_one_value_are_a_series_and_padded(tmp_path):
    split = config(tmp_path).open()
    codec, batch = split.codec, split.train.finished(range(4))
    assert isinstance(codec, SeriesCodec) and codec.names == ("heat",) and codec.length == 5
    assert batch["steps"].tolist() == [3, 5, 2, 4]
    assert batch["series"].shape == (4, 5, 1) and not batch["series"][2, 2:].any()
    scaled = [(30 - 26.5) / 16.5, (31 - 26.5) / 16.5]  # of 10 to 43
    assert batch["series"][2, :2, 0].tolist() == pytest.approx(scaled)
    # blue and red in the order of the alphabet; levels of 0.5 to 2.5 on [-1, 1].
    assert batch["attributes"].tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, -1], [1, 0, -0.5]]
    assert [one.tolist() for one in codec.decode(batch)][2] == [[30], [31]]


def test_what_is_written_is_read_again(tmp_path):
    split = config(tmp_path).open()
    batch = split.train.finished(range(4))
    split.codec.write(batch, tmp_path / "b.csv")
    with (tmp_path / "b.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["series", "step", "colour", "level", "heat"]
    assert rows[1:4] == [["0", str(k), "red", "1.5", str(10 + k)] for k in range(3)]
    assert len(rows) == 1 + 14
    names = {"series": "series", "attributes": ("colour", "level"), "columns": ("heat",)}
    again = Series(path=str(tmp_path / "b.csv"), holdout=0.0, **names).open()
    found = again.train.finished(range(4))
    assert all(torch.equal(found[name], batch[name]) for name in batch)
    back = SeriesCodec.from_state(*split.codec.state())
    assert back.hash == split.codec.hash and back.fields == split.codec.fields
    split.codec.write(batch, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as held:
        assert np.isnan(held["x"][2, 2:]).all() and [*held["attribute_colour"]][1] == "blue"
    assert split.codec.write(batch, tmp_path / "b.png") == 4


def test_users_series_may_be_shorter_but_not_longer(tmp_path):
    codec = config(tmp_path).open().codec
    found = codec.encode([[11.0, 12.0], np.arange(5.0)])
    assert found["steps"].tolist() == [2, 5]
    with pytest.raises(UserError, match=r"series 1 has the shape \(6, 1\), not \(5, 1\)"):
        codec.encode([np.arange(6.0)])


def test_labels_are_a_column_and_series_of_one_length_have_no_steps(tmp_path):
    rows = [(name, kind, 0.0, k) for name, kind in (("a", "x"), ("b", "y")) for k in range(3)]
    split = config(tmp_path, rows, label="colour", attributes=()).open()
    batch = split.train.finished(range(2))
    assert set(batch) == {"series", "label"} and split.codec.classes == ("x", "y")
    assert split.codec.names == ("level", "heat") and batch["label"].tolist() == [0, 1]


def test_held_out_series_that_nobody_learned_are_left_out_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "zerosum.modalities.series.config.choose", lambda *_: torch.tensor([1])
    )  # b, the longest
    split = config(tmp_path, holdout=0.25).open()
    assert (len(split.train), split.heldout) == (3, None)
    source = config(tmp_path)._source
    reading = config(tmp_path).read()
    every, _, _ = config(tmp_path)._parts(reading)
    aside = source(every, split.codec, "heldout", 0, ())
    assert aside.skipped == ("series 2: more than 4 steps, the longest of the training part",)
    rare = [*ROWS, ("e", "green", 1.0, 1.0)]
    every, _, _ = config(tmp_path, rare)._parts(config(tmp_path, rare).read())
    assert source(every, split.codec, "heldout", 0, ()).skipped[1] == (
        "series 5: no colour 'green' in the training part"
    )


def test_columns_are_typed_with_commas(tmp_path):
    chosen = zerosum.recipe("doppelganger/tiny").with_data(table(tmp_path / "a.csv"))
    typed = {"data.series": "visit", "data.attributes": "colour, level", "data.columns": "heat"}
    split = chosen.override(typed).data.open()
    assert [one.name for one in split.codec.attributes] == ["colour", "level"]
    both = chosen.override({"data.columns": "level,heat", "data.length": 4}).data.open()
    assert both.codec.names == ("level", "heat")


@pytest.mark.parametrize(
    ("changes", "rows", "words"),
    [
        ({"series": ""}, ROWS, "data.attributes describes series: say with data.series which"),
        ({"series": "vist"}, ROWS, "no column 'vist': did you mean visit"),
        ({"attributes": ("heat",)}, ROWS, "'heat' of .* changes within the series a: name it as"),
        ({}, ROWS[:3], "holds one series in 'visit': leave data.series out"),
        ({}, [*ROWS, ("", "red", 1.0, 2.0)], "row 15 of .* has no 'visit': say which series it"),
        ({}, [*ROWS, ("e", "", 1.0, 2.0)], "'colour' of .* is missing for the series e"),
    ],
)
def test_bad_tables_are_told_in_a_line(tmp_path, changes, rows, words):
    with pytest.raises(UserError, match=words):
        config(tmp_path, rows, **changes).open()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ((), "learns series of one length, and these have up to 32 steps: take doppelganger"),
        (("kind",), "learns series of one length"),
    ],
)
@pytest.mark.parametrize("name", ["timegan", "rcgan", "quantgan"])
def test_other_systems_refuse_them(name, settings, words):
    chosen = zerosum.recipe(f"{name}/tiny").override({"data.path": "visits"})
    with pytest.raises(UserError, match=words):
        prepare(chosen, Runtime(torch.device("cpu")))


# -- scores ------------------------------------------------------------------------------------


def _ragged(series, ends):
    found = series.copy()
    for row, end in enumerate(ends):
        found[row, end:] = np.nan
    return found


def test_statistics_look_at_what_is_there():
    rng = np.random.default_rng(0)
    series = rng.normal(size=(6, 9, 2))
    ends = [9, 4, 7, 9, 5, 8]
    ragged = _ragged(series, ends)
    flat = np.concatenate([one[:end] for one, end in zip(series, ends)])
    assert of.correlations(ragged) == pytest.approx(np.corrcoef(flat.T))
    middle, lag = flat.mean(0), 2
    parts = [one[:end] - middle for one, end in zip(series, ends)]
    expected = np.concatenate([one[lag:] * one[:-lag] for one in parts]).mean(0) / flat.var(0)
    assert of.autocorrelation(ragged, 2)[1] == pytest.approx(expected)
    whole = _ragged(series, [9] * 6)
    centred = series - series.mean((0, 1))
    squares = centred**2 - (centred**2).mean((0, 1))
    scale = centred.std((0, 1)) * squares.std((0, 1))
    assert of.leverage(whole, 1)[0] == pytest.approx(
        (centred[:, :-1] * squares[:, 1:]).mean((0, 1)) / scale
    )


def test_judges_do_not_look_behind_the_end(monkeypatch):
    monkeypatch.setattr("zerosum.modalities.series.judges.STEPS", 30)
    rng = np.random.default_rng(1)
    ends = rng.integers(2, 9, 60)
    ragged = torch.from_numpy(_ragged(rng.normal(size=(60, 8, 1)), ends)).float()
    found = discriminative(ragged[:30], ragged[30:], ragged[:30], 0)
    assert 0 <= found <= 0.5
    error = predictive(ragged, ragged, 0)
    # A judge of noise can do no better than foretell its median: the mean of |x| is 0.8.
    assert error == pytest.approx(ragged[:, 1:].abs().nanmean().item(), abs=0.1)


def test_blocks_end_as_training_series_do():
    ends = np.array([2, 4, 6])
    real = _ragged(np.arange(3.0)[:, None, None] + np.zeros((3, 6, 1)), ends)
    found = block_bootstrap(real, 600, np.random.default_rng(0))
    lengths = np.isfinite(found).all(2).sum(1)
    assert set(lengths) == {2, 4, 6} and abs((lengths == 2).mean() - 1 / 3) < 0.06
    assert set(found[lengths == 6][:, 4:].ravel()) == {2.0}  # the only one that goes on
    made_steps = baselines(real, 5, 0, returns=True)
    assert [*made_steps] == ["block bootstrap"]
    assert made_steps["block bootstrap"].shape == (5, 6, 1)


def test_laws_of_lengths_and_attributes_are_compared():
    def embedded(steps, attributes):
        fields = {
            "series": torch.zeros(len(steps), 4, 1),
            "steps": torch.tensor(steps),
            "attributes": torch.tensor(attributes),
        }
        return Embedded(features=torch.zeros(len(steps), 1), examples=fields)

    real = embedded([1, 2, 3, 4], [[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]] * 2)
    fake = embedded([4, 4], [[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]])
    sets = Sets(real=real, fake=fake, held_out=None, seed=0)
    ((_, steps, _),) = METRICS["steps"].run(sets)
    assert steps.value == 0.75
    ((_, laws, told),) = METRICS["attributes"].run(sets)
    assert laws.value == pytest.approx((0.5 + 0.5 + 1) / 3) and told == {"numbers": 3}


def test_visits_are_as_their_law_says():
    parts, attributes = made.visits(3_000, 0)
    lengths = np.array([len(part) for part in parts])
    for kind, (most, _) in made.KINDS.items():
        some = lengths[np.array(attributes["kind"]) == kind]
        assert (some.min(), some.max()) == (most // 2, most)
        assert some.mean() == pytest.approx(0.75 * most, rel=0.03)
    sizes = np.array([part.max() for part in parts]) / 10.0 ** np.array(attributes["level"])
    assert sizes.min() >= 1 and sizes.max() <= 3
    rows = MODALITY.rows(Series(path="visits").open().train.finished(range(3)))
    assert rows.shape == (3, 32 + 4 + 1) and rows[:, -1].max() <= 1


# -- doppelganger ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def game():
    chosen = zerosum.recipe("doppelganger/tiny").override({"data.path": "visits"})
    split, recipe = prepare(chosen, Runtime(torch.device("cpu")))
    torch.manual_seed(0)
    return build_game(recipe), split.train.finished(range(16))


def test_a_series_ends_at_the_first_flag_that_says_so():
    flags = torch.tensor([[[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]], [[0.6, 0.4]] * 3])
    assert alive(flags).tolist() == [[1, 1, 0], [1, 1, 1]]


def test_real_series_have_flags_and_a_range_of_what_is_there(game):
    made_game, batch = game
    told, shape = made_game.parted(batch)
    assert told.shape == (16, 4 + 2) and shape.shape == (16, 32, 1 + 2)
    assert torch.equal(told[:, :4], batch["attributes"])
    for row, end in enumerate(batch["steps"].tolist()):
        there = batch["series"][row, :end, 0]
        middle, half = (there.max() + there.min()) / 2, (there.max() - there.min()) / 2
        torch.testing.assert_close(told[row, 4:], torch.stack([middle, half.clamp(min=1e-4)]))
        assert shape[row, :, 1].tolist() == [1.0] * (end - 1) + [0.0] * (33 - end)
        assert shape[row, :, 2].nonzero().flatten().tolist() == [end - 1]
        assert not shape[row, end:].any()
    assert torch.equal(alive(shape[:, :, 1:]).sum(1).long(), batch["steps"])


def test_samples_have_words_numbers_and_an_end(game):
    made_game, _ = game
    made_game.stretches.last.bias.data[1::3] = -1.0  # some flags say that the series ends
    z = made_game.latent(64)
    assert z.shape == (64, 2 + 6, 2)
    found = made_game.decode(z, {})
    assert set(found) == {"series", "steps", "attributes"}
    words, level = found["attributes"].split([3, 1], dim=1)
    assert torch.equal(words.sum(1), torch.ones(64)) and set(words.unique().tolist()) == {0, 1}
    assert level.abs().max() <= 1
    for row, end in enumerate(found["steps"].tolist()):
        assert 1 <= end <= 32 and not found["series"][row, end:].any()
    told, shape = made_game.drawn(z, {})
    soft = told[:, :3]
    torch.testing.assert_close(soft.sum(1), torch.ones(64))
    assert torch.equal(soft.argmax(1), words.argmax(1)) and soft.max() < 1
    again = made_game.parted(found)[1]
    assert torch.equal(again[:, :, 1:].sum(2), alive(shape[:, :, 1:]))


def test_its_losses_reach_the_flags_and_the_words(game):
    made_game, batch = game
    made_game.zero_grad()
    made_game.generator_loss(batch)["adversarial"].backward()
    assert made_game.attributes[0].weight.grad.abs().sum() > 0
    flags = made_game.stretches.last.weight.grad.reshape(-1, 3, 8)[:, 1:]
    assert flags.abs().sum() > 0
    torch.manual_seed(1)
    terms = made_game.critic_loss(batch)
    torch.manual_seed(1)
    told, shape = made_game.parted(batch)
    drawn = [one.detach() for one in made_game.drawn(made_game.latent(16), batch)]
    whole = [made_game.whole(*pair) for pair in ((told, shape), drawn)]
    gap = made_game.critic(whole[1]).mean() - made_game.critic(whole[0]).mean()
    torch.testing.assert_close(terms["adversarial"], gap)
    penalty = 10 * gradient_penalty(made_game.critic, *whole)
    torch.testing.assert_close(terms["penalty"], penalty)


def test_a_table_of_visits_is_trained_on_drawn_and_scored(tmp_path):
    chosen = zerosum.recipe("doppelganger/tiny").override(
        {"data.path": "visits", "evaluate.samples": 0}
    )
    zerosum.train(chosen, tmp_path / "run", device="cpu", quiet=True)
    run = zerosum.load(tmp_path / "run")
    drawn = run.draw(20, seed=3)
    assert run.codec.write(drawn, tmp_path / "a.csv") == 20
    with (tmp_path / "a.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [*rows[0]] == ["series", "step", "kind", "level", "size"]
    assert {row["kind"] for row in rows} <= {"short", "middle", "long"}
    assert all(0 <= float(row["level"]) <= 3 for row in rows)
    assert len(rows) == int(drawn["steps"].sum())
    judge = Evaluator(("steps", "attributes", "acf"), samples=60, device="cpu")
    told = {record.metric for record in judge.run(tmp_path / "run").scores}
    assert told == {"steps", "attributes", "acf"}
    blocks, again = judge.baselines(tmp_path / "run")
    assert (blocks.name, again.name) == ("block bootstrap", "training series again")
    assert {record.metric for record in blocks.scores} == {"steps", "acf"}  # blocks lack the rest
    assert {record.metric: record.value for record in again.scores}["attributes"] < 0.15
