"""Configurations of games about pictures: what the data decide is filled in."""

from __future__ import annotations

from typing import ClassVar, Self

from zerosum.config import Size, Whole
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError


class ImageConfig(GameConfig):
    """Configuration of a game about images of one size."""

    needs: ClassVar[tuple[str, ...]] = ("image",)

    channels: Whole = 0
    """Colour channels; 0 takes the number from the data."""
    size: Size = (0, 0)
    """(height, width) in pixels; 0 takes it from the data."""

    def matched(self, spec: DataSpec) -> Self:
        channels, *size = spec.shape("image")
        found = {"channels": channels, "size": (size[0], size[1])}
        asked = {"channels": self.channels, "size": self.size}
        for name, value in found.items():
            if asked[name] not in (0, (0, 0), value):
                raise UserError(
                    f"model.{name}={asked[name]} but the data have {value}: "
                    f"set data.{name} instead, the model follows"
                )
        return self.model_copy(update=found)


class LabelledImageConfig(ImageConfig):
    """Configuration of a game about images with class labels."""

    needs: ClassVar[tuple[str, ...]] = ("image", "label")

    classes: Whole = 0
    """Number of classes; 0 takes it from the data."""

    def matched(self, spec: DataSpec) -> Self:
        if spec.classes < 2:
            raise UserError(
                "this model is conditional and needs labels, but the data have none: put the "
                "images into one sub-folder per class, or choose a model without labels (dcgan)"
            )
        if self.classes not in (0, spec.classes):
            raise UserError(
                f"model.classes={self.classes} but the data have {spec.classes} classes: "
                "leave model.classes out, the model follows the data"
            )
        return super().matched(spec).model_copy(update={"classes": spec.classes})
