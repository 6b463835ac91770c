"""Write results into pages: one table per set, one section per model, and the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from zerosum.bench.families.chart import draw_progress, draw_spectra
from zerosum.bench.families.protocol import Protocol
from zerosum.bench.families.run import Result
from zerosum.bench.families.table import (
    Rivals,
    between_marks,
    by_system,
    note,
    section,
    table,
    wrapped,
)
from zerosum.errors import UserError


def publish(docs: Path, judge: Protocol, results: Sequence[Result], rivals: Rivals) -> list[Path]:
    """Bring a documentation folder up to date.

    Args:
        docs: Folder with `models/NAME.md` and `benchmarks/families.md`, which hold the marks
            `<!-- families: NAME -->` and `<!-- families SET -->`.
        judge: The protocol of the set.
        results: Results of any number of systems.
        rivals: Rows without training.

    Returns:
        Pages and pictures that were written.

    Raises:
        UserError: The folder has no such pages.
    """
    overview = docs / "benchmarks" / "families.md"
    if not overview.is_file():
        raise UserError(f"{overview} is not there: name the documentation's folder with --pages")
    written: list[Path] = []
    groups = by_system(results)
    pages = {name: docs / "models" / f"{name}.md" for name in groups}
    for name, group in groups.items():
        # The digits come first on a model's page, other sets have marks of their own.
        mark = f"families: {name}" + ("" if judge.preset == "digits" else f" {judge.preset}")
        if pages[name].is_file() and between_marks(
            pages[name], mark, section(judge, group, rivals)
        ):
            written.append(pages[name])
    links = {name: f"../models/{name}.md" for name, page in pages.items() if page.is_file()}
    text = f"{table(results, rivals, links)}\n\n{wrapped(note(judge, results))}"
    if between_marks(overview, f"families {judge.preset}", text):
        written.append(overview)
    pictures = docs / "pictures"
    named: Mapping[str, dict] = {name: dict(row) for name, row in rivals.items()}
    draw_progress(pictures / f"progress_{judge.preset}.png", judge, results, named)
    draw_spectra(pictures / f"spectra_{judge.preset}.png", judge, results)
    return [*written, *sorted(pictures.glob(f"*_{judge.preset}.png"))]
