"""Score generators: data, samples and features joined, each score with its protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from zerosum.core.detect import Detector
from zerosum.core.draw import given_inputs
from zerosum.core.frozen import helpers
from zerosum.core.game import Game
from zerosum.core.runtime import find_device
from zerosum.data.config import DataConfig
from zerosum.data.fields import Batch, size_of
from zerosum.data.source import Source, Split
from zerosum.errors import UserError
from zerosum.metrics.features import Features
from zerosum.metrics.judge import Judge
from zerosum.metrics.record import ScoreRecord
from zerosum.metrics.registry import known_metrics, parse_metrics
from zerosum.metrics.sets import Asked, Embedded, Sets
from zerosum.modalities import modality
from zerosum.pipelines.anomaly import AnomalyDetector
from zerosum.pipelines.cache import FeatureCache, batch_hash
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.reading import kind_of
from zerosum.pipelines.sides import FEW, FEWEST, Reference, check_alike, check_counts, shared_by
from zerosum.training.asking import asked

OnProgress = Callable[[str, int, int], None]  # (what is being done, done, of how many)


@dataclass(frozen=True)
class Evaluation:
    """All scores of one generator.

    Attributes:
        name: What was scored.
        scores: One record for each score.
        ceilings: What held-out reals score in the fakes' place, by the score's name.
        held_out_note: Where the held-out reals come from.
        notes: What to mind, one line each.
    """

    name: str
    scores: list[ScoreRecord]
    ceilings: dict[str, ScoreRecord]
    held_out_note: str
    notes: list[str] = field(default_factory=list)


class Evaluator:
    """Scores several generators by one protocol; reals are read and embedded once."""

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        features: Any = None,
        samples: int = 2000,
        seed: int = 0,
        device: str = "auto",
        options: Mapping[str, Any] | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Settle the protocol.

        Args:
            names: Metrics; none for those that suit the kind of data.
            features: `Features`, an extractor or its name; None chooses by the data.
            samples: Fakes to draw; as many reals at most, and as many held-out ones. A game that
                maps answers each input once: no more than are held out.
            seed: Of the samples and of all that metrics draw.
            device: Where networks run.
            options: Settings of sampling of the runs, such as `{"truncation": 0.7}`.
            on_progress: Called with what is being done, done, and of how many.

        Raises:
            UserError: Too few samples.
        """
        if samples < FEWEST:
            raise UserError(f"{samples} samples are too few: give --samples {FEWEST} or more")
        self.names, self.features, self.samples, self.seed = names, features, samples, seed
        self.device, self.options = find_device(device), options or {}
        self._report = on_progress or (lambda _what, _done, _total: None)
        self._cache = FeatureCache()
        self._references: dict[str, Reference] = {}
        self._judges: dict[str, Judge] = {}
        self._ceilings: dict[tuple[str, ...], tuple[dict[str, ScoreRecord], list[str]]] = {}

    def run(self, path: str | Path, module: str | None = None) -> Evaluation:
        """Score a run or an exported model against the data it was trained on.

        Raises:
            UserError: No such run, data that are gone, a setting of sampling that it has not, or
                a metric that cannot be taken on them.
        """
        generator = Generator.load(path, device=str(self.device), module=module)
        reference = self._learned(generator)
        fake, truth = self._draw(path, generator, reference)
        averaged = generator.recipe.ema.on
        said = asked(generator.game, fake, reference.held_out, self.seed)
        if isinstance(generator.game, Detector) and reference.split.trial is not None:
            detector = AnomalyDetector(generator, on_progress=self._report)
            detection = cache(partial(detector.detected, samples=self.samples))
            said = replace(said, detection=detection)
        found = self._evaluate(str(path), reference, fake, averaged, truth, said)
        features = self._judge(reference).features.name
        if features in helpers(generator.game):
            note = f"{features} took part in this training: scores on its features flatter it"
            found.notes.append(note)
        return found

    def baselines(self, path: str | Path, module: str | None = None) -> list[Evaluation]:
        """Score honest methods that are no GAN on the data of a run, by the same protocol.

        Metrics that need a field which a method does not make, such as a label, are left out of
        its scores.

        Raises:
            UserError: As for `run`.
        """
        generator = Generator.load(path, module=module)
        reference = self._learned(generator)
        split = reference.split
        assert isinstance(split.train, Source)
        inputs, truth, n = self._given(path, generator.game, reference)
        made = reference.modality.baselines(split.train, split.codec, n, self.seed, inputs)
        return [
            self._evaluate(name, reference, samples, None, truth, able=True)
            for name, samples in made.items()
        ]

    def folders(self, real: str, fake: str, size: tuple[int, int] | None = None) -> Evaluation:
        """Score one set of examples against another; each a folder, archive, file or named set.

        Args:
            real: Real examples; their kind decides how both are read.
            fake: Generated ones.
            size: (height, width) that pictures are brought to; None for the size that they have.

        Raises:
            UserError: A set cannot be read, they differ in shape, or a metric cannot be taken.
        """
        first, second = kind_of(real).compared(real, fake, size)
        split = first.open(None, self._reading)
        reference = self._reference(split, first)
        drawn = second.open(split.codec, self._reading).train
        made = drawn.some(self.samples)
        shared = shared_by(reference, made)
        found = self._evaluate(second.title, reference, made, None, {})
        read = [f"{real}: {line}" for line in split.train.notes]
        read += [f"{fake}: {line}" for line in drawn.notes]
        return replace(found, notes=[*([shared] if shared else []), *found.notes, *read])

    def _learned(self, generator: Generator) -> Reference:
        """The data that a generator learned from, read once."""
        config = generator.recipe.data
        key = config.model_dump_json()
        if key not in self._references:
            split = generator.open(self._reading)
            self._references[key] = self._reference(split, config)
        return self._references[key]

    def _reading(self, done: int, total: int) -> None:
        self._report("reading", done, total)

    def _reference(self, split: Split, config: DataConfig) -> Reference:
        """At most `samples` of each part, always the same ones whatever the seed."""
        if not isinstance(split.train, Source):
            raise UserError("a stream of shards cannot be sampled: evaluate on folders, --real")
        held_out = {} if split.heldout is None else split.heldout.some(self.samples)
        return Reference(
            modality=modality.of(config),
            split=split,
            train=split.train.some(self.samples),
            held_out=held_out,
            title=config.title,
            prepared=config.prepared,
        )

    def _draw(
        self, path: str | Path, generator: Generator, reference: Reference
    ) -> tuple[Batch, Batch]:
        """Fakes under the seed, and the true answers where the game maps."""
        if why := generator.options(self.options).unscored():
            raise UserError(f"these samples cannot be scored, {why}")
        inputs, truth, n = self._given(path, generator.game, reference)
        self._report("drawing", 0, n)
        fake = generator.drawn_on(inputs, n, self.seed, self.options)
        self._report("drawing", n, n)
        return fake, truth

    def _given(
        self, path: str | Path, game: Game, reference: Reference
    ) -> tuple[Batch, Batch, int]:
        """Inputs of a game that maps, each once, their true answers, and how many to draw."""
        split, n = reference.split, self.samples
        inputs, truth = given_inputs(game, split.train, split.heldout, n, repeat=False)
        if inputs and (n := size_of(inputs)) < (least := FEW if truth else FEWEST):
            raise UserError(
                f"{path} gives {n} {reference.modality.noun} to be scored: {least} are the least, "
                "so train with a larger data.holdout"
            )
        return inputs, truth, n

    def _judge(self, reference: Reference) -> Judge:
        kind = reference.modality
        if kind.name not in self._judges:
            known = known_metrics(kind.own_metrics)
            chosen = (
                self.features
                if isinstance(self.features, Features)
                else kind.features(self.features, reference.train, reference.title)
            )
            on_device = replace(chosen, take=lambda batch: chosen.take(self._moved(batch)))
            self._judges[kind.name] = Judge(on_device, known, reference.split.codec.decode)
        return self._judges[kind.name]

    def _moved(self, batch: Batch) -> Batch:
        return {name: value.to(self.device) for name, value in batch.items()}

    def _embed(
        self, examples: Batch, judge: Judge, used: bool, what: str, keep: bool = False
    ) -> Embedded:
        """Features and logits, from the cache where the same were computed before."""
        if not used:
            return judge.plain(examples)
        found = self._cache.read(examples, judge.features) if keep else None
        kept = None if found is None else (found["features"], found.get("logits"))
        embedded = judge.embed(examples, lambda done, total: self._report(what, done, total), kept)
        if keep and found is None:
            logits = {} if embedded.logits is None else {"logits": embedded.logits}
            self._cache.keep(examples, judge.features, {"features": embedded.features, **logits})
        return embedded

    def _evaluate(
        self,
        name: str,
        reference: Reference,
        fake: Batch,
        averaged: bool | None,
        truth: Batch,
        said: Asked = Asked(),
        able: bool = False,
    ) -> Evaluation:
        real = reference.train
        check_alike(name, real, fake)
        count, made = size_of(real), size_of(fake)
        check_counts(name, reference, count, made, truth)
        judge = self._judge(reference)
        usual = reference.modality.usual_metrics(reference.split.train.fields)
        usual = [one for one in usual if (truth if judge.metrics[one].paired else made >= FEWEST)]
        usual += ["likelihood"] if said.likelihood is not None else []
        if said.detection is not None:  # what such a run is for
            usual = [one for one in judge.metrics if judge.metrics[one].of_detector]
        names = parse_metrics(",".join(self.names or usual), judge.metrics)
        if able:
            names = [one for one in names if set(judge.metrics[one].needs) <= set(fake)]
        used = any(judge.metrics[one].takes == "features" for one in names)
        embedded = self._embed(real, judge, used, "features of reals", keep=True)
        held, what = reference.held_out, "features of held-out reals"
        fresh = self._embed(held, judge, used, what, keep=True) if held else None
        answers = self._embed(truth, judge, used, "features of answers") if truth else None
        generated = self._embed(fake, judge, used, "features of fakes")
        chosen = judge.features
        form = ScoreRecord(
            metric="",
            value=0.0,
            interval=None,
            null=None,
            n_real=count,
            n_fake=made,
            data=reference.split.train.name,
            data_hash=batch_hash(real),
            split="training part",
            features=chosen.name,
            weight_hash=chosen.weight_hash,
            data_filter=reference.prepared,
            extractor_filter=chosen.filter,
            dtype=str(embedded.features.dtype).removeprefix("torch."),
            seed=self.seed,
            averaged=averaged,
            sampling={} if averaged is None else {k: str(v) for k, v in self.options.items()},
        )
        train = reference.split.train
        learned = reference.modality.learned(train) if isinstance(train, Source) else None
        sets = Sets(embedded, generated, fresh, self.seed, answers, learned, said)
        scores = self._take(judge, sets, form, names, "scores")
        notes = [f"features: {chosen.name}, {chosen.why}"] if chosen.why and used else []
        width = embedded.features.shape[1]
        if min(count, made) <= 2 * width and "fd" in names:
            notes.append(
                f"{min(count, made):,} samples for {width:,} features: bias rules the Fréchet "
                "distance, look at kd or give more --samples"
            )
        ceilings, complaints = self._ceiling(judge, names, embedded, fresh, form, learned)
        if ceilings and held and size_of(held) < made:
            notes.append(
                f"the ceiling has {size_of(held):,} samples for {made:,}, which moves fd, "
                f"coverage and is: for like numbers give --samples {min(size_of(held), count)}"
            )
        if self._cache.complaint:
            notes.append(self._cache.complaint)
        note = reference.split.heldout_note
        return Evaluation(name, scores, ceilings, note, notes + complaints)

    def _ceiling(
        self,
        judge: Judge,
        names: Sequence[str],
        real: Embedded,
        fresh: Embedded | None,
        form: ScoreRecord,
        learned: Any,
    ) -> tuple[dict[str, ScoreRecord], list[str]]:
        """Scores of held-out reals in the fakes' place, and why some cannot be had.

        They are taken once for each real set.
        """
        if fresh is None or len(fresh.features) < FEWEST:
            count = 0 if fresh is None else len(fresh.features)
            return {}, [f"no ceiling: {count} held-out reals are fewer than {FEWEST}"]
        key = (form.data_hash, form.features, form.weight_hash)
        if key not in self._ceilings:
            # Averaged or not is a matter of fakes.
            blank = replace(form, kind="ceiling", averaged=None, sampling={})
            sets = Sets(real, fresh, None, self.seed, learned=learned)
            records: list[ScoreRecord] = []
            complaints: list[str] = []
            usable = (judge.metrics[n].ceiling and not judge.metrics[n].paired for n in names)
            for name in (name for name, use in zip(names, usable) if use):
                try:
                    records += self._take(judge, sets, blank, [name], "ceilings")
                except UserError as error:
                    complaints.append(f"no ceiling of {name}: held-out reals: {error}")
            self._ceilings[key] = {record.metric: record for record in records}, complaints
        return self._ceilings[key]

    def _take(
        self, judge: Judge, sets: Sets, form: ScoreRecord, names: Sequence[str], what: str
    ) -> list[ScoreRecord]:
        records = []
        plain = replace(
            form,
            features="the examples",
            weight_hash="",
            extractor_filter="none",
            dtype="as drawn",
        )
        for done, name in enumerate(names):
            self._report(what, done, len(names))
            for taken in judge.take(name, sets):
                base = form if taken.on_features else plain
                records.append(base.taken(taken.name, taken.score, dict(taken.parameters)))
        self._report(what, len(names), len(names))
        return records
