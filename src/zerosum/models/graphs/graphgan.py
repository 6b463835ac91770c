"""GraphGAN: a generator of neighbours and a critic of pairs, over the edges of one graph.

Wang, Wang, Wang, Zhao, Zhang, Zhang, Xie and Guo 2018, "GraphGAN: Graph Representation Learning
with Generative Adversarial Nets", arXiv:1711.08267. The critic's opinion of a pair is the sigmoid
of the product of its vectors (eq. 2); the generator draws a neighbour of a node by a walk down the
breadth-first tree of that node, each step a softmax over the tree's neighbours (graph softmax, eq.
5 to 7); it follows the policy gradient of log(1 - D) (eq. 4).

What is learned are vectors of the nodes: the product of two says how likely an edge is.

Deviations: roots are drawn as ends of edges, so that both players see pairs of the same law of
roots, one pair for each edge of the batch; the mean reward of the batch is taken off each, which
changes no gradient's mean; vectors begin as eigenvectors of the adjacency matrix (`start`), where
the authors' code begins with those of another method.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from zerosum.config import Count, Weight, Whole
from zerosum.core.game import Batch, Game, SampleOptions, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.data.fields import Category, Field
from zerosum.data.source import Split
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.layers.trees import NONE, Trees
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.graphs import EdgeField, Edges, GraphCodec


class Vectors(nn.Module):
    """A vector for each node; the product of two is what they have in common."""

    def __init__(self, nodes: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(nodes, width) / width**0.5)

    def forward(self, pairs: Tensor) -> Tensor:
        """Products (B,) of pairs (B, 2)."""
        return (self.table[pairs[:, 0]] * self.table[pairs[:, 1]]).sum(1)

    def among(self, nodes: Tensor, others: Tensor) -> Tensor:
        """Products (B, K) of nodes (B,) and others (B, K) beside each."""
        return torch.einsum("bkd,bd->bk", self.table[others], self.table[nodes])


class Walker(Vectors):
    """Vectors, and the graph that walks are on."""

    edges: Tensor

    def __init__(self, nodes: int, width: int, count: int) -> None:
        super().__init__(nodes, width)
        ring = torch.arange(count)[:, None] + torch.tensor([0, 1])
        self.register_buffer("edges", ring % nodes)  # until the data are seen
        self._built: tuple[int, Tensor, Trees] | None = None

    @property
    def trees(self) -> Trees:
        """Of the graph, built when first asked for and when its edges have changed."""
        version = self.edges._version
        if self._built is None or self._built[0] != version or self._built[1] is not self.edges:
            self._built = (version, self.edges, Trees(len(self.table), self.edges))
        return self._built[2]


def eigenvectors(nodes: int, edges: Tensor, width: int) -> Tensor:
    """Vectors (nodes, width) whose products are the adjacency matrix's part of the largest
    positive eigenvalues; 0 where there are fewer."""
    matrix = torch.zeros(nodes, nodes, dtype=torch.float64)
    matrix[edges[:, 0], edges[:, 1]] = 1
    values, vectors = torch.linalg.eigh(matrix + matrix.T)
    kept = min(width, nodes)
    found = torch.zeros(nodes, width)
    found[:, :kept] = (vectors * values.clamp(min=0).sqrt()).flip(1)[:, :kept].float()
    return found


class GraphGAN(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("edge",)

        nodes: Whole = 0
        """Nodes of the graph; taken from the data."""
        edges: Whole = 0
        """Edges that are learned from; taken from the data."""
        width: Count = 50
        """Numbers in a node's vector."""
        start: Literal["random", "spectral"] = "spectral"
        """Where vectors begin: a normal law, or the eigenvectors of the adjacency matrix with the
        largest eigenvalues, each times the root of its eigenvalue."""
        decay: Weight = 1e-5
        """Weight of half the squared length of the vectors that take part in a step."""

        def matched(self, spec: DataSpec) -> GraphGAN.Config:
            spec.shape("edge")  # refuses other data with a word
            field = spec.fields["edge"]
            if not isinstance(field, EdgeField):
                raise UserError("graphgan learns from the edges of a graph: name one with --data")
            return self.model_copy(update={"nodes": field.nodes, "edges": field.count})

    class Options(SampleOptions):
        by: Literal["generator", "critic"] = "generator"
        """Whose vectors say how likely an edge is."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if not config.nodes:
            raise UserError("graphgan takes its nodes from the data: name a graph with --data")
        self.nodes, self.decay = config.nodes, config.decay
        self.spectral = config.start == "spectral"
        self.objective = OBJECTIVES["nonsaturating"]
        self.generator = Walker(config.nodes, config.width, config.edges)
        self.critic = Vectors(config.nodes, config.width)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def turns(self) -> list[Turn]:
        return [Turn("critic", self.critic_loss), Turn("generator", self.generator_loss)]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.critic(batch["edge"])}

    def conditions(self) -> dict[str, Field]:
        return {"root": Category(count=self.nodes)}

    def learn_from(self, split: Split) -> None:
        assert isinstance(split.codec, GraphCodec)
        self.generator.edges.copy_(split.codec.edges)
        if self.spectral:
            begin = eigenvectors(self.nodes, split.codec.edges, self.critic.table.shape[1])
            for vectors in (self.generator, self.critic):
                vectors.table.data.copy_(begin)

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        """Pairs (n, 2) of a root, `root` (n,) or an end of an edge, and a node that is drawn."""
        root = condition.get("root")
        if root is None:
            root = self.roots(n, rng)
        found, _ = self.drawn(root, rng)
        return {"edge": torch.stack([root, found], dim=1), "root": root}

    def roots(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Nodes (n,) drawn as often as they have edges."""
        ends = self.generator.edges.flatten()
        chosen = self.uniform_labels(n, len(ends), rng)
        return ends[chosen]

    def drawn(self, root: Tensor, rng: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Nodes (B,) drawn for roots (B,), and the logarithms (B,) of their probabilities.

        A root without an edge has no tree: it is given back, with a probability of one.
        """
        source = self.device if rng is None else rng.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=rng, device=source).to(self.device)

        trees = self.generator.trees
        alone = trees.neighbours[root, 0] == NONE
        if not alone.any():
            return trees.walk(root, self.generator.among, uniform)
        found, logs = root.clone(), torch.zeros(len(root), device=self.device)
        found[~alone], logs[~alone] = trees.walk(root[~alone], self.generator.among, uniform)
        return found, logs

    def link_scores(self, pairs: Tensor) -> Tensor:
        """How likely pairs (B, 2) are edges, (B,): the product of their vectors."""
        assert isinstance(self.options, GraphGAN.Options)
        judge = self.generator if self.options.by == "generator" else self.critic
        return judge(pairs)

    # -- losses ----------------------------------------------------------------------------

    def critic_loss(self, batch: Batch) -> Terms:
        real = batch["edge"]
        with torch.no_grad():
            found, _ = self.drawn(real[:, 0])
        fake = torch.stack([real[:, 0], found], dim=1)
        real_logits, fake_logits = self.critic(real), self.critic(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "decay": self.decay * self._length(self.critic, torch.cat([real, fake])),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        root = batch["edge"][:, 0]
        found, logs = self.drawn(root)
        pairs = torch.stack([root, found], dim=1)
        with torch.no_grad():
            cost = -torch.nn.functional.softplus(self.critic(pairs))  # log(1 - D)
            cost = cost - cost.mean()
        return {
            "adversarial": (cost * logs).mean(),
            "decay": self.decay * self._length(self.generator, pairs),
        }

    def _length(self, vectors: Vectors, pairs: Tensor) -> Tensor:
        """Half the squared length of a pair's vectors, the mean over pairs (B, 2)."""
        return vectors.table[pairs].square().sum((1, 2)).mean() / 2


BOTH = {name: Optim(lr=1e-3, betas=(0.9, 0.999)) for name in ("critic", "generator")}
# Of the experiments, and of the authors' code: vectors of 50, Adam at 1e-3, batches of 64.
SOURCES = cite("arXiv:1711.08267, section 4", "model.decay", "optim.critic.lr", "train.batch")


def _preset(path: str, examples: int, width: int) -> Recipe:
    """A graph; width and length told held-out edges of other splits best."""
    return Recipe(
        model=GraphGAN.Config(width=width),
        data=Edges(path=path),
        optim=BOTH,
        ema=Averaging(half_life=examples / 50),
        train=Train(
            examples=examples, batch=64, sheet_every=examples // 2, log_every=examples // 20
        ),
        evaluate=Evaluate(every=examples, samples=1_000),
        about="seconds on one core",
        sources=SOURCES,
    )


PRESETS = {
    "karate": _preset("karate", 3_200, width=8),
    "les-miserables": _preset("les-miserables", 3_200, width=8),
    "block-model": _preset("block-model", 12_800, width=5),
    "random": Recipe(
        model=GraphGAN.Config(start="random"),
        data=Edges(path="les-miserables"),
        optim={name: Optim(lr=3e-3, betas=(0.9, 0.999)) for name in BOTH},
        ema=Averaging(half_life=2_000),
        train=Train(examples=100_000, batch=64, sheet_every=20_000, log_every=2_000),
        evaluate=Evaluate(every=50_000, samples=1_000),
        about="vectors that begin at random: what the game learns by itself",
    ),
    "paper": Recipe(
        model=GraphGAN.Config(),
        data=Edges(path="les-miserables"),
        optim=BOTH,
        train=Train(examples=100_000, batch=64),
        evaluate=Evaluate(every=50_000, samples=1_000),
        about="vectors of 50, as published; give a graph with --data",
        sources={**SOURCES, "model.width": SOURCES["model.decay"]},
    ),
    "tiny": tiny(GraphGAN.Config(width=8), Edges(path="karate"), BOTH),
}
