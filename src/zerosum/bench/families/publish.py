"""Write results into pages: one table per set, one section per model, and the pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from zerosum.bench.families.chart import draw_progress, draw_spectra
from zerosum.bench.families.protocol import Protocol
from zerosum.bench.families.run import Result
from zerosum.bench.families.table import (
    Rivals,
    by_row,
    note,
    section,
    table,
    wrapped,
)
from zerosum.bench.pages import between_marks, demand, marked
from zerosum.errors import UserError
from zerosum.files import atomic


def publish(
    docs: Path, judge: Protocol, results: Sequence[Result], rivals: Rivals, runs: Path
) -> list[Path]:
    """Bring a documentation folder up to date.

    Args:
        docs: Folder with `models/NAME.md` and `benchmarks/families.md`, which hold the marks
            `<!-- families: NAME -->` and `<!-- families SET -->`.
        judge: The protocol of the set.
        results: Results of any number of systems.
        rivals: Rows without training.
        runs: Folder of the runs of this set, from which sheets of samples are taken.

    Returns:
        Pages and pictures that were written.

    Raises:
        UserError: The folder has no such pages, or its table has systems that are not among the
            results.
    """
    overview = docs / "benchmarks" / "families.md"
    if not marked(overview, f"families {judge.preset}"):
        raise UserError(
            f"{overview} is not there or has no place for this table: name the documentation's "
            "folder with --pages"
        )
    present = demand(overview, f"families {judge.preset}").group(1)
    lost = set(re.findall(r"\]\(\.\./models/(\w+)\.md\)", present))
    lost -= {result["system"] for result in results}
    if lost:
        raise UserError(
            f"the table of {overview} would lose {', '.join(sorted(lost))}: name all its systems "
            "with --systems, which trains none that has results in --out"
        )
    written: list[Path] = []
    groups: dict[str, list[Result]] = {}
    for rows in by_row(results).values():
        groups.setdefault(rows[0]["system"], []).extend(rows)
    pages = {name: docs / "models" / f"{name}.md" for name in groups}
    pictures = docs / "pictures"
    for name, group in groups.items():
        # The digits come first on a model's page, other sets have marks of their own.
        mark = f"families: {name}" + ("" if judge.preset == "digits" else f" {judge.preset}")
        if not marked(pages[name], mark):
            continue
        sheet = pictures / f"{name}_{judge.preset}.png"
        drawn = runs / f"{name}-{group[0]['seed']}" / "run" / "samples.png"
        with Image.open(drawn) as picture, atomic(sheet) as partial:
            _reduced(picture).save(partial, format="PNG", optimize=True)
        text = section(judge, group, rivals, f"../pictures/{sheet.name}")
        between_marks(pages[name], mark, text)
        written += [pages[name], sheet]
    links = {name: f"../models/{name}.md" for name, page in pages.items() if page.is_file()}
    text = f"{table(results, rivals, links)}\n\n{wrapped(note(judge, results))}"
    between_marks(overview, f"families {judge.preset}", text)
    written.append(overview)
    progress, spectra = (
        pictures / f"{kind}_{judge.preset}.png" for kind in ("progress", "spectra")
    )
    if draw_progress(progress, judge, results, rivals):
        written.append(progress)
    if draw_spectra(spectra, judge, results):
        written.append(spectra)
    return written


def _reduced(sheet: Image.Image, side: int = 480) -> Image.Image:
    """A sheet small enough for a page."""
    small = sheet.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small
