"""`zerosum bench modes`: a short bench from end to end, going on, and refusals."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest
import torch

from zerosum.bench.modes.bench import run
from zerosum.bench.modes.measure import Coverage
from zerosum.bench.modes.report import Report, Result
from zerosum.bench.modes.settings import SETTINGS, setting
from zerosum.bench.modes.train import Trial
from zerosum.bench.pages import between_marks
from zerosum.cli.main import main

MARKS = "# modes\n\n<!-- modes ring smoke -->\nold\n<!-- /modes -->\n\nafter\n"


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def call(monkeypatch):
    def ended(*words):
        out, err = StringIO(), StringIO()
        monkeypatch.setattr(sys, "argv", ["zerosum", "bench", "modes", *map(str, words)])
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main()
        return left.value.code, out.getvalue(), err.getvalue()

    return ended


def test_a_short_bench_from_end_to_end(call, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(MARKS)
    short = ["--updates", 50, "--seeds", 2, "--models", "gan,rpgan_r1r2", "--quiet"]
    words = [*short, "--out", "bench", "--json", "all.json", "--page", page]
    status, out, err = call(*words)
    assert status == 0, err
    for word in ("oracle", "rpgan_r1r2", "98.89 %", "the profile has", "6.3 ± 0.5"):
        assert word in out
    assert page.read_text().startswith("# modes\n\n<!-- modes ring smoke -->\n\n| method |")
    assert "old" not in page.read_text() and page.read_text().endswith(
        "<!-- /modes -->\n\nafter\n"
    )
    (report,) = json.loads((tmp_path / "all.json").read_text())["reports"]
    assert [result["method"] for result in report["results"]] == ["oracle", "gan", "rpgan_r1r2"]
    assert all(len(result["rows"]) == 2 for result in report["results"][1:])
    folder = tmp_path / "bench/ring-smoke/gan"
    assert (folder / "samples.png").stat().st_size > 5_000

    def refuse(*_):
        raise AssertionError("a method that is done was trained again")

    monkeypatch.setattr(Trial, "run", refuse)
    before = page.read_text()
    assert call(*words)[0] == 0 and page.read_text() == before
    status, _, err = call("--out", "bench", "--updates", 60, "--models", "gan", "--seeds", 2)
    assert status == 2 and "updates=50, not 60" in err and err.count("\n") == 1


def test_a_stopped_bench_goes_on_from_its_checkpoint(tmp_path):
    def stop(what, done, total):
        if done == 33:
            raise KeyboardInterrupt

    asked = {"models": "gan", "seeds": 1, "updates": 40}
    whole = run("ring", out=tmp_path / "whole", **asked)
    with pytest.raises(KeyboardInterrupt):
        run("ring", out=tmp_path / "stopped", on_progress=stop, **asked)
    steps: list[int] = []
    seen = run(
        "ring", out=tmp_path / "stopped", on_progress=lambda *a: steps.append(a[1]), **asked
    )
    assert steps[0] == 33  # 32 were saved
    assert seen.results[1].rows == whole.results[1].rows


@pytest.mark.parametrize(
    ("words", "naming"),
    [
        (["--suite", "rign"], "did you mean ring"),
        (["--profile", "papr"], "did you mean paper"),
        (["--models", "gan,pacgan5"], "did you mean pacgan"),
        (["--models", ","], "at least one method"),
        (["--suite", "high-dim"], "no suite 'high-dim'"),
        (["--page", "missing.md"], "missing.md is not there"),
        (["--seeds", "0"], "--seeds"),
        (["--trials", "10"], "at most 9 trials, not 10"),
        (["--suite", "ring,stacked-mnist", "--trials", "1"], "leave --trials out"),
        (["--models", "gan_long"], "name gan before it"),
        (["--device", "cuda:99"], "cuda:99"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_trained(call, tmp_path, words, naming):
    status, _, err = call(*words)
    assert status == 2 and naming in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_has_an_example(call):
    assert "Example: zerosum bench modes" in " ".join(call("--help")[1].split())


def test_cells_give_mean_standard_error_and_seeds_without_a_value(tmp_path):
    rows = [Coverage(8, 8, 0.9, 0.1, 0.1, 1.0), Coverage(6, 6, 0.7, None, None, None)]
    results = [Result("gan", "", rows, {"updates": 1}, 61.0)]
    head, row = Report("ring", "smoke", results, 8, ["note"]).table()
    cells = dict(zip(head, row))
    assert cells["modes of 8"] == "7 ± 1"
    assert cells["high quality %"] == "80 ± 10"
    assert cells["reverse KL"] == "0.1 (1 without)"
    page = tmp_path / "page.md"
    page.write_text(MARKS)
    report = Report("ring", "smoke", results, 8, ["a \\1 note"])
    between_marks(page, report.mark, report.markdown())
    assert "- a \\1 note\n\n<!-- /modes -->" in page.read_text()


@pytest.mark.parametrize(("suite", "profile"), SETTINGS)
def test_each_setting_is_filed_under_its_own_names(suite, profile):
    found = setting(suite, profile)
    assert (found.suite, found.profile) == (suite, profile)
    json.dumps(found.fingerprint())
