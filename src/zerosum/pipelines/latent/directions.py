"""Directions of a latent space along which pictures change in one respect.

Without labels: GANSpace (Härkönen, Hertzmann, Lehtinen and Paris 2020, arXiv:2004.02546), the
principal components of styles; SeFa (Shen and Zhou 2021, arXiv:2007.06600, equation 5), the
eigenvectors of what the layers make of a style. With a score of each picture: the normal of a
linear boundary between high and low ones (InterFaceGAN, Shen, Yang, Tang and Zhou 2020,
arXiv:1907.10786, section 2).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from zerosum.errors import UserError, nearest
from zerosum.files import atomic
from zerosum.pipelines.latent.space import Space


@dataclass(frozen=True)
class Directions:
    """Directions of one space, the most important first.

    Attributes:
        vectors: (k, ...) of length 1, each of the shape of a code, or of one style.
        spread: How far points lie along each, (k,): one deviation.
        space: `z` or `w`.
        about: How they were found.
    """

    vectors: Tensor
    spread: Tensor
    space: str
    about: str

    def save(self, path: Path) -> None:
        """Write a .safetensors file."""
        tensors = {"vectors": self.vectors.contiguous().cpu(), "spread": self.spread.cpu()}
        with atomic(path) as partial:
            save_file(tensors, partial, {"space": self.space, "about": self.about})

    @classmethod
    def load(cls, path: Path) -> Directions:
        """Read what `save` wrote.

        Raises:
            UserError: The file is missing or holds no directions.
        """
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
                return cls(
                    file.get_tensor("vectors"),
                    file.get_tensor("spread"),
                    about["space"],
                    about["about"],
                )
        except (OSError, SafetensorError, KeyError) as error:
            raise UserError(
                f"{path} holds no directions: make them with  zerosum latent directions RUN --out "
                "FILE"
            ) from error

    def edited(
        self,
        points: Tensor,
        number: int,
        strengths: Sequence[float],
        layers: Sequence[int] | None = None,
    ) -> Tensor:
        """Points moved along a direction.

        Args:
            points: (n, ...) of this space.
            number: Of the direction.
            strengths: How far, in deviations.
            layers: The layers whose styles are moved; None for all. Of `w` only.

        Returns:
            (n, strengths, ...).

        Raises:
            UserError: There is no such direction, or it is of another shape.
        """
        if not 0 <= number < len(self.vectors):
            raise UserError(
                f"there is no direction {number}: they are numbered 0 to {len(self.vectors) - 1}"
            )
        vector = self.vectors[number].to(points)
        if vector.shape != points.shape[-vector.ndim :]:
            raise UserError(
                f"directions of shape {tuple(vector.shape)} do not fit points of shape "
                f"{tuple(points.shape[1:])}: they are of another model or space"
            )
        steps = torch.tensor(list(strengths)).to(points) * self.spread[number].to(points)
        moved = steps.view(-1, *[1] * (points.ndim - 1)) * vector
        if layers is not None:
            mask = torch.zeros(points.shape[1]).to(points)
            mask[list(layers)] = 1
            moved = moved * mask[:, None]
        return points[:, None] + moved[None]


def ganspace(space: Space, count: int, *, samples: int = 10_000, seed: int = 0) -> Directions:
    """The principal components of styles.

    Args:
        space: A space of styles.
        count: How many directions.
        samples: Styles that are drawn.
        seed: Of them.

    Raises:
        UserError: There are no styles, or not as many directions.
    """
    space.styled  # noqa: B018  # refuses games without
    styles = space.many(samples, seed)[:, 0].double()
    _possible(count, min(styles.shape[1], samples))
    _, scale, vectors = torch.linalg.svd(styles - styles.mean(0), full_matrices=False)
    spread = scale / (samples - 1) ** 0.5
    return Directions(vectors[:count].float(), spread[:count].float(), "w", "ganspace")


def sefa(
    space: Space, count: int, *, layers: Sequence[int] | None = None, samples: int = 1_000
) -> Directions:
    """The directions to which layers answer most.

    Args:
        space: A space of styles.
        count: How many directions.
        layers: Layers that are asked; None for all.
        samples: Styles that tell the spread along each.

    Raises:
        UserError: There are no styles, or not as many directions.
    """
    weights = space.styled.style_weights()
    chosen = [weights[k].detach().double() for k in (layers or range(len(weights)))]
    matrix = torch.cat(chosen)
    _possible(count, matrix.shape[1])
    _, vectors = torch.linalg.eigh(matrix.t() @ matrix)
    vectors = vectors.flip(1).t()[:count]
    styles = space.many(samples)[:, 0].double()
    return Directions(vectors.float(), (styles @ vectors.t()).std(0).float(), "w", "sefa")


def boundary(
    space: Space, points: Tensor, scores: Sequence[float], *, name: str, share: float = 0.3
) -> tuple[Directions, float]:
    """The normal of a linear boundary between points whose pictures score high and low.

    Args:
        space: Whose points they are.
        points: (n, ...).
        scores: One for each.
        name: What is scored.
        share: Of the points, taken from either end.

    Returns:
        One direction, towards higher scores, and the share of points held out, a fifth of those
        taken, that lie on their side of it.

    Raises:
        UserError: Fewer than fifty points, or all score the same.
    """
    from sklearn.linear_model import LogisticRegression

    values = torch.as_tensor(list(scores), dtype=torch.float64)
    if len(values) != len(points) or len(values) < 50:
        raise UserError(
            f"{len(values)} scores of {len(points)} points: give one for each, at least 50"
        )
    order, take = values.argsort(), max(10, round(share * len(values)))
    ends = torch.cat([order[:take], order[-take:]])
    if float(values[order[take - 1]]) >= float(values[order[-take]]):
        raise UserError(f"too many pictures have the same {name}: no boundary can be found")
    kept = points[:, 0] if space.name == "w" else points
    rows = kept.flatten(1).double().cpu()
    mean, deviation = rows.mean(0), rows.std(0).clamp_min(1e-12)
    x = ((rows - mean) / deviation)[ends].numpy()
    y = torch.arange(2 * take).ge(take).long().numpy()
    held = torch.arange(2 * take).remainder(5).eq(4).numpy()
    model = LogisticRegression(C=0.1, max_iter=1_000).fit(x[~held], y[~held])
    normal = torch.from_numpy(model.coef_[0]) / deviation
    normal = normal / normal.norm()
    spread = (rows @ normal).std()
    vector = normal.float().view(1, *kept.shape[1:])
    found = Directions(vector, spread.float()[None], space.name, f"boundary of {name}")
    return found, float(model.score(x[held], y[held]))


def measured(pictures: Tensor, name: str) -> list[float]:
    """A number of each picture that needs no classifier.

    Args:
        pictures: (n, C, H, W) in [-1, 1].
        name: One of `MEASURES`.

    Raises:
        UserError: There is none of that name, or it is of colours and pictures have none.
    """
    if name not in MEASURES:
        raise UserError(f"no attribute '{name}': {nearest(name, MEASURES)}; or give a .csv file")
    if name in ("saturation", "warmth") and pictures.shape[1] < 3:
        raise UserError(f"{name} is of colours, and these pictures are grey")
    return MEASURES[name](pictures.double()).tolist()


def _warmth(pictures: Tensor) -> Tensor:
    means = pictures.mean((2, 3))
    return means[:, 0] - means[:, 2]


MEASURES: dict[str, Callable[[Tensor], Tensor]] = {
    "brightness": lambda x: x.mean((1, 2, 3)),
    "contrast": lambda x: x.mean(1).flatten(1).std(1),
    "saturation": lambda x: (x[:, :3].amax(1) - x[:, :3].amin(1)).mean((1, 2)),
    "warmth": _warmth,
}
"""Attributes that can be measured: mean, deviation, range of colours, red minus blue."""


def read_scores(path: Path) -> tuple[list[int], list[float]]:
    """Seeds and scores of a .csv file with the columns `seed` and `score`.

    Raises:
        UserError: The file is missing, has other columns, or a line that is none.
    """
    import csv

    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not rows or not {"seed", "score"} <= set(rows[0]):
        raise UserError(f"{path} needs the columns seed and score, and a line for each picture")
    seeds, scores = [], []
    for number, row in enumerate(rows, 2):
        try:
            seeds.append(int(row["seed"]))
            scores.append(float(row["score"]))
        except (TypeError, ValueError):
            raise UserError(
                f"{path}, line {number}: {json.dumps(row)} is no seed and score"
            ) from None
    return seeds, scores


def _possible(count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise UserError(f"{count} directions cannot be found: ask for 1 to {most}")
