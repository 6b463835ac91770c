"""Tools that look into a generator's latent space: walks, mixes, projections, directions."""

from zerosum.pipelines.latent.directions import (
    Directions,
    boundary,
    ganspace,
    measured,
    sefa,
)
from zerosum.pipelines.latent.measure import equivariance, path_length
from zerosum.pipelines.latent.mix import mix, parse_layers
from zerosum.pipelines.latent.move import path
from zerosum.pipelines.latent.project import Projection, Projector
from zerosum.pipelines.latent.space import Space
from zerosum.pipelines.latent.video import write_video
from zerosum.pipelines.latent.walk import walk

__all__ = [
    "Directions",
    "Projection",
    "Projector",
    "Space",
    "boundary",
    "equivariance",
    "ganspace",
    "measured",
    "mix",
    "parse_layers",
    "path",
    "path_length",
    "sefa",
    "walk",
    "write_video",
]
