"""A random forest as plain arrays, which predicts as scikit-learn does and loads without code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_AT_ONCE = 512  # rows whose way through all trees is followed together


@dataclass(frozen=True)
class Forest:
    """The trees of a forest one after the other, `M` nodes in all.

    Attributes:
        roots: (T,), the first node of each tree.
        left: (M,), the node for values up to the threshold; below 0 in a leaf.
        right: (M,), the node for those above it.
        feature: (M,), which feature is asked.
        threshold: (M,), float64.
        value: (M,), float64: the mean of the target, or the share of the positive class.
    """

    roots: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: Floats
    value: Floats

    @classmethod
    def of(cls, fitted: Any) -> Forest:
        """The trees of a fitted scikit-learn forest of one number or of two classes."""
        trees = [one.tree_ for one in fitted.estimators_]
        counts = [tree.node_count for tree in trees]
        roots = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32)

        def joined(name: str, shifted: bool = False) -> NDArray[Any]:
            parts = [np.asarray(getattr(tree, name)) for tree in trees]
            if shifted:
                parts = [np.where(p < 0, -1, p + root) for p, root in zip(parts, roots)]
            return np.concatenate(parts)

        shares = [tree.value[:, 0, :] for tree in trees]
        if shares[0].shape[1] == 2:  # older scikit-learn keeps counts of the classes
            shares = [part[:, 1:] / part.sum(1, keepdims=True) for part in shares]
        return cls(
            roots,
            joined("children_left", True).astype(np.int32),
            joined("children_right", True).astype(np.int32),
            # A leaf has no feature (-2): 0 can be asked and is not heeded.
            np.maximum(joined("feature"), 0).astype(np.int32),
            joined("threshold").astype(np.float64),
            np.concatenate([part[:, 0] for part in shares]).astype(np.float64),
        )

    def trees(self, features: NDArray[Any]) -> Floats:
        """What each tree says, (N, T), of features (N, F)."""
        parts = [
            self._trees(features[at : at + _AT_ONCE]) for at in range(0, len(features), _AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.roots)))

    def _trees(self, features: NDArray[Any]) -> Floats:
        given = features.astype(np.float32)  # as scikit-learn compares them
        rows = np.arange(len(given))[:, None]
        node = np.tile(self.roots, (len(given), 1))
        while True:
            left = self.left[node]
            inner = left >= 0
            if not inner.any():
                return self.value[node]
            low = given[rows, self.feature[node]] <= self.threshold[node]
            node = np.where(inner, np.where(low, left, self.right[node]), node)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, for a file."""
        return {f"forest.{name}": value for name, value in vars(self).items()}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], features: int) -> Forest:
        """A forest of a file.

        Args:
            arrays: As `arrays` gives them.
            features: How many features there are.

        Raises:
            ValueError: They are no trees: following them would leave the arrays or never end.
            KeyError: One is missing.
        """
        made = cls(**{name: arrays[f"forest.{name}"] for name in cls.__annotations__})
        nodes = len(made.left)
        inner = made.left >= 0
        place = np.arange(nodes)
        lengths = {len(made.right), len(made.feature), len(made.threshold), len(made.value)}
        sound = (
            lengths == {nodes}
            and len(made.roots) > 0
            and bool(np.all((made.roots >= 0) & (made.roots < nodes)))
            # Children come after their parent, so that each way ends.
            and bool(np.all(made.left[inner] > place[inner]))
            and bool(np.all(made.right[inner] > place[inner]))
            and bool(np.all((made.left < nodes) & (made.right < nodes)))
            and bool(np.all((made.feature >= 0) & (made.feature < features)))
        )
        if not sound:
            raise ValueError("its trees are damaged")
        return made
