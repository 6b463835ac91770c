"""Fail when the environment holds a package that has no place in it.

torchvision and torchaudio do not load beside a CPU build of torch, and asking for them swaps
torch for a CUDA build of several GB. A dependency that brings one of them in should be noticed
on the day it does.
"""

import sys
from importlib.metadata import distributions

import torch

BANNED = {"torchvision", "torchaudio", "torchcodec"}
PURE_PYTHON = {"nvidia-ml-py"}

names = {(d.metadata["Name"] or "").lower() for d in distributions()}
found = names & BANNED
if torch.version.cuda is None:
    found |= {n for n in names if n.startswith(("nvidia-", "cuda-"))} - PURE_PYTHON
if found:
    sys.exit(f"the environment holds packages that it must not: {', '.join(sorted(found))}")
print("environment: no torchvision, no torchaudio, no CUDA package")
