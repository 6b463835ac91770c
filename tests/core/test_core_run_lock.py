"""One folder, one training at a time."""

from __future__ import annotations

import pytest

from zerosum.core.registry import recipe
from zerosum.errors import UserError
from zerosum.training.lock import locked
from zerosum.training.trainer import Trainer


def test_a_second_training_in_the_same_folder_is_refused(tmp_path):
    folder = tmp_path / "run"
    with locked(folder), pytest.raises(UserError, match="another process is training in"):
        Trainer(recipe("gan/tiny"), folder, quiet=True).fit()
    Trainer(recipe("gan/tiny"), folder, quiet=True).fit()
    assert (folder / "samples.png").exists()
