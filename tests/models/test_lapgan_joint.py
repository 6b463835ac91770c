"""lapgan with joint levels: which gradients go where, and on what each level is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zerosum.core import registry
from zerosum.models.images.lapgan import LAPGAN, double
from zerosum.pipelines.check import check_game

IMAGES = torch.randn(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def build(**options):
    torch.manual_seed(0)
    tiny = registry.system("lapgan").presets["tiny"].model
    options = {"channels": 1, "size": (16, 16), **options}
    return LAPGAN(tiny.model_copy(update=options)).eval()


def reached(game, loss, modules):
    """Whether the term of level i (row) moves network j (column)."""
    terms = getattr(game, loss)({"image": IMAGES})
    table = []
    for term in terms.values():
        row = []
        for module in modules:
            found = torch.autograd.grad(
                term, list(module.parameters()), allow_unused=True, retain_graph=True
            )
            row.append(any(g is not None and bool(g.abs().max() > 0) for g in found))
        table.append(row)
    return table


def test_a_finer_loss_reaches_coarser_generators_only_when_joint():
    apart = [[True, False, False], [False, True, False], [False, False, True]]
    below = [[True, False, False], [True, True, False], [True, True, True]]
    for joint, expected in ((False, apart), (True, below)):
        game = build(joint=joint)
        generators = [game.generator, *game.details]
        assert reached(game, "generator_loss", generators) == expected
        # Discriminators have no part in one another in either.
        assert reached(game, "discriminator_loss", [game.discriminator, *game.judges]) == apart


def test_the_gradient_goes_through_both_images_of_the_pair():
    """Were the enlarged image below detached, the smallest generator would get another one."""
    game = build(joint=True)
    torch.manual_seed(1)
    whole = game.generator_loss({"image": IMAGES})["8px"]
    parameters = list(game.generator.parameters())
    expected = torch.autograd.grad(whole, parameters)
    torch.manual_seed(1)
    fakes = game.climb(game.latent(len(IMAGES)))
    for keep in (True, False):
        below = fakes[0] if keep else fakes[0].detach()
        logits = game.judges[0](torch.cat([fakes[1], double(below)], dim=1))
        found = torch.autograd.grad(
            game.objective.generator(logits), parameters, retain_graph=True
        )
        same = all(torch.allclose(a, b, atol=1e-7) for a, b in zip(expected, found))
        assert same == keep


@pytest.mark.parametrize("joint", [False, True])
def test_what_each_discriminator_is_shown(joint):
    """Real pairs are wholly real; generated ones lie on real images below unless joint."""
    game = build(joint=joint)
    shown = []
    game.judges[1].register_forward_hook(lambda _, seen, __: shown.append(seen[0]))
    torch.manual_seed(2)
    game.discriminator_loss({"image": IMAGES})
    torch.manual_seed(2)
    climbed = game.climb(game.latent(len(IMAGES)))
    real, fake = (pair.split(1, dim=1) for pair in shown)
    small = game.pyramid(IMAGES)[1]
    assert torch.equal(real[0], IMAGES) and torch.equal(real[1], double(small))
    below = climbed[1] if joint else small
    assert torch.equal(fake[1], double(below))
    assert torch.equal(fake[0], climbed[2]) == joint


def test_sampling_and_weights_know_nothing_of_it():
    alone, joint = build(), build(joint=True)
    joint.load_state_dict(alone.state_dict())  # strictly: the same names and shapes
    samples = [
        game.sample(3, rng=torch.Generator().manual_seed(5))["image"] for game in (alone, joint)
    ]
    assert samples[0].shape == (3, 1, 16, 16) and torch.equal(*samples)


def test_joint_levels_keep_the_contract():
    found = registry.system("lapgan")
    tiny = found.presets["tiny"]
    tiny = tiny.model_copy(update={"model": tiny.model.model_copy(update={"joint": True})})
    system = replace(found, presets={"tiny": tiny})
    assert [finding for finding in check_game(system) if finding.problem] == []
