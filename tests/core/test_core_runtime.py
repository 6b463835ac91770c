"""Device, precision, micro-batches, and what goes wrong before a run begins."""

from __future__ import annotations

import json
import platform
import socket
import sys
from pathlib import Path

import pytest
import torch
from core_games import CPU
from safetensors.torch import load_file
from torch import nn

import zerosum
from zerosum.core.registry import recipe, runtime_of, system
from zerosum.core.runtime import Runtime, find_device, has_bfloat16
from zerosum.errors import UserError


@pytest.mark.parametrize("name", ["tpu", "cuda:99", "CPU", ""])
def test_a_device_that_is_not_there_is_named_with_those_that_are(name):
    with pytest.raises(UserError) as caught:
        find_device(name)
    assert f"device '{name}' is not there: this machine offers cpu" in str(caught.value)


def test_auto_is_a_device_that_is_there():
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert find_device("cpu") == CPU


def test_a_port_in_use_is_named_with_the_cure(monkeypatch):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        world = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for name, value in world.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(UserError, match=f"port {port} is in use") as caught:
            Runtime.start("cpu")
    assert "--master-port" in str(caught.value)
    assert not torch.distributed.is_initialized()


def test_wrong_devices_and_shares_end_the_command_in_one_line(run, tmp_path):
    ended = run("train", "gan/tiny", "--out", tmp_path / "r", "--device", "tpu", status=2)
    assert ended.err.strip().startswith("zerosum: device 'tpu' is not there")
    assert len(ended.err.strip().splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_alone_every_exchange_is_the_value_itself():
    runtime, norm = Runtime(CPU), nn.BatchNorm1d(1)
    assert runtime.first
    assert runtime.gather(3) == [3]
    assert runtime.share("x") == "x"
    assert runtime.mean({"a": 1.0}) == {"a": 1.0}
    runtime.broadcast(norm)
    runtime.synchronise_buffers(norm)
    parameter = nn.Parameter(torch.ones(1))
    runtime.average_gradients([parameter])
    assert parameter.grad is None


@pytest.mark.parametrize(
    ("micro", "sizes"), [(None, [10]), (10, [10]), (99, [10]), (4, [4, 4, 2]), (1, [1] * 10)]
)
def test_split_keeps_every_sample_in_order(micro, sizes):
    batch = {"x": torch.arange(10), "y": torch.arange(20).view(10, 2)}
    parts = Runtime(CPU, micro=micro).split(batch)
    assert [len(part["x"]) for part in parts] == sizes
    for name, whole in batch.items():
        assert torch.equal(torch.cat([part[name] for part in parts]), whole)


def test_autocast_only_where_it_was_asked_for():
    layer, x = nn.Linear(2, 2), torch.ones(1, 2)
    for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with Runtime(CPU, precision).autocast():
            assert layer(x).dtype == kind


@pytest.mark.parametrize(
    ("asked", "safe", "there", "taken"),
    [
        ("auto", True, True, "bf16"),
        ("auto", True, False, "fp32"),
        ("auto", False, True, "fp32"),
        ("bf16", False, False, "bf16"),
        ("fp32", True, True, "fp32"),
    ],
)
def test_auto_is_bf16_for_measured_games_where_the_hardware_has_it(
    monkeypatch, tmp_path, asked, safe, there, taken
):
    """The run says which it was."""
    monkeypatch.setattr("zerosum.core.runtime.has_bfloat16", lambda device: there)
    monkeypatch.setattr(system("dcgan").game, "bf16", safe)
    given = recipe("dcgan/tiny").override({"train.precision": asked, "train.examples": 16})
    assert runtime_of(given, "cpu").precision == taken
    zerosum.train(given, tmp_path, device="cpu", quiet=True)
    assert json.loads((tmp_path / "machine.json").read_text())["precision"] == taken


@pytest.mark.parametrize("begun", ["fp32", "bf16"])
def test_auto_decides_once_for_a_run(monkeypatch, tmp_path, begun):
    """Whatever the machine has on which it goes on, it ends as the run that was not stopped."""
    monkeypatch.setattr(system("dcgan").game, "bf16", True)
    given = recipe("dcgan/tiny").override({"train.precision": begun, "train.examples": 64})
    zerosum.train(given, tmp_path / "whole", device="cpu", quiet=True)
    auto = given.override({"train.precision": "auto"})
    monkeypatch.setattr("zerosum.core.runtime.has_bfloat16", lambda device: begun == "bf16")
    first = auto.override({"train.examples": 32})
    zerosum.train(first, tmp_path / "parts", device="cpu", quiet=True)
    monkeypatch.setattr("zerosum.core.runtime.has_bfloat16", lambda device: begun != "bf16")
    zerosum.train(auto, tmp_path / "parts", device="cpu", quiet=True)
    assert json.loads((tmp_path / "parts/machine.json").read_text())["precision"] == begun
    name = "checkpoints/step_00000004/game.safetensors"
    whole, parts = (load_file(tmp_path / run / name) for run in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_bf16_instructions_are_those_that_the_processor_lists():
    cpuinfo = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not cpuinfo.is_file():
        pytest.skip("only Linux on x86 lists them")
    flags = cpuinfo.read_text().split("flags", 1)[1].split("\n", 1)[0].split()
    assert has_bfloat16(CPU) == ("amx_bf16" in flags or "avx512_bf16" in flags)
    assert not has_bfloat16(torch.device("meta"))


def test_compile_replaces_the_forward_of_each_network():
    """Sequentials too: `Module.compile` would silently compile nothing of them."""
    nets = [nn.Sequential(nn.Linear(2, 2)), nn.Linear(2, 2)]
    before = [net.forward for net in nets]
    Runtime(CPU).compile(nets)
    assert all(net.forward != old for net, old in zip(nets, before, strict=True))
    assert "torch._dynamo" in sys.modules


def test_a_bf16_run_works_end_to_end(run, tmp_path):
    """RpGAN has R1 and R2 in its loss; weights stay in float32."""
    folder = tmp_path / "run"
    more = ["train.precision=bf16", "train.examples=64", "evaluate.samples=0"]
    run("train", "rpgan/tiny", "--out", folder, *more)
    weights = load_file(folder / "checkpoints/step_00000004/game.safetensors")
    assert all(w.dtype == torch.float32 and w.isfinite().all() for w in weights.values())
