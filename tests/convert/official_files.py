"""Files in the layouts of the official repositories, written for tests.

Their pickles name classes of modules that nobody has installed. Here stand-ins of those modules
exist while a file is written, and are gone when it is read.
"""

from __future__ import annotations

import json
import pickle
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import nn

FIXTURES = Path(__file__).parents[1] / "data" / "official"


def fixture(name):
    """The facts, parameters and buffers of a fixture, and all its arrays."""
    arrays = np.load(FIXTURES / f"{name}.npz")
    meta = json.loads(str(arrays["meta"]))
    parts = [
        {key[2:]: arrays[key] for key in arrays.files if key.startswith(head)}
        for head in ("p/", "b/")
    ]
    return meta, *parts, arrays


@contextmanager
def named(**members):
    """Modules by dotted name (`__` for a dot) with members, importable within the block."""
    made = {}
    for title, values in members.items():
        words = title.replace("__", ".").split(".")
        for length in range(1, len(words) + 1):
            path = ".".join(words[:length])
            made.setdefault(path, ModuleType(path))
        for name, value in values.items():
            value.__module__, value.__qualname__ = ".".join(words), name
            setattr(made[".".join(words)], name, value)
    before = {path: sys.modules.get(path) for path in made}
    sys.modules.update(made)
    try:
        yield
    finally:
        for path, value in before.items():
            if value is None:
                del sys.modules[path]
            else:
                sys.modules[path] = value


class EasyDict(dict):
    """The official code's dictionary with attributes."""


def _reconstruct_persistent_obj(meta):
    raise AssertionError("a reader called what the pickle names")


class Node(nn.Module):
    """A module of a persistent class: it pickles as the official ones do, source and all."""

    source = "raise SystemExit('the source in the file was run')"
    kind = "Node"

    def __reduce__(self):
        meta = {
            "type": "class",
            "version": 6,
            "module_src": self.source,
            "class_name": self.kind,
            "state": self.__dict__,
        }
        return _reconstruct_persistent_obj, (meta,), None


class Plain(nn.Module):
    """A module that pickles as Python has it, as R3GAN's do."""


def tree(parameters, buffers, node=Node, kind="Generator", kwargs=None, **attributes):
    """A module with parameters and buffers at dotted names."""
    root = node()
    for group, values in (("parameter", parameters), ("buffer", buffers)):
        for path, value in values.items():
            *above, name = path.split(".")
            here = root
            for word in above:
                if word not in here._modules:
                    here.add_module(word, node())
                here = here._modules[word]
            tensor = torch.from_numpy(np.array(value))
            if group == "buffer":
                here.register_buffer(name, tensor)
            else:
                here.register_parameter(name, nn.Parameter(tensor))
    root.kind = kind
    if kwargs is not None:
        root._init_args, root._init_kwargs = (), kwargs
    for name, value in attributes.items():
        setattr(root, name, value)
    return root


def write_persistent(path, networks, protocol=pickle.DEFAULT_PROTOCOL):
    """A snapshot as StyleGAN2-ADA, 3 and XL write it: networks by G, D, G_ema, and settings."""
    with (
        named(
            torch_utils__persistence={"_reconstruct_persistent_obj": _reconstruct_persistent_obj},
            dnnlib__util={"EasyDict": EasyDict},
        ),
        open(path, "wb") as stream,
    ):
        settings = EasyDict(class_name="training.dataset.ImageFolderDataset", use_labels=False)
        pickle.dump({**networks, "training_set_kwargs": settings}, stream, protocol)


def write_plain(path, networks, protocol=pickle.DEFAULT_PROTOCOL):
    """A snapshot as R3GAN writes it: modules of its packages, without persistence."""
    with named(training__networks_baseline={"Plain": Plain}), open(path, "wb") as stream:
        pickle.dump(networks, stream, protocol)
