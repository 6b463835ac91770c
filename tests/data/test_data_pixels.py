"""Every kind of picture becomes the uint8 pixels it means."""

from __future__ import annotations

import numpy as np
import pytest
from made_pictures import picture
from PIL import Image

from zerosum.data.pixels import Framing, header, plain


def frame(image, channels, size=None, **options):
    return Framing(size or (image.height, image.width), channels, **options)(image)


def test_grey_and_colour_are_kept():
    grey, colour = picture(0, mode="L"), picture(1)
    assert np.array_equal(frame(grey, 1)[0], np.asarray(grey))
    assert np.array_equal(frame(grey, 3), np.stack([np.asarray(grey)] * 3))
    assert np.array_equal(frame(colour, 3), np.asarray(colour).transpose(2, 0, 1))
    with_alpha = frame(colour, 4)
    assert np.array_equal(with_alpha[:3], frame(colour, 3)) and (with_alpha[3] == 255).all()


def test_colour_to_grey_is_luma():
    image = Image.new("RGB", (2, 2), (255, 0, 0))
    assert (frame(image, 1) == 76).all()  # 0.299 * 255


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_over_white_is_exact(mode):
    values = np.asarray(picture(3, (16, 16), mode)).astype(np.float64)
    alpha = values[..., -1:] / 255
    expected = np.floor(values[..., :-1] * alpha + 255 * (1 - alpha) + 0.5)
    got = frame(Image.fromarray(values.astype(np.uint8)), 3 if mode == "RGBA" else 1)
    assert np.array_equal(got.transpose(1, 2, 0), expected.astype(np.uint8))


def test_rgba_keeps_its_four_channels():
    image = picture(4, mode="RGBA")
    assert np.array_equal(frame(image, 4), np.asarray(image).transpose(2, 0, 1))


def test_one_bit():
    bits = np.array([[True, False], [False, True]])
    assert np.array_equal(frame(Image.fromarray(bits), 1)[0], bits * 255)


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 0), (128, 0), (129, 1), (257, 1), (32768, 128), (65535, 255)]
)
@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_sixteen_bits_are_scaled(value, expected, mode, tmp_path):
    kind = np.uint16 if mode == "I;16" else np.int32
    Image.fromarray(np.full((2, 2), value, dtype=kind)).save(tmp_path / "deep.tif")
    with Image.open(tmp_path / "deep.tif") as image:
        assert image.mode == mode
        assert (frame(image, 1) == expected).all()


def test_float_pictures():
    assert (frame(Image.fromarray(np.full((2, 2), 0.5, np.float32)), 1) == 128).all()
    with pytest.raises(ValueError, match=r"float pixels must lie in 0..1, found 2..2"):
        frame(Image.fromarray(np.full((2, 2), 2.0, np.float32)), 1)


def test_integers_beyond_sixteen_bits_are_refused():
    with pytest.raises(ValueError, match=r"0..65535, found -1..-1"):
        plain(Image.fromarray(np.full((2, 2), -1, np.int32)))


def test_palette_and_palette_with_transparency():
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 0])
    assert frame(image, 3)[:, 0].T.tolist() == [[10, 20, 30], [200, 100, 0]]
    image.info["transparency"] = 1
    assert frame(image, 3)[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255]]
    assert frame(image, 4)[3].tolist() == [[255, 0]]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_colour_key_transparency_becomes_white(mode, tmp_path):
    image = Image.new(mode, (2, 1), 7 if mode == "L" else (7, 7, 7))
    image.putpixel((1, 0), 9 if mode == "L" else (9, 9, 9))
    image.save(tmp_path / "key.png", transparency=7 if mode == "L" else (7, 7, 7))
    with Image.open(tmp_path / "key.png") as stored:
        assert frame(stored, 1)[0].tolist() == [[255, 9]]


def test_cmyk():
    assert frame(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), 3).reshape(-1).tolist() == [
        255,
        0,
        0,
    ]


def test_exif_orientation_turns_the_picture(tmp_path):
    image = Image.new("RGB", (8, 4), "black")
    image.paste("white", (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: the left half comes to the top
    image.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as stored:
        assert header(stored)[0] == (8, 4)
        pixels = frame(plain(stored), 1)[0]
    assert pixels.shape == (8, 4)
    assert (pixels[:4] == 255).all() and (pixels[4:] == 0).all()


def bands(width):
    """Black, white, black columns of equal width."""
    values = np.zeros((width, 3 * width), dtype=np.uint8)
    values[:, width : 2 * width] = 255
    return Image.fromarray(values)


def test_crop_takes_the_centre():
    assert (frame(bands(8), 1, (8, 8)) == 255).all()
    assert (frame(bands(8), 1, (4, 4), filter="box") == 255).all()


def test_pad_shows_everything_on_black():
    pixels = frame(bands(8), 1, (24, 24), resize="pad")[0]
    assert (pixels[:8] == 0).all() and (pixels[16:] == 0).all()
    assert np.array_equal(pixels[8:16], np.asarray(bands(8)))
    clear = frame(Image.new("RGBA", (4, 2), "red"), 4, (4, 4), resize="pad")
    assert clear[3].tolist() == [[0] * 4, [255] * 4, [255] * 4, [0] * 4]


def test_fit_stretches():
    pixels = frame(bands(8), 1, (8, 3), resize="fit", filter="box")[0]
    assert pixels.tolist() == [[0, 255, 0]] * 8


def test_non_square_sizes_are_height_then_width():
    assert frame(picture(0, (32, 32)), 3, (8, 16)).shape == (3, 8, 16)


def test_box_is_the_mean_and_filters_differ():
    image = picture(5, (8, 8), "L")
    mean = np.asarray(image).reshape(4, 2, 4, 2).mean((1, 3))
    box = frame(image, 1, (4, 4), filter="box")[0]
    assert np.abs(box - mean).max() <= 1  # rounded once per axis
    names = ("box", "lanczos", "bicubic", "bilinear", "nearest")
    results = {name: frame(image, 1, (4, 4), filter=name).tobytes() for name in names}
    assert len(set(results.values())) == len(names)
