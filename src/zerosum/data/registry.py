"""Modalities found by the name of their folder or by entry point, imported when asked for."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType

from zerosum.data.config import DataConfig
from zerosum.errors import UserError, nearest

GROUP = "zerosum.modalities"
_BESIDE: dict[str, ModuleType] = {}


@cache
def homes() -> dict[str, str]:
    """Dotted module of each modality by name. Imports none of them."""
    # Imported by name: the registry stands below what it finds.
    folders = importlib.import_module("zerosum.modalities").__path__
    found = {
        folder.name: f"zerosum.modalities.{folder.name}"
        for folder in pkgutil.iter_modules(folders)
        if folder.ispkg
    }
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, point.value)
    return dict(sorted(found.items()))


def names() -> list[str]:
    """Names of all modalities."""
    return [*homes(), *_BESIDE]


def add(name: str, module: ModuleType) -> None:
    """Make an outside module's `MODALITY` known in this process."""
    if name not in homes():
        _BESIDE[name] = module


def package(name: str) -> ModuleType:
    """The module of a modality, which holds its `MODALITY`.

    Raises:
        UserError: There is none of that name, with the nearest ones.
    """
    if name in _BESIDE:
        return _BESIDE[name]
    if name not in homes():
        raise UserError(f"there is no kind of data '{name}': {nearest(name, names())}")
    return importlib.import_module(homes()[name])


def config_class(kind: str) -> type[DataConfig]:
    """The config whose `kind` this is, such as `images` or `pairs`.

    Raises:
        UserError: No modality has it.
    """
    known: list[str] = []
    # Most kinds are called like their modality: try that one first, and import no other.
    for name in sorted(names(), key=lambda name: name != kind):
        for config in package(name).MODALITY.configs:
            if config.model_fields["kind"].default == kind:
                return config
            known.append(config.model_fields["kind"].default)
    raise UserError(f"there is no kind of data '{kind}': {nearest(kind, known)}")
