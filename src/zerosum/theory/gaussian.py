"""Distances between Gaussians, in closed form where there is one.

A mean is a number or a vector (d,), a spread a variance or a covariance matrix (d, d): always
the square, never a standard deviation. Results are float64 scalars.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.theory.divergences import LOG_2

Number = Tensor | float


def gaussian_kl(
    mean_p: Number, covariance_p: Number, mean_q: Number, covariance_q: Number
) -> Tensor:
    """KL(p || q) = (tr(B^-1 A) - d + |mu_p - mu_q|^2_(B^-1) + ln det B - ln det A)/2.

    Args:
        mean_p: A number or (d,).
        covariance_p: A, a variance or (d, d).
        mean_q: As mean_p.
        covariance_q: B.

    Returns:
        Nats.

    Raises:
        UserError: Shapes do not fit, or a covariance is not positive definite.
    """
    mean_p, root_p = _mean(mean_p), _cholesky(covariance_p, "covariance_p")
    mean_q, root_q = _mean(mean_q), _cholesky(covariance_q, "covariance_q")
    _same_dimension(mean_p, root_p, mean_q, root_q)
    whitened = torch.linalg.solve_triangular(root_q, root_p, upper=False)
    shift = torch.linalg.solve_triangular(root_q, (mean_p - mean_q)[:, None], upper=False)
    log_ratio = root_q.diagonal().log().sum() - root_p.diagonal().log().sum()
    return (whitened.square().sum() - len(mean_p) + shift.square().sum()) / 2 + log_ratio


def gaussian_wasserstein2(
    mean_p: Number, covariance_p: Number, mean_q: Number, covariance_q: Number
) -> Tensor:
    """W2: the root of |mu_p - mu_q|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2).

    Its square is the Frechet distance that FID takes between Gaussians fitted to features.
    Covariances may be singular.

    Args:
        mean_p: A number or (d,).
        covariance_p: A, a variance or (d, d).
        mean_q: As mean_p.
        covariance_q: B.

    Returns:
        The distance (not its square), in units of the means.

    Raises:
        UserError: Shapes do not fit, or a covariance is not symmetric and positive.
    """
    mean_p, mean_q = _mean(mean_p), _mean(mean_q)
    a, b = _covariance(covariance_p, "covariance_p"), _covariance(covariance_q, "covariance_q")
    _same_dimension(mean_p, a, mean_q, b)
    values, vectors = torch.linalg.eigh(a)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ b @ root).clamp_min(0).sqrt().sum()
    squared = (mean_p - mean_q).square().sum() + a.trace() + b.trace() - 2 * cross
    return squared.clamp_min(0).sqrt()


def gaussian_tv(mean_p: float, variance_p: float, mean_q: float, variance_q: float) -> Tensor:
    """Total variation of two one-dimensional Gaussians; 2 Phi(delta/2) - 1 for equal spread.

    The densities cross at the roots of a quadratic; between these one of them is larger, so the
    distance is a difference of the two distribution functions.

    Raises:
        UserError: A variance is not positive.
    """
    mean = torch.tensor([mean_p, mean_q], dtype=torch.float64)
    deviation = _deviations(variance_p, variance_q)
    precision = deviation.square().reciprocal()
    # ln p - ln q = a x^2 + b x + c, with x measured from mean_p to keep the digits.
    shift = mean[1] - mean[0]
    a = (precision[1] - precision[0]) / 2
    b = -precision[1] * shift
    c = precision[1] * shift.square() / 2 + (deviation[1] / deviation[0]).log()
    if float(a) == 0:
        roots = torch.stack([shift / 2])
    else:
        # The discriminant is never negative: two normalised densities always cross.
        half = -(b + torch.copysign((b.square() - 4 * a * c).clamp_min(0).sqrt(), b)) / 2
        roots = torch.stack([half / a, c / half]) if float(half) != 0 else torch.zeros(1)
    below_p = torch.special.ndtr(roots / deviation[0])
    below_q = torch.special.ndtr((roots - shift) / deviation[1])
    difference = below_p - below_q
    return (difference if len(roots) == 1 else difference.diff()).abs().squeeze()


def gaussian_js(
    mean_p: float, variance_p: float, mean_q: float, variance_q: float, *, points: int = 20001
) -> Tensor:
    """Jensen-Shannon divergence of two one-dimensional Gaussians, by quadrature.

    It has no closed form. Each half, E_p[ln 2p/(p + q)], is a trapezoid sum over +-12 standard
    deviations of its own Gaussian, which converges faster than any power of the step as long as
    the log ratio is smooth on that scale.

    Args:
        mean_p: Of the first.
        variance_p: Of the first.
        mean_q: Of the second.
        variance_q: Of the second.
        points: Of the sum.

    Returns:
        Nats, in [0, ln 2].

    Raises:
        UserError: A variance is not positive.
    """
    mean = torch.tensor([mean_p, mean_q], dtype=torch.float64)
    deviation = _deviations(variance_p, variance_q)
    standard = torch.linspace(-12, 12, points, dtype=torch.float64)
    chance = torch.exp(-standard.square() / 2)
    chance = chance / chance.sum()
    total = torch.zeros((), dtype=torch.float64)
    for own, other in ((0, 1), (1, 0)):
        x = mean[own] + deviation[own] * standard
        far = (x - mean[other]) / deviation[other]
        # ln own - ln other
        log_ratio = (far.square() - standard.square()) / 2 + (
            deviation[other] / deviation[own]
        ).log()
        total = total + (chance * torch.nn.functional.logsigmoid(log_ratio)).sum() / 2
    return total + LOG_2


def _deviations(variance_p: float, variance_q: float) -> Tensor:
    if not (0 < variance_p < math.inf and 0 < variance_q < math.inf):
        raise UserError(f"variances must be positive, not {variance_p} and {variance_q}")
    return torch.tensor([variance_p, variance_q], dtype=torch.float64).sqrt()


def _mean(mean: Number) -> Tensor:
    return torch.as_tensor(mean, dtype=torch.float64).reshape(-1)


def _covariance(covariance: Number, name: str) -> Tensor:
    matrix = torch.as_tensor(covariance, dtype=torch.float64)
    matrix = matrix.reshape(1, 1) if matrix.ndim == 0 else matrix
    if matrix.ndim != 2 or len(matrix) != len(matrix.T) or not bool(matrix.isfinite().all()):
        raise UserError(f"{name} must be a finite matrix (d, d), not {tuple(matrix.shape)}")
    scale = matrix.abs().max()
    if bool((matrix - matrix.T).abs().max() > 1e-6 * scale):
        raise UserError(f"{name} is not symmetric")
    matrix = (matrix + matrix.T) / 2
    if bool(torch.linalg.eigvalsh(matrix)[0] < -1e-6 * scale):
        raise UserError(f"{name} has a negative eigenvalue")
    return matrix


def _cholesky(covariance: Number, name: str) -> Tensor:
    root, failed = torch.linalg.cholesky_ex(_covariance(covariance, name))
    if bool(failed):
        raise UserError(f"{name} is not positive definite")
    return root


def _same_dimension(mean_p: Tensor, matrix_p: Tensor, mean_q: Tensor, matrix_q: Tensor) -> None:
    sizes = {len(mean_p), len(matrix_p), len(mean_q), len(matrix_q)}
    if len(sizes) > 1:
        raise UserError(f"means and covariances differ in dimension: {sorted(sizes)}")
