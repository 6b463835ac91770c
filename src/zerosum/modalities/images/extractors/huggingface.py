"""DINOv2 and CLIP from the Hugging Face hub, or from folders in its format (extra `hub`).

Oquab et al. 2023, "DINOv2: Learning Robust Visual Features without Supervision",
arXiv:2304.07193; Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
Supervision", arXiv:2103.00020. DINOv2's features follow people's judgement of generated images
better than Inception's do: Stein et al. 2023, "Exposing flaws of generative model evaluation
metrics and their unfair treatment of diffusion models", arXiv:2306.04675 (with the larger
ViT-L/14). ViT-B/32 is the CLIP of Kynkäänniemi et al. 2023, "The Role of ImageNet Classes in
Fréchet Inception Distance", arXiv:2203.06026.

Whole images are stretched to the square that the network sees, without the crop of the models'
own preprocessors, so that nothing of a sample goes unseen; no image library is needed for that.
Published scores may be of other sizes and other preparations of these models: the name here says
which one it is, and neither is called FD-DINOv2 or the like.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from zerosum.errors import UserError, require
from zerosum.modalities.images.extractors.base import (
    NetworkExtractor,
    Outputs,
    file_hash,
    find_weights,
    resized,
    rgb,
)

EXTRA: Final = "hub"
CONFIG: Final = "config.json"
WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
"""Files of weights, the first one found being read."""


@dataclass(frozen=True)
class Kind:
    """A family of networks.

    Attributes:
        repository: On the hub, of the one that is meant where none is named.
        network: Class in `transformers`.
        output: Field of the network's output that is the features, (B, d).
        mean: Of red, green and blue in [0, 1], as in its training.
        deviation: Of the same.
        side: Of the square that the network sees; None for what its configuration says.
    """

    repository: str
    network: str
    output: str
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    side: int | None = None


KINDS: Final = {
    "dinov2": Kind(
        repository="facebook/dinov2-base",
        network="Dinov2Model",
        output="pooler_output",  # the class token after the last normalisation
        mean=(0.485, 0.456, 0.406),
        deviation=(0.229, 0.224, 0.225),
        side=224,  # the configuration has 518, of the last part of training
    ),
    "clip": Kind(
        repository="openai/clip-vit-base-patch32",
        network="CLIPVisionModelWithProjection",
        output="image_embeds",
        mean=(0.48145466, 0.4578275, 0.40821073),
        deviation=(0.26862954, 0.26130258, 0.27577711),
    ),
}


class HubExtractor(NetworkExtractor):
    """`dinov2` or `clip`, or one of them with a colon and a folder or another repository."""

    def __init__(self, kind: str, place: str = "") -> None:
        """Load the network, in float32; what the hub sent once is not fetched again.

        Args:
            kind: One of `KINDS`.
            place: A folder that `save_pretrained` wrote, or a repository on the hub; empty for
                the usual one, which is also looked for in the folder of ZEROSUM_WEIGHTS.

        Raises:
            UserError: The library is missing, the weights cannot be reached, or they are those
                of another kind of network.
        """
        self.kind = KINDS[kind]
        usual = self.kind.repository.rpartition("/")[2]
        # Scores of two sizes of a model must not share a name.
        self.name = f"{kind}:{Path(place).expanduser().resolve().name}" if place else usual
        library: Any = require("transformers", EXTRA)
        if not place:
            here = find_weights(f"{usual}/config.json")
            place = str(here.parent) if here else self.kind.repository
        with _quiet(library):
            config, weights = _files(kind, place)
            network = _network(library, self.kind, config, f"{kind}:{place}")
        super().__init__(network)
        self.weight_hash = file_hash(weights)
        self.side = self.kind.side or int(network.config.image_size)
        self.filter = f"antialiased bicubic to {self.side}x{self.side} unless of that size"

    @torch.no_grad()
    def outputs(self, images: Tensor) -> Outputs:
        seen = resized(rgb(images, self.name).float(), self.side, "bicubic")
        mean, deviation = (
            seen.new_tensor(values)[:, None, None]
            for values in (self.kind.mean, self.kind.deviation)
        )
        found = self.network(pixel_values=((seen + 1) / 2 - mean) / deviation)
        return Outputs(found[self.kind.output].float(), None)


def _files(kind: str, place: str) -> tuple[Path, Path]:
    """The configuration and the weights, in one folder, from the hub where need be."""
    folder = Path(place).expanduser()
    if folder.is_dir():
        weights = next((folder / f for f in WEIGHTS if (folder / f).is_file()), None)
        if weights is None or not (folder / CONFIG).is_file():
            raise UserError(
                f"{folder} has no {CONFIG} with {' or '.join(WEIGHTS)}: "
                "write such a folder with save_pretrained"
            )
        return folder / CONFIG, weights
    if place.startswith(("/", ".", "~")):
        raise UserError(f"no folder {place}: write --features {kind}:FOLDER, or only {kind}")
    hub: Any = require("huggingface_hub", EXTRA)
    try:
        try:
            return _fetch(hub, place, cached=True)
        except hub.errors.EntryNotFoundError:
            return _fetch(hub, place, cached=False)
    except Exception as error:
        # The library raises its own, its client's and the system's errors alike.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{kind} cannot get {place} from the Hugging Face hub ({reason.rstrip('. ')}): check "
            f"name and network, or write --features {kind}:FOLDER with a folder of its files"
        ) from error


def _fetch(hub: Any, repository: str, *, cached: bool) -> tuple[Path, Path]:
    config = hub.hf_hub_download(repository, CONFIG, local_files_only=cached)
    first, second = WEIGHTS
    try:
        weights = hub.hf_hub_download(repository, first, local_files_only=cached)
    except hub.errors.EntryNotFoundError:
        weights = hub.hf_hub_download(repository, second, local_files_only=cached)
    return Path(config), Path(weights)


def _network(library: Any, kind: Kind, config: Path, name: str) -> Any:
    """The network with all of its weights.

    Raises:
        UserError: Weights of another kind, which the library would fill up with random ones.
    """
    # The whole CLIP states the width of its embeddings for both towers, not in the one's part.
    stated = json.loads(config.read_text(encoding="utf-8")).get("projection_dim")
    width = {} if stated is None else {"projection_dim": stated}
    try:
        network, facts = getattr(library, kind.network).from_pretrained(
            config.parent, output_loading_info=True, local_files_only=True, **width
        )
        lacking = sorted(facts["missing_keys"])
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{name} does not load as {kind.network}: is it another model?") from error
    if lacking:
        raise UserError(
            f"{name} is no {kind.network}: it lacks {lacking[0]} and {len(lacking) - 1} more"
        )
    return network.float()


@contextmanager
def _quiet(library: Any) -> Iterator[None]:
    """No reports of what was left out, and no retries told; downloads still show their bar."""
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    bars = library.utils.logging
    shown = bars.is_progress_bar_enabled()
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        bars.disable_progress_bar()
        yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
        if shown:
            bars.enable_progress_bar()
