"""Extractors by name: pixels, random-conv, the shipped classifiers and the user's own."""

import os

import pytest
import torch
from torch import nn

from zerosum.errors import UserError
from zerosum.metrics.judge import score_name
from zerosum.modalities.images.extractors import (
    NAMES,
    FunctionExtractor,
    OnnxExtractor,
    extractor,
)
from zerosum.modalities.images.extractors.base import LUMA, grey, resized, state_hash
from zerosum.modalities.images.extractors.classifiers import SETS, facts, weights_file

SHIPPED = {"digits": 0.98, "mnist": 0.99, "fashion-mnist": 0.91, "cifar10": 0.75}


def images(n=6, channels=1, side=8, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, side, side, generator=rng) * 2 - 1


def test_pixels_are_the_pixels():
    x = images(channels=3)
    assert torch.equal(extractor("pixels")(x), x.flatten(1))


def test_too_many_pixels_are_refused_with_the_way_around():
    with pytest.raises(UserError, match=r"12,288 pixel values.*random-conv"):
        extractor("pixels")(images(1, 3, 64))


def test_random_conv_is_the_same_for_everyone():
    first, second = extractor("random-conv"), extractor("random-conv")
    torch.manual_seed(123)  # the global state plays no part
    third = extractor("random-conv")
    assert first.weight_hash == second.weight_hash == third.weight_hash
    assert len(first.weight_hash) == 64
    x = images(channels=3, side=20)
    assert torch.equal(first(x), third(x))
    assert first(x).shape == (6, first.dim)


def test_random_conv_tells_where_a_pattern_is():
    left, right = -torch.ones(2, 1, 1, 32, 32)
    left[..., :16], right[..., 16:] = 1.0, 1.0
    network = extractor("random-conv")
    assert (network(left) - network(right)).norm() > 0.1 * network(left).norm()


@pytest.mark.parametrize("name", ["random-conv", "cnn-digits"])
def test_features_do_not_depend_on_the_batch(name):
    x, network = images(), extractor(name)
    one_by_one = torch.cat([network(one[None]) for one in x])
    torch.testing.assert_close(network(x), one_by_one, rtol=1e-4, atol=1e-5)


def test_grey_is_luma_and_colour_of_grey_is_itself():
    x = images()
    torch.testing.assert_close(grey(x.expand(-1, 3, -1, -1), "x"), x)
    red = torch.zeros(1, 3, 2, 2)
    red[:, 0] = 1
    torch.testing.assert_close(grey(red, "x"), torch.full((1, 1, 2, 2), LUMA[0]))


def test_a_fourth_channel_is_refused():
    with pytest.raises(UserError, match="random-conv reads grey or RGB"):
        extractor("random-conv")(images(channels=4))
    with pytest.raises(UserError, match="cnn-digits reads grey or RGB"):
        extractor("cnn-digits")(images(channels=2))


def test_resizing_keeps_constants_and_averages_when_shrinking():
    flat = torch.full((1, 1, 30, 20), 0.25)
    torch.testing.assert_close(resized(flat, 7), torch.full((1, 1, 7, 7), 0.25))
    stripes = torch.tensor([-1.0, 1.0]).repeat(16).expand(1, 1, 32, 32)
    # Away from the edges nothing is left of stripes finer than the new pixels.
    assert resized(stripes, 8)[..., 1:-1].abs().max() < 0.05


@pytest.mark.parametrize("data", SHIPPED)
def test_shipped_classifiers_say_what_they_are(data):
    known = facts(data)
    assert float(known["accuracy"]) >= SHIPPED[data]
    assert known["seed"] == "0"
    assert known["data"].startswith(data) and "/train, " in known["data"]
    assert weights_file(data).stat().st_size < 2**20


def held_out(data, count):
    from zerosum.modalities.images import Images

    if data != "digits" and "ZEROSUM_DATA" not in os.environ:
        pytest.skip("ZEROSUM_DATA is not set")
    source = Images(path=data).open().heldout
    # Spread over the whole part, whose pictures may be sorted by class.
    step = max(1, len(source) // count)
    return source.finished(range(0, len(source), step))


@pytest.mark.parametrize("data", ["digits", "mnist", "fashion-mnist"])
def test_shipped_classifiers_still_reach_their_accuracy(data):
    batch = held_out(data, 1000)
    network = extractor(f"cnn-{data}")
    right = (network.logits(batch["image"]).argmax(1) == batch["label"]).float().mean()
    # Three standard errors of a thousand pictures.
    assert float(right) == pytest.approx(float(facts(data)["accuracy"]), abs=0.027)
    assert network(batch["image"][:3]).shape == (3, network.dim)


def test_the_digits_classifier_knows_them_enlarged_and_coloured():
    batch = held_out("digits", 1000)
    large = resized(batch["image"], 24).expand(-1, 3, -1, -1)
    right = extractor("cnn-digits").logits(large).argmax(1) == batch["label"]
    assert float(right.float().mean()) > 0.9


def test_names_are_checked_with_the_nearest():
    with pytest.raises(UserError, match="no extractor 'cnn-digit': did you mean cnn-digits"):
        extractor("cnn-digit")
    with pytest.raises(UserError, match="no extractor 'cnn-': "):
        extractor("cnn-")
    assert {f"cnn-{data}" for data in SETS} < set(NAMES)


def test_a_classifier_without_weights_says_how_to_make_them(monkeypatch, tmp_path):
    monkeypatch.setattr("zerosum.modalities.images.extractors.classifiers.FOLDER", tmp_path)
    with pytest.raises(UserError, match=r"tools/train_feature_cnns.py digits"):
        extractor("cnn-digits")


def test_only_the_inception_of_2015_has_the_published_names():
    assert [score_name(m, "inception-2015") for m in ("fd", "kd", "is")] == ["FID", "KID", "IS"]
    assert score_name("precision", "inception-2015") == "precision-inception-2015"
    for features in (*NAMES[:-1], "onnx:a.onnx"):
        assert score_name("fd", features) == f"fd-{features}"
    with pytest.raises(UserError, match="choose another name"):
        FunctionExtractor(lambda x: x, "inception-2015")


def test_any_callable_serves():
    half = FunctionExtractor(lambda x: x.mean((2, 3)), "mean")
    x = images(channels=3)
    torch.testing.assert_close(half(x), x.mean((2, 3)))
    with pytest.raises(UserError, match="mean has no classes"):
        half.logits(x)
    with pytest.raises(UserError, match="one row for each of 6 images"):
        FunctionExtractor(lambda x: x[:2], "short")(x)


def test_torchscript_files_serve(tmp_path):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    path = tmp_path / "net.pt"
    torch.jit.save(torch.jit.trace(network, images()), path)
    loaded = extractor(f"torchscript:{path}")
    torch.testing.assert_close(loaded(images()), network(images()).detach())
    assert loaded.name == "torchscript:net.pt" and len(loaded.weight_hash) == 64
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="is no TorchScript file"):
        extractor(f"torchscript:{path}")
    with pytest.raises(UserError, match=r"no file .*missing"):
        extractor("torchscript:missing.pt")


def test_onnx_files_serve(tmp_path):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["x"], ["y"])],
        "mean",
        [helper.make_tensor_value_info("x", kind, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", kind, ["n", 3, 1, 1])],
    )
    opset = [helper.make_opsetid("", 17)]
    path = tmp_path / "mean.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    x = images(channels=3)
    torch.testing.assert_close(extractor(f"onnx:{path}")(x), x.mean((2, 3)))
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read as ONNX"):
        OnnxExtractor(path)


def test_a_hash_sees_names_and_values():
    state = {"a": torch.zeros(2), "b": torch.ones(2)}
    assert state_hash(state) == state_hash(dict(reversed(state.items())))
    assert state_hash(state) != state_hash({"a": torch.zeros(2), "c": torch.ones(2)})
    assert state_hash(state) != state_hash({"a": torch.zeros(2), "b": torch.tensor([1.0, 2.0])})
