"""Users' pictures: what a network sees of each kind, and what its answer keeps."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from zerosum.errors import UserError
from zerosum.modalities.images.pictures import STAMP_WITHIN, is_stamped
from zerosum.pipelines.pictures.folder import answer_all
from zerosum.pipelines.pictures.taken import TakenPicture, fitting_profile, save, take, taken

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def gradient(height: int = 6, width: int = 9) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def unchanged(picture: TakenPicture) -> Image.Image:
    return picture.answered(picture.seen(3), keep_grey=True)


def png_of_16_bits(pixels: np.ndarray) -> bytes:
    """A PNG of 16-bit colours, which Pillow reads and does not write."""
    height, width, _ = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_a_colour_picture_comes_back_as_it_was(tmp_path: Path):
    pixels = gradient()
    Image.fromarray(pixels).save(tmp_path / "a.png")
    picture = take(tmp_path / "a.png")
    assert picture.size == (6, 9) and picture.notes == () and picture.alpha is None
    assert torch.equal(picture.seen(3)[0, :, 2, 3], torch.tensor(pixels[2, 3]) / 127.5 - 1)
    save(unchanged(picture), tmp_path / "out.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), pixels)
    assert is_stamped((tmp_path / "out.png").read_bytes()[:STAMP_WITHIN])


def test_a_network_of_one_channel_sees_the_luma_of_colours():
    picture = taken(Image.fromarray(np.full((2, 2, 3), (255, 0, 0), np.uint8)))
    # 0.299 of a light red and nothing of the dark others, on the scale -1 .. 1
    assert picture.seen(1).flatten().tolist() == pytest.approx([2 * 0.299 - 1] * 4, abs=1e-6)
    with pytest.raises(UserError, match="4 channels"):
        picture.seen(4)


def test_grey_stays_grey_where_the_task_keeps_it():
    picture = taken(Image.fromarray(gradient()[..., 0]))
    assert picture.grey and picture.seen(3).shape == (1, 3, 6, 9)
    assert picture.answered(picture.seen(3), keep_grey=True).mode == "L"
    assert picture.answered(picture.seen(3), keep_grey=False).mode == "RGB"


def test_alpha_goes_around_the_network_and_grows_with_its_answer():
    alpha = np.zeros((6, 9), np.uint8)
    alpha[:, 4:] = 255
    picture = taken(Image.fromarray(np.dstack([gradient(), alpha])))
    assert picture.seen(3).shape == (1, 3, 6, 9)
    same = unchanged(picture)
    assert same.mode == "RGBA" and np.array_equal(np.asarray(same)[..., 3], alpha)
    twice = picture.answered(
        picture.seen(3).repeat_interleave(2, 2).repeat_interleave(2, 3), keep_grey=True
    )
    assert twice.size == (18, 12)
    assert np.asarray(twice)[:, 0, 3].tolist() == [0] * 12  # far from the edge nothing changes
    assert np.asarray(twice)[:, -1, 3].tolist() == [255] * 12


def test_an_alpha_that_hides_nothing_is_dropped():
    full = np.dstack([gradient(), np.full((6, 9), 255, np.uint8)])
    assert taken(Image.fromarray(full)).alpha is None


def test_sixteen_bits_are_read_as_eight_and_it_is_said(tmp_path: Path):
    (tmp_path / "deep.png").write_bytes(png_of_16_bits(np.full((4, 5, 3), 0x80FF)))
    Image.fromarray(np.full((4, 5), 0x8080, np.uint16)).save(tmp_path / "grey.png")
    for name, level in (("deep.png", 0x80), ("grey.png", 0x80)):
        picture = take(tmp_path / name)
        assert int(picture.colour[0, 0, 0]) == level
        assert picture.notes == ("more than 8 bits a channel are read as 8",)


def test_exif_turns_a_picture_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(gradient()).save(tmp_path / "turned.png", exif=exif)
    picture = take(tmp_path / "turned.png")
    assert picture.size == (9, 6) and picture.notes == ("turned upright",)
    assert np.array_equal(picture.colour.permute(1, 2, 0).numpy(), np.rot90(gradient(), -1))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_the_colour_profile_is_kept(tmp_path: Path, name: str):
    Image.fromarray(gradient()).save(tmp_path / "given.png", icc_profile=SRGB)
    picture = take(tmp_path / "given.png")
    assert picture.profile == SRGB
    save(unchanged(picture), tmp_path / name, picture.profile)
    assert Image.open(tmp_path / name).info["icc_profile"] == SRGB


def test_a_profile_of_another_colour_space_is_not_put_on():
    grey = SRGB[:16] + b"GRAY" + SRGB[20:]
    assert fitting_profile(grey, "RGB") is None
    assert fitting_profile(grey, "LA") == grey
    assert fitting_profile(SRGB, "RGBA") == SRGB
    assert fitting_profile(None, "RGB") is None


def test_what_has_no_transparency_is_laid_over_white(tmp_path: Path):
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    save(clear, tmp_path / "a.jpg")
    assert np.asarray(Image.open(tmp_path / "a.jpg")).min() >= 254


def test_wrong_files_are_named(tmp_path: Path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"broken.png cannot be read as a picture"):
        take(tmp_path / "broken.png")
    with pytest.raises(UserError, match=r"lost.png is not there"):
        take(tmp_path / "lost.png")
    with pytest.raises(UserError, match=r"a.bmp is no picture that is written: end it in .png"):
        save(Image.new("L", (2, 2)), tmp_path / "a.bmp")


# -- folders -----------------------------------------------------------------------------------


def folder_of_three(tmp_path: Path) -> Path:
    place = tmp_path / "in"
    (place / "below").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "below/c.png"):
        Image.fromarray(gradient()).save(place / name)
    return place


def test_a_folder_is_answered_and_taken_up_where_it_stopped(tmp_path: Path):
    place, out, seen = folder_of_three(tmp_path), tmp_path / "out", []

    def failing(picture: TakenPicture) -> Image.Image:
        if picture.name == "c.png":
            raise KeyboardInterrupt
        return unchanged(picture)

    with pytest.raises(KeyboardInterrupt):
        answer_all(place, out, failing)
    assert sorted(p.name for p in out.rglob("*.png")) == ["a.png", "b.png"]
    done = answer_all(place, out, unchanged, on_picture=lambda *at: seen.append(at))
    assert done.there == 2 and done.written == [out / "below" / "c.png"]
    assert seen[0] == (0, 3) and seen[-1] == (3, 3)


def test_bad_pictures_stop_unless_skipped(tmp_path: Path):
    place = folder_of_three(tmp_path)
    (place / "b.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"b.png cannot be read.*add --skip-bad"):
        answer_all(place, tmp_path / "one", unchanged)
    done = answer_all(place, tmp_path / "two", unchanged, skip_bad=True)
    assert len(done.written) == 2 and len(done.bad) == 1
    assert any("b.png" in line for line in done.lines())


def test_answers_of_one_name_are_refused(tmp_path: Path):
    place = folder_of_three(tmp_path)
    Image.fromarray(gradient()).save(place / "a.png")
    with pytest.raises(UserError, match=r"a.jpg and a.png would have one answer"):
        answer_all(place, tmp_path / "out", unchanged)


def test_places_that_cannot_be_answered_to_are_named(tmp_path: Path):
    place = folder_of_three(tmp_path)
    with pytest.raises(UserError, match="is a folder, so its answers need one"):
        answer_all(place, tmp_path / "out.png", unchanged)
    with pytest.raises(UserError, match="is the folder of the pictures"):
        answer_all(place, place, unchanged)
    with pytest.raises(UserError, match="is the picture itself"):
        answer_all(place / "b.png", place / "b.png", unchanged)
    with pytest.raises(UserError, match="nowhere is not there"):
        answer_all(tmp_path / "nowhere", tmp_path / "out", unchanged)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no picture files"):
        answer_all(tmp_path / "empty", tmp_path / "out", unchanged)


def test_answers_inside_the_folder_are_not_answered_again(tmp_path: Path):
    place = folder_of_three(tmp_path)
    assert len(answer_all(place, place / "out", unchanged).written) == 3
    again = answer_all(place, place / "out", unchanged)
    assert again.there == 3 and not again.written
