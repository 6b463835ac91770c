"""Outside the rooms of a kind of data nobody asks for the kind by name."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r'"image"|"point"|isinstance\([^)]*Images')
ROOMS = ("modalities", "models", "bench", "augment")


def test_no_source_asks_for_a_kind_by_name():
    sources = (ROOT / "src" / "zerosum").rglob("*.py")
    outside = [p for p in sources if p.relative_to(ROOT / "src" / "zerosum").parts[0] not in ROOMS]
    assert len(outside) > 100
    assert [str(p) for p in outside if NAMED.search(p.read_text(encoding="utf-8"))] == []


def test_imports_have_no_circle(capsys):
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "tools" / "import_circles.py"), run_name="__main__")
    assert ended.value.code == 0, capsys.readouterr().out
