"""Where output cannot be shown, or goes nowhere, files are written all the same."""

from __future__ import annotations

import ast
import contextlib
import errno
import io
import json
import os
import signal
import sys
from pathlib import Path
from unittest import mock

import pytest
from cli_command import SCRIPT, call, done, spawn, write_photos

import zerosum
from zerosum.cli.main import main

FOLDERS = ("evaluate", "--real", "a", "--fake", "a", "--quiet", "--features", "random-conv")


class Refusing(io.StringIO):
    """A stream whose system refuses every flush."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def flush(self):
        raise OSError(self.number, os.strerror(self.number))


def ended(*arguments, out=None, err=None):
    """Status of `zerosum ARGUMENTS` with these streams, and what each of them took."""
    out, err = out or io.StringIO(), err or io.StringIO()
    argv = ["zerosum", *map(str, arguments)]
    with mock.patch.multiple(sys, argv=argv, stdout=out, stderr=err):
        with pytest.raises(SystemExit) as left:
            main()
        assert (sys.stdout, sys.stderr) == (out, err), "the streams are given back"
    return left.value.code, out, err


@pytest.fixture
def pictures():
    write_photos(Path("a"), [(16, 16)] * 40)


@pytest.mark.parametrize("encoding", ["ascii", "cp1251", "cp932"])
def test_what_an_encoding_lacks_ends_no_command(encoding, pictures):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    status, out, err = ended(*FOLDERS, "--json", "s.json", out=out)
    assert status == 0, err.getvalue()
    out.flush()
    shown = out.buffer.getvalue().decode(encoding)
    assert "both sides share images" in shown
    assert r"Fr\xe9chet" in shown or "Fréchet" in shown
    assert json.loads(Path("s.json").read_text())["evaluations"][0]["scores"]


def test_a_reader_that_leaves_is_no_failure(pictures):
    gone = Refusing(errno.EPIPE)
    status, _, err = ended(*FOLDERS, "--json", "s.json", out=gone)
    assert (status, err.getvalue()) == (0, "")
    assert Path("s.json").stat().st_size > 100


def test_a_full_output_is_said_and_costs_no_file(pictures):
    status, _, err = ended(*FOLDERS, "--json", "s.json", out=Refusing(errno.ENOSPC))
    assert status == 1
    said = "zerosum: standard output was cut short: No space left on device"
    assert err.getvalue().startswith(said) and err.getvalue().count("\n") == 1
    assert Path("s.json").stat().st_size > 100


def test_a_training_outlives_whoever_watches_it():
    words = ["train", "dcgan/tiny", "train.examples=64", "evaluate.samples=0", "--out", "run"]
    gone = (Refusing(errno.EPIPE), Refusing(errno.EPIPE))
    status, *_ = ended(*words, "--device", "cpu", out=gone[0], err=gone[1])
    assert status == 0
    assert Path("run/samples.png").is_file() and Path("run/report.html").is_file()


@pytest.mark.parametrize("where", ["head", "full", "closed"])
def test_a_process_ends_quietly(where, tmp_path):
    """In a process of its own, where the interpreter flushes once more at its end."""
    command = {
        "head": f"{SCRIPT} list | true; exit ${{PIPESTATUS[0]}}",
        "full": f"{SCRIPT} list > /dev/full",
        "closed": f"{SCRIPT} list >&-",
    }[where]
    if where == "full" and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    left = spawn("bash", "-c", command, cwd=tmp_path)
    assert "Traceback" not in left.err and "Exception ignored" not in left.err
    assert (left.status, left.err.count("\n")) == ((1, 1) if where == "full" else (0, 0))


def test_a_failure_keeps_its_status_where_nobody_reads():
    status, *_ = ended("train", "dcgn", out=Refusing(errno.EPIPE), err=Refusing(errno.EPIPE))
    assert status == 2


def test_a_file_is_written_before_a_word_is_printed(trained, monkeypatch):
    """So that whatever ends the printing, what was computed is there."""

    def broken(*words, **settings):
        raise RuntimeError("no terminal")

    monkeypatch.setattr("zerosum.cli.doctor.print", broken, raising=False)
    monkeypatch.setattr("zerosum.cli.doctor.show", broken)
    assert call("doctor", trained.path, "--json", "d.json").status == 1
    assert json.loads(Path("d.json").read_text())["signals"]


def test_a_run_is_read_in_another_locale(tmp_path):
    """A class with a name that ASCII lacks, trained in UTF-8 and read where all is ASCII."""
    for name in ("café", "thé"):
        write_photos(tmp_path / "data" / name, [(8, 8)] * 12, first=len(name))
    words = ["cgan/tiny", "train.examples=32", "evaluate.samples=0", "--device", "cpu"]
    done("train", *words, "--data", tmp_path / "data", "--out", tmp_path / "run", "--quiet")
    from_python = "; ".join(
        [
            "import locale, zerosum",
            "assert locale.getpreferredencoding(False).lower() != 'utf-8'",
            "zerosum.load('run').sample(2, label=0)",
        ]
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with mock.patch.dict(os.environ, plain):
        for command in (
            [sys.executable, "-c", from_python],
            [SCRIPT, "generate", "run", "-n", 2, "--labels", "café", "--out", "s.npz"],
            [SCRIPT, "export", "run", "--to", "model"],
            [SCRIPT, "report", "run", "--samples", 0],
        ):
            left = spawn(*command, cwd=tmp_path)
            assert left.status == 0, left.err
    assert "café" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "café" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "start",
    [
        [SCRIPT],
        pytest.param([sys.executable, "-m", "zerosum"], marks=pytest.mark.slow),
    ],
)
def test_another_locale_reads_the_same_names(start, tmp_path):
    """Bytes of names that are UTF-8 are no other words where the locale is plain ASCII."""
    for name in ("café", "thé"):
        write_photos(tmp_path / "data" / name, [(8, 8)] * 12, first=len(name))
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with mock.patch.dict(os.environ, plain):
        ended = spawn(*start, "inspect", "data", "--json", cwd=tmp_path)
        shown = spawn(*start, "inspect", "data", cwd=tmp_path)
    assert ended.status == 0 and set(json.loads(ended.out)["classes"]) == {"café", "thé"}
    assert r"caf\xe9" in shown.out, "what is printed keeps the encoding of the locale"


def test_no_text_is_read_or_written_in_the_encoding_of_the_locale():
    """Ruff's rule for this (PLW1514) cannot see that a name is a path."""
    root = Path(zerosum.__file__).parent
    wrong = [
        f"{file.relative_to(root)}:{found.lineno}: {ast.unparse(found)[:80]}"
        for file in root.rglob("*.py")
        for found in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(found, ast.Call) and _takes_the_locale(found)
    ]
    assert not wrong, "\n".join(wrong)


def _takes_the_locale(found):
    """Whether a call reads or writes text, and leaves its encoding to the locale."""
    plain = isinstance(found.func, ast.Name)
    name = found.func.id if plain else getattr(found.func, "attr", "")
    if any(word.arg in ("encoding", "format") for word in found.keywords):
        return False  # what has a format, such as a film, is no text
    if name in ("read_text", "write_text"):
        return not plain  # zerosum.files.write_text writes UTF-8
    words = [*found.args[plain:], *(word.value for word in found.keywords if word.arg == "mode")]
    modes = [w.value for w in words if isinstance(w, ast.Constant) and isinstance(w.value, str)]
    of_text = any(mode and not mode.strip("rwaxt+") for mode in modes)
    return name == "open" and (of_text or (plain and not modes))


def test_an_interrupt_that_a_library_hides_is_no_bug(trained):
    """As where Ctrl-C comes while torch imports numpy: it goes on, and fails later."""

    def hiding(*arguments, **settings):
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGINT)
        raise AttributeError("module 'numpy' has no attribute 'minimum'")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with mock.patch("zerosum.pipelines.generate.Generator.load", hiding):
            ended = call("generate", trained.path)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (ended.status, ended.err) == (130, "zerosum: interrupted\n")
