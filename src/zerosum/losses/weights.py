"""Constraints and penalties on weights, whatever the samples."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from zerosum.errors import UserError


def clip_weights_(modules: nn.Module | Iterable[nn.Module], limit: float) -> None:
    """Clamp every parameter to [-limit, limit] in place (WGAN, Arjovsky et al. 2017, algorithm 1).

    Args:
        modules: The critic, or several modules.
        limit: 0.01 in the paper.

    Raises:
        UserError: The limit is not positive.
    """
    if limit <= 0:
        raise UserError(f"the limit of weight clipping must be positive, not {limit}")
    chosen = [modules] if isinstance(modules, nn.Module) else modules
    with torch.no_grad():
        for module in chosen:
            for parameter in module.parameters():
                parameter.clamp_(-limit, limit)


def orthogonal(weights: Tensor | Iterable[Tensor]) -> Tensor:
    """Sum over the weights of |W W^T - 1|_F^2 (Brock et al. 2017).

    Args:
        weights: Weight tensors (rows, ...); each is flattened to a matrix. Vectors such as
            biases and gains are passed over.

    Returns:
        A scalar, 0 where the rows of every matrix are orthonormal.

    Raises:
        UserError: There is no matrix among the weights.
    """
    losses = []
    for product in _products(weights):
        identity = torch.eye(len(product), dtype=product.dtype, device=product.device)
        losses.append((product - identity).square().sum())
    return torch.stack(losses).sum()


def orthogonal_off_diagonal(weights: Tensor | Iterable[Tensor]) -> Tensor:
    """Sum over the weights of |W W^T * (1 - I)|_F^2: rows at right angles, of any length.

    BigGAN (Brock et al. 2019, eq. 3, there written with W^T W). Its released code adds the
    gradient of half of this, with weight 1e-4.

    Args:
        weights: As in `orthogonal`.

    Returns:
        A scalar, 0 where the rows of every matrix are orthogonal.

    Raises:
        UserError: There is no matrix among the weights.
    """
    losses = []
    for product in _products(weights):
        losses.append((product - product.diagonal().diag()).square().sum())
    return torch.stack(losses).sum()


class HistoricalAverage(nn.Module):
    """Distance of the parameters to their own average over time (Salimans et al. 2016, 3.3).

    |theta - (1/t) sum_i theta_i|^2. Fictitious play's remedy against two players circling each
    other. The averages are buffers, so they are part of every checkpoint.
    """

    count: Tensor

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        """Start the average at the parameters' present values."""
        super().__init__()
        for index, parameter in enumerate(parameters):
            self.register_buffer(f"average_{index}", parameter.detach().clone())
        self.register_buffer("count", torch.ones(()))

    def forward(self, parameters: Iterable[Tensor]) -> Tensor:
        """The penalty.

        Args:
            parameters: The same parameters, in the same order.

        Returns:
            The summed squared distance to the averages, a scalar.

        Raises:
            UserError: Another number of parameters than at the start.
        """
        squared = [(now - past).square().sum() for now, past in self._pairs(parameters)]
        return torch.stack(squared).sum()

    @torch.no_grad()
    def update(self, parameters: Iterable[Tensor]) -> None:
        """Let the present values enter the average; once per step.

        Raises:
            UserError: Another number of parameters than at the start.
        """
        self.count += 1
        for now, past in self._pairs(parameters):
            past += (now - past) / self.count

    def _pairs(self, parameters: Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
        present = list(parameters)
        averages = [past for name, past in self.named_buffers() if name != "count"]
        if len(present) != len(averages) or not present:
            raise UserError(
                f"the historical average holds {len(averages)} parameters, not {len(present)}"
            )
        return list(zip(present, averages))


def _products(weights: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """W W^T of every weight that has two dimensions or more."""
    given = [weights] if isinstance(weights, Tensor) else weights
    matrices = [weight.reshape(len(weight), -1) for weight in given if weight.ndim > 1]
    if not matrices:
        raise UserError("the orthogonal penalty needs at least one weight with two dimensions")
    return [matrix @ matrix.T for matrix in matrices]
