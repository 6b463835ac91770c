"""Metrics: arithmetic on features, logits and images, each with its uncertainty.

Nothing here loads a network or a file of weights: bring features, from whichever extractor.
"""

from zerosum.metrics.birthday import birthday_support
from zerosum.metrics.classifier import ClassifierScores, classifier_scores, softmax_regression
from zerosum.metrics.equivariance import rotation_equivariance, translation_equivariance
from zerosum.metrics.extrapolation import fd_infinity
from zerosum.metrics.frechet import (
    Statistics,
    frechet_distance,
    frechet_from_statistics,
    frechet_null_bias,
)
from zerosum.metrics.inception import InceptionScore, inception_score
from zerosum.metrics.kernel import Gaussian, Polynomial, kernel_distance
from zerosum.metrics.likelihood import (
    FeatureLikelihoodDivergence,
    feature_likelihood_divergence,
)
from zerosum.metrics.manifold import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    prdc,
    precision_recall,
)
from zerosum.metrics.memorisation import Authenticity, authenticity, c_t
from zerosum.metrics.neighbours import Neighbours, nearest_neighbours
from zerosum.metrics.score import Score
from zerosum.metrics.similarity import ms_ssim, ms_ssim_variety
from zerosum.metrics.sliced import mind, sliced_wasserstein
from zerosum.metrics.smoothness import perceptual_path_length
from zerosum.metrics.spectrum import RadialSpectrum, radial_spectrum, spectrum_distance
from zerosum.metrics.vendi import vendi

__all__ = [
    "Authenticity",
    "ClassifierScores",
    "DensityCoverage",
    "FeatureLikelihoodDivergence",
    "Gaussian",
    "InceptionScore",
    "Neighbours",
    "Polynomial",
    "PrecisionRecall",
    "RadialSpectrum",
    "Score",
    "Statistics",
    "authenticity",
    "birthday_support",
    "c_t",
    "classifier_scores",
    "density_coverage",
    "fd_infinity",
    "feature_likelihood_divergence",
    "frechet_distance",
    "frechet_from_statistics",
    "frechet_null_bias",
    "inception_score",
    "kernel_distance",
    "mind",
    "ms_ssim",
    "ms_ssim_variety",
    "nearest_neighbours",
    "perceptual_path_length",
    "prdc",
    "precision_recall",
    "radial_spectrum",
    "rotation_equivariance",
    "sliced_wasserstein",
    "softmax_regression",
    "spectrum_distance",
    "translation_equivariance",
    "vendi",
]
