"""StarGAN beside a step written by hand, and `zerosum restyle` from files to files."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from typer.testing import CliRunner

import zerosum
from zerosum.cli.main import app
from zerosum.core.engine import play_step
from zerosum.core.optim import build_optimizers
from zerosum.core.runtime import Runtime
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.images.domains import Domains
from zerosum.models.translation.stargan import PRESETS, StarGAN
from zerosum.nets.stargan import DomainCritic, critic_halvings
from zerosum.nets.translator import ResidualTranslator
from zerosum.pipelines.restyle import Restyler

DOMAINS, SIDE = 3, 16


def game(**settings) -> StarGAN:
    torch.manual_seed(3)
    given = {"width": 4, "blocks": 1, "critic_width": 4, "critic_steps": 1}
    return StarGAN(
        StarGAN.Config(domains=DOMAINS, channels=1, size=(SIDE, SIDE), **{**given, **settings})
    )


def pictures(count: int = 4) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(5)
    drawn = 2 * torch.rand(2, count, 1, SIDE, SIDE, generator=rng) - 1
    labels = torch.randint(DOMAINS, (2, count), generator=rng)
    return {"input": drawn[0], "origin": labels[0], "image": drawn[1], "domain": labels[1]}


def test_a_step_equals_one_written_by_hand():
    ours, batch = game(), pictures()
    theirs = copy.deepcopy(ours)
    optimizers = build_optimizers(PRESETS["photos"].optim, ours.players())
    torch.manual_seed(7)
    log = play_step(ours, iter([batch]), optimizers, Runtime(torch.device("cpu")))

    star, critic = theirs.generator, theirs.critic
    d_moves = torch.optim.Adam(critic.parameters(), lr=1e-4, betas=(0.5, 0.999))
    g_moves = torch.optim.Adam(star.parameters(), lr=1e-4, betas=(0.5, 0.999))

    def moved(x, c):
        maps = F.one_hot(c, DOMAINS).float()[:, :, None, None].expand(-1, -1, SIDE, SIDE)
        return star(torch.cat([x, maps], 1))

    x, origin, target = batch["input"], batch["origin"], batch["domain"]
    torch.manual_seed(7)
    with torch.no_grad():
        fake = moved(x, target)
    source, scores = critic(x)
    apart = critic(fake)[0].mean() - source.mean()
    classified = F.cross_entropy(scores, origin)
    penalty = 10 * gradient_penalty(lambda p: critic(p)[0].mean((1, 2)), x, fake)
    (apart + classified + penalty).backward()
    d_moves.step()
    fake = moved(x, target)
    source, scores = critic(fake)
    back = 10 * (moved(fake, origin) - x).abs().mean()
    taken = F.cross_entropy(scores, target)
    star.zero_grad()
    (back + taken - source.mean()).backward()
    g_moves.step()

    wanted = {
        "critic/adversarial": apart,
        "critic/classification": classified,
        "critic/penalty": penalty,
        "generator/adversarial": -source.mean(),
        "generator/classification": taken,
        "generator/back": back,
    }
    for name, value in wanted.items():
        assert log[name].item() == pytest.approx(value.item(), rel=1e-4), name
    for name, weight in theirs.generator.state_dict().items():
        assert torch.allclose(ours.generator.state_dict()[name], weight, atol=1e-6), name


def test_the_domain_is_not_normalised_away():
    """With instance normalisation after the first layer, constant maps change nothing at all;
    without it the answers differ from the start."""
    told, lost = game().generator, ResidualTranslator(1 + DOMAINS, 1, width=4, blocks=1)
    x = pictures()["input"]

    def apart(translate) -> float:
        first, second = (translate(x, torch.full((4,), domain)) for domain in (0, 1))
        return float((first - second).abs().max().detach())

    def concatenated(given: torch.Tensor, domain: torch.Tensor) -> torch.Tensor:
        maps = F.one_hot(domain, DOMAINS).float()[:, :, None, None].expand(-1, -1, SIDE, SIDE)
        return lost(torch.cat([given, maps], 1))

    assert apart(concatenated) < 1e-4
    assert apart(told.told) > 1e-2


def test_the_papers_critic_has_the_papers_layers():
    """Table 5: six halvings of 128 pixels, 64 to 2048 maps, logits of 2x2 places."""
    assert critic_halvings((128, 128)) == 6 and critic_halvings((32, 32)) == 4
    critic = DomainCritic(3, (128, 128), 5, width=2)
    widths = [part.out_channels for part in critic.trunk if isinstance(part, torch.nn.Conv2d)]
    assert [32 * width for width in widths] == [64, 128, 256, 512, 1024, 2048]
    source, scores = critic(torch.zeros(2, 3, 128, 128))
    assert source.shape == (2, 2, 2) and scores.shape == (2, 5)


def test_it_follows_the_domains_and_says_what_it_needs():
    split = Domains(path="digits").open()
    found = StarGAN.Config().matched(DataSpec(split.train.fields))
    assert (found.domains, found.channels, found.size) == (4, 3, (8, 8))
    with pytest.raises(UserError, match=r"multiples of 16, not 8x8: set data\.size=16x16"):
        StarGAN.Config(halvings=4).matched(DataSpec(split.train.fields))
    with pytest.raises(UserError, match=r"data\.kind=domains"):
        StarGAN.Config().matched(DataSpec({"image": split.train.fields["image"]}))
    with pytest.raises(UserError, match="give domain"):
        game().sample(2, input=pictures()["input"][:2])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    recipe = zerosum.recipe("stargan/tiny").override(
        {"train.examples": 16, "evaluate.samples": 0, "data.limit": 64}
    )
    out = tmp_path_factory.mktemp("restyle") / "run"
    zerosum.train(recipe, out, device="cpu", quiet=True)
    return out


def command(*words) -> str:
    result = CliRunner().invoke(app, ["restyle", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def picture(side: tuple[int, int] = (8, 8)) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (*side, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_a_picture_is_what_the_generator_makes_of_it(run, tmp_path):
    picture().save(tmp_path / "a.png")
    said = command(run, tmp_path / "a.png", "--to", "rotated", "--out", tmp_path / "b.png")
    assert said.splitlines()[-1] == f"1 restyled to {tmp_path / 'b.png'}"
    restyler = Restyler.load(run)
    given = torch.from_numpy(np.asarray(picture()).copy()).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        wanted = restyler.generator.game.restyled(given, torch.tensor([2]))  # type: ignore
    made = np.asarray(Image.open(tmp_path / "b.png"))
    assert np.abs((wanted[0].permute(1, 2, 0).numpy() + 1) * 127.5 - made).max() <= 0.51
    assert not np.array_equal(made, np.asarray(restyler.restyle(picture(), "plain")))


def test_any_size_comes_back_at_that_size(run):
    restyler = Restyler.load(run)
    assert restyler.restyle(picture((13, 10)), "2", size="own").size == (10, 13)
    assert restyler.restyle(picture((16, 24)), "2").size == (12, 8)


def test_the_probe_knows_what_is_known(run, monkeypatch):
    """A generator that answers domain d with the grey level d / 2 - 1: two targets differ by a
    mean of (3 x 1/2 + 2 x 1 + 1 x 3/2) / 6 / 2, and one that ignores the domain by 0."""
    restyler = Restyler.load(run)
    star = restyler.generator.game

    def levels(given: torch.Tensor, domain: torch.Tensor) -> torch.Tensor:
        return (domain.float() / 2 - 1).view(-1, 1, 1, 1).expand_as(given)

    monkeypatch.setattr(star, "restyled", levels)
    found = restyler.condition_used(16)
    assert found.targets == pytest.approx(5 / 12) and found.pictures == 16
    monkeypatch.setattr(star, "restyled", lambda given, domain: given)
    assert restyler.condition_used(16).targets == restyler.condition_used(16).input == 0.0


def test_the_probe_is_a_command(run):
    assert "near 0 the domain is ignored" in command(run, "--probe")


def test_what_cannot_be_meant_is_refused(run, tmp_path):
    picture().save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"there is no class 'rotten': did you mean.*rotated"):
        command(run, tmp_path / "a.png", "--to", "rotten", "--out", tmp_path / "b.png")
    with pytest.raises(UserError, match=r"--to \(one of plain, inverted, rotated, coloured\)"):
        command(run, tmp_path / "a.png")
    with pytest.raises(UserError, match="takes no reference: leave --reference out"):
        Restyler.load(run).restyle(picture(), "plain", reference=picture())
