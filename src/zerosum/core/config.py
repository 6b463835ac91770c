"""Typed configurations of games, and what a data set tells a game about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict

from zerosum.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping


def _square(size: object) -> object:
    """Accept one number for a square."""
    return (size, size) if isinstance(size, int | float | str) else size


Size = Annotated[tuple[int, int], BeforeValidator(_square)]
"""(height, width) in pixels; one number means a square."""


@dataclass(frozen=True)
class DataSpec:
    """What a data set tells a game: shapes per sample and the number of classes.

    Attributes:
        shapes: Shape of one sample of each field, such as `{"image": (1, 28, 28), "label": ()}`.
        classes: Number of classes, 0 where there are no labels.
    """

    shapes: Mapping[str, tuple[int, ...]]
    classes: int = 0

    def shape(self, field: str) -> tuple[int, ...]:
        """The shape of one sample of a field.

        Raises:
            UserError: The data have no such field.
        """
        if field not in self.shapes:
            raise UserError(
                f"this model learns from '{field}', but the data hold "
                f"{', '.join(self.shapes)}: choose other data with --data, or another model"
            )
        return self.shapes[field]


class Part(BaseModel):
    """A typed piece of a recipe: keywords only, an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class GameConfig(Part):
    """What a game is built from. Each game nests its own subclass as `Config`."""

    def matched(self, spec: DataSpec) -> Self:
        """This configuration, with what the data decide filled in.

        Raises:
            UserError: The data and a value that was set by hand contradict each other.
        """
        return self


class ImageConfig(GameConfig):
    """Configuration of a game about images of one size."""

    channels: int = 0
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

    classes: int = 0
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
