"""DiffAugment: what each change does, that gradients pass, and that it composes with penalties."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.augment.diffaugment import DiffAugment, color, cutout, translation
from zerosum.errors import UserError
from zerosum.losses import OBJECTIVES, bcr, r1


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=64, channels=3, height=16, width=24):
    return (
        torch.rand(count, channels, height, width, generator=rng(9), dtype=torch.float64) * 2 - 1
    )


def test_translation_moves_whole_pixels_within_an_eighth():
    x = images()
    moved = translation(x, rng())
    seen = set()
    for before, after in zip(x, moved):
        found = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-3, 4)
            if torch.equal(shifted(before, down, right), after)
        ]
        assert len(found) == 1
        seen.add(found[0])
    assert {d for d, _ in seen} == set(range(-2, 3)) and {r for _, r in seen} == set(range(-3, 4))


def shifted(image, down, right):
    empty = torch.zeros_like(image)
    height, width = image.shape[1:]
    empty[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = image[
        :, max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)
    ]
    return empty


def test_cutout_blanks_one_rectangle_of_half_the_sides():
    x = torch.ones(200, 1, 16, 24)
    holes = cutout(x, rng())[:, 0] == 0
    for hole in holes:
        rows, columns = hole.any(1), hole.any(0)
        assert hole.sum() == rows.sum() * columns.sum()  # a rectangle
        assert rows.sum() <= 8 and columns.sum() <= 12
    assert (holes.sum((1, 2)) == 96).any()  # some lie wholly inside
    assert holes.any(0).all()  # and every pixel is hit now and then


def test_color_keeps_places_and_changes_each_image_alone():
    x = images()
    changed = color(x, rng())
    one = color(x.roll(1, 0), rng())
    assert not torch.allclose(changed, one.roll(-1, 0))
    # An affine map per image, but for saturation: grey images stay grey.
    grey = x.mean(1, keepdim=True).expand_as(x)
    after = color(grey, rng())
    torch.testing.assert_close(after[:, 0], after[:, 2])
    slope = (after[:, 0] - after[:, 0].mean((1, 2), keepdim=True)) / (
        grey[:, 0] - grey[:, 0].mean((1, 2), keepdim=True)
    )
    torch.testing.assert_close(slope, slope[:, :1, :1].expand_as(slope))
    assert (slope > 0.5 - 1e-9).all() and (slope < 1.5).all()


@pytest.mark.parametrize("policy", ["color", "translation", "cutout"])
def test_gradients_pass_through(policy):
    x = images(3, 2, 8, 8).requires_grad_()

    def change(pixels):
        return DiffAugment((policy,))(pixels, rng())

    torch.autograd.gradcheck(change, x)


def test_the_same_source_gives_the_same_changes_and_another_one_others():
    x, change = images(), DiffAugment()
    assert torch.equal(change(x, rng(1)), change(x, rng(1)))
    assert not torch.equal(change(x, rng(1)), change(x, rng(2)))
    assert change(x.float()).dtype == torch.float32 and change(x).shape == x.shape


def test_no_policy_changes_nothing():
    assert torch.equal(DiffAugment(())(images()), images())


def test_unknown_changes_are_named():
    with pytest.raises(UserError, match="'colour': did you mean color"):
        DiffAugment(("colour",))


def test_it_composes_with_r1_and_consistency():
    """R1 of the augmented critic, and bCR, reach the critic's weights by double backward."""
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softplus(), nn.Flatten(), nn.Linear(1232, 1))
    change, real, fake = DiffAugment(("color", "translation")), images().float(), images().float()

    def judge(x):
        return critic(change(x, rng(3)))[:, 0]

    def logits(x):
        return critic(x)[:, 0]

    loss = OBJECTIVES["nonsaturating"].critic(judge(real), judge(fake)) + r1(judge, real)
    loss = loss + sum(bcr(logits, change, real, fake))
    loss.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in critic.parameters())
