"""Every Python block of docs/theory.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_blocks_of_the_page_run():
    page = (ROOT / "docs" / "theory.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    shared: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/theory.md", "exec"), shared)


def test_the_picture_of_the_page_exists():
    page = (ROOT / "docs" / "theory.md").read_text()
    (picture,) = re.findall(r"\]\((\S+\.png)\)", page)
    assert (ROOT / "docs" / picture).is_file()
