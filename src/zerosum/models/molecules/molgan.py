"""MolGAN: small molecules as graphs, all atoms and bonds at once, with a reward network.

De Cao and Kipf 2018, "MolGAN: An implicit generative model for small molecular graphs",
arXiv:1805.11973. A generator maps a code to the probabilities of each atom and each bond
(section 3.1), a critic of relational convolutions (eq. 5 and 6) plays WGAN-GP with it
(section 2.2), and a third player, the reward network, learns what a program outside says of
molecules, so that the generator can follow its gradient (section 3.3):

    L_G = lambda L_WGAN + (1 - lambda) alpha L_RL,   L_RL = -mean V(G(z)),

with alpha = |L_WGAN / L_RL|, as is usual for it. Graphs reach both judges relaxed: as
probabilities, as those of Gumbel softmax (Jang, Gu and Poole 2017, arXiv:1611.01144), or one-hot
with their gradient.

Deviations: the penalty takes one norm per molecule, over its atoms and bonds together, at points
between real and fake that share one number for both. Messages are summed over neighbours, not
averaged, so that the critic can count bonds (`mean_messages` has the paper's form). A pair of
nodes is only bound where both are atoms (`tied`). A node is never bound to itself. Generated
graphs are drawn from their probabilities where training drew them too. Samples come from
averaged weights. No dropout. `drafts`, `corrections`, `bond_sums`, `overvalence` and `pieces`
are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from zerosum.config import Count, Weight, Whole
from zerosum.core.game import Batch, LatentGame, Progress, SampleOptions, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Linear, Number, at, bounded
from zerosum.core.search import Factor
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.layers.graph import GraphCorrection
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty, r1, r2
from zerosum.losses.replay import ReplayPool
from zerosum.modalities.molecules import Molecules
from zerosum.modalities.molecules.codec import MoleculeCodec
from zerosum.modalities.molecules.fields import AtomField, BondField
from zerosum.modalities.molecules.reward import Scorer
from zerosum.modalities.molecules.rules import apartness, overvalence, valences
from zerosum.nets.graph import FreeDraft, GraphGenerator, GraphJudge, drawn_graph

Graph = tuple[Tensor, Tensor]
"""Atoms (B, N, T) and bonds (B, N, N, Y), of which kind 0 means that there is none."""


class MolGAN(LatentGame):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("atoms", "bonds")

        atoms: AtomField = AtomField()
        """The atoms of the data; taken from them."""
        bonds: BondField = BondField()
        """The bonds of the data; taken from them."""
        latent: Count = 32
        """Numbers in the latent code; free drafts have codes of their own length."""
        drafts: Literal["learned", "free"] = "learned"
        """What corrections begin with: a learned graph, or one drawn by the data's shares."""
        hidden: tuple[Count, ...] = (128, 256, 512)
        """Widths of the generator's hidden layers."""
        convolutions: tuple[Count, ...] = (64, 32)
        """Numbers per node after each convolution, of critic and reward network."""
        features: Count = 128
        """Numbers per graph."""
        judge_hidden: tuple[Count, ...] = (128,)
        """Widths of the layers that make a score of these."""
        mean_messages: bool = False
        """Average messages over neighbours, as the paper's equation 5, instead of adding them."""
        bond_sums: bool = False
        """Show the judges, of each node, its bonds of each kind added up: what valences limit."""
        corrections: Whole = 0
        """Times that the generator reads the graph that it drew and corrects its logits."""
        correction_width: Count = 48
        """Numbers per node of a correction."""
        unbound: Weight = 0.0
        """What the logit of no bond begins with: above 0 the first graphs have few bonds."""
        compared: Whole = 0
        """Numbers per graph from the comparison with its batch (Salimans et al. 2016)."""
        replay: Whole = 0
        """Earlier samples that are kept to be shown to the critic again (Shrivastava et al. 2017);
        0 for none."""
        objective: Literal["wasserstein", "rpgan"] = "wasserstein"
        """Of critic and generator: with the penalty of WGAN-GP, or relativistic with R1 and R2."""
        relaxation: Literal["soft", "gumbel", "straight-through"] = "straight-through"
        """What judges see: probabilities, drawn with Gumbel noise, or one-hot draws."""
        temperature: Annotated[Number, bounded(gt=0)] = 1.0
        """Divides logits and noise: towards 0 graphs become one-hot."""
        tied: bool = True
        """Bind only pairs of nodes that both are atoms."""
        critic_steps: Count = 5
        """Moves of the critic per step."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty; gamma / 2 of R1 and of R2."""
        overvalence: Weight = 0.0
        """Weight of the bonds beyond what the atoms of the data take, in the generator's loss."""
        pieces: Weight = 0.0
        """Weight of the share of atoms that an atom does not hang together with, there too."""
        imitation: Annotated[Number, bounded(ge=0, le=1)] = 1.0
        """Lambda: the share of the adversarial loss; the rest is the reward's."""
        scorer: str = ""
        """What the reward network learns, in [0, 1], such as `qed` or `qed:2,sa` (see the guide of
        scorers); empty lets that player rest."""
        reward_begin: Whole = 0
        """Examples at which the reward network begins to learn; it rests before."""

        def matched(self, spec: DataSpec) -> MolGAN.Config:
            for name in ("atoms", "bonds"):
                spec.shape(name)  # refuses other data with a word
            atoms, bonds = spec.fields["atoms"], spec.fields["bonds"]
            if not (isinstance(atoms, AtomField) and isinstance(bonds, BondField)):
                raise UserError("molgan learns from molecules: name a list of SMILES with --data")
            return self.model_copy(update={"atoms": atoms, "bonds": bonds})

    class Options(SampleOptions):
        draw: bool = True
        """Draw each graph from its probabilities; false takes the likeliest. Soft ones always do
        the latter; those of free drafts have their chance in the code."""

    most: Tensor
    order: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if not config.atoms.names:
            raise UserError("molgan takes its atoms from the data: name a list of SMILES")
        size = config.atoms.shape[0]
        kinds = (1 + len(config.atoms.names), 1 + len(config.bonds.names))
        self.relaxation, self.tied = config.relaxation, config.tied
        self.temperature, self.imitation = config.temperature, config.imitation
        self.critic_steps, self.penalty = config.critic_steps, config.penalty
        self.reward_begin = config.reward_begin
        self.strict = (config.overvalence, config.pieces)
        self.objective = OBJECTIVES[config.objective]
        self.corrections = nn.ModuleList(
            GraphCorrection(kinds, config.correction_width) for _ in range(config.corrections)
        )
        self.generator: GraphGenerator | FreeDraft
        if config.drafts == "free":
            if not config.corrections:
                raise UserError("model.drafts=free learns by corrections: set model.corrections=2")
            self.generator = FreeDraft((config.atoms.shares, config.bonds.shares), size)
        else:
            form = (config.latent, config.hidden, size, kinds, config.unbound)
            self.generator = GraphGenerator(*form)
        shape = (kinds, config.convolutions, config.features, config.judge_hidden)
        seen = {"mean": config.mean_messages, "sums": config.bond_sums}
        self.critic = GraphJudge(*shape, compared=config.compared, **seen)
        self.reward = GraphJudge(*shape, **seen)
        self.replay = ReplayPool(config.replay)
        most, order = valences(config.atoms.names, config.bonds.names)
        self.register_buffer("most", most, persistent=False)
        self.register_buffer("order", order, persistent=False)
        self.scorer: Scorer | None = None
        if config.scorer:
            codec = MoleculeCodec(config.atoms.names, config.bonds.names, size)
            self.scorer = Scorer(config.scorer, codec)
        self._offer: tuple[Batch, Tensor] | None = None

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "critic": [self.critic],
            "generator": [self.generator, self.corrections],
            "reward": [self.reward],
        }

    def turns(self) -> list[Turn]:
        turns: list[Turn] = []
        if at(self.imitation, self.progress) > 0:
            turns.append(Turn("critic", self.critic_loss, repeat=self.critic_steps))
        if self.scorer is not None and self.progress.seen >= self.reward_begin:
            turns.append(Turn("reward", self.reward_loss))
        return [*turns, Turn("generator", self.generator_loss)]

    def critics(self) -> Mapping[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.critic(batch["atoms"], batch["bonds"])}

    def offers(self) -> tuple[Batch, Tensor] | None:
        """Scored samples of the last step, for data that take in the best; None while that player
        rests."""
        return self._offer

    def captions(self, samples: Batch) -> list[str]:
        return [] if self.scorer is None else self.scorer.captions(samples)

    # -- graphs ----------------------------------------------------------------------------

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.generator.latent, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return self._named(self._drawn(z, None, draw=False, hard=True))

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        assert isinstance(self.options, MolGAN.Options)
        z = self.latent(n, rng)
        return self._named(self._drawn(z, rng, draw=self.options.draw, hard=True))

    def fake(self, n: int) -> Graph:
        """Graphs as the judges see them in training."""
        hard = self.relaxation == "straight-through"
        return self._drawn(self.latent(n), None, draw=True, hard=hard)

    def _drawn(self, z: Tensor, rng: torch.Generator | None, *, draw: bool, hard: bool) -> Graph:
        """Graphs of codes, drawn or the likeliest, relaxed or one-hot at the end."""
        return drawn_graph(
            z,
            self.generator,
            self.corrections,
            chance=draw and self.relaxation != "soft",
            rng=rng,
            temperature=at(self.temperature, self.progress),
            hard=(self.relaxation == "straight-through", hard),
            tied=self.tied,
        )

    def _named(self, graph: Graph) -> dict[str, Tensor]:
        return {"atoms": graph[0], "bonds": graph[1]}

    # -- losses ----------------------------------------------------------------------------

    def after_step(self, progress: Progress) -> None:
        self.replay.settle()

    def critic_loss(self, batch: Batch) -> Terms:
        real = (batch["atoms"], batch["bonds"])
        with torch.no_grad():
            fake = self._replayed(self.fake(len(real[0])))
        real_logits, fake_logits = self.critic(*real), self.critic(*fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        if self.objective.relativistic:
            penalty = (r1(self.critic, real) + r2(self.critic, fake)) / 2
        else:
            penalty = gradient_penalty(self.critic, real, fake)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "penalty": self.penalty * penalty,
        }

    def _replayed(self, graph: Graph) -> Graph:
        """Some of the graphs exchanged for earlier ones, atoms and bonds of one together."""
        if not self.replay.capacity:
            return graph
        whole = torch.cat([part.flatten(1) for part in graph], dim=1)
        mixed = self.replay.mix(whole, keep=False).split([part[0].numel() for part in graph], 1)
        return mixed[0].view_as(graph[0]), mixed[1].view_as(graph[1])

    def reward_loss(self, batch: Batch) -> Terms:
        assert self.scorer is not None
        with torch.no_grad():
            fake = self._named(self.fake(len(batch["atoms"])))
        worth, offered = self.scorer(batch), self.scorer(fake)
        self._offer = (fake, offered)
        return {
            "real": mse_loss(self._valued(batch), worth),
            "fake": mse_loss(self._valued(fake), offered),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        share = at(self.imitation, self.progress)
        fake = self.fake(len(batch["atoms"]))
        real_logits = None
        if self.objective.relativistic:
            with torch.no_grad():
                real_logits = self.critic(batch["atoms"], batch["bonds"])
        adversarial = self.objective.generator(self.critic(*fake), real_logits)
        terms = {"adversarial": share * adversarial}
        if any(self.strict):
            over = overvalence(*fake, self.most, self.order).mean()
            terms["rules"] = self.strict[0] * over + self.strict[1] * apartness(*fake).mean()
        if self.scorer is not None and share < 1:
            value = -self._valued(self._named(fake)).mean()
            balance = (adversarial / value).abs().detach() if share > 0 else 1.0
            terms["reward"] = (1 - share) * balance * value
        return terms

    def _valued(self, batch: Batch) -> Tensor:
        """The reward network's opinion (B,) of graphs, in (0, 1)."""
        return torch.sigmoid(self.reward(batch["atoms"], batch["bonds"]))


ADAM = Optim(lr=1e-3, betas=(0.5, 0.9))
FALLING = ADAM.model_copy(update={"lr": Linear(start=1e-3, end=2e-5, begin=100_000)})
TRIO = {"critic": ADAM, "generator": ADAM, "reward": ADAM}

PAPER = "arXiv:1805.11973, section 4"
# Networks of section 4: codes of 32; 128, 256, 512; convolutions of 64 and 32; graphs of 128.
PUBLISHED = MolGAN.Config(
    latent=32,
    hidden=(128, 256, 512),
    convolutions=(64, 32),
    features=128,
    judge_hidden=(128,),
    relaxation="soft",
    mean_messages=True,
    tied=False,
    critic_steps=5,
    penalty=10.0,
)
NETWORKS = ("latent", "hidden", "convolutions", "features", "judge_hidden")
RATES = ("optim.critic.lr", "optim.generator.lr", "optim.reward.lr", "train.batch")
SOURCES = cite(PAPER, *(f"model.{name}" for name in NETWORKS), *RATES)
# Ours: Gumbel softmax at 0.3 and two moves of the critic, which suit minutes instead of hours.
GRAPHS = PUBLISHED.model_copy(
    update={
        "relaxation": "gumbel",
        "temperature": 0.3,
        "mean_messages": False,
        "tied": True,
        "critic_steps": 2,
    }
)
LENGTH = Train(
    examples=200_000,  # about five minutes of one core
    batch=32,
    checkpoint_every=50_000,
    sheet_every=25_000,
    log_every=5_000,
)
BASE = Recipe(
    model=GRAPHS,
    data=Molecules(path="qm9"),
    optim=TRIO,  # the third is there for model.scorer=qed
    ema=Averaging(half_life=5_000),
    train=LENGTH,
    evaluate=Evaluate(every=100_000, samples=1_000),
    about="lambda = 1 and the paper's networks, with what suits minutes",
    sources=SOURCES,
)

SEARCH = {"model.penalty": Factor(0.1, 10)}


def _preset(**changes: object) -> Recipe:
    return BASE.model_copy(update=changes)


PRESETS = {
    # All of it ours: variety, which the paper's generator lacks, and valences.
    "qm9": _preset(
        model=GRAPHS.model_copy(
            update={
                "drafts": "free",
                "convolutions": (64, 64),
                "corrections": 5,
                "bond_sums": True,
                "overvalence": 0.4,
                "pieces": 0.4,
            }
        ),
        optim=dict.fromkeys(TRIO, FALLING),
        ema=Averaging(half_life=15_000),
        train=LENGTH.model_copy(update={"examples": 600_000, "batch": 64}),
        about="imitation, by a generator that corrects random graphs",
        sources=cite(PAPER, "model.features", "model.judge_hidden"),
    ),
    "imitation": BASE,
    "reward": _preset(
        model=GRAPHS.model_copy(
            update={
                "scorer": "drug",
                # Imitation alone in the first half, as in section 4; how far it falls is ours.
                "imitation": Linear(start=1.0, end=0.5, begin=100_000, until=150_000),
                "reward_begin": 75_000,
            }
        ),
        about="the rewards of section 4.3: imitation first, then towards drug-likeness",
    ),
    "paper": _preset(
        model=PUBLISHED,
        about="the game of section 2.2 as published; slow, and validity comes late",
        sources=SOURCES
        | cite("arXiv:1704.00028, algorithm 1", "model.critic_steps", "model.penalty"),
    ),
    "tiny": tiny(
        MolGAN.Config(
            latent=4,
            hidden=(16, 32),
            convolutions=(8, 8),
            features=16,
            judge_hidden=(16,),
            critic_steps=2,
            scorer="validity",
            imitation=0.5,
        ),
        Molecules(),
        TRIO,
    ),
}
