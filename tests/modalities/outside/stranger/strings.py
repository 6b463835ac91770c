"""stranger: a kind of data of your own (here lines of 0 and 1), and a game that learns it."""

from __future__ import annotations

from typing import Literal

import torch
from PIL import Image
from torch import nn

from zerosum.core.game import LatentGame, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Recipe, Train
from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig
from zerosum.data.fields import Field
from zerosum.data.parts import keep_aside
from zerosum.data.places import locate
from zerosum.data.source import Split, TensorSource
from zerosum.data.spec import GameConfig
from zerosum.errors import UserError
from zerosum.files import write_text
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import r1, r2
from zerosum.modalities.modality import Inspection, Modality
from zerosum.nets.mlp import mlp

MADE = [f"{number % 16:04b}" * 2 for number in range(512)]  # halves that repeat each other


class StrangerField(Field):  # what one tensor of an example is
    kind: Literal["bits"] = "bits"

    def finish(self, raw):
        return raw.float() * 2 - 1  # 0 and 1 as stored, -1 and 1 for networks


class StrangerCodec(Codec):  # users' objects <-> tensors; saved with every run and export
    suffixes = (".txt",)

    def __init__(self, length):
        self.length, self.fields = length, {"bits": StrangerField(shape=(length,))}

    def encode(self, objects):
        wrong = [text for text in objects if len(text) != self.length or set(text) - {*"01"}]
        if wrong:
            raise UserError(f"'{wrong[0]}' is no string of {self.length} times 0 or 1")
        return {"bits": torch.tensor([[*map(int, text)] for text in objects], dtype=torch.uint8)}

    def decode(self, batch):
        return ["".join("01"[bit > 0] for bit in row) for row in batch["bits"].tolist()]

    def write(self, batch, path):
        self.check(path)
        write_text(path, "\n".join(self.decode(batch)) + "\n")
        return len(batch["bits"])

    def state(self):
        return {"length": self.length}, {}

    @classmethod
    def from_state(cls, facts, tensors):
        return cls(facts["length"])


class StrangerData(DataConfig):  # what a user can say about the data
    modality, codec = "stranger", StrangerCodec
    kind: Literal["stranger"] = "stranger"
    path: str = "made"

    def open(self, codec=None, on_progress=None):
        lines = MADE if self.path == "made" else locate(self.path).read_text().split()
        codec = codec or StrangerCodec(len(lines[0]))
        bits, (train, held, note) = codec.encode(lines)["bits"], keep_aside(len(lines), 0.1)
        parts = (({"bits": bits[rows]}, codec.fields) for rows in (train, held))
        return Split(*(TensorSource(*part, name=self.path) for part in parts), note, codec)


class StrangerKind(Modality):  # how people and judges see such data
    name, noun, default, raw = "stranger", "strings", "stranger/made", "bits"
    configs = (StrangerData,)

    def reads(self, path):
        return "strings of 0 and 1" if path.endswith(".bits") else ""

    def inspect(self, path, *, limit=None, on_progress=None):
        split = StrangerData(path=path).open()
        rows = {"strings": str(len(split.train)), "length": str(split.codec.length)}
        return Inspection(path, rows, (), (), f"zerosum train stranger --data {path}", rows)

    def on_a_sheet(self, fields):
        return 64, 0

    def sheet(self, samples, codec, *, real, columns, title):
        pixels = Image.fromarray((samples["bits"] > 0).numpy())
        return pixels.convert("L").resize((pixels.width * 8, pixels.height * 8))

    def rows(self, batch):
        return batch["bits"].float().cpu()


MODALITY = StrangerKind()


class Stranger(LatentGame):  # a game about it, as `zerosum new` without --modality explains
    class Config(GameConfig):
        length: int = 0

        def matched(self, spec):
            return self.model_copy(update={"length": spec.shape("bits")[0]})

    def __init__(self, config):
        super().__init__(config)
        self.generator = mlp([16, 64, config.length], final=nn.Tanh())
        self.critic = mlp([config.length, 64, 1], final=nn.Flatten(0))

    def players(self):
        return {"critic": [self.critic], "generator": [self.generator]}

    def critics(self):
        return {"critic": lambda batch: self.critic(batch["bits"])}

    def turns(self):
        return [Turn("critic", self.critic_loss), Turn("generator", self.generator_loss)]

    def latent(self, n, rng=None):
        return self.normal(n, 16, rng=rng)

    def decode(self, z, condition):
        return {"bits": self.generator(z)}

    def critic_loss(self, batch):
        real, fake = batch["bits"], self.answered(batch)["bits"].detach()
        loss = OBJECTIVES["rpgan"].critic(self.critic(real), self.critic(fake))
        return {"game": loss, "r1": r1(self.critic, real) / 2, "r2": r2(self.critic, fake) / 2}

    def generator_loss(self, batch):
        fake, real = self.critic(self.answered(batch)["bits"]), self.critic(batch["bits"])
        return {"game": OBJECTIVES["rpgan"].generator(fake, real)}


BOTH = dict.fromkeys(("critic", "generator"), Optim(lr=1e-3))
PRESETS = {
    name: Recipe(model=Stranger.Config(), data=StrangerData(), optim=BOTH, train=Train(examples=n))
    for name, n in (("made", 100_000), ("tiny", 640))
}
