"""`zerosum evaluate`: the table, the file of records, and its refusals."""

import json

import pytest
import typer
from typer.testing import CliRunner

from zerosum.cli.evaluate import evaluate
from zerosum.errors import UserError
from zerosum.metrics.record import ScoreRecord


@pytest.fixture(scope="module")
def call():
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(evaluate)

    def run(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_runs_side_by_side(call, tiny_run, tmp_path):
    file = tmp_path / "scores.json"
    options = ("--metrics", "fd,kd", "--samples", "100", "--json", file)
    text = call(tiny_run, tiny_run, *options)
    head = next(line for line in text.splitlines() if "tiny" in line)
    assert head.count("tiny") == 2 and head.count("ceiling") == 1
    row = next(line for line in text.splitlines() if "fd-cnn-digits" in line)
    assert row.count("[") == 3  # two runs and the ceiling, each with its interval
    assert "100 against 100" in text
    assert "features: cnn-digits, for the data are digits" in text
    assert "seed 0, averaged weights" in text
    tree = json.loads(file.read_text())["evaluations"]
    records = [ScoreRecord.from_dict(r) for one in tree for r in one["scores"] + one["ceilings"]]
    assert len(records) == 8
    assert {record.kind for record in records} == {"score", "ceiling"}
    again = call(tiny_run, tiny_run, *options)
    assert again == text


def test_folders(call, folders):
    words = ("--real", folders / "real", "--fake", folders / "alike", "--metrics", "kd,prdc")
    text = call(*words, "--features", "random-conv", "--size", "16x16")
    assert "kd-random-conv" in text and "coverage-random-conv" in text
    assert "120 against 160" in text and "40 against 160" in text
    assert "held out: 20 % (40 of 200)" in text


def test_columns_of_unlike_data_are_warned_about(call, train, tiny_run, tmp_path):
    train("rpgan/tiny", tmp_path / "other", {"data.limit": 90})
    text = call(tiny_run, tmp_path / "other", "--metrics", "kd", "--samples", "90")
    assert "WARNING" in text and "cannot be compared: data_hash is" in text
    assert text.count("ceiling") >= 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to score"),
        (("--real", "digits"), "nothing to score"),
        (("RUN", "--real", "digits", "--fake", "digits"), "not both"),
        (("RUN", "--size", "8"), "--size is for --real"),
        (("--real", "digits", "--fake", "digits", "--size", "x8"), "--size x8 is no size"),
        (("RUN", "--metrics", "kid"), "there is no metric 'kid'"),
        (("nowhere",), "nowhere is no run"),
    ],
)
def test_wrong_words_end_in_one_clear_line(call, tiny_run, words, message):
    given = [tiny_run if word == "RUN" else word for word in words]
    with pytest.raises(UserError) as caught:
        call(*given)
    assert message in str(caught.value) and "\n" not in str(caught.value)
