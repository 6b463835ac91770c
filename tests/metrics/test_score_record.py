"""The score record: round trip, and what may be compared with what."""

import json
import math
from dataclasses import replace

import pytest

from zerosum.errors import UserError
from zerosum.metrics.record import PROTOCOL, ScoreRecord, compare
from zerosum.metrics.score import Score


def record(**changes):
    base = ScoreRecord(
        metric="kd-cnn-digits",
        value=0.1,
        interval=(0.07, 0.14),
        null=0.0,
        n_real=1000,
        n_fake=2000,
        data="digits/train",
        data_hash="a" * 64,
        split="training part",
        features="cnn-digits",
        weight_hash="b" * 64,
        data_filter="as stored",
        extractor_filter="none",
        dtype="float32",
        parameters={"degree": 3, "subsets": None},
        seed=0,
        averaged=True,
    )
    return replace(base, **changes)


def test_json_round_trip():
    first = record()
    assert ScoreRecord.from_json(first.to_json()) == first
    assert {"torch", "numpy", "zerosum", "python"} <= set(first.versions)


def test_json_holds_infinity_in_words():
    first = record(value=math.inf, interval=(1.0, math.inf), null=None)
    json.loads(first.to_json(), parse_constant=lambda word: pytest.fail(word))
    assert ScoreRecord.from_json(first.to_json()) == first


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("[1]", "no mapping"), ("{", "no score record"), ("{}", "lacks averaged")],
)
def test_what_is_no_record_is_refused(text, complaint):
    with pytest.raises(UserError, match=complaint):
        ScoreRecord.from_json(text)
    tree = record().to_dict()
    with pytest.raises(UserError, match="unknown colour"):
        ScoreRecord.from_dict({**tree, "colour": 1})
    with pytest.raises(UserError, match="no score record"):
        ScoreRecord.from_dict({**tree, "interval": ["low", "high"]})


def test_a_score_takes_the_protocol_over():
    score = Score(value=2.0, interval=(1.0, 3.0), null=0.5, n_real=7, n_fake=9)
    taken = record().taken("fd-cnn-digits", score, {"k": 3})
    assert (taken.value, taken.interval, taken.null) == (2.0, (1.0, 3.0), 0.5)
    assert (taken.n_real, taken.n_fake, taken.parameters) == (7, 9, {"k": 3})
    assert taken.data == "digits/train"


def test_comparison_of_like_records():
    found = compare(record(), record(value=0.3, interval=(0.2, 0.35), seed=5, averaged=False))
    assert found.difference == pytest.approx(0.2)
    # Half-widths that face each other: 0.1 and 0.04 down, 0.05 and 0.03 up.
    assert found.interval[0] == pytest.approx(0.2 - math.hypot(0.1, 0.04))
    assert found.interval[1] == pytest.approx(0.2 + math.hypot(0.05, 0.03))
    assert found.apart
    assert not compare(record(), record(value=0.12, interval=(0.08, 0.15))).apart
    assert compare(record(), record(interval=None)).interval is None


def test_a_ceiling_compares_with_its_score():
    assert compare(record(kind="ceiling", averaged=None), record()).difference == 0


@pytest.mark.parametrize(
    ("name", "other", "shown"),
    [
        ("metric", "fd-cnn-digits", "metric is kd-cnn-digits in one and fd-cnn-digits"),
        ("features", "pixels", "features is cnn-digits in one and pixels"),
        ("weight_hash", "c" * 64, "weight_hash is bbbbbbbbbbbb… in one and cccccccccccc…"),
        ("data", "mnist/train", "data is digits/train in one and mnist/train"),
        ("data_hash", "d" * 64, "data_hash is aaaaaaaaaaaa… in one"),
        ("split", "held-out part", "split is training part in one and held-out part"),
        ("n_real", 999, "n_real is 1000 in one and 999"),
        ("n_fake", 1999, "n_fake is 2000 in one and 1999"),
        ("data_filter", "box", "data_filter is as stored in one and box"),
        ("extractor_filter", "bicubic", "extractor_filter is none in one and bicubic"),
        ("dtype", "float16", "dtype is float32 in one and float16"),
        ("parameters", {"degree": 2, "subsets": None}, "degree is 3 in one and 2"),
    ],
)
def test_unlike_records_are_refused_with_the_difference(name, other, shown):
    with pytest.raises(UserError) as caught:
        compare(record(), record(**{name: other}))
    assert shown in str(caught.value)


def test_every_part_of_the_protocol_is_tested():
    marks = test_unlike_records_are_refused_with_the_difference.pytestmark
    assert {case[0] for case in marks[0].args[1]} == set(PROTOCOL)
