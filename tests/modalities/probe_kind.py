"""A kind of data for probe games: made tensors of several fields, and no more than that."""

from __future__ import annotations

import json
import sys
from typing import ClassVar, Literal

import torch
from PIL import Image

from zerosum.data import registry
from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig
from zerosum.data.fields import Category, Field, Numbers
from zerosum.data.source import MutableSource, Split, TensorSource
from zerosum.files import write_text
from zerosum.modalities.modality import Inspection, Modality

COUNT = 160
RNG = torch.Generator().manual_seed(0)


class Tokens(Field):
    """Whole numbers of a vocabulary; bytes as stored, which must never become [-1, 1]."""

    kind: Literal["tokens"] = "tokens"
    count: int

    def finish(self, raw):
        return torch.nn.functional.one_hot(raw.long(), self.count).float()


def normal(*shape):
    return torch.randn(*shape, generator=RNG)


def whole(top, *shape):
    return torch.randint(top, shape, generator=RNG)


BELOW = whole(2, COUNT, 4, 4).triu(1)
SETS = {
    "translator": {
        "input": (normal(COUNT, 3), Numbers(shape=(3,))),
        "answer": (normal(COUNT, 2), Numbers(shape=(2,))),
    },
    "graph": {
        "nodes": (normal(COUNT, 4, 3), Numbers(shape=(4, 3))),
        "edges": ((BELOW + BELOW.mT).float(), Numbers(shape=(4, 4))),
    },
    "tokens": {
        "text": (whole(5, COUNT, 6).byte(), Tokens(shape=(6, 5), count=5)),
        "label": (whole(3, COUNT), Category(count=3, names=("a", "b", "c"))),
    },
    "wave": {
        "mel": (normal(COUNT, 4, 8), Numbers(shape=(4, 8))),
        "wave": (normal(COUNT, 32), Numbers(shape=(32,))),
    },
}


class Elite(MutableSource):
    """Lets its worst examples be replaced by better samples."""

    def __init__(self, tensors, fields):
        self.tensors = {name: tensor.clone() for name, tensor in tensors.items()}
        self.fields, self.name = fields, "elite"
        self.scores = torch.zeros(len(self))

    def __len__(self):
        return len(next(iter(self.tensors.values())))

    def fetch(self, indices, visits=None):
        return {name: tensor[list(indices)] for name, tensor in self.tensors.items()}

    def admit(self, batch, scores):
        better = scores > self.scores.min()
        for number in better.nonzero().flatten().tolist():
            place = int(self.scores.argmin())
            self.scores[place] = scores[number]
            for name, tensor in self.tensors.items():
                tensor[place] = batch[name][number]
        return int(better.sum())

    def state(self):
        return {**self.tensors, "scores": self.scores}

    def load_state(self, state):
        self.scores = state["scores"].clone()
        self.tensors = {name: state[name].clone() for name in self.tensors}


class ProbeCodec(Codec):
    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    def __init__(self, name):
        self.name = name
        self.fields = {key: field for key, (_, field) in SETS[name].items()}

    def encode(self, objects):
        return {key: torch.tensor([one[key] for one in objects]) for key in objects[0]}

    def decode(self, batch):
        count = len(next(iter(batch.values())))
        return [{key: value[i].tolist() for key, value in batch.items()} for i in range(count)]

    def write(self, batch, path):
        self.check(path)
        write_text(path, json.dumps(self.decode(batch)))
        return len(self.decode(batch))

    def state(self):
        return {"name": self.name}, {}

    @classmethod
    def from_state(cls, facts, tensors):
        return cls(facts["name"])


class Probe(DataConfig):
    modality: ClassVar[str] = "probe"
    codec: ClassVar[type[Codec]] = ProbeCodec

    kind: Literal["probe"] = "probe"
    name: str = "translator"
    elite: bool = False

    def open(self, codec=None, on_progress=None):
        codec = codec or ProbeCodec(self.name)
        tensors = {key: tensor for key, (tensor, _) in SETS[self.name].items()}
        train, held = (
            TensorSource({k: t[rows] for k, t in tensors.items()}, codec.fields, name=self.name)
            for rows in (slice(0, 128), slice(128, COUNT))
        )
        if self.elite:
            train = Elite({k: t[:128] for k, t in tensors.items()}, codec.fields)
        return Split(train, held, "the last 32", codec)


class ProbeKind(Modality):
    name = "probe"
    noun = "probes"
    configs = (Probe,)
    default = "probe/tiny"
    raw = "numbers"

    def reads(self, path):
        return ""

    def inspect(self, path, *, limit=None, on_progress=None):
        return Inspection(path, {}, (), (), "")

    def on_a_sheet(self, fields):
        return 12, 0

    def sheet(self, samples, codec, *, real, columns, title):
        rows = self.rows(samples)
        return Image.fromarray((255 * torch.sigmoid(rows)).byte().numpy())

    def rows(self, batch):
        made = [batch[key] for key in batch if key not in ("input", "mel", "label")]
        return torch.cat([value.detach().float().flatten(1).cpu() for value in made], 1)


MODALITY = ProbeKind()
registry.add("probe", sys.modules[__name__])
