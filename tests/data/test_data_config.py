"""Configs: strict, described, forgiving only where it is unambiguous."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from zerosum.core.recipe import AnyData
from zerosum.data.registry import names
from zerosum.modalities.images import Images
from zerosum.modalities.modality import find
from zerosum.modalities.points import Toy


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (64, (64, 64)),
        ("64", (64, 64)),
        ("48x64", (48, 64)),
        ("48,64", (48, 64)),
        ("[48, 64]", (48, 64)),
        ([48, 64], (48, 64)),
        ((48, 64), (48, 64)),
        (None, None),
    ],
)
def test_sizes(value, size):
    assert Images.model_validate({"size": value}).size == size


@pytest.mark.parametrize("value", [0, "big", "1x2x3", (3, 0), True, (1, 2, 3)])
def test_wrong_sizes(value):
    with pytest.raises(ValidationError, match="size"):
        Images.model_validate({"size": value})


@pytest.mark.parametrize(
    "wrong", [{"sise": 3}, {"channels": 2}, {"holdout": 1.0}, {"limit": 0}, {"filter": "best"}]
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        Images.model_validate(wrong)


@pytest.mark.parametrize("config", [Images, Toy])
def test_every_field_is_described(config: type[BaseModel]):
    assert all(field.description for field in config.model_fields.values())


@pytest.mark.parametrize("config", [Images(path="x", size=(3, 4)), Toy(name="grid", modes=9)])
def test_json_and_back(config):
    adapter = TypeAdapter(AnyData)
    assert adapter.validate_json(adapter.dump_json(config)) == config


def test_configs_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Images().path = "other"


def test_every_config_can_be_had_by_the_name_of_its_class():
    import zerosum.data

    for modality in names():
        for config in find(modality).configs:
            assert getattr(zerosum.data, config.__name__) is config
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        from zerosum.data import Nothing  # type: ignore[attr-defined] # noqa: F401
