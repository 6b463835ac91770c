"""Baselines and hybrids: sampling against laws that are known, likelihoods, codes."""

from __future__ import annotations

import math

import pytest
import torch

from zerosum.core.game import Progress
from zerosum.core.registry import recipe, system
from zerosum.data.fields import Category, Numbers
from zerosum.data.spec import DataSpec
from zerosum.modalities.images import ImageField
from zerosum.training.state import seed_everything

SPEC = DataSpec({"image": ImageField(shape=(1, 8, 8)), "label": Category(count=10)})


def build(name, **changes):
    seed_everything(0)
    config = recipe(f"{name}/tiny").model.matched(SPEC).model_copy(update=changes)
    return system(name).game(config)


def digits(count=32):
    return recipe("vae/tiny").data.open().train.finished(range(count))["image"]


def trained(game, loss, steps=60, lr=1e-2):
    """First and last values of a loss that is minimised on the same digits."""
    batch, values = {"image": digits()}, []
    rule = torch.optim.Adam([p for p in game.parameters() if p.requires_grad], lr=lr)
    for _ in range(steps):
        rule.zero_grad()
        total = sum(loss(batch).values())
        total.backward()
        rule.step()
        values.append(total.item())
    return values[0], values[-1]


def test_ddim_finds_the_only_image_there_is():
    game = build("ddpm", steps=100)
    only = torch.linspace(-0.8, 0.8, 64).view(1, 1, 8, 8)

    def predict(images, time):
        kept = game.diffusion.kept[time].view(-1, 1, 1, 1).float()
        return (images - kept.sqrt() * only) / (1 - kept).sqrt()

    game.predict = predict
    found = game.denoise(torch.randn(3, 1, 8, 8), steps=5)
    torch.testing.assert_close(found, only.expand_as(found), atol=1e-4, rtol=0)


def test_ddim_turns_noise_into_the_datas_law():
    """For data N(0.1, 0.2^2) the best prediction is linear, and the flow ends in that law."""
    game = build("ddpm", steps=1_000)
    mean, deviation = 0.1, 0.2

    def predict(images, time):
        kept = game.diffusion.kept[time].view(-1, 1, 1, 1).float()
        gap = images - kept.sqrt() * mean
        return (1 - kept).sqrt() * gap / (kept * deviation**2 + 1 - kept)

    game.predict = predict
    found = game.denoise(torch.randn(200, 1, 8, 8), steps=250)
    assert float(found.mean()) == pytest.approx(mean, abs=0.01)
    assert float(found.std()) == pytest.approx(deviation, rel=0.04)


def test_more_sampling_steps_than_trained_ones_are_cut():
    assert build("ddpm", steps=3, sampling_steps=50).sampling_steps == 3


def test_a_perfect_guess_gives_ddgan_its_data():
    game = build("ddgan", steps=4)
    only = torch.linspace(-0.8, 0.8, 64).view(1, 1, 8, 8)
    game.generator.forward = lambda noised, z, share: only.expand_as(noised)
    found = game.sample(5, rng=torch.Generator().manual_seed(0))["image"]
    torch.testing.assert_close(found, only.expand_as(found))


def test_real_pairs_of_ddgan_follow_the_process():
    game = build("ddgan", steps=4)
    torch.manual_seed(0)
    time, earlier, later = game.forth(torch.full((4_000, 1, 8, 8), 0.5))
    for t in (1, 2, 3, 4):
        kept = game.diffusion.kept[[t - 1, t]].tolist()
        for images, share in ((earlier, kept[0]), (later, kept[1])):
            values = images[time == t]
            assert float(values.mean()) == pytest.approx(0.5 * math.sqrt(share), abs=0.02)
            assert float(values.var()) == pytest.approx(1 - share, abs=0.02)


def test_diffusion_gan_shows_images_through_the_noise_of_the_process():
    game = build("diffusion_gan", sigma=0.05)
    seen = []
    game.discriminator.forward = lambda images, share: seen.append((images, share)) or share
    torch.manual_seed(0)
    time = torch.tensor([0, 100, 1_000]).repeat_interleave(2_000)
    game.seen(torch.full((6_000, 1, 8, 8), 0.5), time)
    images, share = seen[0]
    betas = torch.linspace(1e-4, 0.02, 1_000, dtype=torch.float64)
    for part, t in zip(images.split(2_000), (0, 100, 1_000)):
        kept = float((1 - betas[:t]).prod())
        assert float(part.mean()) == pytest.approx(0.5 * math.sqrt(kept), abs=1e-3)
        assert float(part.std()) == pytest.approx(0.05 * math.sqrt(1 - kept), abs=1e-3)
    assert share.unique().tolist() == pytest.approx([0, 0.1, 1])


@pytest.mark.parametrize(("logit", "longest"), [(3.0, 5 + 995), (-3.0, 5)])
def test_the_longest_time_of_diffusion_gan_follows_the_discriminator(logit, longest):
    """Over `pace` examples it goes from one end to the other; half of the times stay 0."""
    game = build("diffusion_gan", pace=1_000)
    game.grown.fill_(0.0 if logit > 0 else 1.0)
    game.discriminator.forward = lambda images, share: torch.full((len(images),), logit)
    batch = {"image": digits()[:16]}
    for step in range(1_000 // 16 + 6):  # the first step tells no batch size
        game.progress = Progress(step, 16 * step, 10_000)
        game.discriminator_loss(batch)
        game.discriminator_loss(batch)  # evaluated twice it counts no more than once
        with torch.no_grad():
            game.after_step(game.progress)
        if step == 31:  # eight looks of 4 x 16 examples: half way
            assert game.longest == pytest.approx((5 + 1_000) / 2, abs=20)
    assert game.longest == longest
    assert (game.times[:32] == 0).all()
    assert game.times[32:].min() >= 1 and game.times[32:].max() <= longest


def test_long_times_of_diffusion_gan_have_priority():
    game = build("diffusion_gan", least=3, most=3)
    drawn = []
    for _ in range(600):
        game._draw_times()
        drawn.append(game.times[32:].clone())
    shares = torch.cat(drawn).bincount(minlength=4) / (600 * 32)
    assert shares.tolist() == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6], abs=0.015)


def test_the_vaes_bound_falls_and_its_codes_carry_the_image():
    game = build("vae", latent=8, width=8)
    before, after = trained(game, game.loss, steps=80)
    assert after < before - 0.5
    game.eval()
    real = digits()
    error = (game.reconstruct(real) - real).square().mean()
    assert error < 0.6 * (real - real.mean(0)).square().mean()
    assert game.encode(real)[0].shape == (32, 8)


def test_beta_weighs_the_kl_alone():
    terms = {beta: build("vae", beta=beta) for beta in (1.0, 4.0)}
    values = {}
    for beta, game in terms.items():
        torch.manual_seed(3)
        values[beta] = game.loss({"image": digits()})
    assert torch.equal(values[1.0]["reconstruction"], values[4.0]["reconstruction"])
    torch.testing.assert_close(values[4.0]["kl"], 4 * values[1.0]["kl"])


@pytest.mark.parametrize("name", ["realnvp", "flowgan"])
def test_flows_know_what_is_likely(name):
    game = build(name, layers=4, hidden=(64,))
    flow = game.flow.parameters()
    for parameter in game.parameters():
        parameter.requires_grad_(False)
    for parameter in flow:
        parameter.requires_grad_(True)

    def loss(batch):
        return {"nll": -game.log_likelihood(batch).mean() / 64}

    before, after = trained(game, loss)
    assert after < before - 0.3
    with torch.no_grad():
        noise = torch.rand(32, 1, 8, 8) * 2 - 1
        real = game.log_likelihood({"image": digits()}).mean()
        assert real > game.log_likelihood({"image": noise}).mean() + 50


def test_the_flow_of_points_has_their_exact_density():
    seed_everything(0)
    config = recipe("realnvp/moons").model.matched(DataSpec({"point": Numbers(shape=(2,))}))
    game = system("realnvp").game(config)
    points = torch.randn(6, 2)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(points).sum(1)
    torch.testing.assert_close(
        game.log_likelihood({"point": points}), expected
    )  # the identity at first
    assert game.sample(3)["point"].shape == (3, 2)


def test_the_vaegans_likeness_is_taken_in_features():
    game = build("vaegan")
    real = digits(8)
    assert game.likeness(real, real).item() == 0
    with torch.no_grad():
        for parameter in game.trunk.parameters():
            parameter.zero_()
    assert game.likeness(real, -real).item() == 0  # a blind trunk sees no difference
    assert game.reconstruct(real).shape == real.shape


def test_every_encoder_is_averaged_and_exported_with_its_decoder():
    inverse = {
        "bigan": "encoder",
        "vae": "encoder",
        "vaegan": "encoder",
        "veegan": "reconstructor",
    }
    for name, part in inverse.items():
        game = build(name)
        assert getattr(game, part) in game.generators(), name


def test_the_vaegans_terms_are_the_papers():
    """Eq. 5 to 8: KL and half the squared distance of the features, both sums, weights 1."""
    game = build("vaegan", beta=1.0)
    images = digits(8)
    torch.manual_seed(4)
    terms = game.encoder_loss({"image": images})
    torch.manual_seed(4)
    mean, log_variance = game.encode(images)
    again = game.decoder(game.draw(mean, log_variance))
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
    torch.testing.assert_close(terms["kl"], kl)
    normal = torch.distributions.Normal(game.trunk(again), 1.0)
    seen = game.trunk(images)
    expected = -(normal.log_prob(seen).sum(1) - seen.shape[1] * math.log(2 * math.pi) / -2).mean()
    torch.testing.assert_close(terms["likeness"], expected)
