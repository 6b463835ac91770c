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
        return super().matched(spec).model_copy(update={"classes": classes_of(spec, self.classes)})


class MaybeLabelledImageConfig(ImageConfig):
    """Configuration of a game that is told the class of an image where it is asked to be."""

    labels: bool = False
    """Tell both networks the class; needs data with labels."""
    classes: Whole = 0
    """Number of classes with `labels`, taken from the data; 0 without."""

    def matched(self, spec: DataSpec) -> Self:
        if self.classes and not self.labels:
            raise UserError(
                f"model.classes={self.classes} without labels: set model.labels=true, or leave "
                "model.classes out"
            )
        classes = classes_of(spec, self.classes) if self.labels else 0
        return super().matched(spec).model_copy(update={"classes": classes})


def classes_of(spec: DataSpec, asked: int = 0) -> int:
    """The number of classes of data for a game that is told them.

    Args:
        spec: What the data are.
        asked: The number that was set by hand; 0 for none.

    Raises:
        UserError: There are no labels, or another number of classes.
    """
    if spec.classes < 2:
        raise UserError(
            "this model is conditional and needs labels, but the data have none: put the "
            "images into one sub-folder per class, or choose a model without labels (dcgan)"
        )
    if asked not in (0, spec.classes):
        raise UserError(
            f"model.classes={asked} but the data have {spec.classes} classes: "
            "leave model.classes out, the model follows the data"
        )
    return spec.classes
