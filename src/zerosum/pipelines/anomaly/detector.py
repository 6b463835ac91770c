"""A trained detector: scores, maps, and verdicts by what held-out normal examples score."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zerosum.core.detect import Detector, Localiser, anomalies, anomaly_maps
from zerosum.core.game import SampleOptions
from zerosum.data.fields import Batch, finish
from zerosum.data.source import Split
from zerosum.errors import UserError
from zerosum.files import read_json, write_text
from zerosum.metrics.detection import QUANTILE, Detected, auroc, threshold_of
from zerosum.metrics.score import Score
from zerosum.pipelines.generate import Generator
from zerosum.training.run import RunFolder

FORMAT = 1
FILE = "anomaly.json"
"""What a run's folder keeps of its held-out normal examples."""
LEVEL = 0.99
"""Share of the pixels of held-out normal examples up to whose score a map marks nothing."""
MOST = 2_000
"""Held-out normal examples, and examples of the test, that are scored at most."""
MAPPED = 256
"""Held-out normal examples whose pixels are looked at."""

OnProgress = Callable[[str, int, int], None]  # (what is being done, done, of how many)


@dataclass(frozen=True)
class Calibration:
    """What held-out normal examples score.

    Attributes:
        scores: (M,), sorted.
        level: Score of a pixel up to which a map marks nothing; None without maps.
        note: Where the examples come from.
    """

    scores: np.ndarray
    level: float | None
    note: str


class AnomalyDetector:
    """Tells anomalies from what a run learned to be normal.

    Attributes:
        generator: The run or export.
        options: Settings of scoring, such as `steps` of anogan.
        weights: sha256 of all weights, and of the options.
        report: Called with what is being done, done, and of how many.
    """

    def __init__(
        self,
        generator: Generator,
        options: Mapping[str, Any] | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Take a loaded generator.

        Raises:
            UserError: It is no detector, or has no such option.
        """
        if not isinstance(generator.game, Detector):
            raise UserError(
                f"{generator.name} is a {generator.recipe.system}, which does not say how "
                "anomalous an example is: train anogan, f_anogan or ganomaly"
            )
        self.generator = generator
        self.options: SampleOptions = generator.options(options or {})
        self.weights = _weights_hash(generator, self.options)
        self.report = on_progress or (lambda _what, _done, _total: None)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        device: str = "auto",
        module: str | None = None,
        options: Mapping[str, Any] | None = None,
        on_progress: OnProgress | None = None,
    ) -> AnomalyDetector:
        """Load a run's or an export's folder.

        Args:
            path: Folder that `zerosum train` or `zerosum export` wrote.
            device: Where to score.
            module: Module or file of an outside model.
            options: Settings of scoring.
            on_progress: Called with what is being done, done, and of how many.

        Raises:
            UserError: The folder holds neither, or no detector.
        """
        return cls(Generator.load(path, device=device, module=module), options, on_progress)

    def score(self, objects: Sequence[Any]) -> Tensor:
        """Scores (N,) of users' objects (pictures; a data frame of rows), float64.

        Higher is more anomalous; the unit is the system's own.
        """
        return self.scores_of(self.encoded(objects))

    def verdicts(self, objects: Sequence[Any], quantile: float = QUANTILE) -> list[bool]:
        """Whether each of some objects is an anomaly: scores above the threshold.

        Raises:
            UserError: As `threshold`.
        """
        threshold = self.threshold(quantile)
        return (self.score(objects) > threshold).tolist()

    def maps(self, objects: Sequence[Any]) -> Tensor:
        """Scores (N, 1, H, W) of the pixels of pictures.

        Raises:
            UserError: The system says no place.
        """
        return anomaly_maps(self.generator.game, self.encoded(objects), self.options)

    def threshold(self, quantile: float = QUANTILE) -> float:
        """The score that this share of held-out normal examples does not pass.

        Never of the examples that are judged. Scored once, then kept in the run's folder.

        Raises:
            UserError: Nothing was held out, or the data are gone before a threshold was kept.
        """
        return threshold_of(self.calibration.scores, quantile)

    def encoded(self, objects: Sequence[Any]) -> dict[str, Tensor]:
        """Users' objects as finished examples (N, ...)."""
        codec = self.generator.codec
        return finish(codec.encode(objects), codec.fields)

    def scores_of(self, examples: Batch, what: str = "") -> Tensor:
        """Scores (N,) of finished examples."""
        report = (lambda done, total: self.report(what, done, total)) if what else None
        return anomalies(self.generator.game, examples, self.options, report)

    @cached_property
    def split(self) -> Split:
        """The data of the run.

        Raises:
            UserError: They are gone, or other ones.
        """
        return self.generator.open(lambda done, total: self.report("reading", done, total))

    @cached_property
    def calibration(self) -> Calibration:
        """What held-out normal examples score: as kept in the run's folder, else computed."""
        kept = self._kept()
        if kept is not None:
            return kept
        held = self.split.heldout
        if held is None:
            raise UserError(
                f"{self.generator.name} kept no normal examples aside, so nothing says how high "
                "normal ones score: train with data.holdout=0.1"
            )
        examples = held.some(MOST)
        scores = np.sort(self.scores_of(examples, "scoring held-out normals").numpy())
        level = None
        if isinstance(self.generator.game, Localiser) and self._has_maps:
            few = {name: value[:MAPPED] for name, value in examples.items()}
            heat = anomaly_maps(self.generator.game, few, self.options)
            level = float(np.quantile(heat.double().numpy(), LEVEL))
        found = Calibration(scores, level, self.split.heldout_note)
        self._keep(found)
        return found

    def detected(self, quantile: float = QUANTILE, samples: int = MOST) -> Detected:
        """The test of the run's own data: examples of both kinds, neither learned nor held out.

        Args:
            quantile: Of the threshold.
            samples: At most so many examples, always the same ones.

        Raises:
            UserError: The data have no examples of known truth.
        """
        if self.split.trial is None:
            raise UserError(
                f"{self.generator.name} learned from data without a test: name what to judge, or "
                "put anomalies into abnormal/ beside normal/"
            )
        examples = self.split.trial.some(samples)
        truth = examples.pop("abnormal")
        examples.pop("mask", None)
        scores = self.scores_of(examples, "scoring the test")
        return Detected.of(
            scores, truth, torch.from_numpy(self.calibration.scores), quantile=quantile
        )

    def pixel_auroc(self, samples: int = MOST) -> Score | None:
        """Chance that a marked pixel of the test scores above another; None without masks.

        Over all pixels of all pictures, so that it tells of places and of pictures alike. It has
        no interval: the pixels of a picture hang together.

        Args:
            samples: At most so many examples, always the same ones.
        """
        trial = self.split.trial
        if trial is None or "mask" not in trial.fields or self.calibration.level is None:
            return None
        examples = trial.some(samples)
        marked = examples.pop("mask").bool().flatten().numpy()
        examples.pop("abnormal")
        if marked.all() or not marked.any():
            return None
        heat = anomaly_maps(self.generator.game, examples, self.options)
        return Score(value=auroc(heat.double().flatten().numpy(), marked))

    @property
    def _has_maps(self) -> bool:
        """Whether examples have pixels that can be marked."""
        return any(len(field.shape) == 3 for field in self.generator.codec.fields.values())

    @property
    def _file(self) -> Path:
        return RunFolder.around(Path(self.generator.name)).path / FILE

    def _kept(self) -> Calibration | None:
        """What the run's folder keeps, unless it is that of other weights or options."""
        if not self._file.is_file():
            return None
        try:
            tree = read_json(self._file)
            if tree["weights"] != self.weights:
                return None
            return Calibration(
                np.array(tree["scores"], dtype=np.float64), tree["level"], tree["note"]
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self._file} is damaged ({error}): take it away, and it is made anew"
            ) from error

    def _keep(self, found: Calibration) -> None:
        tree = {
            "format": FORMAT,
            "what": "scores of held-out normal examples; thresholds are quantiles of them",
            "weights": self.weights,
            "options": self.options.model_dump(mode="json"),
            "note": found.note,
            "level": found.level,
            "scores": found.scores.tolist(),
        }
        write_text(self._file, json.dumps(tree, indent=1) + "\n")


def _weights_hash(generator: Generator, options: SampleOptions) -> str:
    digest = hashlib.sha256(options.model_dump_json().encode())
    for name, tensor in sorted(generator.game.state_dict().items()):
        if isinstance(tensor, Tensor):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
