"""Points in one or two dimensions, whose laws are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.fields import Batch, Field
from zerosum.errors import UserError
from zerosum.modalities.modality import Fault, Inspection, Modality, Panel, repeats
from zerosum.modalities.points.codec import PointCodec
from zerosum.modalities.points.config import Toy
from zerosum.modalities.points.laws import DEFAULTS
from zerosum.modalities.points.show import draw_points, scatter
from zerosum.plots import figure_picture

__all__ = ["MODALITY", "PointCodec", "Points", "Toy"]

ON_A_SHEET = 2_000


class Points(Modality):
    """Points (N, D), drawn from a law by its name."""

    name: ClassVar[str] = "points"
    noun: ClassVar[str] = "points"
    configs: ClassVar[tuple[type[DataConfig], ...]] = (Toy,)
    default: ClassVar[str] = "toy/ring"
    raw: ClassVar[str] = "points"

    def reads(self, path: str) -> str:
        return f"points of the law '{path}'" if path in DEFAULTS else ""

    def inspect(
        self, path: str, *, limit: int | None = None, on_progress: OnProgress | None = None
    ) -> Inspection:
        if path not in DEFAULTS:
            raise UserError(f"{path} is no law of points: choose of {', '.join(DEFAULTS)}")
        split = Toy.model_validate({"name": path}).open()
        some = split.train.some(10_000)["point"]
        low, high = some.amin(0).tolist(), some.amax(0).tolist()
        spans = [f"{a:.3g} to {b:.3g}" for a, b in zip(low, high)]
        rows = {
            "points": f"drawn from a law (held out: {split.heldout_note})",
            "coordinates": f"{len(spans)}: {', '.join(spans)}",
            "modes": str(len(split.train.classes) or "none"),
        }
        facts = {"law": path, "low": low, "high": high, "modes": len(split.train.classes)}
        command = f"zerosum train toy --data {path}"
        return Inspection(path, rows, (), (), command, facts)

    def on_a_sheet(self, fields: Mapping[str, Field]) -> tuple[int, int]:
        return ON_A_SHEET, 0

    def sheet(
        self,
        samples: Batch,
        codec: Codec,
        *,
        real: Batch,
        columns: int,
        title: str,
        captions: Sequence[str] = (),
    ) -> Image.Image:
        return figure_picture(scatter(samples["point"], real.get("point"), title))

    def panels(self, real: Batch, fake: Batch, codec: Codec) -> dict[str, Panel]:
        return {"Points": lambda axis: draw_points(axis, fake["point"], real["point"])}

    def rows(self, batch: Batch) -> Tensor:
        return batch["point"].detach().flatten(1).float().cpu()

    def faults(self, some: Batch, fields: Mapping[str, Field]) -> list[Fault]:
        # Points of a law lie as close as they like; only equal ones are repeats.
        return repeats(self.rows(some), 0.0)


MODALITY = Points()
