"""Coverage-guided fuzzing with Atheris (optional, `pip install atheris==3.0.0`, Python 3.11).

`python tests/fuzz/atheris_readers.py npz -runs=100000`: the first word is a kind of file of
`fuzz_readers.TARGETS`, the rest goes to libFuzzer. Valid files are its first corpus.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Set up one target and fuzz it until it fails or the runs are over."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: type  pip install atheris==3.0.0  (Python 3.11)")
    with atheris.instrument_imports(include=["zerosum.modalities.images", "zipfile", "tarfile"]):
        from fuzz_readers import TARGETS
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        sys.exit(f"name a kind of file first: {', '.join(TARGETS)}")
    target, folder = TARGETS[name], Path(tempfile.mkdtemp(prefix="zerosum-fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / f"{number}.bin").write_bytes(seed)

    def one(content: bytes) -> None:
        target.run(content, folder)

    atheris.Setup([sys.argv[0], *sys.argv[2:], str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
