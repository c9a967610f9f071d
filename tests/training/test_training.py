"""The loop: what it sees, what it repeats exactly, what survives a kill, and how it refuses."""

import copy
import math
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.models import Autoencoder, Loss
from autoencoder_lab.training.evaluation import evaluate
from autoencoder_lab.training.first_weights import draw_weights, is_fresh
from autoencoder_lab.training.loop import schedule

QUIET = {"progress": False, "batch_size": 50}
SHAPE = (1, 8, 8)


def dense(**settings) -> lab.DenseAutoencoder:
    return lab.DenseAutoencoder(4, SHAPE, hidden=(16,), **settings)


def weights(model: nn.Module) -> list[Tensor]:
    return [value.clone() for value in model.state_dict().values()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


class Spy(lab.DenseAutoencoder):
    """Keeps what it is shown: (training?, input, target)."""

    def __init__(self) -> None:
        super().__init__(4, SHAPE, hidden=(16,))
        self.seen: list[tuple[bool, Tensor, Tensor]] = []

    def loss(self, x: Tensor, target: Tensor | None = None) -> Loss:
        assert target is not None
        self.seen.append((self.training, x.clone(), target.clone()))
        return super().loss(x, target)


# --- what it sees ----------------------------------------------------------------------------------


def test_test_images_are_never_touched(tiny: lab.ImageData) -> None:
    class Guarded:
        name, train, val, shape = tiny.name, tiny.train, tiny.val, tiny.shape

        @property
        def test(self):
            raise AssertionError("fit touched data.test")

    history = lab.fit(dense(), Guarded(), steps=10, corrupt=lab.corrupt.gaussian(0.1), **QUIET)
    assert history.step[-1] == 10


def rows_of(images: Tensor, among: Tensor) -> Tensor:
    """For each image, its index among others; fails if it is not one of them."""
    equal = (images.flatten(1)[:, None] == among.flatten(1)[None]).all(dim=2)
    assert equal.any(dim=1).all()
    return equal.float().argmax(dim=1)


def test_without_corruption_the_target_is_the_input_and_an_epoch_shows_each_image_once(tiny: lab.ImageData) -> None:
    model = Spy()
    lab.fit(model, tiny, epochs=2, **QUIET)
    shown = [(x, target) for training, x, target in model.seen if training]
    assert len(shown) == 8 and all(torch.equal(x, target) for x, target in shown)
    orders = [rows_of(torch.cat([x for x, _ in shown[i : i + 4]]), tiny.train.images) for i in (0, 4)]
    assert sorted(orders[0].tolist()) == sorted(orders[1].tolist()) == list(range(200))
    assert not torch.equal(orders[0], orders[1])  # shuffled anew


def test_denoising_input_is_damaged_target_clean_noise_fresh_in_training_and_fixed_in_evaluation(
    tiny: lab.ImageData,
) -> None:
    model = Spy()
    lab.fit(model, tiny, epochs=2, corrupt=lab.corrupt.gaussian(0.3), **QUIET)
    training = [(x, target) for was_training, x, target in model.seen if was_training]
    noise_of: dict[int, list[Tensor]] = {}
    for x, target in training:
        assert (x - target).abs().mean() > 0.05 and x.min() >= 0 and x.max() <= 1
        for row, damaged in zip(rows_of(target, tiny.train.images).tolist(), x, strict=True):  # clean, to the bit
            noise_of.setdefault(row, []).append(damaged)
    assert all(len(two) == 2 and not torch.equal(*two) for two in noise_of.values())
    first, second = [(x, target) for was_training, x, target in model.seen if not was_training]
    assert torch.equal(first[1], tiny.val.images) and not torch.equal(first[0], first[1])
    assert torch.equal(first[0], second[0])


def test_augmentation_changes_input_and_target_alike_in_training_alone(tiny: lab.ImageData) -> None:
    model = Spy()
    lab.fit(model, tiny, epochs=1, augment=lab.augment.affine(), **QUIET)
    for training, x, target in model.seen:
        assert torch.equal(x, target)
        unchanged = (target.flatten(1)[:, None] == tiny.train.images.flatten(1)[None]).all(dim=2).any(dim=1)
        assert not unchanged.any() if training else torch.equal(target, tiny.val.images)


def test_augmented_and_corrupted_the_target_is_the_augmented_clean_image(tiny: lab.ImageData) -> None:
    model = Spy()
    lab.fit(model, tiny, steps=2, augment=lambda x: x.flip(-1), corrupt=lab.corrupt.pixel_mask(0.5), **QUIET)
    for x, target in [(x, target) for training, x, target in model.seen if training]:
        rows_of(target.flip(-1), tiny.train.images)
        assert ((x == 0) | (x == target)).all() and not torch.equal(x, target)


# --- what it computes ------------------------------------------------------------------------------


def test_evaluate_is_the_mean_over_images_whatever_the_batch_size(tiny: lab.ImageData) -> None:
    model = dense().train()
    found = evaluate(model, tiny.val)
    assert model.training  # put back
    x = tiny.val.images
    assert math.isclose(found["total"], model.loss(x).total.item(), rel_tol=1e-5)
    assert math.isclose(found["mse"], (model.reconstruct(x) - x).pow(2).mean().item(), rel_tol=1e-5)
    assert math.isclose(evaluate(model, tiny.val, batch_size=7)["total"], found["total"], rel_tol=1e-5)


def test_history_counts_steps_and_epochs_and_matches_the_model(tiny: lab.ImageData) -> None:
    model = dense()
    history = lab.fit(model, tiny, steps=10, **QUIET)  # 4 a full epoch
    assert history.step == [4, 8, 10] and history.epoch == [1.0, 2.0, 2.5]
    assert history.val["total"][-1] == evaluate(model, tiny.val)["total"]
    frame = history.frame()
    assert list(frame["step"]) == [4, 8, 10]
    expected = {"step", "epoch", "seconds", "train_total", "train_reconstruction", "val_total", "val_mse"}
    assert expected <= set(frame.columns)
    assert (frame["seconds"].diff().dropna() >= 0).all()


def test_training_loss_is_the_mean_over_the_epoch_s_batches(tiny: lab.ImageData) -> None:
    model = dense()
    # so small a rate that the weights stand still: the average over batches is the loss over all images
    history = lab.fit(model, tiny, epochs=1, learning_rate=1e-12, **QUIET)
    assert math.isclose(history.train["total"][0], model.loss(tiny.train.images).total.item(), rel_tol=1e-4)


def test_one_step_is_adam_s(tiny: lab.ImageData) -> None:
    """The first Adam step moves every weight by the learning rate, against the sign of its gradient."""
    model = dense()
    draw_weights(model, 0)
    before = [p.detach().clone() for p in model.parameters()]
    gradients = torch.autograd.grad(model.loss(tiny.train.images).total, list(model.parameters()))
    lab.fit(model, tiny, steps=1, batch_size=200, learning_rate=1e-3, initialise=False, progress=False)
    for old, new, gradient in zip(before, model.parameters(), gradients, strict=True):
        clear = gradient.abs() > 1e-4  # Adam's ε = 1e-8 is nothing beside these
        assert torch.allclose((new - old)[clear], -1e-3 * schedule(0, 1) * gradient[clear].sign(), rtol=1e-2)


def test_schedule_warms_up_then_falls_to_almost_nothing() -> None:
    rates = [schedule(step, 1000) for step in range(1000)]
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[50] == 1 and rates[:50] == sorted(rates[:50]) and rates[50:] == sorted(rates[50:], reverse=True)
    assert math.isclose(rates[525], 0.5, abs_tol=1e-3) and rates[-1] < 1e-5
    assert schedule(0, 1) == 1


def test_training_learns(tiny: lab.ImageData) -> None:
    # measured over seeds 0–9: 0.0417 ± 0.0020, 0.0453 at most; the mean image has 0.0718
    history = lab.fit(dense(), tiny, steps=300, learning_rate=1e-2, **QUIET)
    assert history.val["mse"][-1] < 0.055


# --- the same again --------------------------------------------------------------------------------

RECIPE = {"epochs": 3, "corrupt": lab.corrupt.gaussian(0.3), "augment": lab.augment.affine()}


def test_same_seed_same_history_and_weights_another_seed_others(tiny: lab.ImageData) -> None:
    torch.manual_seed(1)
    a = dense()
    torch.manual_seed(2)  # whatever was drawn before
    b = dense()
    first = lab.fit(a, tiny, seed=3, **RECIPE, **QUIET)
    torch.rand(5)
    second = lab.fit(b, tiny, seed=3, **RECIPE, **QUIET)
    assert first == second and same(weights(a), weights(b))
    c = dense()
    third = lab.fit(c, tiny, seed=4, **RECIPE, **QUIET)
    assert third.val["total"] != first.val["total"] and not same(weights(a), weights(c))


@pytest.mark.parametrize("make", [
    lambda: lab.LinearAutoencoder(3, SHAPE, tied=True),
    lambda: lab.ConvAutoencoder(3, SHAPE, width=4, hidden=8, decoder="unpool"),
    lambda: lab.ResidualAutoencoder(3, SHAPE, width=4, hidden=8),
])  # fmt: skip
def test_every_kind_of_model_repeats_itself(make, tiny: lab.ImageData) -> None:
    runs = []
    for junk_seed in (1, 2):
        torch.manual_seed(junk_seed)
        model = make()
        runs.append((lab.fit(model, tiny, steps=6, **QUIET), weights(model)))
    assert runs[0][0] == runs[1][0] and same(runs[0][1], runs[1][1])


def test_nobody_else_s_random_numbers_are_disturbed(tiny: lab.ImageData) -> None:
    model = dense()
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    lab.fit(model, tiny, **RECIPE, **QUIET)
    evaluate(model, tiny.val, lab.corrupt.gaussian(0.1))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate() and (before[2] == np.random.get_state()[1]).all()


def test_global_random_numbers_do_not_reach_in(tiny: lab.ImageData) -> None:
    model, other = dense(), dense()
    first = lab.fit(model, tiny, **RECIPE, **QUIET, callbacks=[lambda m, h: torch.manual_seed(99) and None])
    assert first == lab.fit(other, tiny, **RECIPE, **QUIET)


# --- whose weights ---------------------------------------------------------------------------------


def fill(model: lab.LinearAutoencoder) -> None:
    with torch.no_grad():
        model.weight.fill_(0.125)


def fill_data(model: lab.LinearAutoencoder) -> None:
    model.weight.data.fill_(0.125)


def replace(model: lab.LinearAutoencoder) -> None:
    model.weight = nn.Parameter(torch.full_like(model.weight, 0.125))


def load(model: lab.LinearAutoencoder) -> None:
    model.load_state_dict(model.state_dict() | {"weight": torch.full_like(model.weight, 0.125)})


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("by", [fill, fill_data, replace, load])
def test_weights_set_by_hand_are_kept_however_they_were_set(by, copied: bool, tiny: lab.ImageData) -> None:
    model = lab.LinearAutoencoder(3, SHAPE)
    assert is_fresh(model) and is_fresh(copy.deepcopy(model))
    by(model)
    model = copy.deepcopy(model) if copied else model
    assert not is_fresh(model)
    lab.fit(model, tiny, steps=1, learning_rate=1e-9, **QUIET)
    assert torch.allclose(model.weight, torch.tensor(0.125), atol=1e-6)


def test_a_second_fit_goes_on_and_initialise_decides_otherwise(tiny: lab.ImageData) -> None:
    model = dense()
    first = lab.fit(model, tiny, epochs=5, **QUIET)
    trained = weights(model)
    assert int(model.trained_steps) == 20
    second = lab.fit(model, tiny, steps=1, learning_rate=1e-9, **QUIET)
    assert math.isclose(second.val["total"][0], first.val["total"][-1], rel_tol=1e-4)
    assert int(model.trained_steps) == 21
    # a deep copy of a trained model is trained
    again = copy.deepcopy(model)
    lab.fit(again, tiny, steps=1, learning_rate=1e-9, **QUIET)
    assert torch.allclose(weights(again)[1], trained[1], atol=1e-6)
    # starting over gives the very first run
    assert lab.fit(model, tiny, epochs=5, initialise=True, **QUIET) == first


def test_initialise_false_keeps_the_weights_of_a_fresh_model(tiny: lab.ImageData) -> None:
    model = dense()
    before = weights(model)
    lab.fit(model, tiny, steps=1, learning_rate=1e-12, initialise=False, **QUIET)
    assert all(
        torch.allclose(a.float(), b.float(), atol=1e-6) for a, b in zip(before[1:], weights(model)[1:], strict=True)
    )


def test_a_frozen_part_stays_as_it_is(tiny: lab.ImageData) -> None:
    model = dense()
    lab.fit(model, tiny, steps=4, **QUIET)
    model.encoder.requires_grad_(False)
    encoder, decoder = weights(model.encoder), weights(model.decoder)
    lab.fit(model, tiny, steps=4, **QUIET)
    assert same(encoder, weights(model.encoder)) and not same(decoder, weights(model.decoder))


# --- two optimisers --------------------------------------------------------------------------------


class Duel(Autoencoder):
    """Two scalars that pull against each other, as a generator and its critic do; each has its own loss."""

    learning_rate = 1e-2

    def __init__(self) -> None:
        super().__init__(1, SHAPE, output="linear")
        self.minimiser = nn.Parameter(torch.tensor(1.0))
        self.maximiser = nn.Parameter(torch.tensor(2.0))
        self.untouched = nn.Parameter(torch.tensor(3.0))
        self.moved: list[tuple[bool, bool]] = []

    def encoder(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :1] * self.minimiser

    def decoder(self, z: Tensor) -> Tensor:
        return (z * self.maximiser)[..., None, None].expand(-1, *SHAPE)

    def game(self, sign: float) -> Loss:
        total = sign * self.minimiser * self.maximiser * self.untouched
        return Loss(total, {"minimiser" if sign > 0 else "maximiser": total})

    def first(self, x: Tensor, target: Tensor) -> Loss:
        self.before = self.minimiser.item(), self.maximiser.item()
        return self.game(+1)

    def second(self, x: Tensor, target: Tensor) -> Loss:
        self.moved.append((self.minimiser.item() != self.before[0], self.maximiser.item() != self.before[1]))
        return self.game(-1)

    def steps(self):
        return [([self.minimiser], self.first), ([self.maximiser], self.second)]


def test_no_step_leaks_a_gradient_into_another_network(tiny: lab.ImageData) -> None:
    model = Duel()
    history = lab.fit(model, tiny, epochs=2, **QUIET)
    assert model.moved and set(model.moved) == {(True, False)}  # what the first step moved, before the second
    assert model.minimiser < 1 and model.maximiser > 2 and model.untouched == 3
    assert all(p.grad is None for p in model.parameters())
    assert {"minimiser", "maximiser", "total"} <= history.train.keys()


def test_after_step_hears_of_every_step(tiny: lab.ImageData) -> None:
    class Counting(lab.DenseAutoencoder):
        def after_step(self, step: int, total: int) -> None:
            self.heard = [*getattr(self, "heard", []), (step, total)]

    model = Counting(4, SHAPE)
    lab.fit(model, tiny, steps=6, **QUIET)
    assert model.heard == [(step, 6) for step in range(1, 7)]


# --- interruptions ---------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
import autoencoder_lab as lab
full = lab.load("digits")
data = lab.ImageData("tiny", full.train[:200], full.val[:60], full.test[:60])
def kill(model, history):
    if len(history.step) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
model = lab.ConvAutoencoder(4, (1, 8, 8), width=4, hidden=16)
lab.fit(model, data, epochs=5, corrupt=lab.corrupt.gaussian(0.3), augment=lab.augment.affine(), batch_size=50,
        progress=False, seed=7, checkpoint=sys.argv[1], callbacks=[kill])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_killed_run_continues_on_the_same_curve_to_the_same_weights(tiny: lab.ImageData, tmp_path: Path) -> None:
    recipe = {"epochs": 5, "seed": 7, "corrupt": lab.corrupt.gaussian(0.3), "augment": lab.augment.affine(), **QUIET}
    path = tmp_path / "run.pt"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment, check=False, timeout=300)
    assert killed.returncode == -signal.SIGKILL and path.exists()

    def conv() -> lab.ConvAutoencoder:
        return lab.ConvAutoencoder(4, SHAPE, width=4, hidden=16)

    heard: list[int] = []
    resumed, straight = conv(), conv()
    history = lab.fit(resumed, tiny, **recipe, checkpoint=path, callbacks=[lambda m, h: heard.append(h.step[-1])])
    assert heard == [12, 16, 20]  # epochs 1 and 2 were not done again
    assert history == lab.fit(straight, tiny, **recipe)
    assert same(weights(resumed), weights(straight))
    # a finished run is not trained further
    assert lab.fit(conv(), tiny, **recipe, checkpoint=path) == history


@pytest.mark.parametrize("when", ["in training", "in evaluation", "in a callback"])
def test_ctrl_c_returns_the_history_and_a_usable_model(when: str, tiny: lab.ImageData) -> None:
    class Interrupted(lab.DenseAutoencoder):
        calls = 0

        def loss(self, x: Tensor, target: Tensor | None = None) -> Loss:
            Interrupted.calls += 1
            # an epoch is 4 training losses and one in evaluation
            if Interrupted.calls == {"in training": 8, "in evaluation": 10}.get(when):
                signal.raise_signal(signal.SIGINT)
            return super().loss(x, target)

    def callback(model: nn.Module, history: lab.History) -> None:
        if when == "in a callback" and len(history.step) == 1:
            signal.raise_signal(signal.SIGINT)

    model = Interrupted(4, SHAPE)
    history = lab.fit(model, tiny, epochs=50, callbacks=[callback], **QUIET)
    assert history.interrupted and history.step == [4] and "interrupted" in repr(history)
    assert len(history.frame()) == 1
    assert not model.training and all(p.grad is None for p in model.parameters())
    assert model.reconstruct(tiny.val.images).isfinite().all() and not is_fresh(model)
    assert model.fit_seconds is not None
    before = weights(model)
    going_on = lab.fit(model, tiny, steps=1, learning_rate=1e-9, **QUIET)
    assert not going_on.interrupted and torch.allclose(weights(model)[1], before[1], atol=1e-6)


def test_a_run_stopped_by_ctrl_c_resumes_from_its_checkpoint(tiny: lab.ImageData, tmp_path: Path) -> None:
    def stop(model: nn.Module, history: lab.History) -> None:
        if len(history.step) == 2:
            raise KeyboardInterrupt

    model, straight = dense(), dense()
    lab.fit(model, tiny, **RECIPE, **QUIET, checkpoint=tmp_path / "run.pt", callbacks=[stop])
    history = lab.fit(model, tiny, **RECIPE, **QUIET, checkpoint=tmp_path / "run.pt")
    assert history == lab.fit(straight, tiny, **RECIPE, **QUIET) and same(weights(model), weights(straight))


def test_callbacks_hear_of_every_epoch_and_true_stops(tiny: lab.ImageData) -> None:
    heard: list[tuple[str, int]] = []

    def first(model: nn.Module, history: lab.History) -> bool:
        heard.append(("first", history.step[-1]))
        return len(history.step) == 2

    def second(model: nn.Module, history: lab.History) -> None:
        heard.append(("second", history.step[-1]))

    history = lab.fit(dense(), tiny, epochs=9, callbacks=[first, second], **QUIET)
    assert heard == [("first", 4), ("second", 4), ("first", 8), ("second", 8)]
    assert history.step == [4, 8] and not history.interrupted


def test_an_error_in_a_callback_reaches_the_user_and_the_model_is_usable(tiny: lab.ImageData) -> None:
    def broken(model: nn.Module, history: lab.History) -> None:
        raise ZeroDivisionError("mine")

    model = dense()
    with pytest.raises(ZeroDivisionError, match="mine"):
        lab.fit(model, tiny, epochs=3, callbacks=[broken], **QUIET)
    assert not model.training and int(model.trained_steps) == 4 and not is_fresh(model)


# --- checkpoints -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "names"),
    [
        ({"seed": 1}, ["'seed': 0", "'seed': 1"]),
        ({"epochs": 2}, ["'steps': 4", "'steps': 8"]),
        ({"learning_rate": 0.5}, ["'learning_rate': 0.5"]),
        ({"corrupt": lab.corrupt.gaussian(0.2)}, ["'corrupt': None", "gaussian\\(sigma=0.2\\)"]),
        ({"model": lambda: lab.LinearAutoencoder(4, SHAPE)}, ["DenseAutoencoder\\(4\\)", "LinearAutoencoder\\(4\\)"]),
        ({"model": lambda: dense(activation="relu")}, ["'layers'"]),
        ({"model": lambda: dense(loss="cross_entropy")}, ["'loss': 'squared_error'", "'loss': 'cross_entropy'"]),
        ({"model": lambda: dense(output="tanh")}, ["'output': 'sigmoid'", "'output': 'tanh'"]),
    ],
)
def test_the_checkpoint_of_another_run_is_refused_by_name(other, names, tiny: lab.ImageData, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    lab.fit(dense(), tiny, epochs=1, checkpoint=path, **QUIET)
    kept = path.read_bytes()
    model = other.pop("model", dense)()
    for name in names:
        with pytest.raises(ValueError, match=rf"run\.pt belongs to another run: .*{name}.*delete it"):
            lab.fit(model, tiny, checkpoint=path, **{"epochs": 1} | other, **QUIET)
    assert path.read_bytes() == kept


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "something else"])
def test_a_damaged_checkpoint_is_named_and_not_overwritten(damage: str, tiny: lab.ImageData, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    lab.fit(dense(), tiny, epochs=1, checkpoint=path, **QUIET)
    whole = path.read_bytes()
    if damage == "something else":
        torch.save({"weights": torch.zeros(2)}, path)
    else:
        path.write_bytes({"empty": b"", "truncated": whole[: len(whole) // 2], "garbage": b"not a checkpoint"}[damage])
    kept = path.read_bytes()
    with pytest.raises(ValueError, match=r"run\.pt is damaged or no checkpoint of fit; not used\. .*start over"):
        lab.fit(dense(), tiny, epochs=1, checkpoint=path, **QUIET)
    assert path.read_bytes() == kept


def test_a_checkpoint_makes_its_folder_and_leaves_one_file(tiny: lab.ImageData, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "run.pt"
    lab.fit(dense(), tiny, epochs=2, checkpoint=str(path), **QUIET)
    assert [file.name for file in path.parent.iterdir()] == ["run.pt"]


def test_a_user_s_own_function_resumes_although_its_address_differs(tiny: lab.ImageData, tmp_path: Path) -> None:
    def flip():  # each call makes a new function, as each process does
        return lambda x: x.flip(-1)

    path = tmp_path / "run.pt"
    first = lab.fit(dense(), tiny, epochs=1, augment=flip(), checkpoint=path, **QUIET)
    keep_alive = [flip() for _ in range(3)]
    assert lab.fit(dense(), tiny, epochs=1, augment=keep_alive[-1], checkpoint=path, **QUIET) == first


# --- refusals --------------------------------------------------------------------------------------


def test_too_large_a_learning_rate_is_named_with_the_step_and_the_advice_works(tiny: lab.ImageData) -> None:
    model = lab.LinearAutoencoder(4, SHAPE)
    before = weights(model)
    with pytest.raises(lab.TrainingDiverged, match=r"not finite at step \d+ .*learning rate 1e\+19.*=1e\+18") as caught:
        lab.fit(model, tiny, epochs=3, learning_rate=1e19, **QUIET)
    assert isinstance(caught.value.history, lab.History)
    assert same(before, weights(model)) and is_fresh(model) and not model.training
    # a second try with a sensible rate is as good as a first one
    history = lab.fit(model, tiny, epochs=3, **QUIET)
    assert history == lab.fit(lab.LinearAutoencoder(4, SHAPE), tiny, epochs=3, **QUIET)


def test_divergence_keeps_what_an_earlier_fit_had_learned(tiny: lab.ImageData) -> None:
    model = lab.LinearAutoencoder(4, SHAPE)
    lab.fit(model, tiny, epochs=2, **QUIET)
    trained = weights(model)
    with pytest.raises(lab.TrainingDiverged):
        lab.fit(model, tiny, epochs=3, learning_rate=1e19, **QUIET)
    assert same(trained, weights(model))


@pytest.mark.parametrize("bad_step", [1, 4, 6])
def test_nan_is_caught_at_its_step_with_the_history_so_far(bad_step: int, tiny: lab.ImageData) -> None:
    class Poisoned(lab.DenseAutoencoder):
        count = 0

        def loss(self, x: Tensor, target: Tensor | None = None) -> Loss:
            loss = super().loss(x, target)
            Poisoned.count += self.training
            return Loss(loss.total * torch.nan, {}) if self.training and Poisoned.count == bad_step else loss

    with pytest.raises(lab.TrainingDiverged, match=f"not finite at step {bad_step} ") as caught:
        lab.fit(Poisoned(4, SHAPE), tiny, epochs=3, **QUIET)
    assert caught.value.history.step == ([4] if bad_step > 4 else [])


def test_nan_that_only_the_last_step_s_weights_hold_is_caught_too(tiny: lab.ImageData) -> None:
    class RootOfZero(lab.DenseAutoencoder):
        def loss(self, x: Tensor, target: Tensor | None = None) -> Loss:
            loss = super().loss(x, target)
            return Loss(loss.total + (self.logits(x) * 0).sum().abs().sqrt(), {})  # finite value, infinite slope

    with pytest.raises(lab.TrainingDiverged, match="square root of 0"):
        lab.fit(RootOfZero(4, SHAPE), tiny, steps=1, **QUIET)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 1, "steps": 5}, r"epochs or steps, not both \(got epochs=1, steps=5\)"),
        ({"epochs": 0}, "epochs must be a whole number, at least 1, got 0"),
        ({"steps": -1}, "steps must be .* got -1"),
        ({"epochs": 1.5}, "epochs must be .* got 1.5"),
        ({"batch_size": 0}, "batch_size must be .* got 0"),
        ({"learning_rate": 0}, "learning_rate must be a positive number, got 0"),
        ({"learning_rate": math.nan}, "learning_rate must be a positive number, got nan"),
    ],
)
def test_contradictory_arguments_are_refused(wrong, message: str, tiny: lab.ImageData) -> None:
    with pytest.raises(ValueError, match=message):
        lab.fit(dense(), tiny, **{"progress": False} | wrong)


def test_images_of_another_shape_are_refused_with_the_way_out(tiny: lab.ImageData) -> None:
    with pytest.raises(ValueError, match=r"built for images \(B, 1, 28, 28\), got .*8, 8\); .*image_shape=data.shape"):
        lab.fit(lab.ConvAutoencoder(4), tiny, steps=2, **QUIET)


def test_a_batch_larger_than_the_data_becomes_the_data(tiny: lab.ImageData) -> None:
    history = lab.fit(dense(), tiny, epochs=2, batch_size=10_000, progress=False)
    assert history.step == [1, 2] and history.settings["batch_size"] == 200


def test_one_image_can_be_trained_on(tiny: lab.ImageData) -> None:
    one = lab.ImageData("one", tiny.train[:1], tiny.val[:1], tiny.test[:1])
    assert lab.fit(dense(), one, steps=3, progress=False).step == [1, 2, 3]


def test_settings_tell_what_the_run_depended_on(tiny: lab.ImageData) -> None:
    settings = lab.fit(dense(), tiny, steps=2, device="cpu", corrupt=lab.corrupt.gaussian(0.3), **QUIET).settings
    expected = {"data": "tiny", "images": 200, "seed": 0, "steps": 2, "batch_size": 50, "device": "cpu"}
    assert expected.items() <= settings.items()
    assert settings["corrupt"] == "gaussian(sigma=0.3)" and settings["augment"] is None
    assert settings["precision"] == "float32" and settings["torch"] == torch.__version__


def test_draw_weights_is_a_function_of_the_seed_alone() -> None:
    for make in (dense, lambda: lab.LinearAutoencoder(3, SHAPE), lambda: lab.ConvAutoencoder(3, SHAPE, width=4)):
        a, b = make(), make()
        draw_weights(a, 5)
        draw_weights(b, 5)
        assert same(weights(a), weights(b))
        draw_weights(b, 6)
        assert not same(weights(a), weights(b))
        # drawn as when the model is made: the same spread
        made, drawn = (torch.cat([p.detach().flatten() for p in m.parameters()]).std() for m in (make(), a))
        assert abs(made / drawn - 1) < 0.2
