"""Molecules for people: a grid of drawings, the text under each, and why some cannot be drawn."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from zerosum.chem import molecules as chem
from zerosum.chem.molecules import Mol
from zerosum.data.fields import Batch
from zerosum.modalities.molecules.smiles import SmilesCodec
from zerosum.plots import FAKE, REAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL, STRIP, GAP = 150, 28, 4
"""Pixels of a drawing's side, of the text below, and between two cells."""
_PAPER, _GREY, _INK, _FAINT = "#ffffff", "#e4e4e4", "#222222", "#777777"


def molecule_sheet(
    found: Sequence[tuple[Mol | None, str]], columns: int, captions: Sequence[str] = ()
) -> Image.Image:
    """Molecules in rows, each with its SMILES and a line below it.

    Args:
        found: Molecules as `SmilesCodec.read` gives them; one that is None becomes a grey cell
            with its reason.
        columns: Molecules in a row.
        captions: A second line under each; QED and SA where none is given.
    """
    columns = max(1, min(columns, len(found) or 1))
    rows = max(1, -(-len(found) // columns))
    width, height = CELL + GAP, CELL + STRIP + GAP
    sheet = Image.new("RGB", (columns * width - GAP, rows * height - GAP), _PAPER)
    for number, (mol, reason) in enumerate(found):
        row, column = divmod(number, columns)
        line = captions[number] if number < len(captions) else None
        sheet.paste(_cell(mol, reason, line), (column * width, row * height))
    return sheet


def _cell(mol: Mol | None, reason: str, line: str | None) -> Image.Image:
    cell = Image.new("RGB", (CELL, CELL + STRIP), _PAPER if mol is not None else _GREY)
    pen = ImageDraw.Draw(cell)
    if mol is None:
        pen.text((CELL / 2, (CELL + STRIP) / 2), reason, fill=_FAINT, font=_font(11), anchor="mm")
        return cell
    drawn = _drawing(mol)
    cell.paste(drawn, (0, 0))
    if line is None:
        line = f"QED {chem.qed(mol):.2f},  SA {chem.sa(mol):.1f}"
    text = _fitted(pen, chem.rdkit().MolToSmiles(mol))
    pen.text((CELL / 2, CELL + 6), text, fill=_INK, font=_font(10), anchor="mm")
    pen.text((CELL / 2, CELL + 19), line, fill=_FAINT, font=_font(10), anchor="mm")
    return cell


def _drawing(mol: Mol) -> Image.Image:
    draw = chem.require("rdkit.Chem.Draw.rdMolDraw2D", chem.EXTRA)
    canvas = draw.MolDraw2DCairo(CELL, CELL)
    options = canvas.drawOptions()
    options.bondLineWidth, options.padding = 1.4, 0.12
    options.fixedBondLength = 28  # small molecules would be blown up else
    draw.PrepareAndDrawMolecule(canvas, mol)
    canvas.FinishDrawing()
    return Image.open(io.BytesIO(canvas.GetDrawingText())).convert("RGB")


def _fitted(pen: ImageDraw.ImageDraw, text: str) -> str:
    """A text cut so that it fits below a drawing."""
    short = text
    while pen.textlength(short, font=_font(10)) > CELL - 4:
        short = short[:-2].rstrip("…") + "…"
    return short


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def twin_sheet(
    fake: Batch, train: Batch, codec: SmilesCodec, count: int = 6
) -> Image.Image | None:
    """Samples, each above the training molecule most like it; None where no sample is valid.

    Likeness is the Tanimoto similarity of Morgan fingerprints (radius 2, 2,048 bits); the samples
    that are most like a training molecule are shown.
    """
    made = [mol for mol in codec.decode(fake) if mol is not None]
    known = [mol for mol in codec.decode(train) if mol is not None]
    if not made or not known:
        return None
    morgan = chem.require("rdkit.Chem.rdFingerprintGenerator", chem.EXTRA)
    similar = chem.require("rdkit.DataStructs", chem.EXTRA).BulkTanimotoSimilarity
    maker = morgan.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [maker.GetFingerprint(mol) for mol in known]
    pairs: list[tuple[float, int, int]] = []
    for number, mol in enumerate(made):
        likeness = similar(maker.GetFingerprint(mol), prints)
        best = max(range(len(known)), key=likeness.__getitem__)
        pairs.append((likeness[best], number, best))
    shown = sorted(pairs, key=lambda pair: (-pair[0], pair[1]))[:count]
    captions = [f"likeness {likeness:.2f}" for likeness, _, _ in shown] + ["training"] * len(shown)
    cells = [(made[i], "") for _, i, _ in shown] + [(known[j], "") for _, _, j in shown]
    return molecule_sheet(cells, len(shown), captions)


def histogram(real: Sequence[float], fake: Sequence[float], title: str) -> Callable[[Axes], None]:
    """A property of real and generated molecules, as shares of each."""

    def draw(axis: Axes) -> None:
        low, high = min([*real, *fake]), max([*real, *fake])
        step = (high - low) / 30 or 1.0
        edges = [low + step * number for number in range(31)]
        for values, name, colour in ((real, "real", REAL), (fake, "generated", FAKE)):
            if values:
                share = [1 / len(values)] * len(values)
                axis.hist(values, bins=edges, weights=share, alpha=0.55, label=name, color=colour)
        axis.set_xlabel(title)
        axis.legend(fontsize=8, frameon=False)

    return draw
