"""Where a run happens, in words: part of its record."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

CPUS = Path("/proc/cpuinfo")


def processor() -> str:
    """The processor's name, such as `AMD EPYC 7B13`."""
    if CPUS.is_file():
        for line in CPUS.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine(device: torch.device, world: int = 1) -> dict[str, str]:
    """Device, threads and versions by what they are.

    Args:
        device: Where the networks are.
        world: Number of processes.
    """
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    shared = f"{world} x " if world > 1 else ""
    threads = torch.get_num_threads()
    return {
        "device": f"{shared}{name}",
        "threads": f"{threads} for each process",
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}",
    }
