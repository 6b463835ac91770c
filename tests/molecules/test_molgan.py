"""MolGAN: one step equal to a hand-written one, its graphs, its phases and its reward."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch

pytest.importorskip("rdkit")

from torch.nn.functional import mse_loss

from zerosum.core.engine import play_step
from zerosum.core.game import Progress
from zerosum.core.optim import Optim, build_optimizers
from zerosum.core.runtime import Runtime
from zerosum.core.schedule import Linear
from zerosum.data.spec import DataSpec
from zerosum.models.molecules.molgan import PRESETS, MolGAN

SMALL = {"latent": 4, "hidden": (8, 16), "convolutions": (6, 5), "features": 7}


def _game(made, **settings: object) -> MolGAN:
    torch.manual_seed(0)
    config = MolGAN.Config.model_validate({**SMALL, "judge_hidden": (6,), **settings})
    return MolGAN(config.matched(DataSpec(made.train.fields, made.codec)))


def _batches(made, size: int = 6) -> Iterator[dict[str, torch.Tensor]]:
    start = 0
    while True:
        batch = made.train.finished(range(start, start + size))
        yield {name: part.to(torch.get_default_dtype()) for name, part in batch.items()}
        start += size


@pytest.mark.usefixtures("doubles")
def test_one_step_is_the_step_of_the_paper(made) -> None:
    """Two critic moves, one of the reward network, one of the generator, written out."""
    settings = {"critic_steps": 2, "scorer": "qed", "imitation": 0.4, "relaxation": "gumbel"}
    game = _game(made, **settings)
    twin = copy.deepcopy(game)
    rule = {player: Optim(lr=0.01) for player in game.players()}
    torch.manual_seed(1)
    log = play_step(
        game, _batches(made), build_optimizers(rule, game.players()), Runtime(torch.device("cpu"))
    )

    torch.manual_seed(1)
    adam = {
        name: torch.optim.Adam(module.parameters(), lr=0.01, betas=(0.5, 0.999))
        for name, module in (
            ("critic", twin.critic),
            ("reward", twin.reward),
            ("generator", twin.generator),
        )
    }
    nodes, kinds = 9, twin.generator.kinds

    def graphs() -> tuple[torch.Tensor, torch.Tensor]:
        atoms, bonds = twin.generator(torch.randn(6, 4))
        noise = torch.rand(6, nodes, kinds[0]).clamp(1e-9, 1 - 1e-7)
        x = torch.softmax(atoms - (-noise.log()).log(), 2)
        noise = -(-torch.rand(6, nodes, nodes, kinds[1]).clamp(1e-9, 1 - 1e-7).log()).log()
        a = torch.zeros(6, nodes, nodes, kinds[1])
        for i in range(nodes):
            a[:, i, i, 0] = 1
            for j in range(i + 1, nodes):
                p = torch.softmax(bonds[:, i, j] + noise[:, i, j], 1)
                bound = p[:, 1:] * ((1 - x[:, i, :1]) * (1 - x[:, j, :1]))
                pair = torch.cat([1 - bound.sum(1, keepdim=True), bound], 1)
                a[:, i, j] = a[:, j, i] = pair
        return x, a

    data = _batches(made)
    batch = next(data)
    for move in range(2):
        batch_now = next(data) if move else batch
        real = (batch_now["atoms"], batch_now["bonds"])
        fake = tuple(part.detach() for part in graphs())
        loss = twin.critic(*fake).mean() - twin.critic(*real).mean()
        t = torch.rand(6)
        x = (t[:, None, None] * real[0] + (1 - t)[:, None, None] * fake[0]).requires_grad_()
        share = t[:, None, None, None]
        a = (share * real[1] + (1 - share) * fake[1]).requires_grad_()
        slopes = torch.autograd.grad(twin.critic(x, a).sum(), (x, a), create_graph=True)
        norm = (slopes[0].square().sum((1, 2)) + slopes[1].square().sum((1, 2, 3))).sqrt()
        penalty = 10 * (norm - 1).square().mean()
        adam["critic"].zero_grad()
        (loss + penalty).backward()
        adam["critic"].step()
    assert log["critic/adversarial"].item() == pytest.approx(loss.item(), rel=1e-6)
    assert log["critic/penalty"].item() == pytest.approx(penalty.item(), rel=1e-6)

    fake = tuple(part.detach() for part in graphs())
    made_up = {"atoms": fake[0], "bonds": fake[1]}
    value = lambda g: torch.sigmoid(twin.reward(*g))  # noqa: E731
    right = mse_loss(value((batch["atoms"], batch["bonds"])), twin.scorer(batch))
    wrong = mse_loss(value(fake), twin.scorer(made_up))
    adam["reward"].zero_grad()
    (right + wrong).backward()
    adam["reward"].step()
    assert log["reward/real"].item() == pytest.approx(right.item(), rel=1e-6)
    assert log["reward/fake"].item() == pytest.approx(wrong.item(), rel=1e-6)

    fake = graphs()
    adversarial, wish = -twin.critic(*fake).mean(), -value(fake).mean()
    reward = 0.6 * (adversarial / wish).abs().item() * wish
    adam["generator"].zero_grad()
    (0.4 * adversarial + reward).backward()
    adam["generator"].step()
    assert log["generator/adversarial"].item() == pytest.approx(0.4 * adversarial.item(), rel=1e-6)
    assert log["generator/reward"].item() == pytest.approx(reward.item(), rel=1e-6)
    for one, other in zip(game.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("relaxation", ["soft", "gumbel", "straight-through"])
@pytest.mark.parametrize("tied", [True, False])
def test_graphs_are_laws_symmetric_and_without_loops(made, relaxation: str, tied: bool) -> None:
    game = _game(made, relaxation=relaxation, tied=tied)
    x, a = game.fake(5)
    torch.testing.assert_close(x.sum(-1), torch.ones(5, 9))
    torch.testing.assert_close(a.sum(-1), torch.ones(5, 9, 9))
    torch.testing.assert_close(a, a.transpose(1, 2))
    assert torch.equal(a[:, range(9), range(9), 0], torch.ones(5, 9))
    with torch.no_grad():
        sample = game.sample(200, rng=torch.Generator().manual_seed(0))
    for part in sample.values():
        assert torch.equal(part, (part == 1).float()) and torch.equal(
            part.sum(-1), torch.ones(part.shape[:-1])
        )
    loose = sum(reason == "bond to no atom" for _, reason in made.codec.read(sample))
    assert (loose == 0) is tied


def test_hard_graphs_have_the_gradient_of_soft_ones(made) -> None:
    """Straight-through: one-hot forwards, backwards as the probabilities of the same noise."""
    slopes = []
    for relaxation in ("gumbel", "straight-through"):
        game = _game(made, relaxation=relaxation, tied=False)
        torch.manual_seed(2)
        x, _ = game.fake(3)
        (x * torch.arange(x.numel()).view_as(x)).sum().backward()
        slopes.append(game.generator.atoms.weight.grad)
    torch.testing.assert_close(slopes[0], slopes[1])


def test_samples_of_a_seed_are_the_same_and_can_be_the_likeliest(made) -> None:
    game = _game(made)
    one, two = (game.sample(8, rng=torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    game.options = MolGAN.Options(draw=False)
    z = game.latent(8, torch.Generator().manual_seed(3))
    likely = game.sample(8, rng=torch.Generator().manual_seed(3))
    assert torch.equal(likely["atoms"], game.decode(z, {})["atoms"])


def test_players_rest_as_the_clock_says(made) -> None:
    game = _game(
        made, scorer="validity", imitation=Linear(start=1, end=0, until=100), reward_begin=50
    )
    moves = {}
    for seen in (0, 50, 100):
        game.progress = Progress(seen // 5, seen, 200)
        moves[seen] = [turn.player for turn in game.turns()]
    assert moves == {
        0: ["critic", "generator"],
        50: ["critic", "reward", "generator"],
        100: ["reward", "generator"],
    }
    assert [turn.player for turn in _game(made).turns()] == ["critic", "generator"]
    assert list(game.critics()) == ["critic"]


def test_offers_are_the_samples_and_what_rdkit_says(made) -> None:
    game = _game(made, scorer="validity", imitation=0.5)
    assert game.offers() is None
    game.reward_loss(next(_batches(made)))
    offer = game.offers()
    assert offer is not None
    batch, scores = offer
    assert scores.tolist() == [float(mol is not None) for mol in made.codec.decode(batch)]
    real = next(_batches(made))
    assert game.scorer(real).tolist() == [1.0] * 6


def test_presets_build_on_their_data(made) -> None:
    assert set(PRESETS) == {"qm9", "imitation", "reward", "paper", "tiny"}
    for name, recipe in PRESETS.items():
        config = recipe.model.matched(DataSpec(made.train.fields, made.codec))
        game = MolGAN(config)
        assert set(recipe.optim) >= set(game.players()), name
        assert MolGAN.Config.model_validate_json(config.model_dump_json()) == config
