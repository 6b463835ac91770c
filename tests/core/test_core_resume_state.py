"""Resume of what is no parameter: extra state of a game, and the position in a stream."""

from __future__ import annotations

import io
import tarfile
from importlib.resources import files

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.core.registry import recipe
from zerosum.training.run import read_run
from zerosum.training.trainer import Trainer

STATE = """
    def get_extra_state(self):
        return {"moves": self.moves, "pool": self.pool}

    def set_extra_state(self, state):
        self.moves, self.pool = state["moves"], state["pool"]

    # Who plays,"""


@pytest.fixture
def module(tmp_path):
    """A model whose losses depend on state that is no parameter."""
    text = files("zerosum.cli").joinpath("new_model.tmpl").read_text()
    text = text.replace("NAME", "remembering").replace("Title", "Remembering")
    text = text.replace("    # Who plays,", STATE, 1)
    text = text.replace(
        "        pixels = math.prod(self.shape)\n",
        "        pixels = math.prod(self.shape)\n"
        "        self.moves, self.pool = 0, torch.zeros(self.shape)\n",
    )
    text = text.replace(
        "        real_logits, fake_logits =",
        "        self.moves += 1\n"
        "        self.pool = 0.9 * self.pool + 0.1 * fake[0]\n"
        "        fake = torch.cat([fake[1:], self.pool[None]])\n"
        "        real_logits, fake_logits =",
        1,
    )
    path = tmp_path / "remembering.py"
    path.write_text(text)
    return str(path)


def halves_equal_the_whole(chosen, tmp_path, module=None):
    """Train in one piece and in two; give both games."""
    steps = chosen.train.examples
    half = chosen.override({"train.examples": steps // 2})
    for name, parts in (("whole", [chosen]), ("halves", [half, chosen])):
        for part in parts:
            Trainer(part, tmp_path / name, quiet=True, module=module).fit()
    first, second = (read_run(tmp_path / name, module).snapshot for name in ("whole", "halves"))
    for kind in ("game", "ema"):
        for key, tensor in vars(first)[kind].items():
            assert torch.equal(tensor, vars(second)[kind][key]), key
    return first, second


def test_extra_state_of_a_game_goes_on(module, tmp_path):
    chosen = recipe("remembering/tiny", module)
    first, second = halves_equal_the_whole(chosen, tmp_path, module)
    assert first.training["extra"][0]["_extra_state"]["moves"] == chosen.train.examples // 16
    pools = [one.training["extra"][0]["_extra_state"]["pool"] for one in (first, second)]
    assert torch.equal(*pools) and pools[0].abs().sum() > 0


def test_a_run_on_shards_goes_on_where_it_stopped(tmp_path):
    (tmp_path / "shards").mkdir()
    rng = np.random.default_rng(0)
    for shard in range(3):
        with tarfile.open(tmp_path / "shards" / f"{shard:03}.tar", "w") as archive:
            for number in range(40):
                data = io.BytesIO()
                pixels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(data, "png")
                entry = tarfile.TarInfo(f"{shard}{number:04}.png")
                entry.size = data.tell()
                data.seek(0)
                archive.addfile(entry, data)
    chosen = recipe("rpgan/tiny").override(
        {"data.path": f"wds:{tmp_path}/shards/{{000..002}}.tar", "train.examples": 320}
    )
    first, _ = halves_equal_the_whole(chosen, tmp_path)
    assert first.state["position"] == 20
