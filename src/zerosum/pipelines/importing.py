"""Official weights as a model folder of ours, which every command takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zerosum.convert.official import OfficialNetworks, read_official
from zerosum.core.game import Game
from zerosum.core.recipe import Recipe
from zerosum.core.registry import build_game, system
from zerosum.errors import UserError
from zerosum.files import must_be_empty, whole_folder
from zerosum.pipelines import export


@dataclass(frozen=True)
class Imported:
    """What was imported.

    Attributes:
        networks: The networks, and what they were in.
        recipe: The recipe that stands in the folder.
        game: The game with their weights.
        files: What was written.
    """

    networks: OfficialNetworks
    recipe: Recipe
    game: Game
    files: list[Path]


def import_official(file: Path, to: Path, data: str | None = None) -> Imported:
    """Write an official file's networks as a model folder.

    Args:
        file: The official file; nothing in it is run.
        to: A new or empty folder.
        data: Where the pictures are that it learned from, for `evaluate`; the file does not say.

    Raises:
        UserError: The file is none, or holds networks that none of our systems can have; or the
            folder holds other files.
    """
    must_be_empty(to, "--to")
    networks = read_official(file)
    recipe = _recipe(networks, file.name)
    recipe = recipe if data is None else recipe.with_data(data)
    game = build_game(recipe)
    _take(game, "generator", networks.generator, file)
    if networks.discriminator is not None:
        _take(game, "discriminator", networks.discriminator, file)
    side, classes = networks.settings["size"], recipe.facts.get("class_names", [])
    framing = {"size": list(side), "channels": networks.settings["channels"]}
    framing |= {"resize": "crop", "filter": "lanczos", "classes": classes}
    codec = type(recipe.data).codec.from_state(framing, {})
    with whole_folder(to, "--to") as partial:
        both = networks.discriminator is not None
        export.write(game.eval(), recipe, codec, partial, partial / "none", critic=both)
    return Imported(networks, recipe, game, sorted(to.iterdir()))


def _recipe(networks: OfficialNetworks, name: str) -> Recipe:
    """The recipe of a preset for photos, with the model and the facts of the file."""
    found = system(networks.system)
    about_photos = [r for r in found.presets.values() if getattr(r.data, "path", "") == "photos"]
    preset = (about_photos or list(found.presets.values()))[0]
    try:
        model = found.game.Config(**networks.settings)
    except ValueError as error:
        raise UserError(f"{name} cannot be a {networks.system}: {error}") from error
    classes: int = networks.settings["classes"]
    facts: dict[str, Any] = {
        "imported_from": f"{name}, of {networks.title}",
        "weights_licence": networks.licence,
    }
    if classes:
        facts |= {"classes": classes, "class_names": [str(n) for n in range(classes)]}
    data = preset.data.model_copy(update={"size": networks.settings["size"]})
    return preset.model_copy(
        update={
            "system": networks.system,
            "preset": "",
            "model": model,
            "data": data,
            "remedies": (),
            "sources": {"model": networks.title},
            "facts": facts,
        }
    )


@torch.no_grad()
def _take(game: Game, part: str, network: torch.nn.Module, file: Path) -> None:
    """Give one network of a game the weights of one that was built of official arguments."""
    own, given = game.get_submodule(part).state_dict(), network.state_dict()
    for name in (*own, *given):
        if name not in own or name not in given or own[name].shape != given[name].shape:
            raise UserError(
                f"{file}: its {part} differs from ours in {name}: use it from Python with "
                "zerosum.convert"
            )
    game.get_submodule(part).load_state_dict(given)
