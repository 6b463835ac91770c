"""Pictures that are judged one by one, and their maps of anomalies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.fields import Batch
from zerosum.data.walking import LeftOut
from zerosum.errors import UserError
from zerosum.modalities.images.anomaly_sets import is_mask, truths
from zerosum.modalities.images.archives import FolderPictures
from zerosum.modalities.images.containers import container
from zerosum.modalities.images.decoding import unreadable
from zerosum.modalities.images.gallery import BadPictureError, Pictures
from zerosum.modalities.images.listing import Listing, is_picture
from zerosum.modalities.images.pictures import to_pictures
from zerosum.modalities.modality import Listed

SIDE = 256
"""Pixels that the longer side of a small picture is enlarged to, by a whole factor."""
RED = (214, 39, 40)
STRONGEST = 0.8
"""How much of a fully marked pixel is the mark."""


def listed(path: str, codec: Codec) -> Listed:
    """The pictures of a folder, archive, array, named set or file; masks of anomalies left out.

    Raises:
        UserError: Nothing is there.
    """
    pictures, notes = _pictures(path)
    names = [str(name) for name in pictures.names]
    numbers = [number for number, name in enumerate(names) if not is_mask(name)]

    def raw(number: int) -> Batch:
        try:
            return codec.encode([pictures.image(numbers[number])])
        except BadPictureError as error:
            raise unreadable(error) from error

    kept = [names[number] for number in numbers]
    if not kept:
        raise UserError(f"{path} holds no pictures to be judged: name another folder")
    return Listed(kept, raw, truths(kept), notes)


def _pictures(path: str) -> tuple[Pictures, tuple[str, ...]]:
    place = Path(path).expanduser()
    if place.is_file() and is_picture(place.name):
        alone = Listing(str(place.parent), [place.name], LeftOut())
        return FolderPictures(place.parent, alone), ()
    gallery = container(path).gallery()
    return gallery.pictures, gallery.pictures.notes


def marked(images: Tensor, heat: Tensor, level: float) -> Image.Image:
    """A picture (1, C, H, W) in [-1, 1], anomalous pixels in red; see `Modality.marked`."""
    (picture,) = to_pictures(images)
    share = STRONGEST * (heat[0, 0] / max(level, 1e-12) - 1).clamp(0, 1).cpu().numpy()[..., None]
    plain = np.asarray(picture.convert("RGB"), dtype=np.float32)
    mixed = (1 - share) * plain + share * np.array(RED, dtype=np.float32)
    made = Image.fromarray(mixed.round().astype(np.uint8))
    factor = max(1, SIDE // max(made.size))
    return made.resize((made.width * factor, made.height * factor), Image.Resampling.NEAREST)
