"""`zerosum design` as typed: the way to the end, and each refusal in one line."""

from __future__ import annotations

import importlib.util

import pytest
from cli_command import call

pytest.importorskip("rdkit")

SMALL = {
    "model.scorer": "",
    "model.imitation": 1.0,
    "model.overvalence": 1.0,
    "model.pieces": 1.0,
    "optim.generator.lr": 3e-3,
    "optim.critic.lr": 3e-3,
    "doctor.policy": "off",
    "train.examples": 480,
    "evaluate.samples": 0,
}
"""Overrides with which thirty steps give valid molecules of five atoms."""


@pytest.fixture(scope="module")
def actives(tmp_path_factory):
    from zerosum.chem.docking import heavy_atoms
    from zerosum.modalities.molecules.named import made

    path = tmp_path_factory.mktemp("design") / "actives.smi"
    path.write_text("".join(f"{one}\n" for one in made() if heavy_atoms(one) <= 5))
    return path


@pytest.fixture(scope="module")
def pretrained(actives):
    import zerosum

    recipe = zerosum.recipe("molgan/tiny").with_data(str(actives)).override(SMALL)
    zerosum.train(recipe, out=actives.parent / "run", device="cpu", quiet=True)
    return actives.parent / "run"


def test_it_says_what_it_found_and_where(pretrained, tmp_path):
    words = ["--from", pretrained, "--score", "qed,sa", "--calls", 8, "--examples", 64]
    ended = call("design", *words, "--cycles", 1, "--out", tmp_path / "d", "--quiet")
    assert ended.status == 0, ended.err
    for line in ("design ", "random ", "genetic "):
        assert f"\n{line}" in ended.out and "16 calls" in ended.out
    for name in ("molecules.csv", "report.html", "summary.json", "best.png"):
        assert str(tmp_path / "d" / name) in ended.out and (tmp_path / "d" / name).is_file()
    assert "best.sdf" not in ended.out  # nothing was docked


@pytest.mark.parametrize(
    ("words", "naming"),
    [
        (["--data", "FILE"], ["--score"]),
        (["--score", "qed"], ["--data", "--from"]),
        (["--data", "FILE", "--score", "qeed"], ["qeed", "qed"]),
        (["--data", "FILE", "--score", "qed:0"], ["qed"]),
        (["--data", "FILE", "--score", "similarity:nosuch.smi"], ["nosuch.smi"]),
        (["--data", "nosuch.smi", "--score", "qed"], ["nosuch.smi"]),
        (["--data", "EMPTY", "--score", "qed"], ["empty.smi is empty"]),
        (["--data", "RUBBISH", "--score", "qed"], ["holds no molecule", "not a SMILES"]),
        (["--data", "FILE", "--score", "qed", "--cycles", "0"], ["--cycles", "1"]),
        (["--data", "FILE", "--score", "qed", "--calls", "0"], ["--calls"]),
        (["--data", "FILE", "--score", "qed", "--top", "lots"], ["--top lots", "10%"]),
        (["--data", "FILE", "--score", "qed", "--share", "1"], ["--share"]),
        (["--data", "FILE", "--score", "qed", "--pretrain", "0"], ["--pretrain 0", "--from"]),
        (["dcgan/tiny", "--score", "qed"], ["dcgan does not make molecules"]),
        (["molgan/tiny", "gan/tiny", "--score", "qed"], ["two systems"]),
        (["dcgan/tiny", "--from", "RUN", "--score", "qed"], ["molgan", "dcgan"]),
        (["--from", "nosuch", "--score", "qed"], ["--from nosuch is no run"]),
        (["--from", "RUN", "--data", "FILE", "--pretrain", "0", "--score", "qed"], ["--pretrain"]),
        (
            ["--from", "RUN", "--score", "qed", "model.latent=5"],
            ["model.latent was 4 and is now 5"],
        ),
    ],
)
def test_a_refusal_is_one_line_that_names_the_culprit(
    words, naming, pretrained, actives, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.smi").write_text("")
    (tmp_path / "rubbish.smi").write_text("hello\nworld\n")
    names = {"FILE": actives, "EMPTY": "empty.smi", "RUBBISH": "rubbish.smi", "RUN": pretrained}
    ended = call("design", *(names.get(word, word) for word in words), "--quiet")
    assert ended.status == 2, (ended.out, ended.err)
    told = [line for line in ended.err.splitlines() if line.startswith("zerosum: ")]
    assert len(told) == 1 and all(word in told[0] for word in naming), ended.err


def test_docking_without_its_extra_says_what_to_install(actives, tmp_path, monkeypatch):
    def without(name: str):
        return None if name in ("vina", "meeko") else real(name)

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", without)
    words = ["--data", actives, "--score", "docking:CA2", "--out", tmp_path / "d", "--quiet"]
    ended = call("design", *words)
    assert ended.status == 2 and "pip install 'zerosum[docking]'" in ended.err
    assert not (tmp_path / "d" / "design.json").exists()
