"""`zerosum generate` and `zerosum export`: pictures, arrays, models to ship."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_command import call, contents, done, opened, spawn
from PIL import Image

import zerosum


def arrays(path):
    with np.load(path) as archive:
        return dict(archive)


# -- generate ------------------------------------------------------------------------------


def test_a_folder_gets_one_picture_per_sample(trained, tmp_path):
    out = done("generate", trained.path, "-n", 12, "--out", "many")
    assert "many" in out
    files = sorted((tmp_path / "here" / "many").iterdir())
    assert [file.name for file in files] == [f"{number:02}.png" for number in range(12)]
    pictures = zerosum.load(trained.path).sample(12, seed=0)
    for file, picture in zip(files, pictures):
        with Image.open(file) as stored:
            assert stored.mode == "L" and stored.size == (8, 8)
            assert stored.tobytes() == picture.tobytes()


def test_a_folder_names_the_class_of_labelled_samples(labelled, tmp_path):
    done("generate", labelled.path, "-n", 3, "--labels", "4,7", "--out", "many")
    names = sorted(file.name for file in (tmp_path / "here" / "many").iterdir())
    assert names == ["0_class4.png", "1_class7.png", "2_class4.png"]


def test_a_png_is_one_sheet(trained):
    done("generate", trained.path, "-n", 25, "--out", "sheet.png")
    sheet = opened(Path("sheet.png"))
    gap = (sheet.width - 10 * 96) // 9  # each digit is enlarged twelvefold
    assert gap > 0 and sheet.height == 3 * 96 + 2 * gap


def test_an_npz_holds_uint8_images_with_the_channels_last(trained):
    done("generate", trained.path, "-n", 7, "--seed", 3, "--out", "s.npz")
    (name, images), *rest = arrays("s.npz").items()
    assert name == "images" and not rest
    assert images.dtype == np.uint8 and images.shape == (7, 8, 8, 1)
    tensor = zerosum.load(trained.path).sample(7, seed=3, decode=False)
    expected = ((tensor + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)
    assert np.array_equal(images, expected.numpy())


def test_an_npz_of_a_labelled_model_holds_the_labels_it_was_asked_for(labelled):
    done("generate", labelled.path, "-n", 5, "--labels", "0,1", "--out", "s.npz")
    found = arrays("s.npz")
    assert set(found) == {"images", "labels"}
    assert found["labels"].tolist() == [0, 1, 0, 1, 0]
    done("generate", labelled.path, "-n", 300, "--out", "all.npz")
    assert set(arrays("all.npz")["labels"].tolist()) == set(range(10))


def test_labels_change_the_samples(labelled):
    for label in (2, 3):
        done("generate", labelled.path, "-n", 4, "--labels", label, "--out", f"{label}.npz")
    assert not np.array_equal(arrays("2.npz")["images"], arrays("3.npz")["images"])


def test_points_are_float32_samples(points):
    done("generate", points.path, "-n", 9, "--out", "s.npz")
    (name, samples), *rest = arrays("s.npz").items()
    assert name == "samples" and not rest
    assert samples.dtype == np.float32 and samples.shape == (9, 2)
    done("generate", points.path, "-n", 500, "--out", "plot.png")
    opened(Path("plot.png"))


def test_the_same_seed_gives_the_same_samples_and_another_seed_others(trained):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        done("generate", trained.path, "-n", 6, "--seed", seed, "--out", f"{name}.npz")
    a, b, c = (arrays(f"{name}.npz")["images"] for name in "abc")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


# -- export --------------------------------------------------------------------------------


def test_an_exported_model_samples_as_its_run_does(labelled):
    out = done("export", labelled.path, "--to", "model")
    files = contents(Path("model"))
    assert set(files) == {
        "README.md",
        "codec.json",
        "config.json",
        "critic.safetensors",
        "model.safetensors",
    }
    assert all(name in out for name in files)
    for seed in (0, 1):
        mine = zerosum.load("model").sample(5, seed=seed, decode=False, label=3)
        theirs = zerosum.load(labelled.path).sample(5, seed=seed, decode=False, label=3)
        assert torch.equal(mine, theirs)
    done("generate", "model", "-n", 4, "--labels", 9, "--out", "s.npz")


def test_the_model_card_names_data_scores_and_protocol(trained):
    done("export", trained.path, "--to", "model")
    card = Path("model/README.md").read_text()
    for words in ("# dcgan/tiny", "digits", "fd-pixels", "Protocol: ", "licence", "640"):
        assert words in card
    config = json.loads(Path("model/config.json").read_text())
    assert config["format"] == 1 and config["system"] == "dcgan"


@pytest.mark.parametrize("kind", ["trained", "labelled", "points"])
def test_onnx_gives_torchs_samples_at_any_batch_size(kind, request):
    runtime = pytest.importorskip("onnxruntime")
    run = request.getfixturevalue(kind)
    ended = call("export", run.path, "--to", "model", "--onnx")
    assert ended.status == 0 and ended.err == ""  # torch's own chatter is not ours
    assert "generator.onnx" in ended.out
    session = runtime.InferenceSession("model/generator.onnx", providers=["CPUExecutionProvider"])
    game = zerosum.load(run.path, device="cpu").game
    for n in (1, 3, 11):
        rng = torch.Generator().manual_seed(n)
        z, conditions = game.latent(n, rng), game.prior(n, rng)
        feeds = {"z": z.numpy(), **{name: value.numpy() for name, value in conditions.items()}}
        assert {one.name for one in session.get_inputs()} == set(feeds)
        with torch.no_grad():
            expected = next(iter(game.decode(z, conditions).values()))
        found = torch.from_numpy(session.run(["sample"], feeds)[0])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_a_missing_extra_is_named_before_anything_is_written(trained):
    """In a process in which onnxruntime is not there, as after a plain `pip install zerosum`."""
    blocked = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'onnxruntime':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "from zerosum.cli.main import main\n"
        "main()\n"
    )
    ended = spawn(sys.executable, "-c", blocked, "export", trained.path, "--to", "model", "--onnx")
    assert ended.status == 2
    assert ended.err.startswith("zerosum: onnxruntime is not installed")
    assert "pip install 'zerosum[export]'" in ended.err and ended.err.count("\n") == 1
    assert not Path("model").exists()
