"""Where losses leave half precision and compiled code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor


def full_precision(tensor: Tensor) -> Tensor:
    """The tensor in float32, or in float64 where it is so already."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


@contextmanager
def float32_region() -> Iterator[None]:
    """Within it autocast is off, on every device."""
    with ExitStack() as stack:
        for device in ("cpu", "cuda", "mps", "xpu"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


@contextmanager
def eager_float32() -> Iterator[None]:
    """Within it autocast is off and compiled modules run uncompiled, so double backward works."""
    with ExitStack() as stack:
        stack.enter_context(float32_region())
        # Until dynamo has been imported nothing can have been compiled, and set_stance would
        # spend more than a second on importing it.
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield
