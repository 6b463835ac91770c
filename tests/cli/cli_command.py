"""Call the command line in this process, which is quick, or in one of its own, as users do."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from zerosum.cli.main import main

SCRIPT = Path(sys.executable).with_name("zerosum")


@dataclass
class Ended:
    """What a command left: exit status, stdout and stderr."""

    status: int
    out: str
    err: str


def call(*arguments) -> Ended:
    """`zerosum ARGUMENTS` in this process."""
    out, err = StringIO(), StringIO()
    argv = ["zerosum", *map(str, arguments)]
    status = None
    with mock.patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as left:
            status = left.code
    assert isinstance(status, int), f"main() must end with an exit status, not {status}"
    return Ended(status, out.getvalue(), err.getvalue())


def done(*arguments) -> str:
    """The stdout of a command that must succeed."""
    ended = call(*arguments)
    assert ended.status == 0, ended.err
    return ended.out


def spawn(*command, cwd=None) -> Ended:
    """Any command line in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("ZEROSUM_DATA", None)
    ended = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=cwd,
        env=environment,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, and its sub-folders, to see that nothing changed."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"folder"
        for path in folder.rglob("*")
    }


def write_photos(folder: Path, sizes, colour=True, first=0) -> Path:
    """One noisy picture per (height, width), all different."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (height, width) in enumerate(sizes, start=first):
        rng = np.random.default_rng(number)
        shape = (height, width, 3) if colour else (height, width)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(
            folder / f"{number:03}.png"
        )
    return folder


def opened(path: Path) -> Image.Image:
    """A picture that can be read to its end and is not of one colour."""
    with Image.open(path) as image:
        image.load()
        low, high = image.convert("L").getextrema()
        assert high - low > 30, f"{path.name} is nearly one colour"
        return image.copy()
