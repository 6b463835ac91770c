"""One thread per test process: two of them share the cores, and small networks gain nothing."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def doubles():
    """New tensors are of double precision.

    Adam's first step has the sign of a gradient, also of one that is 0 but for rounding.
    """
    import torch

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
