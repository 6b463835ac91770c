"""What a kind of data must know so that every command works for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from PIL import Image
from torch import Tensor

from zerosum.data import registry
from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.fields import Batch, Field
from zerosum.data.source import Source
from zerosum.errors import UserError
from zerosum.metrics.features import Features, Outputs
from zerosum.metrics.registry import Metric
from zerosum.modalities.answers import Choice, Fault, Filters, Inspection, Listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Panel = Callable[["Axes"], None]
"""Draws one plot of a report."""


class Modality(ABC):
    """One kind of data. A folder of `zerosum.modalities` exports one as `MODALITY`.

    Attributes:
        name: The folder's name.
        noun: What its examples are called, in the plural: `images`, `rows`.
        configs: The configs that a recipe's `data` may be.
        default: The preset that learns from a path when no system is named.
        raw: What `rows` gives is called in the names of scores: `pixels`, `columns`.
        metrics: What `zerosum evaluate` takes when nobody says.
        independent: Whether held-out examples are further draws of the law of the training ones,
            with which the doctor may compare; false where they are the rest of one whole.
    """

    name: ClassVar[str]
    noun: ClassVar[str]
    configs: ClassVar[tuple[type[DataConfig], ...]]
    default: ClassVar[str]
    raw: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]] = ("fd", "kd", "prdc")
    independent: ClassVar[bool] = True

    # -- what is in a path -----------------------------------------------------------------

    @abstractmethod
    def reads(self, path: str) -> str:
        """What a path would be read as, such as `a folder of pictures`; "" if it is not ours.

        Cheap: names and a few bytes are looked at. A path that means nothing at all is nobody's.
        """

    @abstractmethod
    def inspect(
        self, path: str, *, limit: int | None = None, on_progress: OnProgress | None = None
    ) -> Inspection:
        """What is in a path and what is wrong with it.

        Raises:
            UserError: Nothing is there, or nothing can be read.
        """

    def schema(self, path: str) -> str:
        """What the parts of an example are taken for, as JSON that people edit.

        Raises:
            UserError: Nothing is there, or there is no such thing of this kind.
        """
        raise UserError(f"{self.noun} have no schema: leave --schema out")

    def choice(self, path: str, device: str, asked: Mapping[str, Any]) -> Choice:
        """What to train on a path when no system is named; the default preset as it is, if a
        kind does not say more.

        Args:
            path: As typed.
            device: Type of the device, such as `cpu`.
            asked: What the user sets, by dotted path; it goes before the choice's settings.
        """
        return Choice(self.default)

    # -- what sampling can be asked for ----------------------------------------------------

    def filters(
        self, words: Sequence[str], codec: Codec, conditions: Mapping[str, Field]
    ) -> Filters:
        """What `zerosum generate --where` means, such as `age>30`.

        Raises:
            UserError: Words that mean nothing for these data.
        """
        raise UserError(f"--where is for tables, not for {self.noun}: use --condition")

    def standing(self, codec: Codec) -> Callable[[Batch], Tensor] | None:
        """Which samples (n,) of a drawn batch may be given out; None where all may.

        Batches are asked in the order in which they were drawn, each once.
        """
        return None

    def shares(
        self, text: str, codec: Codec, conditions: Mapping[str, Field]
    ) -> list[tuple[int, str, Filters]]:
        """What `zerosum generate --counts` means: how many samples, of what, and their filters.

        Raises:
            UserError: Words that mean nothing for these data.
        """
        raise UserError(f"--counts is for tables, not for {self.noun}: use --condition")

    def complete(self, path: str, codec: Codec, draw: Callable[[int, list[str]], Batch]) -> Any:
        """Objects like those of a path of which only parts are given.

        Args:
            path: As typed.
            codec: The run's.
            draw: From how many, and words as `filters` takes them, to samples that fulfil them.

        Raises:
            UserError: What is given means nothing for these data, or cannot be met.
        """
        raise UserError(f"--like is for tables, not for {self.noun}: leave it out")

    def write_objects(self, objects: Any, codec: Codec, path: Path) -> int:
        """Write what `complete` gave; how many they are."""
        raise UserError(f"--like is for tables, not for {self.noun}: leave it out")

    def selected(self, expression: str, codec: Codec) -> Callable[[Batch], Tensor]:
        """What `zerosum generate --filter` keeps: which samples (n,) of a drawn batch, bool.

        Batches are asked in the order in which they were drawn, each once, so that a kind may
        keep what comes again but once.

        Raises:
            UserError: Words that mean nothing for these data.
        """
        raise UserError(f"--filter is for molecules, not for {self.noun}: leave it out")

    def read_objects(self, path: str, codec: Codec, n: int) -> list[Any]:
        """The first n objects of a path, for games that map them.

        Raises:
            UserError: There are fewer, or they cannot be read.
        """
        raise UserError(f"{self.noun} are not mapped: leave --inputs out")

    def listed(self, path: str, codec: Codec, config: DataConfig) -> Listed:
        """The examples of a path, to be judged one by one.

        Args:
            path: As typed.
            codec: The run's.
            config: Of the run's own data.

        Raises:
            UserError: Nothing is there, or this kind is not judged one by one.
        """
        raise UserError(f"{self.noun} are not judged one by one")

    # -- show ------------------------------------------------------------------------------

    @abstractmethod
    def on_a_sheet(self, fields: Mapping[str, Field]) -> tuple[int, int]:
        """How many samples make a sheet, and how many of them a row; 0 where rows mean nothing."""

    @abstractmethod
    def sheet(
        self,
        samples: Batch,
        codec: Codec,
        *,
        real: Batch,
        columns: int,
        title: str,
        captions: Sequence[str] = (),
    ) -> Image.Image:
        """Samples as a picture that a person can judge.

        Args:
            samples: What a game drew, finished, with its inputs and conditions.
            codec: The run's.
            real: Real examples to be shown beside them where that helps: for games with inputs
                the true answers to those, in the same order; else any.
            columns: Samples in a row.
            title: May be written over the picture.
            captions: A line for each sample, shown where samples have room for one.
        """

    def shown_alone(self, batch: Batch, codec: Codec) -> list[Image.Image]:
        """Each example as a picture of its own, for studies with people: here a sheet of one."""
        count = len(next(iter(batch.values())))
        alone = ({name: value[i : i + 1] for name, value in batch.items()} for i in range(count))
        return [self.sheet(one, codec, real={}, columns=1, title="") for one in alone]

    def marked(self, example: Batch, heat: Tensor, level: float) -> Image.Image:
        """One example with what is anomalous in it marked.

        Args:
            example: Finished, (1, ...).
            heat: Scores (1, 1, H, W) of its pixels.
            level: Score up to which nothing is marked; what is twice as high is marked fully.

        Raises:
            UserError: There is no such thing of this kind.
        """
        raise UserError(f"{self.noun} have no map of anomalies: leave --maps out")

    def nonsense(self, real: Batch, codec: Codec, n: int, seed: int) -> Batch:
        """Examples (n, ...) that nobody who looks takes for real, for the checks of a study.

        Raises:
            UserError: There is no such thing of this kind.
        """
        raise UserError(f"a study of {self.noun} has no attention checks: give --checks 0")

    def panels(self, real: Batch, fake: Batch, codec: Codec) -> dict[str, Panel]:
        """Plots of a report that compare real and generated samples, by title."""
        return {}

    def twins(self, fake: Batch, train: Batch, codec: Codec) -> Image.Image | None:
        """Samples beside the training examples nearest to them; None where it cannot be shown."""
        return None

    # -- judge -----------------------------------------------------------------------------

    @abstractmethod
    def rows(self, batch: Batch) -> Tensor:
        """Finished examples as float rows (N, d), in which two laws can be compared cheaply.

        Used by the doctor and for scores on the way. Scales of the columns should be alike.
        """

    def compared(
        self, real: str, fake: str, size: tuple[int, int] | None = None
    ) -> tuple[DataConfig, DataConfig]:
        """How two sets are read so that one can be scored against the other.

        Args:
            real: Path of real examples.
            fake: Path of generated ones.
            size: (height, width) of pictures; means nothing for other kinds.

        Raises:
            UserError: They cannot be compared.
        """
        if size is not None:
            raise UserError(f"--size is for pictures, not for {self.noun}")
        config = self.configs[0].model_validate({})
        return config.at(real), config.at(fake)

    def features(self, name: Any, real: Batch, title: str) -> Features:
        """The extractor of a name, or the one that suits these data best.

        Args:
            name: As `--features` has it, or an extractor of one's own; None chooses.
            real: Some real examples, finished.
            title: What the data are called, such as `mnist`.

        Raises:
            UserError: There is none of that name, or it is not for these data.
        """
        if name not in (None, self.raw):
            raise UserError(f"--features {name} is not for {self.noun}: leave it out here")
        why = "" if name else f"the only features of {self.noun}"
        return Features(self.raw, lambda batch: Outputs(self.rows(batch), None), why=why, raw=True)

    def raw_features(self, real: Batch) -> Features | None:
        """Rows as features for scores on the way; None where they would cost too much.

        Args:
            real: Some real examples, finished.
        """
        return self.row_features()

    def row_features(self) -> Features:
        """Rows as features, whatever they cost."""
        return Features(self.raw, lambda batch: Outputs(self.rows(batch).double(), None), raw=True)

    @property
    def own_metrics(self) -> Mapping[str, Metric]:
        """Metrics of this kind of data alone, by name."""
        return {}

    def learned(self, train: Source) -> Any:
        """The whole training part, for metrics that ask whether a sample is new; None for none."""
        return None

    def faults(self, some: Batch, fields: Mapping[str, Field]) -> list[Fault]:
        """What is wrong with finished examples: a span of values, repeats, and the like."""
        return []

    def usual_metrics(self, fields: Mapping[str, Field]) -> tuple[str, ...]:
        """What `zerosum evaluate` takes of data with some fields when nobody says."""
        return self.metrics

    def baselines(
        self, train: Source, codec: Codec, n: int, seed: int, inputs: Batch
    ) -> dict[str, Batch]:
        """Samples (n, ...) of honest methods that are no GAN, by name, to be scored beside one.

        Args:
            train: What they learn from.
            codec: The run's.
            n: How many.
            seed: Of all that they draw.
            inputs: What is to be mapped (n, ...), by name; empty for games that draw.
        """
        return {}


def repeats(rows: Tensor, share_of_usual: float, limit: float = 0.1) -> list[Fault]:
    """Rows (N, d) that come several times among the others.

    Args:
        rows: Examples that were drawn without repeats.
        share_of_usual: Two rows are twins below this share of the median distance; 0 for equal.
        limit: Largest share of rows with a twin.
    """
    apart = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    apart = apart.fill_diagonal_(torch.inf)
    near = share_of_usual * apart[apart.isfinite()].median()
    share = (apart.amin(1) <= near).double().mean().item()
    if share <= limit:
        return []
    evidence = (
        f"{share:.0%} of {len(rows):,} samples have a twin among the others, the same but for "
        f"a fiftieth of the usual distance at most (limit {limit:.0%})"
    )
    remedy = "Repeats are learned as often as they come: remove them"
    return [Fault("twins", share, limit, evidence, remedy)]


def counted(counts: Mapping[str, int], most: int = 6) -> str:
    """Counts by name for people, the first ones spelled out."""
    shown = ", ".join(f"{name}: {count:,}" for name, count in [*counts.items()][:most])
    return shown + (f", and {len(counts) - most} more" if len(counts) > most else "")


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names for people: how many, and the first ones."""
    if not names:
        return "none"
    more = f", and {len(names) - most:,} more" if len(names) > most else ""
    return f"{len(names):,}: {', '.join(names[:most])}{more}"


def find(name: str) -> Modality:
    """The modality of a name."""
    return registry.package(name).MODALITY


def of(config: DataConfig) -> Modality:
    """The modality that a config belongs to."""
    return find(config.modality)


def every() -> list[Modality]:
    """All modalities."""
    return [find(name) for name in registry.names()]
