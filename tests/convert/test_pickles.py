"""Official pickles are read as names and numbers; a pickle that wants more is refused by name."""

from __future__ import annotations

import builtins
import os
import pickle

import numpy as np
import pytest
import torch
from official_files import EasyDict, Node, Plain, tree, write_persistent, write_plain

from zerosum.convert.pickles import read_pickle
from zerosum.errors import UserError

PARAMETERS = {
    "mapping.fc0.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "synthesis.b4.const": np.ones((1, 2, 2), np.float32),
}
BUFFERS = {"mapping.w_avg": np.full(3, 0.5, np.float32), "count": np.array(7)}
KWARGS = {
    "z_dim": 3,
    "mapping_kwargs": EasyDict(num_layers=2),
    "synthesis_kwargs": EasyDict(channel_base=512, conv_clamp=None, shape=[np.float64(1.5), 2]),
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_persistent_network_is_its_name_arguments_and_tensors(tmp_path, protocol):
    file = tmp_path / "network.pkl"
    net = tree(PARAMETERS, BUFFERS, kwargs=KWARGS, z_dim=3, scale=np.float64(0.25))
    write_persistent(file, {"G": net, "D": None, "G_ema": net}, protocol)
    found = read_pickle(file)
    assert list(found) == ["G", "G_ema"]
    read = found["G_ema"]
    assert read.kind == "Generator"
    assert read.kwargs == {
        "z_dim": 3,
        "mapping_kwargs": {"num_layers": 2},
        "synthesis_kwargs": {"channel_base": 512, "conv_clamp": None, "shape": [1.5, 2]},
    }
    assert read.attributes["z_dim"] == 3 and read.attributes["scale"] == 0.25
    assert set(read.tensors) == {*PARAMETERS, *BUFFERS}
    for name, value in {**PARAMETERS, **BUFFERS}.items():
        assert read.tensors[name].dtype == torch.from_numpy(np.array(value)).dtype
        assert np.array_equal(read.tensors[name].numpy(), value)


def test_a_plain_module_is_read_too_and_views_of_one_storage(tmp_path):
    file = tmp_path / "network.pkl"
    net = tree({}, {}, Plain)
    whole = torch.arange(12.0)
    net.register_buffer("turned", whole[2:8].view(2, 3).T)
    net.part = torch.nn.Linear(2, 1, dtype=torch.bfloat16)
    write_plain(file, {"G_ema": net})
    read = read_pickle(file)["G_ema"]
    assert read.kind == "training.networks_baseline.Plain" and read.kwargs == {}
    assert torch.equal(read.tensors["turned"], torch.tensor([[2.0, 5], [3, 6], [4, 7]]))
    assert torch.equal(read.tensors["part.weight"], net.part.weight)


def test_a_file_that_is_one_network_has_no_name(tmp_path):
    with open(tmp_path / "one.pkl", "wb") as stream:
        pickle.dump(torch.nn.Linear(2, 3), stream)
    read = read_pickle(tmp_path / "one.pkl")[""]
    assert read.kind == "torch.nn.modules.linear.Linear"
    assert read.tensors["weight"].shape == (3, 2)


# -- malice ---------------------------------------------------------------------------------


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def mark(folder):
    return f"import pathlib; pathlib.Path({str(folder / 'ran')!r}).touch()"


def refused(tmp_path, data, name):
    file = tmp_path / "evil.pkl"
    file.write_bytes(data if isinstance(data, bytes) else pickle.dumps(data))
    with pytest.raises(UserError, match="nothing in it was run") as error:
        read_pickle(file)
    assert f"asks for {name}, which no file of networks needs" in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_a_call_of_the_system_is_refused(tmp_path):
    evil = Calls(os.system, f"touch {tmp_path / 'ran'}")
    refused(tmp_path, evil, f"{os.name}.system")


def test_builtins_that_run_text_are_refused(tmp_path):
    for function in (builtins.eval, builtins.exec):
        refused(tmp_path, Calls(function, mark(tmp_path)), f"builtins.{function.__name__}")


def test_a_chain_of_attributes_is_refused(tmp_path):
    chain = Calls(getattr, Calls(__import__, "os"), "system")
    refused(tmp_path, {"G": chain}, "builtins.getattr")
    # Protocol 4 may name a path through attributes, here from a module that may be named.
    path = b"\x80\x04\x8c\x08training\x8c\x09os.system\x93."
    refused(tmp_path, path, "training.os.system")
    through = b"\x80\x04\x8c\x0dtorch.nn.init\x8c\x0fwarnings.sys.ps\x93."
    refused(tmp_path, through, "torch.nn.init.warnings.sys.ps")


def test_a_call_within_a_call_is_refused(tmp_path):
    inner = Calls(os.system, f"touch {tmp_path / 'ran'}")
    net = tree(PARAMETERS, BUFFERS, kwargs={"z_dim": inner})
    file = tmp_path / "evil.pkl"
    write_persistent(file, {"G_ema": net})
    refused(tmp_path, file.read_bytes(), f"{os.name}.system")


def test_other_doors_are_refused(tmp_path):
    refused(tmp_path, b"cposix\nsystem\n(S'true'\ntR.", "posix.system")
    refused(tmp_path, b"(S'true'\niposix\nsystem\n.", "posix.system")
    refused(tmp_path, b"ctorch.hub\nload\n.", "torch.hub.load")
    refused(tmp_path, b"ctorch\nload\n.", "torch.load")
    refused(tmp_path, b"cpickle\nloads\n.", "pickle.loads")
    refused(tmp_path, b"cnumpy\nload\n.", "numpy.load")


def test_code_in_the_persistence_record_is_text(tmp_path):
    file = tmp_path / "network.pkl"

    class Evil(Node):
        source = mark(tmp_path)

    net = tree(PARAMETERS, BUFFERS, kwargs=KWARGS)
    net.__class__ = Evil
    write_persistent(file, {"G_ema": net})
    assert mark(tmp_path).encode() in file.read_bytes()
    assert read_pickle(file)["G_ema"].kwargs["z_dim"] == 3
    assert not (tmp_path / "ran").exists()


def test_a_hostile_storage_is_not_run(tmp_path):
    """The bytes of a tensor are an archive of their own, which may be a pickle again."""
    file = tmp_path / "network.pkl"
    net = tree({}, {}, Plain)
    write_plain(file, {"G": net})
    evil = pickle.dumps(Calls(os.system, f"touch {tmp_path / 'ran'}"))
    net._parameters["weight"] = Calls(
        torch._utils._rebuild_tensor_v2,
        Calls(torch.storage._load_from_bytes, evil),
        0,
        (1,),
        (1,),
        False,
        {},
    )
    write_plain(file, {"G": net})
    with pytest.raises(UserError, match="damaged"):
        read_pickle(file)
    assert not (tmp_path / "ran").exists()


# -- other files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is no whole pickle: EOFError"),
        (b"\x89PNG\r\n", "is no whole pickle"),
        (pickle.dumps({"a": 1}), "holds no network"),
        (pickle.dumps([1, 2]), "holds no network"),
        (b"cdnnlib.tflib.network\nNetwork\n.", "holds networks of TensorFlow"),
    ],
)
def test_what_is_no_network_is_said_in_one_line(tmp_path, data, words):
    file = tmp_path / "other.pkl"
    file.write_bytes(data)
    with pytest.raises(UserError, match=words) as error:
        read_pickle(file)
    assert "\n" not in str(error.value) and str(file) in str(error.value)


def test_a_cut_file_is_said_to_be_one(tmp_path):
    file = tmp_path / "network.pkl"
    write_persistent(file, {"G_ema": tree(PARAMETERS, BUFFERS, kwargs=KWARGS)})
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(UserError, match="is no whole pickle"):
        read_pickle(file)


def test_a_tensor_beyond_its_bytes_is_refused(tmp_path):
    net = tree({}, {}, Plain)
    storage = pickle.loads(pickle.dumps(torch.zeros(4))).untyped_storage()
    net._parameters["weight"] = Calls(
        torch._utils._rebuild_tensor_v2,
        torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True),
        0,
        (9, 9),
        (9, 1),
        False,
        {},
    )
    write_plain(tmp_path / "far.pkl", {"G": net})
    with pytest.raises(UserError, match="a tensor reaches beyond its bytes"):
        read_pickle(tmp_path / "far.pkl")


def test_damaged_bytes_never_end_otherwise_than_in_one_line(tmp_path):
    """Bytes of a whole file are changed at random places: it is read, or refused in one line."""
    file = tmp_path / "network.pkl"
    write_persistent(file, {"G_ema": tree(PARAMETERS, BUFFERS, kwargs=KWARGS)}, 2)
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    said = []
    for _ in range(300):
        data = np.frombuffer(whole, np.uint8).copy()
        data[rng.integers(0, len(data), 3)] = rng.integers(0, 256, 3)
        file.write_bytes(data.tobytes())
        try:
            read_pickle(file)
        except UserError as error:
            said.append(str(error))
    assert 50 < len(said) < 300  # source text and numbers may change unseen
    assert not any("\n" in line for line in said)
