"""Pictures: sets of them, with or without labels, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.fields import Batch, Field
from zerosum.data.source import Source
from zerosum.errors import UserError
from zerosum.metrics.features import Features
from zerosum.metrics.registry import Metric
from zerosum.modalities.images.anomalies import Anomalies
from zerosum.modalities.images.codec import ImageCodec
from zerosum.modalities.images.config import Images
from zerosum.modalities.images.degraded import Degraded
from zerosum.modalities.images.domains import DomainCodec, Domains
from zerosum.modalities.images.dressed import Dressed
from zerosum.modalities.images.fields import ImageField, LabelMap, Lightness
from zerosum.modalities.images.greyed import Greyed, GreyedCodec, without_learning
from zerosum.modalities.images.label_maps import LabelCodec, in_colours
from zerosum.modalities.images.labelled import Labelled
from zerosum.modalities.images.masked import Masked
from zerosum.modalities.images.model import (
    ImageConfig,
    LabelledImageConfig,
    MaybeLabelledImageConfig,
)
from zerosum.modalities.images.pairs import Pairs
from zerosum.modalities.images.unpaired import Unpaired
from zerosum.modalities.modality import (
    Choice,
    Fault,
    Inspection,
    Listed,
    Modality,
    Panel,
    repeats,
)

__all__ = [
    "MODALITY",
    "Anomalies",
    "Degraded",
    "Domains",
    "Dressed",
    "Greyed",
    "ImageCodec",
    "ImageConfig",
    "ImageField",
    "Images",
    "LabelMap",
    "Labelled",
    "LabelledImageConfig",
    "Lightness",
    "Masked",
    "MaybeLabelledImageConfig",
    "Pairs",
    "Unpaired",
]

WIDEST = 3072
"""Most values of a picture that are compared as they are while a training goes on."""
EACH = 64
"""Training pictures of each domain, about, that baselines may take from."""
LOOK = 200
"""Pictures looked at to choose a size when no model is named."""


class Pictures(Modality):
    """Pictures of one size, uint8 in files and [-1, 1] for networks, in the field `image`."""

    name: ClassVar[str] = "images"
    noun: ClassVar[str] = "images"
    configs: ClassVar[tuple[type[DataConfig], ...]] = (
        Images,
        Pairs,
        Unpaired,
        Labelled,
        Domains,
        Anomalies,
        Degraded,
        Masked,
        Greyed,
        Dressed,
    )
    default: ClassVar[str] = "rpgan/photos"
    raw: ClassVar[str] = "pixels"

    @property
    def own_metrics(self) -> Mapping[str, Metric]:
        from zerosum.modalities.images.judge import METRICS
        from zerosum.modalities.images.paired_scores import PAIRED_METRICS, RETURN_METRICS
        from zerosum.modalities.images.referees import REFEREED

        return {**METRICS, **PAIRED_METRICS, **RETURN_METRICS, **REFEREED}

    def learned(self, train: Source) -> Source:
        return train

    def usual_metrics(self, fields: Mapping[str, Field]) -> tuple[str, ...]:
        return ("kd", "l1", "psnr") if "input" in fields else self.metrics

    def reads(self, path: str) -> str:
        from zerosum.modalities.images.containers import recognised

        return recognised(path)

    def inspect(
        self, path: str, *, limit: int | None = None, on_progress: OnProgress | None = None
    ) -> Inspection:
        from zerosum.modalities.images.inspect import inspect

        return inspect(path, limit=limit, on_progress=on_progress).described()

    def choice(self, path: str, device: str, asked: Mapping[str, Any]) -> Choice:
        from zerosum.config import parse_size
        from zerosum.modalities.images.choosing import chosen, row
        from zerosum.modalities.images.inspect import inspect

        found, size = row(device), asked.get("data.size")
        seen = inspect(path, limit=LOOK, largest=found.largest)
        try:
            wanted: Any = parse_size(size)
        except ValueError:  # the recipe refuses it, in its own words
            wanted = None
        learned = wanted or seen.size or next(iter(seen.sizes))
        settings = chosen(learned, seen.train, device)
        if size is None and seen.size is not None:
            settings = {"data.size": seen.size, **settings}
        height, width = learned
        why = f"{seen.train:,} images to learn from, at {height}x{width}, on {device}"
        return Choice(found.preset, settings, why)

    def on_a_sheet(self, fields: Mapping[str, Field]) -> tuple[int, int]:
        from zerosum.modalities.images.show import columns_for

        image = fields["image"]
        assert isinstance(image, ImageField)
        columns = columns_for(image.shape)
        return columns**2, columns

    def sheet(
        self,
        samples: Batch,
        codec: Codec,
        *,
        real: Batch,
        columns: int,
        title: str,
        captions: Sequence[str] = (),
    ) -> Image.Image:
        from zerosum.modalities.images.show import image_sheet

        return image_sheet(in_colours(samples, codec), real, columns)

    def shown_alone(self, batch: Batch, codec: Codec) -> list[Image.Image]:
        return list(codec.decode(batch))

    def nonsense(self, real: Batch, codec: Codec, n: int, seed: int) -> Batch:
        rng = torch.Generator().manual_seed(seed)
        return {"image": torch.rand((n, *real["image"].shape[1:]), generator=rng) * 2 - 1}

    def panels(self, real: Batch, fake: Batch, codec: Codec) -> dict[str, Panel]:
        from zerosum.modalities.images.show import spectra

        return {"Power spectrum": spectra(real["image"], fake["image"])}

    def twins(self, fake: Batch, train: Batch, codec: Codec) -> Image.Image | None:
        from zerosum.modalities.images.show import neighbours

        return neighbours(fake["image"], train["image"])

    def rows(self, batch: Batch) -> Tensor:
        from zerosum.modalities.images.judge import pixel_rows

        return pixel_rows(batch["image"])

    def compared(
        self, real: str, fake: str, size: tuple[int, int] | None = None
    ) -> tuple[DataConfig, DataConfig]:
        from zerosum.modalities.images.comparing import comparable

        return comparable(real, fake, size)

    def features(self, name: Any, real: Batch, title: str) -> Features:
        from zerosum.modalities.images.judge import chosen_features

        return chosen_features(name, real, title)

    def raw_features(self, real: Batch) -> Features | None:
        # A covariance matrix of more pixels costs too much in passing.
        return super().raw_features(real) if real["image"][0].numel() <= WIDEST else None

    def read_objects(self, path: str, codec: Codec, n: int) -> list[Any]:
        from zerosum.modalities.images.containers import container

        pictures = container(path).gallery().pictures
        if len(pictures) < n:
            raise UserError(f"{path} holds {len(pictures)} pictures and {n} are asked for: add -n")
        return [pictures.image(number) for number in range(n)]

    def listed(self, path: str, codec: Codec, config: DataConfig) -> Listed:
        from zerosum.modalities.images.judged import listed

        return listed(path, codec)

    def marked(self, example: Batch, heat: Tensor, level: float) -> Image.Image:
        from zerosum.modalities.images.judged import marked

        return marked(example["image"], heat, level)

    def baselines(
        self, train: Source, codec: Codec, n: int, seed: int, inputs: Batch
    ) -> dict[str, Batch]:
        from zerosum.modalities.images.paired_scores import baselines, baselines_of_domains

        if "input" not in inputs or isinstance(codec, LabelCodec):
            return {}
        if "mask" in inputs:
            from zerosum.modalities.images.masks import fillings

            made = fillings(inputs["input"], inputs["mask"])
            return {name: {"image": answers, **inputs} for name, answers in made.items()}
        if "garment" in inputs:
            from zerosum.modalities.images.dressed import pasted

            made = {"pasted unbent": pasted(inputs)}
            return {name: {"image": answers, **inputs} for name, answers in made.items()}
        if isinstance(codec, GreyedCodec):
            made = without_learning(train.some(n, seed)["image"], inputs["input"])
            return {name: {"image": answers, **inputs} for name, answers in made.items()}
        if isinstance(codec, DomainCodec):
            some = train.some(max(n, EACH * len(codec.names)), seed)
            made = baselines_of_domains(some, inputs["input"], inputs["domain"])
        else:
            made = baselines(train.some(n, seed), inputs["input"], paired=train.answers)
        return {name: {"image": answers, **inputs} for name, answers in made.items()}

    def faults(self, some: Batch, fields: Mapping[str, Field]) -> list[Fault]:
        from zerosum.modalities.images.judge import span_faults

        return span_faults(some["image"]) or repeats(self.rows(some), 0.02)


MODALITY = Pictures()
