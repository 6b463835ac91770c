"""Systems found by file name and imported on demand.

A model's file name is its key; there is no list to keep by hand. An outside package registers
with an entry point of the group `zerosum.models`, or is named as a module or a file.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from zerosum.core.game import Game
from zerosum.core.recipe import Recipe
from zerosum.core.remedies import with_remedies
from zerosum.core.runtime import Runtime
from zerosum.core.search import Range
from zerosum.data.registry import add as add_modality
from zerosum.errors import UserError, nearest


@dataclass(frozen=True)
class System:
    """A registered system: its key, game class and presets, and what it declares to search."""

    name: str
    game: type[Game]
    presets: Mapping[str, Recipe]
    summary: str
    search: Mapping[str, Range] = field(default_factory=dict)


@cache
def modules() -> dict[str, str]:
    """Dotted module of each system by key. Imports none of them."""
    # Imported by name: the registry stands below what it finds.
    home = importlib.import_module("zerosum.models").__path__
    found: dict[str, str] = {}
    for folder in pkgutil.iter_modules(home):
        if not folder.ispkg:
            continue
        package = f"zerosum.models.{folder.name}"
        paths = [str(Path(next(iter(home))) / folder.name)]
        for file in pkgutil.iter_modules(paths):
            if file.name in found:
                raise RuntimeError(f"two models are called {file.name}: rename one of the files")
            found[file.name] = f"{package}.{file.name}"
    for point in entry_points(group="zerosum.models"):
        found.setdefault(point.name, point.value)
    return dict(sorted(found.items()))


def list_models() -> list[str]:
    """Keys of all systems that can be trained."""
    return list(modules())


def system(name: str, module: str | None = None) -> System:
    """The system of a key.

    Args:
        name: A key such as `dcgan`.
        module: Dotted name or `.py` file of an outside model, whose key is its file name.

    Raises:
        UserError: There is none of that name (with the nearest ones), or the module is no model.
    """
    if module is not None:
        return _read(_import(module), name or Path(module).stem)
    known = modules()
    if name not in known:
        hint = nearest(name, known)
        if Path(f"{name}.py").exists():
            hint = f"for ./{name}.py add  --module {name}.py"
        raise UserError(
            f"there is no model '{name}': {hint} (zerosum list shows all; one of your own needs "
            "--module)"
        )
    return _read(importlib.import_module(known[name]), name)


def recipe(name: str, module: str | None = None) -> Recipe:
    """The recipe of a preset, such as `dcgan/fashion`; a bare key takes its first preset.

    Raises:
        UserError: There is no such system or preset, with the nearest names.
    """
    key, _, preset = name.partition("/")
    found = system(key, module)
    preset = preset or next(iter(found.presets))
    if preset not in found.presets:
        raise UserError(
            f"{key} has no preset '{preset}': {nearest(preset, found.presets)} "
            f"({key} has {', '.join(found.presets)})"
        )
    return found.presets[preset].model_copy(update={"system": found.name, "preset": preset})


def build_game(recipe: Recipe, module: str | None = None) -> Game:
    """The game of a recipe, with its remedies; weights come from torch's global generator.

    Args:
        recipe: A recipe whose model is fitted to its data.
        module: Module or file of an outside model.

    Raises:
        UserError: There is no such system, or a remedy does not fit it.
    """
    return with_remedies(system(recipe.system, module).game, recipe.model, recipe.remedies)


def runtime_of(recipe: Recipe, device: str = "auto", module: str | None = None) -> Runtime:
    """Where and how a recipe is trained; under torchrun, with the other ranks.

    Args:
        recipe: What is to be trained.
        device: As `find_device` has it.
        module: Module or file of an outside model.

    Raises:
        UserError: There is no such system, or no such device.
    """
    train, safe = recipe.train, system(recipe.system, module).game.bf16
    return Runtime.start(device, train.precision, train.batch_per_device, safe)


@cache
def _import(module: str) -> ModuleType:
    """Import an outside model by dotted name or file."""
    file = Path(module)
    if file.suffix != ".py":
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            if not error.name or not f"{module}.".startswith(f"{error.name}."):
                raise _broken(module, error) from error  # what is missing is what it imports
            raise UserError(
                f"there is no module '{module}': give a .py file or an installed module"
            ) from error
        except Exception as error:
            raise _broken(module, error) from error
    if not file.exists():
        raise UserError(f"there is no file '{module}': give the path of a model's .py file")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, loaded)
    try:
        spec.loader.exec_module(loaded)
    except Exception as error:
        raise _broken(module, error) from error
    return loaded


def _broken(module: str, error: Exception) -> UserError:
    return UserError(f"{module} does not import: {type(error).__name__}: {error}")


def _read(module: ModuleType, name: str) -> System:
    """What a module declares: one game class, its PRESETS, perhaps SEARCH and a MODALITY."""
    declared = vars(module)
    own = declared.get("MODALITY")
    if own is not None and type(own).__module__ == module.__name__:
        add_modality(own.name, module)
    games = [
        value
        for value in declared.values()
        if isinstance(value, type)
        and issubclass(value, Game)
        and value.__module__ == module.__name__
    ]
    presets = declared.get("PRESETS")
    if len(games) != 1 or not isinstance(presets, dict) or "tiny" not in presets:
        raise UserError(
            f"{name} is no model: its file must hold one Game class and PRESETS with 'tiny' "
            f"(found {len(games)} Game classes, PRESETS {'present' if presets else 'missing'})"
        )
    summary = (module.__doc__ or "").strip().split("\n")[0]
    return System(name, games[0], presets, summary, declared.get("SEARCH", {}))
