"""Try-on beside its equations, its two phases, and `zerosum tryon`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from typer.testing import CliRunner

from zerosum.cli.main import app
from zerosum.core.game import Progress
from zerosum.core.registry import build_game, recipe
from zerosum.core.runtime import Runtime
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.modalities.images.dressed import Dressed
from zerosum.modalities.images.fields import ImageField
from zerosum.models.translation.tryon import TryOn, alone, composed
from zerosum.pipelines import export
from zerosum.pipelines.tryon import Dresser
from zerosum.training.prepare import prepare


@pytest.fixture(scope="module")
def outfits() -> dict[str, torch.Tensor]:
    return Dressed(limit=4).open().train.finished(range(4))


def game(**settings) -> TryOn:
    torch.manual_seed(3)
    config = recipe("tryon/tiny").model.model_copy(
        update={"channels": 3, "size": (64, 48), **settings}
    )
    assert isinstance(config, TryOn.Config)
    return TryOn(config)


# -- equations ------------------------------------------------------------------------------------


def test_an_answer_is_garment_where_the_mask_is_one_and_picture_where_it_is_none():
    garment, rendered = torch.full((1, 3, 1, 3), 0.8), torch.full((1, 3, 1, 3), -0.4)
    made = composed(garment, rendered, torch.tensor([[[[1.0, 0.0, 0.25]]]]))
    assert torch.allclose(made[0, 0, 0], torch.tensor([0.8, -0.4, 0.25 * 0.8 - 0.75 * 0.4]))


def test_what_is_worn_is_seen_alone_on_white():
    picture = torch.full((1, 3, 1, 3), -0.5)
    made = alone(picture, torch.tensor([[[[1.0, -1.0, 0.0]]]]))
    assert torch.allclose(made[0, 0, 0], torch.tensor([-0.5, 1.0, 0.25]))


def test_a_new_model_bends_nothing(outfits):
    garment, shape = game().bent(outfits)
    assert torch.allclose(garment, outfits["garment"], atol=1e-5)
    assert torch.allclose(shape, outfits["garment_mask"], atol=1e-5)


def test_the_losses_are_those_of_the_paper(outfits):
    ours = game(adversarial=0.0, distance=2.0, mask=3.0, shape=5.0)
    terms = ours.matcher_loss(outfits)
    share = (outfits["worn"] + 1) / 2
    worn = outfits["image"] * share + 1 - share
    assert torch.allclose(terms["warp"], (outfits["garment"] - worn).abs().mean(), atol=1e-5)
    shape = (outfits["garment_mask"] - outfits["worn"]).abs().mean()
    assert torch.allclose(terms["shape"], 5 * shape, atol=1e-5)

    seen = torch.cat([outfits[n] for n in ("input", "garment", "garment_mask")], dim=1)
    made = ours.generator(seen, noise=False)
    mask = (made[:, 3:] + 1) / 2
    answer = mask * outfits["garment"] + (1 - mask) * made[:, :3]
    terms = ours.generator_loss(outfits)
    assert set(terms) == {"l1", "mask"}
    assert torch.allclose(terms["l1"], 2 * (answer - outfits["image"]).abs().mean(), atol=1e-4)
    assert torch.allclose(terms["mask"], 3 * (mask - share).abs().mean(), atol=1e-4)
    assert torch.allclose(ours.answered(outfits)["image"], answer, atol=1e-4)


def test_the_critic_judges_person_garment_and_picture(outfits):
    ours = game(adversarial=0.5)
    fake = ours.answered(outfits)["image"]

    def says(picture):
        seen = torch.cat([outfits["input"], outfits["garment"], picture], dim=1)
        return ours.discriminator(seen)

    real, made = says(outfits["image"]), says(fake)
    wanted = F.softplus(-real).mean() + F.softplus(made).mean()
    assert torch.allclose(ours.discriminator_loss(outfits)["adversarial"], wanted, atol=1e-4)
    term = ours.generator_loss(outfits)["adversarial"]
    assert torch.allclose(term, 0.5 * F.softplus(-made).mean(), atol=1e-4)


# -- phases ---------------------------------------------------------------------------------------


def test_the_matcher_learns_first_and_then_rests():
    ours = game(warping=0.25)

    def movers(seen: int, total: int) -> list[str]:
        ours.progress = Progress(0, seen, total)
        return [name for turn in ours.turns() for name in turn.players]

    assert movers(0, 1000) == movers(249, 1000) == ["matcher"]
    assert movers(250, 1000) == movers(999, 1000) == ["discriminator", "generator"]
    assert movers(0, 0) == ["matcher", "discriminator", "generator"]
    assert game(adversarial=0.0).turns()[-1].players == ("generator",)


def test_dressing_moves_no_weight_of_the_matcher(outfits):
    ours = game()
    sum(ours.generator_loss(outfits).values()).backward()
    grads = [one.grad for one in ours.generator.parameters()]
    assert all(one is not None for one in grads)
    assert ours.matcher not in ours.players()["generator"]


# -- refusals -------------------------------------------------------------------------------------


def test_sampling_without_a_garment_says_what_is_missing(outfits):
    with pytest.raises(UserError, match="give garment and garment_mask"):
        game().sample(4, input=outfits["input"])
    given = {name: outfits[name] for name in ("input", "garment", "garment_mask")}
    with pytest.raises(UserError, match="3 samples were asked for with 4 of input"):
        game().sample(3, **given)


def test_pictures_too_small_to_be_matched_are_refused():
    fields = {name: ImageField(shape=(3, 8, 8)) for name in TryOn.Config.needs}
    with pytest.raises(UserError, match=r"8x8 are too small to be matched: set data.size"):
        TryOn.Config().matched(DataSpec(fields))


# -- people's pictures ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("tryon") / "model"
    full = recipe("tryon/tiny").override({"data.size": (64, 48)})
    split, found = prepare(full, Runtime.start("cpu"))
    torch.manual_seed(0)
    export.write(build_game(found), found, split.codec, place, place / "none")
    return place


def pictures(outfits) -> tuple[Image.Image, Image.Image]:
    person, garment = (
        Image.fromarray(((outfits[n][0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())
        for n in ("input", "garment")
    )
    return person, garment


def test_a_picture_of_the_models_size_is_answered_as_the_model_does(model, outfits):
    dresser = Dresser.load(model, device="cpu")
    person, garment = pictures(outfits)
    answer = dresser(person, garment)
    given = {name: outfits[name][:1] for name in ("input", "garment")}
    mask = (outfits["garment"][:1].min(1, keepdim=True).values < 245 / 127.5 - 1).float() * 2 - 1
    with torch.no_grad():
        wanted = dresser.generator.game.sample(1, **given, garment_mask=mask)["image"]
    levels = ((wanted[0] + 1) * 127.5).round().permute(1, 2, 0).numpy()
    assert np.abs(np.asarray(answer) - levels).max() <= 1 and dresser.notes == []


def test_a_person_of_another_size_is_answered_at_its_own(model, outfits):
    dresser = Dresser.load(model, device="cpu")
    person, garment = pictures(outfits)
    large = person.resize((150, 200), Image.Resampling.NEAREST)
    answer = dresser(large, garment.resize((99, 70)))
    assert answer.size == (150, 200)
    assert dresser.notes == [
        "at the model's size of 48x64 pixels, and back to 150x200: it knows no other"
    ]


def test_a_photo_is_blanked_by_its_region(model, outfits):
    dresser = Dresser.load(model, device="cpu")
    person, garment = pictures(outfits)
    hidden = (np.asarray(person) == 128).all(axis=2)
    photo = np.asarray(person).copy()
    photo[hidden] = (250, 20, 20)
    with pytest.raises(UserError, match=r"blank nowhere: make torso and arms grey .*--region"):
        dresser(Image.fromarray(photo), garment)
    region = Image.fromarray(hidden.astype(np.uint8) * 255)
    ours, wanted = dresser(Image.fromarray(photo), garment, region), dresser(person, garment)
    assert np.array_equal(np.asarray(ours), np.asarray(wanted))


def test_a_picture_without_a_garment_is_refused(model, outfits):
    dresser = Dresser.load(model, device="cpu")
    person, garment = pictures(outfits)
    with pytest.raises(UserError, match=r"shows no garment on white: .*--garment-mask"):
        dresser(person, Image.new("RGB", (48, 64), "white"))
    with pytest.raises(UserError, match="the garment and its mask differ in size"):
        dresser(person, garment, garment_mask=Image.new("L", (10, 10), 255))


def test_the_command_dresses_a_person_and_a_folder_of_them(model, outfits, tmp_path: Path):
    person, garment = pictures(outfits)
    (tmp_path / "people").mkdir()
    person.save(tmp_path / "people" / "a.png")
    person.resize((96, 128)).save(tmp_path / "people" / "b.png")
    garment.save(tmp_path / "shirt.png")
    shirt, out = str(tmp_path / "shirt.png"), tmp_path / "dressed.png"
    one = [str(model), str(tmp_path / "people" / "a.png"), shirt]
    run = CliRunner().invoke(app, ["tryon", *one, "--out", str(out), "--quiet"])
    assert run.exit_code == 0, run.output
    assert Image.open(out).size == (48, 64)
    many = [str(model), str(tmp_path / "people"), shirt, "--out", str(tmp_path / "out")]
    run = CliRunner().invoke(app, ["tryon", *many, "--quiet"])
    assert (
        "2 pictures written" in run.output and Image.open(tmp_path / "out" / "b.png").width == 96
    )
    run = CliRunner().invoke(app, ["tryon", *many, "--quiet"])
    assert "0 pictures written" in run.output and "2 were there already" in run.output


def test_a_model_that_dresses_nobody_is_named(tmp_path: Path):
    split, found = prepare(recipe("pix2pix/tiny"), Runtime.start("cpu"))
    export.write(build_game(found), found, split.codec, tmp_path / "model", tmp_path / "none")
    with pytest.raises(UserError, match="is a pix2pix, which dresses nobody: give a run of tryon"):
        Dresser.load(tmp_path / "model", device="cpu")
