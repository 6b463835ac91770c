"""Sample sheets: what is drawn on them, and in which order."""

from __future__ import annotations

import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from zerosum.core import registry
from zerosum.core.game import Game, LatentGame, Progress
from zerosum.core.runtime import Runtime
from zerosum.data.fields import Category, Numbers
from zerosum.data.spec import GameConfig
from zerosum.modalities import modality
from zerosum.plots import draw_curves
from zerosum.training.prepare import prepare
from zerosum.training.run import RunFolder
from zerosum.training.sheets import SheetSeries, curve_panels


def digits():
    return prepare(registry.recipe("gan/tiny"), Runtime(torch.device("cpu")))[0]


def sheets(folder, game, split):
    return SheetSeries(RunFolder(folder), game, split, modality.find("images"))


def build(name, **options):
    found = registry.system(name)
    tiny = found.presets["tiny"].model
    options = {"channels": 1, "size": (8, 8), **options}
    return found.game(tiny.model_copy(update=options))


class Flags(LatentGame):
    """Images all of one grey, told by the condition `shade` of so many values."""

    def conditions(self):
        return {"angle": Numbers(shape=()), "shade": Category(count=self.values)}

    def __init__(self, values):
        super().__init__(self.Config())
        self.values, self.scale = values, torch.nn.Parameter(torch.ones(()))

    def players(self):
        return {"generator": [self]}

    def turns(self):
        return []

    def latent(self, n, rng=None):
        return self.normal(n, 1, rng=rng)

    def prior(self, n, rng=None) -> dict[str, Tensor]:
        angle = self.normal(n, rng=rng)
        return {"angle": angle, "shade": self.uniform_labels(n, self.values, rng)}

    def decode(self, z, condition):
        grey = 2 * condition["shade"] / (self.values - 1) - 1
        image = grey[:, None, None, None].expand(-1, 1, 8, 8)
        return {"image": self.scale * image, **condition}


@pytest.mark.parametrize("values", [5, 10])
def test_each_column_is_one_category_of_an_infogan(values, tmp_path):
    game = build("infogan", categories=values)
    series = sheets(tmp_path, game, digits())
    assert (series.columns, series.count) == (values, 10 * values)
    rows = series.condition["category"].reshape(-1, values)
    assert torch.equal(rows, torch.arange(values).expand(10, values))


def test_a_sheet_shows_a_category_in_each_column(tmp_path):
    series = sheets(tmp_path, Flags(6), digits())
    series.out.sheets.mkdir(parents=True)
    with Image.open(series.frame(Progress())) as sheet:
        side = (sheet.width + 4) // 6  # with the gap of 4 pixels
        assert sheet.height == 10 * side - 4
        found = [
            [sheet.getpixel((column * side + side // 2, row * side + side // 2)) for row in (0, 9)]
            for column in range(6)
        ]
    assert found == [[51 * column] * 2 for column in range(6)]


def test_a_condition_of_many_values_is_cycled_through(tmp_path):
    series = sheets(tmp_path, Flags(1_000_000), digits())
    assert (series.columns, series.count) == (10, 100)
    assert torch.equal(series.condition["shade"], torch.arange(100))


def test_labels_come_before_other_conditions_and_are_the_data_s(tmp_path):
    series = sheets(tmp_path, build("cgan", classes=10), digits())
    assert list(series.condition) == ["label"]
    assert torch.equal(series.condition["label"], torch.arange(100) % 10)


def test_no_condition_or_none_that_is_whole_leaves_a_square_sheet(tmp_path):
    class Angles(Flags):
        def conditions(self):
            return {"angle": Numbers(shape=())}

    class Plain(Game):
        """A game without a prior, all of whose conditions are its own affair."""

        def conditions(self):
            return {"mood": Numbers(shape=())}

        def players(self):
            return {}

        def turns(self):
            return []

        def sample(self, n, *, rng=None, **condition):
            return {}

    for game in (build("gan"), Angles(4), Plain(GameConfig())):
        series = sheets(tmp_path, game, digits())
        assert not series.condition and (series.columns, series.count) == (10, 100)


def test_looking_for_categories_leaves_the_run_s_randomness_alone(tmp_path):
    game, split = build("infogan"), digits()
    before = torch.get_rng_state()
    assert sheets(tmp_path, game, split).condition
    assert torch.equal(torch.get_rng_state(), before)


def test_a_score_without_a_reference_is_drawn_alone():
    """As `psnr` of a game that maps: two halves of the real answer nothing."""
    row = {"seen": 64, "scores": {"psnr": 20.0, "fd": 3.0}, "reference": {"fd": 1.0}}
    panels = curve_panels([], [row | {"reference_note": "two halves"}])
    figure = Figure()
    alone, beside = figure.subplots(1, 2)
    panels["psnr"](alone)
    panels["fd"](beside)
    assert [len(axis.lines) for axis in (alone, beside)] == [1, 2]


def test_a_curve_of_one_point_can_be_seen():
    figure = Figure()
    axis = figure.add_subplot()
    draw_curves(axis, {"one": [(64, 0.5)], "two": [(64, 0.5), (128, 0.4)]})
    assert [line.get_marker() for line in axis.lines] == ["o", ""]
