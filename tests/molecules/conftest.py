"""Everything here needs rdkit, an extra."""

from __future__ import annotations

import importlib.util

import pytest

if importlib.util.find_spec("rdkit") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def made():
    """The set that needs no file, opened once."""
    from zerosum.modalities.molecules import Molecules

    return Molecules().open()
