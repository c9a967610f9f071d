"""The watcher writes down what an experiment does, and refuses what no experiment should do."""

from typing import Any

import pytest
import torch

import autoencoder_lab as lab
from autoencoder_lab.checks import CheckFailed
from autoencoder_lab.checks.experiment import (
    Record,
    Watcher,
    alike_but_for,
    concluded,
    measured_numbers,
    noise_images,
    numbered_images,
    numbers_of,
    whose,
)


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(CheckFailed) as failure:
        call(*arguments)
    return str(failure.value)


def test_numbered_images_are_known_by_their_grey() -> None:
    data = numbered_images()
    assert whose(data, data.val.images[3:5]) == ("val", frozenset({103, 104}))
    mixed = torch.cat([data.train.images[:1], data.test.images[:1]])
    assert whose(data, mixed)[0] == "several splits or none"
    assert numbers_of(data, "test", 2) == frozenset(range(202, 240, 4))
    with pytest.raises(ValueError, match="at least one"):
        whose(data, data.train.images[:0])


def test_trainings_and_measurements_are_written_down_in_order() -> None:
    watcher = Watcher("trial", numbered_images())
    models = [watcher.train_on(watcher.data.train.images[:n], kind="linear") for n in (5, 8)]
    figures = [watcher.error_on(model, watcher.data.test.images, "no such model") for model in reversed(models)]
    assert [(run.split, run.size, run.kind) for run in watcher.trained] == [
        ("train", 5, "linear"),
        ("train", 8, "linear"),
    ]
    assert [watcher.model_of(figure) for figure in figures] == [1, 0] and watcher.model_of(0.5) is None
    assert [one.split for one in watcher.measured] == ["test", "test"]
    for unknown in (2, -1, True, None):
        with pytest.raises(ValueError, match="no such model"):
            watcher.error_on(unknown, watcher.data.test.images, "no such model")  # type: ignore[arg-type]


def test_models_are_known_by_themselves() -> None:
    data, model, other = noise_images(), torch.nn.Identity(), torch.nn.Identity()
    watcher = Watcher("trial", data)
    watcher.wants_new_model(model, "trained twice")
    watcher.trained.append(Record(model=model, seed=3))
    assert watcher.training_of(model).seed == 3
    assert refused(watcher.wants_new_model, model, "trained twice") == "trial: trained twice"
    assert refused(watcher.training_of, other) == "trial: a model is measured before it was trained"
    watcher.wants_whole_data(data)
    assert "takes the whole data set, got Split" in refused(watcher.wants_whole_data, data.train)
    watcher.wants_test_split("score", data.test, "the others are known")
    for given, which in ((data.train, "training"), (data.val, "validation"), (noise_images(2, 2, 2).test, "other")):
        said = refused(watcher.wants_test_split, "score", given, "the others are known")
        assert said == f"trial: you measure on {which} images; the others are known"
    assert "got ImageData" in refused(watcher.wants_test_split, "score", data, "")


def test_answers_stubs_and_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = Watcher("trial")
    assert watcher.answer(lambda a, b: a + b, 1, b=2) == 3
    assert watcher.answer(lambda: None) is None and capsys.readouterr().out == "trial: not done yet\n"
    assert "stops with ZeroDivisionError" in refused(watcher.answer, lambda: 1 / 0)
    watcher.refuse(None)
    assert refused(watcher.refuse, "no control") == "trial: no control"


def test_models_differ_by_what_they_were_made_with() -> None:
    vae = lab.VAE(2, beta=1.0, width=4)
    assert alike_but_for("beta", vae, lab.VAE(2, beta=4.0, width=4))
    assert not alike_but_for("beta", vae, lab.VAE(2, beta=4.0, width=8))
    assert not alike_but_for("beta", vae, lab.ConvAutoencoder(2, width=4))


def test_a_conclusion_that_is_missing_is_not_done_yet(capsys: pytest.CaptureFixture[str]) -> None:
    for missing in ((None, "a sentence"), (1.0, None), (1.0, "  "), (..., ...)):
        assert not concluded("trial", *missing)
        assert capsys.readouterr().out == "trial: the experiment is sound; its conclusion is not done yet\n"
    assert concluded("trial", 1.0, "a sentence")
    assert measured_numbers("trial", ([0.02, 0.04], torch.tensor(0.06)), 2) == pytest.approx([0.03, 0.06])
    assert "2 errors above 0; got (0.02, nothing" in refused(measured_numbers, "trial", (0.02, "nothing"), 2).replace(
        "'", ""
    )
