"""TimeGAN, RCGAN, Quant GAN and DoppelGANger: their equations, phases and networks."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import mse_loss

import zerosum
from zerosum.core.game import Progress
from zerosum.core.registry import build_game
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.models.series.timegan import moments
from zerosum.nets.temporal import TemporalNet
from zerosum.training.prepare import prepare


def game(name, changes=None):
    chosen = zerosum.recipe(f"{name}/tiny").override(changes or {})
    split, recipe = prepare(chosen, Runtime(torch.device("cpu")))
    torch.manual_seed(0)
    return build_game(recipe), split.train.finished(range(16))


def test_timegan_learns_codes_then_steps_then_plays():
    made, _ = game("timegan")
    names = []
    for seen in (0, 400, 800):
        made.progress = Progress(1, seen, 1_000)
        names.append([(turn.player, turn.repeat) for turn in made.turns()])
    assert names == [
        [("autoencoder", 1)],
        [("generator", 1)],
        [("generator", 2), ("autoencoder", 2), ("critic", 1)],
    ]


def test_timegans_losses_by_hand():
    made, batch = game("timegan")
    x = batch["series"]
    codes = made.embedder(x)
    root = (mse_loss(made.recovery(codes), x) + 1e-12).sqrt()
    torch.testing.assert_close(made.embedding_loss(batch)["reconstruction"], 10 * root)
    step = mse_loss(made.supervisor(codes)[:, :-1], codes[:, 1:])
    torch.testing.assert_close(made.foretelling_loss(batch)["supervised"], step)
    terms = made.joint_loss(batch)
    torch.testing.assert_close(terms["supervised"], 0.1 * step)
    torch.manual_seed(2)
    found = made.generator_loss(batch)
    torch.testing.assert_close(found["supervised"], 100 * step.sqrt())
    torch.manual_seed(2)
    drawn = made.generator(made.latent(16))
    fake = made.recovery(made.supervisor(drawn))
    gap = (x.mean(0) - fake.mean(0)).abs().mean()
    spread = [(one.var(0, unbiased=False) + 1e-6).sqrt() for one in (x, fake)]
    expected = 100 * (gap + (spread[0] - spread[1]).abs().mean())
    torch.testing.assert_close(found["moments"], expected)
    assert float(moments(x, x)) == 0
    real = -made.critic(codes).sigmoid().log().mean()
    torch.manual_seed(3)
    judged = made.critic_loss(batch)["adversarial"]
    torch.manual_seed(3)
    drawn = made.generator(made.latent(16))
    fakes = [
        -(1 - made.critic(one).sigmoid()).log().mean() for one in (made.supervisor(drawn), drawn)
    ]
    torch.testing.assert_close(judged, real + sum(fakes))
    made.weights = made.weights.model_copy(update={"rest": 100.0})
    assert float(made.critic_loss(batch)["adversarial"]) == 0


def test_timegans_samples_need_no_embedder_and_no_critic():
    made, _ = game("timegan")
    held = {
        name.split(".")[0]
        for module in made.generators()
        for name in [next(n for n, m in made.named_children() if m is module)]
    }
    assert held == {"generator", "supervisor", "recovery"}
    assert made.sample(3)["series"].shape == (3, 24, 5)


def test_rcgan_s_penalty_is_r1_of_the_mean_logit():
    made, batch = game("rcgan", {"model.penalty": 3.0})
    series = batch["series"].clone().requires_grad_()
    logits = made.judge(series, batch)
    slopes = torch.autograd.grad(logits.mean(1).sum(), series)[0]
    wanted = 3 * slopes.square().sum((1, 2)).mean()
    found = made.critic_loss(batch)
    assert found["penalty"].item() == pytest.approx(wanted.item(), rel=1e-5)
    assert "penalty" not in game("rcgan", {})[0].critic_loss(batch)


def test_rcgan_is_told_the_class_at_each_step(tmp_path):
    import numpy as np

    x = np.random.default_rng(0).normal(size=(40, 6, 1))
    np.savez(tmp_path / "a.npz", x=x, y=np.array([0, 1] * 20))
    path = {"data.path": str(tmp_path / "a.npz")}
    made, batch = game("rcgan", {"model.labels": True, **path})
    assert made.classes == 2 and made.critic.cells.input_size == 3
    told = made._told(batch["series"], batch)
    assert told[0, :, 1:].tolist() == [torch.eye(2)[batch["label"][0]].tolist()] * 6
    z = made.latent(2)
    one, other = (made.decode(z, {"label": torch.tensor([k, k])})["series"] for k in (0, 1))
    assert not torch.allclose(one, other)
    assert made.judge(batch["series"], batch).shape == (16, 6)
    with pytest.raises(UserError, match="these have none"):
        game("rcgan", {"model.labels": True})


def test_a_temporal_net_sees_its_field_and_nothing_later():
    torch.manual_seed(0)
    net = TemporalNet(2, 1, width=4, blocks=3)
    assert net.field == 15
    x = torch.randn(1, 40, 2, requires_grad=True)
    net(x)[0, 30, 0].backward()
    seen = x.grad[0].abs().sum(1) > 0
    assert seen.nonzero().flatten().tolist() == list(range(30 - 14, 31))


def test_quantgans_series_are_stationary():
    """Each step has a whole past of noise: shifting the noise shifts the series."""
    made, _ = game("quantgan")
    assert made.latent(2).shape == (2, made.generator.field - 1 + made.length, 3)
    z = torch.randn(1, made.generator.field + made.length, 3)
    early, late = (made.decode(part, {})["series"] for part in (z[:, :-1], z[:, 1:]))
    torch.testing.assert_close(early[:, 1:], late[:, :-1])


def test_quantgans_samples_lie_between_the_extremes_of_the_training_part():
    """Laid in again, tails would make hundreds of a number that is half as far out again."""
    recipe = zerosum.recipe("quantgan/tiny").override({"data.scale": "gaussian"})
    split, recipe = prepare(recipe, Runtime(torch.device("cpu")))
    made = build_game(recipe)
    made.learn_from(split)
    with torch.no_grad():
        made.generator.last.weight.mul_(10_000)
    z, codec = made.latent(16), split.codec
    assert made.train().decode(z, {})["series"].abs().max() > 100  # losses see what was drawn
    own = codec.unscaled(made.eval().decode(z, {})["series"])
    assert own.min((0, 1)) == pytest.approx(codec.low, rel=1e-5)
    assert own.max((0, 1)) == pytest.approx(codec.high, rel=1e-5)


def test_doppelganger_takes_series_apart_and_puts_them_together():
    made, batch = game("doppelganger")
    told, shape = made.parted(batch)
    assert shape.abs().amax() == pytest.approx(1)
    assert torch.allclose(shape.amax(1), torch.ones(16, 5)) and told.shape == (16, 10)
    middle, half = told[:, None].chunk(2, dim=2)
    torch.testing.assert_close(middle + half * shape, batch["series"])
    even = {"series": torch.full((2, 24, 5), 0.3)}
    told, shape = made.parted(even)
    assert torch.equal(shape, torch.zeros_like(shape)) and told.isfinite().all()
    z = made.latent(4)
    drawn, inner = made.drawn(z, {})
    low_high = made.decode(z, {})["series"]
    middle, half = drawn[:, None].chunk(2, dim=2)
    torch.testing.assert_close(low_high, middle + half * inner)
    assert (half > 0).all()


def test_doppelgangers_second_critic_sees_attributes_alone():
    made, batch = game("doppelganger")
    terms = made.critic_loss(batch)
    assert set(terms) == {"adversarial", "penalty", "attributes", "attributes penalty"}
    terms["attributes"].backward()
    assert made.second[0].weight.grad.abs().sum() > 0 and made.critic[0].weight.grad is None


def test_an_export_draws_as_the_run_does(tmp_path):
    from zerosum.pipelines import export

    chosen = zerosum.recipe("timegan/tiny").override({"evaluate.samples": 0})
    zerosum.train(chosen, tmp_path / "run", device="cpu", quiet=True)
    run = zerosum.load(tmp_path / "run")
    export.write(run.game, run.recipe, run.codec, tmp_path / "model", tmp_path / "none.jsonl")
    one, other = (zerosum.load(tmp_path / p).sample(5, seed=1) for p in ("run", "model"))
    assert all((a == b).all() for a, b in zip(one, other))
