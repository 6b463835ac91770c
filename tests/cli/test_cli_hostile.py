"""Values that mean nothing, on every option of every command: one line, no traceback, no bug."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from cli_command import call, write_photos

import zerosum
from zerosum.cli.main import app
from zerosum.errors import UserError

HOSTILE = [
    *("", "-1", "1" + "0" * 30, "1.5", "nan", "-inf", "1" + "0" * 400),
    *("nosuch", "a/b/nosuch", "..", "é\x1b[31m\udcff", "--", "=", ",", "x" * 300, "0x10", "²"),
]
ENOUGH = {
    "train": ["dcgan/tiny", "--dry-run"],
    "generate": ["RUN"],
    "evaluate": ["RUN"],
    "report": ["RUN"],
    "doctor": ["RUN"],
    "inspect": ["a"],
    "export": ["RUN"],
    "import": ["nosuch.pkl", "--to", "t"],
    "check": [],
    "new": [],
    "tune": ["gan/tiny", "--quiet"],
    "bench modes": [],
    "bench families": ["--no-train"],
    "bench doctor": ["--no-train"],
    "bench tables": ["--no-train"],
    "bench speed": ["--models", "gan/tiny", "--repeats", "1"],
    "translate": ["RUN", "a", "--out", "t"],
    "upscale": ["RUN", "a", "--out", "t"],
    "inpaint": ["RUN", "a", "--mask", "a", "--out", "t"],
    "colorize": ["RUN", "a", "--out", "t"],
    "tryon": ["RUN", "a", "a/000.png", "--out", "t"],
    "paint": ["RUN", "a", "--out", "t"],
    "restyle": ["RUN", "a", "--out", "t"],
    "anomaly": ["RUN", "a"],
    "links": ["RUN"],
    "augment": ["RUN", "--quiet"],
    "impute": ["RUN", "a/000.png", "--out", "t.csv", "--quiet"],
    "qsar": ["a/000.png", "--target", "y", "--quiet"],
    "dock": ["a/000.png", "--target", "nosuch", "--quiet"],
    "design": ["--data", "a/000.png", "--score", "qed", "--pretrain", "1", "--quiet"],
    "latent walk": ["RUN", "--out", "t.gif"],
    "latent mix": ["RUN", "--out", "t.png"],
    "latent truncate": ["RUN", "--out", "t.png"],
    "latent project": ["RUN", "a/000.png", "--steps", "1", "--out", "t.png"],
    "latent directions": ["RUN", "--out", "t.safetensors"],
    "latent edit": ["RUN", "nosuch", "--out", "t.png"],
    "latent move": ["RUN", "--out", "t.gif"],
    "latent measure": ["RUN", "--samples", "10"],
    "study make": ["RUN", "--out", "study"],
    "study serve": ["nosuch"],
    "study score": ["nosuch"],
    "list": [],
}
"""A command line to which a hostile option is added; RUN stands for a trained run."""
TOLD = {"--json", "--page", "--pages", "--out", "--to", "--module"}
"""Options that name files: their values are tried below, for here anything is a name."""


def commands(group=None, before=()):
    """Each command by its words, with its parameters."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        words = (*before, name)
        if hasattr(command, "commands"):
            yield from commands(command, words)
        else:
            yield " ".join(words), command.params


def tries():
    """Every command with each option and argument that takes a value."""
    for name, parameters in commands():
        for one in parameters:
            option = one.opts[0] if one.opts[0].startswith("-") else ""
            if not getattr(one, "is_flag", False) and not TOLD & set(one.opts):
                yield pytest.param(name, option, id=f"{name} {option or one.name}")


def test_every_command_is_tried():
    assert {name for name, _ in commands()} == set(ENOUGH)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """No test trains or serves: what passes all refusals ends here."""
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("zerosum.bench.modes.bench.run", lambda *_, **__: _refuse())
    monkeypatch.setattr("zerosum.pipelines.tune.tune", lambda *_, **__: _refuse())
    write_photos(Path("a"), [(16, 16)] * 12)


def _refuse():
    raise UserError("passed")


def one_line(ended, value):
    assert ended.status in (0, 1, 2, 130)
    assert "Traceback" not in ended.out + ended.err
    assert "(a bug" not in ended.err, (value, ended.err)
    if ended.status:
        told = [line for line in ended.err.splitlines() if line.startswith("zerosum: ")]
        assert len(told) == 1 and "\x1b" not in told[0], ended.err


@pytest.mark.parametrize(("name", "option"), list(tries()))
def test_a_hostile_value_ends_with_one_line(name, option, labelled, small):
    enough = [labelled.path if word == "RUN" else word for word in ENOUGH[name]]
    for value in HOSTILE:
        words = [*enough, option, value] if option else [*enough[1:], value]
        one_line(call(*name.split(), *words), value)


@pytest.mark.parametrize("place", ["a", "a/000.png/s.json", "a/000.png/b/s.json"])
@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "RUN", "--quiet", "--json"],
        ["doctor", "RUN", "--json"],
        ["bench", "modes", "--json"],
        ["bench", "families", "--json"],
        ["bench", "doctor", "--json"],
        ["study", "score", "a", "--json"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_file_that_cannot_be_is_refused_before_the_work(words, place, small, monkeypatch):
    monkeypatch.setattr("zerosum.training.run.read_run", lambda *_: pytest.fail("it was begun"))
    ended = call(*words, place)
    one_line(ended, place)
    assert ended.status == 2 and "with --json" in ended.err


def test_scores_are_shown_where_their_file_cannot_be_written(trained, monkeypatch):
    def full(*_):
        raise UserError("cannot write: the disk is full")

    monkeypatch.setattr("zerosum.cli.evaluate._write", full)
    words = ["evaluate", trained.path, "--metrics", "fd", "--samples", 50, "--quiet"]
    ended = call(*words, "--json", "s.json")
    assert ended.status == 2 and "the disk is full" in ended.err and "fd-cnn-digits" in ended.out


@pytest.mark.parametrize(
    ("words", "naming"),
    [
        (["train", "--data", ""], ["--data is empty"]),
        (["train", "--data="], ["--data is empty"]),
        (["train", "gan/tiny", "--out", ""], ["--out is empty"]),
        (["generate", ""], ["an argument is empty"]),
        (["evaluate", "--real", "a", "--fake", "a", "--size", "4x"], ["--size 4x is no size"]),
        (["evaluate", "--real", "a", "--fake", "a", "--size", "²"], ["--size ² is no size"]),
        (["evaluate", "--real", "a", "--fake", "a", "--size", "0x9"], ["--size 0x9 is no size"]),
        (["evaluate", "--real", "a", "--fake", "a", "--size", "99999"], ["is no size"]),
        (["study", "serve", "a", "--port", "99999"], ["--port", "65535"]),
        (["generate", "run", "--seed", "-1"], ["--seed"]),
        (["generate", "run", "--seed", str(2**63)], ["--seed"]),
        (["check", "."], [". is no model", ".py file"]),
        (["check", ".."], [".. is no model"]),
        (["check", "./a"], ["./a is no model"]),
        (["check", "a/000.png"], ["a/000.png is no model"]),
        (["check", "a/nosuch.py"], ["no file 'a/nosuch.py'"]),
        (["new", "random"], ["'random'", "another name"]),
        (["new", "torch"], ["'torch'", "another name"]),
        (["new", "class"], ["'class'", "another name"]),
    ],
)
def test_the_culprit_is_named(words, naming, small):
    ended = call(*words)
    one_line(ended, words)
    assert ended.status == 2
    for word in naming:
        assert word in ended.err
    assert [path.name for path in Path().iterdir()] == ["a"]


def test_a_port_too_large_is_refused_in_python_too(tmp_path):
    from zerosum.pipelines.study import Server
    from zerosum.pipelines.study.make import PAGE

    (tmp_path / PAGE).parent.mkdir(parents=True)
    (tmp_path / PAGE).write_text("page", encoding="utf-8")
    (tmp_path / "key.json").write_text('{"study": "s", "trials": {}}', encoding="utf-8")
    with pytest.raises(UserError, match="give another --port"):
        Server(tmp_path, port=99_999)
    (tmp_path / "key.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"key\.json is damaged"):
        Server(tmp_path)


@pytest.mark.parametrize("seed", [-1, 2**63, 2**70])
def test_a_seed_that_would_stand_for_another_is_refused_in_python_too(seed, labelled):
    generator = zerosum.load(labelled.path)
    for draw in (generator.sample, generator.draw):
        with pytest.raises(UserError, match=r"from 0 to 2\*\*63 - 1"):
            draw(2, seed=seed)
    with pytest.raises(UserError, match=r"from 0 to 2\*\*63 - 1"):
        generator.interpolate(seed=seed)
