"""Each row of the table of what is recognised as what, in docs/guide/data.md, is a test.

The rows are read from the page. Each has a builder that is found by the row's first cell; what the
last cell says between backticks must be said.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import recognised_sets
from recognised_folders import BUILDERS

from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.inspect import inspect
from zerosum.pipelines.reading import kind_of

assert recognised_sets.row, "imported for the builders that it registers"

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "data.md"
HEAD = "| there is | it is read as | which is said so |\n|---|---|---|\n"
TABLE = PAGE.read_text(encoding="utf-8").partition(HEAD)[2].partition("\n\n")[0]
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in TABLE.splitlines()
]


def test_every_row_has_a_builder_and_every_builder_a_row():
    assert [cells[0] for cells in ROWS] == list(BUILDERS)


@pytest.mark.parametrize("cells", ROWS, ids=lambda cells: cells[0].replace("`", ""))
def test_a_row_of_the_table(cells, tmp_path, monkeypatch):
    there, meaning, said = cells if len(cells) == 3 else (*cells, "")
    place = tmp_path / "set"
    place.mkdir()
    case = BUILDERS[there](place, monkeypatch)
    refused = meaning.startswith(("a question", "an error"))
    if refused:
        with pytest.raises(UserError) as caught:
            kind_of(str(case.path)) if case.ask else opened(case)
        assert "\n" not in str(caught.value)
        texts = [str(caught.value)]
        if case.config is Images and not case.ask:
            with pytest.raises(UserError):
                inspect(str(case.path))
    else:
        split = opened(case)
        held = 0 if split.heldout is None else len(split.heldout)
        size = len(split.train) if hasattr(split.train, "__len__") else None
        assert split.train.classes == case.classes
        assert (case.train if size is None else size, held) == (case.train, case.held)
        texts = [*split.train.notes, split.heldout_note]
        if case.config is Images:
            report = inspect(str(case.path))
            assert set(report.notes) == set(split.train.notes)
    for words in re.findall("`([^`]+)`", said):
        pattern = re.escape(words).replace(re.escape("..."), ".*")
        # names that are cut short end in real dots, which the pattern takes too
        assert any(re.search(pattern, text) for text in texts), (words, texts)
    if not said:
        assert texts == [split.heldout_note]


def opened(case):
    options = {"holdout": 0, **(case.options or {})}
    return case.config.model_validate({"path": str(case.path), **options}).open()
