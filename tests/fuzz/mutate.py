"""Damage files a million times and read them: `python tests/fuzz/mutate.py --count 1000000`.

Says how fast it goes, and keeps each input that ended in anything but pictures or one line for the
user: another exception, more than a second, or more memory than was allowed.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from types import FrameType

from fuzz_readers import MEMORY, TARGETS, Target, drawn, edited

SLOW = 1.0  # seconds of processor time
HANGS = 20.0  # seconds
GREEDY = int(MEMORY * 2**20) + 400 * 2**10  # KiB that one file may add to the process


class HangError(BaseException):
    """A reader does not end. No reader may catch it, so it is no Exception."""


def _hangs(number: int, frame: FrameType | None) -> None:
    raise HangError


def fault(target: Target, content: bytes, folder: Path) -> str:
    """What is wrong with reading some content; "" for nothing."""
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        target.run(content, folder)
    except (Exception, HangError):
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if time.process_time() - begun > SLOW:
        return f"slow: {time.process_time() - begun:.1f} s"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return f"greedy: {grown / 2**10:.0f} MiB" if grown > GREEDY else ""


def main() -> int:
    """Parse the command line, damage and read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="damaged files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=TARGETS, help="one kind of file")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after that")
    parser.add_argument("--out", type=Path, default=Path("fuzz-found"), help="inputs at fault")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    faulthandler.enable()  # says where, should a library crash
    signal.signal(signal.SIGALRM, _hangs)
    rng, names = random.Random(asked.seed), [asked.only] if asked.only else list(TARGETS)
    found: dict[tuple[str, str], int] = {}
    begun, done = time.monotonic(), 0
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        while done < asked.count and time.monotonic() - begun < asked.seconds:
            name = names[done % len(names)]
            target = TARGETS[name]
            content = edited(rng.choice(target.seeds), drawn(rng))
            wrong = fault(target, content, Path(folder))
            done += 1
            if wrong:
                # the last line and the place say which fault it is
                lines = wrong.strip().splitlines()
                key = name, re.sub(r"\d+|'.*'", "..", " ".join(lines[-3:-2] + lines[-1:]))[:200]
                if key not in found:
                    asked.out.mkdir(parents=True, exist_ok=True)
                    number = len(found)
                    (asked.out / f"{number:03}-{name.replace(' ', '_')}.bin").write_bytes(content)
                    (asked.out / f"{number:03}.txt").write_text(wrong)
                    print(f"{name}: {key[1]}", flush=True)
                found[key] = found.get(key, 0) + 1
            if done % 50_000 == 0:
                rate = done / (time.monotonic() - begun)
                print(f"{done:,} read, {rate:,.0f} a second, faults: {len(found)}", flush=True)
    rate = done / (time.monotonic() - begun)
    print(f"{done:,} read, {rate:,.0f} a second, faults: {len(found)} (kept in {asked.out})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
