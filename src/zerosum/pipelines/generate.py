"""Draw samples from a trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zerosum.core.draw import check_finite, codes, draw, drawn, given_inputs, sampling
from zerosum.core.game import Game, LatentGame, SampleOptions
from zerosum.core.overrides import overridden_part
from zerosum.core.recipe import Recipe
from zerosum.core.runtime import find_device
from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.fields import Batch, Category, Field
from zerosum.data.source import Split
from zerosum.errors import UserError
from zerosum.limits import LARGEST_SEED
from zerosum.modalities import modality
from zerosum.modalities.modality import Filters, Modality
from zerosum.pipelines import export
from zerosum.pipelines.arcs import slerp
from zerosum.pipelines.conditions import Condition, condition_values
from zerosum.pipelines.reading import reopened
from zerosum.pipelines.sifting import Sifted, mixed, sift
from zerosum.pipelines.streaming import check_number, in_parts, write_parts
from zerosum.training.run import read_run


class Generator:
    """A trained game that samples under a seed.

    Attributes:
        game: The game with its averaged weights, in evaluation mode.
        recipe: What it was trained with.
        codec: From samples to users' objects.
        name: What messages call it: the folder that it was loaded from.
    """

    def __init__(self, game: Game, recipe: Recipe, codec: Codec, name: str = "") -> None:
        self.game, self.recipe, self.codec = game, recipe, codec
        self.name = name or recipe.system

    @classmethod
    def load(
        cls, path: str | Path, *, device: str = "auto", module: str | None = None
    ) -> Generator:
        """Load a run's folder or an exported model's folder.

        Args:
            path: Folder that `zerosum train` or `zerosum export` wrote.
            device: Where to sample.
            module: Module or file of an outside model.

        Raises:
            UserError: The folder holds neither.
        """
        folder, where = Path(path), find_device(device)
        if (folder / "config.json").is_file():
            game, recipe, codec = export.read(folder, module)
        else:
            saved = read_run(folder, module)
            game, recipe, codec = saved.game, saved.recipe, saved.codec
        return cls(game.to(where), recipe, codec, str(path))

    @property
    def modality(self) -> Modality:
        """The kind of what is drawn."""
        return modality.of(self.recipe.data)

    @property
    def conditions(self) -> dict[str, Field]:
        """What may be given, by name; classes with the names that the data have for them."""
        return {
            name: self.codec.fields[name]
            if isinstance(field, Category) and name in self.codec.fields
            else field
            for name, field in self.game.conditions().items()
        }

    @property
    def class_names(self) -> list[str]:
        """Names of the classes in the order of the labels; empty without labels."""
        label = self.codec.fields.get("label")
        return list(label.names) if isinstance(label, Category) else []

    def open(self, on_progress: OnProgress | None = None) -> Split:
        """The data that the game learned from.

        Raises:
            UserError: They are no longer there, or are other ones by now.
        """
        return reopened(self.recipe.data, self.codec, self.name, on_progress)

    def options(self, words: Mapping[str, Any]) -> SampleOptions:
        """Settings of sampling, such as `{"truncation": 0.7}`.

        Raises:
            UserError: The game has no such setting, or the value is none.
        """
        chosen = self.game.Options()
        if words and not type(chosen).model_fields:
            raise UserError(f"{self.recipe.system} has no settings of sampling: leave them out")
        for name, value in words.items():
            chosen = overridden_part(chosen, name, value)
        return chosen

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        decode: bool = True,
        options: Mapping[str, Any] | None = None,
        inputs: Sequence[Any] | None = None,
        **condition: Condition,
    ) -> Any:
        """Draw n samples.

        Args:
            n: How many.
            seed: The same seed gives the same samples.
            decode: Give objects (pictures, rows, molecules); else the tensor.
            options: Settings of sampling, as `Game.Options` names them.
            inputs: For games that map: n objects to be mapped; held-out ones when None.
            **condition: Such as `label=3` for all or `label=[0, 1, 2]` for each sample.

        Returns:
            n objects, or a tensor (n, ...), finished, as networks see it.

        Raises:
            UserError: A condition that the model does not take, or a wrong number of values.
        """
        samples = self.draw(n, seed=seed, options=options, inputs=inputs, **condition)
        return self._given_out(samples, decode)

    def draw(
        self,
        n: int,
        *,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        inputs: Sequence[Any] | None = None,
        **condition: Condition,
    ) -> dict[str, Tensor]:
        """As `sample`, with all fields as tensors on the CPU: samples first, then conditions."""
        self.check_number(n)
        check_seed(seed)
        given = self.conditioned(n, condition) | self._inputs(n, inputs)
        settings, standing = self.options(options or {}), self.modality.standing(self.codec)
        if standing is not None and not given:
            said = "what is to hold in every row"
            filters = Filters(lambda n, rng: {}, standing)
            return self._sift(n, filters, said, seed, settings).samples
        samples = draw(self.game, n, seed, given, settings)
        check_finite(samples, self.name)
        return samples

    def _sift(self, n: int, filters: Filters, said: str, seed: int, *rest: Any) -> Sifted:
        """See `sift`; `rest` are settings of sampling, and who is told of progress."""
        return sift(self.game, n, filters, said, self.name, seed, *rest)

    def check_number(self, n: int, out: Path | None = None, *, given: bool = False) -> None:
        """See `streaming.check_number`."""
        check_number(self.codec, n, out, given)

    def write(self, samples: Batch, path: Path) -> int:
        """See `streaming.write_parts`."""
        n = len(next(iter(samples.values())))
        return write_parts(self.codec, [dict(samples)], n, path)

    def write_drawn(
        self,
        n: int,
        path: Path,
        *,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        inputs: Sequence[Any] | None = None,
        on_progress: OnProgress | None = None,
        **condition: Condition,
    ) -> int:
        """Draw as `draw` and write as `write`, in one: where the kind of file allows it, samples
        are written as they are drawn, however many there are.

        Returns:
            How many were written.

        Raises:
            UserError: As both.
        """
        self.check_number(n, None if self.game.inputs() else path, given=bool(condition))
        check_seed(seed)
        given = self.conditioned(n, condition) | self._inputs(n, inputs)
        settings = self.options(options or {})
        if self.modality.standing(self.codec) is not None and not given:
            return self.write(self.draw(n, seed=seed, options=options), path)
        blocks = drawn(self.game, n, seed, given, settings)
        parts = in_parts(blocks, self.codec, n, self.name, on_progress)
        return write_parts(self.codec, parts, n, path)

    @torch.no_grad()
    def interpolate(
        self,
        stops: int = 2,
        steps: int = 8,
        *,
        seed: int = 0,
        decode: bool = True,
        **condition: int,
    ) -> Any:
        """Walk through the latent space on great circles between random codes.

        Args:
            stops: Codes to pass through, at least 2.
            steps: Samples from one code up to the next.
            seed: Seed of the codes.
            decode: Give objects; else the tensor.
            **condition: One value each, held during the walk.

        Returns:
            (stops - 1) * steps + 1 samples, in order.

        Raises:
            UserError: The model has no latent code.
        """
        if not isinstance(self.game, LatentGame) or self.game.inputs():
            raise UserError(f"{self.recipe.system} has no latent code to interpolate")
        if stops < 2 or steps < 1:
            raise UserError("an interpolation needs at least 2 stops and 1 step between them")
        check_seed(seed)
        rng = torch.Generator().manual_seed(seed)
        ends = codes(self.game, stops, seed)
        shares = torch.arange(steps, device=ends.device) / steps
        walk = [slerp(a, b, shares) for a, b in pairwise(ends)]
        z = torch.cat([*walk, ends[-1:]])
        drawn = {name: value[:1].expand(len(z)) for name, value in self.game.prior(1, rng).items()}
        given = drawn | self.conditioned(len(z), condition)
        given = {name: value.to(z.device) for name, value in given.items()}
        with sampling(self.game):
            samples = self.game.decode(z, given)
        check_finite(samples, self.name)
        return self._given_out({name: value.cpu() for name, value in samples.items()}, decode)

    def _given_out(self, samples: dict[str, Tensor], decode: bool) -> Any:
        if decode:
            return self.codec.decode(samples)
        given = {*self.game.inputs(), *self.game.conditions()}
        # A reconstruction bears the name of what it was made of.
        return next(
            (value for name, value in samples.items() if name not in given),
            next(iter(samples.values())),
        )

    def _inputs(self, n: int, objects: Sequence[Any] | None) -> dict[str, Tensor]:
        """What the game maps: given objects, or held-out ones of its data."""
        names = list(self.game.inputs())
        if objects is not None and not names:
            raise UserError(f"{self.recipe.system} maps nothing: leave the inputs out")
        if objects is not None:
            if len(objects) != n:
                raise UserError(f"{len(objects)} inputs for {n} samples: give one for each")
            encoded = self.codec.encode(objects)
            lacking = [name for name in names if name not in encoded]
            if lacking:
                raise UserError(f"these inputs have no {', '.join(lacking)}")
            return {n: self.codec.fields[n].finish(encoded[n]) for n in names}
        if not names:
            return {}
        try:
            split = self.open()
        except UserError as error:
            what = ", ".join(names)
            raise UserError(f"{error}; or give {what} to be mapped with --inputs") from error
        return given_inputs(self.game, split.train, split.heldout, n)[0]

    def draw_where(
        self,
        n: int,
        words: Sequence[str],
        *,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> dict[str, Tensor]:
        """Draw n samples for which all of some words hold, such as `age>30`.

        What can be a condition becomes one; for the rest samples are drawn and passed over.

        Raises:
            UserError: Words that mean nothing for these data, or hold for too few samples.
        """
        self.check_number(n)
        check_seed(seed)
        filters = self.modality.filters(words, self.codec, self.game.conditions())
        said, settings = " and ".join(words), self.options(options or {})
        return self._sift(n, filters, said, seed, settings).samples

    def draw_counts(
        self, text: str, *, seed: int = 0, options: Mapping[str, Any] | None = None
    ) -> dict[str, Tensor]:
        """Draw exact numbers of samples, such as `income=>50K:200,<=50K:800`, in mixed order.

        Raises:
            UserError: Words that mean nothing for these data, or hold for too few samples.
        """
        check_seed(seed)
        settings = self.options(options or {})
        shares = self.modality.shares(text, self.codec, self.game.conditions())
        self.check_number(sum(n for n, _, _ in shares))
        parts = [self._sift(n, f, said, seed, settings).samples for n, said, f in shares]
        return mixed(parts, seed)

    def complete(
        self, path: str, *, seed: int = 0, options: Mapping[str, Any] | None = None
    ) -> Any:
        """Objects like those of a path of which parts are given: the rest is drawn.

        Raises:
            UserError: What is given means nothing for these data, or cannot be met.
        """
        check_seed(seed)

        def drawn(n: int, words: list[str]) -> dict[str, Tensor]:
            return self.draw_where(n, words, seed=seed, options=options)

        return self.modality.complete(path, self.codec, drawn)

    def draw_filtered(
        self,
        n: int,
        expression: str,
        *,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        on_progress: OnProgress | None = None,
    ) -> Sifted:
        """Draw until n samples fulfil an expression, such as `qed > 0.6 and sa < 4`.

        What it may say is the kind's, see `Modality.selected`.

        Raises:
            UserError: Words that mean nothing for these data, or hold for too few samples.
        """
        self.check_number(n)
        check_seed(seed)
        holds = self.modality.selected(expression, self.codec)
        filters, settings = Filters(lambda n, rng: {}, holds), self.options(options or {})
        return self._sift(n, filters, expression, seed, settings, on_progress)

    def read_inputs(self, path: str, n: int) -> list[Any]:
        """The first n objects of a path, to be mapped.

        Raises:
            UserError: There are fewer, or they cannot be read.
        """
        return self.modality.read_objects(path, self.codec, n)

    def drawn_on(
        self, inputs: Batch, n: int, seed: int, options: Mapping[str, Any] | None = None
    ) -> dict[str, Tensor]:
        """Samples (n, ...) of given inputs, finished tensors (n, ...) by name."""
        self.check_number(n)
        check_seed(seed)
        samples = draw(self.game, n, seed, inputs, self.options(options or {}))
        check_finite(samples, self.name)
        return samples

    def conditioned(self, n: int, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """Conditions for n samples as tensors (n, ...).

        Raises:
            UserError: A condition that the model does not take, or a wrong number of values.
        """
        fields = self.conditions
        tensors: dict[str, Tensor] = {}
        for name, value in given.items():
            if name not in fields:
                takes = ", ".join(fields) or "no condition"
                raise UserError(f"{self.recipe.system} takes {takes}, not '{name}'")
            tensors[name] = condition_values(name, fields[name], value, n)
        return tensors


def check_seed(seed: int) -> None:
    """Refuse a seed that torch would refuse, or take for another one."""
    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"seed {seed}: a seed is a whole number from 0 to 2**63 - 1")


load = Generator.load
