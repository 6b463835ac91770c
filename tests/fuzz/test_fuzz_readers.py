"""Damaged files of every kind end in pictures or in one line; a few hundred of them at every run.

`make fuzz` reads a million of them, `atheris_readers.py` is guided by coverage.
"""

from __future__ import annotations

import warnings

import pytest
from fuzz_readers import KINDS, TARGETS, WORDS, Edit, edited
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EDITS = st.lists(
    st.builds(
        Edit,
        st.floats(0, 1, exclude_max=True),
        st.integers(0, KINDS - 1),
        st.sampled_from(WORDS) | st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("name", TARGETS)
def test_sound_files_are_read(name, tmp_path):
    target = TARGETS[name]
    if name != "cifar":  # a batch alone is no set
        assert all(target.run(seed, tmp_path) for seed in target.seeds)


@pytest.mark.parametrize("name", TARGETS)
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damaged_files_end_in_pictures_or_one_line(name, tmp_path, data):
    target = TARGETS[name]
    content = edited(data.draw(st.sampled_from(target.seeds)), data.draw(EDITS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow and numpy warn of damage
        target.run(content, tmp_path)
