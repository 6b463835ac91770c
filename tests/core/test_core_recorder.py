"""Records of a run: what loggers hear, lines that a resumed run goes on with."""

from __future__ import annotations

import json

import pytest
import torch
from core_games import CPU

import zerosum
from zerosum.core.game import Progress
from zerosum.core.runtime import Runtime
from zerosum.records import append_line, forget_after, read_lines
from zerosum.training.recorder import JsonLines, Recorder, TensorBoard


class Listener:
    def __init__(self):
        self.heard, self.pictures, self.closed = [], [], False

    def scalars(self, values, progress):
        self.heard.append((progress.seen, dict(values)))

    def picture(self, name, path, progress):
        self.pictures.append((name, path.name, progress.seen, path.exists()))

    def close(self):
        self.closed = True


def test_a_logger_hears_means_over_the_interval():
    listener = Listener()
    recorder = Recorder([listener], Runtime(CPU))
    for value in (1.0, 2.0, 6.0):
        recorder.add({"p/loss": torch.tensor(value)}, {"logits": torch.tensor([value, 0.0])})
    recorder.add({"p/lazy": torch.tensor(4.0)}, {})
    recorder.flush(Progress(4, 64, 128), {"seconds": 2.0})
    recorder.add({"p/loss": torch.tensor(10.0)}, {})
    recorder.flush(Progress(5, 80, 128), {})
    assert recorder.flush(Progress(5, 80, 128), {"seconds": 3.0}) == {}
    assert listener.heard == [
        (64, {"p/loss": 3.0, "signal/logits": 1.5, "p/lazy": 4.0, "seconds": 2.0}),
        (80, {"p/loss": 10.0}),
    ]


def test_what_steps_report_is_gathered_on_the_device_of_the_run():
    recorder = Recorder([], Runtime(torch.device("meta")))
    recorder.add({}, {"counted/here": torch.tensor(3.0)})
    ((value,),) = recorder._values.values()
    assert value.device.type == "meta"


def test_lines_after_a_point_are_forgotten(tmp_path):
    log = tmp_path / "log.jsonl"
    for seen in (10, 20, 30):
        append_line(log, {"seen": seen})
    with log.open("a") as stream:
        stream.write('{"seen": 4')  # torn by a kill
    forget_after(log, 20)
    assert log.read_text() == '{"seen": 10}\n{"seen": 20}\n'
    forget_after(tmp_path / "none.jsonl", 5)
    assert not (tmp_path / "none.jsonl").exists()


def test_a_torn_last_line_is_left_out(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"seen": 1}\n{"seen"')
    assert read_lines(log) == [{"seen": 1}]


def test_json_lines_go_on_where_the_run_was_resumed(tmp_path):
    log = tmp_path / "log.jsonl"
    first = JsonLines(log, 0)
    for seen in (10, 20, 30):
        first.scalars({"p/loss": float(seen)}, Progress(seen, seen, 99))
    JsonLines(log, 20).scalars({"p/loss": 7.0}, Progress(3, 30, 99))
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(row["seen"], row["values"]["p/loss"]) for row in rows] == [
        (10, 10),
        (20, 20),
        (30, 7),
    ]


def test_tensorboard_files_hold_scalars_and_pictures(tmp_path):
    pytest.importorskip("tensorboard")
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "sheet.png")
    board = TensorBoard(tmp_path / "board")
    for seen, value in ((10, 0.5), (20, 0.25)):
        board.scalars({"p/loss": value}, Progress(1, seen, 99))
    board.picture("samples", tmp_path / "sheet.png", Progress(2, 20, 99))
    board.close()
    events = EventAccumulator(str(tmp_path / "board"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("p/loss")] == [(10, 0.5), (20, 0.25)]
    assert [e.step for e in events.Images("samples")] == [20]


def test_train_hands_values_and_pictures_to_an_own_logger(tmp_path):
    recipe = zerosum.recipe("gan/tiny").override(
        {
            "train.examples": 64,
            "train.log_every": 32,
            "train.sheet_every": 32,
            "evaluate.samples": 0,
        }
    )
    listener = Listener()
    game = zerosum.train(recipe, tmp_path / "run", loggers=[listener], quiet=True)
    assert [seen for seen, _ in listener.heard] == [32, 64]
    values = listener.heard[0][1]
    assert {"discriminator/adversarial", "generator/grad_norm", "signal/real_logits"} <= set(
        values
    )
    assert listener.pictures == [
        ("samples", f"seen_{seen:010d}.png", seen, True) for seen in (0, 32, 64)
    ]
    assert listener.closed
    assert not game.training
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [row["values"] for row in rows] == [heard for _, heard in listener.heard]


def test_numbers_too_small_to_be_normal_are_none_while_a_run_trains(tmp_path):
    class Probe(Listener):
        def scalars(self, values, progress):
            self.heard.append((float(torch.tensor(1e-40) * 1), values))

    recipe = zerosum.recipe("gan/tiny").override(
        {"train.examples": 64, "train.log_every": 32, "evaluate.samples": 0}
    )
    probe = Probe()
    before = float(torch.tensor(1e-40) * 1)
    zerosum.train(recipe, tmp_path / "run", loggers=[probe], quiet=True)
    assert [seen for seen, _ in probe.heard] == [0.0, 0.0]
    assert before > 0 and float(torch.tensor(1e-40) * 1) == before
