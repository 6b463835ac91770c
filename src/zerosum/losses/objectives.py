"""Adversarial objectives: what critic and generator minimise, as two functions on logits.

An objective sees logits only, never a network or a sample, so any of them fits any model. Logits
may have any shape, (B,) or (B, 1, H, W) for a patch critic; each loss is the mean over all of
them. Half-precision logits are lifted to float32 first, so each loss is a float32 (or float64)
scalar. No loss takes the logarithm of a sigmoid that was rounded to 0: all are finite, with
finite gradients, at logits of +-100 and far beyond.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from zerosum.errors import UserError
from zerosum.losses.fgan import DIVERGENCES, Divergence
from zerosum.losses.precision import full_precision

ObjectiveName = Literal[
    "minimax",
    "nonsaturating",
    "lsgan",
    "wasserstein",
    "hinge",
    "geometric",
    "rpgan",
    "rlsgan",
    "rhinge",
    "rasgan",
    "ralsgan",
    "rahinge",
    "forward_kl",
    "reverse_kl",
    "pearson",
    "hellinger",
    "jensen_shannon",
    "softmax",
]

CriticLoss = Callable[[Tensor, Tensor], Tensor]
LogitLoss = Callable[[Tensor], Tensor]  # one loss per logit, same shape


class GeneratorLoss(Protocol):
    """`loss(fake_logits)` or `loss(fake_logits, real_logits)`."""

    def __call__(self, fake_logits: Tensor, real_logits: Tensor | None = None, /) -> Tensor: ...


@dataclass(frozen=True)
class Objective:
    """An adversarial loss: two functions on logits, each a scalar mean over the batch.

    Attributes:
        name: Its name in the tables and in messages.
        critic: `critic(real_logits, fake_logits)`, minimised by the critic.
        generator: `generator(fake_logits, real_logits)`, minimised by the generator; the real
            logits may be None unless the objective is relativistic.
        relativistic: Whether the generator needs the real logits too. Such an objective judges
            differences of logits: adding one number to all of them changes nothing.
    """

    name: str
    critic: CriticLoss
    generator: GeneratorLoss
    relativistic: bool = False


def separate(name: str, *, real: LogitLoss, fake: LogitLoss, generated: LogitLoss) -> Objective:
    """An objective that judges each sample alone.

    The critic minimises E[real(l_real)] + E[fake(l_fake)], the generator E[generated(l_fake)].
    """

    def critic(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return real(full_precision(real_logits)).mean() + fake(full_precision(fake_logits)).mean()

    def generator(fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return generated(full_precision(fake_logits)).mean()

    return Objective(name, critic, generator)


def paired(name: str, margin_loss: LogitLoss) -> Objective:
    """A relativistic objective on pairs (Jolicoeur-Martineau 2019, "relativistic pairing").

    The critic minimises E[m(l_real - l_fake)] over pairs, the generator E[m(l_fake - l_real)].
    Pairs are taken in order, so both batches need one shape.
    """

    def difference(first: Tensor, second: Tensor) -> Tensor:
        if first.shape != second.shape:
            raise UserError(
                f"{name} pairs each real sample with a fake one: the logits need one shape, not "
                f"{tuple(first.shape)} and {tuple(second.shape)}"
            )
        return full_precision(first) - full_precision(second)

    def critic(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return margin_loss(difference(real_logits, fake_logits)).mean()

    def generator(fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        real = _needed(name, real_logits)
        return margin_loss(difference(fake_logits, real)).mean()

    return Objective(name, critic, generator, relativistic=True)


def averaged(name: str, margin_loss: LogitLoss) -> Objective:
    """A relativistic average objective (Jolicoeur-Martineau 2019, the "Ra" forms).

    With r = l_real - E[l_fake] and f = l_fake - E[l_real] the critic minimises
    E[m(r)] + E[m(-f)] and the generator E[m(f)] + E[m(-r)]. No factor 1/2, as in the paper's
    formulas. The two means are over the batch at hand.
    """

    def both(better: Tensor, worse: Tensor) -> Tensor:
        better, worse = full_precision(better), full_precision(worse)
        above, below = better - worse.mean(), worse - better.mean()
        return margin_loss(above).mean() + margin_loss(-below).mean()

    def generator(fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return both(fake_logits, _needed(name, real_logits))

    return Objective(name, both, generator, relativistic=True)


def least_squares(a: float = 0.0, b: float = 1.0, c: float = 1.0) -> Objective:
    """Least squares (Mao et al. 2017): logits are regressed on targets.

    The critic minimises E[(l_real - b)^2]/2 + E[(l_fake - a)^2]/2, the generator
    E[(l_fake - c)^2]/2. The best critic is (b p + a q)/(p + q); where b - c = 1 and b - a = 2
    the generator then minimises half of Pearson's chi-squared between p + q and 2 q.

    Args:
        a: The critic's target for fake samples.
        b: The critic's target for real samples.
        c: What the generator wants the critic to say of its samples.

    Raises:
        UserError: a equals b, so that there is nothing to tell apart.
    """
    if a == b:
        raise UserError(f"least squares needs different targets for real and fake, not {a} twice")
    return separate(
        "lsgan",
        real=lambda logits: (logits - b).square() / 2,
        fake=lambda logits: (logits - a).square() / 2,
        generated=lambda logits: (logits - c).square() / 2,
    )


def variational(name: str, divergence: Divergence, *, alternative: bool = False) -> Objective:
    """The f-GAN game of a divergence (Nowozin et al. 2016, eq. 6 with table 2).

    With T = g_f(logit) the critic maximises E_p[T] - E_q[f*(T)], whose greatest value is the
    divergence; the generator minimises the same number.

    Args:
        name: Its name in messages.
        divergence: The output activation g_f and the conjugate of f after it.
        alternative: The generator maximises E_q[T] instead (the paper's section 3.2), which has
            gradients where the game itself saturates, but no longer minimises the divergence.
    """
    return separate(
        name,
        real=lambda logits: -divergence.activation(logits),
        fake=divergence.conjugate,
        generated=(
            (lambda logits: -divergence.activation(logits))
            if alternative
            else (lambda logits: -divergence.conjugate(logits))
        ),
    )


def _softmax() -> Objective:
    """Softmax GAN (Lin 2017), written in logits = -mu: one softmax over the whole batch.

    The critic wants the mass spread evenly over the real samples, the generator over all.
    """

    def log_mass(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        real, fake = full_precision(real).flatten(), full_precision(fake).flatten()
        both = torch.cat([real, fake])
        return real, both, both.logsumexp(0)

    def critic(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        real, _, log_total = log_mass(real_logits, fake_logits)
        return log_total - real.mean()

    def generator(fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        _, both, log_total = log_mass(_needed("softmax", real_logits), fake_logits)
        return log_total - both.mean()

    return Objective("softmax", critic, generator, relativistic=True)


def _needed(name: str, real_logits: Tensor | None) -> Tensor:
    if real_logits is None:
        raise UserError(
            f"the generator's loss of {name} needs the real logits too: "
            "pass generator(fake_logits, real_logits)"
        )
    return real_logits


def _negative(logits: Tensor) -> Tensor:
    return -logits


def _logistic(margin: Tensor) -> Tensor:
    return softplus(-margin)


def _square(margin: Tensor) -> Tensor:
    return (margin - 1).square()


def _hinge(margin: Tensor) -> Tensor:
    return relu(1 - margin)


def _beyond(logits: Tensor) -> Tensor:
    return relu(1 + logits)


_ALL = (
    # Goodfellow et al. 2014, eq. 1: the generator minimises E[log(1 - D)] = -E[softplus(l)].
    separate("minimax", real=_logistic, fake=softplus, generated=lambda logits: -softplus(logits)),
    # The same paper, section 3: it maximises E[log D] instead.
    separate("nonsaturating", real=_logistic, fake=softplus, generated=_logistic),
    least_squares(),
    # Arjovsky et al. 2017, eq. 2. It means nothing unless the critic is kept Lipschitz.
    separate("wasserstein", real=_negative, fake=lambda logits: logits, generated=_negative),
    # Lim & Ye 2017 ("geometric GAN": the critic is a soft-margin SVM) and, at the same time,
    # Tran et al. 2017; the form spectral normalisation, SAGAN and BigGAN made known as hinge.
    # Both names are kept because papers use both.
    separate("hinge", real=_hinge, fake=_beyond, generated=_negative),
    separate("geometric", real=_hinge, fake=_beyond, generated=_negative),
    # Jolicoeur-Martineau 2019 (RSGAN); Huang et al. 2024 (R3GAN) call it RpGAN.
    paired("rpgan", _logistic),
    paired("rlsgan", _square),
    paired("rhinge", _hinge),
    averaged("rasgan", _logistic),
    averaged("ralsgan", _square),
    averaged("rahinge", _hinge),
    *(variational(name, divergence) for name, divergence in DIVERGENCES.items()),
    _softmax(),
)

OBJECTIVES: dict[str, Objective] = {objective.name: objective for objective in _ALL}
