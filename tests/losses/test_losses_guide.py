"""Every Python block of docs/guide/losses.md runs as it stands; its table names each objective."""

from __future__ import annotations

import re
from pathlib import Path

from zerosum import losses

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "guide" / "losses.md").read_text()


def test_the_blocks_of_the_guide_run():
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 4
    shared: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/guide/losses.md", "exec"), shared)


def test_every_objective_has_its_row():
    objectives = PAGE.split("## Penalties")[0]
    rows = re.findall(r"^\| `(\w+)` \| ", objectives, flags=re.MULTILINE)
    assert rows == list(losses.OBJECTIVES)


def test_every_public_function_is_mentioned():
    internal = {"Critic", "Divergence", "ObjectiveName", "Samples", "eager_float32"}
    public = set(losses.__all__) - internal - {"gradient_norms", "LeCamAnchors"}
    assert {name for name in public if not re.search(rf"\b{name}\b", PAGE)} == set()
