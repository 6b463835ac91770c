"""How a game moves around where it is: eigenvalues of its Jacobian, and the duality gap.

Both cost many steps' worth of work, so they are done when asked and not while training.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from zerosum.core.engine import play_step
from zerosum.core.game import Game
from zerosum.core.runtime import Runtime
from zerosum.data.fields import Batch, size_of
from zerosum.doctor.probe import critic_turn, undisturbed

EXACT = 200
"""Parameters up to which the whole Jacobian is computed."""


def game_spectrum(game: Game, batch: Batch, *, count: int = 6, krylov: int = 40) -> Tensor:
    """Eigenvalues of the Jacobian of the gradient field that the players follow.

    The field is v = -(the gradient of each player's loss by its own weights), as of simultaneous
    gradient descent (Mescheder et al. 2017, arXiv:1705.10461, eq. 6). A positive real part means
    divergence; an imaginary part far above the real one means circling.

    Args:
        game: The game; it is left as it was. All is computed in float64 on a copy, with the
            same noise at each evaluation.
        batch: The batch on which all losses are taken.
        count: Eigenvalues wanted, the largest in size first.
        krylov: Dimensions of Arnoldi's method, used above `EXACT` parameters; values that have
            not converged after five restarts are left out.

    Returns:
        Complex numbers (count,), or fewer where there are fewer parameters.
    """
    twin = copy.deepcopy(game).double()
    given = {n: v.double() if v.is_floating_point() else v for n, v in batch.items()}
    weights = [p for modules in twin.players().values() for m in modules for p in m.parameters()]
    start = torch.cat([p.detach().flatten() for p in weights])

    def field(point: Tensor) -> Tensor:
        _put(weights, point)
        with undisturbed(twin, seed=0), _double():
            return _field(twin, given)

    def turned(direction: Tensor) -> Tensor:
        step = 1e-5 * max(start.norm().item(), 1.0) / max(direction.norm().item(), 1e-300)
        ahead, behind = field(start + step * direction), field(start - step * direction)
        return (ahead - behind) / (2 * step)

    if len(start) <= EXACT:
        matrix = torch.stack([turned(unit) for unit in torch.eye(len(start)).double()], dim=1)
        found = torch.linalg.eigvals(matrix)
    else:
        found = _largest(turned, len(start), count, krylov)
    order = found.abs().argsort(descending=True)
    return found[order[:count]]


def duality_gap(
    game: Game,
    optimizers: Mapping[str, torch.optim.Optimizer],
    train: Batch,
    scored: Batch,
    *,
    steps: int = 100,
    batch: int = 64,
) -> tuple[float, float, float]:
    """How much each player could still gain against the other as it stands.

    M is minus the critic's loss. A copy of the critic learns for some steps with the generator
    held, a copy of the generator with the critic held, and M is taken on samples that neither
    learned from (Grnarova et al. 2019, arXiv:1811.05512, section 3). Both learn by Adam at the
    rates of `optimizers`. 0 at an equilibrium; the trend says more than the level.

    Returns:
        The gap M(G, D') - M(G', D), and its two parts: what the critic gains and what the
        generator gains.

    Raises:
        ValueError: The game has no critic.
    """
    turn = critic_turn(game)
    if turn is None:
        raise ValueError("a game without a critic has no duality gap")
    rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in optimizers.items()}
    now = _payoff(game, scored, batch)
    worst = _trained(game, turn.players, rates, train, steps, batch)
    others = tuple(name for name in game.players() if name not in turn.players)
    best = _trained(game, others, rates, train, steps, batch)
    critic_gains = _payoff(worst, scored, batch) - now
    generator_gains = now - _payoff(best, scored, batch)
    return critic_gains + generator_gains, critic_gains, generator_gains


@contextmanager
def _double() -> Iterator[None]:
    """Noise that a game draws is float64 too."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _field(game: Game, batch: Batch) -> Tensor:
    """Minus the gradient of each player's losses by its own weights, flat."""
    losses: dict[str, Tensor] = {}
    for turn in game.turns():
        if game.progress.step % turn.every:
            continue
        total = sum(turn.loss(batch).values(), start=torch.zeros(()))
        for name in turn.players:
            losses[name] = losses[name] + total if name in losses else total
    parts = []
    for name, modules in game.players().items():
        own = [p for m in modules for p in m.parameters()]
        loss = losses.get(name)
        if loss is None or not own:
            parts += [torch.zeros(p.numel()) for p in own]
            continue
        slopes = torch.autograd.grad(loss, own, retain_graph=True, allow_unused=True)
        for parameter, slope in zip(own, slopes):
            parts.append(-slope.flatten() if slope is not None else torch.zeros(parameter.numel()))
    return torch.cat(parts).detach()


def _put(weights: Sequence[nn.Parameter], values: Tensor) -> None:
    with torch.no_grad():
        start = 0
        for weight in weights:
            size = weight.numel()
            weight.copy_(values[start : start + size].view_as(weight))
            start += size


def _largest(turned: Callable[[Tensor], Tensor], size: int, count: int, krylov: int) -> Tensor:
    """Eigenvalues of largest size, by SciPy's Arnoldi method from a fixed start."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

    def product(vector: np.ndarray) -> np.ndarray:
        return turned(torch.from_numpy(vector.ravel()).double()).numpy()

    operator = LinearOperator(shape=(size, size), matvec=product, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    start = np.random.Generator(np.random.PCG64(0)).standard_normal(size)
    try:
        values = eigs(
            operator,
            k=count,
            ncv=krylov,
            v0=start,
            maxiter=5,
            return_eigenvectors=False,
        )
    except ArpackNoConvergence as error:
        values = error.eigenvalues
    return torch.from_numpy(np.asarray(values, dtype=np.complex128))


def _trained(
    game: Game,
    movers: tuple[str, ...],
    rates: Mapping[str, float],
    train: Batch,
    steps: int,
    batch: int,
) -> Game:
    """A copy in which only some players have learned on."""
    twin = copy.deepcopy(game)
    twin.train()
    optimizers = {
        name: torch.optim.Adam(
            [p for m in modules for p in m.parameters()], lr=rates[name] if name in movers else 0.0
        )
        for name, modules in twin.players().items()
    }

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        batches = _endless(train, batch)
        for _ in range(steps):
            play_step(twin, batches, optimizers, Runtime(twin.device))
    return twin


def _endless(train: Batch, size: int) -> Iterator[Batch]:
    while True:
        order = torch.randperm(size_of(train))
        for start in range(0, max(len(order) - size, 0) + 1, size):
            yield _rows(train, order[start : start + size].tolist())


def _payoff(game: Game, scored: Batch, size: int) -> float:
    """M: minus the mean of the critic's loss on samples that nobody learned from."""
    values = []
    with undisturbed(game, seed=2):
        game.train()
        turn = critic_turn(game)
        assert turn is not None
        torch.manual_seed(2)
        for start in range(0, max(size_of(scored) - size, 0) + 1, size):
            terms = turn.loss(_rows(scored, range(start, min(start + size, size_of(scored)))))
            values.append(-sum(term.item() for term in terms.values()))
    mean = sum(values) / len(values)
    return mean if math.isfinite(mean) else math.inf


def _rows(batch: Batch, rows: Sequence[int]) -> Batch:
    index = torch.as_tensor(list(rows))
    return {name: value[index] for name, value in batch.items()}
