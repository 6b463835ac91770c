"""How torch's threads wait, which is decided before torch is loaded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="torch brings GNU's OpenMP on Linux")
@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, "GOMP_SPINCOUNT = '10000'"),
        ({"GOMP_SPINCOUNT": "77"}, "GOMP_SPINCOUNT = '77'"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, "GOMP_SPINCOUNT = '0'"),
    ],
)
def test_threads_spin_for_half_a_millisecond_unless_told_otherwise(tmp_path, given, line):
    """As the library says that was loaded."""
    told = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    ended = subprocess.run(
        [sys.executable, "-m", "zerosum", "train", "gan/tiny", "--dry-run", "--out", "run"],
        env=told | given | {"OMP_DISPLAY_ENV": "VERBOSE"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    if "GOMP_SPINCOUNT" not in ended.stderr:
        pytest.skip("this torch has another OpenMP")
    assert line in ended.stderr
