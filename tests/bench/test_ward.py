"""The ward: every case can be built, and its tables count what was said."""

from __future__ import annotations

import json

import pytest

from zerosum.bench.ward.cases import CASES, PATIENTS
from zerosum.bench.ward.report import by_case, endings, markdown, matrix, right, totals, treated
from zerosum.bench.ward.run import FAILURES, Trial, cases, diagnosis, treat
from zerosum.cli.main import main
from zerosum.core.registry import system
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.pipelines.check import check_game
from zerosum.training.prepare import prepare

CASE = {case.name: case for case in CASES}


def said(case, named, seed=0, distance=1.0):
    events = [{"failure": name, "seen": 500, "action": ""} for name in named]
    return {"case": case, "failure": CASE[case].failure, "seed": seed, "named": named,
            "diagnosis": diagnosis(named), "events": events, "images": 1_000,
            "distance": distance, "floor": 0.1}  # fmt: skip


def test_each_failure_has_a_case_and_five_are_healthy():
    assert {case.failure for case in CASES} >= set(FAILURES)
    healthy = [case for case in CASES if case.failure is None]
    assert len(healthy) >= 5
    assert {case.base.split("/")[1] for case in healthy} >= {"ring", "digits", "fashion"}
    assert all(case.twin in {"", *(h.name for h in healthy)} for case in CASES)


@pytest.mark.parametrize(
    "case", [c for c in CASES if "fashion" not in c.base], ids=lambda c: c.name
)
def test_each_case_can_be_trained(case, tmp_path):
    recipe = case.recipe(3, tmp_path)
    assert recipe.train.seed == 3
    split, found = prepare(recipe, Runtime.start("cpu"))
    system(found.system, case.module).game(found.model)
    assert len(split.train) > 10 and len(case.healthy_data(recipe).open().train) > 1_000


@pytest.mark.parametrize("name", ["deaf", "leaky", "squeezed", "dirac"])
def test_patients_keep_the_contract(name):
    problems = [finding.problem for finding in check_game(system(name, PATIENTS + name))]
    assert problems and not any(problems)


def test_causes_come_before_what_they_bring_about():
    assert diagnosis(["mode collapse", "exploding", "oscillation"]) == "exploding"
    assert diagnosis([]) == ""


def test_the_matrix_counts_diagnoses_and_what_was_named_beside():
    results = [
        said("hot", ["exploding", "mode collapse"]),
        said("hot", ["exploding"], seed=1),
        said("hot", ["oscillation"], seed=2),
        said("ring", []),
        said("ring", ["oscillation"], seed=1),
    ]
    head, ring, hot = matrix(CASES, results)
    cells = dict(zip(head, hot))
    assert (cells["expl"], cells["coll"], cells["osc"]) == ("2", "(1)", "1")
    assert (cells["right"], cells["at"], cells["none"]) == ("2/3", "50 %", "")
    assert dict(zip(head, ring))["none"] == "1"
    assert [right(result) for result in results] == [True, True, False, True, False]
    assert totals(results) == (
        "2 of 3 broken runs named correctly, 1 of 2 healthy runs without an alarm"
    )
    assert by_case(results)["ring"] == results[3:]


def test_treated_runs_are_compared_with_their_healthy_twins():
    watched = [said("rpgan", []), said("hot", ["exploding"], distance=None)]
    acted = [said("hot", ["exploding"], 0, 1.9), said("hot", ["exploding"], 1, 2.1)]
    acted[0]["events"][0]["action"] = "learning rate of the generator x 0.1"
    head, row = treated(CASES, watched, acted)
    assert row[2:6] == ["did not end", "2", "1", "1/2"]
    assert row[-1] == "learning rate of the generator x 0.1"
    assert markdown([head, row]).count("\n") == 2
    acted.append(said("deaf", ["condition ignored"]))
    assert endings(CASES, watched, acted) == (
        "1 of 3 treated runs ended well; 2 of them have a mistake that settings can mend"
    )


def test_unknown_cases_are_refused():
    with pytest.raises(UserError, match="did you mean dirac"):
        cases(["dirak"])


@pytest.mark.slow
def test_a_case_is_treated_and_shown_by_the_command(tmp_path, capsys, monkeypatch):
    """The real thing, once: the Dirac-GAN circles, is named, and is not trained again."""
    treat(Trial(CASE["dirac"], 0, "watch", tmp_path))
    result = json.loads((tmp_path / "watch" / "dirac-0" / "result.json").read_text())
    assert result["named"] == ["oscillation"] and result["distance"] > 1e-4
    page = tmp_path / "page.md"
    page.write_text("<!-- ward watch -->\n<!-- /ward -->\n<!-- ward act -->\n<!-- /ward -->\n")
    words = [
        "bench",
        "doctor",
        "--cases",
        "dirac",
        "--seeds",
        "1",
        "--no-train",
        "--out",
        tmp_path,
    ]
    monkeypatch.setattr("sys.argv", ["zerosum", *map(str, [*words, "--page", page])])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "1 of 1 broken runs named correctly" in capsys.readouterr().out
    assert "| dirac | oscillation |" in page.read_text()
