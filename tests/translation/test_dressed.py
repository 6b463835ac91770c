"""Synthetic figures and their exact truth, VITON's folders, and garments laid on unbent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import binary_dilation

from zerosum.data.pixels import Framing
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images import MODALITY
from zerosum.modalities.images.bodies import FLAT, flat_of, landmarks, some_body, some_garment
from zerosum.modalities.images.dressed import Dressed, DressedCodec, coarse, pasted, silhouette
from zerosum.modalities.images.figures import dressed, figure

# -- figures --------------------------------------------------------------------------------------


def test_a_garment_is_bent_so_that_landmarks_meet():
    body = some_body(np.random.default_rng(3))
    assert np.allclose(flat_of(body, landmarks(body)), landmarks(FLAT), atol=1e-8)


def test_a_person_says_nothing_of_what_is_worn():
    """Bodies that differ in nothing but the garment give one `person`, to the bit."""
    rng = np.random.default_rng(1)
    body = replace(some_body(rng), folded=0)
    first, *others = [dressed(body, some_garment(rng)) for _ in range(6)]
    assert all(np.array_equal(one.person, first.person) for one in others)
    assert len({one.image.tobytes() for one in (first, *others)}) == 6


def test_on_the_flat_form_a_garment_is_worn_as_it_lies():
    garment = some_garment(np.random.default_rng(2))
    made = dressed(FLAT, garment)
    # Hands and head lie over some of it.
    whole = (made.worn == 255) & (made.garment_mask == 255)
    assert whole.sum() > 0.85 * (made.garment_mask == 255).sum()
    differences = np.abs(made.image.astype(int) - made.garment)[:, whole[0]]
    assert differences.max() <= 2


def test_beyond_what_is_hidden_or_worn_person_and_image_are_one_picture():
    for number in range(5):
        made = figure(number)
        # The rim of a hand is mixed with the blank arm behind it.
        touched = binary_dilation((made.person == 128).all(0), np.ones((3, 3)), 5)
        touched |= made.worn[0] > 0
        assert touched.mean() < 0.6
        assert np.array_equal(made.person[:, ~touched], made.image[:, ~touched])


def test_figures_are_those_of_their_numbers_whoever_asks():
    first, again = (Dressed(limit=20).open() for _ in range(2))
    batch = first.train.fetch([0, 5, 9], Visits(0, np.arange(3)))
    other = again.train.fetch([9], Visits(7, np.arange(1)))
    assert all(torch.equal(other[key][0], batch[key][2]) for key in batch)
    shapes = {key: tuple(value.shape[1:]) for key, value in batch.items()}
    assert shapes == {key: field.shape for key, field in first.codec.fields.items()}
    assert shapes["image"] == (3, 64, 48) and shapes["worn"] == (1, 64, 48)
    assert first.heldout is not None and len(first.train) == 20 and len(first.heldout) == 240
    assert "synthetic" in first.train.notes[0]


def test_figures_come_at_any_size():
    split = Dressed(limit=2, size=(32, 24)).open()
    batch = split.train.fetch([0, 1])
    assert batch["image"].shape == (2, 3, 32, 24) and batch["garment_mask"].shape == (2, 1, 32, 24)


def test_other_channels_are_refused():
    with pytest.raises(UserError, match=r"data.channels=1: garments are RGB, leave it out"):
        Dressed(channels=1).open()


# -- masks and pasting ----------------------------------------------------------------------------


def test_a_garment_is_what_white_does_not_reach():
    picture = np.full((10, 10, 3), 255, dtype=np.uint8)
    picture[2:8, 2:8] = 40
    picture[4:6, 4:6] = 255  # a white print
    wanted = np.zeros((10, 10), dtype=np.uint8)
    wanted[2:8, 2:8] = 255
    assert np.array_equal(np.asarray(silhouette(Image.fromarray(picture))), wanted)
    alpha = np.arange(100, dtype=np.uint8).reshape(10, 10)
    clear = Image.merge("RGBA", [*Image.fromarray(picture).split(), Image.fromarray(alpha)])
    assert np.array_equal(np.asarray(silhouette(clear)), alpha)


def test_a_hidden_region_grows_to_whole_cells():
    region = np.zeros((32, 6), dtype=bool)
    region[3, 5] = True
    grown = coarse(region)
    assert grown[2:4, 4:6].all() and grown.sum() == 4


def test_a_pasted_garment_fills_the_box_of_what_is_blank():
    """A flat square of 4 pixels onto a blank square of 8: each of its pixels becomes four."""
    person = torch.full((1, 3, 16, 16), 1.0)
    person[:, :, 4:12, 6:14] = 128 / 127.5 - 1
    garment, mask = torch.full((1, 3, 16, 16), 1.0), torch.full((1, 1, 16, 16), -1.0)
    garment[:, :, 2:6, 1:5] = torch.rand(3, 4, 4)
    mask[:, :, 2:6, 1:5] = 1
    made = pasted({"input": person, "garment": garment, "garment_mask": mask})
    inner = made[:, :, 5:11, 7:13]
    wanted = torch.nn.functional.interpolate(
        garment[:, :, 2:6, 1:5], scale_factor=2, mode="bilinear", align_corners=False
    )
    assert torch.allclose(inner, wanted[:, :, 1:7, 1:7], atol=1e-5)
    assert torch.equal(made[:, :, :3], person[:, :, :3])


def test_an_evaluation_has_the_pasted_garment_as_its_baseline_and_a_sheet_shows_garments():
    split = Dressed(limit=4).open()
    batch = split.train.finished(range(4))
    given = {name: batch[name] for name in ("input", "garment", "garment_mask")}
    found = MODALITY.baselines(split.train, split.codec, 4, 0, given)
    assert list(found) == ["pasted unbent"]
    assert torch.equal(found["pasted unbent"]["image"], pasted(given))
    with_garments = MODALITY.sheet(batch, split.codec, real=batch, columns=6, title="")
    without = {name: batch[name] for name in ("input", "image")}
    three = MODALITY.sheet(without, split.codec, real=batch, columns=6, title="")
    # Two outfits in a row, of four pictures or of three; gaps make it a little less exact.
    wide, narrow = (sheet.width / sheet.height for sheet in (with_garments, three))
    assert wide / narrow == pytest.approx(4 / 3, rel=0.05)


# -- VITON ----------------------------------------------------------------------------------------


def write(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(values.astype(np.uint8))
    if path.parent.name.startswith("image-parse"):
        picture.putpalette(list(range(256)) * 3)
    picture.save(path)


def viton(root: Path, *, agnostic: bool = False, masks: bool = True) -> Path:
    """Two persons to learn from and two to test on, 16x12; garment i is of level 40 + i."""
    for part, numbers in (("train", (0, 1)), ("test", (2, 3))):
        for i in numbers:
            classes = np.zeros((16, 12))
            classes[4:8, 4:8], classes[4:8, 8:9], classes[8:, 4:8] = 5, 15, 9
            photo = np.full((16, 12, 3), 200)
            photo[4:8, 4:8] = 40 + i
            cloth = np.full((16, 12, 3), 255)
            cloth[2:14, 2:10] = 40 + i
            write(root / part / "image" / f"{i:06}_0.png", photo)
            write(root / part / "cloth" / f"{i:06}_1.png", cloth)
            write(root / part / "image-parse" / f"{i:06}_0.png", classes)
            if masks:
                write(root / part / "cloth-mask" / f"{i:06}_1.png", (cloth[..., 0] < 255) * 255)
            if agnostic:
                write(root / part / "agnostic-v3.2" / f"{i:06}_0.png", np.full((16, 12, 3), 7))
    (root / "train_pairs.txt").write_text("000000_0.jpg 000000_1.jpg\n000001_0.jpg 000001_1.jpg\n")
    (root / "test_pairs.txt").write_text("000002_0.jpg 000003_1.jpg\n000003_0.jpg 000003_1.jpg\n")
    return root


def test_vitons_folders_are_read_and_blanked_by_their_classes(tmp_path: Path):
    split = Dressed(path=str(viton(tmp_path))).open()
    assert split.heldout is not None and len(split.train) == len(split.heldout) == 2
    batch = split.train.fetch([1])
    assert batch["image"].shape == (1, 3, 16, 12)
    worn = torch.zeros(16, 12, dtype=torch.uint8)
    worn[4:8, 4:8] = 255
    assert torch.equal(batch["worn"][0, 0], worn)
    blank = (batch["input"][0] == 128).all(0)  # the arm at column 8 too; a cell is one pixel here
    wanted = torch.zeros(16, 12, dtype=torch.bool)
    wanted[4:8, 4:9] = True
    assert torch.equal(blank, wanted)
    assert torch.equal(batch["input"][0][:, ~blank], batch["image"][0][:, ~blank])
    assert set(batch["garment_mask"].unique().tolist()) == {0, 255}
    assert split.train.fetch([0])["garment"][0, 0, 8, 6] == 40


def test_a_test_pair_of_another_garment_gets_its_own(tmp_path: Path):
    split = Dressed(path=str(viton(tmp_path))).open()
    assert split.heldout is not None
    levels = split.heldout.fetch([0, 1])["garment"][:, 0, 8, 6]
    assert levels.tolist() == [42, 43]
    assert any("1 lines of test_pairs.txt name another garment" in n for n in split.train.notes)


def test_agnostic_pictures_are_taken_and_missing_masks_are_made(tmp_path: Path):
    split = Dressed(path=str(viton(tmp_path, agnostic=True, masks=False))).open()
    batch = split.train.fetch([0, 1])
    assert (batch["input"] == 7).all()
    wanted = torch.zeros(16, 12, dtype=torch.uint8)
    wanted[2:14, 2:10] = 255
    assert torch.equal(batch["garment_mask"][0, 0], wanted)
    assert any("no cloth-mask" in note for note in split.train.notes)


def test_what_is_wrong_with_a_folder_is_named(tmp_path: Path):
    def refused(match: str) -> None:
        with pytest.raises(UserError, match=match):
            Dressed(path=str(root)).open()

    root = viton(tmp_path)
    with pytest.raises(UserError, match=r"data.memory=0: raise it, or lower data.size"):
        Dressed(path=str(root), memory=0).open()
    (root / "train" / "cloth" / "000001_1.png").rename(tmp_path / "away.png")
    refused(r"cloth/000001_1.jpg is missing, which .*train_pairs.txt, line 2 names: put it there")
    (tmp_path / "away.png").rename(root / "train" / "cloth" / "000001_1.png")
    write(root / "train" / "image-parse" / "000000_0.png", np.full((16, 12), 33))
    refused(r"000000_0.png has numbers up to 33: image-parse holds class numbers 0 to 19")
    write(root / "train" / "image-parse" / "000000_0.png", np.full((16, 12), 9))
    refused(r"shows nothing worn above \(classes 5, 6, 7\): leave its pair out")
    viton(tmp_path)
    (root / "train" / "image" / "000000_0.png").write_bytes(b"no picture")
    refused(r"000000_0.png cannot be read")
    viton(tmp_path)
    (root / "train_pairs.txt").write_text("000000_0.jpg\n")
    refused(r"train_pairs.txt, line 1 has 1 words: write a photo's and a garment's name")
    (root / "train_pairs.txt").unlink()
    refused(r"train_pairs.txt is missing: each of its lines names a photo in image/ and a garment")
    with pytest.raises(UserError, match="is no folder: give one that is laid out as VITON"):
        Dressed(path=str(root / "test_pairs.txt")).open()
    viton(tmp_path)
    (root / "train" / "image-parse").rename(tmp_path / "elsewhere")
    refused(r"image-parse is missing \(there is cloth, cloth-mask, image\): put the labels")


def test_an_unreadable_photo_can_be_passed_over(tmp_path: Path):
    root = viton(tmp_path)
    (root / "train" / "image" / "000001_0.png").write_bytes(b"no picture")
    split = Dressed(path=str(root), skip_bad=True).open()
    assert len(split.train) == 1 and len(split.train.skipped) == 1


# -- the codec ------------------------------------------------------------------------------------


def test_the_codec_takes_persons_with_garments_and_survives_its_state():
    framing = Framing((16, 12), 3)
    codec = DressedCodec({"input": framing, "image": framing})
    again = DressedCodec.from_state(*codec.state())
    assert again.hash == codec.hash and again.fields == codec.fields
    person, garment = Image.new("RGB", (12, 16), "red"), Image.new("RGB", (12, 16), "white")
    garment.paste("blue", (3, 4, 9, 12))
    batch = codec.encode([(person, garment)])
    assert int((batch["garment_mask"] == 255).sum()) == 6 * 8
    with pytest.raises(UserError, match="give pairs of pictures"):
        codec.encode([person])
