"""One folder, one training at a time."""

from __future__ import annotations

import pytest

from zerosum.core.lock import locked
from zerosum.core.registry import recipe
from zerosum.core.trainer import Trainer
from zerosum.errors import UserError


def test_a_second_training_in_the_same_folder_is_refused(tmp_path):
    folder = tmp_path / "run"
    with locked(folder), pytest.raises(UserError, match="another process is training in"):
        Trainer(recipe("gan/tiny"), folder, quiet=True).fit()
    Trainer(recipe("gan/tiny"), folder, quiet=True).fit()
    assert (folder / "samples.png").exists()
