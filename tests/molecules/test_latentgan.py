"""LatentGAN: words there and back, two phases, who learns what, and exports without data."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest
import torch

pytest.importorskip("rdkit")
pytest.importorskip("selfies")

from torch.nn.functional import log_softmax

from zerosum.chem import molecules as chem
from zerosum.core.engine import play_step
from zerosum.core.game import Progress
from zerosum.core.optim import Optim, build_optimizers
from zerosum.core.registry import build_game, recipe
from zerosum.core.runtime import Runtime
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.modalities.molecules import MODALITY, SelfiesCodec, SelfiesMolecules
from zerosum.modalities.molecules.baselines import random_selfies
from zerosum.models.molecules.latentgan import LatentGAN, standard
from zerosum.training.prepare import prepare

SMALL = {"latent": 3, "hidden": (6,), "critic_hidden": (5,), "code": 4, "reader": 5, "writer": 6}


@pytest.fixture(scope="module")
def worded():
    return SelfiesMolecules().open()


def _game(worded, **settings: object) -> LatentGAN:
    torch.manual_seed(0)
    config = LatentGAN.Config.model_validate({**SMALL, "embedding": 4, **settings})
    return LatentGAN(config.matched(DataSpec(worded.train.fields, worded.codec)))


def _tokens(codec: SelfiesCodec, *smiles: str) -> dict[str, torch.Tensor]:
    return {"tokens": codec.fields["tokens"].finish(codec.encode(smiles)["tokens"])}


# -- words ---------------------------------------------------------------------------------


def test_every_molecule_comes_back_from_its_words(worded) -> None:
    whole = worded.train.finished(range(len(worded.train)))
    assert worded.codec.smiles(whole) == list(worded.train.smiles)
    assert worded.heldout is not None
    held = worded.heldout.finished(range(len(worded.heldout)))
    assert worded.codec.smiles(held) == list(worded.heldout.smiles)


def test_rings_charges_and_branches_come_back() -> None:
    smiles = [
        chem.clean(text).smiles
        for text in (
            "c1ccc2[nH]ccc2c1",
            "C[N+](C)(C)CC(=O)[O-]",
            "CC(C)(F)C#N",
            "O=S(=O)(N)c1ccsc1",
        )
    ]
    codec = SelfiesCodec.fit(smiles)
    assert codec.smiles(_tokens(codec, *smiles)) == smiles
    assert codec.size == 9 and codec.length == max(
        len(text.split("]")) - 1 for text in codec.strings(_tokens(codec, *smiles))
    )
    again = SelfiesCodec.from_state(*codec.state())
    assert again.hash == codec.hash and again.fields == codec.fields


def test_words_end_at_the_first_that_is_none() -> None:
    codec = SelfiesCodec(["[C]", "[O]"], 4, 4)
    rows = torch.tensor([[1, 1, 2, 0], [1, 0, 2, 1], [0, 1, 1, 1], [1, 2, 1, 2]])
    found = codec.read({"tokens": codec.fields["tokens"].finish(rows)})
    names = [None if mol is None else chem.rdkit().MolToSmiles(mol) for mol, _ in found]
    assert names == ["CCO", "C", None, "COCO"] and found[2][1] == "empty"


def test_shares_are_those_of_the_words() -> None:
    codec = SelfiesCodec.fit(["CCO", "CO"])  # [C][C][O] and [C][O]
    assert codec.words == ("[C]", "[O]") and codec.shares == (0.6, 0.4)


def test_what_does_not_fit_is_refused_by_name(worded) -> None:
    codec = worded.codec
    assert codec.refusal("CBr") == "[Br] is not in the training part"
    assert codec.refusal("C" * 40) == f"more than {codec.length} words of SELFIES"
    with pytest.raises(UserError, match=r"CBr is no molecule of this model: \[Br\] is not in"):
        codec.encode(["CBr"])


def test_what_selfies_cannot_say_is_left_out_of_a_set_with_its_reason() -> None:
    hyper = "O=I(=O)c1ccccc1"  # five bonds to an iodine, of which SELFIES allow one
    assert chem.clean(hyper).reason == ""
    reading = SelfiesMolecules(path="list", smiles=("CCO", "CCN", "CCC", hyper), holdout=0).open()
    assert reading.train.smiles == ("CCO", "CCN", "CCC")
    (line,) = reading.train.skipped
    assert line.endswith("(does not come back from SELFIES)")


def test_rows_are_the_shares_of_words_and_sheets_are_drawn(worded) -> None:
    batch = worded.train.finished(range(4))
    rows = MODALITY.rows(batch)
    torch.testing.assert_close(rows, batch["tokens"].mean(1))
    sheet = MODALITY.sheet(batch, worded.codec, real=batch, columns=2, title="")
    assert sheet.width == 304


def test_random_words_are_as_many_as_the_data_have(worded) -> None:
    codec = SelfiesCodec(["[C]"], 5, 5, [1.0])
    drawn = random_selfies(["C", "CC", "CCCCC"], codec, 60, 0)
    assert set(drawn) == {"C", "CC", "CCCCC"}
    both = SelfiesCodec(["[C]", "[O]"], 5, 5, [1.0, 0.0])
    assert set(random_selfies(["CCCC"], both, 30, 0, shares=True)) == {"CCCC"}
    assert len(set(random_selfies(["CCCC"], both, 30, 0))) > 1


# -- the game ------------------------------------------------------------------------------


def test_the_loss_is_the_cross_entropy_of_the_words_and_their_end(worded) -> None:
    game = _game(worded, blur=0.0)
    batch = _tokens(worded.codec, "CCO", "C")  # three words and one, each with an end
    told = game.decoder(game.encoder(batch["tokens"]), batch["tokens"])
    logs, words = log_softmax(told, 2), batch["tokens"].argmax(2)
    picked = [logs[0, place, words[0, place]] for place in range(4)]
    picked += [logs[1, place, words[1, place]] for place in range(2)]
    expected = -torch.stack(picked).mean()
    torch.testing.assert_close(game.autoencoder_loss(batch)["reconstruction"], expected)


def test_a_decoder_sees_only_the_words_before(worded) -> None:
    game = _game(worded)
    code = standard(torch.randn(1, 4))
    one, other = _tokens(worded.codec, "CCO")["tokens"], _tokens(worded.codec, "CCN")["tokens"]
    first, second = game.decoder(code, one), game.decoder(code, other)
    torch.testing.assert_close(
        first[:, :3], second[:, :3]
    )  # the third word is the first to differ
    assert not torch.allclose(first[:, 3], second[:, 3])


def test_writing_word_by_word_is_reading_the_likeliest(worded) -> None:
    game = _game(worded)
    z = game.latent(6, torch.Generator().manual_seed(1))
    tokens = game.decode(z, {})["tokens"]
    words = tokens.argmax(2)
    told = game.decoder(game.codes(z), tokens).argmax(2)
    for row, line in zip(words.tolist(), told.tolist()):
        ended = row.index(0) if 0 in row else len(row) - 1
        assert row[: ended + 1] == line[: ended + 1]
        assert not any(row[ended + 1 :])


def test_codes_have_mean_0_and_variance_1(worded) -> None:
    game = _game(worded)
    for codes in (
        game.encoder(worded.train.finished(range(5))["tokens"]),
        game.codes(game.latent(5)),
    ):
        torch.testing.assert_close(codes.mean(1), torch.zeros(5), atol=1e-5, rtol=0)
        torch.testing.assert_close(codes.var(1, correction=0), torch.ones(5), atol=0.01, rtol=0)


def test_phases_follow_the_clock_and_each_moves_its_own(worded) -> None:
    game = _game(worded, pretrain=0.5, critic_steps=2)
    rules = {player: Optim(lr=0.01) for player in game.players()}
    optimizers = build_optimizers(rules, game.players())

    def batches():
        while True:
            yield worded.train.finished(range(6))

    def moved(seen: int) -> set[str]:
        game.progress = Progress(seen // 6, seen, 100)
        before = {name: p.detach().clone() for name, p in game.named_parameters()}
        play_step(game, batches(), optimizers, Runtime(torch.device("cpu")))
        changed = (name for name, p in game.named_parameters() if not torch.equal(p, before[name]))
        return {name.split(".")[0] for name in changed}

    assert moved(0) == moved(48) == {"encoder", "decoder"}
    assert moved(54) == moved(96) == {"critic", "generator"}
    assert [turn.repeat for turn in game.turns()] == [2, 1]


def test_the_critic_is_wgan_gp_on_codes(worded) -> None:
    game = _game(worded, penalty=10.0)
    batch = worded.train.finished(range(6))
    torch.manual_seed(1)
    terms = game.critic_loss(batch)
    torch.manual_seed(1)
    real = game.encoder(batch["tokens"]).detach()
    fake = game.codes(torch.randn(6, 3)).detach()
    gap = game.critic(fake).mean() - game.critic(real).mean()
    torch.testing.assert_close(terms["adversarial"], gap)
    share = torch.rand(6, 1)
    point = (share * real + (1 - share) * fake).requires_grad_()
    slope = torch.autograd.grad(game.critic(point).sum(), point)[0]
    torch.testing.assert_close(terms["penalty"], 10 * (slope.norm(dim=1) - 1).square().mean())


def test_samples_repeat_and_follow_the_options(worded) -> None:
    game = _game(worded)

    def drawn() -> torch.Tensor:
        return game.sample(8, rng=torch.Generator().manual_seed(3))["tokens"]

    z = game.latent(8, torch.Generator().manual_seed(3))
    likeliest = game.decode(z, {})["tokens"]
    assert torch.equal(drawn(), likeliest)
    game.options = LatentGAN.Options(draw=True)
    assert torch.equal(drawn(), drawn()) and not torch.equal(drawn(), likeliest)
    game.options = LatentGAN.Options(draw=True, temperature=1e-4)  # the noise is next to nothing
    assert torch.equal(drawn(), likeliest)


def test_it_learns_to_write_what_it_reads(worded) -> None:
    """Twelve molecules by heart: the loss falls to almost nothing and they come back."""
    game = _game(worded, writer=48, code=16, reader=32, embedding=16, blur=0.0)
    batch = worded.train.finished(range(60, 72))
    rules = {player: Optim(lr=0.01, betas=(0.9, 0.999)) for player in game.players()}
    optimizers = build_optimizers(rules, game.players())

    def batches():
        while True:
            yield batch

    game.progress = Progress(0, 0, 10**9)
    for _ in range(150):
        log = play_step(game, batches(), optimizers, Runtime(torch.device("cpu")))
    assert log["encoder+decoder/reconstruction"].item() < 0.05 * math.log(game.decoder.words)
    written = game.decoder.written(
        game.encoder(batch["tokens"]), game.length, lambda t: t.argmax(1)
    )
    back = worded.codec.smiles({"tokens": written})
    assert sum(a == b for a, b in zip(back, worded.train.smiles[60:72])) >= 11


def test_other_data_are_refused_in_a_line(made) -> None:
    with pytest.raises(
        UserError, match="latentgan learns from words of SELFIES, but the data hold"
    ):
        LatentGAN.Config().matched(DataSpec(made.train.fields, made.codec))
    with pytest.raises(UserError, match="takes its words from the data"):
        LatentGAN(LatentGAN.Config())


def test_presets_build(worded) -> None:
    for name in ("moses", "tiny"):
        made = recipe(f"latentgan/{name}")
        config = made.model.matched(DataSpec(worded.train.fields, worded.codec))
        assert set(made.optim) == set(LatentGAN(config).players())
        assert LatentGAN.Config.model_validate_json(config.model_dump_json()) == config


# -- around it -----------------------------------------------------------------------------


def test_baselines_of_words_have_random_words_among_them(worded, monkeypatch) -> None:
    monkeypatch.setattr("zerosum.modalities.molecules.baselines.UPDATES", 2)
    found = MODALITY.baselines(worded.train, worded.codec, 10, 0, {})
    assert list(found)[:4] == [
        "training molecules again",
        "random trees with rings",
        "random SELFIES",
        "random SELFIES by shares",
    ]
    assert all(
        batch["tokens"].shape == (10, *worded.codec.fields["tokens"].shape)
        for batch in found.values()
    )
    again = worded.codec.smiles(found["training molecules again"])
    assert set(again) <= set(worded.train.smiles)


def test_of_a_set_with_a_test_part_only_as_many_lines_are_read_as_are_kept(
    tmp_path: Path, monkeypatch
) -> None:
    folder = tmp_path / "molecules"
    folder.mkdir()
    for file, first in (("moses_train_250k.csv.gz", 1), ("moses_test_30k.csv.gz", 41)):
        lines = "\n".join("C" * size + "O" for size in range(first, first + 30))
        (folder / file).write_bytes(gzip.compress(f"SMILES\n{lines}\n".encode()))
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    cleaned: list[int] = []
    whole = SelfiesMolecules(path="moses", limit=7, size=80)
    split = whole.open(on_progress=lambda done, of: cleaned.append(of))
    assert cleaned == [7, 30] and len(split.train) == 7
    assert split.train.smiles == whole.open().train.smiles  # always the same ones
    assert len(SelfiesMolecules(path="moses", size=80).open().train) == 30


def test_inspect_names_the_system_for_large_molecules(tmp_path: Path) -> None:
    path = tmp_path / "large.smi"
    path.write_text("\n".join("C" * size for size in range(21, 31)))
    found = MODALITY.inspect(str(path))
    assert found.command == f"zerosum train latentgan/moses --data {path}"
    assert any(
        "latentgan writes words instead; data.size=30 keeps" in line for line in found.warnings
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("latentgan/tiny", {}),
        ("molgan/tiny", {"model.drafts": "free", "model.corrections": 2}),
    ],
)
def test_generators_are_written_as_onnx(tmp_path: Path, name: str, changes: dict) -> None:
    """Compared with torch at two batch sizes that are not the one it was traced at."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from zerosum.pipelines.onnx import CLOSE, write

    _, made = prepare(recipe(name).override(changes), Runtime(torch.device("cpu")))
    torch.manual_seed(0)
    assert write(build_game(made), tmp_path / "generator.onnx") < CLOSE
