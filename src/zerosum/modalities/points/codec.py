"""Points <-> fields, and the files that points are written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.fields import Batch, Category, Field, Numbers
from zerosum.files import atomic
from zerosum.modalities.points.show import scatter
from zerosum.plots import save_figure


class PointCodec(Codec):
    """Points of so many coordinates, with the mode that each came from where that is known."""

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".npz", ".png")

    def __init__(self, dimensions: int, classes: Sequence[str] = ()) -> None:
        self.dimensions, self.classes = dimensions, tuple(classes)
        fields: dict[str, Field] = {"point": Numbers(shape=(dimensions,))}
        if self.classes:
            fields["label"] = Category(count=len(self.classes), names=self.classes)
        self.fields = fields

    def encode(self, objects: Sequence[Sequence[float]]) -> dict[str, Tensor]:
        """Points as `point`, float32 (N, D)."""
        return {"point": torch.as_tensor(np.asarray(objects, dtype=np.float32))}

    def decode(self, batch: Batch) -> np.ndarray:
        """The field `point` as an array (N, D)."""
        return batch["point"].float().cpu().numpy()

    def write(self, batch: Batch, path: Path) -> int:
        """Rows of coordinates (.csv), an array `samples` (.npz), or a plot (.png)."""
        self.check(path)
        if path.suffix.lower() == ".png":
            save_figure(scatter(batch["point"], None), path)
            return len(batch["point"])
        points = self.decode(batch)
        with atomic(path) as partial:
            if path.suffix.lower() == ".csv":
                header = ",".join(f"x{axis}" for axis in range(points.shape[1]))
                np.savetxt(partial, points, "%.9g", delimiter=",", header=header, comments="")
            else:
                labels = {"labels": batch["label"].cpu().numpy()} if "label" in batch else {}
                np.savez_compressed(partial, allow_pickle=False, samples=points, **labels)
        return len(batch["point"])

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        return {"dimensions": self.dimensions, "classes": list(self.classes)}, {}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        return cls(facts["dimensions"], facts["classes"])
