"""Recipes, overrides and the registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import zerosum
from zerosum.core import registry
from zerosum.core.optim import Optim
from zerosum.core.overrides import parse
from zerosum.core.recipe import Recipe
from zerosum.core.schedule import Constant, Linear
from zerosum.errors import UserError
from zerosum.models.images.rpgan import RpGAN

# -- the recipe -------------------------------------------------------------------------------


@pytest.fixture
def recipe():
    return registry.recipe("rpgan/tiny")


def test_recipes_survive_json(recipe):
    changed = recipe.override(
        {
            "model.gamma": {"kind": "linear", "start": 5.0, "end": 1.0},
            "optim.generator.lr": {"kind": "step", "start": 1e-3, "factor": 0.5, "every": 100},
            "optim.generator.clip": 2.5,
            "data.size": 16,
        }
    )
    again = Recipe.from_json(changed.to_json(), RpGAN.Config)
    assert again == changed
    assert again.model.gamma == Linear(start=5.0, end=1.0)
    assert not again.differences(changed)


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("train.examples", "10_000", 10_000),
        ("train.examples", "1e4", 10_000),
        ("train.examples", "250", 250),
        ("train.batch_per_device", "4", 4),
        ("train.batch_per_device", "none", None),
        ("train.channels_last", "True", True),
        ("train.compile", "false", False),
        ("train.precision", "bf16", "bf16"),
        ("optim.generator.lr", "1e-4", 1e-4),
        ("optim.generator.lr", "1", 1.0),
        ("optim.discriminator.betas", "0,0.9", (0.0, 0.9)),
        ("optim.discriminator.betas", "[0.0, 0.9]", (0.0, 0.9)),
        ("optim.discriminator.betas", "(0.0, 0.9)", (0.0, 0.9)),
        ("optim.generator.clip", "5", 5.0),
        ("optim.generator.kind", "sgd", "sgd"),
        ("ema.half_life", "0", 0.0),
        ("data.path", "mnist", "mnist"),
        ("data.path", "123", "123"),
        ("data.path", "none", "none"),
        ("data.path", "a=b/[1]", "a=b/[1]"),
        ("data.size", "32x64", (32, 64)),
        ("data.size", "16", (16, 16)),
        ("data.flip", "true", True),
        ("model.width", "12", 12),
        ("model.gamma", "2.5", 2.5),
        ("model.gamma", '{"kind": "constant", "value": 2}', Constant(value=2)),
    ],
)
def test_overrides_read_every_kind_of_value(recipe, path, text, value):
    assert parse(f"{path}={text}") == (path, text)
    found = recipe.override({path: text})
    for name in path.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    assert found == value
    assert type(found) is type(value)


def test_overrides_leave_the_original_alone(recipe):
    before = recipe.to_json()
    recipe.override({"optim.generator.lr": 1.0, "train.examples": 7})
    assert recipe.to_json() == before
    assert registry.recipe("rpgan/tiny").to_json() == before


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("train.imges", 5, ["unknown setting 'train.imges'", "train.examples"]),
        ("trian.images", 5, ["unknown setting 'trian.images'", "train"]),
        ("model.widht", 5, ["model.width"]),
        ("optim.generater.lr", 1, ["optim.generator"]),
        ("optim.generator.lrr", 1, ["optim.generator.lr"]),
        ("train.examples.more", 1, ["'train.examples' is a single value"]),
        ("train.examples", "many", ["train.examples=many", "integer"]),
        ("train.examples", 0, ["train.examples=0", "at least 1"]),
        ("train.channels_last", "perhaps", ["train.channels_last=perhaps", "boolean"]),
        ("train.precision", "fp8", ["train.precision=fp8", "'fp32', 'bf16' or 'auto'"]),
        ("train.batch_per_device", 5, ["batch=16 is no multiple of batch_per_device=5"]),
        ("optim.generator.lr", "fast", ["optim.generator.lr=fast"]),
        ("system", "gan", ["unknown setting 'system'"]),
    ],
)
def test_wrong_overrides_name_the_culprit_and_the_nearest(recipe, path, value, words):
    with pytest.raises(UserError) as caught:
        recipe.override({path: value})
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_whole_entry_is_validated_as_its_fields_are(recipe):
    """`optim.generator` is a place of its own: what is put there must be an optimizer."""
    changed = recipe.override({"optim.generator": {"kind": "sgd", "lr": 0.5}})
    assert changed.optim["generator"] == Optim(kind="sgd", lr=0.5)
    for wrong in ("5", 5, {"speed": 1}):
        with pytest.raises(UserError, match=r"optim\.generator"):
            recipe.override({"optim.generator": wrong})


def test_differences_are_dotted_paths_with_both_values(recipe):
    recipe = recipe.override({"optim.generator.lr": 3e-4, "train.examples": 640, "model.width": 8})
    other = recipe.override({"optim.generator.lr": 1e-3, "train.examples": 9, "model.width": 4})
    assert recipe.differences(other) == {
        "model.width": (8, 4),
        "optim.generator.lr": (3e-4, 1e-3),
        "train.examples": (640, 9),
    }
    assert recipe.differences(recipe) == {}


@pytest.mark.parametrize("text", ["train.examples", "=5", ""])
def test_what_is_no_override_is_said_so(text):
    with pytest.raises(UserError, match=r"dotted\.path=value"):
        parse(text)


@pytest.mark.parametrize("text", ['{"model": {}}', '{"model": {"width": "x"}, "optim": {}}'])
def test_a_text_that_is_no_recipe_is_refused_in_one_line(text):
    with pytest.raises(UserError, match="cannot be read"):
        Recipe.from_json(text, RpGAN.Config)


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}"])
def test_a_damaged_recipe_is_refused_in_one_line(text):
    with pytest.raises(UserError, match="cannot be read"):
        Recipe.from_json(text, RpGAN.Config)


# -- the registry -----------------------------------------------------------------------------


def test_models_are_listed_by_file_name():
    names = zerosum.list_models()
    files = Path(registry.__file__).parents[1].glob("models/*/*.py")
    assert {file.stem for file in files} - {"__init__"} <= set(names)
    assert names == sorted(names)
    assert {"gan", "cgan", "dcgan", "rpgan"} <= set(names)


def test_a_bare_key_takes_the_first_preset():
    recipe = zerosum.recipe("rpgan")
    assert (recipe.system, recipe.preset) == ("rpgan", "digits")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dcgna", ["no model 'dcgna'", "did you mean dcgan"]),
        ("dcgan/fashoin", ["no preset 'fashoin'", "did you mean fashion"]),
        ("zzzz", ["no model 'zzzz'", "known:"]),
    ],
)
def test_wrong_names_are_answered_with_the_nearest(name, words):
    with pytest.raises(UserError) as caught:
        zerosum.recipe(name)
    for word in words:
        assert word in str(caught.value)


OUTSIDE = '''"""A game from outside: one of the 2014 kind."""

from zerosum.models.images.gan import GAN, PRESETS


class Mine(GAN):
    pass
'''


def test_a_model_from_a_file(tmp_path):
    file = tmp_path / "mine_core_test.py"
    file.write_text(OUTSIDE)
    recipe = zerosum.core.registry.recipe("mine_core_test/tiny", str(file))
    assert (recipe.system, recipe.preset) == ("mine_core_test", "tiny")
    found = registry.system("mine_core_test", str(file))
    assert found.game.__name__ == "Mine"
    assert found.summary == "A game from outside: one of the 2014 kind."
    assert "mine_core_test" not in zerosum.list_models()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "is no model"),
        ("def broken(:\n", "does not import: SyntaxError"),
        (None, "there is no file"),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path, text, words):
    file = tmp_path / f"wrong_{abs(hash(text))}.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=words):
        registry.system(file.stem, str(file))


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(UserError, match="no module 'no_such_module_here'"):
        registry.system("", "no_such_module_here")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_an_error_inside_an_installed_module_is_said_to_be_its_own(
    tmp_path, monkeypatch, code, said
):
    name = f"own_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code + "\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=f"{name} does not import: {re.escape(said)}"):
        registry.system("own", module=name)


def test_no_preset_asks_for_an_average_longer_than_its_run_allows():
    asked = {
        f"{name}/{preset}": found.warnings
        for name in registry.list_models()
        for preset, found in registry.system(name).presets.items()
    }
    assert {name: lines for name, lines in asked.items() if lines} == {}


def test_a_half_life_beyond_the_ramp_is_said():
    short = registry.recipe("gan/tiny").override(
        {"ema.half_life": 2_000, "train.examples": 16_000}
    )
    (line,) = short.warnings
    assert "ema.half_life=2,000 is not reached" in line and "allows 800 at the end" in line
    assert short.ema.longest(16_000) == 800 and short.ema.longest(40_000) == 2_000
    assert short.override({"ema.ramp": 0}).warnings == []
