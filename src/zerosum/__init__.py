"""zerosum: train, evaluate, understand and ship generative adversarial networks.

    import zerosum

    recipe = zerosum.recipe("dcgan/fashion").override({"train.examples": 100_000})
    zerosum.train(recipe, out="runs/clothes")
    pictures = zerosum.load("runs/clothes").sample(16, seed=0)

The names here are found when they are first used, so that `import zerosum` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zerosum.version import __version__

if TYPE_CHECKING:
    from zerosum.core.recipe import Recipe
    from zerosum.core.registry import list_models, recipe
    from zerosum.errors import UserError
    from zerosum.pipelines.evaluate import Evaluator
    from zerosum.pipelines.generate import Generator, load
    from zerosum.training.trainer import Trainer, train

__all__ = [
    "Evaluator",
    "Generator",
    "Recipe",
    "Trainer",
    "UserError",
    "__version__",
    "list_models",
    "load",
    "recipe",
    "train",
]

_HOMES = {
    "Evaluator": "zerosum.pipelines.evaluate",
    "Generator": "zerosum.pipelines.generate",
    "Recipe": "zerosum.core.recipe",
    "Trainer": "zerosum.training.trainer",
    "UserError": "zerosum.errors",
    "list_models": "zerosum.core.registry",
    "load": "zerosum.pipelines.generate",
    "recipe": "zerosum.core.registry",
    "train": "zerosum.training.trainer",
}


_PARTS = (
    "core", "data", "layers", "losses", "metrics", "modalities", "models", "nets", "tables",
    "theory",
)  # fmt: skip
"""Sub-packages that `zerosum.name` imports at its first use."""


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return import_module(f"zerosum.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'zerosum' has no attribute '{name}'")
    return vars(import_module(_HOMES[name]))[name]


def __dir__() -> list[str]:
    return sorted([*__all__, *_PARTS])
