"""Everything here needs rdkit, an extra."""

from __future__ import annotations

import importlib.util

import pytest

if importlib.util.find_spec("rdkit") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def settings(tmp_path):
    """Slow parts that keep their scores below the test's own folder."""
    from zerosum.chem.scorers import Settings

    return Settings(folder=tmp_path / "scores", workers=1, timeout=20.0)
