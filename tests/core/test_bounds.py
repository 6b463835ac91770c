"""Every number of a recipe has a bound in its type, or a reason there why not."""

import typing
from collections.abc import Iterator

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from zerosum.config import Part, Unbounded
from zerosum.core.recipe import Recipe
from zerosum.core.registry import list_models, recipe, system
from zerosum.core.schedule import Bounds, Constant, Cosine, Linear, Piecewise, Step
from zerosum.data.fields import Field  # says what the data are, not what is wanted
from zerosum.data.registry import names
from zerosum.errors import UserError
from zerosum.modalities.modality import find

NOT_SET_BY_HAND = {"facts"}


def parts() -> set[type[Part]]:
    """All classes that a recipe may be made of."""
    open_ = [Recipe, *(system(name).game.Config for name in list_models())]
    open_ += [config for name in names() for config in find(name).configs]
    found: set[type[Part]] = set()
    while open_:
        part = open_.pop()
        if part in found:
            continue
        found.add(part)
        for info in part.model_fields.values():
            held = (leaf for leaf, _ in leaves(info.annotation, ()))
            open_ += [leaf for leaf in held if is_part(leaf) and not issubclass(leaf, Field)]
    return found


def is_part(kind: object) -> typing.TypeGuard[type[Part]]:
    return isinstance(kind, type) and issubclass(kind, Part)


def leaves(kind: object, marks: tuple[object, ...]) -> Iterator[tuple[object, tuple[object, ...]]]:
    """The plain types in an annotation, each with the marks of all that it stands in."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        more = [m.metadata if isinstance(m, FieldInfo) else [m] for m in args[1:]]
        yield from leaves(args[0], marks + tuple(m for some in more for m in some))
    elif origin is typing.Literal:
        return
    elif args:
        for arg in args:
            yield from leaves(arg, marks)
    else:
        yield kind, marks


def bounded_below_and_above(kind: object, marks: tuple[object, ...]) -> bool:
    """Floats are bounded above by being finite, integers must be told."""
    if any(isinstance(mark, Unbounded) and mark.why for mark in marks):
        return True
    if any(isinstance(m, AfterValidator) and isinstance(m.func, Bounds) for m in marks):
        return True
    low = any(isinstance(mark, Ge | Gt) for mark in marks)
    high = any(isinstance(mark, Le | Lt) for mark in marks)
    return low and (high or kind is float)


def test_every_number_of_every_recipe_has_a_bound_or_a_reason() -> None:
    walked, missing = 0, []
    for part in parts():
        for name, info in part.model_fields.items():
            if name in NOT_SET_BY_HAND:
                continue
            for kind, marks in leaves(info.annotation, tuple(info.metadata)):
                if kind in (int, float):
                    walked += 1
                    if not bounded_below_and_above(kind, marks):
                        missing.append(f"{part.__module__}.{part.__qualname__}.{name}")
    assert not missing
    assert walked > 200


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("optim.generator.lr=-1", "must be at least 0"),
        ("optim.generator.lr=nan", "finite"),
        ("optim.generator.lr=1e999", "finite"),
        ("optim.generator.betas=[2,0.5]", "must be less than 1"),
        ("optim.generator.betas=[0.5,-0.1]", "must be at least 0"),
        ("optim.generator.eps=-1", "must be at least 0"),
        ("optim.generator.weight_decay=-1", "must be at least 0"),
        ("optim.generator.momentum=1", "must be less than 1"),
        ('optim.generator.lr={"kind":"linear","start":1,"end":-1}', "all along the schedule"),
        (
            'optim.generator.lr={"kind":"piecewise","points":[[0,1],[5,-1],[9,1]]}',
            "all along the schedule",
        ),
        ('optim.generator.lr={"kind":"step","start":1,"factor":-2,"every":5}', "factor: must be"),
        ('model.gamma={"kind":"cosine","start":-1,"end":0}', "all along the schedule"),
        ("model.width=0", "must be at least 1"),
        ("model.width=10000000000000", "must be at most 1048576"),
        ("data.memory=inf", "finite"),
        ("data.workers=100000", "must be at most 1024"),
        ("train.seed=18446744073709551616", "must be at most 9223372036854775807"),
        ("train.seed=-1", "must be at least 0"),
        ("evaluate.seed=-1", "must be at least 0"),
        ("train.examples=1000000000000000000000000", "must be at most 9007199254740991"),
        ("ema.half_life=nan", "finite"),
        ("data.size=70000", "must be at most 65536"),
    ],
)
def test_a_number_that_cannot_be_is_refused_by_its_name(change: str, told: str) -> None:
    path, _, value = change.partition("=")
    with pytest.raises(UserError) as refused:
        recipe("rpgan/tiny").override({path: value})
    assert str(refused.value).startswith(path)
    assert told in str(refused.value)


def test_a_law_of_points_has_numbers_that_can_be_drawn() -> None:
    for change in ({"data.sigma": 1e308}, {"data.radius": 1e308}, {"model.gamma": 1e300}):
        with pytest.raises(UserError, match="must be at most 1"):
            recipe("toy/tiny").override(change)


def test_the_bounds_of_a_schedule_are_those_of_its_least_and_greatest_value() -> None:
    at_least_zero = Bounds(ge=0)
    for schedule in (
        Constant(value=0.0),
        Linear(start=1, end=0),
        Cosine(start=0, end=1),
        Step(start=1, factor=0.5, every=10),
        Piecewise(points=[(0, 1.0), (10, 0.0)]),
    ):
        assert at_least_zero(schedule) is schedule
        with pytest.raises(ValueError, match="greater than 1 all along"):
            Bounds(gt=1)(schedule)
