"""`dinov2` and `clip`, with tiny networks in the hub's format in place of the published ones."""

from __future__ import annotations

import hashlib
import json
import logging
import sys

import pytest
import torch
from torch.nn.functional import interpolate

from zerosum.errors import UserError
from zerosum.modalities.images.extractors import extractor
from zerosum.modalities.images.extractors.huggingface import KINDS, HubExtractor

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def images(n=3, channels=3, side=20, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, side, side, generator=rng) * 2 - 1


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    for name in KINDS:
        with pytest.raises(UserError, match=r"transformers .*pip install 'zerosum\[hub\]'"):
            extractor(name)


def test_a_colon_without_a_place_is_no_extractor():
    with pytest.raises(UserError, match="there is no extractor 'clip:': did you mean clip"):
        extractor("clip:")


@pytest.fixture(scope="module")
def library():
    return pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folders(library, tmp_path_factory):
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("hub")
    tower = {**SMALL, "intermediate_size": 32, "image_size": 32, "patch_size": 8}
    vision = library.CLIPVisionConfig(**tower, projection_dim=6)
    text = {**SMALL, "intermediate_size": 32, "vocab_size": 60, "eos_token_id": 2}
    networks = {
        "dinov2": library.Dinov2Model(
            library.Dinov2Config(**SMALL, image_size=28, patch_size=14, layerscale_value=0.5)
        ),
        "clip": library.CLIPVisionModelWithProjection(vision),
        "clip-whole": library.CLIPModel(
            library.CLIPConfig(text_config=text, vision_config=tower, projection_dim=6)
        ),
    }
    for name, network in networks.items():
        for parameter in network.parameters():  # not the small ones of the start of training
            torch.nn.init.normal_(parameter, std=0.3)
        network.save_pretrained(root / name)
    return root


def test_dinov2_gives_the_class_token_of_standardised_images(library, folders):
    found = extractor(f"dinov2:{folders / 'dinov2'}")
    x = images()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    large = interpolate(x, (224, 224), mode="bicubic", antialias=True).clamp(-1, 1)
    network = library.Dinov2Model.from_pretrained(folders / "dinov2").eval()
    with torch.no_grad():
        tokens = network((large * 0.5 + 0.5 - mean) / deviation).last_hidden_state
    assert tokens.shape == (3, 1 + 16 * 16, 16)
    torch.testing.assert_close(found(x), tokens[:, 0], rtol=1e-4, atol=1e-5)
    assert found.filter == "antialiased bicubic to 224x224 unless of that size"
    with pytest.raises(UserError, match="dinov2:dinov2 has no classes"):
        found.logits(x)


@pytest.mark.parametrize("folder", ["clip", "clip-whole"])
def test_clip_gives_the_embedding_of_the_image(library, folders, folder):
    """Of the same images, whether the folder holds the whole model or the one tower."""
    found = extractor(f"clip:{folders / folder}")
    x = images(side=32)  # the size of this network, so that nothing is resized
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
    deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    seen = (x * 0.5 + 0.5 - mean) / deviation
    with torch.no_grad():
        if folder == "clip":
            network = library.CLIPVisionModelWithProjection.from_pretrained(folders / folder)
            expected = network.eval()(seen).image_embeds
        else:
            network = library.CLIPModel.from_pretrained(folders / folder).eval()
            pooled = network.vision_model(seen).pooler_output
            expected = network.visual_projection(pooled)
    assert expected.shape == (3, 6)
    torch.testing.assert_close(found(x), expected, rtol=1e-4, atol=1e-5)
    assert found.filter == "antialiased bicubic to 32x32 unless of that size"


@pytest.mark.parametrize("kind", KINDS)
def test_what_goes_into_the_record(folders, kind):
    place = folders / kind
    found = extractor(f"{kind}:{place}")
    assert found.name == f"{kind}:{kind}"
    file = (place / "model.safetensors").read_bytes()
    assert found.weight_hash == hashlib.sha256(file).hexdigest()
    grey = images(channels=1)
    torch.testing.assert_close(found(grey), found(grey.expand(-1, 3, -1, -1)))
    assert found(grey).dtype == torch.float32 and not found(grey).requires_grad
    assert not found.network.training
    with pytest.raises(UserError, match=f"{kind}:{kind} reads grey or RGB"):
        found(images(channels=4))


def test_the_hash_is_in_the_score_s_record(folders):
    from zerosum.pipelines.evaluate import Evaluator

    name = f"clip:{folders / 'clip'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZEROSUM_CACHE", str(folders / "cache"))
        result = Evaluator(("kd",), samples=40, features=name).folders("digits", "digits")
    (record,) = result.scores
    assert record.metric == "kd-clip:clip" and record.features == "clip:clip"
    assert record.weight_hash == extractor(name).weight_hash


def test_other_models_are_refused_rather_than_filled_up_at_random(folders):
    for kind, other in (("dinov2", "clip"), ("clip", "dinov2")):
        with pytest.raises(UserError, match=f"^{kind}:.* is (no|it another) .*$"):
            extractor(f"{kind}:{folders / other}")


def test_files_of_torch_serve_too(library, folders, tmp_path):
    network = library.Dinov2Model.from_pretrained(folders / "dinov2")
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_bytes((folders / "dinov2" / "config.json").read_bytes())
    again = extractor(f"dinov2:{tmp_path}")
    x = images()
    torch.testing.assert_close(again(x), extractor(f"dinov2:{folders / 'dinov2'}")(x))
    file = (tmp_path / "pytorch_model.bin").read_bytes()
    assert again.weight_hash == hashlib.sha256(file).hexdigest()


def test_folders_that_are_not_there_or_hold_nothing_are_named(library, tmp_path):
    with pytest.raises(UserError, match=r"no folder .*nowhere: write --features clip:FOLDER"):
        extractor(f"clip:{tmp_path / 'nowhere'}")
    with pytest.raises(UserError, match=r"has no config.json with model.safetensors or"):
        extractor(f"clip:{tmp_path}")


def test_the_usual_one_is_looked_for_among_the_weights(folders, monkeypatch, tmp_path):
    monkeypatch.setenv("ZEROSUM_WEIGHTS", str(tmp_path))
    (tmp_path / "dinov2-base").symlink_to(folders / "dinov2")
    found = extractor("dinov2")
    assert found.name == "dinov2-base"  # as in fd-dinov2-base
    assert found.weight_hash == extractor(f"dinov2:{folders / 'dinov2'}").weight_hash


class Hub:
    """The part of `huggingface_hub` that is used, with some files on it and some fetched."""

    def __init__(self, errors, folder, files, cached=()):
        self.errors, self.folder, self.files, self.cached = errors, folder, files, set(cached)
        self.asked = []

    def hf_hub_download(self, repository, file, *, local_files_only):
        if local_files_only:
            if file not in self.cached:
                raise self.errors.LocalEntryNotFoundError(f"{file} was never fetched")
            return str(self.folder / file)
        self.asked.append((repository, file))
        if self.files is None:
            raise self.errors.LocalEntryNotFoundError("no way to the hub.\nmore words")
        if file not in self.files:
            raise self.errors.EntryNotFoundError(f"404: {file}")
        return str(self.folder / file)


@pytest.fixture
def hub(library, folders, monkeypatch):
    errors = pytest.importorskip("huggingface_hub").errors
    monkeypatch.delenv("ZEROSUM_WEIGHTS", raising=False)

    def put(*arguments):
        made = Hub(errors, folders / "clip", *arguments)
        monkeypatch.setitem(sys.modules, "huggingface_hub", made)
        return made

    return put


def test_weights_out_of_reach_are_told_in_one_line(hub):
    hub(None)
    with pytest.raises(UserError) as caught:
        HubExtractor("clip")
    line = str(caught.value)
    assert "\n" not in line and "openai/clip-vit-base-patch32" in line
    assert "(no way to the hub): check name and network" in line


def test_the_hub_is_asked_only_for_what_was_not_fetched(hub):
    both = ["config.json", "model.safetensors"]
    fresh = hub(both)
    found = HubExtractor("clip")
    assert found.name == "clip-vit-base-patch32"
    assert fresh.asked == [("openai/clip-vit-base-patch32", file) for file in both]
    kept = hub(None, both)
    assert HubExtractor("clip").weight_hash == found.weight_hash and not kept.asked


def test_loading_is_quiet_and_leaves_the_settings_of_others(folders, capsys, library):
    logger = logging.getLogger("transformers")
    level, bars = logger.level, library.utils.logging.is_progress_bar_enabled()
    extractor(f"clip:{folders / 'clip-whole'}")  # whose other tower is left out
    assert capsys.readouterr() == ("", "")
    assert (logger.level, library.utils.logging.is_progress_bar_enabled()) == (level, bars)


def test_the_width_of_the_embeddings_is_the_whole_model_s(folders):
    """Its vision part states another one, by default."""
    stated = json.loads((folders / "clip-whole" / "config.json").read_text())
    assert stated["projection_dim"] == 6 != stated["vision_config"]["projection_dim"]
