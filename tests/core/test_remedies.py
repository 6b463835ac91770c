"""Each remedy on a case computed by hand, switched on by a recipe and by nothing else."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.functional import softplus

from zerosum.augment.diffaugment import DiffAugment
from zerosum.core.game import Progress
from zerosum.core.recipe import Recipe
from zerosum.core.registry import build_game, recipe, system
from zerosum.core.runtime import Runtime, running_buffers
from zerosum.errors import UserError
from zerosum.training.prepare import prepare


def prepared(name="dcgan/tiny", remedies=()):
    split, found = prepare(recipe(name).override({"remedies": remedies}), Runtime.start("cpu"))
    return split.train.finished(range(16)), found


def built(remedies=(), name="dcgan/tiny", progress=None):
    """A batch, and the game of a preset with remedies, always with the same weights."""
    batch, found = prepared(name, remedies)
    torch.manual_seed(0)
    game = build_game(found).train()
    game.progress = progress or Progress(50, 500, 1_000)
    return batch, game


def played(game, batch, number):
    """The terms of a turn, always under the same random numbers."""
    torch.manual_seed(1)
    return game.turns()[number].loss(batch)


def both(remedy, number, **more):
    """Terms of a turn with a remedy and without, and the signals of the critic's logits."""
    batch, plain = built()
    _, game = built([{"name": remedy, **more}])
    return played(game, batch, number), played(plain, batch, number), plain.signals


def total(terms):
    return sum(terms.values()).item()


def seen_by(critic):
    """A list to which each input of a network is added, as its own layers get it."""
    seen = []
    critic.register_forward_pre_hook(lambda module, given: seen.append(given[0].detach()))
    return seen


# -- the objective -------------------------------------------------------------------------


def test_label_smoothing_adds_a_tenth_of_the_real_logits():
    """0.9 sp(-r) + 0.1 sp(r) - sp(-r) = 0.1 r."""
    with_it, without, signals = both("label_smoothing", 0, real=0.9)
    wanted = total(without) + 0.1 * signals["real_logits"].mean().item()
    assert total(with_it) == pytest.approx(wanted, rel=1e-6)
    assert signals["real_logits"].mean().abs() > 1e-3  # else nothing is seen
    with_it, without, _ = both("label_smoothing", 1, real=0.9)
    assert total(with_it) == total(without)


def test_label_smoothing_of_least_squares():
    """(r - 0.9)^2 / 2 - (r - 1)^2 / 2 = 0.1 r - 0.095."""
    change = {"model.objective": "lsgan"}
    losses = []
    for remedies in ((), ("label_smoothing",)):
        batch, found = prepared(remedies=remedies)
        torch.manual_seed(0)
        game = build_game(found.override(change))
        losses.append(total(played(game.train(), batch, 0)))
    mean = game.signals["real_logits"].mean().item()
    assert losses[1] - losses[0] == pytest.approx(0.1 * mean - 0.095, rel=1e-4)


def test_all_labels_flipped():
    with_it, _, signals = both("flipped_labels", 0, probability=1.0)
    real, fake = signals["real_logits"], signals["fake_logits"]
    wanted = softplus(real).mean() + softplus(-fake).mean()
    assert total(with_it) == pytest.approx(wanted.item(), rel=1e-6)


def anchored():
    batch, game = built([{"name": "lecam", "weight": 0.3, "decay": 0.5}])
    (effect,) = game.remedies
    return batch, game, effect.anchors


def test_lecam_adds_its_weight_times_the_distances_to_the_anchors():
    batch, game, anchors = anchored()
    anchors.real.fill_(2.0)
    anchors.fake.fill_(-1.0)
    terms = played(game, batch, 0)
    real, fake = game.signals["real_logits"], game.signals["fake_logits"]
    wanted = 0.3 * ((real + 1).square().mean() + (fake - 2).square().mean())
    assert terms["lecam"].item() == pytest.approx(wanted.item(), rel=1e-6)
    plain = played(built()[1], batch, 0)
    assert total(terms) - total(plain) == pytest.approx(wanted.item(), rel=1e-5)
    assert set(played(game, batch, 1)) == {"adversarial"}


def test_lecams_anchors_move_once_a_step():
    batch, game, anchors = anchored()
    played(game, batch, 0)
    first = game.signals["real_logits"].mean().item()
    assert anchors.real.item() == 0 and not anchors.started
    game.after_step(game.progress)
    assert anchors.real.item() == pytest.approx(first, rel=1e-6)
    half = {name: value[:8] for name, value in batch.items()}
    means = []
    for part in (batch, half):  # two micro-batches, one step
        played(game, part, 0)
        means.append(game.signals["real_logits"].mean().item())
    game.after_step(game.progress)
    assert anchors.real.item() == pytest.approx(first / 2 + sum(means) / 4, rel=1e-5)
    game.after_step(game.progress)  # a step in which no critic played
    assert anchors.real.item() == pytest.approx(first / 2 + sum(means) / 4, rel=1e-5)


@pytest.mark.parametrize(("share", "kept"), [(0.25, 4), (None, 12)])
def test_top_k_keeps_the_best_of_the_batch(share, kept):
    """By default the share falls from 1 to 0.5, which is 0.75 in the middle of the run."""
    batch, game = built([{"name": "top_k"} | ({"share": share} if share else {})])
    logits = []
    game.discriminator.register_forward_hook(lambda m, given, out: logits.append(out))
    terms = played(game, batch, 1)
    wanted = softplus(-logits[0].sort(descending=True).values[:kept]).mean()
    assert total(terms) == pytest.approx(wanted.item(), rel=1e-6)
    critics, plain, _ = both("top_k", 0)
    assert total(critics) == total(plain)


# -- what the critic is shown --------------------------------------------------------------


def check_shown(game, batch, change):
    """Both players' turns show the critic changed images, real and fake; evaluation does not."""
    seen = seen_by(game.discriminator)
    played(game, batch, 0)
    torch.manual_seed(1)
    with torch.no_grad():
        fake = game.sample(16)["image"]
    for image, shown in zip((batch["image"], fake), seen, strict=True):
        assert torch.equal(shown, change(image)) and not torch.equal(shown, image)
    seen.clear()
    played(game, batch, 1)
    torch.manual_seed(1)
    fake = game.sample(16)["image"].detach()
    assert torch.equal(seen[0], change(fake)) and len(seen) == 1
    game.eval().critics()["discriminator"](batch)
    assert torch.equal(seen[1], batch["image"])


def test_diffaugment_before_the_critic():
    batch, game = built([{"name": "diffaugment", "policy": ["translation"]}])
    check_shown(game, batch, DiffAugment(("translation",)))
    assert not built()[1].discriminator._forward_pre_hooks


@pytest.mark.parametrize(("more", "sigma"), [({"sigma": 0.5}, 0.5), ({}, 0.05)])
def test_instance_noise_before_the_critic(more, sigma):
    """By default sigma falls from 0.1 to 0."""
    batch, game = built([{"name": "instance_noise", **more}])
    check_shown(game, batch, lambda image: image + sigma * torch.randn_like(image))


def test_the_normalised_gradient_is_the_gradient_over_its_rms():
    batch, plain = built()
    images, decode = [], plain.decode

    def keeping(z, condition):
        made = decode(z, condition)
        made["image"].retain_grad()
        images.append(made["image"])
        return made

    plain.decode = keeping
    total_loss = sum(played(plain, batch, 1).values())
    total_loss.backward()
    size = images[0].grad.square().mean().sqrt()
    _, game = built(["gradient_norm"])
    sum(played(game, batch, 1).values()).backward()
    for one, other in zip(game.generator.parameters(), plain.generator.parameters()):
        assert torch.allclose(one.grad, other.grad / (size + 1e-8), rtol=1e-4, atol=1e-6)
    (effect,) = game.remedies
    game.after_step(game.progress)
    assert effect.norm.square.total.item() == pytest.approx(size.square().item(), rel=1e-4)
    with_it, without, _ = both("gradient_norm", 0)
    assert total(with_it) == total(without)


def test_a_gradient_penalty_keeps_its_slope_under_the_normalisation():
    values = []
    for remedies in ((), ("gradient_norm",)):
        batch, game = built(remedies, "wgan_gp/tiny")
        values.append(played(game, batch, 0)["penalty"].item())
    assert values[0] == values[1]


# -- weights and batches -------------------------------------------------------------------


def test_historical_averaging_is_the_distance_to_the_mean_of_all_steps():
    batch, game = built([{"name": "historical_averaging", "weight": 2.0}])
    assert played(game, batch, 0)["historical"].item() == 0
    with torch.no_grad():
        for parameter in game.discriminator.parameters():
            parameter += 0.5
    count = sum(p.numel() for p in game.discriminator.parameters())
    wanted = 2 * count * 0.5**2
    assert played(game, batch, 0)["historical"].item() == pytest.approx(wanted, rel=1e-4)
    game.after_step(game.progress)  # the mean is now half way
    wanted = 2 * count * 0.25**2
    assert played(game, batch, 0)["historical"].item() == pytest.approx(wanted, rel=1e-4)
    assert played(game, batch, 1)["historical"].item() == 0


def test_virtual_batch_norm_makes_a_sample_independent_of_its_batch():
    _, plain = built()
    _, game = built([{"name": "virtual_batch_norm", "reference": 5}])
    z = torch.randn(6, game.latent_size)
    alone = game.decode(z[:1], {})["image"]
    assert torch.allclose(game.decode(z, {})["image"][:1], alone, atol=1e-6)
    assert not torch.allclose(
        plain.decode(z, {})["image"][:1], plain.decode(z[:3], {})["image"][:1]
    )
    # The reference itself is normalised as a batch: as batch norm does, with the same gains.
    reference = game.generator.reference
    assert reference.shape == (5, game.latent_size)
    whole = game.generator.network(reference)
    assert torch.allclose(whole, plain.decode(reference, {})["image"], atol=1e-5)
    assert game.generators() == [game.generator]


# -- how they stand in a recipe ------------------------------------------------------------

ALL = (
    "virtual_batch_norm,gradient_norm,diffaugment,instance_noise,label_smoothing,flipped_labels,"
    "lecam,top_k,ada,historical_averaging"
)


def test_names_alone_mean_the_usual_strengths_and_survive_json():
    _, found = prepared(remedies="lecam, diffaugment")
    assert [r.name for r in found.remedies] == ["lecam", "diffaugment"]
    assert found.remedies[0].weight == 0.1 and found.remedies[1].policy == (
        "translation",
        "cutout",
    )
    kind = system("dcgan").game.Config
    assert Recipe.from_json(found.to_json(), kind).remedies == found.remedies
    parts = '[{"name":"lecam","weight":0.3},{"name":"top_k","share":0.5}]'
    _, found = prepared(remedies=parts)
    assert found.remedies[0].weight == 0.3 and found.remedies[1].share == 0.5
    assert prepared(remedies="none")[1].remedies == ()


def test_the_order_in_the_recipe_does_not_matter():
    """The anchors follow logits whose labels are flipped already, however they are named."""
    forth, back = built(ALL)[1], built(",".join(reversed(ALL.split(","))))[1]
    batch = built()[0]
    assert [type(e) for e in forth.remedies] == [type(e) for e in back.remedies]
    for number in (0, 1):
        assert total(played(forth, batch, number)) == total(played(back, batch, number))


@pytest.mark.parametrize(
    ("remedies", "message"),
    [
        ("diffagument", "there is no remedy 'diffagument': did you mean diffaugment"),
        ('[{"weight":1}]', "there is no remedy 'None': known: virtual_batch_norm"),
        ("3", "write names, such as lecam,top_k"),
        ("lecam,lecam", "lecam stands there twice: name each remedy once"),
        ('[{"name":"lecam","wait":1}]', "lecam.wait: Extra inputs are not permitted"),
        ('[{"name":"top_k","share":2}]', "at most 1"),
        ('[{"name":"diffaugment","policy":[]}]', "diffaugment.policy: .* at least 1 item"),
    ],
)
def test_wrong_settings_are_refused(remedies, message):
    with pytest.raises(UserError, match=message):
        recipe("dcgan/tiny").override({"remedies": remedies})


@pytest.mark.parametrize(
    ("name", "remedy", "message"),
    [
        ("gan", "diffaugment", "needs a critic that is given an image of the data"),
        ("pacgan", "diffaugment", "packs, pairs"),
        ("cgan", "instance_noise", "needs a critic that is given whole samples"),
        ("vae", "gradient_norm", "needs a critic, and nobody judges here"),
        ("rpgan", "label_smoothing", "minimax, nonsaturating or lsgan, and this plays rpgan"),
        ("lsgan", "label_smoothing", "plays lsgan with targets of its own, which its model"),
        ("rgan", "top_k", r"\(not a relativistic one\), and this plays rpgan"),
        ("began", "lecam", "needs an objective on logits, and this game has none"),
        ("rpgan", "virtual_batch_norm", "needs a generator with BatchNorm2d layers"),
        ("sagan", "virtual_batch_norm", "gains depend on a condition"),
    ],
)
def test_games_that_a_remedy_does_not_fit_are_told_so(name, remedy, message):
    found = prepared(f"{name}/tiny", remedy)[1]
    with pytest.raises(UserError, match=f"the remedy {remedy} does not fit .*{message}"):
        build_game(found)


def test_lecam_refuses_several_critics_in_one_turn():
    batch, game = built("lecam", "lapgan/tiny")
    with pytest.raises(UserError, match="one critic, and 2 judge in the turn of discriminator"):
        played(game, batch, 0)


def test_a_game_without_remedies_is_its_class_itself():
    found = prepared()[1]
    assert type(build_game(found)) is system("dcgan").game
    assert isinstance(built("lecam")[1], system("dcgan").game)


def test_a_copy_is_treated_by_its_own_effects():
    """The doctor learns on with copies, which must not reach back into the game."""
    batch, game = built("gradient_norm,diffaugment,lecam,top_k,historical_averaging")
    twin = copy.deepcopy(game)
    before = total(played(game, batch, 0))
    for effect in twin.remedies:
        if hasattr(effect, "anchors"):
            effect.anchors.real.fill_(100.0)
    with torch.no_grad():
        for parameter in twin.discriminator.parameters():
            parameter.zero_()
    assert total(played(game, batch, 0)) == before
    terms = played(twin, batch, 0)
    # Logits of 0: 2 ln 2, LeCam's 0.1 100^2, and the distance to where the weights began.
    squares = sum(p.square().sum().item() for p in game.discriminator.parameters())
    assert terms["adversarial"].item() == pytest.approx(1.386294)
    assert terms["lecam"].item() == pytest.approx(1000.0)
    assert terms["historical"].item() == pytest.approx(0.01 * squares, rel=1e-4)


def test_what_ranks_see_differently_is_averaged_over_them():
    _, game = built("gradient_norm,lecam")
    shared = {id(buffer) for buffer in running_buffers(game).values()}
    normal, anchored_ = game.remedies
    square = normal.norm.square
    for buffer in (square.total, square.weight, anchored_.anchors.real, anchored_.anchors.fake):
        assert id(buffer) in shared


def test_a_game_with_all_remedies_keeps_the_contract():
    from dataclasses import replace

    from zerosum.pipelines.check import check_game

    plain = system("dcgan")
    tiny = plain.presets["tiny"].override({"remedies": ALL})
    findings = list(check_game(replace(plain, presets={"tiny": tiny})))
    assert len(findings) == 10 and not [f for f in findings if f.problem], findings


def test_each_of_two_critics_of_one_player_is_shown_augmented_images():
    """As where two domains are judged: one player, two networks that are given images."""
    from torch import nn

    from zerosum.core.remedies.shown import viewers

    _, game = built()
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))
    game.other = other
    one = game.discriminator
    game.players = lambda: {"discriminator": [one, other], "generator": [game.generator]}
    game.critics = lambda: {"discriminator": lambda b: one(b["image"]) + other(b["image"])}
    assert viewers(game, images=True) == viewers(game) == [one, other]
    game.critics = lambda: {"discriminator": lambda b: one(b["image"])}
    with pytest.raises(UserError, match="needs a critic that is given"):
        viewers(game)


def test_virtual_batch_norm_leaves_the_batch_of_an_exported_graph_free():
    _, game = built([{"name": "virtual_batch_norm", "reference": 5}])
    codes = torch.randn(7, game.latent_size)
    shapes = {"samples": ({0: torch.export.Dim("batch")},)}
    graph = torch.export.export(game.generator, (codes[:2],), dynamic_shapes=shapes).module()
    with torch.no_grad():
        assert torch.allclose(graph(codes), game.generator(codes), atol=1e-6)
        assert torch.allclose(graph(codes[:1]), game.generator(codes[:1]), atol=1e-6)
