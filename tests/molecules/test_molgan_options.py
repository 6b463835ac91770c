"""What molgan has beyond its paper: corrections, rules of chemistry, replay, another objective."""

from __future__ import annotations

import math

import pytest
import torch

pytest.importorskip("rdkit")

from PIL import Image
from torch.nn.functional import softplus

from zerosum.core.draw import draw
from zerosum.core.game import Progress
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.layers.graph import GraphCorrection, walks
from zerosum.layers.relaxed import gumbel_of
from zerosum.losses.penalties import r1, r2
from zerosum.modalities.molecules import MODALITY, MoleculeCodec
from zerosum.modalities.molecules.rules import apartness, overvalence, valences
from zerosum.models.molecules.molgan import MolGAN
from zerosum.nets.graph import FreeDraft, GraphGenerator, GraphJudge
from zerosum.training.run import RunFolder
from zerosum.training.sheets import SheetSeries

SMALL = {"latent": 4, "hidden": (8, 16), "convolutions": (6, 5), "features": 7}


def _game(made, **settings: object) -> MolGAN:
    torch.manual_seed(0)
    config = MolGAN.Config.model_validate({**SMALL, "judge_hidden": (6,), **settings})
    return MolGAN(config.matched(DataSpec(made.train.fields, made.codec)))


def _graphs(codec: MoleculeCodec, *smiles: str) -> tuple[torch.Tensor, torch.Tensor]:
    raw = codec.encode(smiles)
    found = {name: codec.fields[name].finish(value) for name, value in raw.items()}
    return found["atoms"], found["bonds"]


def _rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_walks_of_a_triangle_and_a_lone_node() -> None:
    bonds = torch.zeros(1, 4, 4, 2)
    for i, j in ((0, 1), (1, 2), (0, 2)):
        bonds[0, i, j, 0] = bonds[0, j, i, 0] = 1
    bonds[0, 0, 1] = bonds[0, 1, 0] = torch.tensor([0.0, 1.0])  # a double bond among them
    node, pair = walks(bonds)
    # A triangle's closed walks: (2^n + 2 (-1)^n) / 3 = 2, 6, 10, 22 of 3, 4, 5, 6 steps.
    counts = [math.log(3), math.log(7) / 2, math.log(11) / 2, math.log(23) / 3]
    torch.testing.assert_close(node[0, 0], torch.tensor([1.0, 1.0, *counts, 0.75]))
    torch.testing.assert_close(node[0, 2], torch.tensor([2.0, 0.0, *counts, 0.75]))
    lone = torch.tensor([0.0] * 6 + [math.tanh(1) / 4])
    torch.testing.assert_close(node[0, 3], lone)
    # Off the diagonal a triangle has 1 walk of two steps and 3 of three.
    torch.testing.assert_close(
        pair[0, 0, 1], torch.tensor([math.tanh(1), math.tanh(3), 1 / 3]), atol=1e-6, rtol=0
    )
    assert not pair[0, 0, 3].any() and not pair[0, range(4), range(4)].any()


def test_a_correction_does_not_know_the_order_of_nodes(made) -> None:
    torch.manual_seed(0)
    graph = _graphs(made.codec, "C1CC1C=O", "CCO")
    kinds = (graph[0].shape[-1], graph[1].shape[-1])
    layer, noise = GraphCorrection(kinds, 12), torch.randn(2, 9, 8)
    logits = (torch.randn(graph[0].shape), torch.randn(graph[1].shape))
    logits = (logits[0], logits[1] + logits[1].transpose(1, 2))
    order = torch.randperm(9)

    def mixed(pair):
        return pair[0][:, order], pair[1][:, order][:, :, order]

    atoms, bonds = layer(logits, graph, noise)
    torch.testing.assert_close(bonds, bonds.transpose(1, 2))
    again = layer(mixed(logits), mixed(graph), noise[:, order])
    for one, other in zip(mixed((atoms, bonds)), again, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("relaxation", ["soft", "gumbel", "straight-through"])
def test_corrected_graphs_are_graphs_and_the_correction_learns(made, relaxation: str) -> None:
    game = _game(made, corrections=2, correction_width=10, relaxation=relaxation)
    x, a = game.fake(5)
    torch.testing.assert_close(x.sum(-1), torch.ones(5, 9))
    torch.testing.assert_close(a.sum(-1), torch.ones(5, 9, 9))
    torch.testing.assert_close(a, a.transpose(1, 2))
    game.critic(x, a).sum().backward()
    assert all(p.grad is not None for p in game.corrections.parameters())
    one, two = (game.sample(8, rng=torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    likely = [game.decode(game.latent(2, torch.Generator().manual_seed(1)), {}) for _ in (0, 1)]
    assert torch.equal(likely[0]["bonds"], likely[1]["bonds"])  # no chance in it


def test_generators_may_begin_with_few_bonds() -> None:
    generator = GraphGenerator(4, (8,), 5, (3, 4), unbound=2.0)
    _, bonds = generator(torch.zeros(1, 4))
    torch.testing.assert_close(bonds[0, 1, 2], torch.tensor([2.0, 0.0, 0.0, 0.0]))


def test_noise_of_a_code_is_gumbel() -> None:
    """Half of it is below -log(log 2), a share of Phi(1.5) below -log(-log Phi(1.5))."""
    found = gumbel_of(torch.tensor([0.0, 1.5, -1.5]))
    below = [math.log(0.5), math.log(0.9331928), math.log(0.0668072)]
    torch.testing.assert_close(found, torch.tensor([-math.log(-part) for part in below]))


def test_free_drafts_have_the_shares_of_the_data_and_nothing_to_learn() -> None:
    shares = ((0.1, 0.6, 0.3), (0.75, 0.2, 0.05))
    draft, count = FreeDraft(shares, 4), 20_000
    assert not [*draft.parameters()] and draft.latent == 4 * 3 + 6 * 3 + 4 * GraphCorrection.NOISE
    atoms, bonds, noise = draft(torch.randn(count, draft.latent, generator=_rng(0)))
    torch.testing.assert_close(bonds, bonds.transpose(1, 2))
    assert noise.shape == (count, 4, GraphCorrection.NOISE)
    torch.testing.assert_close(noise.std(), torch.tensor(1.0), atol=0.01, rtol=0)
    for logits, law in ((atoms[:, 2], shares[0]), (bonds[:, 1, 3], shares[1])):
        drawn = torch.bincount(logits.argmax(-1), minlength=3) / count
        torch.testing.assert_close(drawn, torch.tensor(law), atol=0.014, rtol=0)  # four deviations
    # Two pairs are drawn apart from each other.
    both = ((bonds[:, 0, 1].argmax(-1) == 0) & (bonds[:, 2, 3].argmax(-1) == 0)).float().mean()
    torch.testing.assert_close(both, torch.tensor(0.75**2), atol=0.014, rtol=0)


def test_a_free_draft_is_a_function_of_its_code_and_its_corrections_learn(made) -> None:
    game = _game(made, drafts="free", corrections=2, correction_width=10, relaxation="gumbel")
    assert [name for name, p in game.named_parameters() if name.startswith("generator")] == []
    x, a = game.fake(5)
    torch.testing.assert_close(x.sum(-1), torch.ones(5, 9))
    torch.testing.assert_close(a, a.transpose(1, 2))
    (game.critic(x, a).sum()).backward()
    assert all(p.grad is not None for p in game.corrections.parameters())
    sample = game.sample(8, rng=_rng(3))
    again = game.decode(game.latent(8, _rng(3)), {})
    assert all(torch.equal(sample[name], again[name]) for name in sample)
    assert not torch.equal(sample["atoms"], game.sample(8, rng=_rng(4))["atoms"])
    # Shares travel in the configuration, so that an export draws without data.
    config = MolGAN.Config.model_validate_json(game.config.model_dump_json())
    twin = MolGAN(config)
    twin.load_state_dict(game.state_dict())
    same = twin.sample(8, rng=_rng(3))
    assert all(torch.equal(sample[name], same[name]) for name in sample)


def test_free_drafts_need_shares_and_corrections(made) -> None:
    with pytest.raises(UserError, match="learns by corrections: set model"):
        _game(made, drafts="free")
    blind = MoleculeCodec(["C", "O"], ["single"], 4)
    config = MolGAN.Config.model_validate({**SMALL, "drafts": "free", "corrections": 1})
    with pytest.raises(UserError, match="need the shares of atoms and bonds"):
        MolGAN(config.matched(DataSpec(blind.fields, blind)))


def test_judges_may_see_sums_of_bonds(made) -> None:
    graph = _graphs(made.codec, "CC=O")
    kinds = (graph[0].shape[-1], graph[1].shape[-1])
    judge = GraphJudge(kinds, (6,), 5, (4,), mean=False, sums=True)
    seen = judge.encoder.convolutions[0].own.weight.shape[1]
    assert seen == kinds[0] + kinds[1] - 1
    assert judge(*graph).shape == (1,)


def test_rules_of_chemistry_by_hand() -> None:
    codec = MoleculeCodec(["C", "O", "N+"], ["single", "double", "triple"], 4)
    most, order = valences(codec.atoms, codec.bonds)
    assert most.tolist() == [0, 4, 2, 4] and order.tolist() == [0, 1, 2, 3]
    atoms, bonds = _graphs(codec, "CC=O", "CC")
    rules = (most, order)
    assert overvalence(atoms, bonds, *rules).tolist() == [0, 0]
    assert apartness(atoms, bonds).tolist() == [0, 0]
    triple = torch.tensor([0.0, 0, 0, 1])
    bonds[0, 1, 2] = bonds[0, 2, 1] = triple  # C-C#O: oxygen has one bond too many
    assert overvalence(atoms, bonds, *rules).tolist() == [1, 0]
    bonds[1] = torch.tensor([1.0, 0, 0, 0])  # two atoms apart: each lacks one, of four nodes
    assert apartness(atoms, bonds).tolist() == [0, 0.5]
    bonds[1, 0, 1] = bonds[1, 1, 0] = torch.tensor([0.5, 0.5, 0, 0])
    assert apartness(atoms, bonds).tolist() == [0, 0]  # half a bond, walked over and over


def test_the_generator_follows_the_rules_by_their_weights(made) -> None:
    game = _game(made, overvalence=0.3, pieces=0.7)
    batch = made.train.finished(range(6))
    torch.manual_seed(4)
    found = game.generator_loss(batch)["rules"]
    torch.manual_seed(4)
    fake = game.fake(6)
    over, apart = overvalence(*fake, game.most, game.order).mean(), apartness(*fake).mean()
    torch.testing.assert_close(found, 0.3 * over + 0.7 * apart)
    assert "rules" not in _game(made).generator_loss(batch)


def test_the_critic_is_shown_earlier_samples(made) -> None:
    game = _game(made, replay=4)
    batch = made.train.finished(range(6))
    game.critic_loss(batch)
    assert len(game.replay) == 0  # a loss may be evaluated more often than a step is made
    game.after_step(Progress(1, 6, 100))
    assert len(game.replay) == 4
    torch.manual_seed(1)
    first = game.fake(6)
    before = game.replay.get_extra_state()["samples"]
    mixed = game._replayed(first)
    now, seen = (torch.cat([part.flatten(1) for part in graph], 1) for graph in (first, mixed))
    old = [row for row in range(6) if not torch.equal(now[row], seen[row])]
    assert old
    for row in old:  # atoms and bonds of one and the same earlier graph, or of this batch's
        earlier = torch.cat([before, now[:row]])
        assert (earlier == seen[row]).all(1).any()
    game.after_step(Progress(2, 12, 100))
    kept = game.replay.get_extra_state()["samples"]
    twin = _game(made, replay=4)
    twin.load_state_dict(game.state_dict())
    assert torch.equal(twin.replay.get_extra_state()["samples"], kept)


def test_the_relativistic_objective_is_that_of_its_paper(made) -> None:
    """Softplus of differences of pairs, with R1 and R2 by half of gamma each."""
    game = _game(made, objective="rpgan", penalty=3.0)
    batch = made.train.finished(range(6))
    real = (batch["atoms"], batch["bonds"])
    torch.manual_seed(2)
    terms = game.critic_loss(batch)
    torch.manual_seed(2)
    with torch.no_grad():
        fake = game.fake(6)
    gap = game.critic(*real) - game.critic(*fake)
    torch.testing.assert_close(terms["adversarial"], softplus(-gap).mean())
    penalty = 1.5 * (r1(game.critic, real) + r2(game.critic, fake))
    torch.testing.assert_close(terms["penalty"], penalty)
    torch.manual_seed(3)
    found = game.generator_loss(batch)["adversarial"]
    torch.manual_seed(3)
    gap = game.critic(*real) - game.critic(*game.fake(6))
    torch.testing.assert_close(found, softplus(gap).mean())


def test_any_scorer_may_be_the_reward(made) -> None:
    game = _game(made, scorer="qed:2,sa")
    assert game.scorer is not None
    batch = made.train.finished([made.train.smiles.index("CCO")])
    from zerosum.chem import molecules as chem

    ethanol = chem.rdkit().MolFromSmiles("CCO")
    qed, sa = chem.qed(ethanol), (10 - chem.sa(ethanol)) / 9
    assert game.scorer(batch).item() == pytest.approx((qed**2 * sa) ** (1 / 3), abs=1e-6)
    with pytest.raises(UserError, match="there is no scorer 'qde': did you mean qed"):
        _game(made, scorer="qde")


def test_a_molecule_without_a_score_is_worth_nothing(made, monkeypatch) -> None:
    monkeypatch.setattr(
        "zerosum.modalities.molecules.reward.scorer",
        lambda text: lambda smiles: torch.tensor([float("nan"), 0.25][: len(smiles)]),
    )
    game = _game(made, scorer="anything")
    assert game.scorer(made.train.finished([3, 4])).tolist() == [0.0, 0.25]
    assert game.captions(made.train.finished([3, 4])) == ["anything 0.00", "anything 0.25"]
    assert _game(made).captions(made.train.finished([3])) == []


def test_a_runs_sheet_shows_what_its_scorer_says(made, tmp_path, monkeypatch) -> None:
    told = []
    monkeypatch.setattr(
        "zerosum.modalities.molecules.show.molecule_sheet",
        lambda found, columns, captions=(): told.append(captions) or Image.new("RGB", (8, 8)),
    )
    game = _game(made, scorer="qed:2,sa")
    series = SheetSeries(RunFolder(tmp_path), game, made, MODALITY)
    series.out.sheets.mkdir()
    series.frame(Progress())
    samples = draw(game, series.count, 0, {})
    expected = [f"qed:2,sa {worth:.2f}" for worth in game.scorer(samples).tolist()]
    assert told == [expected] and len(expected) == series.count
