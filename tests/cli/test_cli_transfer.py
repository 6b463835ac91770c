"""`--from`: a run that begins with the weights of another one or of a model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from cli_command import call, done

from zerosum.core.registry import build_game, recipe
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.training.prepare import prepare
from zerosum.training.run import read_run
from zerosum.training.trainer import train
from zerosum.training.transfer import begin_with, weights_of

SHORT = {"train.examples": 32, "evaluate.samples": 0}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("taught") / "run"
    train(recipe("rpgan/tiny").override(SHORT), folder, quiet=True)
    return folder


def game(**changes: object):
    chosen = recipe("rpgan/tiny").override({f"model.{n}": v for n, v in changes.items()})
    return build_game(prepare(chosen, Runtime(torch.device("cpu")))[1])


def test_all_that_fits_is_taken_averaged_where_it_is(taught: Path):
    fresh, snapshot = game(), read_run(taught).snapshot
    line = begin_with(fresh, taught)
    count = len(fresh.state_dict())
    assert line == f"begins with the weights in {taught}: {count} of {count} tensors"
    for name, tensor in fresh.state_dict().items():
        wanted = snapshot.ema.get(name, snapshot.game[name])
        torch.testing.assert_close(tensor, wanted, rtol=0, atol=0, msg=name)


def test_what_has_another_shape_begins_anew_and_is_named(taught: Path):
    other = game(latent=5)
    before = {name: t.clone() for name, t in other.state_dict().items()}
    line = begin_with(other, taught)
    new = [n for n, t in other.state_dict().items() if torch.equal(t, before[n])]
    new = [n for n in new if before[n].shape != weights_of(taught)[n].shape]
    assert len(new) == 1  # the layer from codes
    assert line.endswith(f"{len(before) - 1} of {len(before)} tensors; new are {new[0]}")


def test_an_exported_model_gives_the_same(taught: Path, tmp_path: Path):
    done("export", taught, "--to", tmp_path / "model")
    run, model = weights_of(taught), weights_of(tmp_path / "model")
    assert set(run) == set(model)
    for name, tensor in run.items():
        torch.testing.assert_close(tensor, model[name], rtol=0, atol=0)


def test_the_command_says_what_it_took_and_goes_on_without_taking_it_again(
    taught: Path, tmp_path: Path
):
    words = ["train", "rpgan/tiny", "evaluate.samples=0", "--from", taught]
    words += ["--out", tmp_path / "run"]
    first = call(*words, "train.examples=16")
    assert read_run(tmp_path / "run").recipe.train.start == str(taught)
    assert "begins with the weights" in first.err
    second = call(*words, "train.examples=32")
    assert "going on from" in second.err and "begins with" not in second.err


def test_what_cannot_be_begun_with_is_one_line(taught: Path, tmp_path: Path):
    with pytest.raises(UserError, match="holds no weights to begin with"):
        begin_with(game(), tmp_path)
    dcgan = build_game(
        prepare(recipe("dcgan/tiny").override({"model.width": 3}), Runtime(torch.device("cpu")))[1]
    )
    with pytest.raises(UserError, match=r"no weight in .* has the name and the shape"):
        begin_with(dcgan, taught)
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_text("torn")
    with pytest.raises(UserError, match=r"model.safetensors cannot be read"):
        weights_of(model)
