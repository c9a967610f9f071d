"""Experiments in other designs: several seeds, several draws pass; what looks like one and is none is named."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autoencoder_lab as lab
from autoencoder_lab import checks

Function = Callable[..., Any]


# --- 00.3 ------------------------------------------------------------------------------------------------------------


def with_the_digit(asked: Function, left_out: Function) -> Function:
    def experiment(data: Any, digit: int, train: Function, error: Function) -> Any:
        images = data.test.images[asked(data.test.labels, digit)]
        kept = data.train.images[left_out(data.train.labels, digit)]
        return error(train(data.train.images), images), error(train(kept), images)

    return experiment


def in_numpy(data: Any, digit: int, train: Function, error: Function) -> Any:
    kept = torch.from_numpy(np.flatnonzero(data.train.labels.numpy() != digit))
    images = data.test.images[np.flatnonzero(data.test.labels.numpy() == digit)]
    return np.array([error(train(data.train.images), images), error(train(data.train.images[kept]), images)]).tolist()


@pytest.mark.parametrize(
    ("asked", "left_out", "said"),
    [
        (lambda labels, digit: labels == 0, lambda labels, digit: labels != 0, "takes the digit 0, .* about 2"),
        (lambda labels, digit: labels == 0, lambda labels, digit: labels != digit, "takes the digit 0"),
        (lambda labels, digit: labels == digit, lambda labels, digit: labels != 0, "takes the digit 0"),
        (lambda labels, digit: labels == digit, lambda labels, digit: labels > digit, "other digits either"),
        (lambda labels, digit: labels == digit, lambda labels, digit: labels == 1, "other digits either"),
    ],
)
def test_a_digit_that_is_written_in_is_named(asked: Function, left_out: Function, said: str) -> None:
    with pytest.raises(checks.CheckFailed, match=said):
        checks.unseen_digit(with_the_digit(asked, left_out))


def test_an_experiment_in_numpy_passes(capsys: pytest.CaptureFixture[str]) -> None:
    checks.unseen_digit(in_numpy, [0.02, 0.04], "Without zeros in training their error is twice as large.")
    assert "✓" in capsys.readouterr().out


# --- 01.2 ------------------------------------------------------------------------------------------------------------


def few_images(choose: Function, draws: int = 1) -> Function:
    def experiment(data: Any, few: int, pca: Function, ae: Function, error: Function) -> Any:
        x, test = data.train.images, data.test.images
        chosen = [choose(data, few, i) for i in range(draws)]
        means = [sum(error(fit(some), test) for some in chosen) / draws for fit in (pca, ae)]
        return error(pca(x), test), error(ae(x), test), *means

    return experiment


def drawn(data: Any, few: int, i: int) -> Any:
    generator = torch.Generator().manual_seed(i)
    return data.train.images[torch.randperm(len(data.train), generator=generator)[:few]]


@pytest.mark.parametrize("draws", [1, 3])
def test_several_draws_of_few_images_pass(draws: int, capsys: pytest.CaptureFixture[str]) -> None:
    checks.few_images_experiment(few_images(drawn, draws))
    assert "conclusion is not done yet" in capsys.readouterr().out


def of_one_class(data: Any, few: int, i: int) -> Any:
    images = data.train.images[data.train.labels == 3]
    return torch.cat([images, images])[:few]


@pytest.mark.parametrize(
    ("choose", "said"),
    [
        (of_one_class, r"only the digits \[3\]"),
        (lambda data, few, i: data.train.images[data.train.labels < 2][:few], r"only the digits \[0, 1\]"),
        (lambda data, few, i: data.train.images[:6].repeat(4, 1, 1, 1), "6 different ones of 24"),
    ],
)
def test_few_images_that_are_another_kind(choose: Function, said: str) -> None:
    with pytest.raises(checks.CheckFailed, match=said):
        checks.few_images_experiment(few_images(choose))


# --- 02.3, 03.3, 04b.3, 06.3: several seeds --------------------------------------------------------------------------


def small_conv() -> Any:
    return lab.ConvAutoencoder(4, width=4, hidden=8)


def small_dense() -> Any:
    return lab.DenseAutoencoder(4, hidden=(8,))


def shuffled(seeds: dict[str, tuple[int, ...]]) -> Function:
    def experiment(data: Any, fit: Function, score: Function) -> Any:
        order = torch.randperm(784)
        mixed = data.map(lambda x: x.flatten(1)[:, order].view_as(x))
        errors = {}
        for kind, make in (("conv", small_conv), ("dense", small_dense)):
            for ending, images in (("", data), (", shuffled", mixed)):
                found = []
                for seed in seeds.get(kind + ending, (0, 1)):
                    model = make()
                    fit(model, images, steps=10, seed=seed)
                    found.append(score(model, images.test).value)
                errors[kind + ending] = np.mean(found)
        return errors

    return experiment


def hurt(errors: dict[str, float]) -> str:
    risen = [kind for kind in ("conv", "dense") if errors[f"{kind}, shuffled"] > 1.2 * errors[kind]]
    return {0: "neither", 1: (risen or [""])[0], 2: "both"}[len(risen)]


def inpainters(seeds: dict[str, tuple[int, ...]]) -> Function:
    def experiment(data: Any, fit: Function, score: Function) -> Any:
        hole, errors = lab.corrupt.box_mask(10, fill=0.5), {}
        for where in ("everywhere", "hole"):
            found = []
            for seed in seeds.get(where, (0, 1)):
                model = small_conv()
                fit(model, data, loss_on=where, corrupt=hole, steps=10, seed=seed)
                found.append([one.value for one in score(model, data.test, hole)])
            errors[where] = tuple(np.mean(found, axis=0))
        return errors

    return experiment


def collapse(take: Function, seeds: Function = lambda beta: (0, 1)) -> Function:
    def experiment(data: Any, betas: Any, fit: Function, active: Function) -> Any:
        counts = {}
        for beta in betas:
            found = []
            for seed in seeds(beta):
                vae = lab.VAE(4, beta=beta, width=4, hidden=8)
                fit(vae, data, steps=10, seed=seed)
                found.append(active(vae, data.test))
            counts[beta] = take(found)
        return counts

    return experiment


def ablation(take: Function, seeds: Function = lambda lacking: (0, 1, 2)) -> Function:
    terms = ("variance", "invariance", "covariance")

    def experiment(data: Any, term: str, fit: Function, measure: Function) -> Any:
        errors = []
        for lacking in (False, True):
            weights = tuple(0.0 if lacking and one == term else 1.0 for one in terms)
            found = []
            for seed in seeds(lacking):
                model = lab.CCAE(4, weights=weights, width=4, projector=(8, 8))
                fit(model, data, steps=10, seed=seed)
                found.append(measure(model, data.test))
            errors.append(take(found))
        return errors

    return experiment


def test_several_seeds_are_as_good_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    checks.shuffled_pixels(shuffled({}), hurt)
    checks.loss_on_the_hole(inpainters({}), ...)
    checks.collapse_experiment(collapse(np.mean))
    checks.collapse_experiment(collapse(list))
    checks.term_experiment(ablation(np.mean))
    sentence = "Over three seeds the error without the covariance term is half as large again."
    checks.term_experiment(ablation(list), ([0.02, 0.02], [0.03, 0.03]), sentence)
    assert capsys.readouterr().out.count("✓") == 7


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        (checks.shuffled_pixels, (shuffled({"conv": (0, 1), "conv, shuffled": (1,)}), hurt)),
        (checks.loss_on_the_hole, (inpainters({"hole": (1, 2, 3)}), print)),
        (checks.collapse_experiment, (collapse(np.mean, lambda beta: (0, 1) if beta > 1 else (1,)),)),
        (checks.term_experiment, (ablation(np.mean, lambda lacking: (0, 1) if lacking else (0, 2)),)),
    ],
)
def test_the_seeds_must_be_the_same(check: Function, arguments: Any) -> None:
    with pytest.raises(checks.CheckFailed, match="different seeds"):
        check(*arguments)


# --- 04.4 ------------------------------------------------------------------------------------------------------------


def copying(control: Function) -> Function:
    def experiment(model: Any, data: Any, nearest: Function) -> Any:
        images = {"samples": model.sample(200), "control": control(model, data.test.images)}
        return {name: nearest(x, data.train)[0].median().item() for name, x in images.items()}

    return experiment


@pytest.mark.parametrize(
    ("control", "said"),
    [
        (lambda model, x: torch.rand(200, 1, 4, 4), "it is noise"),
        (lambda model, x: torch.rand_like(x), "it is noise"),
        (lambda model, x: x + 0.1 * torch.randn_like(x), "it is noise, or noise or blur"),
        (lambda model, x: torch.nn.functional.avg_pool2d(x, 3, 1, 1), "it is noise, or noise or blur"),
        (lambda model, x: lab.corrupt.gaussian(0.5)(x), "it is noise, or noise or blur"),
        (lambda model, x: x, "the control is sharp"),
    ],
)
def test_a_control_that_is_changed_by_hand_is_named(control: Function, said: str) -> None:
    with pytest.raises(checks.CheckFailed, match=said):
        checks.copying_experiment(copying(control), lambda distances: "new")


# --- 05.3 ------------------------------------------------------------------------------------------------------------


def steps(count: Function, seeds: Any = range(20)) -> Function:
    def experiment(counts: Any, game: Function) -> Any:
        return {n: count(game(seeds, generator_steps=n).play(800).covered().covered) for n in counts}

    return experiment


def test_other_ways_to_count_the_games_pass(capsys: pytest.CaptureFixture[str]) -> None:
    for right in (
        steps(lambda modes: (modes.numpy() == 8).mean()),
        steps(lambda modes: sum(int(n) == 8 for n in modes) / len(modes)),
        steps(lambda modes: (modes > 7).double().mean()),
        steps(lambda modes: (modes == 8).float().mean().item(), range(100, 150)),
    ):
        checks.steps_experiment(right)
        assert "conclusion is not done yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (steps(lambda modes: float((modes >= 7).double().mean())), "seven modes as well"),
        (steps(lambda modes: float((modes > 4).double().mean())), "seven modes as well"),
        (steps(lambda modes: float(modes.double().mean() / 8)), "shares of the modes"),
        (steps(lambda modes: int((modes == 8).sum())), "numbers of games"),
        (steps(lambda modes: None), "one number for each count"),
    ],
)
def test_other_counts_are_named(wrong: Function, said: str) -> None:
    with pytest.raises(checks.CheckFailed, match=said):
        checks.steps_experiment(wrong)


# --- what is not done, and what stops --------------------------------------------------------------------------------


def written_by_hand(x_hat: Any, x: Any) -> Any:
    raise NotImplementedError


def given_lines_and_a_stub(x_hat: Any, x: Any) -> Any:
    difference = x_hat - x  # noqa: F841 - as a half-filled stub has it
    ...


def without_forward(x_hat: Any, x: Any) -> Any:
    return torch.nn.Module()(x)


def test_a_stub_is_told_from_a_module_that_cannot_be_called(capsys: pytest.CaptureFixture[str]) -> None:
    for stub in (written_by_hand, given_lines_and_a_stub):
        checks.squared_error_per_image(stub)
        assert capsys.readouterr().out == "squared_error_per_image: not done yet\n"
    with pytest.raises(checks.CheckFailed, match=r'stops with NotImplementedError: Module .* "forward"'):
        checks.squared_error_per_image(without_forward)
