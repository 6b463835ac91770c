"""One thread per test process: two of them share the cores, and small networks gain nothing."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
