"""Label maps: class numbers, palettes, colours, tables, and what is refused before training."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data.codec import read_codec, write_codec
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images import MODALITY
from zerosum.modalities.images.label_classes import Census, read_table, spread_colours, values_of
from zerosum.modalities.images.label_maps import LabelCodec
from zerosum.modalities.images.labelled import Labelled, synthetic_shapes

MAP = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [0, 2, 2, 1], [0, 0, 0, 0]], dtype=np.uint8)


def photo(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def palette(numbers: np.ndarray, colours: list[tuple[int, int, int]]) -> Image.Image:
    picture = Image.fromarray(numbers, mode="P")
    picture.putpalette([one for colour in colours for one in colour])
    return picture


def folder(path, maps: list[Image.Image]):
    (path / "labels").mkdir()
    (path / "images").mkdir()
    for number, one in enumerate(maps):
        one.save(path / "labels" / f"{number}.png")
        photo(number).save(path / "images" / f"{number}.png")
    return str(path)


def maps_of(path: str, **settings) -> tuple[torch.Tensor, LabelCodec]:
    split = Labelled(path=path, holdout=0, **settings).open()
    codec = split.codec
    assert isinstance(codec, LabelCodec)
    return split.train.fetch(range(len(split.train)))["input"], codec  # type: ignore[attr-defined]


def test_grey_maps_hold_class_numbers_and_any_numbers_will_do(tmp_path):
    """A mask of 0 and 255 has two classes, not 256: the users' crash of other tools."""
    path = folder(tmp_path, [Image.fromarray(255 * (MAP > 0).astype(np.uint8))] * 3)
    maps, codec = maps_of(path)
    assert maps.dtype == torch.uint8
    assert maps[0].tolist() == (MAP > 0).astype(int).tolist()
    assert codec.classes.ids == (0, 255) and codec.classes.names == ("0", "dontcare")
    assert codec.fields["input"].model_dump()["count"] == 2


def test_the_number_of_a_palettes_entry_is_the_class(tmp_path):
    colours = [(10, 20, 30), (200, 0, 0), (0, 200, 0)]
    maps, codec = maps_of(folder(tmp_path, [palette(MAP, colours)] * 3))
    assert maps[1].tolist() == MAP.tolist()
    assert codec.classes.colours.tolist() == [list(one) for one in colours]


def test_palettes_that_disagree_are_read_by_their_colours(tmp_path):
    """As a reduction of colours makes them: red is one class, whatever its number is."""
    first = palette(MAP, [(0, 0, 0), (255, 0, 0), (0, 255, 0)])
    second = palette(MAP, [(0, 0, 0), (0, 255, 0), (255, 0, 0)])
    maps, codec = maps_of(folder(tmp_path, [first, second]))
    assert not codec.classes.palettes and len(codec.classes) == 3
    swapped = torch.tensor([0, 2, 1])[maps[0].long()]
    assert maps[1].tolist() == swapped.tolist()
    assert maps[0].unique().tolist() == [0, 1, 2]


def test_colours_are_counted_and_a_painted_map_is_read_by_colour_or_number(tmp_path):
    colours = np.array([(9, 9, 9), (200, 0, 0), (0, 200, 0)], dtype=np.uint8)
    maps, codec = maps_of(folder(tmp_path, [Image.fromarray(colours[MAP])] * 2))
    order = {tuple(one): place for place, one in enumerate(codec.classes.colours.tolist())}
    expected = np.vectorize(lambda value: order[tuple(colours[value].tolist())])(MAP)
    assert maps[0].tolist() == expected.tolist()
    by_number = codec.encode([Image.fromarray(expected.astype(np.uint8))])["input"][0]
    by_colour = codec.encode([Image.fromarray(colours[MAP])])["input"][0]
    assert by_number.tolist() == by_colour.tolist() == expected.tolist()
    wrong = colours.copy()
    wrong[2] = (1, 2, 3)
    with pytest.raises(UserError, match=r"colour \(1, 2, 3\) in 4 pixels is no class's"):
        codec.encode([Image.fromarray(wrong[MAP])])


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_table_names_the_classes(tmp_path, kind):
    table = tmp_path / f"table.{kind}"
    if kind == "csv":
        table.write_text("name,r,g,b\nsky,0,0,255\nwall,#ff0000\ntree,0,255,0\n")
    else:
        table.write_text(json.dumps({"sky": [0, 0, 255], "wall": "#ff0000", "tree": [0, 255, 0]}))
    (tmp_path / "set").mkdir()
    colours = np.array([(0, 0, 255), (255, 0, 0), (0, 255, 0)], dtype=np.uint8)
    path = folder(tmp_path / "set", [Image.fromarray(colours[MAP])] * 2)
    maps, codec = maps_of(path, colours=str(table))
    assert codec.classes.names == ("sky", "wall", "tree")
    assert maps[0].tolist() == MAP.tolist()


def test_tables_that_cannot_be_meant_are_refused(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("sky,0,0,255\nsea,0,0,255\n")
    with pytest.raises(UserError, match="sky and sea have one colour: change one"):
        read_table(table)
    table.write_text("sky,0,0,256\nsea,0,0,255\n")
    with pytest.raises(UserError, match="not three numbers from 0 to 255"):
        read_table(table)
    with pytest.raises(UserError, match=r"none\.csv is no table of colours"):
        read_table(tmp_path / "none.csv")


def test_a_wrong_number_is_named_with_its_file_before_training(tmp_path):
    wrong = MAP.copy()
    wrong[3, 3] = 7
    path = folder(tmp_path, [Image.fromarray(MAP), Image.fromarray(wrong)])
    with pytest.raises(UserError, match=r"labels/1\.png .*label 7 in 1 pixels is none of the 3"):
        maps_of(path, classes=3)
    maps, _ = maps_of(path, classes=3, skip_bad=True)
    assert len(maps) == 1


def test_dontcare_is_a_class_of_its_own_beside_those_that_are_counted(tmp_path):
    unsure = MAP.copy()
    unsure[0, 0] = 255
    path = folder(tmp_path, [Image.fromarray(unsure), Image.fromarray(MAP)])
    maps, codec = maps_of(path, classes=3)
    assert codec.classes.ids == (0, 1, 2, 255) and codec.classes.names[3] == "dontcare"
    assert maps[0, 0, 0] == 3 and maps[0].flatten()[1:].tolist() == MAP.flatten()[1:].tolist()
    with pytest.raises(UserError, match="label 255 in 1 pixels"):
        maps_of(path, classes=3, dontcare=None)


def test_numbers_and_colours_do_not_mix(tmp_path):
    coloured = Image.fromarray(spread_colours(3)[MAP])
    path = folder(tmp_path, [Image.fromarray(MAP), coloured])
    with pytest.raises(
        UserError, match=r"1\.png is a colour picture and .*0\.png holds class num"
    ):
        maps_of(path)


def test_photos_taken_for_label_maps_are_found_out(tmp_path):
    rng = np.random.default_rng(0)
    noisy = [Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)) for _ in range(2)]
    path = folder(tmp_path, noisy)
    with pytest.raises(
        UserError, match=r"hold 800 colours, more than 256 classes.*data\.labels=B"
    ):
        maps_of(path, size=(4, 4))


def test_smoothed_colours_are_fitted_where_they_are_asked_for(tmp_path):
    """Noise of JPEG's kind around three colours: three classes, at their means, maps restored."""
    rng = np.random.default_rng(1)
    colours = np.array([(20, 20, 20), (220, 40, 40), (40, 40, 220)])
    large = np.kron(MAP, np.ones((16, 16), dtype=np.uint8))
    noisy = [
        np.clip(colours[large] + rng.integers(-9, 10, (64, 64, 3)), 0, 255).astype(np.uint8)
        for _ in range(2)
    ]
    path = folder(tmp_path, [Image.fromarray(one) for one in noisy])
    with pytest.raises(UserError, match=r"add data\.nearest=true"):
        maps_of(path, classes=3, size=(4, 4))
    maps, codec = maps_of(path, classes=3, size=(4, 4), nearest=True)
    found = codec.classes.colours.astype(float)
    apart = np.linalg.norm(found[:, None] - colours[None], axis=2)
    assert apart.min(1).max() < 3  # each within the noise of one of the true three
    assert np.array_equal(apart.argmin(1)[maps[0].numpy()], MAP)


def test_maps_and_photos_are_turned_and_cropped_together():
    """Photos are made the colour of their class, so that a shift of one would show."""
    split = Labelled(path="shapes", crop=True, flip=True, limit=40).open()
    rows = list(range(20))
    batch = split.train.fetch(rows, Visits(0, np.arange(20)))  # type: ignore[attr-defined]
    still = split.train.fetch(rows)  # type: ignore[attr-defined]
    assert batch["input"].shape == (20, 32, 32) and batch["image"].shape == (20, 3, 32, 32)
    assert not torch.equal(batch["input"], still["input"])
    blue = batch["image"][:, 2].float() - batch["image"][:, 0].float()
    disc = batch["input"] == 2
    assert blue[disc].mean() > 60 and blue[~disc].mean() < 0  # (70, 110, 200) against the others


def test_the_synthetic_set_says_that_it_is_and_repeats():
    maps, photos = synthetic_shapes(3, seed=4)
    again = synthetic_shapes(3, seed=4)
    assert np.array_equal(maps, again[0]) and np.array_equal(photos, again[1])
    assert "synthetic" in Labelled().open().train.notes[0]


def test_the_codec_is_kept_and_writes_maps_that_it_reads(tmp_path):
    _, codec = maps_of(folder(tmp_path, [Image.fromarray(3 * MAP)] * 2))
    write_codec(codec, tmp_path)
    again = read_codec(LabelCodec, tmp_path)
    assert again is not None and again.hash == codec.hash
    batch = {"input": torch.from_numpy(MAP)[None], "image": torch.zeros(1, 3, 4, 4)}
    shown, _ = codec.decode(batch)[0]
    assert np.array_equal(np.asarray(shown), 3 * MAP)  # the numbers of the user's files
    assert codec.encode([shown])["input"][0].tolist() == MAP.tolist()
    assert codec.write(batch, tmp_path / "sheet.png") == 1
    codec.write(batch, tmp_path / "arrays.npz")
    assert np.load(tmp_path / "arrays.npz")["input"][0].tolist() == MAP.tolist()


def test_the_sheet_shows_label_maps_in_colours():
    split = Labelled(path="shapes", limit=20).open()
    batch = split.train.some(4)
    picture = MODALITY.sheet(batch, split.codec, real=batch, columns=6, title="")
    assert picture.mode == "RGB"
    assert (70, 110, 200) in {colour for _, colour in picture.getcolors(2**24) or []}


def test_facades_have_their_twelve_classes():
    if not (facades := Labelled(path="facades", size=(16, 16), limit=8)):
        return
    try:
        split = facades.open()
    except UserError as error:
        pytest.skip(str(error))
    codec = split.codec
    assert isinstance(codec, LabelCodec) and len(codec.classes) == 12
    assert "facade" in split.train.notes[-1] and len(split.heldout or ()) == 106


def test_a_census_takes_numbers_in_rising_order():
    census = Census()
    census.add(values_of(Image.fromarray(np.array([[9, 4]], dtype=np.uint8))), "a")
    census.add(values_of(Image.fromarray(np.array([[4, 255]], dtype=np.uint8))), "b")
    assert census.settle("set").ids == (4, 9, 255)
    assert spread_colours(4).tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
