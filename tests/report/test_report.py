"""The report of a run: what is on the page, that it needs nothing else, and how it looks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image
from typer.testing import CliRunner

import zerosum
from zerosum.errors import UserError
from zerosum.pipelines.report import report
from zerosum.pipelines.report.facts import read
from zerosum.pipelines.report.scores import Scores, scores, verdict
from zerosum.records import read_lines

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short finished run with scores, sheets and one recorded event."""
    out = tmp_path_factory.mktemp("report") / "first <run>"
    recipe = zerosum.recipe("gan/tiny").override(
        {"train.sheet_every": 128, "train.log_every": 64, "evaluate.every": 320}
    )
    zerosum.train(recipe, out=out, device="cpu", quiet=True)
    event = {
        "failure": "mode collapse",
        "step": 20,
        "seen": 320,
        "signal": "variety",
        "value": 0.1,
        "threshold": 0.2,
        "window": 3,
        "evidence": "diversity 0.1 of the data's < 0.2",
        "remedy": "train with model.packing=2",
        "override": "optim.generator.lr=1e-4",
        "action": "",
    }
    (out / "events.jsonl").write_text(json.dumps(event) + "\n")
    return out


@pytest.fixture(scope="module")
def page(run):
    path, picture = report(run, samples=60, device="cpu")
    assert path.name == "report.html" and picture.name == "report.png"
    return path


class Balance(HTMLParser):
    """Collects tags that are never closed, and every address."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_no_network(page):
    parser = Balance()
    parser.feed(page.read_text())
    assert parser.open == []
    assert len(parser.addresses) >= 10
    assert all(address.startswith("data:image/png;base64,") for address in parser.addresses)
    assert "http" not in re.sub(r"data:image/png;base64,\S+", "", page.read_text())


def test_names_cannot_become_markup(page):
    assert "<h1>first &lt;run&gt;</h1>" in page.read_text()


def test_the_page_tells_what_the_records_say(page, run):
    text = page.read_text()
    assert "640 images, 40 steps of 16 (finished)" in text
    assert "mode collapse" in text and "train with model.packing=2" in text
    for name in ("fd-cnn-digits", "precision", "recall", "coverage"):
        assert name in text
    assert "ceiling" in text and "60 samples (seed 0, averaged weights)" in text
    assert "optim.generator.lr" in text and "energy" in text and "not measured" in text
    assert "samples trained on" in text and "1,617" in text
    assert json.loads((run / "machine.json").read_text())["device"] in text
    assert len(re.findall("<figure>", text)) == 6  # the first, the last and four between


def test_the_picture_can_be_read(page, run):
    with Image.open(run / "report.png") as image:
        assert image.width > 1_000
        low, high = image.convert("L").getextrema()
        assert low < 60 and high == 255


def test_the_command_writes_both(run):
    from zerosum.cli.main import app

    ended = CliRunner().invoke(app, ["report", str(run), "--samples", "0", "--quiet"])
    assert ended.exit_code == 0 and "report.html" in ended.stdout


def test_without_new_scores_it_shows_the_last_of_the_training_with_their_ceiling(run):
    text = report(run, samples=0, device="cpu")[0].read_text()
    last = read_lines(run / "scores.jsonl")[-1]
    for name, value in last["scores"].items():
        cells = [re.escape(name), f"{value:.3g}", "[^<]*", f"{last['reference'][name]:.3g}"]
        assert re.search("</td>".join(f"<td[^>]*>{cell}" for cell in cells), text)
    assert "Taken while training, at 640 images: 64 samples (seed 0) against 64 of the" in text
    assert "two halves of the real, 32 each, score." in text


def test_data_that_are_gone_leave_the_scores_of_the_training(run, tmp_path):
    copy = tmp_path / "moved"
    shutil.copytree(run, copy)
    tree = json.loads((copy / "recipe.json").read_text())
    tree["data"]["path"] = str(tmp_path / "gone")
    (copy / "recipe.json").write_text(json.dumps(tree))
    text = report(copy, samples=60, device="cpu")[0].read_text()
    assert "Taken while training" in text and "not scored anew: " in text and "gone" in text


def test_a_report_begins_with_a_verdict_in_two_lines(run, tmp_path):
    facts = read(run)
    last = facts.scores[-1]
    name = next(iter(last["scores"]))
    doctor, standing = verdict(facts, scores(facts, run, None, None))
    assert doctor.startswith("The doctor saw mode collapse (from 320 images) in ")
    assert doctor.endswith("; the last shows none.")
    ends = f"{name} {last['scores'][name]:.3g} (real: {last['reference'][name]:.3g})"
    assert standing.startswith(f"Beside two halves of the real samples: {ends}, precision")
    text = report(run, samples=0, device="cpu")[0].read_text()
    assert text.index(doctor) < text.index(standing) < text.index("<h2>Run</h2>")

    healthy = replace(facts, events=[])
    assert verdict(healthy, Scores())[0].startswith("The doctor saw no failure in ")
    assert verdict(healthy, Scores())[1] == "Not scored."
    off = facts.recipe.override({"doctor.policy": "off"})
    assert "off" in verdict(replace(facts, recipe=off), Scores())[0]


def test_what_was_left_out_of_the_data_is_told(run, tmp_path):
    copy = tmp_path / "noted"
    shutil.copytree(run, copy)
    (copy / "notes.txt").write_text("hidden files left out: 2 (.a<b>, .c)\n", encoding="utf-8")
    text = report(copy, samples=0, device="cpu")[0].read_text()
    assert "<p>hidden files left out: 2 (.a&lt;b&gt;, .c)</p>" in text


def test_the_recipe_says_where_each_number_comes_from(run):
    settings = {path: (value, source) for path, value, source in read(run).settings}
    assert settings["train.batch"] == ("16", "ours")
    paper = replace(read(run), recipe=zerosum.recipe("wgan/cifar10"))
    settings = {path: (value, source) for path, value, source in paper.settings}
    assert settings["model.limit"] == ("0.01", "arXiv:1701.07875, algorithm 1")


def test_points_have_a_report_too(tmp_path):
    recipe = zerosum.recipe("toy/tiny")
    zerosum.train(recipe, out=tmp_path / "points", device="cpu", quiet=True)
    text = report(tmp_path / "points", samples=50, device="cpu")[0].read_text()
    assert "nearest training" not in text  # points have no such picture
    assert "A closer look" in text


def test_molecules_are_called_molecules(tmp_path):
    pytest.importorskip("rdkit")
    zerosum.train(zerosum.recipe("molgan/tiny"), out=tmp_path / "run", device="cpu", quiet=True)
    text = report(tmp_path / "run", samples=50, device="cpu")[0].read_text()
    twins = "nearest training molecules below" in text  # where a sample is a molecule at all
    assert twins == ("nearest to molecules of the training part" in text)
    assert "image" not in re.sub(r"data:image/png", "", text)
    said = re.search(r"50 samples [^;]*against ([\d,]+) real ones", text)
    assert said is not None and int(said[1].replace(",", "")) > 10  # validity alone reads none


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(UserError, match="is no run"):
        report(tmp_path)


def test_a_stopped_run_says_how_far_it_came(run, tmp_path):
    copy = tmp_path / "stopped"
    shutil.copytree(run, copy)
    tree = json.loads((copy / "recipe.json").read_text())
    tree["train"]["examples"] = 1_280
    (copy / "recipe.json").write_text(json.dumps(tree))
    assert "(50 % done)" in read(copy).summary["length"]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [1_280, 375])
def test_a_browser_shows_it_without_sideways_scrolling(page, tmp_path, width):
    # in a frame, for a headless window is no narrower than 500
    probe = tmp_path / "probe.html"
    probe.write_text(f"""<body style="margin: 0">
<iframe src="{page.as_uri()}" style="border: 0; width: {width}px; height: 2400px"></iframe>
<script>document.querySelector("iframe").onload = event => {{
  const shown = event.target.contentDocument;
  const parts = [shown.documentElement, ...shown.querySelectorAll(".wide")];
  document.title = "over " + Math.max(...parts.map(part => part.scrollWidth - part.clientWidth));
}}</script></body>""")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--allow-file-access-from-files", f"--window-size={max(width, 500)},2400"]
    shot = tmp_path / "shot.png"
    subprocess.run(
        [*command, f"--screenshot={shot}", probe.as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    )
    with Image.open(shot) as image:
        shown = image.convert("L").crop((0, 0, width, 2_400)).resize((50, 50))
        assert len(shown.getcolors(2_500)) > 30  # not a blank page
    dumped = subprocess.run(
        [*command, "--dump-dom", probe.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert re.search(r"<title>over 0</title>", dumped.stdout)
