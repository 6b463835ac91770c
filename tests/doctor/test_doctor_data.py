"""What is wrong with data is found before a step is made."""

from __future__ import annotations

import pytest
import torch

from zerosum.data.fields import Category, Numbers
from zerosum.data.source import TensorSource
from zerosum.doctor.data import faults
from zerosum.modalities import modality
from zerosum.modalities.images import ImageField

RNG = torch.Generator().manual_seed(0)


def pictures(count: int = 400) -> torch.Tensor:
    return torch.randint(0, 256, (count, 1, 8, 8), generator=RNG, dtype=torch.uint8)


def found_in(names: tuple[str, ...] = (), **tensors: torch.Tensor) -> list:
    kind = "images" if "image" in tensors else "points"
    fields = {
        "image": ImageField(shape=(1, 8, 8)),
        "point": Numbers(shape=(2,)),
        "label": Category(count=len(names), names=names),
    }
    used = {name: fields[name] for name in tensors}
    return faults(TensorSource(tensors, used, name="made"), modality.find(kind))


def labels(*counts: int) -> torch.Tensor:
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


def test_sound_data_are_left_in_peace():
    even = labels(*[40] * 10)
    assert found_in(tuple("abcdefghij"), image=pictures(), label=even) == []
    ring = torch.randn(500, 2, generator=RNG) * 0.01 + torch.randint(0, 2, (500, 1)) * 2
    assert found_in(point=ring) == []


@pytest.mark.parametrize("top", [1, 40])
def test_pictures_in_too_narrow_a_range_are_named(top):
    (event,) = found_in(image=pictures() % (top + 1))
    assert event.signal == "span" and event.value == pytest.approx(top / 127.5, rel=1e-3)
    assert "0 to 255" in event.remedy and event.failure == "data problem"


def test_one_class_that_drowns_the_others_is_named_by_its_name():
    names = ("cat", "dog", "owl")
    assert found_in(names, image=pictures(), label=labels(250, 100, 50)) == []
    (event,) = found_in(names, image=pictures(), label=labels(20, 360, 20))
    assert event.value == pytest.approx(0.9) and "'dog' has 90%" in event.evidence


def test_repeats_are_counted():
    unlike = pictures(300)
    assert found_in(image=torch.cat([unlike, unlike[:10]])) == []
    (event,) = found_in(image=torch.cat([unlike, unlike]))
    assert event.signal == "twins" and event.value == 1
    points = torch.randn(100, 2, generator=RNG)
    (event,) = found_in(point=torch.cat([points, points]))
    assert event.signal == "twins"
