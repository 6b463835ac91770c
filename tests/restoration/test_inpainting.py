"""Holes, what fills them without a network, LaMa's layers and losses, and `zerosum inpaint`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor, nn
from typer.testing import CliRunner

from zerosum.cli.main import app
from zerosum.core.registry import build_game, recipe
from zerosum.core.runtime import Runtime
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images.masked import Masked
from zerosum.modalities.images.masks import MASKS, MOST, biharmonic, drawn, filled_with_mean
from zerosum.nets.ffc import FFC, FFCResNet, SpectralTransform
from zerosum.pipelines import export
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.restore.inpaint import Inpainter, feathered
from zerosum.training.prepare import prepare

# -- holes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MASKS)
def test_holes_are_decided_by_their_number_and_are_neither_none_nor_all(name: str):
    masks = [drawn(name, (32, 48), word) for word in range(200)]  # pyright: ignore[reportArgumentType]
    assert all(0 < mask.mean() <= MOST for mask in masks)
    again = [drawn(name, (32, 48), word) for word in range(200)]  # pyright: ignore[reportArgumentType]
    assert all(np.array_equal(a, b) for a, b in zip(masks, again))
    assert len({mask.tobytes() for mask in masks}) > 190


def test_wide_holes_are_wider_than_strokes():
    share = {
        name: np.mean([drawn(name, (64, 64), word).mean() for word in range(200)])  # pyright: ignore[reportArgumentType]
        for name in MASKS
    }
    assert 0.03 < share["strokes"] < 0.12 and 0.15 < share["wide"] < 0.4
    assert 0.1 < share["boxes"] < 0.4


def test_an_input_is_the_picture_without_its_hole():
    split = Masked(path="digits", masks="boxes").open()
    batch = split.train.fetch(range(20), Visits(0, np.arange(20)))
    hole = batch["mask"] > 0
    assert set(batch["mask"].unique().tolist()) == {0, 255}
    assert torch.equal(batch["input"][~hole], batch["image"][~hole])
    assert (batch["input"][hole] == 128).all()
    other = split.train.fetch(range(20), Visits(0, np.arange(20, 40)))
    assert torch.equal(other["image"], batch["image"])
    assert not torch.equal(other["mask"], batch["mask"])
    assert split.heldout is not None  # holes of held-out pictures stay
    first, second = (split.heldout.fetch(range(9))["mask"] for _ in range(2))
    assert torch.equal(first, second)


def masks(place: Path, **levels: np.ndarray) -> Path:
    place.mkdir(exist_ok=True)
    for name, values in levels.items():
        Image.fromarray(values.astype(np.uint8)).save(place / f"{name}.png")
    return place


def test_masks_come_from_a_folder(tmp_path: Path):
    hole = np.zeros((8, 8))
    hole[2:4] = 255
    place = masks(tmp_path / "masks", a=hole, b=hole.T)
    batch = Masked(path="digits", masks=str(place)).open().train.some(40)
    wanted = {(hole > 0).tobytes(), (hole.T > 0).tobytes()}
    assert {(one[0] > 0).numpy().tobytes() for one in batch["mask"]} == wanted


def test_masks_that_mask_nothing_are_named(tmp_path: Path):
    place = masks(tmp_path / "masks", a=np.zeros((8, 8)))
    with pytest.raises(UserError, match=r"a.png has no hole: masks are light where the hole is"):
        Masked(path="digits", masks=str(place)).open()
    place = masks(tmp_path / "masks", a=np.full((8, 8), 255))
    with pytest.raises(UserError, match=r"a.png has nothing but hole"):
        Masked(path="digits", masks=str(place)).open()
    with pytest.raises(UserError, match=r"data.masks: .*did you mean wide"):
        Masked(path="digits", masks="wid").open()


# -- baselines ----------------------------------------------------------------------------------


def test_the_biharmonic_filling_continues_what_bends_like_a_plate():
    y, x = np.mgrid[:20, :24].astype(float)
    mask = np.zeros((20, 24), dtype=bool)
    mask[6:13, 8:15] = True
    mask[4, 18] = True
    # Of each of these the Laplacian of the Laplacian is 0.
    surfaces = np.stack([x - 2 * y + 3, x * y, x**2 - y**2, x**3 - 3 * x * y**2, x**2 + y**2])
    filled = biharmonic(np.where(mask, 0, surfaces), mask)
    assert np.allclose(filled, surfaces, atol=1e-6 * np.abs(surfaces).max())


def test_the_mean_filling_has_the_mean_of_the_rest():
    picture = np.array([[[1.0, 3.0, 100.0]]])
    assert filled_with_mean(picture, np.array([[False, False, True]])).tolist() == [[[1, 3, 2]]]


# -- Fourier convolution ------------------------------------------------------------------------


class Product(nn.Module):
    """Multiplies the spectrum, real and imaginary maps one after the other, by a transfer."""

    def __init__(self, transfer: Tensor) -> None:
        super().__init__()
        self.transfer = transfer

    def forward(self, parts: Tensor) -> Tensor:
        real, imaginary = parts.chunk(2, dim=1)
        made = torch.complex(real, imaginary) * self.transfer
        return torch.cat([made.real, made.imag], dim=1)


@pytest.mark.parametrize("size", [(8, 8), (6, 9)])
def test_a_product_in_the_spectrum_is_a_convolution_of_the_whole_picture(size: tuple[int, int]):
    """The convolution theorem, on the layer's own path there and back."""
    torch.manual_seed(0)
    layer, maps = SpectralTransform(4, 4), torch.randn(2, 2, *size)
    kernel = torch.randn(size)
    layer.spectrum = nn.Sequential(Product(torch.fft.rfft2(kernel)))
    wanted = torch.zeros_like(maps)
    for row in range(size[0]):
        for column in range(size[1]):
            wanted += kernel[row, column] * maps.roll((row, column), (2, 3))
    assert torch.allclose(layer._across(maps), wanted, atol=1e-4)


def test_global_maps_see_the_whole_picture_and_local_ones_their_neighbours():
    torch.manual_seed(0)
    layer = FFC(8, 6).eval()
    near = torch.rand(1, 2, 16, 16, requires_grad=True)
    wide = torch.rand(1, 6, 16, 16, requires_grad=True)
    for name, local in (("near_norm", True), ("wide_norm", False)):
        # before the ReLU, which may hide a place
        held: list[Tensor] = []
        hook = getattr(layer, name).register_forward_hook(
            lambda *said, held=held: held.append(said[2])
        )
        layer((near, wide))
        hook.remove()
        (slope,) = torch.autograd.grad(held[0][0, :, 8, 8].sum(), wide)
        seen = slope.abs().sum((0, 1)) > 0
        if local:
            assert seen.nonzero().tolist() == [[y, x] for y in (7, 8, 9) for x in (7, 8, 9)]
        else:  # all places that the first ReLU lets through
            assert torch.equal(seen, (layer.wide_wide.first(wide)[0] > 0).any(0))
            assert int(seen.sum()) > 150


def test_the_generator_fills_pictures_of_any_size_that_it_can_halve():
    network = FFCResNet(3, width=4, halvings=2, blocks=1).eval()
    for size in ((16, 16), (24, 36)):
        made = network(torch.rand(1, 4, *size))
        assert made.shape == (1, 3, *size) and float(made.detach().abs().max()) <= 1
    assert network.step == 4


# -- the game -----------------------------------------------------------------------------------


def game(**changes: object):
    asked = {path.replace("__", "."): value for path, value in changes.items()}
    split, chosen = prepare(recipe("lama/tiny").override(asked), Runtime(torch.device("cpu")))
    torch.manual_seed(0)
    return build_game(chosen), split, chosen


def test_patches_that_a_hole_touches_are_fake_and_the_others_real():
    """Equation 3 on known logits: a hole in one pixel of the upper left patch."""
    from zerosum.models.restoration.lama import critic_loss

    hole = torch.zeros(1, 1, 8, 8)
    hole[0, 0, 1, 2] = 1
    real, fake = torch.full((1, 1, 2, 2), 0.5), torch.tensor([[[[2.0, -1.0], [0.0, 3.0]]]])

    def soft(value: float) -> float:
        return float(torch.nn.functional.softplus(torch.tensor(value)))

    wanted = soft(-0.5) + (soft(2.0) + soft(1.0) + soft(0.0) + soft(-3.0)) / 4
    assert float(critic_loss(real, fake, hole)) == pytest.approx(wanted, rel=1e-5)


def test_known_pixels_are_learned_and_those_of_the_hole_are_not():
    built, split, _ = game(model__adversarial=0.0, model__matching=0.0)
    batch = split.train.some(4)
    terms = built.turns()[1].loss(batch)
    hole = (batch["mask"] > 0).float()
    made = built.filled(batch["input"], hole)
    known = ((made - batch["image"]).abs() * (1 - hole)).sum() / (1 - hole).sum()
    assert float(terms["l1"].detach()) == pytest.approx(10 * float(known.detach()), rel=1e-4)
    other = {**batch, "image": torch.where(hole > 0, -batch["image"], batch["image"])}
    assert torch.allclose(built.turns()[1].loss(other)["l1"], terms["l1"])


def test_a_sample_is_the_picture_outside_the_hole():
    built, split, _ = game()
    batch = split.train.some(4)
    made = built.eval().sample(4, input=batch["input"], mask=batch["mask"])["image"]
    hole = batch["mask"] > 0
    assert torch.equal(made[~hole], batch["image"][~hole])
    with pytest.raises(UserError, match="lama fills holes: give mask"):
        built.sample(4, input=batch["input"])


# -- the command --------------------------------------------------------------------------------


def generator() -> Generator:
    pictures = Masked(path="samples", size=(16, 16), masks="boxes")
    chosen = recipe("lama/tiny").model_copy(update={"data": pictures})
    split, chosen = prepare(chosen, Runtime(torch.device("cpu")))
    torch.manual_seed(0)
    return Generator(build_game(chosen).eval(), chosen, split.codec, "runs/x")


def photo(height: int = 30, width: int = 45) -> Image.Image:
    return Image.fromarray(load_sample_images().images[0][100 : 100 + height, 200 : 200 + width])


def hole(height: int = 30, width: int = 45) -> Image.Image:
    mask = Image.new("L", (width, height))
    mask.paste(255, (10, 8, 20, 16))
    return mask


def test_nothing_changes_beyond_the_feather():
    made = np.asarray(Inpainter(generator(), feather=2)(photo(), hole()))
    given = np.asarray(photo())
    changed = (made != given).any(2)
    rows, columns = changed.nonzero()
    assert rows.min() >= 6 and rows.max() < 18 and columns.min() >= 8 and columns.max() < 22
    assert changed[8:16, 10:20].mean() > 0.9


def test_the_feather_falls_in_a_straight_line():
    where = torch.zeros(1, 1, 1, 9)
    where[..., 4] = 1
    wanted = [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0]
    assert feathered(where, 3)[0, 0, 0].tolist() == pytest.approx(wanted)
    assert torch.equal(feathered(where, 0), where)


def test_too_large_a_picture_is_filled_at_a_working_size_and_said():
    inpainter = Inpainter(generator(), feather=0, memory=0.0002)
    made = np.asarray(inpainter(photo(60, 90), hole(60, 90)))
    assert "filled at a working size of" in inpainter.notes[0]
    outside = np.asarray(hole(60, 90)) == 0
    assert np.array_equal(made[outside], np.asarray(photo(60, 90))[outside])


def test_alpha_and_grey_are_kept():
    inpainter = Inpainter(generator())
    given = photo()
    given.putalpha(Image.new("L", given.size, 99))
    made = inpainter(given, hole())
    assert made.mode == "RGBA" and set(np.unique(np.asarray(made)[..., 3])) == {99}
    assert inpainter(photo().convert("L"), hole()).mode == "L"


def test_wrong_masks_are_named():
    inpainter = Inpainter(generator())
    with pytest.raises(UserError, match="the picture is 45x30 and the mask is 20x20"):
        inpainter(photo(), Image.new("L", (20, 20)))
    with pytest.raises(UserError, match="the mask is dark everywhere: a mask is light where"):
        inpainter(photo(), Image.new("L", (45, 30)))
    with pytest.raises(UserError, match="the mask is light everywhere"):
        inpainter(photo(), Image.new("L", (45, 30), 255))


def test_the_command_fills_a_file_and_a_folder(tmp_path: Path):
    made = generator()
    export.write(made.game, made.recipe, made.codec, tmp_path / "model", tmp_path / "none")
    for folder, picture in (("in", photo()), ("masks", hole())):
        (tmp_path / folder).mkdir()
        picture.save(tmp_path / folder / "a.png")

    def call(*words: object) -> tuple[int, str]:
        ended = CliRunner().invoke(app, ["inpaint", str(tmp_path / "model"), *map(str, words)])
        return ended.exit_code, ended.output + str(ended.exception or "")

    given, masks = tmp_path / "in", tmp_path / "masks"
    one = (given / "a.png", "--mask", masks / "a.png", "--out", tmp_path / "one.png")
    status, said = call(*one)
    assert status == 0 and "1 picture written" in said
    status, _ = call(given, "--mask", masks, "--out", tmp_path / "all")
    assert status == 0
    first = np.asarray(Image.open(tmp_path / "one.png"))
    assert np.array_equal(first, np.asarray(Image.open(tmp_path / "all" / "a.png")))
    photo().save(given / "b.png")
    status, said = call(given, "--mask", masks, "--out", tmp_path / "more")
    assert status == 1 and "holds no mask for b.png: call it b.png" in said
