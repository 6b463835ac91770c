"""CIE L*a*b*, and pictures of which the lightness alone is given."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor

from zerosum.data.fields import finish
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.metrics.score import Score
from zerosum.modalities.images import MODALITY
from zerosum.modalities.images.fields import Lightness
from zerosum.modalities.images.greyed import Greyed, GreyedCodec, without_learning
from zerosum.modalities.images.lab import greys, joined, lab_to_rgb, parted, rgb_to_lab
from zerosum.modalities.images.paired_scores import colourfulness, paired_colourfulness

# What skimage.color.rgb2lab of scikit-image 0.26.0 gives.
KNOWN = {
    (255, 0, 0): (53.2406, 80.0923, 67.2028),
    (0, 255, 0): (87.7351, -86.183, 83.1797),
    (0, 0, 255): (32.2957, 79.1856, -107.8573),
    (255, 255, 255): (100.0, -0.0025, 0.0047),
    (0, 0, 0): (0.0, 0.0, 0.0),
    (128, 128, 128): (53.585, -0.0015, 0.0028),
    (12, 34, 56): (12.6562, 0.1214, -16.8316),
    (200, 150, 100): (65.7601, 12.7589, 33.5647),
    (250, 240, 20): (92.882, -16.2558, 89.5009),
    (3, 2, 1): (0.5869, 0.1224, 0.4706),
    (90, 10, 160): (26.5299, 57.8671, -61.875),
    (64, 200, 180): (73.3442, -40.9216, -0.6206),
}
UNITS = torch.tensor([50.0, 110.0, 110.0]).view(1, 3, 1, 1)


def pixels(values: object) -> Tensor:
    """Rows (N, 3) as one picture (1, 3, N, 1)."""
    return torch.tensor(values, dtype=torch.float32).T[None, :, :, None]


def rgb(count: int = 500) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return 2 * torch.rand(2, 3, count, 1, generator=rng) - 1


# -- L*a*b* -------------------------------------------------------------------------------------


def test_colours_are_where_scikit_image_has_them():
    """Its white is rounded a little otherwise: up to 0.005 of a and b."""
    ours = rgb_to_lab(pixels(list(KNOWN)) / 127.5 - 1)
    theirs = pixels(list(KNOWN.values()))
    assert float(((ours - theirs) / UNITS).abs().max()) < 1e-4
    back = lab_to_rgb(theirs)
    assert float((back - (pixels(list(KNOWN)) / 127.5 - 1)).abs().max()) < 2e-4


def test_there_and_back_is_the_same_and_greys_have_no_colour():
    pictures = rgb()
    assert torch.allclose(lab_to_rgb(rgb_to_lab(pictures)), pictures, atol=1e-5)
    levels = torch.linspace(-1, 1, 256).expand(1, 3, 1, -1)
    lightness, colours = parted(levels)
    assert float(colours.abs().max()) < 1e-5
    assert torch.allclose(greys(lightness), levels[:, :1], atol=1e-5)
    assert lightness[0, 0, 0, [0, -1]].tolist() == pytest.approx([-1, 1], abs=1e-5)


@pytest.mark.parametrize("level", [-1.3, -0.99, 0.2, 1.1])
def test_gradients_are_those_of_differences_on_both_branches(level: float):
    at = torch.tensor([level, level + 0.05, level - 0.1], dtype=torch.float64).view(1, 3, 1, 1)
    assert torch.autograd.gradcheck(rgb_to_lab, at.requires_grad_())
    lab = rgb_to_lab(at.detach())
    assert torch.autograd.gradcheck(lab_to_rgb, lab.requires_grad_())


def test_what_is_joined_has_the_lightness_whatever_the_colours():
    lightness, colours = parted(rgb())
    assert torch.allclose(joined(lightness, colours), rgb(), atol=1e-5)
    wild = torch.rand(colours.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    made = joined(lightness, wild)
    assert float(made.abs().max()) <= 1
    kept, paled = parted(made)
    assert torch.allclose(kept, lightness, atol=1e-4)
    # Paled, not turned: a and b are the wild ones times one number from 0 to 1.
    assert float((paled[:, 0] * wild[:, 1] - paled[:, 1] * wild[:, 0]).abs().max()) < 1e-3
    share = paled.norm(dim=1) / wild.norm(dim=1)
    assert float(share.max()) <= 1 + 1e-3
    assert float(share.mean()) < 0.8  # most of them no screen shows


def test_a_colour_is_paled_no_more_than_it_must_be():
    """Twice the colour of pure red at its lightness comes back as pure red."""
    red = pixels([(1.0, -1.0, -1.0)])
    lightness, colours = parted(red)
    assert torch.allclose(joined(lightness, 2 * colours), red, atol=0.03)


def test_networks_see_the_stated_scales():
    lightness, colours = parted(pixels([(255, 0, 0)]) / 127.5 - 1)
    assert lightness.item() == pytest.approx(53.2406 / 50 - 1, abs=1e-4)
    assert colours.flatten().tolist() == pytest.approx([80.0923 / 110, 67.2028 / 110], abs=1e-4)


# -- colourfulness ------------------------------------------------------------------------------


def test_the_colourfulness_of_two_halves_is_that_of_the_formula():
    """Red and green halves: rg = +-255, yb = 127.5, so 255 + 0.3 * 127.5."""
    picture = torch.full((1, 3, 4, 4), -1.0)
    picture[:, 0, :2] = picture[:, 1, 2:] = 1
    assert colourfulness(picture).tolist() == pytest.approx([255 + 0.3 * 127.5])
    grey = rgb(9)[:, :1]
    assert colourfulness(grey).tolist() == [0, 0]
    assert colourfulness(grey.expand(-1, 3, -1, -1)).tolist() == pytest.approx([0, 0], abs=1e-4)


def test_the_score_is_the_mean_difference_of_colourfulness():
    halves = torch.full((2, 3, 4, 4), -1.0)
    halves[:, 0, :2] = halves[:, 1, 2:] = 1
    made = halves.clone()
    made[1] = 0  # grey
    found = paired_colourfulness(real=halves, fake=made)
    assert isinstance(found, Score)
    assert found.value == pytest.approx((255 + 0.3 * 127.5) / 2)


# -- data ---------------------------------------------------------------------------------------


def folder(place: Path, count: int = 12, mode: str = "RGB") -> Path:
    place.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        picture = Image.fromarray(rng.integers(0, 256, (16, 24, 3), dtype=np.uint8))
        picture.convert(mode).save(place / f"{number:02d}.png")
    return place


def test_an_input_is_the_lightness_of_its_picture(tmp_path: Path):
    split = Greyed(path=str(folder(tmp_path / "set")), size=(8, 12), flip=True).open()
    assert split.heldout is not None
    assert (len(split.train), len(split.heldout)) == (11, 1)
    assert split.train.fields["input"] == Lightness(shape=(1, 8, 12))
    fetched = split.train.fetch(range(11), Visits(0, np.arange(11)))
    batch = finish(fetched, split.train.fields)
    assert batch["image"].shape == (11, 3, 8, 12)
    assert torch.allclose(batch["input"], parted(batch["image"])[0], atol=1e-6)
    still = split.train.finished(range(11))
    turned = [not torch.equal(one, other) for one, other in zip(batch["image"], still["image"])]
    assert 0 < sum(turned) < 11  # some of them are mirrored, the lightness with them


def test_the_squares_need_nothing_and_the_second_photograph_is_held_out():
    split = Greyed(path="samples-squares").open()
    assert split.heldout is not None
    parts = (split.train, split.heldout)
    assert [len(part) for part in parts] == [223, 251]
    for part, photo in zip(parts, load_sample_images().images):
        squares = [
            photo[top : top + 32, left : left + 32]
            for top in range(0, 427 - 31, 32)
            for left in range(0, 640, 32)
        ]
        wanted = np.stack([one for one in squares if one.std() >= 8]).transpose(0, 3, 1, 2)
        assert np.array_equal(part.fetch(range(len(part)))["image"].numpy(), wanted)
        batch = part.finished(range(len(part)))
        assert MODALITY.faults(batch, part.fields) == []  # the sky repeats itself


def test_pictures_without_colours_teach_none(tmp_path: Path):
    with pytest.raises(UserError, match="all pictures are grey, and colours are learned from"):
        Greyed(path=str(folder(tmp_path / "set", mode="L")), size=(8, 8)).open()
    with pytest.raises(UserError, match=r"data.channels=1: colours are learned as RGB"):
        Greyed(path="samples-squares", channels=1).open()


def test_users_pictures_become_a_lightness_and_come_back():
    split = Greyed(path="samples-squares", size=(16, 16)).open()
    codec = split.codec
    assert isinstance(codec, GreyedCodec)
    batch = split.train.finished(range(6))
    pairs = codec.decode(batch)
    assert [(one.mode, other.mode) for one, other in pairs] == [("L", "RGB")] * 6
    again = codec.encode(pairs)
    assert torch.equal(again["image"], split.train.fetch(range(6))["image"])
    # A byte of dark grey is 0.3 of lightness, and rounding is half of one.
    assert float((again["input"] - batch["input"]).abs().max()) < 0.5 / 50
    alone = codec.encode([other for _, other in pairs])
    assert list(alone) == ["input"]
    assert torch.allclose(alone["input"], batch["input"], atol=1e-6)
    assert GreyedCodec.from_state(*codec.state()).hash == codec.hash


def test_what_needs_no_learning_is_grey_and_the_mean_colour():
    split = Greyed(path="samples-squares").open()
    assert split.heldout is not None
    truth = split.heldout.finished(range(8))
    made = MODALITY.baselines(split.train, split.codec, 100, 0, {"input": truth["input"]})
    assert list(made) == ["grey", "mean colour"]
    assert colourfulness(made["grey"]["image"]).tolist() == pytest.approx([0] * 8, abs=1e-3)
    for answers in made.values():
        assert torch.allclose(parted(answers["image"])[0], truth["input"], atol=1e-4)
    # Middle greys can be shown in any mild colour, and then have exactly the mean one.
    train = split.train.finished(range(100))["image"]
    middle = torch.zeros(1, 1, 2, 2)
    answer = parted(without_learning(train, middle)["mean colour"])[1]
    wanted = parted(train)[1].mean((0, 2, 3))
    assert torch.allclose(answer[0, :, 0, 0], wanted, atol=1e-4)
