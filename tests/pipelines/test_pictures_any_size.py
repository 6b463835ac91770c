"""Pictures as users have them: what a network is shown, tiles, folders, and `translate`."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import nn

from zerosum.errors import UserError
from zerosum.modalities.images.sized import Sight, bytes_per_pixel, grown, tiled, whole
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.pictures.folder import answer_all
from zerosum.pipelines.pictures.taken import save, take, taken
from zerosum.pipelines.translate import Translator
from zerosum.training.trainer import train

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def ramp(mode="RGB", size=(21, 13)):
    wide, tall = size
    x, y = np.meshgrid(np.arange(wide), np.arange(tall))
    bands = [(9 * x + 5 * y) % 256, (3 * x) % 256, (200 - 7 * y) % 256, 255 - 4 * x]
    count = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[mode]
    chosen = [*bands[: count - 1], bands[3]] if mode.endswith("A") else bands[:count]
    array = np.stack(chosen, 2).astype(np.uint8)
    return Image.fromarray(array[..., 0] if count == 1 else array, mode)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_picture_that_nothing_is_done_to_comes_back(mode, tmp_path):
    picture = ramp(mode)
    profile = PROFILE if mode.startswith("RGB") else None  # it is one of colours
    picture.save(tmp_path / "in.png", icc_profile=profile)
    given = take(tmp_path / "in.png")
    assert given.size == (13, 21) and given.profile == profile
    answer = given.answered(given.seen(len(given.colour)), keep_grey=True)
    save(answer, tmp_path / "out.png", given.profile)
    with Image.open(tmp_path / "out.png") as found:
        assert found.mode == mode and found.info.get("icc_profile") == profile
        assert np.array_equal(np.asarray(found), np.asarray(picture))


def test_what_is_turned_deep_or_animated_is_read_and_said(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    ramp().save(tmp_path / "turned.jpg", exif=exif, quality=100)
    given = take(tmp_path / "turned.jpg")
    assert given.size == (21, 13) and given.notes == ("turned upright",)
    deep = Image.fromarray(np.full((4, 5), 32_896, dtype=np.uint16))
    deep.save(tmp_path / "deep.png")
    given = take(tmp_path / "deep.png")
    assert given.colour.unique().tolist() == [128]
    assert given.notes == ("more than 8 bits a channel are read as 8",)
    frames = [Image.new("L", (4, 4), value) for value in (7, 9)]
    frames[0].save(tmp_path / "two.tif", save_all=True, append_images=frames[1:])
    given = take(tmp_path / "two.tif")
    assert given.notes == ("the first of its 2 frames is taken",)
    assert given.colour.unique().tolist() == [7]


def test_grey_and_colour_stand_for_each_other():
    grey, colour = taken(ramp("L")), taken(ramp("RGB"))
    assert torch.equal(grey.seen(3), grey.seen(1).expand(-1, 3, -1, -1))
    expected = np.asarray(ramp("RGB").convert("L")).astype(float)
    found = (colour.seen(1)[0, 0].numpy() + 1) * 127.5
    assert abs(found - expected).max() < 1
    assert grey.answered(torch.zeros(1, 3, 13, 21), keep_grey=True).mode == "L"
    assert grey.answered(torch.zeros(1, 3, 13, 21), keep_grey=False).mode == "RGB"


def test_alpha_follows_an_answer_of_another_size():
    given = taken(ramp("RGBA"))
    large = given.answered(torch.zeros(1, 3, 26, 42), keep_grey=False)
    expected = ramp("RGBA").getchannel("A").resize((42, 26), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(large.getchannel("A")), np.asarray(expected))
    buffer = io.BytesIO()
    large.save(buffer, "PNG")
    opaque = ramp("RGB").convert("RGBA")
    assert taken(opaque).alpha is None


class Net(nn.Module):
    """Halves, looks three pixels around, and doubles twice over: scale 2."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 6, 4, 2, 1), nn.ReLU(), nn.Conv2d(6, 6, 3, 1, 1), nn.ReLU(),
            nn.ConvTranspose2d(6, 6, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(6, 3, 4, 2, 1),
        )  # fmt: skip

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize(("size", "side"), [((37, 50), 8), ((37, 50), 16), ((9, 70), 10)])
def test_tiles_give_what_the_whole_picture_gives(size, side):
    network, sight = Net(), Sight(step=2, radius=8, scale=2)
    pictures = torch.rand(1, 3, *size) * 2 - 1
    seen = []
    expected = whole(network, pictures, sight)
    found = tiled(network, pictures, sight, side, lambda done, count: seen.append((done, count)))
    assert found.shape == expected.shape == (1, 3, 2 * size[0], 2 * size[1])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    tiles = -(-(size[0] + size[0] % 2) // side) * -(-(size[1] + size[1] % 2) // side)
    assert seen[-1] == (tiles, tiles)
    narrow = tiled(network, pictures, Sight(step=2, radius=0, scale=2), side)
    assert (narrow - expected).abs().max() > 1e-3  # so the radius is needed


def test_sides_grow_to_what_a_network_takes_and_back():
    pictures = torch.arange(15.0).view(1, 1, 3, 5)
    large = grown(pictures, 4)
    assert large.shape == (1, 1, 4, 8)
    assert large[0, 0, 3].tolist() == [5, 6, 7, 8, 9, 8, 7, 6]  # the row and columns before
    assert grown(torch.ones(1, 1, 1, 2), 4).shape == (1, 1, 4, 4)  # too short to be reflected


def test_memory_is_that_of_what_lives_at_once():
    class Two(nn.Module):
        def forward(self, x):
            wide = x.expand(-1, 8, -1, -1) * 2.0  # 8 numbers a pixel beside the one given
            return wide.sum(1, keepdim=True)  # and one more

    weight = bytes_per_pixel(Two(), torch.zeros(1, 1, 32, 32))
    assert 4 * 9 <= weight <= 4 * 18


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("cyclegan") / "run"
    train("cyclegan/tiny", out, quiet=True, device="cpu")
    return out


def test_pictures_of_any_size_are_translated(run):
    translator = Translator.load(run)
    answer = translator(ramp("RGBA", (21, 13)))
    assert answer.size == (21, 13) and answer.mode == "LA" and translator.notes == []
    game = translator.generator.game
    with torch.no_grad():
        expected = game.forth(grown(taken(ramp("RGBA")).seen(1), 4))[:, :, :13, :21]
    pixels = ((expected[0, 0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    assert np.array_equal(np.asarray(answer.getchannel("L")), pixels)
    back = Translator.load(run, options={"back": True})(ramp("L"))
    assert not np.array_equal(np.asarray(back), np.asarray(answer.getchannel("L")))


def test_a_model_that_looks_at_all_works_at_a_size_that_fits(run):
    translator = Translator.load(run, memory=0.0005)
    answer = translator(ramp("L", (210, 130)))
    assert answer.size == (210, 130)
    (note,) = translator.notes
    assert note.startswith("at a working size of") and "looks at all of a picture" in note


def test_folders_go_on_where_they_stopped(run, tmp_path):
    given, out = tmp_path / "in", tmp_path / "out"
    (given / "below").mkdir(parents=True)
    for name in ("1.png", "below/2.jpg"):
        ramp().save(given / name)
    (given / "bad.png").write_bytes(b"none")
    translator, told = Translator.load(run), []
    with pytest.raises(UserError, match=r"bad\.png cannot be read .*add --skip-bad"):
        answer_all(given, out, translator)
    done = answer_all(
        given, out, translator, skip_bad=True, on_picture=lambda *at: told.append(at)
    )
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert names == ["1.png", "below/2.png"] and told[-1] == (3, 3)
    assert done.there == 1 and len(done.written) == 1 and "bad.png" in done.bad[0]
    before = (out / "1.png").stat().st_mtime_ns
    again = answer_all(given, out, translator, skip_bad=True)
    assert again.there == 2 and not again.written
    assert (out / "1.png").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("given", "out", "words"),
    [("nothing.png", "o.png", "is not there"), ("1.png", "o.gif", r"end it in \.png"),
     (".", "o.png", "is a folder, so its answers need one"), (".", ".", "name another"),
     ("empty", "o", "holds no picture files")],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_a_line(run, tmp_path, given, out, words):
    ramp().save(tmp_path / "1.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=words):
        answer_all(tmp_path / given, tmp_path / out, Translator.load(run))
    assert not (tmp_path / "o.png").exists()


def test_answers_that_would_lie_on_each_other_are_refused(run, tmp_path):
    for name in ("1.png", "1.jpg"):
        ramp().save(tmp_path / name)
    with pytest.raises(UserError, match="would have one answer"):
        answer_all(tmp_path, tmp_path / "out", Translator.load(run))


def test_a_model_that_draws_is_refused(tmp_path):
    train("dcgan/tiny", tmp_path / "run", quiet=True, device="cpu")
    with pytest.raises(UserError, match="is a dcgan, which does not map pictures"):
        Translator(Generator.load(tmp_path / "run"))
