"""What data tell a game about themselves, and how a game's configuration takes it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from zerosum.config import Part
from zerosum.data.codec import Codec
from zerosum.data.fields import Category, Field
from zerosum.errors import UserError


@dataclass(frozen=True)
class DataSpec:
    """What a data set tells a game.

    Attributes:
        fields: What each tensor of an example is, by name.
        codec: How users' objects became these fields; a game may keep parts of it.
    """

    fields: Mapping[str, Field]
    codec: Codec | None = None

    def shape(self, field: str) -> tuple[int, ...]:
        """The shape of one example of a field.

        Raises:
            UserError: The data have no such field, or its length varies.
        """
        if field not in self.fields:
            raise UserError(
                f"this model learns from '{field}', but the data hold "
                f"{', '.join(self.fields)}: choose other data with --data, or another model"
            )
        shape = self.fields[field].shape
        known = tuple(axis for axis in shape if axis is not None)
        if len(known) < len(shape):
            raise UserError(f"'{field}' varies in length, which this model cannot learn from")
        return known

    @property
    def classes(self) -> int:
        """Number of classes of `label`, 0 where there are no labels."""
        label = self.fields.get("label")
        return label.count if isinstance(label, Category) else 0


class GameConfig(Part):
    """What a game is built from. Each game nests its own subclass as `Config`."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Fields that the data must have, for people who choose a system."""

    def matched(self, spec: DataSpec) -> Self:
        """This configuration, with what the data decide filled in.

        Raises:
            UserError: The data and a value that was set by hand contradict each other.
        """
        return self

    def following(self, found: Mapping[str, Any]) -> Self:
        """This configuration with what was found in the data, by setting.

        Raises:
            UserError: A value that was set by hand, not 0, contradicts it.
        """
        for name, value in found.items():
            asked = getattr(self, name)
            if asked not in (0, (0, 0), value):
                raise UserError(
                    f"model.{name}={asked} but the data have {value}: "
                    "leave it out, the model follows the data"
                )
        return self.model_copy(update=dict(found))
