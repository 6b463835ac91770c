"""Everything here needs rdkit, an extra. Designs of small molecules and few samples."""

from __future__ import annotations

import importlib.util

import pytest

if importlib.util.find_spec("rdkit") is None:
    collect_ignore_glob = ["test_*.py"]

QUICK = {
    "model.scorer": "",
    "model.imitation": 1.0,
    "model.overvalence": 1.0,
    "model.pieces": 1.0,
    "optim.generator.lr": 3e-3,
    "optim.critic.lr": 3e-3,
    "doctor.policy": "off",
}
"""Overrides with which thirty steps give valid molecules of five atoms."""


@pytest.fixture(scope="session")
def actives(tmp_path_factory):
    """A file of molecules of at most five heavy atoms."""
    from zerosum.chem.docking import heavy_atoms
    from zerosum.modalities.molecules.named import made

    path = tmp_path_factory.mktemp("design") / "actives.smi"
    path.write_text("".join(f"{one}\n" for one in made() if heavy_atoms(one) <= 5))
    return path


@pytest.fixture
def quick():
    """Overrides with which thirty steps give valid molecules of five atoms."""
    return QUICK


@pytest.fixture(scope="session")
def pretrained(actives):
    """A run that designs begin with."""
    import zerosum

    changes = {**QUICK, "train.examples": 480, "evaluate.samples": 0}
    recipe = zerosum.recipe("molgan/tiny").with_data(str(actives)).override(changes)
    zerosum.train(recipe, out=actives.parent / "run", device="cpu", quiet=True)
    return actives.parent / "run"


@pytest.fixture
def few(monkeypatch):
    """Fewer samples a cycle."""
    monkeypatch.setattr("zerosum.pipelines.design.sampling.BLOCK", 64)
    monkeypatch.setattr("zerosum.pipelines.design.sampling.JUDGED", 128)


@pytest.fixture
def begin(pretrained, few):
    """Designs with the terms of the tests, into a folder."""
    from zerosum.pipelines.design import design, plan

    def run(out, cycles=2, baselines=False, **settings):
        terms = {"score": "qed,sa", "calls": 10, "examples": 64, "top": "50%", "pool": 5}
        wanted = plan(None, start=str(pretrained), **{**terms, **settings})
        how = {"cycles": cycles, "baselines": baselines, "device": "cpu", "workers": 1}
        return design(wanted, out, quiet=True, **how)

    return run
