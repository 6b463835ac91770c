"""A leaky ReLU that sends no zeros back."""

from __future__ import annotations

import torch
from torch.autograd import gradcheck, gradgradcheck

from zerosum.layers.piecewise import leaky_relu


def test_values_and_derivatives():
    x = torch.tensor([-2.0, -0.5, 0.5, 3.0], dtype=torch.float64, requires_grad=True)
    assert leaky_relu(x, 0.2).tolist() == [-0.4, -0.1, 0.5, 3.0]
    assert gradcheck(lambda x: leaky_relu(x, 0.2), x)
    assert gradgradcheck(lambda x: leaky_relu(x, 0.2), x)


def test_nothing_goes_back_through_the_function_of_which_the_gradient_was_differentiated():
    """torch's own would send a tensor of zeros to x."""
    x, direction = torch.randn(3, requires_grad=True), torch.ones(3, requires_grad=True)
    before = x * 2  # what lies before it would have to run backward
    slope = torch.autograd.grad(leaky_relu(before, 0.2), before, direction, create_graph=True)[0]
    found = torch.autograd.grad(slope.sum(), (x, direction), allow_unused=True)
    assert found[0] is None
    assert torch.equal(found[1], torch.where(x > 0, 1.0, 0.2))
