"""Official files become model folders that draw what the official networks draw."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from official_files import EasyDict, Plain, fixture, tree, write_persistent, write_plain
from typer.testing import CliRunner

import zerosum
from zerosum.cli.main import app
from zerosum.convert import biggan, r3gan, stylegan2, stylegan3
from zerosum.convert.official import read_official
from zerosum.core.registry import system
from zerosum.errors import UserError
from zerosum.pipelines.importing import import_official


def official(value):
    """Arguments with the official code's dictionaries in them."""
    return (
        EasyDict({k: official(v) for k, v in value.items()}) if isinstance(value, dict) else value
    )


def state_of(*groups):
    return {name: torch.from_numpy(np.array(a)) for group in groups for name, a in group.items()}


def style2(tmp_path, critic=False):
    """A file of StyleGAN2-ADA, and its arguments and tensors."""
    meta, parameters, buffers, _ = fixture("sg2_G_cifar_like_r32_map2")
    kwargs = meta["kwargs"]
    networks = {"G": None, "D": None, "G_ema": tree(parameters, buffers, kwargs=official(kwargs))}
    if critic:
        d_kwargs = {
            "c_dim": 0,
            "img_resolution": 32,
            "img_channels": 3,
            "channel_base": 512,
            "channel_max": 16,
            "architecture": "orig",
            "num_fp16_res": 0,
            "conv_clamp": None,
            "block_kwargs": {},
            "mapping_kwargs": {},
            "epilogue_kwargs": {"mbstd_group_size": 8},
        }
        made = critic_of(d_kwargs)
        networks["D"] = tree(made, {}, kind="Discriminator", kwargs=official(d_kwargs))
    file = tmp_path / "network-snapshot.pkl"
    write_persistent(file, networks)
    return file, kwargs, state_of(parameters, buffers)


def critic_of(kwargs):
    """Tensors of a new discriminator, by their official names."""
    from zerosum.nets.stylegan2_critic import Discriminator

    torch.manual_seed(1)
    net = Discriminator(0, 3, (32, 32), base=512, most=16, architecture="orig", group=8)
    held = dict(net.named_parameters())
    return {
        name: held[ours].detach().numpy()
        for name, ours in net.official_names().items()
        if ours in held
    }


def sampled(folder, n=3):
    game = zerosum.load(folder).game
    z = torch.randn(n, game.latent_size, generator=torch.Generator().manual_seed(4))
    label = torch.arange(n)
    with torch.no_grad():
        return z, game.decode(z, {"label": label})["image"]


def test_stylegan2_draws_the_same_and_its_licence_is_on_the_card(tmp_path):
    file, kwargs, state = style2(tmp_path)
    done = import_official(file, tmp_path / "model")
    assert [f.name for f in done.files] == [
        "README.md", "codec.json", "config.json", "model.safetensors",
    ]  # fmt: skip
    z, images = sampled(tmp_path / "model")
    net = stylegan2.generator(kwargs, state)
    with torch.no_grad():
        wanted = net.synthesis(net.mapping(z, None), noise="const").clamp(-1, 1)
    assert torch.equal(images, wanted)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "imported by zerosum from network-snapshot.pkl, of StyleGAN2-ADA" in card
    assert "Licence of the weights: NVIDIA Source Code License" in card
    assert "non-commercial" in card and "examples seen" not in card
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["system"] == "stylegan2"
    held = {name: config["model"][name] for name in ("layers", "base", "most", "latent", "style")}
    assert held == {"layers": 2, "base": 512, "most": 16, "latent": 32, "style": 32}


def test_a_discriminator_comes_along_with_its_settings(tmp_path):
    file, _, _ = style2(tmp_path, critic=True)
    done = import_official(file, tmp_path / "model")
    assert "critic.safetensors" in [f.name for f in done.files]
    model = done.recipe.model
    assert (model.critic_architecture, model.group, model.clamp) == ("orig", 8, None)
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    game = zerosum.load(tmp_path / "model").game
    with torch.no_grad():
        judged = game.critics()["discriminator"]({"image": x})
        wanted = done.networks.discriminator(x, torch.zeros(4, 0))
    assert torch.equal(judged, wanted.flatten())


def test_stylegan3_draws_the_same(tmp_path):
    meta, parameters, buffers, _ = fixture("sg3_t_r32")
    file = tmp_path / "t.pkl"
    net = tree(parameters, buffers, kwargs=official(meta["kwargs"]))
    write_persistent(file, {"G_ema": net})
    import_official(file, tmp_path / "model")
    z, images = sampled(tmp_path / "model")
    net = stylegan3.generator(meta["kwargs"], state_of(parameters, buffers))
    with torch.no_grad():
        wanted = net.synthesis(net.mapping(z, None)).clamp(-1, 1)
    torch.testing.assert_close(images, wanted, rtol=1e-5, atol=1e-6)


def halves(state, name):
    return {key[2:]: value for key, value in state.items() if key.startswith(f"{name}.")}


def test_r3gan_is_read_from_the_shapes_of_its_tensors(tmp_path):
    meta, parameters, buffers, _ = fixture("r3gan_cifar_like_cond_r32")
    file = tmp_path / "r3gan.pkl"
    nets = {
        name: tree(halves(parameters, name), halves(buffers, name), Plain, z_dim=16, c_dim=10)
        for name in ("G", "D")
    }
    write_plain(file, {**nets, "G_ema": nets["G"]})
    done = import_official(file, tmp_path / "model")
    assert done.recipe.facts["classes"] == 10
    z, images = sampled(tmp_path / "model")
    G, D = r3gan.networks(meta["G"], meta["D"], 10, state_of(parameters, buffers))
    c = torch.eye(10)[:3]
    with torch.no_grad():
        wanted = G(z, c)
        torch.testing.assert_close(images, wanted.clamp(-1, 1), rtol=1e-4, atol=1e-5)
        game = zerosum.load(tmp_path / "model").game
        judged = game.critics()["discriminator"]({"image": wanted, "label": torch.arange(3)})
        torch.testing.assert_close(judged.flatten(), D(wanted, c).flatten(), rtol=1e-4, atol=1e-4)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "none is stated by the authors of R3GAN" in card


def test_biggan_is_read_with_the_discriminator_beside_it(tmp_path):
    meta, parameters, buffers, _ = fixture("biggan_cifar_like_r32")
    state = state_of(parameters, buffers)
    for letter, file in (("G", "G_ema_best0.pth"), ("D", "D_best0.pth")):
        torch.save(halves(state, letter), tmp_path / file)
    done = import_official(tmp_path / "G_ema_best0.pth", tmp_path / "model")
    held = done.networks.settings
    assert (held["width"], held["critic_width"], held["latent"], held["classes"]) == (4, 4, 20, 10)
    assert done.networks.averaged and held["shared"] == 0
    z, images = sampled(tmp_path / "model")
    G, D = biggan.networks(meta["kwargs"], state)
    y = torch.arange(3)
    game = zerosum.load(tmp_path / "model").game
    with torch.no_grad():
        wanted = G.eval()(z, y)
        torch.testing.assert_close(images, wanted, rtol=1e-5, atol=1e-6)
        judged = game.critics()["discriminator"]({"image": wanted, "label": y})
        torch.testing.assert_close(judged, D.eval()(wanted, y).flatten(), rtol=1e-5, atol=1e-5)
    assert "MIT licence" in (tmp_path / "model" / "README.md").read_text()


def test_biggan_with_shared_embedding_hierarchical_codes_and_attention(tmp_path):
    """Its own arguments come back from the shapes of its tensors."""
    asked = {
        "size": (32, 32),
        "channels": 3,
        "classes": 7,
        "latent": 20,
        "width": 4,
        "critic_width": 6,
        "shared": 11,
        "hierarchical": True,
        "attention": 16,
    }
    kind = system("biggan").game
    game = kind(kind.Config(**asked))
    torch.save(game.generator.state_dict(), tmp_path / "G.pth")
    torch.save(game.discriminator.state_dict(), tmp_path / "D.pth")
    found = read_official(tmp_path / "G.pth")
    assert {name: found.settings[name] for name in asked} == asked and not found.averaged
    (tmp_path / "D.pth").unlink()
    assert read_official(tmp_path / "G.pth").discriminator is None


# -- the command ----------------------------------------------------------------------------


def typed(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_writes_a_folder_that_generate_takes(tmp_path):
    file, _, _ = style2(tmp_path)
    model = tmp_path / "model"
    done = typed("import", file, "--to", model, "--data", "photos/of/them")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "network-snapshot.pkl: StyleGAN2-ADA, 32x32, no classes"
    assert "it has no discriminator: whoever trains on begins with a new one" in lines
    assert any(line.startswith("licence of the weights: NVIDIA") for line in lines)
    config = json.loads((model / "config.json").read_text())
    assert config["recipe"]["data"]["path"] == "photos/of/them"
    assert config["recipe"]["data"]["size"] == [32, 32]
    made = typed("generate", model, "-n", 4, "--seed", 0, "--out", tmp_path / "s.npz")
    assert made.exit_code == 0, made.output
    assert np.load(tmp_path / "s.npz")["images"].shape == (4, 32, 32, 3)


def test_the_folder_must_be_empty_and_is_left_alone(tmp_path):
    file, _, _ = style2(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").touch()
    with pytest.raises(UserError, match="is not empty: name another folder with --to"):
        import_official(file, tmp_path / "model")


# -- what cannot be imported ----------------------------------------------------------------


def edited(tmp_path, **changes):
    """A file of StyleGAN2 with other arguments."""
    meta, parameters, buffers, _ = fixture("sg2_G_cifar_like_r32_map2")
    kwargs = {**meta["kwargs"], **changes}
    file = tmp_path / "other.pkl"
    write_persistent(file, {"G_ema": tree(parameters, buffers, kwargs=official(kwargs))})
    return file


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"mapping_kwargs": {"num_layers": 2, "lr_multiplier": 0.1}},
            "lr_multiplier=0.1, and our",
        ),
        ({"colour": 3}, "built with colour=3, which nobody knows"),
        ({"mapping_kwargs": {"num_layers": 3}}, "lacks the tensor mapping.fc2"),
        ({"z_dim": None}, "arguments or tensors that make no network"),
        ({"img_resolution": "x"}, "make no network"),
        ({"mapping_kwargs": [1]}, r"mapping_kwargs=\[1\], which nobody knows here"),
        ({"w_dim": 10**9}, "says w_dim=1000000000, which its tensors cannot be"),
        ({"img_resolution": 2**40}, "says img_resolution=1099511627776"),
        ({"c_dim": -1}, "says c_dim=-1"),
        ({"synthesis_kwargs": {"channel_max": 10**9}}, "synthesis_kwargs.channel_max=1000000000"),
    ],
)
def test_arguments_that_do_not_fit_are_named(tmp_path, changes, words):
    file = edited(tmp_path, **changes)
    with pytest.raises(UserError, match=words) as error:
        read_official(file)
    assert str(file) in str(error.value) and "\n" not in str(error.value)


def test_a_discriminator_of_another_width_is_named(tmp_path):
    file = tmp_path / "wide.pkl"
    meta, parameters, buffers, _ = fixture("sg2_G_cifar_like_r32_map2")
    _, d_parameters, _, _ = fixture("sg2_D_resnet_cond10_r16_mb4")
    networks = {
        "D": tree(d_parameters, {}, kind="Discriminator", kwargs={"channel_base": 1024}),
        "G_ema": tree(parameters, buffers, kwargs=official(meta["kwargs"])),
    }
    write_persistent(file, networks)
    with pytest.raises(UserError, match="discriminator has base=1024 and its generator 512"):
        read_official(file)


def test_other_files_are_named_in_one_line(tmp_path):
    unknown = tmp_path / "unknown.pkl"
    write_persistent(unknown, {"G_ema": tree({"conv.weight": np.zeros(3, np.float32)}, {})})
    lucid = tmp_path / "model_1.pt"
    torch.save({"GAN": {"G.initial_block": torch.zeros(3)}, "version": "1.9"}, lucid)
    text = tmp_path / "text.pth"
    text.write_text("nothing")
    only_d = tmp_path / "d.pkl"
    write_persistent(only_d, {"D": tree({"b4.conv.weight": np.zeros(3, np.float32)}, {})})
    for file, words in (
        (unknown, "that is no generator of .* begin with conv.weight"),
        (lucid, "is of lucidrains' stylegan2"),
        (text, "is no file of tensors alone"),
        (only_d, "holds no generator, but D"),
        (tmp_path / "none.pkl", "there is no file"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(UserError, match=words) as error:
            read_official(file)
        assert "\n" not in str(error.value) and str(file) in str(error.value)
