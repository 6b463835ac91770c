"""A trained generator as a folder to keep or ship: safetensors, JSON and a model card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from zerosum.core.ema import generator_state
from zerosum.core.game import Game
from zerosum.core.recipe import Recipe
from zerosum.core.registry import build_game, system
from zerosum.data.codec import Codec, read_codec, write_codec
from zerosum.errors import UserError
from zerosum.files import atomic, disk_errors, must_be_empty, read_json, write_text
from zerosum.records import SCORE_ROW, read_lines
from zerosum.training import fitting
from zerosum.training.checkpoint import save_tensors
from zerosum.training.scores import closing

FORMAT = 1
KEPT = ("anomaly.json",)
"""What other commands wrote into the run's folder of its data: thresholds of a detector."""


def write(
    game: Game,
    recipe: Recipe,
    codec: Codec,
    folder: Path,
    scores: Path,
    *,
    critic: bool = True,
) -> list[Path]:
    """Write a model folder.

    Args:
        game: The game with the weights to ship.
        recipe: What it was trained with.
        codec: How its data became fields.
        folder: A new or empty folder.
        scores: `scores.jsonl` of the run, beside which `KEPT` may lie; may be missing.
        critic: Whether what sampling does not need is written too.

    Returns:
        The files written: config.json, model.safetensors (what sampling needs),
        critic.safetensors (all the rest), codec.json (.safetensors) and README.md.

    Raises:
        UserError: The folder holds other files.
    """
    from zerosum.version import __version__

    must_be_empty(folder, "--to")
    with disk_errors(folder.parent, "nothing was written"):
        folder.mkdir(parents=True, exist_ok=True)
    kept = generator_state(game)
    rest = {n: t for n, t in game.state_dict().items() if n not in kept and isinstance(t, Tensor)}
    config = {
        "format": FORMAT,
        "system": recipe.system,
        "model": recipe.model.model_dump(mode="json"),
        "classes": recipe.facts.get("class_names", []),
        "library": f"zerosum {__version__}",
        "recipe": json.loads(recipe.to_json()),
    }
    with atomic(folder / "model.safetensors") as partial:
        save_tensors(kept, partial, {"format": "pt"})
    if rest and critic:
        with atomic(folder / "critic.safetensors") as partial:
            save_tensors(rest, partial, {"format": "pt"})
    write_codec(codec, folder)
    for name in KEPT:
        if (scores.parent / name).is_file():
            shutil.copyfile(scores.parent / name, folder / name)
    write_text(folder / "README.md", card(game, recipe, read_lines(scores, SCORE_ROW)))
    write_text(folder / "config.json", json.dumps(config, indent=2) + "\n")
    return sorted(folder.iterdir())


def read(folder: Path, module: str | None = None) -> tuple[Game, Recipe, Codec]:
    """The game of a model folder, in evaluation mode.

    Raises:
        UserError: A file is missing or damaged, or the weights do not fit the configuration.
    """
    try:
        config = read_json(folder / "config.json")
        if config["format"] > FORMAT:
            raise UserError(
                f"{folder} was written by a newer zerosum (format {config['format']}): "
                "upgrade with  pip install -U zerosum"
            )
        name, tree = str(config["system"]), config["recipe"]
    except KeyError as error:
        raise UserError(f"{folder} is no whole model folder: config.json lacks {error}") from error
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder} is no whole model folder: config.json: {error}") from error
    found = system(name, module)
    recipe = Recipe.from_tree(tree, found.game.Config, f"the recipe in {folder / 'config.json'}")
    game = build_game(recipe, module)
    fill(game, folder)
    codec = read_codec(type(recipe.data).codec, folder)
    if codec is None:
        raise UserError(f"{folder} is no whole model folder: codec.json is missing")
    return game.eval(), recipe, codec


def fill(game: Game, folder: Path) -> None:
    """Give a game the weights of a model folder, the critic's too where they are kept.

    Raises:
        UserError: A file is missing or damaged, or the weights are another model's.
    """
    critic = folder / "critic.safetensors"
    try:
        weights = load_file(folder / "model.safetensors")
        weights |= load_file(critic) if critic.is_file() else {}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder}: the weights cannot be read: {error}") from error
    lacking = [name for name in generator_state(game) if name not in weights]
    if lacking:
        raise UserError(
            f"{folder}: {lacking[0]} is missing in the weights: they are those of another model "
            "than config.json names, or its code has changed"
        )
    fitting.fill(game, weights, str(folder), whole=False)


def card(game: Game, recipe: Recipe, scored: list[dict[str, Any]]) -> str:
    """The model card: what it is, what it learned from, how it scored and how to use it."""
    origin, licence = (recipe.facts.get(name) for name in ("imported_from", "weights_licence"))
    made = f"imported by zerosum from {origin}" if origin else "trained with zerosum"
    bound = f"- Licence of the weights: {licence}.\n" if licence else ""
    parameters = sum(p.numel() for m in game.generators() for p in m.parameters())
    name = f"{recipe.system}/{recipe.preset}" if recipe.preset else recipe.system
    facts = "\n".join(
        f"| {key} | {value} |" for key, value in _facts(recipe, game.progress.seen).items()
    )
    label = ", label=0" if "label" in game.conditions() else ""
    return f"""# {name}

A generator {made}. {parameters:,} parameters.

| what | value |
|---|---|
{facts}

## Scores

{_score_table(scored, recipe.evaluate.patience)}

## Use

```python
import zerosum

samples = zerosum.load("PATH OF THIS FOLDER").sample(16, seed=0{label})
```

## Before you ship it

{bound}- Data and their licence: **fill in**. The licence of the training data may bind what is
  generated.
- Intended use and known failures: **fill in**.
- The scores above rank checkpoints of one run; they are no evidence of fitness for a purpose.
"""


def _facts(recipe: Recipe, seen: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"model": recipe.system, "source": recipe.source}
    for key, value in recipe.facts.items():
        text = ", ".join(value[:20]) if isinstance(value, list) else value
        facts[key.replace("_", " ")] = text
    if recipe.remedies:
        facts["remedies"] = ", ".join(remedy.name for remedy in recipe.remedies)
    if "imported_from" in recipe.facts:  # how it was trained is not in the file
        return facts
    facts["examples seen"] = f"{seen:,}"
    facts["seed"] = recipe.train.seed
    half_life = recipe.ema.wanted(recipe.train.examples)
    facts["averaged weights"] = f"half-life {half_life:,.0f} examples"
    return facts


def _score_table(scored: list[dict[str, Any]], patience: int) -> str:
    if not scored:
        return "None were taken during training."
    last: Mapping[str, Any] = closing(scored, patience)
    protocol = ", ".join(f"{key} {value}" for key, value in last["protocol"].items())
    rows = "\n".join(
        f"| {name} | {value:.4g} | {_number(last['reference'].get(name))} |"
        for name, value in last["scores"].items()
    )
    head = f"| score | generated | {last['reference_note']} |\n|---|---|---|"
    return f"{head}\n{rows}\n\nProtocol: {protocol}; after {last['seen']:,} examples."


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
