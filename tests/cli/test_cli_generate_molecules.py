"""`zerosum generate` of molecules: kept by a filter, or a line a draw for anybody to count."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from cli_command import done

pytest.importorskip("rdkit")

from zerosum.chem.molecules import rdkit
from zerosum.modalities.molecules.filtering import Filter


@pytest.fixture(scope="session")
def molecules(tmp_path_factory):
    """A short run of molgan on three atoms, of whose samples some are molecules."""
    folder = tmp_path_factory.mktemp("molecules")
    atoms = ("C", "N", "O")
    chains = [a + b + c for a in atoms for b in atoms for c in atoms]
    (folder / "chains.smi").write_text("\n".join(chains))
    words = ["train.examples=32", "evaluate.every=0", "--data", folder / "chains.smi"]
    done("train", "molgan/tiny", *words, "--out", folder / "run", "--quiet", "--device", "cpu")
    return folder / "run"


def test_a_filter_draws_until_it_has_them_and_says_how_many_that_took(molecules):
    out = done("generate", molecules, "-n", 3, "--filter", "atoms >= 2", "--out", "a.csv")
    with Path("a.csv").open() as file:
        rows = list(csv.DictReader(file))
    kept = [row["smiles"] for row in rows]
    assert len(set(kept)) == 3
    assert all(Filter("atoms >= 2")(rdkit().MolFromSmiles(text)) for text in kept)
    words = out.split()
    assert words[:6] == ["3", "molecules", "written", "to", "a.csv,", "kept"]
    drawn = int(words[7].replace(",", ""))
    # The raw draws of the same seed hold the same three first, and the third is the last drawn.
    done("generate", molecules, "-n", 1024, "--raw", "--out", "raw.smi")
    lines = Path("raw.smi").read_text().splitlines()
    assert len(lines) == 1024
    first = [text for text in dict.fromkeys(lines) if text and len(text) > 1]
    assert first[:3] == kept and lines.index(kept[2]) + 1 == drawn


def test_a_filter_that_too_few_fulfil_ends_in_a_line(molecules, refused, monkeypatch):
    monkeypatch.setattr("zerosum.pipelines.sifting.MOST_TRIES", 2)
    refused(
        *("generate", molecules, "-n", 600, "--filter", "qed > 0.99", "--out", "a.csv"),
        naming=["qed > 0.99 holds for 0 of 2,048 samples", "ask for less"],
    )


def test_what_a_filter_cannot_go_with(molecules, trained, refused):
    alone = "--filter goes with -n, --seed, --option and --out alone"
    command = ("generate", molecules, "--filter", "qed > 0.5")
    refused(*command, "--raw", naming=[alone])
    refused(*command, "--where", "a=1", naming=[alone])
    refused("generate", molecules, "--filter", "qed >", naming=["is no expression"])
    refused("generate", molecules, "--raw", "--out", "a.sdf", naming=["has no blank lines"])
    refused(
        *("generate", trained.path, "--filter", "qed > 0.5"),
        naming=["--filter is for molecules, not for images"],
    )
    refused("generate", trained.path, "--raw", naming=["--raw is for molecules"])
