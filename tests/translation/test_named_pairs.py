"""Pairs of pictures that are known by name: where they come from, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zerosum.errors import UserError
from zerosum.modalities.images.named_pairs import find_pairs
from zerosum.modalities.images.pairs import Pairs


@pytest.fixture
def emoji(tmp_path, monkeypatch):
    """Sheets of 2 x 2 cells of one colour each, of which three are used."""
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    folder = tmp_path / "emoji-pairs"
    folder.mkdir()
    lines = ["index\tcodepoints\tname", "0\t23\thash", '1\t2a\t"', "2\t30\tzero"]
    (folder / "captions.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for style, base in (("noto", 0), ("twemoji", 100)):
        sheet = np.zeros((128, 128, 4), dtype=np.uint8)
        for cell in range(4):
            top, left = 64 * (cell // 2), 64 * (cell % 2)
            sheet[top : top + 64, left : left + 64] = (base + cell, base, 7, 255)
        sheet[0, 0] = 0  # transparent
        Image.fromarray(sheet).save(folder / f"{style}_64.png")
    return folder


def test_emoji_are_cells_row_by_row_with_their_partners(emoji):
    split = Pairs(path="emoji-pairs", holdout=0).open()
    found = split.train.finished(range(3))
    assert found["input"].shape == found["image"].shape == (3, 3, 64, 64)
    pixels = {key: ((value + 1) * 127.5).round() for key, value in found.items()}
    assert pixels["input"][:, :, 32, 32].tolist() == [[n, 0, 7] for n in range(3)]
    assert pixels["image"][:, :, 32, 32].tolist() == [[100 + n, 100, 7] for n in range(3)]
    assert pixels["image"][0, :, 0, 0].tolist() == [255, 255, 255]  # laid over white
    clear = Pairs(path="emoji-pairs", holdout=0, channels=4).open().train.finished([0])
    assert clear["image"][0, 3, 0, 0].item() == -1 and clear["image"][0, 3, 1, 1].item() == 1


def test_a_sheet_with_fewer_cells_than_captions_is_named(emoji):
    with (emoji / "captions.tsv").open("a", encoding="utf-8") as file:
        file.write("3\t31\tone\n4\t32\ttwo\n")
    with pytest.raises(UserError, match=r"noto_64\.png has 4 cells for 5 captions: fetch both"):
        find_pairs("emoji-pairs")


@pytest.mark.parametrize("name", ["facades", "emoji-pairs", "digits-edges"])
def test_a_set_without_parts_refuses_a_choice(name):
    with pytest.raises(UserError, match=f"{name} has no parts to choose from: write {name}, not"):
        find_pairs(f"{name}:thin")
