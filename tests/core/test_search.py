"""What a search may change: the space of a recipe, its origin, and overrides at a point."""

from __future__ import annotations

import pytest

from zerosum.core import registry
from zerosum.core.search import Choice, Factor, Span, changes, origin, space
from zerosum.errors import UserError


def test_rates_betas_and_averaging_of_any_recipe_are_searched():
    recipe = registry.recipe("dcgan/tiny")
    found = space(recipe, {})
    assert list(found) == [
        *(f"optim.{player}.lr" for player in recipe.optim),
        "optim.*.betas",
        "ema.half_life",
    ]
    assert found["optim.*.betas"].values[0] == "[0.5, 0.999]"  # its own come first
    assert len(found["optim.*.betas"].values) == 6  # and only once
    assert "optim.*.betas" not in space(registry.recipe("wgan/tiny"), {})  # RMSProp has none


def test_the_recipe_itself_is_a_point_of_its_space_for_every_preset():
    for name in registry.list_models():
        found = registry.system(name)
        for preset in found.presets:
            recipe = registry.recipe(f"{name}/{preset}")
            ranges = space(recipe, found.search)
            home = origin(recipe, ranges)
            assert changes(recipe, ranges, home) == {}
            for path, one in ranges.items():
                if isinstance(one, Choice):
                    assert home[path] in one.values
                else:
                    assert one.low <= home[path] <= one.high, (name, preset, path)


def test_a_point_becomes_overrides_that_the_recipe_takes():
    recipe = registry.recipe("rpgan/digits")
    ranges = space(recipe, {"model.gamma": Span(0.1, 5)})
    point = origin(recipe, ranges) | {
        "optim.generator.lr": 2.0,
        "optim.*.betas": "[0.0, 0.9]",
        "ema.half_life": 0.12345,
        "model.gamma": 3.21987,
    }
    found = changes(recipe, ranges, point)
    assert found == {
        # a falling rate falls as before, twice as high
        "optim.generator.lr": {
            **recipe.optim["generator"].lr.model_dump(),
            "start": 3e-3,
            "end": 4e-4,
        },
        "optim.discriminator.betas": [0.0, 0.9],
        "optim.generator.betas": [0.0, 0.9],
        "ema.half_life": 617.0,
        "model.gamma": 3.22,
    }
    tuned = recipe.override(found)
    assert tuned.optim["generator"].lr.start == 3e-3 and tuned.model.gamma == 3.22
    assert tuned.optim["discriminator"].lr == recipe.optim["discriminator"].lr


def test_schedules_of_every_kind_are_scaled_as_a_whole():
    recipe = registry.recipe("dcgan/tiny")
    ranges = {"optim.generator.lr": Factor(0.1, 10)}
    for schedule, scaled in (
        ({"kind": "constant", "value": 1e-3}, {"value": 3e-3}),
        ({"kind": "step", "start": 1e-3, "factor": 0.5, "every": 100}, {"start": 3e-3}),
        (
            {"kind": "piecewise", "points": [[0, 1e-3], [9, 1e-4]]},
            {"points": [[0, 3e-3], [9, 3e-4]]},
        ),
    ):
        one = recipe.override({"optim.generator.lr": schedule})
        found = changes(one, ranges, {"optim.generator.lr": 3.0})
        assert found == {"optim.generator.lr": schedule | scaled}
        one.override(found)


def test_what_a_recipe_turned_off_stays_off():
    recipe = registry.recipe("toy/collapse")
    ranges = space(recipe, {"model.gamma": Factor(0.1, 10), "model.latent": Span(1, 4)})
    assert recipe.model.gamma == 0 and "model.gamma" not in ranges
    assert recipe.ema.half_life == 0 and "ema.half_life" not in ranges
    assert "model.gamma" not in space(recipe, {"model.gamma": Span(0.1, 10)})  # 0 has no log
    assert space(recipe, {"model.gamma": Span(1, 9, log=False)})["model.gamma"] == Span(
        0.0, 9, log=False
    )


def test_players_with_betas_of_their_own_keep_them_as_one_choice():
    recipe = registry.recipe("dcgan/tiny").override({"optim.generator.betas": [0.1, 0.2]})
    ranges = space(recipe, {})
    assert ranges["optim.*.betas"].values[0] == "preset"
    assert changes(recipe, ranges, origin(recipe, ranges)) == {}


def test_a_wrong_declaration_names_the_path_and_the_nearest():
    with pytest.raises(UserError, match=r"names 'model.gama', which .* did you mean gamma"):
        space(registry.recipe("rpgan/tiny"), {"model.gama": Factor(0.1, 10)})
    dead = registry.recipe("wgan/tiny").override(
        {"optim.critic.lr": 0, "optim.generator.lr": 0, "ema.half_life": 0}
    )
    with pytest.raises(UserError, match="wgan/tiny has nothing to search"):
        space(dead, {})
