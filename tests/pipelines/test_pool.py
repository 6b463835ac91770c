"""Many processes side by side: their order, what waits for others, failures and stops."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from zerosum.errors import UserError
from zerosum.training import pool
from zerosum.training.pool import Job, refuse_failed, work_off


def job(folder, name, words=("this",)):
    """Python's smallest module, whose output is what it came to."""
    return Job(name, words, folder / name, lambda: "poem" if _said(folder / name) else "")


def _said(folder):
    return "Zen" in (folder / "output.txt").read_text()


def test_jobs_run_in_their_order_and_are_counted(tmp_path):
    said = []
    jobs = [job(tmp_path, "a"), job(tmp_path, "b")]
    assert work_off(jobs, 1, said.append, 3, 5) == []
    assert said == ["4/5 a: poem", "5/5 b: poem"]


def test_a_job_that_depends_on_another_waits_for_its_end(tmp_path):
    asked = []

    def jobs():
        yield job(tmp_path, "first")
        while not (tmp_path / "first/output.txt").read_text():
            asked.append("waiting")
            yield None
        yield job(tmp_path, "second")

    said = []
    assert work_off(jobs(), 2, said.append, 0, 2) == []
    assert said == ["1/2 first: poem", "2/2 second: poem"] and asked == ["waiting"]


def test_what_waits_for_a_failed_job_is_not_waited_for(tmp_path):
    def jobs():
        yield job(tmp_path, "bad", ("nosuchmodule",))
        while True:
            yield None

    said = []
    failed = work_off(jobs(), 2, said.append, 0, 2)
    assert failed == [f"bad (see {tmp_path / 'bad/output.txt'})"] and said == ["1/2 bad: failed"]
    assert "nosuchmodule" in (tmp_path / "bad/output.txt").read_text()
    with pytest.raises(UserError, match="1 trainings failed: bad"):
        refuse_failed(failed)
    refuse_failed([])


@pytest.mark.parametrize(
    ("signum", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_stop_reaches_the_processes(tmp_path, signum, raised, monkeypatch):
    """A server runs until it is told to stop; the pool tells it, and waits for its end."""
    server = Job("server", ("http.server", "0"), tmp_path / "server", lambda: "")
    started, popen = [], pool.subprocess.Popen
    noted = lambda *a, **k: started.append(popen(*a, **k)) or started[-1]  # noqa: E731
    monkeypatch.setattr(pool.subprocess, "Popen", noted)
    before = signal.getsignal(signal.SIGTERM)
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a background job
    threading.Timer(0.5, os.kill, (os.getpid(), signum)).start()
    begun = time.monotonic()
    with pytest.raises(raised):
        work_off([server], 1, print, 0, 1)
    signal.signal(signal.SIGINT, ignored)
    assert time.monotonic() - begun < 20
    assert signal.getsignal(signal.SIGTERM) is before
    assert [process.returncode for process in started] == [-signal.SIGTERM]
