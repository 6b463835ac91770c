"""From users' objects (pictures, rows, molecules) to fields and back; kept with every model."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from zerosum.data.fields import Batch, Field
from zerosum.errors import UserError
from zerosum.files import atomic, must_be_empty, must_be_file, write_text

FORMAT = 1


class Codec(ABC):
    """Users' objects <-> fields. Fitted once on the training part, then saved with the model.

    Attributes:
        fields: What each tensor of an example is.
        suffixes: Of the files that `write` knows, such as `.png`; "" for a folder.
    """

    fields: Mapping[str, Field]
    suffixes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def encode(self, objects: Sequence[Any]) -> dict[str, Tensor]:
        """Objects as a raw batch, as `Source.fetch` gives it.

        Raises:
            UserError: An object that the codec does not know; the message names it.
        """

    @abstractmethod
    def decode(self, batch: Batch) -> Any:
        """Objects of finished examples or samples (N, ...), which may hold further fields.

        As a list, or as what users of that kind expect, such as a DataFrame.
        """

    @abstractmethod
    def write(self, batch: Batch, path: Path) -> int:
        """Write finished examples or samples to a file or, without a suffix, into a folder.

        Returns:
            How many were written; fewer than there are where some are none of their kind.

        Raises:
            UserError: A suffix that is not among `suffixes`, or a folder that is not empty.
        """

    def streams(self, path: Path) -> bool:
        """Whether `write_parts` writes to such a path without holding all samples."""
        return False

    def write_parts(self, parts: Iterable[Batch], n: int, path: Path) -> int:
        """As `write`, of n samples that come in parts, in order.

        Where nothing streams, they are held until the last one is there.
        """
        return self.write(joined(parts), path)

    def write_raw(self, batch: Batch, path: Path) -> int:
        """Write a line for each sample, an empty one where it is none of its kind.

        Returns:
            How many lines are not empty.

        Raises:
            UserError: A suffix that has no lines, or samples of which each is one of its kind.
        """
        raise UserError("--raw is for molecules, of which some samples are none: leave it out")

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """All that was fitted: JSON, and tensors by name."""

    @classmethod
    @abstractmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """The codec that gave a state."""

    def check(self, path: Path) -> None:
        """Refuse a path that `write` would refuse, before anything is drawn.

        Raises:
            UserError: Its suffix is unknown, or it is a place where it cannot be written.
        """
        if path.suffix.lower() not in self.suffixes:
            known = ", ".join(suffix or "a folder" for suffix in self.suffixes)
            raise UserError(f"{path} is of no known kind: these samples are written to {known}")
        if path.suffix:
            must_be_file(path, "--out")
        else:
            must_be_empty(path)

    @property
    def hash(self) -> str:
        """sha256 of the whole state."""
        facts, tensors = self.state()
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        for name, tensor in sorted(tensors.items()):
            digest.update(name.encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


def joined(parts: Iterable[Batch]) -> dict[str, Tensor]:
    """Batches of the same fields as one, in order."""
    held = list(parts)
    return {name: torch.cat([part[name] for part in held]) for name in held[0]}


def write_codec(codec: Codec, folder: Path) -> None:
    """Write `codec.json` and, where there are tensors, `codec.safetensors` into a folder."""
    facts, tensors = codec.state()
    if tensors:
        content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        with atomic(folder / "codec.safetensors") as partial:
            partial.write_bytes(content)
    tree = {"format": FORMAT, "hash": codec.hash, "state": facts}
    write_text(folder / "codec.json", json.dumps(tree, indent=2) + "\n")


def read_codec(kind: type[Codec], folder: Path) -> Codec | None:
    """The codec of a folder; None where it holds none.

    Raises:
        UserError: A file is damaged, or written by a newer version.
    """
    path, weights = folder / "codec.json", folder / "codec.safetensors"
    if not path.is_file():
        return None
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        if tree["format"] > FORMAT:
            raise UserError(
                f"{path} was written by a newer zerosum: upgrade with  pip install -U zerosum"
            )
        tensors = load(weights.read_bytes()) if weights.is_file() else {}
        codec, stored = kind.from_state(tree["state"], tensors), tree["hash"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise UserError(f"{path} is damaged and cannot be read: {error}") from error
    if codec.hash != stored:
        raise UserError(f"{path} and codec.safetensors do not fit: one of them is another run's")
    return codec
