"""One folder, one training at a time."""

from __future__ import annotations

import pytest

from zerosum.core.registry import recipe
from zerosum.core.run import RunFolder
from zerosum.core.trainer import Trainer
from zerosum.errors import UserError


def test_a_second_training_in_the_same_folder_is_refused(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.locked(), pytest.raises(UserError, match="another process is training in"):
        Trainer(recipe("gan/tiny"), folder.path, quiet=True).fit()
    Trainer(recipe("gan/tiny"), folder.path, quiet=True).fit()
    assert (folder.path / "samples.png").exists()
