"""Graphs: reading, splits, trees and walks by hand, predictors, graphgan and `zerosum links`."""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch

import zerosum
from zerosum.core.registry import build_game
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.layers.trees import NONE, Trees
from zerosum.modalities.graphs import Edges, GraphCodec
from zerosum.modalities.graphs.predictors import PREDICTORS, others
from zerosum.modalities.graphs.reading import NAMES, read
from zerosum.pipelines.links import LinkPredictor
from zerosum.training.prepare import prepare

# A square 0-1-2-3 with the diagonal 0-2, and 4 hanging on 3.
EDGES = torch.tensor([[0, 1], [1, 2], [2, 3], [0, 3], [0, 2], [3, 4]])


def file(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    opened = gzip.open if name.endswith(".gz") else open
    with opened(path, "wt", encoding="utf-8") as stream:
        stream.write(text)
    return str(path)


# -- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.edgelist", "# made by hand\nann bob\nbob cy 0.5\ncy cy\nbob ann\n"),
        ("a.csv", "source,target\nann,bob\nbob,cy\ncy,cy\nbob,ann\n"),
        ("a.tsv.gz", "ann\tbob\nbob\tcy\ncy\tcy\nbob\tann\n"),
    ],
)
def test_lists_of_edges(tmp_path, name, text):
    graph = read(file(tmp_path, name, text))
    assert graph.names == ("ann", "bob", "cy")
    assert graph.edges.tolist() == [[0, 1], [1, 2]]
    assert graph.left_out == {
        "a node with itself": 1,
        "an edge again, or the other way round": 1,
    }


@pytest.mark.parametrize("suffix", ["graphml", "gml"])
def test_markup_is_read_as_networkx_writes_it(tmp_path, suffix):
    made = nx.DiGraph([("ann", "bob"), ("bob", "cy")])
    getattr(nx, f"write_{suffix}")(made, tmp_path / f"a.{suffix}")
    graph = read(str(tmp_path / f"a.{suffix}"))
    assert graph.names == ("ann", "bob", "cy") and graph.edges.tolist() == [[0, 1], [1, 2]]
    assert graph.notes == ("directions of edges left out",)


def test_named_graphs_have_their_sizes():
    sizes = {name: (len(read(name).names), len(read(name).edges)) for name in NAMES}
    assert sizes["karate"] == (34, 78) and sizes["les-miserables"] == (77, 254)
    assert sizes["florentine"] == (15, 20) and sizes["block-model"][0] == 500


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "x\n", "line 1 holds 1 nodes"),
        ("a.edgelist", "a b\n", "holds fewer than two edges"),
        ("a.edgelist", "", "holds fewer than two edges"),
        ("a.gml", "graph [", "cannot be read as gml"),
        ("a.graphml", "<graphml>", "cannot be read as graphml"),
        ("a.png", "a b\nb c\n", "is no graph: give a list of edges"),
        ("nosuch/a.csv", None, "nosuch/a.csv"),
    ],
)
def test_bad_files_are_told_in_a_line(tmp_path, name, text, words):
    path = file(tmp_path, name, text) if text is not None else str(tmp_path / name)
    with pytest.raises(UserError, match=words) as caught:
        Edges(path=path).open()
    assert "\n" not in str(caught.value)


def test_a_split_leaves_every_node_an_edge():
    config = Edges(path="les-miserables", holdout=0.5)
    split = config.open()
    assert isinstance(split.codec, GraphCodec) and split.heldout is not None
    learned, held = split.codec.edges, split.heldout.finished(range(len(split.heldout)))["edge"]
    assert torch.bincount(learned.flatten(), minlength=77).min() == 1
    assert not split.codec.known({"edge": held}).any()
    assert len(learned) + len(held) == 254 and len(held) == 127
    assert len(split.train) == 2 * len(learned)  # both ways round
    again = Edges(path="les-miserables", holdout=0.5, seed=1).open()
    assert not torch.equal(again.codec.edges[:20], learned[:20])


def test_pairs_are_written_and_read_back(tmp_path):
    codec = GraphCodec(("a", "b", "c"), torch.tensor([[0, 1], [1, 2]]))
    pairs = {"edge": torch.tensor([[1, 0], [0, 2]])}
    assert codec.known(pairs).tolist() == [True, False]
    assert codec.write(pairs, tmp_path / "pairs.csv") == 2
    with (tmp_path / "pairs.csv").open() as stream:
        assert list(csv.reader(stream)) == [
            ["source", "target", "known"],
            ["b", "a", "1"],
            ["a", "c", "0"],
        ]
    assert torch.equal(codec.encode([("b", "a"), ("a", "c")])["edge"], pairs["edge"])
    with pytest.raises(UserError, match="no node is called 'd'"):
        codec.encode([("a", "d")])


# -- trees -----------------------------------------------------------------------------------


def test_trees_are_breadth_first():
    trees = Trees(6, EDGES)  # 5 has no edge
    assert trees.parents[0].tolist() == [NONE, 0, 0, 0, 3, NONE]
    assert trees.parents[4].tolist() == [3, 0, 3, 4, NONE, NONE]  # 1 is reached through 0 or 2
    assert trees.deepest == 3
    assert trees.neighbours[3].tolist() == [0, 2, 4]
    assert trees.neighbours[5].tolist() == [NONE] * 3


def test_walks_end_as_often_as_their_probability_says():
    """Equation 7 by hand, and by counting: the products of steps add up to one."""
    torch.manual_seed(0)
    table = torch.randn(5, 3)
    trees = Trees(5, EDGES)

    def affinity(nodes, others):
        return torch.einsum("bkd,bd->bk", table[others], table[nodes])

    # The tree of 0: children 1, 2 and 3, and 4 below 3. Ends at 4: to 3, to 4, and back.
    def step(node, target, choices):
        weights = [math.exp(float(table[other] @ table[node])) for other in choices]
        return weights[choices.index(target)] / sum(weights)

    root = torch.zeros(4, dtype=torch.int64)
    logs = trees.log_probability(root, torch.tensor([1, 2, 3, 4]), affinity)
    first = [step(0, node, [1, 2, 3]) for node in (1, 2, 3)]
    expected = [
        first[0],  # a leaf: back with certainty
        first[1],
        first[2] * step(3, 0, [0, 4]),
        first[2] * step(3, 4, [0, 4]),
    ]
    assert logs.exp().tolist() == pytest.approx(expected, rel=1e-5)
    assert sum(expected) == pytest.approx(1)
    assert trees.log_probability(root[:1], root[:1], affinity).item() == -math.inf
    rng = torch.Generator().manual_seed(1)
    many = torch.zeros(40_000, dtype=torch.int64)
    found, drawn = trees.walk(many, affinity, lambda *shape: torch.rand(shape, generator=rng))
    shares = torch.bincount(found, minlength=5) / len(many)
    assert shares[1:].tolist() == pytest.approx(expected, abs=0.01)  # four deviations
    torch.testing.assert_close(drawn, logs[found - 1])


# -- predictors ------------------------------------------------------------------------------


def test_predictors_are_those_of_networkx():
    graph = nx.karate_club_graph()
    edges = np.array(graph.edges)[:, :2]
    pairs = np.array([(0, 33), (1, 16), (5, 6), (26, 11)])
    found = {name: how(34, edges, pairs) for name, how in PREDICTORS.items()}
    listed = [tuple(map(int, pair)) for pair in pairs]
    adamic = [score for *_, score in nx.adamic_adar_index(graph, listed)]
    attachment = [score for *_, score in nx.preferential_attachment(graph, listed)]
    common = [len(list(nx.common_neighbors(graph, *pair))) for pair in listed]
    assert found["common neighbours"].tolist() == common
    assert found["Adamic-Adar"].tolist() == pytest.approx(adamic)
    assert found["preferential attachment"].tolist() == attachment
    whole = PREDICTORS["spectral embedding"](34, edges, pairs, 32)
    matrix = nx.to_numpy_array(graph, weight=None)
    values, vectors = np.linalg.eigh(matrix)
    best = np.argsort(-abs(values))[:32]
    low = (vectors[:, best] * values[best]) @ vectors[:, best].T
    assert whole.tolist() == pytest.approx(low[pairs[:, 0], pairs[:, 1]].tolist(), abs=1e-8)


def test_others_are_no_edges_and_do_not_repeat():
    edges = EDGES.numpy()
    found = others(5, edges, 100, np.random.default_rng(0))
    assert sorted(map(tuple, found.tolist())) == [(0, 4), (1, 3), (1, 4), (2, 4)]


# -- graphgan --------------------------------------------------------------------------------


def game(**settings):
    changes = {f"model.{name}": value for name, value in settings.items()}
    chosen = zerosum.recipe("graphgan/tiny").override(changes)
    split, recipe = prepare(chosen, Runtime(torch.device("cpu")))
    torch.manual_seed(0)
    made = build_game(recipe)
    made.learn_from(split)
    return made, split


def test_the_generator_follows_the_policy_gradient():
    """Equation 4: the mean over draws of log(1 - D) times the slope of the log probability."""
    made, _ = game(start="random", decay=0.0)
    root = torch.tensor([0] * 20_000)
    torch.manual_seed(1)
    made.generator_loss({"edge": torch.stack([root, root], 1)})["adversarial"].backward()
    found = made.generator.table.grad.clone()
    # The same by summing over all nodes, each with its probability.
    made.generator.table.grad = None
    nodes = torch.arange(1, 34)
    logs = made.generator.trees.log_probability(
        torch.zeros(33, dtype=torch.int64), nodes, made.generator.among
    )
    pairs = torch.stack([torch.zeros(33, dtype=torch.int64), nodes], 1)
    cost = -torch.nn.functional.softplus(made.critic(pairs)).detach()
    (logs.exp() * cost).sum().backward()
    expected = made.generator.table.grad
    assert (found - expected).norm() < 0.1 * expected.norm()


def test_an_export_draws_as_the_run_does_and_needs_no_data(tmp_path):
    chosen = zerosum.recipe("graphgan/tiny").override({"evaluate.samples": 0})
    zerosum.train(chosen, tmp_path / "run", device="cpu", quiet=True)
    run = zerosum.load(tmp_path / "run")
    drawn = run.sample(50, seed=3)
    assert all(name in run.codec.names for pair in drawn for name in pair)
    from zerosum.pipelines import export

    export.write(run.game, run.recipe, run.codec, tmp_path / "model", tmp_path / "scores.jsonl")
    assert zerosum.load(tmp_path / "model").sample(50, seed=3) == drawn


def test_links_are_proposed_scored_and_tested(tmp_path):
    chosen = zerosum.recipe("graphgan/les-miserables").override(
        {"train.examples": 640, "evaluate.samples": 0, "doctor.policy": "off"}
    )
    zerosum.train(chosen, tmp_path / "run", device="cpu", quiet=True)
    predictor = LinkPredictor.load(tmp_path / "run")
    tested = predictor.test()
    assert (tested.held, tested.against) == (25, 77 * 76 // 2 - 254)
    # Known from networkx on this split; the game begins with eigenvectors, which score 0.96.
    assert tested.scores["Adamic-Adar"]["auc"].value == pytest.approx(0.9706, abs=1e-4)
    assert tested.scores["graphgan"]["auc"].value == pytest.approx(0.96, abs=0.01)
    pairs, scores = predictor.proposed(10)
    assert not predictor.codec.known({"edge": pairs}).any()
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    torch.testing.assert_close(predictor.scores(pairs.flip(1)), scores)  # undirected
    path = tmp_path / "pairs.csv"
    path.write_text("source,target\nValjean,Javert\n")
    assert predictor.codec.decode({"edge": predictor.read(path)}) == [("Valjean", "Javert")]
    path.write_text("Valjean,Nobody\n")
    with pytest.raises(UserError, match="no node is called 'Nobody'"):
        predictor.read(path)


def test_other_systems_score_no_pairs(tmp_path):
    zerosum.train(zerosum.recipe("toy/tiny"), tmp_path / "toy", device="cpu", quiet=True)
    with pytest.raises(UserError, match="is a toy, which scores no pairs"):
        LinkPredictor.load(tmp_path / "toy")
