"""Where a run happens, in words: part of its record."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from zerosum.core.runtime import Runtime

CPUS = Path("/proc/cpuinfo")


def processor() -> str:
    """The processor's name, such as `AMD EPYC 7B13`."""
    if CPUS.is_file():
        for line in CPUS.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine(runtime: Runtime) -> dict[str, str]:
    """Device, threads, precision and versions by what they are."""
    device = runtime.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    shared = f"{runtime.world} x " if runtime.world > 1 else ""
    threads = torch.get_num_threads()
    return {
        "device": f"{shared}{name}",
        "threads": f"{threads} for each process",
        "precision": runtime.precision,
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}",
    }
