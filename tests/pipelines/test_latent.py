"""Tools that look into a latent space."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.errors import UserError
from zerosum.pipelines import latent
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.latent import Directions, Projector, Space
from zerosum.pipelines.latent.directions import read_scores

PEAK = 4.0
"""Square of the largest difference of two pixels."""


@pytest.fixture(scope="module")
def codes(digits):
    return Space.load(digits, device="cpu")


@pytest.fixture(scope="module")
def styles(styled):
    return Space.load(styled, device="cpu")


def psnr(a, b):
    return 10 * math.log10(PEAK / float((a - b).square().mean()))


def test_a_point_is_the_first_sample_of_its_seed(codes, styles, labelled, digits, styled):
    for space, run in ((codes, digits), (styles, styled)):
        generator = Generator.load(run, device="cpu")
        wanted = torch.cat([generator.sample(1, seed=s, decode=False) for s in (3, 9)])
        torch.testing.assert_close(space.pictures(space.points([3, 9])), wanted)
    told = Space.load(labelled, condition={"label": 7}, device="cpu")
    wanted = Generator.load(labelled, device="cpu").sample(1, seed=3, decode=False, label=7)
    torch.testing.assert_close(told.pictures(told.points([3])), wanted)


def test_styles_are_taken_where_there_are_some(codes, styles, digits, points):
    assert (codes.name, styles.name) == ("z", "w")
    assert styles.points([0]).shape == (1, 6, 8)  # waves, four layers, colours
    with pytest.raises(UserError, match="dcgan has no styles: use --space z"):
        Space.load(digits, "w", device="cpu")
    with pytest.raises(UserError, match="truncation is of styles"):
        Space.load(digits, truncation=0.5, device="cpu")
    plane = Space.load(points, device="cpu")
    with pytest.raises(UserError, match="toy makes no pictures"):
        plane.pictures(plane.points([0]))


def test_truncation_goes_towards_the_mean_style(styled, styles):
    half = Space.load(styled, truncation=0.25, device="cpu").points([1])
    mean = styles.styled.mean_style()
    torch.testing.assert_close(half, mean + 0.25 * (styles.points([1]) - mean))


def test_walks_pass_their_stops():
    stops = torch.tensor([[3.0, 0.0], [0.0, 3.0], [-3.0, 0.0]])
    straight = latent.walk(stops, 2)
    wanted = [[3, 0], [1.5, 1.5], [0, 3], [-1.5, 1.5], [-3, 0]]
    torch.testing.assert_close(straight, torch.tensor(wanted))
    round_ = latent.walk(stops, 2, "spherical")
    torch.testing.assert_close(round_.norm(dim=1), torch.full((5,), 3.0))
    torch.testing.assert_close(round_[1], torch.tensor([1.0, 1.0]) * 3 / math.sqrt(2))
    loop = latent.walk(stops, 2, loop=True)
    torch.testing.assert_close(loop[:5], straight)
    torch.testing.assert_close(loop[5], torch.tensor([0.0, 0.0]))
    assert len(loop) == 6
    with pytest.raises(UserError, match="at least 2 stops"):
        latent.walk(stops[:1], 2)


def test_layers_have_numbers_and_names():
    assert latent.parse_layers("0-2,5", 6) == [0, 1, 2, 5]
    assert latent.parse_layers("coarse", 6) == [0, 1]
    assert latent.parse_layers("fine, 0", 6) == [0, 4, 5]
    assert latent.parse_layers("all", 3) == [0, 1, 2]
    for wrong in ("6", "3-1", "x", "", "-1"):
        with pytest.raises(UserError, match=r"numbered 0 to 5|names no layers"):
            latent.parse_layers(wrong, 6)


def test_a_mix_takes_the_chosen_layers_of_the_columns():
    rows, columns = torch.zeros(2, 4, 3), torch.ones(5, 4, 3)
    mixed = latent.mix(rows, columns, [0, 3])
    assert mixed.shape == (2, 5, 4, 3)
    assert mixed[1, 2, :, 0].tolist() == [1, 0, 0, 1]
    assert float(rows.sum()) == 0


def test_ganspace_finds_the_principal_components_of_styles(styles):
    found = latent.ganspace(styles, 3, samples=500, seed=4)
    w = styles.many(500, 4)[:, 0].double().numpy()
    values, vectors = np.linalg.eigh(np.cov(w.T))
    np.testing.assert_allclose(found.spread, np.sqrt(values[::-1][:3]), rtol=1e-4)
    along = np.abs((found.vectors.numpy() * vectors.T[::-1][:3]).sum(1))
    np.testing.assert_allclose(along, 1, rtol=1e-4)
    with pytest.raises(UserError, match="ask for 1 to 8"):
        latent.ganspace(styles, 9, samples=500)


def test_sefa_finds_what_layers_answer_to_most(styles):
    chosen = [1, 2]
    found = latent.sefa(styles, 8, layers=chosen, samples=300)
    weights = styles.styled.style_weights()
    matrix = torch.cat([weights[k] for k in chosen]).detach()
    answers = (matrix @ found.vectors.t()).norm(dim=0)
    wanted = torch.linalg.svdvals(matrix)
    torch.testing.assert_close(answers[: len(wanted)], wanted[:8], rtol=1e-4, atol=1e-4)
    w = styles.many(300)[:, 0]
    torch.testing.assert_close(found.spread, (w @ found.vectors.t()).std(0))


def test_a_boundary_is_normal_to_a_linear_score(codes):
    points = codes.many(2_000)
    normal = torch.zeros_like(points[0])
    normal[:2] = torch.tensor([0.6, -0.8])
    found, right = latent.boundary(codes, points, (points @ normal).tolist(), name="x")
    assert float((found.vectors[0] * normal).sum()) > 0.99
    assert right > 0.97
    # Codes have variance 1 along any direction.
    assert float(found.spread[0]) == pytest.approx(1, abs=0.05)
    with pytest.raises(UserError, match="the same x"):
        latent.boundary(codes, points, [1.0] * 2_000, name="x")
    with pytest.raises(UserError, match="at least 50"):
        latent.boundary(codes, points[:20], [1.0] * 20, name="x")


def test_what_is_measured():
    pictures = torch.zeros(1, 3, 2, 2)
    pictures[:, 0], pictures[:, 2] = 0.5, -0.25
    assert latent.measured(pictures, "brightness") == [pytest.approx(0.25 / 3)]
    assert latent.measured(pictures, "warmth") == [0.75]
    assert latent.measured(pictures, "saturation") == [0.75]
    assert latent.measured(pictures, "contrast") == [0.0]
    with pytest.raises(UserError, match=r"no attribute 'warmht': did you mean warmth\?"):
        latent.measured(pictures, "warmht")
    with pytest.raises(UserError, match="these pictures are grey"):
        latent.measured(pictures[:, :1], "warmth")


def test_directions_are_kept_and_gone_along(styles, codes, tmp_path):
    vectors = torch.eye(8)[:2]
    Directions(vectors, torch.tensor([2.0, 1.0]), "w", "test").save(tmp_path / "d.safetensors")
    found = Directions.load(tmp_path / "d.safetensors")
    assert (found.space, found.about) == ("w", "test")
    points = styles.points([0, 1])
    moved = found.edited(points, 0, [-1, 0.5], [1, 3])
    assert moved.shape == (2, 2, 6, 8)
    change = (moved - points[:, None])[0]
    wanted = torch.zeros(2, 6, 8)
    wanted[0, [1, 3], 0], wanted[1, [1, 3], 0] = -2.0, 1.0
    torch.testing.assert_close(change, wanted)
    with pytest.raises(UserError, match="numbered 0 to 1"):
        found.edited(points, 2, [1])
    wide = Directions(torch.eye(9)[:1], torch.ones(1), "w", "test")
    with pytest.raises(UserError, match="of another model or space"):
        wide.edited(points, 0, [1])
    (tmp_path / "not").write_text("x")
    for name in ("not", "absent"):
        with pytest.raises(UserError, match="holds no directions"):
            Directions.load(tmp_path / name)


def test_scores_are_read_and_a_wrong_line_is_named(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text("seed,score\n3,0.5\n4,-1\n")
    assert read_scores(file) == ([3, 4], [0.5, -1.0])
    file.write_text("seed,score\n3,high\n")
    with pytest.raises(UserError, match=r"s\.csv, line 2"):
        read_scores(file)
    file.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="columns seed and score"):
        read_scores(file)


@pytest.mark.parametrize("kind", ["z", "w", "w+"])
def test_a_sample_is_found_again(kind, codes, styles):
    space = codes if kind == "z" else styles
    target = space.pictures(space.points([5]))
    found = Projector(space, kind, "pixels").project(target, steps=150)
    assert found.psnr > 40
    assert found.psnr == pytest.approx(psnr(found.picture, target), abs=0.01)
    assert len(found.curve) == 150
    torch.testing.assert_close(space.pictures(found.point).clamp(-1, 1), found.picture)


def test_tuning_bends_the_generator_to_a_picture_that_it_could_not_make(styles):
    target = -styles.pictures(styles.points([7])).flip(3)
    before = {name: p.clone() for name, p in styles.game.named_parameters()}
    projector = Projector(styles, "w", "pixels")
    first = projector.project(target, steps=40)
    tuned = projector.project(target, steps=40, tune=40)
    assert tuned.psnr > first.psnr + 0.5
    torch.testing.assert_close(tuned.point, first.point)
    for name, parameter in styles.game.named_parameters():
        assert torch.equal(parameter, before[name]) and parameter.requires_grad
    own = Space(tuned.generator)
    torch.testing.assert_close(own.pictures(tuned.point).clamp(-1, 1), tuned.picture)


def test_a_picture_of_any_size_is_framed_as_the_data_were(styles):
    picture = Image.new("RGB", (40, 30), (255, 255, 255))
    target = Projector(styles, distance="pixels").target(picture)
    assert target.shape == (1, 1, 8, 8)
    assert float(target.min()) == float(target.max()) == 1.0


def test_what_is_shown_moves_where_a_path_says(styled):
    still = latent.path(4, "shift", reach=0.25)
    torch.testing.assert_close(still[0], torch.eye(3))
    # A quarter of a circle of radius 0.25 sides: 0.5 half sides right, 0.5 down.
    torch.testing.assert_close(still[1, :2, 2], torch.tensor([0.5, 0.5]))
    turned = latent.path(4, "turn")[1]
    torch.testing.assert_close(turned[:2, :2], torch.tensor([[0.0, -1.0], [1.0, 0.0]]))
    with pytest.raises(UserError, match="make no film"):
        latent.path(0)
    space = Space.load(styled, device="cpu")
    point = space.points([0])
    shift = torch.eye(3)[None]
    shift[0, 0, 2] = 2 / 4  # two of eight pixels to the right
    plain, moved = space.pictures(point), space.pictures(point, shift)
    inside = psnr(moved[..., 2:], plain[..., :-2])
    assert inside > psnr(moved, plain) + 6
    assert inside > 30


def test_a_game_that_cannot_move_is_named(codes):
    with pytest.raises(UserError, match="dcgan cannot move what it shows: stylegan3 can"):
        codes.pictures(codes.points([0]), torch.eye(3)[None])


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_film_has_its_frames(suffix, tmp_path):
    frames = torch.linspace(-1, 1, 6).view(6, 1, 1, 1).expand(6, 1, 9, 15)
    file = tmp_path / f"film{suffix}"
    latent.write_video(frames, file, fps=12)
    if suffix == ".gif":
        with Image.open(file) as film:
            assert (getattr(film, "n_frames", 1), film.size) == (6, (270, 162))
            assert film.info["duration"] == 80  # hundredths of a second, rounded
        return
    av = pytest.importorskip("av")
    with av.open(str(file)) as film:
        stream = film.streams.video[0]
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
        assert (stream.average_rate, stream.codec_context.name) == (12, "h264")
    assert len(pictures) == 6
    assert pictures[0].shape == (162, 270, 3)
    for number, picture in enumerate(pictures):
        assert float(picture.mean()) == pytest.approx(51 * number, abs=3)


def test_a_film_may_be_a_folder_and_nothing_else(tmp_path):
    frames = torch.zeros(3, 3, 4, 4)
    latent.write_video(frames, tmp_path / "film")
    assert sorted(p.name for p in (tmp_path / "film").iterdir()) == [
        f"{k:05d}.png" for k in range(3)
    ]
    with pytest.raises(UserError, match=r"x\.avi: a film is \.mp4"):
        latent.write_video(frames, tmp_path / "x.avi")
