"""From a path or a name to one graph: lists of edges, GraphML and GML, and graphs of networkx."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from zerosum.data import places
from zerosum.errors import UserError
from zerosum.names import printable

LISTS = (".edgelist", ".edges", ".csv", ".tsv", ".txt")
MARKUP = (".graphml", ".gml")
OWN = (".edgelist", ".edges", *MARKUP)
"""Suffixes that no other kind of data has."""
NAMES = ("karate", "les-miserables", "florentine", "block-model")
BLOCKS, WITHIN, BETWEEN, SEED = (100, 100, 100, 100, 100), 0.1, 0.01, 0
"""The block model: sizes, probabilities of an edge within and between blocks, and its seed."""


@dataclass
class Graph:
    """An undirected graph without loops, each edge once.

    Attributes:
        names: Of its nodes, by number.
        edges: Pairs of different nodes (M, 2), int64, the smaller number first, sorted.
        left_out: Lines by the reason for which they are no edge of it.
        notes: What was decided, one line each.
    """

    names: tuple[str, ...]
    edges: NDArray[np.int64]
    left_out: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], notes: tuple[str, ...] = ()) -> Graph:
        """The graph of pairs of names, in the order in which they come."""
        numbers: dict[str, int] = {}
        seen: set[tuple[int, int]] = set()
        left_out: Counter[str] = Counter()
        for one, other in pairs:
            a, b = (numbers.setdefault(name, len(numbers)) for name in (one, other))
            edge = (min(a, b), max(a, b))
            if a == b:
                left_out["a node with itself"] += 1
            elif edge in seen:
                left_out["an edge again, or the other way round"] += 1
            else:
                seen.add(edge)
        edges = np.array(sorted(seen), dtype=np.int64).reshape(-1, 2)
        return cls(tuple(numbers), edges, left_out, notes)

    def said(self) -> tuple[str, ...]:
        """What was decided and left out, one line each."""
        lines = [f"left out: {count:,} times {why}" for why, count in self.left_out.items()]
        return (*self.notes, *lines)

    def networkx(self) -> nx.Graph:
        """The same for networkx, by number."""
        made = nx.Graph()
        made.add_nodes_from(range(len(self.names)))
        made.add_edges_from(map(tuple, self.edges.tolist()))
        return made


def suffix_of(path: Path) -> str:
    """The suffix without `.gz`, in lower case."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def read(text: str) -> Graph:
    """The graph of a name or a path.

    Raises:
        UserError: Nothing is there, or it holds no graph that can be used.
    """
    graph = named(text) if text in NAMES else _file(places.locate(text, NAMES))
    if len(graph.edges) < 2:
        raise UserError(f"{text} holds fewer than two edges: name a graph with more")
    return graph


def named(name: str) -> Graph:
    """One of `NAMES`: graphs that come with networkx, and a block model of a fixed seed."""
    if name == "block-model":
        chances = np.full((len(BLOCKS), len(BLOCKS)), BETWEEN)
        np.fill_diagonal(chances, WITHIN)
        made = nx.stochastic_block_model(list(BLOCKS), chances.tolist(), seed=SEED)
        return Graph.of((str(a), str(b)) for a, b in made.edges)
    makers = {
        "karate": nx.karate_club_graph,
        "les-miserables": nx.les_miserables_graph,
        "florentine": nx.florentine_families_graph,
    }
    made = makers[name]()
    notes = ("weights of edges left out",) if nx.is_weighted(made) else ()
    return Graph.of(((str(a), str(b)) for a, b in made.edges), notes)


def _file(path: Path) -> Graph:
    suffix = suffix_of(path)
    if suffix not in LISTS + MARKUP:
        raise UserError(
            f"{path} is no graph: give a list of edges (two nodes a line) as "
            f"{', '.join(LISTS)}, or {', '.join(MARKUP)}, each also with .gz"
        )
    if suffix in MARKUP:
        return _markup(_text(path), suffix, path)
    notes: list[str] = []
    return Graph.of(pairs_of(path, notes), tuple(notes))


def _text(path: Path) -> str:
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file of edges in it")
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rb") as stream:
            return stream.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}): get it anew") from error


def pairs_of(path: Path, notes: list[str] | None = None) -> list[tuple[str, str]]:
    """The pairs of names of a file with two a line; comments and a header are passed over.

    Args:
        path: The file.
        notes: Takes what was passed over besides, one line each.

    Raises:
        UserError: It cannot be read, or a line holds fewer than two names.
    """
    kept = [
        (number, line)
        for number, line in enumerate(_text(path).splitlines(), 1)
        if line.strip() and line.lstrip()[0] not in "#%"
    ]
    delimiter = next((sign for sign in "\t;," if kept and sign in kept[0][1]), " ")
    pairs, more, notes = [], 0, [] if notes is None else notes
    for place, (number, line) in enumerate(kept):
        row = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        words = [word.strip() for word in row if word.strip()]
        if len(words) < 2:
            raise UserError(
                f"{path}: line {number} holds {len(words)} nodes "
                f"('{printable(' '.join(words))[:40]}'): an edge has two"
            )
        if not place and {word.lower() for word in words[:2]} <= HEADER:
            notes.append("the first line is a header")
            continue
        more += len(words) > 2
        pairs.append((words[0], words[1]))
    if more:
        notes.append(f"what follows the two nodes left out of {more:,} lines")
    return pairs


HEADER = {"source", "target", "from", "to", "src", "dst", "node1", "node2"}
"""Words that make a first line a header."""


def _markup(text: str, suffix: str, path: Path) -> Graph:
    try:
        made = nx.parse_graphml(text) if suffix == ".graphml" else nx.parse_gml(text)
    except Exception as error:  # networkx raises whatever its parsers do
        what = " ".join(str(error).split())[:100]
        raise UserError(f"{path} cannot be read as {suffix[1:]} ({what}): export it anew") from (
            error
        )
    notes = ("directions of edges left out",) if made.is_directed() else ()
    return Graph.of(((str(edge[0]), str(edge[1])) for edge in made.edges), notes)
