"""`zerosum tune`: what it says and leaves, and what it refuses."""

from __future__ import annotations

import json
import shlex

from cli_command import call, done


def test_a_search_says_what_it_found_and_what_to_type(tmp_path):
    out = tmp_path / "s"
    words = ["tune", "toy/tiny", "train.batch=16", "--seconds", "0.3", "--jobs", "1", "--out", out]
    told = dict(line.split(maxsplit=1) for line in done(*words, "--trials", 1).splitlines())
    outcome = json.loads((out / "trials/000/result.json").read_text())
    score = f"fd-points {outcome['scores'][-1]:.4g}"
    assert told["preset"] == score
    assert told["best"] == f"{score} (trial 0 of 1; 0 stopped early, 0 failed)"
    assert told["cost"] == f"{outcome['seconds']:,.0f} s of processor time, scores included"
    assert told["recipe"] == str(out / "recipe.json") and str(out / "index.html") in told["page"]
    examples = json.loads((out / "search.json").read_text())["examples"]
    assert told["next"] == f"zerosum train toy/tiny train.examples={examples} train.batch=16"
    assert call(*shlex.split(told["next"])[1:], "--dry-run").status == 0
    again = call(*words, "--trials", 1)  # nothing is left to do
    assert again.status == 0 and "trial 0" not in again.err


def test_wrong_words_are_refused_in_one_line(refused, tmp_path):
    out = tmp_path / "s"
    refused("tune", "gam/tiny", "--out", out, naming=["did you mean gan"])
    refused("tune", "gan/small", "--out", out, naming=["gan has no preset 'small'"])
    refused("tune", "gan/tiny", "dcgan/tiny", "--out", out, naming=["name one system to tune"])
    refused("tune", "gan/tiny", "--trials", 0, "--out", out, naming=["--trials"])
    refused("tune", "gan/tiny", "--seconds", "nan", "--out", out, naming=["--seconds"])
    refused("tune", "gan/tiny", "--seconds", 1e-6, "--out", out, naming=["buys 1 steps"])
    refused("tune", "gan/tiny", "--data", "nowhere", "--out", out, naming=["nowhere"])
    refused("tune", "gan/tiny", "model.latnet=3", "--out", out, naming=["model.latent"])
