"""Scores of runs and folders: values, ceilings, cache, repetition, refusals."""

import os
import shutil

import pytest
import torch

from zerosum.core.frozen import Frozen
from zerosum.errors import UserError
from zerosum.metrics import frechet_distance
from zerosum.metrics.features import Features
from zerosum.metrics.record import ScoreRecord, compare
from zerosum.metrics.registry import GENERAL, parse_metrics
from zerosum.modalities.images.extractors import FunctionExtractor, Pixels, extractor
from zerosum.modalities.images.judge import METRICS as IMAGE_METRICS
from zerosum.pipelines.evaluate import Evaluator
from zerosum.pipelines.generate import Generator

METRICS = {**GENERAL, **IMAGE_METRICS}


def by_name(evaluation):
    return {record.metric: record for record in evaluation.scores}


def test_a_run_is_scored_with_its_protocol(tiny_run):
    found = Evaluator(("fd", "kd", "prdc"), samples=300).run(tiny_run)
    scores = by_name(found)
    parts = ("fd", "kd", "precision", "recall", "density", "coverage")
    assert list(scores) == [f"{part}-cnn-digits" for part in parts]
    fd = scores["fd-cnn-digits"]
    assert fd.interval[0] < fd.value < fd.interval[1]
    assert (fd.n_real, fd.n_fake, fd.data, fd.split) == (300, 300, "digits/train", "training part")
    assert fd.weight_hash == extractor("cnn-digits").weight_hash
    assert (fd.data_filter, fd.dtype, fd.averaged, fd.kind) == (
        "as stored",
        "float32",
        True,
        "score",
    )
    assert scores["precision-cnn-digits"].parameters == {"k": 3}
    assert scores["density-cnn-digits"].parameters == {"k": 5}
    assert found.notes[0] == "features: cnn-digits, for the data are digits"
    assert "180 samples for 300" in found.notes[1] and "--samples 180" in found.notes[1]
    assert len(Evaluator(("kd",), samples=180).run(tiny_run).notes) == 1
    assert found.held_out_note == "10 % (180 of 1,797), seed 0"


def test_features_are_computed_only_where_a_score_looks_at_them(tiny_run, train, tmp_path):
    def take(batch):
        raise AssertionError("nobody asked for features")

    never = Features("never", take)
    scored = by_name(Evaluator(("spectrum",), features=never, samples=60).run(tiny_run))
    usual = by_name(Evaluator(("spectrum", "kd"), features="pixels", samples=60).run(tiny_run))
    assert scored["spectrum"].value == usual["spectrum"].value
    with pytest.raises(AssertionError, match="nobody"):
        Evaluator(("spectrum", "kd"), features=never, samples=60).run(tiny_run)
    run = train("stargan/tiny", tmp_path / "run")  # with true answers beside the others
    found = Evaluator(("l1", "domain-accuracy"), features=never, samples=60).run(run)
    assert {"l1", "domain-accuracy"} <= set(by_name(found))


def test_settings_of_sampling_are_scored_and_said(train, tmp_path):
    """Truncated to nothing all styles are the mean one: a single picture, as Vendi counts them."""
    run = train("stylegan2/tiny", tmp_path / "run")

    def diverse(**options):
        judge = Evaluator(("vendi",), features="pixels", samples=40, options=options)
        return judge.run(run).scores[0]

    assert diverse(truncation="0.0").value == pytest.approx(1, abs=0.01)
    assert diverse(truncation=1.0).value == diverse().value > 1.1
    assert diverse().sampling == {}
    record = diverse(truncation=0.5)
    assert record.sampling == {"truncation": "0.5"}
    assert compare(record, diverse()).difference > 0  # one protocol
    assert ScoreRecord.from_json(record.to_json()) == record
    old = {name: value for name, value in record.to_dict().items() if name != "sampling"}
    assert ScoreRecord.from_dict(old).sampling == {}
    with pytest.raises(UserError, match="truncate"):
        diverse(truncate=0.5)


def test_scores_on_the_features_of_a_helper_say_that_they_flatter(tiny_run, monkeypatch):
    """As of projected_gan on efficientnet-lite0; here a stranger's network has the name."""
    loaded = Generator.load(tiny_run)
    monkeypatch.setattr(Generator, "load", lambda *_, **__: loaded)
    line = "pixels took part in this training: scores on its features flatter it"
    evaluator = Evaluator(("fd",), samples=64, features="pixels")
    assert line not in evaluator.run(tiny_run).notes
    loaded.game.add_module("helper", Frozen(torch.nn.Identity(), name="pixels", hash="abc"))
    assert line in evaluator.run(tiny_run).notes
    assert line not in Evaluator(("fd",), samples=64).run(tiny_run).notes  # cnn-digits


def test_held_out_reals_score_far_better_than_an_untrained_generator(tiny_run):
    found = Evaluator(("fd", "is"), samples=300).run(tiny_run)
    fd, ceiling = by_name(found)["fd-cnn-digits"], found.ceilings["fd-cnn-digits"]
    assert ceiling.kind == "ceiling" and ceiling.n_fake == 180 and ceiling.averaged is None
    assert ceiling.interval[1] < fd.interval[0]
    assert found.ceilings["is-cnn-digits"].value > by_name(found)["is-cnn-digits"].value


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(tiny_run, cache):
    names = ("fd", "is", "mind", "ct")
    first = Evaluator(names, samples=120, seed=3).run(tiny_run)
    assert len(list(cache.iterdir())) == 2  # the reals and the held-out ones
    second = Evaluator(names, samples=120, seed=3).run(tiny_run)
    shutil.rmtree(cache)
    third = Evaluator(names, samples=120, seed=3).run(tiny_run)
    assert first.scores == second.scores == third.scores
    assert first.ceilings == second.ceilings
    other = Evaluator(names, samples=120, seed=4).run(tiny_run)
    assert by_name(other)["fd-cnn-digits"].value != by_name(first)["fd-cnn-digits"].value
    assert compare(first.scores[0], other.scores[0]).difference != 0


def test_more_samples_begin_with_the_same_ones(tiny_run):
    seen = []

    def watch(images):
        seen.append(images)
        return images.flatten(1) + 2

    fakes = {}
    for samples in (530, 600):
        seen.clear()
        features = FunctionExtractor(watch, "watch")
        Evaluator(("vendi",), features=features, samples=samples).run(tiny_run)
        fakes[samples] = torch.cat(seen)[-samples:]  # the fakes come last
    assert torch.equal(fakes[530], fakes[600][:530])
    assert not torch.equal(fakes[600][:64], fakes[600][512:576])
    levels = (fakes[600] + 1) * 127.5
    torch.testing.assert_close(levels, levels.round(), atol=1e-3, rtol=0)  # as in files


def test_the_cache_is_used_and_survives_damage(tiny_run, cache, monkeypatch):
    first = Evaluator(("fd",), samples=50).run(tiny_run)
    kept = sorted(cache.iterdir())
    stamp = [path.stat().st_mtime_ns for path in kept]
    calls = []
    loaded = extractor("cnn-digits")
    outputs = loaded.outputs
    monkeypatch.setattr(loaded, "outputs", lambda x: (calls.append(len(x)), outputs(x))[1])
    again = Evaluator(("fd",), features=loaded, samples=50).run(tiny_run)
    assert sum(calls) == 50  # the fakes alone
    assert again.scores == first.scores
    assert [path.stat().st_mtime_ns for path in kept] == stamp
    kept[0].write_bytes(b"torn")
    assert Evaluator(("fd",), samples=50).run(tiny_run).scores == first.scores
    assert kept[0].stat().st_size > 1000


def test_features_without_weights_are_not_kept(tiny_run, cache):
    Evaluator(("kd",), features=Pixels(), samples=50).run(tiny_run)
    assert not cache.exists()


def test_the_score_is_the_metric_on_the_features(folders):
    found = Evaluator(("fd",), features="pixels").folders(
        str(folders / "real"), str(folders / "noise")
    )
    from zerosum.modalities.images import Images

    sets = []
    for name, holdout in (("real", 0.2), ("noise", 0)):
        source = Images(path=str(folders / name), holdout=holdout).open().train
        sets.append(source.finished(range(len(source)))["image"].flatten(1))
    wanted = frechet_distance(real=sets[0], fake=sets[1])
    assert found.scores[0].value == pytest.approx(wanted.value, rel=1e-9)
    assert found.scores[0].n_real == 160 and found.scores[0].n_fake == 120


def test_folders_are_told_apart(folders):
    names = ("kd", "prdc", "authenticity")
    evaluator = Evaluator(names, features="cnn-digits")
    real = str(folders / "real")
    alike, noise = (evaluator.folders(real, str(folders / n)) for n in ("alike", "noise"))
    near, far = by_name(alike), by_name(noise)
    assert near["kd-cnn-digits"].interval[1] < far["kd-cnn-digits"].interval[0]
    assert near["precision-cnn-digits"].value > 0.6 > far["precision-cnn-digits"].value
    assert alike.ceilings["kd-cnn-digits"].n_fake == 40
    assert alike.ceilings == noise.ceilings
    assert "authenticity-cnn-digits" not in alike.ceilings
    assert near["kd-cnn-digits"].averaged is None


def test_colour_is_kept_where_one_side_has_it(folders):
    found = Evaluator(("kd",), features=FunctionExtractor(lambda x: x.mean((2, 3)), "mean"))
    scored = found.folders(str(folders / "real"), str(folders / "colour"))
    assert scored.scores[0].n_fake == 120


def test_default_features_follow_the_data(folders, monkeypatch, tmp_path):
    real, alike = str(folders / "real"), str(folders / "alike")
    found = Evaluator(("kd",)).folders(real, alike)
    assert found.scores[0].metric == "kd-pixels" and "ZEROSUM_WEIGHTS" in found.notes[0]
    wide = Evaluator(("kd",)).folders(real, alike, (80, 80))
    assert wide.scores[0].metric == "kd-random-conv"
    assert wide.scores[0].data_filter == "lanczos, crop to 80x80"
    known = Evaluator(("kd",)).folders("digits", alike)
    assert known.scores[0].metric == "kd-cnn-digits"


def test_known_sets_hold_out_what_their_classifier_has_not_seen(folders):
    found = Evaluator(("kd",)).folders("digits", str(folders / "alike"))
    assert found.held_out_note == "10 % (180 of 1,797), seed 0"


def test_too_few_for_a_ceiling_is_said(folders):
    few = Evaluator(("kd",), features="pixels").folders(
        str(folders / "alike"), str(folders / "noise")
    )
    assert few.ceilings  # 24 held out
    found = Evaluator(("is", "kd"), features="cnn-digits", samples=19)
    with pytest.raises(UserError, match="19 samples in 10 splits"):
        found.folders(str(folders / "real"), str(folders / "alike"))


def test_points_are_scored_raw(train, tmp_path):
    train("toy/tiny", tmp_path / "toy")
    found = Evaluator(("fd", "prdc"), samples=200).run(tmp_path / "toy")
    assert found.scores[0].metric == "fd-points"
    with pytest.raises(UserError, match="--features pixels is not for points"):
        Evaluator(("fd",), features="pixels", samples=200).run(tmp_path / "toy")


def test_labelled_models_get_classifier_scores(train, tmp_path):
    train("cgan/tiny", tmp_path / "run")
    scores = by_name(Evaluator(("cas",), samples=300).run(tmp_path / "run"))
    assert scores["gan-ceiling-cnn-digits"].value > 0.9
    assert scores["gan-train-cnn-digits"].value < scores["gan-ceiling-cnn-digits"].value


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"names": ("fx",)}, "there is no metric 'fx' for these data: did you mean fd"),
        ({"samples": 9}, "9 samples are too few"),
        ({"features": "cnn-digit"}, "did you mean cnn-digits"),
        ({"names": ("is",), "features": "pixels"}, "is needs class scores"),
        ({"names": ("cas",)}, "needs 'label' of reals and fakes"),
        ({"features": "inception-2015"}, "set ZEROSUM_WEIGHTS"),
    ],
)
def test_wrong_wishes_end_in_one_clear_line(tiny_run, settings, message, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    with pytest.raises(UserError) as caught:
        Evaluator(**{"samples": 50, **settings}).run(tiny_run)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        ("real", "large", "add --size 8x8"),
        ("real", "few", "10 are the least"),
        ("real", "missing", "no file or folder"),
    ],
)
def test_wrong_folders_end_in_one_clear_line(folders, real, fake, message):
    with pytest.raises(UserError) as caught:
        Evaluator(("kd",)).folders(str(folders / real), str(folders / fake))
    assert message in str(caught.value)


def test_mixed_sizes_name_the_option(folders, tmp_path):
    for i, name in enumerate(("real", "large")):
        picture = sorted((folders / name).iterdir())[0]
        os.symlink(picture, tmp_path / f"{i}.png")
    with pytest.raises(UserError, match=r"2 sizes .* --size 64"):
        Evaluator(("kd",)).folders(str(tmp_path), str(folders / "real"))


def test_held_out_images_are_asked_for(train, tmp_path):
    train("rpgan/tiny", tmp_path / "run", {"data.holdout": 0})
    with pytest.raises(UserError, match=r"ct needs held-out real examples: set data.holdout=0\.1"):
        Evaluator(("ct",), samples=50).run(tmp_path / "run")
    found = Evaluator(("kd",), samples=50).run(tmp_path / "run")
    assert not found.ceilings and "no ceiling: 0 held-out reals" in found.notes[-1]


def test_every_metric_runs_under_its_name(folders):
    assert parse_metrics("fd, kd,fd") == ["fd", "kd"]
    asking = {name for name, one in METRICS.items() if one.of_game or one.of_detector}
    names = [name for name in METRICS if name not in {"cas", *asking}]  # of folders alone
    found = Evaluator(names, features="cnn-digits").folders(
        str(folders / "real"), str(folders / "alike"), (24, 24)
    )
    assert len(found.scores) == len(names) + 3  # prdc gives four
    assert all(record.interval is not None for record in found.scores)
    plain = {name for name in METRICS if METRICS[name].ceiling} - {"prdc"}
    reached = {name.removesuffix("-cnn-digits") for name in found.ceilings}
    assert plain < reached, "each metric has its ceiling beside it"


def test_metrics_of_images_need_no_features(folders):
    found = [
        by_name(
            Evaluator(("ms-ssim", "spectrum", "kd"), features=features).folders(
                str(folders / "real"), str(folders / fake), (24, 24)
            )
        )
        for features, fake in (("pixels", "alike"), ("random-conv", "alike"), ("pixels", "noise"))
    ]
    for name in ("ms-ssim", "spectrum"):
        first, second, noise = (scores[name] for scores in found)
        assert first == second and first.features == "the examples" and not first.weight_hash
        assert compare(first, noise).apart
    assert found[0]["ms-ssim"].parameters == {"pairs": 1000, "scales": 2}
    assert found[0]["spectrum"].value < 1.5 < found[2]["spectrum"].value


def test_copies_have_a_small_support(folders, tmp_path):
    names = sorted((folders / "alike").iterdir())
    for i in range(120):
        shutil.copy(names[i % 6], tmp_path / f"{i:03d}.png")
    few, many = (
        by_name(
            Evaluator(("birthday-support",), features="pixels").folders(
                str(folders / "real"), str(where)
            )
        )["birthday-support-pixels"]
        for where in (tmp_path, folders / "alike")
    )
    assert few.value == pytest.approx(6, rel=0.1)
    assert few.parameters == many.parameters and many.interval[0] > 100


def test_metrics_of_images_refuse_what_they_cannot_read(folders, train, tmp_path):
    train("toy/tiny", tmp_path / "toy")
    for name in ("ms-ssim", "spectrum"):
        with pytest.raises(UserError, match=f"there is no metric '{name}' for these data"):
            Evaluator((name,), samples=200).run(tmp_path / "toy")
    with pytest.raises(UserError, match="needs images of 11 pixels and these have 8"):
        Evaluator(("ms-ssim",)).folders(str(folders / "real"), str(folders / "alike"))
