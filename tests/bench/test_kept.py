"""A bench that was stopped goes on with its runs, and not with those of another preset."""

import pytest

import zerosum
from zerosum.bench.kept import demand_same
from zerosum.errors import UserError
from zerosum.training.trainer import Trainer


def test_a_kept_run_is_taken_while_its_preset_is_the_same(tmp_path):
    asked = zerosum.recipe("gan/tiny").override({"train.examples": 64, "evaluate.samples": 0})
    Trainer(asked, tmp_path, device="cpu", quiet=True).fit()
    demand_same(asked, tmp_path)
    changed = asked.override({"optim.generator.lr": 1e-2})
    with pytest.raises(UserError, match=r"holds another run: optim\.generator\.lr was .* is now"):
        demand_same(changed, tmp_path)
