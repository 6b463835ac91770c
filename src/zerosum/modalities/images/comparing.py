"""Two sets of pictures brought to one shape, so that one can be scored against the other."""

from __future__ import annotations

from zerosum.data.source import Source
from zerosum.errors import UserError
from zerosum.modalities.images.codec import ImageCodec
from zerosum.modalities.images.config import Images
from zerosum.modalities.images.named import NAMES

HELD_OUT = 0.2
"""Share of a folder of reals that is kept for the ceiling; enough for one in small folders."""


def comparable(real: str, fake: str, size: tuple[int, int] | None = None) -> tuple[Images, Images]:
    """Configs of real and generated images of equal size and channels.

    Args:
        real: Folder, archive or named set of real images.
        fake: The same of generated ones.
        size: (height, width) that both are brought to; None for the size that they have.

    Raises:
        UserError: A set cannot be read, or sizes are mixed.
    """
    config = Images(path=real, size=size)
    if real not in NAMES:  # those keep what their classifiers have not seen either
        config = config.model_copy(update={"holdout": HELD_OUT})
    made = Images(path=fake, size=size, holdout=0)
    ours, theirs = _codec(config), _codec(made)
    first, second = ours.framing.size, theirs.framing.size
    if first != second:
        size_a, size_b = (f"{height}x{width}" for height, width in (first, second))
        raise UserError(f"{real} has {size_a} images and {fake} {size_b}: add --size {size_a}")
    alike = {
        "channels": max(ours.framing.channels, theirs.framing.channels),
        "labels": bool(ours.classes) and set(ours.classes) == set(theirs.classes),
    }
    return config.model_copy(update=alike), made.model_copy(update=alike)


def _codec(config: Images) -> ImageCodec:
    """What a set is like: size, channels, classes."""
    try:
        split = config.open()
    except UserError as error:
        raise UserError(str(error).replace("data.size=", "--size ")) from error
    if not isinstance(split.train, Source):
        raise UserError(f"{config.path} is a stream of shards: name a folder or an archive")
    assert isinstance(split.codec, ImageCodec)
    return split.codec
