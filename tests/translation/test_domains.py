"""Pictures of several domains: what visits draw, user folders, synthetic sets with truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data.codec import read_codec, write_codec
from zerosum.data.source import Source
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.metrics.sets import Embedded, Sets
from zerosum.modalities.images import faces, referees
from zerosum.modalities.images.domain_sets import in_domain
from zerosum.modalities.images.domains import DomainCodec, Domains
from zerosum.modalities.images.referees import aging, domain_accuracy

COLOURS = {"night": 20, "day": 220, "fog": 128}


def folder(path, counts=(4, 6, 5)):
    for (name, level), count in zip(COLOURS.items(), counts):
        (path / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((8, 8, 3), level + number % 3, dtype=np.uint8)
            Image.fromarray(pixels).save(path / name / f"{number}.png")
    return str(path)


def test_a_folder_for_each_domain(tmp_path):
    split = Domains(path=folder(tmp_path), holdout=0.2).open()
    codec = split.codec
    assert isinstance(codec, DomainCodec) and codec.names == ("day", "fog", "night")
    assert split.train.notes[-1].startswith("domains: day ")
    batch = split.train.fetch(range(12), Visits(0, np.arange(12)))  # type: ignore[attr-defined]
    level = {0: 220, 1: 128, 2: 20}
    for picture, domain in (("input", "origin"), ("image", "domain"), ("reference", "domain")):
        wanted = torch.tensor([level[int(d)] for d in batch[domain]])
        found = batch[picture].float().mean((1, 2, 3))
        assert ((found - wanted) >= 0).all() and ((found - wanted) <= 2).all()


def test_targets_are_drawn_alike_however_many_pictures_a_domain_has(tmp_path):
    split = Domains(path=folder(tmp_path, (2, 20, 8)), holdout=0).open()
    visits = Visits(3, np.arange(6_000))
    batch = split.train.fetch([0] * 6_000, visits)  # type: ignore[attr-defined]
    shares = torch.bincount(batch["domain"]) / 6_000
    assert torch.allclose(shares, torch.full((3,), 1 / 3), atol=0.025)  # 4 deviations
    night = batch["image"][batch["domain"] == 2].float().mean((1, 2, 3))
    assert set(night.tolist()) == {20.0, 21.0}  # both of its pictures
    again = split.train.fetch([0] * 6_000, visits)  # type: ignore[attr-defined]
    assert all(torch.equal(again[name], value) for name, value in batch.items())


def test_without_visits_the_target_is_another_domain_and_truth_stands_there():
    split = Domains(path="digits").open()
    held = split.heldout
    assert held is not None and held.answers
    batch = held.fetch(range(24))
    assert (batch["domain"] != batch["origin"]).all()
    assert len(set(zip(batch["origin"].tolist(), batch["domain"].tolist()))) == 12  # all pairs
    plain = (batch["origin"] == 0) & (batch["domain"] == 1)
    assert torch.equal(batch["image"][plain], 255 - batch["input"][plain])
    turned = (batch["origin"] == 0) & (batch["domain"] == 2)
    assert torch.equal(batch["image"][turned], batch["input"][turned].rot90(-1, (2, 3)))


def test_each_digit_is_learned_from_in_one_domain_only():
    """So that no pair stands in the training part, by accident or otherwise."""
    split = Domains(path="digits").open()
    batch = split.train.fetch(range(len(split.train)))  # type: ignore[attr-defined, arg-type]
    assert torch.equal(batch["origin"], torch.arange(len(batch["origin"])) % 4)
    assert not split.train.answers


def test_the_domains_are_what_they_are_called():
    digit = np.array([[0, 200], [0, 100]], dtype=np.uint8)
    assert in_domain(digit, 0, 5).tolist() == [digit.tolist()] * 3
    assert in_domain(digit, 1, 5)[0].tolist() == [[255, 55], [255, 155]]
    assert in_domain(digit, 2, 5)[0].tolist() == [[0, 0], [100, 200]]
    assert in_domain(digit, 3, 0).tolist() == [digit.tolist(), [[0, 0]] * 2, [[0, 0]] * 2]  # red


def test_faces_age_and_stay_who_they_are():
    who = np.full(len(faces.PARTS), 0.5)
    young, old = faces.drawn_face(10, who).astype(int), faces.drawn_face(75, who).astype(int)
    assert np.array_equal(faces.drawn_face(75, who), old)
    hair = (1, 16)
    assert young[hair].sum() < 250 and old[hair].sum() > 600  # brown, then (225, 225, 225)
    assert np.array_equal(young[0, 0], old[0, 0])  # the wall
    rng = np.random.default_rng(0)
    ages = faces.ages_of(np.array([0, 3] * 500), rng)
    assert ages[::2].min() >= 5 and ages[::2].max() < 20 and ages[1::2].min() >= 60
    assert [faces.middle(group) for group in range(4)] == [12.5, 30.0, 50.0, 70.0]


def test_bad_folders_are_refused(tmp_path):
    (tmp_path / "one" / "day").mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (8, 8)).save(tmp_path / "one" / "day" / f"{number}.png")
    with pytest.raises(UserError, match="has no two domains: put the pictures of each into"):
        Domains(path=str(tmp_path / "one")).open()
    with pytest.raises(UserError, match="the domain night has 1 pictures to learn from: gi"):
        Domains(path=folder(tmp_path / "few", (1, 6, 6)), holdout=0).open()


def test_a_slip_of_the_pen_is_answered_by_sets_of_domains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no file or folder face.*: did you mean faces\?$"):
        Domains(path="face").open()
    with pytest.raises(UserError, match=r"named sets: digits, mnist, faces$"):
        Domains(path="nothing-like-it").open()


def test_the_codec_is_kept_with_its_names_and_reads_pictures(tmp_path):
    codec = Domains(path="digits").open().codec
    write_codec(codec, tmp_path)
    again = read_codec(DomainCodec, tmp_path)
    assert again is not None and again.hash == codec.hash and again.fields == codec.fields
    found = again.encode([Image.new("L", (8, 8), 255)] * 5)
    assert found["domain"].tolist() == [0, 1, 2, 3, 0] and found["input"].shape == (5, 3, 8, 8)


def flat(levels: torch.Tensor) -> torch.Tensor:
    return levels.view(-1, 1, 1, 1).expand(-1, 3, 8, 8).clone()


def test_domain_accuracy_of_right_wrong_and_unchanged_pictures(monkeypatch):
    """Domains are grey levels: the right level scores 1, the picture as it was 0."""
    monkeypatch.setattr(referees, "STEPS", 25)
    levels = torch.tensor([-0.8, 0.0, 0.8])
    origin = torch.arange(30) % 3
    train = {"input": flat(levels[origin]), "origin": origin}
    domain = (origin + 1) % 3
    rows = torch.zeros(30, 1)

    def score(pictures: torch.Tensor) -> dict[str, float]:
        fake = Embedded(rows, None, {"image": pictures, "domain": domain})
        real = Embedded(rows, None, train)
        sets = Sets(real, fake, real, 0)
        return {name: float(value) for name, value, _ in domain_accuracy(sets)}

    right = score(flat(levels[domain]))
    assert right == {"domain-accuracy": 1.0, "domain-accuracy-real": 1.0}
    assert score(train["input"])["domain-accuracy"] == 0.0


def test_aging_reads_years_and_identity(monkeypatch):
    """True faces of the target's age err less by far than the faces unchanged, whose distance
    in years is known; another person's face keeps no identity."""
    monkeypatch.setattr(referees, "STEPS", 80)
    rng = np.random.default_rng(1)
    who = faces.identities(240, rng)
    groups = np.arange(240) % 4
    ages = faces.ages_of(groups, rng)

    def drawn(years, persons) -> torch.Tensor:
        shown = np.stack([faces.drawn_face(a, p) for a, p in zip(years, persons)])
        return torch.from_numpy(shown).permute(0, 3, 1, 2).float() / 127.5 - 1

    known = {
        "input": drawn(ages, who),
        "age": torch.tensor(ages, dtype=torch.float32),
        "identity": torch.tensor(who, dtype=torch.float32),
    }
    train = {name: value[:200] for name, value in known.items()}
    held = {name: value[200:] for name, value in known.items()}
    domain = torch.from_numpy((groups[200:] + 2) % 4)
    middles = np.array([faces.middle(int(group)) for group in domain])
    truth = {**held, "image": drawn(middles, who[200:])}
    rows = torch.zeros(40, 1)

    def scores(pictures: torch.Tensor) -> dict[str, float]:
        fake = Embedded(rows, None, {"image": pictures, "domain": domain})
        sets = Sets(Embedded(rows, None, train), fake, None, 0, Embedded(rows, None, truth))
        return {name: float(value) for name, value, _ in aging(sets)}

    right = scores(truth["image"])
    assert right["age-error"] == right["age-error-real"] < 10
    unchanged = scores(held["input"])
    true_distance = float(np.abs(ages[200:] - middles).mean())
    assert unchanged["age-error"] == pytest.approx(true_distance, abs=8)  # about 40 years
    assert scores(truth["image"].roll(1, 0))["identity-error"] > 1.3 * right["identity-error"]


def test_baselines_of_domains_copy_match_and_take_another_picture_of_the_domain():
    from zerosum.modalities.images.paired_scores import baselines_of_domains

    given = torch.tensor([[0.1, 0.2], [0.4, 0.3], [0.6, 0.5]]).view(3, 1, 1, 2)
    pictures = torch.tensor([[7.0, 5.0], [1.0, 2.0], [9.0, 8.0]]).view(3, 1, 1, 2)
    train = {"input": pictures, "origin": torch.tensor([1, 0, 1])}
    found = baselines_of_domains(train, given, torch.tensor([1, 0, 1]))
    assert list(found) == ["the input copied", "histogram matched", "another picture"]
    rows = {name: answers.flatten(1).tolist() for name, answers in found.items()}
    # of the same rank among [0.1, 0.2, 0.5, 0.6]: 5, 7, 8, 9; and among [0.3, 0.4]: 1, 2
    assert rows["histogram matched"] == [[5, 7], [2, 1], [9, 8]]
    assert rows["another picture"] == [[7, 5], [1, 2], [9, 8]]
    torch.testing.assert_close(found["the input copied"], given)
    rare = baselines_of_domains(train, given[:1], torch.tensor([2]))
    assert all(torch.equal(answers, given[:1]) for answers in rare.values())


def test_another_picture_of_the_domain_is_of_its_domain_and_far_from_the_truth():
    from zerosum.modalities.images import MODALITY

    split = Domains(path="digits").open()
    assert split.heldout is not None and isinstance(split.train, Source)
    held = split.heldout.finished(range(60))
    inputs = {name: held[name] for name in ("input", "domain")}
    assert split.codec is not None
    made = MODALITY.baselines(split.train, split.codec, 60, 0, inputs)
    near = {name: float((one["image"] - held["image"]).abs().mean()) for name, one in made.items()}
    assert near["another picture"] < near["the input copied"]
    dark = held["domain"] != 1  # all but the inverted ones lie on black
    means = made["another picture"]["image"].mean((1, 2, 3))
    assert means[dark].max() < means[~dark].min()
