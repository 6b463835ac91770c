"""What a user can say about a set of pictures."""

from __future__ import annotations

from typing import ClassVar, Literal

from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.source import Split
from zerosum.modalities.images.codec import ImageCodec
from zerosum.modalities.images.settings import PictureSettings


class Images(PictureSettings):
    """Pictures: a named set, a folder, an archive, an array file, the hub, or tar shards."""

    codec: ClassVar[type[Codec]] = ImageCodec

    kind: Literal["images"] = "images"
    """Sets of pictures."""
    path: str = "digits"
    """Named set (digits, mnist, fashion-mnist, cifar10), folder, .zip, .tar, .npz, .npy, IDX file,
    hf:org/name[:split][#column], or wds:shards-{000..009}.tar[#suffix]."""
    labels: bool = True
    """Use class labels where there are any."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Find, check and, where they fit, decode the pictures.

        Returns:
            Training and held-out pictures. `train` is a stream for tar shards.

        Raises:
            UserError: Nothing is there, a picture cannot be read, or sizes differ and none
                was asked for.
        """
        # Imported here: a recipe that only names its data should not load decoders.
        from zerosum.modalities.images.containers import Shards, container
        from zerosum.modalities.images.opening import open_gallery
        from zerosum.modalities.images.streaming import open_stream

        kept = codec if isinstance(codec, ImageCodec) else None
        found = container(self.path)
        if isinstance(found, Shards):
            split = open_stream(self, self.labels, found.paths, kept, on_progress, found.picture)
            split.train.notes = found.notes + split.train.notes
            return split
        gallery = found.gallery(self.memory)
        return open_gallery(self, self.path, self.labels, gallery, kept, on_progress)

    @property
    def title(self) -> str:
        return self.path
