"""The published networks: their architecture without weights, their answers with them."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.errors import UserError
from zerosum.modalities.images.extractors import extractor, inception, lite0
from zerosum.modalities.images.extractors.base import verified


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return inception.Inception2015().eval()


def test_inception_has_as_many_parameters_as_inception_v3(network):
    # Keras counts 23,817,352 trained ones for 1,000 classes, without the 17,216 scales of batch
    # normalisation that are here; eight more classes take 8 * 2,049.
    count = sum(p.numel() for p in network.parameters())
    assert count == 23_817_352 + 17_216 + 8 * 2_049


def test_inception_names_and_shapes_are_those_of_the_published_file(network):
    state = network.state_dict()
    expected = {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Conv2d_4a_3x3.bn.running_var": (192,),
        "Mixed_5b.branch_pool.conv.weight": (32, 192, 1, 1),
        "Mixed_5d.branch5x5_2.conv.weight": (64, 48, 5, 5),
        "Mixed_6a.branch3x3dbl_3.conv.weight": (96, 96, 3, 3),
        "Mixed_6b.branch7x7dbl_2.conv.weight": (128, 128, 7, 1),
        "Mixed_6e.branch7x7_2.conv.weight": (192, 192, 1, 7),
        "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
        "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
        "Mixed_7c.branch_pool.conv.weight": (192, 2048, 1, 1),
        "fc.weight": (1008, 2048),
        "fc.bias": (1008,),
    }
    assert {name: tuple(state[name].shape) for name in expected} == expected
    blocks = {name.split(".")[0] for name in state if name.startswith("Mixed")}
    stages = {"5": "bcd", "6": "abcde", "7": "abc"}
    assert blocks == {f"Mixed_{size}{b}" for size, letters in stages.items() for b in letters}
    # 94 convolutions with five tensors and a counter each, and the last layer.
    assert len(state) == 94 * 6 + 2


def test_inception_loads_strictly_with_or_without_counters(network):
    state = network.state_dict()
    bare = {name: t for name, t in state.items() if not name.endswith("num_batches_tracked")}
    inception.build(bare)
    with pytest.raises(RuntimeError, match=r"fc\.bias"):
        inception.build({name: t for name, t in bare.items() if name != "fc.bias"})
    with pytest.raises(RuntimeError, match="AuxLogits"):
        inception.build({**bare, "AuxLogits.fc.bias": torch.zeros(3)})


def test_inception_gives_pool3_and_logits_without_bias(network):
    x = torch.rand(1, 3, 299, 299, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        features, logits = network(x)
        assert features.shape == (1, 2048) and logits.shape == (1, 1008)
        torch.testing.assert_close(logits, features @ network.fc.weight.T)
        assert network.fc.bias.abs().max() > 0


def test_pooling_is_that_of_the_2015_graph():
    ones = torch.ones(1, 1, 4, 4)
    assert torch.equal(inception.mean_pool(ones), ones)  # padding would darken the edge
    mean, last = (inception.MixedE(4, maximum=m) for m in (False, True))
    last.load_state_dict(mean.state_dict())
    x = torch.rand(1, 4, 5, 5)
    mean, last = mean.eval()(x), last.eval()(x)
    assert torch.equal(mean[:, :-192], last[:, :-192])
    assert not torch.equal(mean[:, -192:], last[:, -192:])


def test_resizing_is_that_of_tensorflow_1():
    # A ramp sampled at i * size / side, held at its last pixel: no half-pixel centres.
    side, size = 10, 4
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    wanted = torch.tensor([min(i * size / side, size - 1.0) for i in range(side)])
    torch.testing.assert_close(inception.tf1_resized(ramp, side)[0, 0], wanted.expand(10, 10))
    turned = inception.tf1_resized(ramp.mT, side)[0, 0]
    torch.testing.assert_close(turned, wanted[:, None].expand(10, 10))
    # Shrinking by two takes every second pixel: nothing is averaged.
    x = torch.rand(1, 2, 8, 8)
    torch.testing.assert_close(inception.tf1_resized(x, 4), x[..., ::2, ::2])
    assert torch.equal(inception.tf1_resized(x, 8), x)


def test_inception_sees_levels_around_128(network, monkeypatch):
    seen = []
    monkeypatch.setattr(network, "forward", lambda x: (seen.append(x), (x, x))[1])
    whole = inception.InceptionExtractor.__new__(inception.InceptionExtractor)
    whole.network = network
    whole.outputs(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 5, 5))
    torch.testing.assert_close(seen[0][0], torch.full((3, 299, 299), -1.0))
    torch.testing.assert_close(seen[0][1], torch.full((3, 299, 299), 127 / 128))


@pytest.mark.parametrize("name", ["inception-2015", "efficientnet-lite0"])
def test_missing_weights_are_named_with_the_cure(name, monkeypatch, tmp_path):
    monkeypatch.setenv("ZEROSUM_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    with pytest.raises(UserError, match=rf"{name} needs .*\.pth .*set ZEROSUM_WEIGHTS"):
        extractor(name)


@pytest.mark.parametrize(
    ("name", "file"), [("inception-2015", inception.FILES[0]), ("efficientnet-lite0", lite0.FILE)]
)
def test_other_weights_are_never_taken(name, file, monkeypatch, tmp_path):
    (tmp_path / file).write_bytes(b"something else")
    monkeypatch.setenv("ZEROSUM_WEIGHTS", str(tmp_path))
    verified.cache_clear()
    with pytest.raises(UserError, match=f"is not the published {name}"):
        extractor(name)


def test_inception_is_found_in_the_torch_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("ZEROSUM_WEIGHTS", raising=False)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / inception.FILES[1]).write_bytes(b"something else")
    with pytest.raises(UserError, match="is not the published inception-2015"):
        extractor("inception-2015")


def test_lite0_has_the_published_size():
    state = lite0.EfficientNetLite0().state_dict()
    assert len(state) == 296
    assert sum(t.numel() for t in state.values()) == 4_694_073
    assert state["_blocks.15._project_conv.weight"].shape == (320, 1152, 1, 1)


def test_same_padding_puts_the_odd_pixel_last():
    conv = lite0.SameConv(1, 1, 3, stride=2, bias=False)
    torch.nn.init.ones_(conv.weight)
    counts = conv(torch.ones(1, 1, 4, 4))[0, 0]
    assert counts.tolist() == [[9, 6], [6, 4]]
    assert conv(torch.ones(1, 1, 5, 5))[0, 0].tolist() == [[4, 6, 4], [6, 9, 6], [4, 6, 4]]


@pytest.mark.parametrize(("picture", "label", "share"), [("23", 88, 0.93), ("20", 895, 0.51)])
def test_lite0_knows_a_macaw_and_a_warplane(picture, label, share):
    weights, data = (os.environ.get(f"ZEROSUM_{kind}") for kind in ("WEIGHTS", "DATA"))
    if not lite0.available() or data is None:
        pytest.skip("ZEROSUM_WEIGHTS or ZEROSUM_DATA does not hold what this needs")
    archive = Path(data) / "kodak" / "kodak24_webp_lossless.zip"
    if not archive.is_file():
        pytest.skip(f"no kodak pictures in {data}, weights in {weights}")
    with zipfile.ZipFile(archive) as file:
        name = next(n for n in file.namelist() if f"kodim{picture}" in n)
        image = Image.open(io.BytesIO(file.read(name))).convert("RGB")
    side = min(image.size)
    left, top = ((extent - side) // 2 for extent in image.size)
    square = np.array(image.crop((left, top, left + side, top + side)))
    tensor = torch.from_numpy(square).permute(2, 0, 1)[None] / 127.5 - 1
    network = extractor("efficientnet-lite0")
    chances = network.logits(tensor).softmax(1)[0]
    assert int(chances.argmax()) == label
    assert float(chances.max()) == pytest.approx(share, abs=0.006)
    assert network(tensor).shape == (1, 1280)
