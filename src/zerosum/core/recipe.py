"""Everything a run needs, typed: model, data, optimizers, averaging, training, evaluation.

A preset is a `Recipe` in its model's file; `recipe.json` of a run is the same object, resolved.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, model_validator
from pydantic_core import PydanticSerializationError

from zerosum.config import Count, Examples, Part, Seed, Share, Whole
from zerosum.core.engine import Order
from zerosum.core.game import Progress
from zerosum.core.optim import Optim
from zerosum.core.overrides import overridden_part, read_error
from zerosum.core.remedies import Remedies
from zerosum.core.runtime import AskedPrecision
from zerosum.core.schedule import Number, at, bounded
from zerosum.data.config import DataConfig
from zerosum.data.registry import config_class
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError

Fact = str | int | list[str]
OURS = "ours"
BY_HAND = "set by hand"
"""The source of a number that replaces a published one."""


def _read_data(value: Any) -> Any:
    """Data of any kind: which config reads them is said by `kind`."""
    if not isinstance(value, Mapping):
        return value
    try:
        return config_class(str(value.get("kind"))).model_validate(value)
    except UserError as error:
        raise ValueError(str(error)) from error


AnyData = Annotated[SerializeAsAny[DataConfig], BeforeValidator(_read_data)]
"""The config of any modality."""


class Averaging(Part):
    """Exponential moving average of the generator's weights."""

    half_life: Annotated[Number, bounded(ge=0, le=1e12)] = 5_000
    """Examples after which a weight counts half, a number or a schedule; 0 samples from the last
    weights."""
    ramp: Share = 0.05
    """The half-life is at most this share of the examples seen; 0 for no ramp-up."""

    @property
    def on(self) -> bool:
        """Whether there are averages, at any time of the run."""
        return bool(self.half_life if isinstance(self.half_life, float | int) else True)

    def wanted(self, examples: int) -> float:
        """The half-life that is asked for at the end of a run of so many examples."""
        return at(self.half_life, Progress(0, examples, examples))

    def longest(self, examples: int) -> float:
        """The half-life that a run of so many examples reaches at its end."""
        wanted = self.wanted(examples)
        return min(wanted, self.ramp * examples) if self.ramp else wanted


class Train(Part):
    """Length, batch, pace of records, and precision of a training. Intervals count
    examples: images, rows, sentences, clips are all examples."""

    examples: Examples = 1_000_000
    """Length of the run."""
    batch: Count = 64
    """Examples per step, over all devices."""
    batch_per_device: Count | None = None
    """Examples per micro-batch; None takes a device's share at once."""
    seed: Seed = 0
    """Seed of weights, noise and data order."""
    start: str = ""
    """Run or model whose weights it begins with, where they fit; `--from` sets it."""
    checkpoint_every: Examples = 100_000
    """Examples between two checkpoints."""
    keep: Count = 2
    """Newest checkpoints to keep."""
    sheet_every: Examples = 50_000
    """Examples between two sample sheets."""
    log_every: Examples = 5_000
    """Examples between two lines of the log."""
    precision: AskedPrecision = "fp32"
    """bf16 runs losses under autocast, which needs hardware for it; penalties stay in fp32. auto
    is bf16 for systems that were measured with it, where the hardware has it."""
    channels_last: bool = False
    """Lay images out with channels last; faster for convolutions in bf16."""
    compile: bool = False
    """Compile the networks with torch.compile; for GPUs, slower on a CPU."""
    order: Order = "alternating"
    """Whether players move in turn, at once, or by the extragradient method."""
    patience: Count = 20
    """Stop after so many steps in a row without a finite gradient."""

    @model_validator(mode="after")
    def _whole_parts(self) -> Self:
        if self.batch_per_device and self.batch % self.batch_per_device:
            raise ValueError(
                f"batch={self.batch} is no multiple of batch_per_device={self.batch_per_device}"
            )
        return self


class Evaluate(Part):
    """Scores taken during the run, on the averaged generator."""

    every: Whole = 0
    """Examples between two evaluations; 0 evaluates at the end only."""
    samples: Whole = 2_000
    """Samples per evaluation; 0 turns evaluation off."""
    features: str = ""
    """Extractor, as `zerosum evaluate --features` has it; empty compares
    raw rows, such as pixels or points."""
    metrics: tuple[str, ...] = ()
    """As `zerosum evaluate --metrics` has them, the one that picks the best checkpoint first;
    empty takes the Fréchet distance, precision and recall."""
    seed: Seed = 0
    """Seed of the evaluated samples."""
    patience: Whole = 0
    """End after so many evaluations in a row without a better first score, with the weights of
    the best; 0 goes on to the end."""


class DoctorSettings(Part):
    """How a run is watched: see docs/doctor.md."""

    policy: Literal["off", "watch", "stop", "act"] = "watch"
    """watch: say what fails; stop: save and end then; act: try to mend it; off: do not look."""
    every: Whole = 0
    """Examples between two checkups; 0 makes forty in the run, at least 25 steps apart."""
    actions: Whole = 8
    """Most actions that `act` may take."""


class Recipe(Part):
    """The typed description of a run."""

    system: str = ""
    """Registry key of the model, set by the registry."""
    preset: str = ""
    """Name of the preset this began as."""
    model: SerializeAsAny[GameConfig]
    """What the game is built from."""
    data: AnyData
    """Where batches come from."""
    optim: dict[str, Optim]
    """How each player moves."""
    remedies: Remedies = ()
    """What is done to the game beyond its paper: see docs/guide/remedies.md."""
    ema: Averaging = Averaging()
    """Averaging of the generator's weights."""
    train: Train = Train()
    """Length, batch, records, precision."""
    evaluate: Evaluate = Evaluate()
    """Scores during the run."""
    doctor: DoctorSettings = DoctorSettings()
    """Signals that are watched, and what is done when one says that the run fails."""
    about: str = ""
    """What the preset is for, where its name does not say it."""
    sources: dict[str, str] = Field(default_factory=dict)
    """Paper and section of published numbers, by setting or group of settings (`train.batch`,
    `optim`). What is not named here is ours."""
    facts: dict[str, Fact] = Field(default_factory=dict)
    """What was found when the data were opened: counts and the held-out part."""

    def override(self, changes: Mapping[str, Any]) -> Recipe:
        """This recipe with values at dotted paths replaced.

        Args:
            changes: Such as `{"train.examples": 10_000, "optim.generator.lr": 1e-4}`. Strings are
                read as JSON or Python literals where the field is not a string.

        Raises:
            UserError: A path that does not exist (with the nearest ones) or an ill-typed value.
        """
        sources = {path: text for path, text in self.sources.items() if not _within(path, changes)}
        by_hand = {path: BY_HAND for path in changes if self.source_of(path) != OURS}
        recipe = self.model_copy(update={"sources": sources | by_hand})
        waiting = dict(changes)
        while waiting:
            refusals, before = [], len(waiting)
            for path, value in list(waiting.items()):
                try:
                    recipe = overridden_part(recipe, path, value)
                    del waiting[path]
                except UserError as error:  # it may be right once another change is made
                    refusals.append(error)
            if len(refusals) == before:
                raise refusals[0]
        return recipe

    def source_of(self, path: str) -> str:
        """Where the value at a dotted path comes from: a paper and its section, or "ours"."""
        return self.sources.get(_cited(path, self.sources), OURS)

    @property
    def source(self) -> str:
        """All sources in one line, each with what comes from it."""
        by_text: dict[str, list[str]] = {}
        for path, text in self.sources.items():
            by_text.setdefault(text, []).append(path)
        told = [f"{text}: {', '.join(paths)}" for text, paths in by_text.items()]
        return "; ".join([*told, f"the rest {OURS}"] if told else [OURS])

    @property
    def warnings(self) -> list[str]:
        """Settings that cannot have the effect that they name, a line each."""
        ema, examples = self.ema, self.train.examples
        wanted, longest = ema.wanted(examples), ema.longest(examples)
        if longest >= wanted:
            return []
        return [
            f"ema.half_life={wanted:,g} is not reached: ema.ramp={ema.ramp:g} of "
            f"train.examples={examples:,} allows {longest:,.0f} at the end (ema.ramp=0 lifts it)"
        ]

    def with_data(self, path: str) -> Recipe:
        """This recipe learning from another path, read as its system reads data."""
        return self.model_copy(update={"data": self.data.at(path)})

    def matched(self, spec: DataSpec, facts: Mapping[str, Fact] | None = None) -> Recipe:
        """This recipe with the model fitted to the data."""
        return self.model_copy(
            update={"model": self.model.matched(spec), "facts": dict(facts or {})}
        )

    def to_json(self) -> str:
        """The recipe as JSON.

        Raises:
            UserError: A path in it has bytes that are not UTF-8, which JSON cannot hold.
        """
        try:
            return self.model_dump_json(indent=2) + "\n"
        except PydanticSerializationError as error:
            raise UserError(
                f"{self.data.title} is not UTF-8, so recipe.json cannot name it: rename it"
            ) from error

    @classmethod
    def from_json(cls, text: str, config: type[GameConfig]) -> Recipe:
        """Read a stored recipe.

        Args:
            text: What `to_json` wrote.
            config: The configuration class of the recipe's system.

        Raises:
            UserError: The text is no recipe.
        """
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"this recipe cannot be read: {error}") from error
        return cls.from_tree(tree, config)

    @classmethod
    def from_tree(cls, tree: Any, config: type[GameConfig], where: str = "this recipe") -> Recipe:
        """Read a stored recipe that JSON was read of.

        Args:
            tree: What the JSON holds.
            config: The configuration class of the recipe's system.
            where: What messages call it, such as the path of its file.

        Raises:
            UserError: The tree is no recipe.
        """
        try:
            model = config.model_validate(tree["model"])
            return cls.model_validate({**tree, "model": model})
        except ValidationError as error:
            raise UserError(f"{where} cannot be read: {read_error(error)}") from error
        except KeyError as error:
            raise UserError(f"{where} cannot be read: {error} is missing") from error
        except (ValueError, TypeError) as error:
            raise UserError(f"{where} cannot be read: {error}") from error

    def differences(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """Dotted paths at which two recipes differ, with both values."""
        # What is said about settings is none.
        said = {"about", "sources"}
        mine = flat(self.model_dump(mode="json", exclude=said))
        theirs = flat(other.model_dump(mode="json", exclude=said))
        paths = dict.fromkeys([*mine, *theirs])
        return {
            path: (mine.get(path), theirs.get(path))
            for path in paths
            if mine.get(path) != theirs.get(path)
        }


def tiny(model: GameConfig, data: DataConfig, optim: dict[str, Optim]) -> Recipe:
    """The preset that every system has for tests: forty steps, seconds on a CPU."""
    return Recipe(
        model=model,
        data=data,
        optim=optim,
        ema=Averaging(half_life=16),
        train=Train(examples=640, batch=16),
        evaluate=Evaluate(samples=64),
        about="seconds on a CPU, for tests",
    )


def cite(source: str, *paths: str) -> dict[str, str]:
    """A part of a preset's `sources`: settings or groups of settings that one source has."""
    return dict.fromkeys(paths, source)


def _cited(path: str, sources: Mapping[str, str]) -> str:
    """The longest of some paths that is a path or a group that holds it; empty for none."""
    names = path.split(".")
    heads = (".".join(names[:length]) for length in range(len(names), 0, -1))
    return next((head for head in heads if head in sources), "")


def _within(path: str, groups: Mapping[str, Any]) -> bool:
    """Whether a path is one of some groups, or in one."""
    return any(path == group or path.startswith(f"{group}.") for group in groups)


def flat(tree: Any, path: str = "") -> dict[str, Any]:
    """Leaves of nested mappings by dotted path."""
    if not isinstance(tree, dict) or not tree:
        return {path: tree}
    leaves: dict[str, Any] = {}
    for name, branch in tree.items():
        leaves |= flat(branch, f"{path}.{name}" if path else str(name))
    return leaves
