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
averaged weights. No dropout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, one_hot

from zerosum.config import Count, Weight, Whole
from zerosum.core.game import Batch, LatentGame, SampleOptions, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Linear, Number, at, bounded
from zerosum.core.search import Factor
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.layers.graph import GraphEncoder
from zerosum.layers.minibatch import MinibatchDiscrimination
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.molecules import Molecules
from zerosum.modalities.molecules.codec import MoleculeCodec
from zerosum.modalities.molecules.fields import AtomField, BondField
from zerosum.modalities.molecules.reward import Scorer

Graph = tuple[Tensor, Tensor]
"""Atoms (B, N, T) and bonds (B, N, N, Y), of which kind 0 means that there is none."""


class Generator(nn.Module):
    """Codes (B, latent) to logits of atoms (B, N, T) and, symmetric, of bonds (B, N, N, Y)."""

    def __init__(
        self, latent: int, hidden: Sequence[int], nodes: int, kinds: Sequence[int]
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for wide, narrow in zip([latent, *hidden], hidden):
            layers += [nn.Linear(wide, narrow), nn.Tanh()]
        self.trunk = nn.Sequential(*layers)
        self.atoms = nn.Linear(hidden[-1], nodes * kinds[0])
        self.bonds = nn.Linear(hidden[-1], nodes * nodes * kinds[1])
        self.nodes, self.kinds = nodes, tuple(kinds)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                # Torch's own start lets a code fade on its way through tanh: all graphs alike.
                nn.init.xavier_uniform_(layer.weight, nn.init.calculate_gain("tanh"))
                nn.init.zeros_(layer.bias)

    def forward(self, z: Tensor) -> Graph:
        features = self.trunk(z)
        atoms = self.atoms(features).view(len(z), self.nodes, self.kinds[0])
        bonds = self.bonds(features).view(len(z), self.nodes, self.nodes, self.kinds[1])
        return atoms, (bonds + bonds.transpose(1, 2)) / 2


class Judge(nn.Module):
    """Graphs to one number each (B,): relational convolutions, a gated sum, a small network."""

    def __init__(
        self,
        kinds: Sequence[int],
        convolutions: Sequence[int],
        features: int,
        hidden: Sequence[int],
        *,
        mean: bool,
        compared: int = 0,
    ) -> None:
        super().__init__()
        atoms, bonds = kinds
        self.encoder = GraphEncoder(atoms, bonds - 1, convolutions, features, mean=mean)
        layers: list[nn.Module] = []
        if compared:
            layers.append(MinibatchDiscrimination(features, compared, 8))
        widths = [features + compared, *hidden]
        for wide, narrow in zip(widths, hidden):
            layers += [nn.Linear(wide, narrow), nn.Tanh()]
        self.head = nn.Sequential(*layers, nn.Linear(widths[-1], 1), nn.Flatten(0))

    def forward(self, atoms: Tensor, bonds: Tensor) -> Tensor:
        return self.head(self.encoder(atoms, bonds[..., 1:]))


class MolGAN(LatentGame):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("atoms", "bonds")

        atoms: AtomField = AtomField()
        """The atoms of the data; taken from them."""
        bonds: BondField = BondField()
        """The bonds of the data; taken from them."""
        latent: Count = 32
        """Numbers in the latent code."""
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
        compared: Whole = 0
        """Numbers per graph from the comparison with its batch (Salimans et al. 2016)."""
        relaxation: Literal["soft", "gumbel", "straight-through"] = "straight-through"
        """What judges see: probabilities, drawn with Gumbel noise, or one-hot draws."""
        temperature: Annotated[Number, bounded(gt=0)] = 1.0
        """Divides logits and noise: towards 0 graphs become one-hot."""
        tied: bool = True
        """Bind only pairs of nodes that both are atoms."""
        critic_steps: Count = 5
        """Moves of the critic per step."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty."""
        imitation: Annotated[Number, bounded(ge=0, le=1)] = 1.0
        """Lambda: the share of the adversarial loss; the rest is the reward's."""
        scorer: Literal["", "validity", "qed", "logp", "sa", "drug"] = ""
        """What the reward network learns, in [0, 1]; empty lets that player rest."""
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
        the latter."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if not config.atoms.names:
            raise UserError("molgan takes its atoms from the data: name a list of SMILES")
        size = config.atoms.shape[0]
        kinds = (1 + len(config.atoms.names), 1 + len(config.bonds.names))
        self.latent_size, self.relaxation, self.tied = (
            config.latent,
            config.relaxation,
            config.tied,
        )
        self.temperature, self.imitation = config.temperature, config.imitation
        self.critic_steps, self.penalty = config.critic_steps, config.penalty
        self.reward_begin = config.reward_begin
        self.objective = OBJECTIVES["wasserstein"]
        self.generator = Generator(config.latent, config.hidden, size, kinds)
        shape = (kinds, config.convolutions, config.features, config.judge_hidden)
        self.critic = Judge(*shape, mean=config.mean_messages, compared=config.compared)
        self.reward = Judge(*shape, mean=config.mean_messages)
        self.scorer: Scorer | None = None
        if config.scorer:
            codec = MoleculeCodec(config.atoms.names, config.bonds.names, size)
            self.scorer = Scorer(config.scorer, codec)
        self._offer: tuple[Batch, Tensor] | None = None

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "critic": [self.critic],
            "generator": [self.generator],
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
        """Samples of the last step with their scores, for data that take in the best of them.

        None where the reward network rests.
        """
        return self._offer

    # -- graphs ----------------------------------------------------------------------------

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        atoms, bonds = self.generator(z)
        return self._named(self._relaxed(atoms, bonds, hard=True))

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        assert isinstance(self.options, MolGAN.Options)
        atoms, bonds = self.generator(self.latent(n, rng))
        if self.relaxation != "soft" and self.options.draw:
            atoms = atoms + self._gumbel(atoms, rng)
            bonds = bonds + self._gumbel(bonds, rng, pairs=True)
        return self._named(self._relaxed(atoms, bonds, hard=True))

    def fake(self, n: int) -> Graph:
        """Graphs as the judges see them in training."""
        atoms, bonds = self.generator(self.latent(n))
        if self.relaxation != "soft":
            atoms = atoms + self._gumbel(atoms)
            bonds = bonds + self._gumbel(bonds, pairs=True)
        return self._relaxed(atoms, bonds, hard=self.relaxation == "straight-through")

    def _relaxed(self, atoms: Tensor, bonds: Tensor, *, hard: bool) -> Graph:
        """Logits as probabilities, or one-hot with the gradient of those."""
        temperature = at(self.temperature, self.progress)
        x, a = ((logits / temperature).softmax(-1) for logits in (atoms, bonds))
        if hard:
            x, a = _one_hot(x), _one_hot(a)
        there = 1 - torch.eye(a.shape[1], device=a.device)
        if self.tied:
            present = 1 - x[..., 0]
            there = there * present[:, :, None] * present[:, None, :]
        bound = a[..., 1:] * there.expand(a.shape[:3])[..., None]
        return x, torch.cat([1 - bound.sum(-1, keepdim=True), bound], dim=-1)

    def _gumbel(
        self, logits: Tensor, rng: torch.Generator | None = None, *, pairs: bool = False
    ) -> Tensor:
        """Gumbel noise; the same for both directions of a pair of nodes."""
        source = self.device if rng is None else rng.device
        uniform = torch.rand(logits.shape, generator=rng, device=source).to(self.device)
        noise = -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7)))
        if not pairs:
            return noise
        upper = torch.ones(logits.shape[1:3], device=self.device).triu()[..., None]
        return noise * upper + (noise * upper).transpose(1, 2)

    def _named(self, graph: Graph) -> dict[str, Tensor]:
        return {"atoms": graph[0], "bonds": graph[1]}

    # -- losses ----------------------------------------------------------------------------

    def critic_loss(self, batch: Batch) -> Terms:
        real = (batch["atoms"], batch["bonds"])
        with torch.no_grad():
            fake = self.fake(len(real[0]))
        real_logits, fake_logits = self.critic(*real), self.critic(*fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "penalty": self.penalty * gradient_penalty(self.critic, real, fake),
        }

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
        adversarial = self.objective.generator(self.critic(*fake))
        terms = {"adversarial": share * adversarial}
        if self.scorer is not None and share < 1:
            value = -self._valued(self._named(fake)).mean()
            balance = (adversarial / value).abs().detach() if share > 0 else 1.0
            terms["reward"] = (1 - share) * balance * value
        return terms

    def _valued(self, batch: Batch) -> Tensor:
        """The reward network's opinion (B,) of graphs, in (0, 1)."""
        return torch.sigmoid(self.reward(batch["atoms"], batch["bonds"]))


def _one_hot(p: Tensor) -> Tensor:
    """One-hot rows of the likeliest kinds, with the gradient of the probabilities."""
    hard = one_hot(p.argmax(-1), p.shape[-1]).to(p.dtype)
    return hard + p - p.detach() if p.requires_grad else hard  # exact where nobody learns


ADAM = Optim(lr=1e-3, betas=(0.5, 0.9))
TRIO = {"critic": ADAM, "generator": ADAM, "reward": ADAM}

# Networks of section 4: codes of 32; 128, 256, 512; convolutions of 64 and 32; graphs of 128.
# Ours: Gumbel softmax at 0.3 and two moves of the critic, which suit minutes instead of hours.
GRAPHS = MolGAN.Config(
    latent=32,
    hidden=(128, 256, 512),
    convolutions=(64, 32),
    features=128,
    judge_hidden=(128,),
    relaxation="gumbel",
    temperature=0.3,
    critic_steps=2,
    penalty=10.0,
)
PAPER = "arXiv:1805.11973, section 4"
SOURCES = cite(
    PAPER,
    "model.latent",
    "model.hidden",
    "model.convolutions",
    "model.features",
    "model.judge_hidden",
    "optim.critic.lr",
    "optim.generator.lr",
    "optim.reward.lr",
    "train.batch",
)
LENGTH = Train(
    examples=200_000,  # about five minutes of one core
    batch=32,
    checkpoint_every=50_000,
    sheet_every=25_000,
    log_every=5_000,
)

SEARCH = {"model.penalty": Factor(0.1, 10)}

PRESETS = {
    "qm9": Recipe(
        model=GRAPHS.model_copy(
            update={
                "scorer": "drug",
                # Imitation alone in the first half, as in section 4; how far it falls is ours.
                "imitation": Linear(start=1.0, end=0.5, begin=100_000, until=150_000),
                "reward_begin": 75_000,
            }
        ),
        data=Molecules(path="qm9"),
        optim=TRIO,
        ema=Averaging(half_life=5_000),
        train=LENGTH,
        evaluate=Evaluate(every=100_000, samples=1_000),
        about="the rewards of section 4.3: imitation first, then towards drug-likeness",
        sources=SOURCES,
    ),
    "imitation": Recipe(
        model=GRAPHS,
        data=Molecules(path="qm9"),
        optim=TRIO,  # the third is there for model.scorer=qed
        ema=Averaging(half_life=5_000),
        train=LENGTH,
        evaluate=Evaluate(every=100_000, samples=1_000),
        about="lambda = 1: the game alone",
        sources=SOURCES,
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
