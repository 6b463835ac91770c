"""How probable held-out examples are: what each model's bound is made of, and who takes it."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from zerosum.core.likelihood import has_likelihood, likelihood
from zerosum.core.registry import list_models, recipe, system
from zerosum.data.fields import Category, Numbers
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.losses.likelihood import discretised_normal
from zerosum.metrics.registry import GENERAL
from zerosum.metrics.sets import Asked, Embedded, Sets
from zerosum.modalities.images import ImageField
from zerosum.training.state import seed_everything

SPEC = DataSpec({"image": ImageField(shape=(1, 8, 8)), "label": Category(count=10)})
IMAGES = (torch.arange(2 * 64).view(2, 1, 8, 8) % 17 / 8 - 1).float()


def build(name, **changes):
    seed_everything(0)
    config = recipe(f"{name}/tiny").model.matched(SPEC).model_copy(update=changes)
    return system(name).game(config)


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 0.3), (-0.97, 0.05), (1.4, 0.7), (0.3, 4.0)])
def test_the_levels_of_a_cut_normal_law_have_probability_one_in_all(mean, sigma):
    levels = torch.linspace(-1, 1, 17, dtype=torch.float64)[:, None]
    found = discretised_normal(
        levels, torch.full_like(levels, mean), torch.tensor(sigma).double(), 17
    )
    assert found.exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_far_levels_of_a_cut_normal_law_keep_their_digits():
    image = torch.tensor([[0.5], [-0.5]])
    found = discretised_normal(image, torch.zeros(2, 1), torch.tensor(0.02), 17)
    # log(F(b) - F(a)) for -F(-b) ...: the tails of a law 0.02 wide, 22 deviations away.
    near, far = (stats.norm.logsf(end / 0.02) for end in (0.5 - 1 / 16, 0.5 + 1 / 16))
    expected = near + math.log1p(-math.exp(far - near))
    assert found.tolist() == pytest.approx([expected, expected], rel=1e-6)


def test_the_bound_of_a_vae_is_that_of_its_parts():
    game = build("vae", levels=17)
    with torch.no_grad():
        game.encoder.code.weight.zero_()
        game.encoder.code.bias.zero_()  # the posterior is the prior
        game.encoder.code.bias[0] = 0.5  # but for one mean: KL = 0.5^2 / 2
        game.decoder.log_sigma.fill_(math.log(0.4))
        for part in game.decoder.network.parameters():
            part.zero_()  # every code gives grey
    found = game.log_likelihood({"image": IMAGES})
    grey = discretised_normal(IMAGES, torch.zeros_like(IMAGES), torch.tensor(0.4), 17)
    torch.testing.assert_close(found, grey - 0.125)


def test_the_bound_of_ddpm_pays_for_each_step_at_which_the_guess_is_off():
    """A guess that is d away in every pixel costs d^2 / 2 times the fall of the signal-to-noise
    ratio, summed over the steps (Kingma et al. 2021, eq. 13 in steps)."""
    off, steps = 0.05, 12
    game = build("ddpm", steps=steps, looks=steps, levels=17)
    kept = game.diffusion.kept

    def predict(noised, time):
        now = kept[time].view(-1, 1, 1, 1).float()
        guess = IMAGES * 0.9 + off
        return (noised - now.sqrt() * guess) / (1 - now).sqrt()

    game.predict = predict
    found = game.log_likelihood({"image": IMAGES})
    ratio = kept / (1 - kept)  # infinite at step 0, whose place the cut law of step 1 takes
    apart = (IMAGES - (IMAGES * 0.9 + off)).square().flatten(1).sum(1)
    paid = apart / 2 * float(ratio[1] - ratio[steps])
    sigma = float((1 - kept[1]).sqrt())
    first = discretised_normal(IMAGES, IMAGES * 0.9 + off, torch.tensor(sigma), 17)
    end = float(kept[-1])
    prior = (end * IMAGES.square() - end - math.log(1 - end)).flatten(1).sum(1) / 2
    torch.testing.assert_close(found, first - paid - prior, rtol=1e-4, atol=1e-2)


def test_looks_at_fewer_steps_give_the_same_bound_on_average():
    game = build("ddpm", steps=60, looks=60)
    few = build("ddpm", steps=60, looks=6)
    many = {"image": IMAGES[:1].repeat(400, 1, 1, 1)}
    with torch.no_grad():
        whole, part = game.log_likelihood(many), few.log_likelihood(many)
    error = (whole.var() / 400 + part.var() / 400).sqrt()
    assert abs(whole.mean() - part.mean()) < 4 * error


def test_four_systems_say_how_probable_an_example_is():
    able = {name for name in list_models() if has_likelihood(build_any(name))}
    assert able == {"ddpm", "flowgan", "realnvp", "vae"}


def build_any(name):
    return object.__new__(system(name).game)


def test_a_likelihood_is_per_number_and_has_a_seed():
    seed_everything(0)
    config = recipe("realnvp/moons").model.matched(DataSpec({"point": Numbers(shape=(2,))}))
    game = system("realnvp").game(config)
    points = torch.randn(200, 2)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(points).mean(1)
    torch.testing.assert_close(likelihood(game, {"point": points}).float(), expected)
    flow, labels = build("realnvp", levels=17), torch.zeros(2, dtype=torch.int64)
    batch = {"image": IMAGES, "label": labels}
    before = torch.get_rng_state()
    one, again, other = (likelihood(flow, batch, seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one, again) and not torch.equal(one, other)
    # At first the flow is the identity: the mean over the noise is known up to its spread.
    assert one.shape == (2,) and one.dtype == torch.float64


def test_a_game_without_likelihood_is_refused_by_name():
    with pytest.raises(UserError, match="DCGAN does not say how probable"):
        likelihood(build("dcgan"), {"image": IMAGES})


def test_the_metric_is_the_mean_over_held_out_examples():
    rows = Embedded(torch.zeros(4, 2))
    nats = torch.tensor([-2.0, -1.0, -3.0, -2.0], dtype=torch.float64)
    sets = Sets(rows, rows, rows, 0, asked=Asked(lambda: nats))
    ((name, score, _),) = GENERAL["likelihood"].take("likelihood", sets)
    half = 1.959963984540054 * math.sqrt(nats.var().item() / 4)
    assert name == "likelihood" and score.interval is not None
    assert (score.value, *score.interval) == pytest.approx((-2, -2 - half, -2 + half))
    silent = Sets(rows, rows, rows, 0)
    unheld = Sets(rows, rows, None, 0, asked=Asked(lambda: nats))
    for wrong, words in ((silent, "does not say"), (unheld, "held-out")):
        with pytest.raises(UserError, match=words):
            GENERAL["likelihood"].take("likelihood", wrong)
