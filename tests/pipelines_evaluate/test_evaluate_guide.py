"""The guide's examples run, and its lists are those of the code."""

import re
from pathlib import Path

from zerosum.metrics.registry import GENERAL
from zerosum.modalities.images.extractors import NAMES, inception, lite0
from zerosum.modalities.images.extractors.classifiers import SETS, facts
from zerosum.modalities.images.judge import METRICS as IMAGE_METRICS

METRICS = {**GENERAL, **IMAGE_METRICS}

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "evaluate.md").read_text()


def test_examples_run(capsys):
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(compile(block, "docs/guide/evaluate.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "difference=-0.12" in printed and "fd-cnn-digits" in printed


def test_every_metric_extractor_and_file_is_listed():
    for name in (*METRICS, *NAMES, inception.FILES[0], lite0.FILE):
        assert f"`{name}`" in GUIDE, name


def test_accuracies_are_those_of_the_shipped_files():
    for data in SETS:
        share = 100 * float(facts(data)["accuracy"])
        row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `cnn-{data}` |"))
        assert abs(float(re.search(r"([\d.]+) %", row)[1]) - share) < 0.06, data
