"""Convolutions that are differentiated twice."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional as F

from zerosum.layers.grouped import conv2d, conv_transpose2d

CASES = [((1, 1), (1, 1), 2, 4), ((2, 2), (1, 1), 4, 4), ((2, 1), (0, 1), 1, 2)]


def numbers(*shape):
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("stride", "padding", "groups", "out"), CASES)
def test_all_derivatives_are_those_of_torch(stride, padding, groups, out):
    """Values equal torch's; first and second derivatives equal finite differences. A stride of
    two leaves a row of the four unread."""
    torch.manual_seed(0)
    x, weight, bias = numbers(1, 4, 4, 3), numbers(out, 4 // groups, 3, 2), numbers(out)

    def convolved(x, weight, bias):
        return conv2d(x, weight, bias, stride, padding, groups)

    wanted = F.conv2d(x, weight, bias, stride, padding, 1, groups)
    assert torch.equal(convolved(x, weight, bias), wanted)
    assert gradcheck(convolved, (x, weight, bias)) and gradgradcheck(convolved, (x, weight, bias))

    back = numbers(4, out // groups, 3, 2)

    def transposed(x, weight):
        return conv_transpose2d(x, weight, stride, padding, groups)

    wanted = F.conv_transpose2d(x, back, None, stride, padding, 0, groups)
    torch.testing.assert_close(transposed(x, back), wanted)
    assert gradcheck(transposed, (x, back)) and gradgradcheck(transposed, (x, back))


def test_autocast_is_left_to_torch():
    x, weight = torch.randn(1, 4, 4, 4), torch.randn(4, 2, 3, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = conv2d(x, weight, groups=2)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert weight.grad is not None and weight.grad.dtype == torch.float32
