"""Score generators: data, samples and features joined, each score with its protocol."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zerosum.codecs.image import to_uint8
from zerosum.core.files import atomic
from zerosum.core.runtime import find_device
from zerosum.data.config import Images
from zerosum.data.source import Source, Split, finish
from zerosum.errors import UserError
from zerosum.metrics.extractors import (
    Extractor,
    FunctionExtractor,
    extractor,
    lite0_available,
    score_name,
)
from zerosum.metrics.extractors.classifiers import SETS, weights_file
from zerosum.metrics.extractors.simple import WIDEST
from zerosum.metrics.extractors.suite import DEFAULT, METRICS, Embedded, Sets, parse_metrics
from zerosum.metrics.record import ScoreRecord
from zerosum.pipelines.generate import Generator

CACHE_VARIABLE = "ZEROSUM_CACHE"
CHUNK = 512
"""Samples drawn at a time; a part of their identity, for each chunk has a seed of its own."""
BATCH = 64
"""Images given to an extractor at a time."""
FEWEST = 10
HELD_OUT = 0.2
"""Share of a folder of reals that is kept for the ceiling; enough for one in small folders."""

OnProgress = Callable[[str, int, int], None]  # (what is being done, done, of how many)


@dataclass(frozen=True)
class Samples:
    """Finished samples, images as uint8, and their classes where they have any."""

    values: Tensor
    labels: Tensor | None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def hash(self) -> str:
        """sha256 of the values and their shape."""
        digest = hashlib.sha256(repr((tuple(self.values.shape), self.values.dtype)).encode())
        digest.update(self.values.contiguous().numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Reference:
    """The real side: training samples, held-out ones, and how both were prepared."""

    train: Samples
    held_out: Samples | None
    name: str
    held_out_note: str
    data_filter: str
    known_set: str = ""
    """Name of the set, where it is one that the package has a classifier for."""


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
        names: Sequence[str] = DEFAULT,
        *,
        features: str | Extractor | None = None,
        samples: int = 2000,
        seed: int = 0,
        device: str = "auto",
        on_progress: OnProgress | None = None,
    ) -> None:
        """Settle the protocol.

        Args:
            names: Of `METRICS`.
            features: An extractor or its name; None chooses by the data.
            samples: Fakes to draw; as many reals at most, and as many held-out ones.
            seed: Of the samples and of all that metrics draw.
            device: Where networks run.
            on_progress: Called with what is being done, done, and of how many.

        Raises:
            UserError: An unknown metric or too few samples.
        """
        self.names = parse_metrics(",".join(names))
        if samples < FEWEST:
            raise UserError(f"{samples} samples are too few: give --samples {FEWEST} or more")
        self.features, self.samples, self.seed = features, samples, seed
        self.device = find_device(device)
        self._report = on_progress or (lambda _what, _done, _total: None)
        self._references: dict[str, Reference] = {}
        self._extractors: dict[str, Extractor] = {}
        self._ceilings: dict[tuple[str, ...], tuple[dict[str, ScoreRecord], list[str]]] = {}

    def run(self, path: str | Path, module: str | None = None) -> Evaluation:
        """Score a run or an exported model against the data it was trained on.

        Raises:
            UserError: No such run, data that are gone, or a metric that cannot be taken on them.
        """
        generator = Generator.load(path, device=str(self.device), module=module)
        recipe = generator.recipe
        name = "image" if isinstance(recipe.data, Images) else "point"
        key = recipe.data.model_dump_json()
        if key not in self._references:
            split = recipe.data.open(lambda done, total: self._report("reading", done, total))
            described = _prepared(recipe.data) if isinstance(recipe.data, Images) else "none"
            known = recipe.data.path if isinstance(recipe.data, Images) else ""
            self._references[key] = self._reference(split, name, described, known)
        fake = self._draw(generator, name)
        averaged = recipe.ema.half_life > 0
        return self._evaluate(str(path), self._references[key], fake, averaged)

    def folders(self, real: str, fake: str, size: tuple[int, int] | None = None) -> Evaluation:
        """Score one set of images against another; each a folder, archive or named set.

        Raises:
            UserError: A set cannot be read, sizes are mixed, or a metric cannot be taken.
        """
        config = Images(path=real, size=size)
        if real not in SETS:  # those keep what their classifiers have not seen either
            config = config.model_copy(update={"holdout": HELD_OUT})
        made = Images(path=fake, size=size, holdout=0)
        splits = [self._open(config), self._open(made)]
        shapes = [split.train.shapes["image"] for split in splits]
        if shapes[0][1:] != shapes[1][1:]:
            first, second = (f"{height}x{width}" for _, height, width in shapes)
            raise UserError(f"{real} has {first} images and {fake} {second}: add --size {first}")
        if shapes[0][0] != shapes[1][0]:
            most = {"channels": max(shapes[0][0], shapes[1][0])}
            splits = [self._open(c.model_copy(update=most)) for c in (config, made)]
        reference = self._reference(splits[0], "image", _prepared(config), real)
        source = splits[1].train
        assert isinstance(source, Source)
        return self._evaluate(fake, reference, self._fetch(source, "image"), None)

    def _open(self, config: Images) -> Split:
        try:
            split = config.open(lambda done, total: self._report("reading", done, total))
        except UserError as error:
            raise UserError(str(error).replace("data.size=", "--size ")) from error
        if not isinstance(split.train, Source):
            raise UserError(f"{config.path} is a stream of shards: name a folder or an archive")
        return split

    def _reference(self, split: Split, name: str, data_filter: str, known: str) -> Reference:
        if not isinstance(split.train, Source):
            raise UserError("a stream of shards cannot be sampled: evaluate on folders, --real")
        if name not in split.train.shapes:
            raise UserError("only images and points can be scored, not these data")
        held = None if split.heldout is None else self._fetch(split.heldout, name)
        return Reference(
            train=self._fetch(split.train, name),
            held_out=held,
            name=split.train.name,
            held_out_note=split.heldout_note,
            data_filter=data_filter,
            known_set=known if known in SETS else "",
        )

    def _fetch(self, source: Source, name: str) -> Samples:
        """At most `samples` of a source, always the same ones whatever the seed."""
        order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))
        rows = order[: self.samples].tolist()
        parts = [source.fetch(rows[i : i + CHUNK]) for i in range(0, len(rows), CHUNK)]
        labels = torch.cat([p["label"] for p in parts]) if "label" in source.shapes else None
        return Samples(torch.cat([part[name] for part in parts]), labels)

    def _draw(self, generator: Generator, name: str) -> Samples:
        """Fakes under the seed, rounded to 8 bits as their files would be."""
        starts = range(0, self.samples, CHUNK)
        source = torch.Generator().manual_seed(self.seed)
        seeds = torch.randint(2**62, (len(starts),), generator=source).tolist()
        values, labels = [], []
        for start, seed in zip(starts, seeds):
            self._report("drawing", start, self.samples)
            drawn = generator.draw(min(CHUNK, self.samples - start), seed=seed)
            if name not in drawn:
                raise UserError(f"{generator.recipe.system} makes no {name}: it cannot be scored")
            values.append(to_uint8(drawn[name]) if name == "image" else drawn[name])
            labels += [drawn["label"]] if "label" in drawn else []
        self._report("drawing", self.samples, self.samples)
        return Samples(torch.cat(values), torch.cat(labels) if labels else None)

    def _choose(self, reference: Reference) -> tuple[Extractor, str]:
        """The extractor, and why it was chosen where nobody asked for it."""
        if isinstance(self.features, Extractor):
            return self.features.to(self.device), ""
        if reference.train.values.ndim != 4:
            if self.features not in (None, "points"):
                raise UserError(f"--features {self.features} is for images: leave it out here")
            flat = FunctionExtractor(lambda points: points.flatten(1), "points")
            return flat, "features: points, for these data are no images"
        name, why = (self.features, "") if self.features else default_features(reference)
        if name not in self._extractors:
            self._extractors[name] = extractor(name).to(self.device)
        return self._extractors[name], f"features: {name}, {why}" if why else ""

    def _embed(self, samples: Samples, chosen: Extractor, what: str, keep: bool) -> Embedded:
        """Features and logits, from the cache where the same were computed before."""
        path = _cache_file(samples, chosen) if keep and chosen.weight_hash else None
        found = None if path is None else _read_cache(path)
        if found is None:
            features, logits = [], []
            for start in range(0, len(samples), BATCH):
                self._report(what, start, len(samples))
                batch = finish({"x": samples.values[start : start + BATCH]})["x"]
                out = chosen.outputs(batch.to(self.device))
                features.append(out.features.cpu())
                logits += [] if out.logits is None else [out.logits.cpu()]
            found = {"features": torch.cat(features).contiguous()}
            if logits:
                found["logits"] = torch.cat(logits).contiguous()
            if path is not None:
                with atomic(path) as partial:
                    save_file(found, partial)
        self._report(what, len(samples), len(samples))
        images = samples.values if samples.values.ndim == 4 else None
        return Embedded(found["features"], found.get("logits"), samples.labels, images)

    def _evaluate(
        self, name: str, reference: Reference, fake: Samples, averaged: bool | None
    ) -> Evaluation:
        real = reference.train
        if real.values.shape[1:] != fake.values.shape[1:]:
            raise UserError(
                f"{name} makes samples of shape {tuple(fake.values.shape[1:])} and the reals have "
                f"{tuple(real.values.shape[1:])}: the data are not those it was trained on"
            )
        few = min(len(real), len(fake))
        if few < FEWEST:
            raise UserError(f"{name}: {few} samples on one side: {FEWEST} are the least to score")
        chosen, why = self._choose(reference)
        embedded = self._embed(real, chosen, "features of reals", keep=True)
        held = reference.held_out
        fresh = None
        if held is not None:
            fresh = self._embed(held, chosen, "features of held-out reals", keep=True)
        made = self._embed(fake, chosen, "features of fakes", keep=False)
        form = ScoreRecord(
            metric="",
            value=0.0,
            interval=None,
            null=None,
            n_real=len(real),
            n_fake=len(fake),
            data=reference.name,
            data_hash=real.hash,
            split="training part",
            features=chosen.name,
            weight_hash=chosen.weight_hash,
            data_filter=reference.data_filter,
            extractor_filter=chosen.filter,
            dtype=str(embedded.features.dtype).removeprefix("torch."),
            seed=self.seed,
            averaged=averaged,
        )
        scores = self._take(Sets(embedded, made, fresh, self.seed), form, self.names, "scores")
        notes = [why] if why else []
        width = embedded.features.shape[1]
        if few <= 2 * width and "fd" in self.names:
            notes.append(
                f"{few:,} samples for {width:,} features: bias rules the Fréchet distance, "
                "look at kd or give more --samples"
            )
        ceilings, complaints = self._ceiling(embedded, fresh, form)
        if ceilings and held is not None and len(held) < len(fake):
            notes.append(
                f"the ceiling has {len(held):,} samples for {len(fake):,}, which moves fd, "
                f"coverage and is: for like numbers give --samples {min(len(held), len(real))}"
            )
        return Evaluation(name, scores, ceilings, reference.held_out_note, notes + complaints)

    def _ceiling(
        self, real: Embedded, fresh: Embedded | None, form: ScoreRecord
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
            blank = replace(form, kind="ceiling", averaged=None)
            sets = Sets(real, fresh, None, self.seed)
            records: list[ScoreRecord] = []
            complaints: list[str] = []
            for name in (name for name in self.names if METRICS[name].ceiling):
                try:
                    records += self._take(sets, blank, [name], "ceilings")
                except UserError as error:
                    complaints.append(f"no ceiling of {name}: held-out reals: {error}")
            self._ceilings[key] = {record.metric: record for record in records}, complaints
        return self._ceilings[key]

    def _take(
        self, sets: Sets, form: ScoreRecord, names: Sequence[str], what: str
    ) -> list[ScoreRecord]:
        records = []
        plain = replace(
            form, features="the images", weight_hash="", extractor_filter="none", dtype="uint8"
        )
        for done, name in enumerate(names):
            self._report(what, done, len(names))
            metric = METRICS[name]
            for label, score, parameters in metric.run(sets):
                if metric.images:
                    records.append(plain.taken(label, score, parameters))
                else:
                    full = score_name(label, form.features)
                    records.append(form.taken(full, score, parameters))
        self._report(what, len(names), len(names))
        return records


def default_features(reference: Reference) -> tuple[str, str]:
    """The extractor that suits some images best among those that are here, and why."""
    if reference.known_set and weights_file(reference.known_set).is_file():
        return f"cnn-{reference.known_set}", f"for the data are {reference.known_set}"
    if lite0_available():
        return "efficientnet-lite0", "for its weights are here"
    if reference.train.values[0].numel() <= WIDEST:
        return "pixels", "for no weights of efficientnet-lite0 are here (ZEROSUM_WEIGHTS)"
    return "random-conv", "for no weights are here and the pixels are too many"


def cache_folder() -> Path:
    """Where features of real sets are kept: `ZEROSUM_CACHE`, or the platform's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser() / "features"
    import pooch

    return Path(pooch.os_cache("zerosum")) / "features"


def _cache_file(samples: Samples, chosen: Extractor) -> Path:
    parts = (samples.hash, chosen.name, chosen.weight_hash, chosen.filter)
    return cache_folder() / f"{hashlib.sha256(repr(parts).encode()).hexdigest()}.safetensors"


def _read_cache(path: Path) -> dict[str, Tensor] | None:
    """What was kept, or None where nothing was or the file is damaged."""
    try:
        return load_file(path) if path.is_file() else None
    except (OSError, SafetensorError):
        return None


def _prepared(config: Images) -> str:
    if config.size is None:
        return "as stored"
    return f"{config.filter}, {config.resize} to {config.size[0]}x{config.size[1]}"
