"""The families' bench: its scores, its tables, its trainings and how it goes on after a stop."""

from __future__ import annotations

import json

import pytest
import torch

from zerosum.bench.families import run as runs
from zerosum.bench.families.protocol import PROTOCOLS, detail, protocol
from zerosum.bench.families.run import Trial, candidates, chosen
from zerosum.bench.families.table import by_system, note, section, table
from zerosum.bench.families.trial import budgeted, pace, trial
from zerosum.bench.pages import between_marks, marked
from zerosum.core.registry import list_models, recipe
from zerosum.errors import UserError

RIVALS = {"nobody": {"FD pixels": 1.0, "recall": 0.5}}


def result(system, seed, fd, seconds=10.0):
    return {
        "system": system,
        "set": "digits",
        "seed": seed,
        "budget": 60.0,
        "scores": {"FD pixels": fd, "recall": 0.25},
        "seconds": seconds,
        "images": 1_000,
        "milliseconds per sample": 0.5,
        "parameters": 12_345,
        "torch": "2.0",
        "machine": "an abacus, 1 thread",
    }


@pytest.fixture(scope="module")
def digits():
    return protocol("digits")


def test_the_real_images_are_at_no_distance_from_themselves(digits):
    row = digits.row(digits.real)
    assert row["FD pixels"] == pytest.approx(0, abs=1e-6)
    assert row["fine detail"] == pytest.approx(1)
    assert row["precision"] == 1 and row["recall"] == 1
    assert 9 < row["rarest class %"] < 10 < row["commonest class %"] < 11


def test_the_rows_without_training_are_ordered_as_they_must_be(digits):
    rows = digits.rivals()
    halves, gaussian, copies = rows.values()
    assert halves["FD pixels"] < gaussian["FD pixels"]
    assert gaussian["precision"] < 0.5 < copies["precision"]
    assert copies["fine detail"] > 1.1  # noise is fine detail that real images lack


def test_blur_is_seen_as_a_lack_of_detail(digits):
    images = digits.real[:200]
    blurred = torch.nn.functional.avg_pool2d(images, 3, 1, 1)
    assert detail(images, blurred) < 0.5 < detail(images, images)


def test_unknown_sets_and_systems_are_named():
    with pytest.raises(UserError, match="'digit' in this bench: did you mean digits"):
        protocol("digit")
    with pytest.raises(UserError, match="toy has no preset 'digits' on digits"):
        chosen(["toy"], "digits")
    with pytest.raises(UserError, match="did you mean"):
        chosen(["dcgam"], "digits")


def test_every_image_system_can_be_compared():
    found = candidates(PROTOCOLS["digits"])
    assert set(list_models()) - set(found) == {"toy", "toy_theory", "ctgan", "molgan", "pix2pix"}


def test_tables_sort_by_distance_and_say_how_seeds_differ():
    results = [result("b", 0, 3.0), result("a", 0, 2.0), result("b", 1, 1.5), result("a", 1, 2.2)]
    assert list(by_system(results)) == ["a", "b"]
    text = table(results, RIVALS, {"a": "models/a.md"})
    lines = text.splitlines()
    assert lines[0] == "| system | FD pixels | recall | seeds | images | train s |"
    assert lines[2] == "| nobody | 1 | 0.5 | - | - | - |"
    assert lines[3] == "| [a](models/a.md) | 2.1 ± 0.14 | 0.25 ± 0 | 2 | 1,000 | 10 |"
    assert lines[4].startswith("| b | 2.25 ± 1.1 |")


def test_a_models_section_names_its_command_and_protocol(digits):
    text = section(digits, [result("gan", seed, 2.0) for seed in range(3)], RIVALS, "a.png")
    assert "zerosum bench families --set digits --systems gan" in text
    assert "--seeds 3 --seconds 60" in text and text.endswith("![samples of gan](a.png)")
    assert "12,345 parameters" in text and "seeds 0, 1, 2" in text.replace("\n", " ")
    assert max(len(line) for line in text.splitlines()) <= 130
    assert "an abacus" in note(digits, [result("gan", 0, 2.0)])


def test_only_what_lies_between_the_marks_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- families: a -->\nold\n<!-- /families -->\nafter\n")
    between_marks(page, "families: a", "new \\1 text")
    expected = "before\n<!-- families: a -->\n\nnew \\1 text\n\n<!-- /families -->\nafter\n"
    assert page.read_text() == expected
    between_marks(page, "families: a", "new \\1 text")
    assert page.read_text() == expected
    assert marked(page, "families: a") and not marked(page, "families: b")
    with pytest.raises(UserError, match="lacks the lines  <!-- families: b -->"):
        between_marks(page, "families: b", "other")
    assert page.read_text() == expected


def test_the_budget_sets_the_length():
    short = recipe("gan/tiny")
    seconds = pace(short, seconds=0.05)
    assert 0 < seconds < 0.05
    planned = budgeted(short, seconds=0.5, seed=3)
    assert planned.train.seed == 3 and planned.train.examples % planned.train.batch == 0
    assert 0.2 < planned.train.examples * seconds / 0.5 < 5  # the machine's pace may change
    assert planned.evaluate.samples == 0


def test_without_a_budget_the_presets_length_is_kept():
    short = recipe("gan/tiny")
    assert budgeted(short, seconds=0, seed=0).train.examples == short.train.examples


def test_a_trial_is_trained_scored_and_not_done_twice(tmp_path):
    one = Trial("gan", "digits", 0, 0.3, tmp_path)
    trial(one.system, one.data, one.seed, one.seconds, one.folder)
    first = one.result
    assert first is not None and first["images"] > 0 and first["seconds"] > 0
    assert first["scores"]["FD pixels"] > 0
    said = []
    assert runs.run([one], 1, said.append) == [first] and not said
    with pytest.raises(UserError, match=r"has a budget of 0.3 s, not 9 s: give --seconds 0.3"):
        _ = Trial("gan", "digits", 0, 9.0, tmp_path).result
    tree = json.loads((one.folder / "plan.json").read_text())
    tree["model"]["latent"] += 1
    (one.folder / "plan.json").write_text(json.dumps(tree))
    with pytest.raises(UserError, match=r"was trained before model.latent of the preset changed"):
        _ = one.result


def test_a_stopped_trial_goes_on_with_its_plan(tmp_path):
    one = Trial("gan", "digits", 1, 0.3, tmp_path)
    trial(one.system, one.data, one.seed, one.seconds, one.folder)
    whole = one.result
    (one.folder / "result.json").unlink()
    plan = json.loads((one.folder / "plan.json").read_text())
    trial(one.system, one.data, one.seed, one.seconds, one.folder)  # trained already, scored anew
    again = one.result
    assert again["scores"] == whole["scores"]
    assert again["images"] == plan["train"]["examples"]


def test_a_failed_training_is_named_and_the_others_are_done(tmp_path, monkeypatch):
    good, bad = Trial("gan", "digits", 0, 0.3, tmp_path), Trial("gan", "nosuch", 0, 0.3, tmp_path)
    said = []
    with pytest.raises(
        UserError, match=r"1 trainings failed: gan on nosuch, seed 0 \(see .*output.txt\)"
    ):
        runs.run([bad, good], 1, said.append)
    assert good.result is not None and "failed" in said[0] and "FD pixels" in said[1]
    assert "there is no set 'nosuch'" in (bad.folder / "output.txt").read_text()


def test_the_command_shows_results_and_brings_pages_up_to_date(tmp_path):
    from PIL import Image
    from typer.testing import CliRunner

    from zerosum.cli.main import app

    one = Trial("gan", "digits", 0, 0.3, tmp_path / "runs")
    trial(one.system, one.data, one.seed, one.seconds, one.folder)
    docs = tmp_path / "docs"
    for page, mark in (
        ("models/gan", "families: gan"),
        ("benchmarks/families", "families digits"),
    ):
        path = docs / f"{page}.md"
        path.parent.mkdir(parents=True)
        path.write_text(f"# page\n<!-- {mark} -->\n<!-- /families -->\n")
    words = ["bench", "families", "--systems", "gan", "--seeds", "1", "--seconds", "0.3"]
    words += ["--no-train", "--out", str(tmp_path / "runs"), "--json", str(tmp_path / "all.json")]
    ended = CliRunner().invoke(app, [*words, "--pages", str(docs)])
    assert ended.exit_code == 0, ended.output
    fd = f"{one.result['scores']['FD pixels']:.3g}"
    assert f"| gan | {fd} |" in ended.stdout
    assert f"| [gan](../models/gan.md) | {fd} |" in (docs / "benchmarks/families.md").read_text()
    page = (docs / "models/gan.md").read_text()
    assert f"| gan | {fd} |" in page and "--seconds 0.3" in page
    for name in ("gan", "progress", "spectra"):
        with Image.open(docs / "pictures" / f"{name}_digits.png") as picture:
            assert picture.width > 100
    assert json.loads((tmp_path / "all.json").read_text())["results"] == [one.result]
    refused = CliRunner().invoke(app, [*words, "--pages", str(tmp_path / "nowhere")])
    assert "name the documentation's folder with --pages" in str(refused.exception)
