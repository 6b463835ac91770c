"""`zerosum bench tables`: a small bench goes on, refuses what changed, and writes its page."""

import json
from pathlib import Path

import pytest

from zerosum.bench import tables as bench
from zerosum.cli.tablebench import tables
from zerosum.errors import UserError
from zerosum.files import read_json

pytest.importorskip("pandas")
pytest.importorskip("imblearn")


def trial(out, name="tvae", seed=0, data="wine"):
    return bench.Trial(data, name, seed, 500, Path(out))


def test_every_system_that_draws_tables_takes_part():
    assert bench.systems() == ["ctabgan", "ctgan", "medgan", "tvae"]
    assert bench.chosen(["tvae"], bench.systems(), "system") == ["tvae"]
    with pytest.raises(UserError, match="no table 'vine' in this bench: did you mean wine"):
        bench.chosen(["vine"], list(bench.SETS), "table")


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A set that comes with scikit-learn, learned in one step; no classifier is trained."""
    monkeypatch.setattr(bench, "METRICS", ("quality", "dcr"))
    monkeypatch.setitem(bench.SETS, "iris", bench.Bench("", "class", "4 numbers and a class"))
    return tmp_path / "bench"


def test_a_bench_keeps_what_it_found_and_goes_on(small, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- tables: all -->\n<!-- /tables -->\nafter\n")
    words = {"sets": "iris", "systems": "tvae", "seeds": 1, "examples": 500, "out": small}
    tables(**words, page=page, train=True, quiet=True)
    file = trial(small, data="iris").folder / "bench.json"
    found = read_json(file)
    ways = ["tvae", "real rows", "independent columns", "gaussian copula", "bootstrap", "smote"]
    assert list(found["scores"]) == ways
    assert found["scores"]["bootstrap"]["copies"] == 1.0
    assert set(bench.SHOWN) - set(found["scores"]["tvae"]) == {"tstr", "discriminative-auc"}
    assert "| iris | bootstrap | 1 |" in page.read_text() and page.read_text()[-6:] == "after\n"
    monkeypatch.setattr(bench, "play", lambda *_, **__: pytest.fail("it was made again"))
    tables(**words, page=None, train=True, quiet=True)
    assert "--sets iris --systems tvae --seeds 1 --examples 500" in capsys.readouterr().out
    found["recipe"]["model"]["latent"] = 3
    file.write_text(json.dumps(found))
    with pytest.raises(UserError, match="trained by another recipe than tvae/adult is now"):
        tables(**words, page=None, train=False, quiet=True)
    file.write_text("{")
    with pytest.raises(UserError, match="remove it, and it is made anew"):
        tables(**words, page=None, train=False, quiet=True)


def test_nothing_there_is_said(small):
    with pytest.raises(UserError, match="holds no results of these yet"):
        tables(sets="iris", systems="tvae", seeds=1, examples=500, out=small, page=None,
               train=False, quiet=True)  # fmt: skip


def test_what_is_learned_from_rows_is_an_auc_or_a_share_of_the_variance():
    values = {"quality": 0.5, "tstr-auc": 0.8, "tstr-auc-forest": 0.7, "trtr-auc": 0.9}
    assert bench._named(values, "tstr") == {"quality": 0.5, "tstr": 0.8}
    assert bench._named({"trtr-r2": 0.4, "tstr-r2": 0.3}, "trtr") == {"tstr": 0.4}


def test_a_table_by_hand(tmp_path):
    some = {"quality": 0.5, "tstr": 0.25, "copies": 0.0, "seconds": 10.0}
    more = {"quality": 0.7, "tstr": 0.75, "copies": 0.0, "seconds": 20.0}
    results = {
        trial(tmp_path, seed=0): {"scores": {"tvae": some, "real rows": {"quality": 0.9}}},
        trial(tmp_path, seed=1): {"scores": {"tvae": more, "real rows": {"quality": 0.9}}},
        trial(tmp_path, data="adult"): {"scores": {"tvae": some, "smote": more}},
    }
    lines = bench.table(results).splitlines()
    assert lines[2].startswith("| adult | tvae | 1 | - | - | 0.500 | 0.250 |")
    assert lines[3].startswith("| adult | smote | 1 |")
    assert lines[4] == ("| wine | tvae | 2 | - | - | 0.600 ± 0.141 | 0.500 ± 0.354 | - | - | "
                        "0.000 ± 0.000 | 15 ± 7 |")  # fmt: skip
    assert lines[5] == "| wine | real rows | 1 | - | - | 0.900 | - | - | - | - | - |"
    # A system that scored the baselines again counts its seed once.
    twice = {trial(tmp_path, name=n): {"scores": {n: some, "smote": more}} for n in ("a", "b")}
    assert "| wine | smote | 1 |" in bench.table(twice)
