"""Typed settings: what every part of a recipe is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from zerosum.limits import LARGEST_CLOCK, LARGEST_SEED

_SIZE = re.compile(r"\s*[\[(]?\s*(\d+)\s*(?:[x,]\s*(\d+)\s*)?[\])]?\s*")


class Part(BaseModel):
    """A typed piece of a recipe: keywords only; an unknown key, NaN or infinity is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


@dataclass(frozen=True)
class Unbounded:
    """Marks a number of a recipe that may have any finite value."""

    why: str


Count = Annotated[int, Field(ge=1, le=2**20)]
"""How many of something that must be there: channels, units, layers, moves."""
Whole = Annotated[int, Field(ge=0, lt=2**63)]
"""A number that counts something and may be 0."""
Examples = Annotated[int, Field(ge=1, le=LARGEST_CLOCK)]
"""A position or a distance on the clock of a run. Every such number is exact as a float."""
Weight = Annotated[float, Field(ge=0, le=1e12)]
"""What a term of a loss is multiplied by, or another strength; squared it is still a float32."""
Positive = Annotated[float, Field(gt=0, le=1e12)]
"""A scale."""
Fraction = Annotated[float, Field(ge=0, lt=1)]
"""A share of which something must be left, such as dropout's."""
Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole."""
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
"""What a pseudo-random stream begins from; torch takes 64 bits with a sign."""
Workers = Annotated[int, Field(ge=0, le=1024)]
"""How many processes."""
AnyNumber = Annotated[float, Field(ge=-1e12, le=1e12)]
"""A place on a line, such as the target of a logit: of either sign."""


def parse_size(value: object) -> object:
    """Read a size: 64 and "64" mean a square, "64x128" and "64,128" height and width.

    Raises:
        ValueError: A text that is none of these.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, value)
    if isinstance(value, str):
        found = _SIZE.fullmatch(value)
        if found is None:
            raise ValueError("this is no size: write 64 or 64x128 (height x width)")
        return (int(found[1]), int(found[2] or found[1]))
    return value


_Pixels = Annotated[int, Field(ge=0, le=2**16)]
Size = Annotated[tuple[_Pixels, _Pixels], BeforeValidator(parse_size)]
"""(height, width) in pixels; one number means a square."""


def parse_words(value: object) -> object:
    """A text as the words between its commas; anything else as it is."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(parse_words)]
"""Words, which may be typed with commas between them."""
