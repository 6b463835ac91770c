"""The mathematics of the game: what can be computed exactly, to test, to teach and to correct."""

from zerosum.theory.discriminator import (
    RatioCheck,
    check_ratio,
    density_ratio,
    js_from_logits,
    kl_donsker_varadhan,
    kl_from_logits,
    optimal_discriminator,
    value_function,
)
from zerosum.theory.divergences import (
    js_divergence,
    kl_divergence,
    total_variation,
    wasserstein_1d,
    wasserstein_1d_samples,
)
from zerosum.theory.gaussian import (
    gaussian_js,
    gaussian_kl,
    gaussian_tv,
    gaussian_wasserstein2,
)

__all__ = [
    "RatioCheck",
    "check_ratio",
    "density_ratio",
    "gaussian_js",
    "gaussian_kl",
    "gaussian_tv",
    "gaussian_wasserstein2",
    "js_divergence",
    "js_from_logits",
    "kl_divergence",
    "kl_donsker_varadhan",
    "kl_from_logits",
    "optimal_discriminator",
    "total_variation",
    "value_function",
    "wasserstein_1d",
    "wasserstein_1d_samples",
]
