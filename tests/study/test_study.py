"""The human study: what the page gives away, what the server takes, what the scores are."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from typer.testing import CliRunner

import zerosum
from zerosum.errors import UserError
from zerosum.pipelines.study import Server, make, score

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "run"
    recipe = zerosum.recipe("gan/tiny").override({"train.examples": 64, "evaluate.samples": 0})
    zerosum.train(recipe, out=out, device="cpu", quiet=True)
    return out


@pytest.fixture
def study(run, tmp_path):
    make(run, tmp_path / "study", images=6, checks=3)
    return tmp_path / "study"


def key_of(study):
    return json.loads((study / "key.json").read_text())


def answers(study, rater, judge, milliseconds=900):
    """One rater's file, answering by a function of the kind and a running number per kind."""
    key, seen, rows = key_of(study), {}, []
    for name, kind in key["trials"].items():
        seen[kind] = seen.get(kind, -1) + 1
        word = judge(kind, seen[kind])
        rows.append({"name": name, "answer": word, "milliseconds": milliseconds})
    tree = {"study": key["study"], "rater": rater, "answers": rows}
    (study / "answers" / f"{rater}.json").write_text(json.dumps(tree))
    return tree


def perfect(kind, _):
    return "real" if kind == "real" else "generated"


def test_the_page_says_nothing_of_what_is_real(study):
    text = (study / "page" / "index.html").read_text()
    key = key_of(study)
    assert sorted(key["trials"].values()) == ["check"] * 3 + ["generated"] * 6 + ["real"] * 6
    trials = json.loads(re.search(r"const trials = (\[.*?\]);", text)[1])
    assert [trial["name"] for trial in trials] == sorted(key["trials"])
    assert all(re.fullmatch("[0-9a-f]{12}", trial["name"]) for trial in trials)
    assert str(study) not in text and "key.json" not in text and "http:" not in text
    sizes = {base64.b64decode(t["source"].split(",")[1])[16:24] for t in trials}
    assert len(sizes) == 1  # nobody can tell them apart by their size
    assert not {"check", "fake"} & set(re.findall(r"\w+", text))


def test_real_images_come_from_the_held_out_part(study, run):
    split = zerosum.load(run).recipe.data.open()
    assert len(split.heldout) == 180
    with pytest.raises(UserError, match=r"there are 180 real images and 500 are wanted"):
        make(run, study.parent / "large", images=500)


def test_real_images_can_be_given(run, tmp_path):
    page = make(run, tmp_path / "given", real="digits", images=200, checks=0)
    assert page.is_file() and len(key_of(tmp_path / "given")["trials"]) == 400


def test_a_study_is_never_overwritten(study, run):
    with pytest.raises(UserError, match="holds a study, whose answers would be lost"):
        make(run, study)


def test_points_cannot_be_shown(tmp_path):
    recipe = zerosum.recipe("toy/tiny").override({"train.examples": 256, "evaluate.samples": 0})
    zerosum.train(recipe, out=tmp_path / "points", device="cpu", quiet=True)
    with pytest.raises(UserError, match="no attention checks: give --checks 0"):
        make(tmp_path / "points", tmp_path / "study")


def test_scores_are_the_shares_of_errors(study):
    answers(study, "ann", perfect)
    answers(study, "bob", lambda kind, i: "real" if kind != "check" and i < 3 else "generated")
    found = score(study)
    # Ann errs never; Bob on three of six generated and three of six real ones.
    assert float(found.hype) == pytest.approx(0.25)
    assert float(found.on_generated) == pytest.approx(0.25)
    assert float(found.on_real) == pytest.approx(0.25)
    assert found.raters == 2 and found.answers == 24 and found.seconds == pytest.approx(0.9)
    assert found.hype.interval == (0.0, 0.5)  # with two people, anything between them


def test_who_does_not_look_is_left_out(study):
    answers(study, "ann", perfect)
    answers(study, "sleepy", lambda kind, _: "real")
    found = score(study)
    assert found.left_out == ("sleepy",) and float(found.hype) == 0 and found.raters == 1
    low, high = found.hype.interval
    assert low == pytest.approx(0, abs=1e-12) and 0.2 < high < 0.3  # Wilson's, of 12 answers


def test_the_first_answers_of_a_rater_count(study):
    answers(study, "ann", perfect)
    tree = answers(study, "later", lambda kind, _: "real" if kind == "generated" else "generated")
    tree["rater"] = "ann"
    (study / "answers" / "later.json").write_text(json.dumps(tree))
    assert float(score(study).hype) == 0


def test_intervals_hold_the_truth_over_people(run, tmp_path):
    """Raters with error rates of their own: the interval of the mean covers it as it should."""
    make(run, tmp_path / "study", images=10, checks=0)
    rng, covered = np.random.Generator(np.random.PCG64(0)), 0
    for _ in range(60):
        for old in (tmp_path / "study" / "answers").glob("*.json"):
            old.unlink()
        for person in range(20):
            rate = rng.beta(2, 6)  # mean 1/4

            def judge(kind, _, rate=rate):
                right = "real" if kind == "real" else "generated"
                wrong = "generated" if right == "real" else "real"
                return wrong if rng.uniform() < rate else right

            answers(tmp_path / "study", f"p{person}", judge)
        low, high = score(tmp_path / "study").hype.interval
        covered += low <= 0.25 <= high
    assert 50 <= covered <= 60  # 95 % of 60 is 57


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda t: t.update(study="other"), "belongs to another study"),
        (lambda t: t["answers"].pop(), "does not answer each image once"),
        (lambda t: t["answers"][0].update(answer="maybe"), "holds no answers of one rater"),
        (lambda t: t.pop("rater"), "holds no answers of one rater"),
    ],
)
def test_wrong_files_are_named(study, change, complaint):
    tree = answers(study, "ann", perfect)
    change(tree)
    (study / "answers" / "ann.json").write_text(json.dumps(tree))
    with pytest.raises(UserError, match=rf"ann\.json {complaint}"):
        score(study)


def test_without_answers_the_cure_is_named(study, tmp_path):
    with pytest.raises(UserError, match="zerosum study serve"):
        score(study)
    with pytest.raises(UserError, match="zerosum study RUN"):
        score(tmp_path / "nothing")


@pytest.fixture
def server(study):
    with Server(study, port=0) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()


def post(address, body):
    request = urllib.request.Request(address + "answers", data=body, method="POST")
    with urllib.request.urlopen(request, timeout=10) as reply:
        return reply.status


def test_the_server_gives_the_page_and_nothing_else(server):
    with urllib.request.urlopen(server.address, timeout=10) as reply:
        assert b"Real or generated?" in reply.read()
    for path in ("key.json", "../key.json", "answers", "page/index.html"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(server.address + path, timeout=10)


def test_the_server_keeps_good_answers_and_refuses_others(server, study):
    tree = answers(study, "ann", perfect)
    (study / "answers" / "ann.json").unlink()
    assert post(server.address, json.dumps(tree).encode()) == 200
    for body in (b"{", b"[]", json.dumps({**tree, "study": "x"}).encode(), b"x" * 2_000_000):
        with pytest.raises((urllib.error.HTTPError, urllib.error.URLError, ConnectionError)):
            post(server.address, body)
    assert len(list((study / "answers").glob("*.json"))) == 1
    assert float(score(study).hype) == 0


def test_answers_that_cannot_be_kept_are_refused_aloud(server, study, monkeypatch, capsys):
    """So that the page tells the rater to save them."""
    tree = answers(study, "ann", perfect)
    monkeypatch.setattr(
        "zerosum.pipelines.study.serve.write_text",
        lambda path, text: (_ for _ in ()).throw(UserError("the disk is full")),
    )
    with pytest.raises(urllib.error.HTTPError, match="507"):
        post(server.address, json.dumps(tree).encode())
    assert "answers are lost: the disk is full" in capsys.readouterr().err


def test_a_study_that_may_not_be_written_to_is_not_served(study, monkeypatch):
    monkeypatch.setattr("zerosum.pipelines.study.serve.os.access", lambda path, mode: False)
    with pytest.raises(UserError, match="answers may not be written to, so answers would be lost"):
        Server(study, port=0)


def test_a_request_that_nests_too_deeply_is_refused(server):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        post(server.address, b"[" * 100_000)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "-1"])
def test_an_address_that_is_not_of_this_machine_is_named(host, study):
    with pytest.raises(UserError, match="give another --host"):
        Server(study, host=host, port=0)


def test_a_taken_port_is_named(server, study):
    with pytest.raises(UserError, match="give another --port"):
        Server(study, port=server.server_address[1])


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_answers_the_study(server, study):
    """A script presses the buttons a person would press; the answers arrive and are scored."""
    press = """<script>
    addEventListener("load", () => {
      at("rater").value = "browser"; at("begin").click();
      for (let i = 0; i < trials.length; i++) at("generated").click();
    });</script></body>"""
    server.page = server.page.replace(b"</body>", press.encode())
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=390,800"]
    ended = subprocess.run(
        [*command, "--virtual-time-budget=5000", "--dump-dom", server.address],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "Your answers have arrived." in ended.stdout
    found = score(study)
    assert found.raters == 1 and float(found.on_real) == 1 and float(found.on_generated) == 0


def test_the_commands_go_together(run, tmp_path):
    from zerosum.cli.main import app

    words = ["study", str(run), "--out", str(tmp_path / "s"), "--images", "5", "--checks", "1"]
    made = CliRunner().invoke(app, words)
    assert made.exit_code == 0 and "zerosum study score" in made.stdout
    answers(tmp_path / "s", "ann", perfect)
    answers(tmp_path / "s", "bob", perfect)
    words = ["study", "score", str(tmp_path / "s"), "--json", str(tmp_path / "scores.json")]
    scored = CliRunner().invoke(app, words)
    assert scored.exit_code == 0 and "2 raters, 20 answers" in scored.stdout
    tree = json.loads((tmp_path / "scores.json").read_text())
    assert tree["generated taken for real"] == {"value": 0.0, "interval": [0.0, 0.0]}
