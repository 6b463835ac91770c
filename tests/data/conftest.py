"""Fixtures of the tests on data."""

from __future__ import annotations

import os
from pathlib import Path

import pooch
import pytest


@pytest.fixture(autouse=True)
def _no_user_folder(request, monkeypatch):
    """Tests see no data folder unless they ask for the real one, and no cache of the user's."""
    if "real_data" not in request.fixturenames:
        monkeypatch.delenv("ZEROSUM_DATA", raising=False)


@pytest.fixture
def real_data():
    """The folder of real sets; the test is skipped where there is none."""
    if "ZEROSUM_DATA" not in os.environ:
        pytest.skip("ZEROSUM_DATA is not set")
    return Path(os.environ["ZEROSUM_DATA"])


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An empty cache and a network that never answers."""

    def fail(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(pooch, "retrieve", fail)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
