"""The families' bench: its scores, its tables, its trainings and how it goes on after a stop."""

from __future__ import annotations

import json
import math
import sys
from unittest import mock

import pytest
import torch

from zerosum.bench.families import run as runs
from zerosum.bench.families.chart import draw_progress, draw_spectra
from zerosum.bench.families.protocol import PROTOCOLS, detail, protocol
from zerosum.bench.families.run import Trial, candidates, chosen
from zerosum.bench.families.table import by_row, command, note, row_of, section, table
from zerosum.bench.families.trial import budgeted, trial
from zerosum.bench.pages import between_marks, marked
from zerosum.core.registry import list_models, recipe, system
from zerosum.errors import UserError
from zerosum.metrics import radial_spectrum
from zerosum.pipelines.tune import tune
from zerosum.pipelines.tune.records import SearchFolder
from zerosum.training.budget import pace

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
    assert halves["held-out nats"] is copies["held-out nats"] is None


def test_the_gaussians_held_out_nats_are_those_of_dequantised_pixels(digits):
    learned, held = (
        source.finished(range(len(source)))["image"].flatten(1).double()
        for source in (digits.split.train, digits.split.heldout)
    )
    width, rng = 1 / 8, torch.Generator().manual_seed(0)  # 17 levels in [-1, 1]

    def noised(rows):
        return rows + width * (torch.rand(rows.shape, generator=rng, dtype=rows.dtype) - 0.5)

    many = torch.cat([noised(learned) for _ in range(20)])
    law = torch.distributions.MultivariateNormal(many.mean(0), many.T.cov())
    drawn = torch.cat([law.log_prob(noised(held)) for _ in range(20)])
    expected = drawn.mean().item() / 64 + math.log(width)
    assert digits.rivals()["one Gaussian (no network)"]["held-out nats"] == pytest.approx(
        expected, abs=5e-3
    )


def test_only_a_run_that_may_end_early_is_scored_on_the_way():
    flow = budgeted(recipe("realnvp/digits"), seconds=0, seed=0)
    assert flow.evaluate.every == flow.train.examples // 12
    assert flow.evaluate.samples and flow.evaluate.patience == 3
    assert budgeted(recipe("gan/digits"), seconds=0, seed=0).evaluate.every == 0


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
    mapping = {n for n in list_models() if "input" in system(n).game.Config.needs}
    detecting = {"anogan", "f_anogan", "ganomaly"}  # which learn one class alone
    others = {
        "toy",
        "toy_theory",
        "ctabgan",
        "ctgan",
        "gain",
        "graphgan",
        "latentgan",
        "medgan",
        "molgan",
        "tvae",
    }
    others |= {"doppelganger", "quantgan", "rcgan", "timegan"}
    restyling = {"stargan", "starganv2"}  # which map a picture to another domain
    assert set(list_models()) - set(found) == others | mapping | detecting | restyling


def test_tables_sort_by_distance_and_say_how_seeds_differ():
    results = [result("b", 0, 3.0), result("a", 0, 2.0), result("b", 1, 1.5), result("a", 1, 2.2)]
    assert list(by_row(results)) == ["a", "b"]
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


@pytest.mark.slow
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
    (docs / "pictures").mkdir()
    (docs / "pictures/other_digits.png").touch()
    words = ["bench", "families", "--systems", "gan", "--seeds", "1", "--seconds", "0.3"]
    words += ["--no-train", "--out", str(tmp_path / "runs"), "--json", str(tmp_path / "all.json")]
    ended = CliRunner().invoke(app, [*words, "--pages", str(docs)])
    assert ended.exit_code == 0, ended.output
    fd = f"{one.result['scores']['FD pixels']:.3g}"
    assert f"| gan | {fd} |" in ended.stdout
    assert f"| [gan](../models/gan.md) | {fd} |" in (docs / "benchmarks/families.md").read_text()
    page = (docs / "models/gan.md").read_text()
    assert f"| gan | {fd} |" in page and "--seconds 0.3" in page
    assert "other_digits.png" not in ended.output  # only what was written is named
    for name in ("gan", "progress", "spectra"):
        assert f"{name}_digits.png" in ended.output.replace("\n", "")
        with Image.open(docs / "pictures" / f"{name}_digits.png") as picture:
            assert picture.width > 100
    assert json.loads((tmp_path / "all.json").read_text())["results"] == [one.result]
    refused = CliRunner().invoke(app, [*words, "--pages", str(tmp_path / "nowhere")])
    assert "name the documentation's folder with --pages" in str(refused.exception)
    overview = docs / "benchmarks/families.md"
    fuller = overview.read_text().replace("\n<!-- /", "\n| [vae](../models/vae.md) | 1 |\n<!-- /")
    overview.write_text(fuller)
    (docs / "models/gan.md").write_text("# page\n<!-- families: gan -->\n<!-- /families -->\n")
    refused = CliRunner().invoke(app, [*words, "--pages", str(docs)])
    assert "would lose vae: name all its systems" in str(refused.exception)
    assert overview.read_text() == fuller and "0.3" not in (docs / "models/gan.md").read_text()


# -- tuned rows ----------------------------------------------------------------------------

TUNING = {"trials": 8, "budget": 15.0, "seed": 1000, "seconds": 123.4}


def tuned_result(system, seed, fd):
    return result(system, seed, fd) | {"tuning": TUNING}


def test_a_system_has_a_second_row_when_it_was_tuned(digits):
    results = [result("a", 0, 2.0), tuned_result("a", 0, 1.0), result("b", 0, 1.5)]
    lines = table(results, RIVALS, {"a": "models/a.md"}).splitlines()
    assert lines[0].endswith("| train s | search s |")
    assert lines[2] == "| nobody | 1 | 0.5 | - | - | - | - |"
    assert lines[3] == "| [a (tuned)](models/a.md) | 1 | 0.25 | 1 | 1,000 | 10 | 123 |"
    assert lines[4] == "| b | 1.5 | 0.25 | 1 | 1,000 | 10 | - |"
    assert lines[5] == "| [a](models/a.md) | 2 | 0.25 | 1 | 1,000 | 10 | - |"
    told = note(digits, results)
    assert "the best of 8 trials of 15 s around the preset" in told and "seed 1000" in told
    assert "A search cost 123 s of processor time" in told
    assert "Tuned" not in note(digits, results[:1])


def test_a_command_makes_the_rows_that_are_shown(digits):
    both = [result("gan", 0, 2.0), tuned_result("gan", 0, 1.0)]
    assert "--trials" not in command(digits, both)  # eight are the usual ones
    assert command(digits, both[:1]).endswith("--seconds 60 --trials 0")
    fewer = tuned_result("gan", 0, 1.0) | {"tuning": TUNING | {"trials": 4}}
    assert command(digits, [both[0], fewer]).endswith("--trials 4")
    whole = [result("gan", 0, 2.0) | {"budget": 0}]
    assert command(digits, whole).endswith("--seconds 0")  # has no quarter, so no searches


def test_presets_come_first_then_searches_then_what_they_found(tmp_path, monkeypatch):
    trials = [
        Trial("gan", "digits", seed, 9.0, tmp_path, row) for row in (0, 2) for seed in (0, 1)
    ]
    jobs = []

    def searched(job):
        folder = SearchFolder(job.folder)
        folder.path.mkdir(parents=True)
        folder.table.write_text("seconds\n1.5\n2\n")

    def work_off(todo, at_once, say, done, total):
        for job in todo:
            jobs.append((done, total, job.label, job.words))
            if job.words[0].endswith("search"):
                searched(job)
                assert job.outcome() == "4 s of processor time"
        return []

    monkeypatch.setattr(runs, "work_off", work_off)
    assert runs.run(trials, 2, print) == []
    assert [(done, total, label) for done, total, label, _ in jobs] == [
        (0, 5, "gan on digits, seed 0"),
        (0, 5, "gan on digits, seed 1"),
        (2, 5, "gan on digits, search of 2 trials"),
        (3, 5, "gan (tuned) on digits, seed 0"),
        (3, 5, "gan (tuned) on digits, seed 1"),
    ]
    words = jobs[2][3]
    assert words[1:5] == ["gan", "digits", "2.25", "2"]  # a quarter of the budget each
    assert jobs[3][3][-1] == words[-1] == str(tmp_path / "digits/gan-tune")


def test_what_a_failed_search_leaves_is_not_trained(tmp_path, monkeypatch):
    asked = []

    def work_off(todo, *_):
        labels = [job.label for job in todo]
        asked.extend(labels)
        return [label for label in labels if "search" in label]

    monkeypatch.setattr(runs, "work_off", work_off)
    trials = [Trial("gan", "digits", 0, 9.0, tmp_path, row) for row in (0, 2)]
    with pytest.raises(UserError, match="1 trainings failed: gan on digits, search of 2 trials"):
        runs.run(trials, 1, print)
    assert asked == ["gan on digits, seed 0", "gan on digits, search of 2 trials"]


def test_the_winner_of_a_search_is_trained_at_the_whole_budget(tmp_path):
    one = Trial("gan", "digits", 0, 0.3, tmp_path, trials=2)
    assert one.search is not None and not one.searched
    preset = recipe("gan/digits")
    found = tune(preset, one.search.path, trials=2, seconds=0.1)
    assert one.searched and found.terms.examples < preset.train.examples
    trial(one.system, one.data, one.seed, one.seconds, one.folder, one.search.path)
    done = one.result
    assert done is not None and row_of(done) == "gan (tuned)"
    assert done["tuning"] == {
        "trials": 2,
        "budget": 0.1,
        "seed": 1000,
        "seconds": pytest.approx(found.cost),
    }
    plan = json.loads((one.folder / "plan.json").read_text())
    for path, value in found.changes.items():
        node = plan
        for name in path.split("."):
            node = node[name]
        assert node == value
    best = json.loads(one.search.recipe.read_text())
    best["ema"]["half_life"] *= 2  # as if the search had gone on to another winner
    one.search.recipe.write_text(json.dumps(best))
    message = r"was trained before ema.half_life of the search's best recipe changed"
    with pytest.raises(UserError, match=message):
        _ = one.result


def test_tuned_systems_are_drawn_beside_their_presets(tmp_path, digits):
    power = {"spectrum": {"power": radial_spectrum(digits.real).power.tolist()}}
    results = [result("gan", 0, 2.0) | power, tuned_result("gan", 0, 1.0) | power]
    figures = []
    for draw in (draw_progress, draw_spectra):
        with mock.patch("zerosum.bench.families.chart.save_figure") as saved:
            draw(tmp_path / "a.png", digits, results, RIVALS) if draw is draw_progress else draw(
                tmp_path / "a.png", digits, results
            )
        figures.append(saved.call_args.args[0])
    labels = [[line.get_label() for line in figure.axes[0].lines] for figure in figures]
    assert {"preset", "tuned"} <= set(labels[0])
    assert {"gan", "gan (tuned)"} <= set(labels[1])


def test_searches_need_a_budget_and_optuna(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from zerosum.cli.main import app

    words = ["bench", "families", "--systems", "gan", "--out", str(tmp_path)]
    refused = CliRunner().invoke(app, [*words, "--seconds", "0", "--trials", "3"])
    assert "give --seconds, or --trials 0" in str(refused.exception)
    monkeypatch.setitem(sys.modules, "optuna", None)
    refused = CliRunner().invoke(app, words)
    assert "zerosum[tune]" in str(refused.exception) and "or give --trials 0" in str(
        refused.exception
    )
