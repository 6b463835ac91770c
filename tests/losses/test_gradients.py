"""Normalised gradients and EnCodec's balancer, by hand."""

from __future__ import annotations

import pytest
import torch

from zerosum.errors import UserError
from zerosum.losses import Balancer, GradientNorm


def pulled(norm, gradient):
    """What comes back through the layer for a gradient of the samples."""
    samples = torch.zeros_like(gradient, requires_grad=True)
    (norm(samples) * gradient).sum().backward()
    return samples.grad


def test_the_gradient_is_divided_by_its_running_rms():
    norm = GradientNorm(decay=0.9, eps=0.0)
    first = torch.tensor([[3.0, 4.0], [0.0, 5.0]])  # mean square 50 / 4
    assert torch.allclose(pulled(norm, first), first / 12.5**0.5)
    assert torch.allclose(pulled(norm, first), first / 12.5**0.5)  # no step yet: as before
    norm.update()
    second = torch.full((2, 2), 2.0)
    mean = (0.9 * 12.5 + 4) / (0.9 + 1)  # weights 0.9 and 1, whose sum is taken out
    assert torch.allclose(pulled(norm, second), second / mean**0.5)
    norm.update()
    mean = (0.81 * 12.5 + 0.9 * 4 + 1) / (0.81 + 0.9 + 1)
    assert torch.allclose(pulled(norm, torch.ones(2, 2)), torch.full((2, 2), mean**-0.5))


def test_its_state_goes_through_a_checkpoint():
    one, two = GradientNorm(), GradientNorm()
    pulled(one, torch.full((2, 2), 3.0))
    one.update()
    two.load_state_dict(one.state_dict())
    assert set(one.state_dict()) == {"square.total", "square.weight"}
    late = torch.tensor([[1.0, 2.0]])
    assert torch.equal(pulled(one, late), pulled(two, late))


def test_samples_pass_unchanged_and_a_flat_critic_pulls_nowhere():
    samples = torch.randn(3, 2)
    assert GradientNorm()(samples) is samples
    assert torch.equal(pulled(GradientNorm(), torch.zeros(2, 2)), torch.zeros(2, 2))


def test_the_balancer_gives_each_loss_its_share():
    """Eq. 4: R w_i / sum w g_i / <|g_i|>; the norms are running means that include now."""
    balancer = Balancer({"l1": 1.0, "adversarial": 3.0}, total=2.0, decay=0.5)
    left = torch.tensor([[3.0, 4.0]])  # of norm 5
    right = torch.tensor([[0.0, 2.0]])  # of norm 2
    weight = torch.ones(1, 2, requires_grad=True)

    def slope(scale):
        output = weight * 1.0
        losses = {"l1": (output * left * scale).sum(), "adversarial": (output * right).sum()}
        terms = balancer(losses, output)
        gradient = torch.autograd.grad(sum(terms.values()), weight)[0]
        return gradient, {name: term.item() for name, term in terms.items()}

    gradient, values = slope(1.0)
    assert torch.allclose(gradient, 0.5 * left / 5 + 1.5 * right / 2)
    assert values == pytest.approx({"l1": 0.5 / 5 * 7, "adversarial": 1.5 / 2 * 2})
    assert torch.allclose(slope(1.0)[0], gradient)  # evaluated again, nothing has moved
    balancer.update()
    # The first norm was 5 and is 50 now: (0.5 * 5 + 50) / 1.5 = 35.
    assert torch.allclose(slope(10.0)[0], 0.5 * 10 * left / 35 + 1.5 * right / 2)


def test_refusals():
    with pytest.raises(UserError, match="at least 0, one above"):
        Balancer({"a": 0.0})
    with pytest.raises(UserError, match=r"decay .* in \[0, 1\), not 1.0"):
        GradientNorm(1.0)
    balancer = Balancer({"a": 1.0})
    with pytest.raises(UserError, match="weighs a, not b"):
        balancer({"b": torch.zeros(())}, torch.zeros(1))
    with pytest.raises(UserError, match="do not detach"):
        balancer({"a": torch.zeros(())}, torch.zeros(1))
