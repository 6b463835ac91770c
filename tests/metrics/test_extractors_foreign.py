"""Networks from files that ask for something, or cannot do what they are asked."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zerosum.errors import UserError
from zerosum.modalities.images.extractors import extractor


@pytest.fixture
def exported(tmp_path):
    """Write an ONNX network from an input of a shape to the mean of each channel, or others."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto

    def write(shape, kind="FLOAT", nodes=("GlobalAveragePool", "Flatten"), inputs=("x",)):
        names = [*inputs[:1], *(f"h{i}" for i in range(1, len(nodes))), "y"]
        made = [helper.make_node(op, [names[i]], [names[i + 1]]) for i, op in enumerate(nodes)]
        given = [helper.make_tensor_value_info(n, getattr(kinds, kind), shape) for n in inputs]
        result = helper.make_tensor_value_info("y", getattr(kinds, kind), None)
        graph = helper.make_graph(made, "g", given, [result])
        opset = [helper.make_opsetid("", 17)]
        path = tmp_path / "net.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
        return f"onnx:{path}"

    return write


@pytest.mark.parametrize("batch", [1, 4, 7, "b", None])
def test_a_fixed_batch_is_fed_as_it_asks(batch, exported):
    images = torch.rand(7, 3, 8, 8)
    found = extractor(exported([batch, 3, 8, 8]))(images)
    torch.testing.assert_close(found, images.mean((2, 3)))


def test_a_fixed_size_is_reached_and_said(exported):
    images = torch.rand(5, 3, 8, 12) * 2 - 1
    chosen = extractor(exported(["b", 3, 16, 24]))
    wanted = F.interpolate(images, (16, 24), mode="bilinear", antialias=True)
    torch.testing.assert_close(chosen(images), wanted.mean((2, 3)))
    assert chosen.filter == "antialiased bilinear to 16x24"
    assert extractor(exported(["b", 3, "h", "w"])).filter == "none of ours"


def test_fixed_channels_are_reached(exported):
    grey = torch.rand(3, 1, 8, 8)
    found = extractor(exported(["b", 3, 8, 8]))(grey)
    torch.testing.assert_close(found, grey.mean((2, 3)).expand(-1, 3))
    found = extractor(exported(["b", 1, 8, 8]))(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(found, grey.mean((2, 3)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shape": ["b", 8, 8, 3]}, "channels first"),
        ({"shape": ["b", 3, 8, 8], "kind": "DOUBLE", "nodes": ("Relu",)}, "one float32 input"),
        ({"shape": ["b", 3, 8, 8], "inputs": ("x", "z")}, "one float32 input"),
        ({"shape": ["b", 192], "nodes": ("Relu",)}, "one float32 input"),
        ({"shape": ["b", 3, "h", 8]}, "of any or of one fixed size"),
    ],
)
def test_an_onnx_file_that_takes_no_images_is_refused_when_it_is_read(settings, words, exported):
    with pytest.raises(UserError, match=words) as caught:
        extractor(exported(**settings))
    assert "net.onnx" in str(caught.value) and "\n" not in str(caught.value)


class Wrong(nn.Module):
    """Networks that cannot be used, by what they do."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.linear = nn.Linear(7, 2)
        self.what = what

    def forward(self, images):
        if self.what == "shape":
            return self.linear(images)
        if self.what == "one":
            return images.sum()
        if self.what == "nan":
            return images.flatten(1) / 0 * 0
        return images.half().flatten(1)[:, :0]


@pytest.mark.parametrize("what", ["shape", "one", "nan", "empty"])
def test_a_torchscript_file_that_cannot_be_used_is_named(what, tmp_path):
    path = tmp_path / "net.pt"
    torch.jit.script(Wrong(what)).save(path)
    with pytest.raises(UserError, match=r"torchscript:net\.pt") as caught:
        extractor(f"torchscript:{path}")(torch.rand(4, 3, 8, 8))
    assert "\n" not in str(caught.value)
