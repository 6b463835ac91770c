"""Losses as plain functions on logits, callables and tensors; each stands alone."""

from zerosum.losses.consistency import bcr, cr, zcr_critic, zcr_generator
from zerosum.losses.energy import (
    began_balance,
    began_convergence,
    began_critic,
    began_generator,
    ebgan_critic,
    ebgan_generator,
    pulling_away,
)
from zerosum.losses.fgan import DIVERGENCES, Divergence
from zerosum.losses.finite import finite_r1, finite_r2
from zerosum.losses.gradients import Balancer, GradientNorm
from zerosum.losses.information import categorical_information, gaussian_information
from zerosum.losses.labels import flipped, label_smoothed
from zerosum.losses.lookahead import Adam, Descent
from zerosum.losses.matching import feature_matching, mean_matching
from zerosum.losses.objectives import (
    OBJECTIVES,
    Objective,
    ObjectiveName,
    least_squares,
    variational,
)
from zerosum.losses.packing import packed
from zerosum.losses.penalties import (
    Critic,
    Samples,
    dragan,
    gradient_norms,
    gradient_penalty,
    r1,
    r2,
)
from zerosum.losses.precision import eager_float32
from zerosum.losses.reconstruction import charbonnier, l1, l2, psnr
from zerosum.losses.replay import ReplayPool
from zerosum.losses.smoothness import PathLength, jacobian_clamping, mode_seeking
from zerosum.losses.stabilisers import LeCamAnchors, instance_noise, lecam, top_k
from zerosum.losses.unrolling import unrolled
from zerosum.losses.weights import (
    HistoricalAverage,
    clip_weights_,
    orthogonal,
    orthogonal_off_diagonal,
)

__all__ = [
    "DIVERGENCES",
    "OBJECTIVES",
    "Adam",
    "Balancer",
    "Critic",
    "Descent",
    "Divergence",
    "GradientNorm",
    "HistoricalAverage",
    "LeCamAnchors",
    "Objective",
    "ObjectiveName",
    "PathLength",
    "ReplayPool",
    "Samples",
    "bcr",
    "began_balance",
    "began_convergence",
    "began_critic",
    "began_generator",
    "categorical_information",
    "charbonnier",
    "clip_weights_",
    "cr",
    "dragan",
    "eager_float32",
    "ebgan_critic",
    "ebgan_generator",
    "feature_matching",
    "finite_r1",
    "finite_r2",
    "flipped",
    "gaussian_information",
    "gradient_norms",
    "gradient_penalty",
    "instance_noise",
    "jacobian_clamping",
    "l1",
    "l2",
    "label_smoothed",
    "least_squares",
    "lecam",
    "mean_matching",
    "mode_seeking",
    "orthogonal",
    "orthogonal_off_diagonal",
    "packed",
    "psnr",
    "pulling_away",
    "r1",
    "r2",
    "top_k",
    "unrolled",
    "variational",
    "zcr_critic",
    "zcr_generator",
]
