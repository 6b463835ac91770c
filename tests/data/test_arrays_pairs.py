"""Pairs in an .npz: read by the headers as other arrays are, and what is left out is said."""

from __future__ import annotations

import numpy as np
import pytest
from made_pictures import picture

from zerosum.errors import UserError
from zerosum.modalities.images import Pairs

PICTURES = np.stack([np.asarray(picture(n)) for n in range(6)])


def test_other_arrays_of_pairs_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", a=PICTURES, b=PICTURES[::-1], labels=np.arange(6))
    split = Pairs(path=str(tmp_path / "a.npz"), holdout=0).open()
    assert "arrays left out: labels (6,)" in split.train.notes
    batch = split.train.fetch([0, 5])
    assert np.array_equal(batch["image"], PICTURES[[5, 0]].transpose(0, 3, 1, 2))


def test_pickled_and_huge_pairs_are_refused(tmp_path):
    odd = np.empty(2, object)
    np.savez(tmp_path / "a.npz", a=PICTURES, b=odd)
    with pytest.raises(UserError, match=r"its array b is of dtype object, a pickle"):
        Pairs(path=str(tmp_path / "a.npz")).open()
    np.savez_compressed(tmp_path / "b.npz", a=PICTURES, b=PICTURES)
    with pytest.raises(UserError, match=r"b.npz is compressed and takes .*data.memory=1e-07"):
        Pairs(path=str(tmp_path / "b.npz"), memory=1e-7).open()
