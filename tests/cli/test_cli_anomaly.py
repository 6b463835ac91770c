"""`zerosum anomaly`: a table of scores and verdicts, maps, a threshold that is kept, and stops."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_command import call, done, opened
from PIL import Image

from zerosum.metrics.detection import auroc
from zerosum.modalities.images.judged import marked
from zerosum.pipelines.anomaly import AnomalyDetector, folder, judge_path
from zerosum.pipelines.evaluate import Evaluator


@pytest.fixture(scope="module")
def detecting(tmp_path_factory):
    """A short run of GANomaly on the ones among the digits."""
    path = tmp_path_factory.mktemp("detecting") / "run"
    words = ["train.examples=320", "evaluate.samples=0", "--out", path, "--quiet"]
    done("train", "ganomaly/tiny", *words, "--device", "cpu")
    return path


@pytest.fixture
def photos(tmp_path):
    """Twelve pictures of noise and six even ones, in the folders of their truth."""
    rng = np.random.default_rng(0)
    for name, count in (("normal", 6), ("abnormal", 12)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(count):
            noise = rng.integers(0, 255, (8, 8), dtype=np.uint8) * (name == "abnormal")
            Image.fromarray(noise).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path / "photos"


def table(path="scores.csv"):
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_folder_is_judged(detecting, photos):
    said = done("anomaly", detecting, photos, "--maps", "maps")
    rows = table()
    assert [row["file"] for row in rows] == sorted(
        f"{p.parent.name}/{p.name}" for p in photos.rglob("*.png")
    )
    detector = AnomalyDetector.load(detecting)
    objects = [Image.open(photos / row["file"]) for row in rows]
    scores, threshold = detector.score(objects), detector.threshold()
    assert [float(row["score"]) for row in rows] == scores.tolist()
    assert [row["verdict"] == "anomaly" for row in rows] == (scores > threshold).tolist()
    assert [row["verdict"] == "anomaly" for row in rows] == detector.verdicts(objects)
    assert [row["truth"] for row in rows] == ["anomaly"] * 12 + ["normal"] * 6
    truth = np.repeat([True, False], [12, 6])
    beside = json.loads(Path("scores.json").read_text())
    assert beside["measures"]["auroc"]["value"] == auroc(scores.numpy(), truth)
    assert f"auroc {auroc(scores.numpy(), truth):.6g}" in said
    maps = sorted(p.relative_to("maps").as_posix() for p in Path("maps").rglob("*.png"))
    assert maps == [f"{row['file']}.png" for row in rows]
    level, heat = detector.calibration.level, detector.maps(objects[:1])
    codes = detector.encoded(objects[:1])["image"]
    shown = opened(Path("maps") / f"{rows[0]['file']}.png")
    assert shown.size == (256, 256)
    assert shown.tobytes() == marked(codes, heat, level).tobytes()


def test_the_threshold_comes_from_held_out_normals_and_is_kept(detecting, photos, monkeypatch):
    detector = AnomalyDetector.load(detecting)
    held = detector.split.heldout
    scores = np.sort(detector.scores_of(held.some(100)).numpy())
    assert detector.threshold() == scores[int(np.ceil(0.95 * len(scores))) - 1]
    kept = json.loads((detecting / "anomaly.json").read_text())
    assert kept["scores"] == scores.tolist()
    monkeypatch.setattr(AnomalyDetector, "split", property(lambda self: 1 / 0))
    assert AnomalyDetector.load(detecting).threshold(1.0) == scores[-1]  # without the data
    done("anomaly", detecting, photos / "normal", "--threshold", "0.5")
    assert json.loads(Path("scores.json").read_text())["threshold"] == np.quantile(
        scores, 0.5, method="inverted_cdf"
    )


def test_an_export_takes_the_threshold_along(detecting, monkeypatch):
    threshold = AnomalyDetector.load(detecting).threshold()
    done("export", detecting, "--to", "model")
    monkeypatch.setattr(AnomalyDetector, "split", property(lambda self: 1 / 0))  # no data there
    assert AnomalyDetector.load("model").threshold() == threshold


def test_a_threshold_of_other_weights_is_not_believed(detecting, tmp_path):
    shutil.copytree(detecting, tmp_path / "run")
    AnomalyDetector.load(tmp_path / "run").threshold()
    path = tmp_path / "run" / "anomaly.json"
    tree = json.loads(path.read_text())
    tree["scores"] = [1e9]
    path.write_text(json.dumps(tree))
    assert AnomalyDetector.load(tmp_path / "run").threshold() == 1e9
    path.write_text(json.dumps({**tree, "weights": "others"}))
    assert AnomalyDetector.load(tmp_path / "run").threshold() < 1e9
    path.write_text("{")
    with pytest.raises(Exception, match=r"anomaly\.json is damaged"):
        AnomalyDetector.load(tmp_path / "run").threshold()


def test_a_stopped_command_goes_on(detecting, photos, monkeypatch):
    monkeypatch.setattr(folder, "PAUSE", 0.0)
    monkeypatch.setattr(folder, "BLOCK", 5)
    detector, whole = AnomalyDetector.load(detecting), Path("whole.csv")
    judge_path(detector, str(photos), whole)
    scored, real = [], AnomalyDetector.scores_of

    def stopping(self, batch, what=""):
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(len(batch["image"]))
        return real(self, batch, what)

    monkeypatch.setattr(AnomalyDetector, "scores_of", stopping)
    with pytest.raises(KeyboardInterrupt):
        judge_path(detector, str(photos), Path("parts.csv"))
    assert len(table("parts.csv")) == 10
    assert json.loads(Path("parts.json").read_text())["finished"] is False
    scored.clear()
    monkeypatch.setattr(
        AnomalyDetector,
        "scores_of",
        lambda self, batch, what="": scored.append(len(batch["image"])) or real(self, batch, what),
    )
    judge_path(detector, str(photos), Path("parts.csv"))
    assert scored == [5, 3]
    assert Path("parts.csv").read_bytes() == whole.read_bytes()
    assert Path("parts.json").read_bytes() == whole.with_suffix(".json").read_bytes()


def test_unreadable_files_stop_or_are_named(detecting, photos):
    (photos / "normal" / "0.png").write_bytes(b"no picture")
    ended = call("anomaly", detecting, photos)
    assert ended.status == 2 and "normal/0.png cannot be read" in ended.err
    assert not Path("scores.csv").exists()
    said = done("anomaly", detecting, photos, "--skip-bad")
    assert "1 unreadable, such as: normal/0.png" in said
    (row,) = [row for row in table() if row["file"] == "normal/0.png"]
    assert (row["score"], row["verdict"]) == ("", "unreadable")
    assert len(table()) == 18


def test_one_picture_and_the_runs_own_test(detecting, photos):
    done("anomaly", detecting, photos / "normal" / "0.png", "--out", "one.csv")
    (row,) = table("one.csv")
    assert row["file"] == "0.png" and row["truth"] == ""
    assert json.loads(Path("one.json").read_text())["measures"] == {}
    done("anomaly", detecting, "--out", "own.csv")
    rows = table("own.csv")
    assert [row["truth"] for row in rows].count("anomaly") == 1_797 - 182
    assert rows[0]["file"] == "digits:1/trial[0]"


def test_masks_give_the_auroc_of_pixels(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for name, count in (("normal", 24), ("abnormal", 4), ("masks", 4)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 9, (8, 8), dtype=np.uint8)
            pixels[2:4, i % 8] = {"normal": 0, "abnormal": 200, "masks": 255}[name]
            pixels *= (pixels == 255) | (name != "masks")
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{i}.png")
    words = ["train.examples=64", "evaluate.samples=0", "--out", "run", "--quiet"]
    done("train", "ganomaly/tiny", "--data", tmp_path / "set", *words, "--device", "cpu")
    game = AnomalyDetector.load("run").generator.game
    # The very pixels as a map: those that are marked are the brightest.
    monkeypatch.setattr(type(game), "anomaly_map", lambda self, batch: batch["image"])
    assert "pixel-auroc 1" in done("anomaly", "run")
    monkeypatch.setattr(type(game), "anomaly_map", lambda self, batch: -batch["image"])
    done("anomaly", "run", "--out", "other.csv")
    assert json.loads(Path("other.json").read_text())["measures"]["pixel-auroc"] == {
        "value": 0.0,
        "interval": None,
    }


def test_an_export_judges_as_the_run_does(detecting, photos):
    done("export", detecting, "--to", "model")
    done("anomaly", "model", photos, "--out", "exported.csv")
    done("anomaly", detecting, photos, "--out", "run.csv")
    assert Path("exported.csv").read_bytes() == Path("run.csv").read_bytes()


def test_what_cannot_be_done_is_refused(detecting, photos, trained, refused):
    refused("anomaly", trained.path, photos, naming=["dcgan, which does not say", "ganomaly"])
    refused("anomaly", detecting, photos, "--out", "scores.txt", naming=["a .csv"])
    refused("anomaly", detecting, photos, "--threshold", "95", naming=["give 0.95"])
    refused("anomaly", detecting, photos, "--option", "steps=3", naming=["no settings"])
    refused("anomaly", detecting, "nowhere", naming=["nowhere"])
    Path("scores.json").write_text('{"a": 1}')
    refused("anomaly", detecting, photos, naming=["scores.json is there", "another --out"])


def test_evaluate_takes_the_measures_of_a_detector(detecting):
    found = Evaluator(["auroc", "ap", "f1", "fpr95"], samples=2_000).run(detecting)
    scores = {record.metric: record for record in found.scores}
    detected = AnomalyDetector.load(detecting).detected()
    assert scores["auroc"].value == auroc(detected.scores, detected.truth)
    assert scores["f1"].parameters["threshold"] == detected.threshold
    assert scores["auroc"].parameters["anomalies"] == 1_797 - 182
    assert scores["fpr95"].features == "the examples"


def test_a_marked_pixel_is_red_from_the_level_up():
    picture = torch.zeros(1, 1, 1, 3)  # grey: 127.5, rounded to even
    heat = torch.tensor([[[[1.0, 1.5, 9.0]]]])
    made = np.asarray(marked(picture, heat, level=1.0))
    assert made.shape == (85, 255, 3)
    assert made[0, 0].tolist() == [128, 128, 128]  # at the level: as it is
    assert made[0, 90].tolist() == [round(0.6 * 128 + 0.4 * c) for c in (214, 39, 40)]
    assert made[0, 200].tolist() == [round(0.2 * 128 + 0.8 * c) for c in (214, 39, 40)]
