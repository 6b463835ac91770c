"""Typed settings: what every part of a recipe is made of."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

_SIZE = re.compile(r"\s*[\[(]?\s*(\d+)\s*(?:[x,]\s*(\d+)\s*)?[\])]?\s*")


class Part(BaseModel):
    """A typed piece of a recipe: keywords only, an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


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


Size = Annotated[tuple[int, int], BeforeValidator(parse_size)]
"""(height, width) in pixels; one number means a square."""
