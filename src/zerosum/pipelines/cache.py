"""Features of real sets, kept from one evaluation to the next; nothing depends on them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zerosum.data.fields import Batch, size_of
from zerosum.data.places import CACHE_VARIABLE
from zerosum.errors import UserError
from zerosum.files import atomic
from zerosum.metrics.features import Features


class FeatureCache:
    """Reads and keeps features; a place that cannot be used is said once, and costs time only.

    Attributes:
        complaint: Why features could not be kept, with the cure; "" while they can.
    """

    def __init__(self) -> None:
        self.complaint = ""

    def read(self, examples: Batch, chosen: Features) -> dict[str, Tensor] | None:
        """What was kept of these examples; None where nothing was, or the file is damaged."""
        if not chosen.weight_hash:
            return None
        try:
            path = _file(examples, chosen)
            return load_file(path) if path.is_file() else None
        except (OSError, RuntimeError, SafetensorError):  # RuntimeError: there is no home
            return None

    def keep(self, examples: Batch, chosen: Features, found: dict[str, Tensor]) -> None:
        """Keep features for the next time, where that is possible."""
        if not chosen.weight_hash:
            return
        try:
            with atomic(_file(examples, chosen)) as partial:
                save_file({name: value.contiguous() for name, value in found.items()}, partial)
        except (UserError, OSError, RuntimeError) as error:
            reason = getattr(error, "what", str(error))
            self.complaint = (
                f"features of reals are not kept for the next time ({reason}): set "
                f"{CACHE_VARIABLE} to a folder that you may write to"
            )


def batch_hash(examples: Batch) -> str:
    """sha256 of the values of all fields and their shapes."""
    digest = hashlib.sha256()
    for name, value in sorted(examples.items()):
        digest.update(repr((name, tuple(value.shape), value.dtype)).encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def row_hashes(examples: Batch, names: Sequence[str]) -> Iterator[bytes]:
    """A hash of each example's values in some fields."""
    for row in range(size_of(examples)):
        digest = hashlib.blake2b(digest_size=16)
        for name in names:
            digest.update(examples[name][row].contiguous().numpy().tobytes())
        yield digest.digest()


def cache_folder() -> Path:
    """Where features of real sets are kept: `ZEROSUM_CACHE`, or the platform's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser() / "features"
    import pooch

    return Path(pooch.os_cache("zerosum")) / "features"


def _file(examples: Batch, chosen: Features) -> Path:
    parts = (batch_hash(examples), chosen.name, chosen.weight_hash, chosen.filter)
    return cache_folder() / f"{hashlib.sha256(repr(parts).encode()).hexdigest()}.safetensors"
