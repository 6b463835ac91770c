"""R3GAN's files keep no arguments: they are read off the names and shapes of the tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from zerosum.convert import r3gan
from zerosum.errors import UserError
from zerosum.nets.r3gan import Discriminator, Generator

Tensors = Mapping[str, Tensor]


def generator(tensors: Tensors) -> tuple[dict[str, Any], Generator]:
    """Our settings of a generator's tensors, and the network.

    Raises:
        UserError: Its widths are none that our settings can say.
    """
    classes = _classes(tensors)
    kwargs = arguments(tensors)
    embedding = kwargs.get("ConditionEmbeddingDimension", 0)
    start = tensors["Model.MainLayers.0.Layers.0.LinearLayer.weight"]
    latent = start.shape[1] - embedding
    widths, groups = kwargs["WidthPerStage"], kwargs["CardinalityPerStage"]
    side, wide = 4 * 2 ** (len(widths) - 1), widths.count(widths[0])
    settings = {
        "size": (side, side),
        "channels": tensors["Model.AggregationLayer.Layer.weight"].shape[0],
        "classes": classes,
        "labels": classes > 0,
        "latent": latent,
        "width": widths[0],
        "cardinality": groups[0],
        "wide": wide,
        "blocks": kwargs["BlocksPerStage"][0],
        "expansion": kwargs["ExpansionFactor"],
    }
    narrowing = [2 ** max(stage + 1 - wide, 0) for stage in range(len(widths))]
    regular = {
        "WidthPerStage": [widths[0] // n for n in narrowing],
        "CardinalityPerStage": [groups[0] // n for n in narrowing],
        "BlocksPerStage": [settings["blocks"]] * len(widths),
    }
    if classes:
        regular["ConditionEmbeddingDimension"] = latent
    for name, wanted in regular.items():
        if kwargs[name] != wanted:
            raise UserError(
                f"has {name} {kwargs[name]}, and our r3gan makes {wanted} of it: use it from "
                "Python with zerosum.convert.r3gan"
            )
    return settings, r3gan.generator({**kwargs, "NoiseDimension": latent}, classes, tensors)


def discriminator(tensors: Tensors) -> Discriminator:
    """The network of a discriminator's tensors."""
    return r3gan.discriminator(arguments(tensors), _classes(tensors), tensors)


def arguments(tensors: Tensors) -> dict[str, Any]:
    """Constructor arguments of an R3GAN network, read from its tensors' names and shapes."""
    stages: dict[int, list[tuple[int, ...]]] = {}
    for name, value in tensors.items():
        words = name.split(".")
        if name.endswith("LinearLayer2.Layer.weight"):
            stages.setdefault(int(words[2]), []).append(tuple(value.shape))
    inner = {
        int(name.split(".")[2]): value.shape[1]
        for name, value in tensors.items()
        if name.endswith("LinearLayer1.Layer.weight")
    }
    order = sorted(stages)
    found: dict[str, Any] = {
        "WidthPerStage": [inner[stage] for stage in order],
        "CardinalityPerStage": [stages[s][0][0] // stages[s][0][1] for s in order],
        "BlocksPerStage": [len(stages[stage]) for stage in order],
        "ExpansionFactor": stages[order[0]][0][0] // inner[order[0]],
        "KernelSize": stages[order[0]][0][2],
    }
    if "Model.EmbeddingLayer.weight" in tensors:
        found["ConditionEmbeddingDimension"] = tensors["Model.EmbeddingLayer.weight"].shape[0]
    return found


def _classes(tensors: Tensors) -> int:
    held = tensors.get("Model.EmbeddingLayer.weight")
    return 0 if held is None else held.shape[1]
