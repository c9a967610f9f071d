"""What `fit` does and in which order: fourteen behaviours that are easily lost when its code is rearranged.

Written against `lab.fit` and what a model, a callback or a file can see of it, so that these tests outlive any
rearrangement. T stands for test_training.py, N for test_number_format.py, A for models/test_adversarial.py; what these
test already is not tested here again.

 1  arguments, device and steps() are checked before anything     test_a_wrong_argument…, test_steps_is_asked…,
    changes; PCA says what to call instead                        test_pca…; the messages: T
 2  the number format is looked for before weights are drawn;     test_the_look…, test_a_look_that_fails…;
    random state, mode and hooks are then as before               the choice itself: N
 3  settings are complete, device and precision included, before  test_a_checkpoint_of_other_settings…,
    a checkpoint is compared with them                            test_a_checkpoint_in_another_precision…; seed, steps,
                                                                  rate, corruption, architecture: T
 4  the snapshot for divergence is from before the drawing,       test_divergence_gives_back…; a fresh linear model and
    buffers included                                              a trained one: T; a GAN: A
 5  weights are drawn on the CPU; start_from is the first to      test_first_weights…, test_start_from…,
    draw from the seeded stream                                   test_only_fresh_weights…, test_weights_are_drawn_on…
 6  optimisers are made after device and layout, before resuming  test_channels_last_training…, test_moments…,
                                                                  test_a_resumed_run_in_channels_last…; one layout: T, A
 7  a finished checkpoint returns at once; resumed seconds add    test_a_finished_checkpoint…, test_seconds…
    up; set-up is not counted
 8  per epoch: reseed, order drawn on the CPU, augment, corrupt;  test_an_epoch_draws…, test_the_order_is_drawn_on…,
    the last smaller batch is dropped, the last epoch may be      test_a_short_last_epoch…, test_every_evaluation…;
    short                                                         what is damaged and what is not: T
 9  the rate uses the steps done before this one; one rate for    test_every_step_moves…
    all losses of a step
10  the second loss is taken after the first move; equal names    test_the_second_loss…; no gradient leaks: T
    of parts add up
11  trained_steps goes up, then after_step, then the check for    test_the_counter…, test_after_step_hears_of_the_step…,
    divergence                                                    test_a_resumed_run_counts_on; the lazy penalty: A
12  evaluate, check, record, save, callbacks; all of these are    test_an_epoch_ends…, test_a_validation_loss…,
    called; one that raises leaves this epoch saved               test_a_callback_that_raises…; two callbacks: T
13  Ctrl-C sets fit_seconds, divergence does not                  test_ctrl_c_sets…; the history and the model: T
14  the caller's generators are untouched, and a callback that    test_however_it_ends…, test_a_callback_that_draws…
    draws changes no curve

A start that is refused or interrupted leaves the model as it came: the last part of this file but one.
"""

import hashlib
import math
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import autoencoder_lab as lab

QUIET: dict[str, Any] = {"progress": False, "batch_size": 50, "device": "cpu"}  # 4 steps an epoch
SHAPE = (1, 8, 8)


def dense() -> lab.DenseAutoencoder:
    return lab.DenseAutoencoder(4, SHAPE, hidden=(16,))


def wide() -> lab.ConvAutoencoder:
    """So many channels, and so small dense layers, that fit has it compute in channels_last."""
    return lab.ConvAutoencoder(3, SHAPE, width=32, hidden=8)


MODELS: dict[str, Callable[[], Any]] = {
    "linear": lambda: lab.LinearAutoencoder(3, SHAPE),
    "dense": dense,
    "conv": lambda: lab.ConvAutoencoder(3, SHAPE, width=4, hidden=8),
    "wide": wide,
    "residual": lambda: lab.ResidualAutoencoder(3, SHAPE, width=4, hidden=8),
    "vae": lambda: lab.VAE(2, SHAPE, likelihood="gaussian", width=4, hidden=8),
    "mixture prior": lambda: lab.MixturePriorVAE(2, SHAPE, components=3, width=4, hidden=8),
    "gan": lambda: lab.GAN(4, SHAPE, width=4, hidden=8),
    "gan with batch norm": lambda: lab.GAN(4, SHAPE, batch_norm=True, width=4, hidden=8),
    "vicreg": lambda: lab.VICReg(4, SHAPE, projector=(8,), width=4, hidden=8),
    "ccae": lambda: lab.CCAE(4, SHAPE, projector=(8,), width=4, hidden=8),
}


def digest(tensor: Tensor) -> str:
    """A checksum of the values, whatever their layout in memory."""
    return hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest()[:16]


def values(model: nn.Module) -> dict[str, str]:
    """Every parameter and buffer, bit for bit."""
    return {name: digest(tensor) for name, tensor in [*model.named_parameters(), *model.named_buffers()]}


def portrait(model: nn.Module) -> dict[str, Any]:
    """All that a start must give back: values and type, where and how they lie in memory, modes, hooks."""
    tensors = {
        name: (digest(tensor), tensor.dtype, tensor.device, tensor.stride(), tensor.requires_grad)
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]
    }
    return tensors | {f"module {n}": (m.training, len(m._forward_hooks)) for n, m in model.named_modules()}


def generators() -> dict[str, Any]:
    """The state of every generator a caller may rely on."""
    numpy_state: Any = np.random.get_state()[1]
    return {"torch": digest(torch.get_rng_state()), "random": hash(random.getstate()), "numpy": numpy_state.tolist()}


@contextmanager
def left_as_it_came(model: nn.Module) -> Iterator[None]:
    """Fails unless the model, its very parameters and the caller's generators are afterwards as they were."""
    before, parameters, drawn = portrait(model), list(model.parameters()), generators()
    yield
    assert portrait(model) == before
    assert all(new is old for new, old in zip(model.parameters(), parameters, strict=True))
    assert generators() == drawn


class Spy(lab.DenseAutoencoder):
    """Writes down what `fit` asks of it."""

    def __init__(self) -> None:
        super().__init__(4, SHAPE, hidden=(16,))
        self.events: list[str] = []

    def reset_parameters(self) -> None:
        self.events.append("draw")

    def start_from(self, images: Tensor) -> None:
        self.events.append(f"start from {len(images)}")

    def steps(self):
        self.events.append("steps")
        return super().steps()

    def reconstruct(self, x: Tensor) -> Tensor:
        self.events.append("reconstruct")
        return super().reconstruct(x)

    def loss(self, x: Tensor, target: Tensor | None = None):
        self.events.append("loss" if self.training else "evaluate")
        return super().loss(x, target)


class TwoNumbers(lab.Autoencoder):
    """Two parameters with a slope of 1 and −1 everywhere, so that Adam moves each by the rate and by nothing else."""

    learning_rate = 1e-2

    def __init__(self) -> None:
        super().__init__(1, SHAPE, output="linear")
        self.falling, self.rising = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[float, float]] = []

    def encoder(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :1]

    def decoder(self, z: Tensor) -> Tensor:
        return z[..., None, None].expand(-1, *SHAPE)

    def first(self, x: Tensor, target: Tensor | None = None):
        self.seen.append((self.falling.item(), self.rising.item()))
        return replace(self.loss(x, target), total=self.falling + 3, parts={"both": self.falling + 5})

    def second(self, x: Tensor, target: Tensor | None = None):
        now = self.falling.detach().clone()  # a later move must not show in it
        parts = {"both": 7 - self.rising, "other as seen": now}
        return replace(self.loss(x, target), total=4 - self.rising, parts=parts)

    def steps(self):
        return [([self.falling], self.first), ([self.rising], self.second)]


class Clock:
    """Stands in for both clocks of `time`: time passes where a test says so, and all of it is computing time."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "perf_counter", made)
    monkeypatch.setattr(time, "process_time", made)
    return made


class Timed(lab.DenseAutoencoder):
    """A step takes one second, an evaluation half a second, every part of the set-up as long as one says."""

    def __init__(self, clock: Clock, set_up: float = 100.0) -> None:
        super().__init__(4, SHAPE, hidden=(16,))
        self.clock, self.set_up, self.finished = clock, set_up, False

    def reset_parameters(self) -> None:
        self.clock.wait(self.set_up)

    def start_from(self, images: Tensor) -> None:
        self.clock.wait(self.set_up)

    def steps(self):
        self.clock.wait(self.set_up)
        return super().steps()

    def load_state_dict(self, *args, **keywords):
        self.clock.wait(self.set_up)
        return super().load_state_dict(*args, **keywords)

    def loss(self, x: Tensor, target: Tensor | None = None):
        assert not self.finished, "a finished run was trained or evaluated"
        self.clock.wait(1.0 if self.training else 0.5)
        return super().loss(x, target)


def interrupt_after(epochs: int) -> Callable[[nn.Module, lab.History], None]:
    """A callback: Ctrl-C once that many epochs are recorded."""

    def callback(model: nn.Module, history: lab.History) -> None:
        if len(history.step) == epochs:
            raise KeyboardInterrupt

    return callback


def nan_from_call(number: int) -> Callable[[Tensor], Tensor]:
    """An augmentation that hands on its batches as they are, and NaN from the given call on."""
    calls = iter(range(1, 10**6))
    return lambda x: x if next(calls) < number else x * math.nan


def same_run(a: lab.History, b: lab.History) -> bool:
    """Two histories that agree, in their own seconds too (== passes over these)."""
    return a == b and a.seconds == b.seconds


# --- 1: checks come first --------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 1, "steps": 1},
        {"epochs": 0},
        {"steps": 2.5},
        {"batch_size": 0},
        {"learning_rate": -1.0},
        {"learning_rate": math.inf},
        {"device": "nowhere"},
    ],
)
def test_a_wrong_argument_is_refused_before_anything_changes(
    wrong: dict[str, Any], training: bool, tiny: lab.ImageData, tmp_path: Path
) -> None:
    model = Spy().train(training)
    with left_as_it_came(model), pytest.raises((ValueError, RuntimeError)):
        lab.fit(model, tiny, initialise=True, checkpoint=tmp_path / "new" / "run.pt", **{"progress": False} | wrong)
    assert set(model.events) <= {"steps"}  # not drawn, not run, not trained
    assert not list(tmp_path.iterdir())


def test_steps_is_asked_before_anything_changes(tiny: lab.ImageData, tmp_path: Path) -> None:
    class Solved(lab.ConvAutoencoder):
        """Wide: fit would run it once to choose the number format."""

        asked = 0

        def steps(self):
            raise TypeError("solved, not trained: call solve()")

        def reconstruct(self, x: Tensor) -> Tensor:
            self.asked += 1
            return super().reconstruct(x)

    for training in (True, False):
        model = Solved(3, SHAPE, width=32, hidden=8).train(training)
        with left_as_it_came(model), pytest.raises(TypeError, match="call solve"):
            lab.fit(model, tiny, initialise=True, checkpoint=tmp_path / "new" / "run.pt", **QUIET)
        assert model.asked == 0 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("training", [True, False])
def test_pca_says_what_to_call_instead_and_stays_fitted(training: bool, tiny: lab.ImageData) -> None:
    pca = lab.PCA(3, SHAPE).fit(tiny.train).train(training)
    seconds = pca.fit_seconds
    with left_as_it_came(pca), pytest.raises(TypeError, match=r"pca\.fit\(data\.train\)"):
        lab.fit(pca, tiny, initialise=True, **QUIET)
    assert pca.fit_seconds == seconds


# --- 2: the look that chooses a number format --------------------------------------------------------


class Watched(lab.ConvAutoencoder):
    """Wide, so fit runs it once to choose the number format; what it draws then must not be missed by anyone later."""

    def __init__(self) -> None:
        super().__init__(3, SHAPE, width=32, hidden=8)
        self.events: list[Any] = []
        self.layouts: set[bool] = set()

    def reset_parameters(self) -> None:
        self.events.append("draw")

    def start_from(self, images: Tensor) -> None:
        self.events.append(("start", torch.rand(3).tolist()))

    def reconstruct(self, x: Tensor) -> Tensor:
        self.events.append(("look", self.training, torch.is_grad_enabled()))
        torch.rand(7)
        return super().reconstruct(x)

    def logits(self, x: Tensor) -> Tensor:
        if self.training:
            weights = [p for p in self.parameters() if p.ndim == 4]
            self.layouts.add(all(w.is_contiguous(memory_format=torch.channels_last) for w in weights))
        return super().logits(x)


@pytest.mark.parametrize("training", [True, False])
def test_the_look_comes_before_the_weights_and_leaves_no_trace(training: bool, tiny: lab.ImageData) -> None:
    model, heard = Watched().train(training), list[int]()
    model.encoder.register_forward_hook(lambda *_: heard.append(1))  # a user's own
    drawn = generators()
    lab.fit(model, tiny, steps=2, seed=5, **QUIET)
    assert generators() == drawn
    stream = torch.Generator().manual_seed(5)  # nothing has drawn from it before start_from does
    expected = [("look", False, False), "draw", ("start", torch.rand(3, generator=stream).tolist())]
    assert model.events[:3] == expected
    assert model.layouts == {True}  # it was indeed the kind of model that is looked at
    assert sum(len(module._forward_hooks) for module in model.modules()) == 1 and heard


def test_a_look_that_fails_leaves_the_model_as_it_came(tiny: lab.ImageData) -> None:
    class Failing(Watched):
        def reconstruct(self, x: Tensor) -> Tensor:
            super().reconstruct(x)
            raise ZeroDivisionError("mine")

    for training in (True, False):
        model = Failing().train(training)
        with left_as_it_came(model), pytest.raises(ZeroDivisionError, match="mine"):
            lab.fit(model, tiny, steps=2, initialise=True, **QUIET)
        assert "draw" not in model.events


# --- 3: what a checkpoint is compared with -----------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "then"),
    [
        ({"device": "cpu:0"}, "'device': 'cpu'"),  # the same processor by another name
        ({"batch_size": 40, "epochs": None, "steps": 4}, "'batch_size': 50"),
        ({"augment": lab.augment.affine()}, "'augment': None"),
        ({"data": "other"}, "'data': 'tiny'"),
        ({"data": "fewer"}, "'images': 200"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(
    other: dict[str, Any], then: str, tiny: lab.ImageData, tmp_path: Path
) -> None:
    path = tmp_path / "run.pt"
    lab.fit(dense(), tiny, epochs=1, checkpoint=path, **QUIET)
    kept = path.read_bytes()
    sets = {"other": replace(tiny, name="other"), "fewer": replace(tiny, train=tiny.train[:199])}
    data = sets.get(str(other.get("data")), tiny)
    arguments = QUIET | {"epochs": 1} | {name: value for name, value in other.items() if name != "data"}
    with pytest.raises(ValueError, match=rf"belongs to another run: .*{re.escape(then)}"):
        lab.fit(dense(), data, checkpoint=path, **arguments)
    assert path.read_bytes() == kept


def test_a_checkpoint_in_another_precision_is_refused(
    tiny: lab.ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a run moved from one processor to another: the curve would not go on as it began."""
    path = tmp_path / "run.pt"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {}, raising=False)
    history = lab.fit(wide(), tiny, epochs=1, checkpoint=path, **QUIET)
    assert history.settings["precision"] == "float32" and history.settings["memory_format"] == "channels_last"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    with pytest.raises(ValueError, match=r"belongs to another run: .*'precision': 'float32'.*'precision': 'bfloat16'"):
        lab.fit(wide(), tiny, epochs=1, checkpoint=path, **QUIET)


def test_settings_are_complete_when_the_first_callback_reads_them(tiny: lab.ImageData) -> None:
    read: list[dict[str, Any]] = []
    history = lab.fit(dense(), tiny, epochs=2, **QUIET, callbacks=[lambda m, h: read.append(dict(h.settings)) and None])
    assert read == [history.settings] * 2
    assert {"device", "precision", "memory_format", "gradients", "torch"} <= history.settings.keys()


# --- 4: divergence -----------------------------------------------------------------------------------


@pytest.mark.parametrize("trained", [False, True], ids=["fresh", "trained"])
@pytest.mark.parametrize("name", ["vae", "gan with batch norm", "wide"])
def test_divergence_gives_back_what_came_buffers_included(name: str, trained: bool, tiny: lab.ImageData) -> None:
    model = MODELS[name]()
    if trained:
        lab.fit(model, tiny, steps=4, seed=1, **QUIET)
    model.eval()
    with left_as_it_came(model), pytest.raises(lab.TrainingDiverged, match="step 3 "):
        lab.fit(model, tiny, steps=8, initialise=True, augment=nan_from_call(3), **QUIET)


# --- 5: first weights --------------------------------------------------------------------------------


def expected_first_weights(model: Any, images: Tensor, seed: int) -> dict[str, str]:
    """By hand: every module draws anew, in order, from the seed; then start_from, from the same seed again."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        torch.manual_seed(seed)
        model.start_from(images)
    return values(model)


@pytest.mark.parametrize("name", MODELS)
def test_first_weights_are_drawn_from_the_seed_in_the_order_of_the_modules(name: str, tiny: lab.ImageData) -> None:
    model, seen = MODELS[name](), list[dict[str, str]]()

    def look(x: Tensor) -> Tensor:  # an augmentation is called before the first loss is taken
        seen.append(values(model))
        return x

    torch.manual_seed(99)  # whatever the caller drew
    lab.fit(model, tiny, steps=1, seed=3, augment=look, **QUIET)
    assert seen == [expected_first_weights(MODELS[name](), tiny.train.images, seed=3)]


@pytest.mark.parametrize("seed", [0, 11])
def test_start_from_is_the_first_to_draw_and_gets_all_training_images(seed: int, tiny: lab.ImageData) -> None:
    class Starting(lab.DenseAutoencoder):
        def start_from(self, images: Tensor) -> None:
            self.got, self.drawn = images.clone(), torch.rand(5)

    model = Starting(4, SHAPE, hidden=(16,))
    lab.fit(model, tiny, steps=1, seed=seed, **QUIET)
    assert torch.equal(model.got, tiny.train.images)
    assert torch.equal(model.drawn, torch.rand(5, generator=torch.Generator().manual_seed(seed)))


def test_only_fresh_weights_are_drawn_and_started(tiny: lab.ImageData) -> None:
    started = ["draw", "start from 200"]
    for initialise, first, second in ((None, started, []), (True, started, started), (False, [], [])):
        model = Spy()
        for expected in (first, second):
            model.events.clear()
            lab.fit(model, tiny, steps=1, initialise=initialise, **QUIET)
            assert [event for event in model.events if event in started] == expected


class Elsewhere(TorchFunctionMode):
    """Takes "mps" for a second name of the CPU, and writes down what goes there, what comes back, and what is drawn.

    A stand-in for a second device where there is none: nothing is computed elsewhere, but one sees when it would be.
    """

    def __init__(self, events: list[Any]) -> None:
        super().__init__()
        self.events = events

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func not in (torch.Tensor.to, torch.randperm):
            return func(*args, **kwargs)
        for place in (a for a in (*args, *kwargs.values()) if isinstance(a, torch.device)):
            if isinstance(args[0], nn.Parameter):
                self.events.append(f"weights to {place.type}")
        if func is torch.randperm:
            self.events.append(f"order on {torch.device(kwargs.get('device') or 'cpu').type}")
        return func(*map(self.at_home, args), **{name: self.at_home(value) for name, value in kwargs.items()})

    @staticmethod
    def at_home(thing: Any) -> Any:
        return torch.device("cpu") if isinstance(thing, torch.device) and thing.type == "mps" else thing


def runs_of(events: list[Any]) -> list[Any]:
    """The events with repetitions in a row taken as one."""
    return [event for i, event in enumerate(events) if i == 0 or event != events[i - 1]]


def test_weights_are_drawn_on_the_cpu_and_the_model_goes_there_and_back(tiny: lab.ImageData) -> None:
    model = Spy()
    with Elsewhere(model.events):
        history = lab.fit(model, tiny, steps=1, **QUIET | {"device": "mps"})
    assert history.settings["device"] == "mps"
    events = runs_of(model.events)
    there, back = events.index("weights to mps"), len(events) - 1 - events[::-1].index("weights to cpu")
    assert events.index("draw") < events.index("start from 200") < there < events.index("loss")
    assert "weights to cpu" not in events[there:back] and events[back:] == ["weights to cpu"]  # home again, at the end


def test_the_order_is_drawn_on_the_cpu_whatever_the_device(tiny: lab.ImageData) -> None:
    events: list[Any] = []
    with Elsewhere(events):
        lab.fit(dense(), tiny, epochs=2, **QUIET | {"device": "mps"})
    assert [event for event in events if event.startswith("order")] == ["order on cpu"] * 2


# --- 6: optimisers -----------------------------------------------------------------------------------


def test_channels_last_training_is_contiguous_training_but_for_rounding(
    tiny: lab.ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the layout in memory, the same weights move by the same amounts."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {}, raising=False)  # float32 for both

    class Contiguous(lab.ConvAutoencoder):
        def loss(self, x: Tensor, target: Tensor | None = None):  # a loss of one's own keeps to the plain format
            return super().loss(x, target)

    models = [wide(), Contiguous(3, SHAPE, width=32, hidden=8)]
    histories = [lab.fit(model, tiny, steps=6, **QUIET) for model in models]
    assert [history.settings["memory_format"] for history in histories] == ["channels_last", "contiguous"]
    start = wide()
    expected_first_weights(start, tiny.train.images, 0)  # draws them
    first, *ends = (torch.cat([p.detach().flatten() for p in m.parameters()]) for m in (start, *models))
    moves = [end - first for end in ends]
    assert torch.cosine_similarity(*moves, dim=0) > 0.999
    assert (moves[0] - moves[1]).abs().mean() < 0.01 * moves[0].abs().mean()


def test_moments_in_a_checkpoint_are_those_of_their_weights_in_channels_last(
    tiny: lab.ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one step Adam's first moment is a tenth of the gradient, place by place; made too early it lies otherwise.

    Training alone would not show it: the kernel reads memory in order, and a wrong order that stays is as good as any.
    """
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {}, raising=False)  # float32
    path, start = tmp_path / "run.pt", wide()
    lab.fit(wide(), tiny, steps=1, checkpoint=path, **QUIET | {"batch_size": 200})
    expected_first_weights(start, tiny.train.images, 0)  # draws them
    gradients = torch.autograd.grad(start.loss(tiny.train.images).total, list(start.parameters()))

    def moments(stored: Any) -> Iterator[Tensor]:
        for name, value in stored.items() if isinstance(stored, dict) else enumerate(stored):
            if name == "exp_avg":
                yield value
            elif isinstance(value, dict | list):
                yield from moments(value)

    found = list(moments(torch.load(path, weights_only=True)))
    for moment, gradient in zip(found, gradients, strict=True):
        torch.testing.assert_close(moment, 0.1 * gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max()))


def test_a_resumed_run_in_channels_last_goes_on_along_the_same_curve(tiny: lab.ImageData, tmp_path: Path) -> None:
    model, straight, path = wide(), wide(), tmp_path / "run.pt"
    stopped = lab.fit(model, tiny, epochs=4, checkpoint=path, callbacks=[interrupt_after(2)], **QUIET)
    assert stopped.step == [4, 8] and stopped.settings["memory_format"] == "channels_last"
    resumed = wide()
    assert lab.fit(resumed, tiny, epochs=4, checkpoint=path, **QUIET) == lab.fit(straight, tiny, epochs=4, **QUIET)
    assert values(resumed) == values(straight)


# --- 7: time and finished runs -------------------------------------------------------------------------


def test_a_finished_checkpoint_returns_at_once_with_the_trained_model(
    tiny: lab.ImageData, tmp_path: Path, clock: Clock
) -> None:
    path, trained = tmp_path / "run.pt", Timed(clock)
    first = lab.fit(trained, tiny, epochs=2, checkpoint=path, **QUIET)
    kept, heard, again = path.read_bytes(), list[lab.History](), Timed(clock)
    again.finished = True
    history = lab.fit(again, tiny, epochs=2, checkpoint=path, callbacks=[lambda m, h: heard.append(h)], **QUIET)
    assert same_run(history, first) and not history.interrupted and not heard
    assert values(again) == values(trained) and not again.training and int(again.trained_steps) == 8
    assert again.fit_seconds == trained.fit_seconds == 9.0
    assert path.read_bytes() == kept


def test_seconds_of_a_resumed_run_add_up_and_no_set_up_is_counted(
    tiny: lab.ImageData, tmp_path: Path, clock: Clock
) -> None:
    recipe: dict[str, Any] = {"epochs": 4, "checkpoint": tmp_path / "run.pt", **QUIET}
    stopped = lab.fit(Timed(clock), tiny, callbacks=[interrupt_after(2)], **recipe)
    assert stopped.seconds == [4.5, 9.0]  # four steps and an evaluation each
    clock.wait(10_000)  # the next day
    model = Timed(clock)
    resumed = lab.fit(model, tiny, **recipe)
    assert resumed.seconds == [4.5, 9.0, 13.5, 18.0] and model.fit_seconds == 18.0


def test_seconds_of_the_look_for_a_number_format_are_set_up_too(tiny: lab.ImageData, clock: Clock) -> None:
    class Slow(lab.ConvAutoencoder):
        def reconstruct(self, x: Tensor) -> Tensor:
            clock.wait(100)
            return super().reconstruct(x)

        def logits(self, x: Tensor) -> Tensor:
            clock.wait(1.0 if self.training else 0.0)
            return super().logits(x)

    model = Slow(3, SHAPE, width=32, hidden=8)
    assert lab.fit(model, tiny, epochs=2, **QUIET).seconds == [4.0, 8.0] and model.fit_seconds == 8.0


# --- 8: an epoch -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 3, 2**61])
def test_an_epoch_draws_its_order_then_augments_then_corrupts(seed: int, tiny: lab.ImageData) -> None:
    """The whole stream by hand: every epoch from a seed of its own, and in it nothing but these draws."""
    events: list[Any] = []

    class Drawing(lab.DenseAutoencoder):
        def loss(self, x: Tensor, target: Tensor | None = None):
            if self.training:
                events.append(("loss", torch.rand(2).tolist()))
            return super().loss(x, target)

    def augment(x: Tensor) -> Tensor:
        events.extend([("batch", x.clone()), ("augment", torch.rand(2).tolist())])
        return x

    def corrupt(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        if generator is None:  # in training; while evaluating the noise comes from a generator of its own
            events.append(("corrupt", torch.rand(2).tolist()))
        return x

    model = Drawing(4, SHAPE, hidden=(16,))
    arguments = QUIET | {"batch_size": 60}  # 3 batches of 60, and 20 of 200 images are left out
    history = lab.fit(model, tiny, steps=8, seed=seed, augment=augment, corrupt=corrupt, **arguments)
    assert history.step == [3, 6, 8] and history.epoch == [1.0, 2.0, 8 / 3]

    told = iter(events)
    for epoch, batches in enumerate((3, 3, 2)):
        stream = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
        order = torch.randperm(200, generator=stream)
        for rows in order.split(60)[:batches]:
            name, batch = next(told)
            assert name == "batch" and torch.equal(batch, tiny.train.images[rows])
            for expected in ("augment", "corrupt", "loss"):
                assert next(told) == (expected, torch.rand(2, generator=stream).tolist())
    assert next(told, None) is None


def test_every_evaluation_draws_the_same_numbers_whatever_the_seed(tiny: lab.ImageData) -> None:
    """Otherwise the validation curve of a model that draws, such as a VAE, would be rough, and runs hard to compare."""
    drawn: list[list[float]] = []

    class Drawing(lab.DenseAutoencoder):
        def loss(self, x: Tensor, target: Tensor | None = None):
            if not self.training:
                drawn.append(torch.rand(2).tolist())
            return super().loss(x, target)

    for seed in (3, 4):
        lab.fit(Drawing(4, SHAPE, hidden=(16,)), tiny, epochs=2, seed=seed, **QUIET)
    assert drawn == [torch.rand(2, generator=torch.Generator().manual_seed(0)).tolist()] * 4


def test_a_short_last_epoch_is_averaged_over_its_own_batches(tiny: lab.ImageData) -> None:
    class Numbered(TwoNumbers):
        """The n-th training loss is n."""

        count = 0

        def first(self, x: Tensor, target: Tensor | None = None):
            self.count += 1
            total = 0 * self.falling + self.count
            return replace(self.loss(x, target), total=total, parts={"n": total})

        def steps(self):
            return [([self.falling], self.first)]

    history = lab.fit(Numbered(), tiny, steps=8, **QUIET | {"batch_size": 60})
    assert history.train == {"total": [2.0, 5.0, 7.5], "n": [2.0, 5.0, 7.5]}  # of 1 2 3, 4 5 6, 7 8


# --- 9 and 10: a step ----------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [1, 20, 600])
def test_every_step_moves_all_its_networks_by_the_rate_of_its_own_place(total: int, tiny: lab.ImageData) -> None:
    """Warm-up over 50 steps, or a tenth of them all, then half a cosine, counted from the steps done before."""
    model = TwoNumbers()
    lab.fit(model, tiny, steps=total, **QUIET | {"batch_size": 20})
    warm_up = min(50, total // 10)
    shares = [
        (done + 1) / (warm_up + 1)
        if done < warm_up
        else (1 + math.cos(math.pi * (done - warm_up) / (total - warm_up))) / 2
        for done in range(total)
    ]
    falling, rising = torch.tensor([*model.seen, (model.falling.item(), model.rising.item())]).T.double()
    expected = 1e-2 * torch.tensor(shares, dtype=torch.double)
    torch.testing.assert_close(-falling.diff(), expected, rtol=1e-4, atol=3e-7)
    torch.testing.assert_close(rising.diff(), expected, rtol=1e-4, atol=3e-7)


def test_the_second_loss_sees_the_first_move_and_equal_names_add_up(tiny: lab.ImageData) -> None:
    train = lab.fit(TwoNumbers(), tiny, steps=1, **QUIET).train
    assert train["other as seen"] == [pytest.approx(-1e-2)]  # moved from 0 by the rate, before the second loss
    assert train["total"] == [pytest.approx(3 + 4)] and train["both"] == [pytest.approx(5 + 7)]
    assert train.keys() == {"total", "both", "other as seen"}


# --- 11: counting --------------------------------------------------------------------------------------


class Counting(lab.DenseAutoencoder):
    """What its loss and its after_step read of the counter; NaN at the step `bad`."""

    def __init__(self, bad: int = 0) -> None:
        super().__init__(4, SHAPE, hidden=(16,))
        self.read: list[tuple[Any, ...]] = []
        self.bad = bad

    def loss(self, x: Tensor, target: Tensor | None = None):
        loss = super().loss(x, target)
        if self.training:
            self.read.append(("loss", int(self.trained_steps)))
            if len(self.read) == 2 * self.bad - 1:
                return replace(loss, total=loss.total * math.nan)
        return loss

    def after_step(self, step: int, total: int) -> None:
        self.read.append(("after", step, total, int(self.trained_steps)))


def test_the_counter_goes_up_between_the_loss_and_after_step(tiny: lab.ImageData) -> None:
    model = Counting()
    lab.fit(model, tiny, steps=2, **QUIET)
    assert model.read == [("loss", 0), ("after", 1, 2, 1), ("loss", 1), ("after", 2, 2, 2)]
    model.read.clear()
    lab.fit(model, tiny, steps=1, **QUIET)  # goes on: steps are counted anew, the model's own are not
    assert model.read == [("loss", 2), ("after", 1, 1, 3)] and int(model.trained_steps) == 3


def test_after_step_hears_of_the_step_that_diverged(tiny: lab.ImageData) -> None:
    model = Counting(bad=3)
    with pytest.raises(lab.TrainingDiverged, match="step 3 "):
        lab.fit(model, tiny, steps=8, **QUIET)
    assert model.read[-2:] == [("loss", 2), ("after", 3, 8, 3)]
    assert int(model.trained_steps) == 0


def test_a_resumed_run_counts_on(tiny: lab.ImageData, tmp_path: Path) -> None:
    recipe: dict[str, Any] = {"steps": 6, "checkpoint": tmp_path / "run.pt", **QUIET}
    lab.fit(Counting(), tiny, callbacks=[interrupt_after(1)], **recipe)
    model = Counting()
    lab.fit(model, tiny, **recipe)
    assert model.read == [("loss", 4), ("after", 5, 6, 5), ("loss", 5), ("after", 6, 6, 6)]


# --- 12: the end of an epoch -----------------------------------------------------------------------------


def test_an_epoch_ends_with_evaluation_then_the_file_then_the_callbacks(tiny: lab.ImageData, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"

    class Looking(Spy):
        def loss(self, x: Tensor, target: Tensor | None = None):
            loss = super().loss(x, target)
            if not self.training:
                self.events.append(f"file: {path.exists()}")
            return loss

    model = Looking()

    def callback(given: nn.Module, history: lab.History) -> None:
        assert given is model and history.seconds and len(history.val["total"]) == len(history.step)
        model.events.append(f"callback at {history.step[-1]}, file: {path.exists()}")

    lab.fit(model, tiny, epochs=2, checkpoint=path, callbacks=[callback], **QUIET)
    epochs = [event for event in model.events if event.startswith(("loss", "evaluate", "file", "callback"))]
    first = [*["loss"] * 4, "evaluate", "file: False", "callback at 4, file: True"]
    assert epochs == [*first, *["loss"] * 4, "evaluate", "file: True", "callback at 8, file: True"]


def test_a_validation_loss_that_is_not_finite_is_neither_recorded_nor_saved_nor_told(
    tiny: lab.ImageData, tmp_path: Path
) -> None:
    path, heard, kept = tmp_path / "run.pt", list[int](), list[bytes]()

    class Poisoned(lab.DenseAutoencoder):
        evaluations = 0

        def loss(self, x: Tensor, target: Tensor | None = None):
            loss = super().loss(x, target)
            self.evaluations += not self.training
            return replace(loss, total=loss.total * math.nan) if self.evaluations == 2 else loss

    def callback(model: nn.Module, history: lab.History) -> None:
        heard.append(history.step[-1])
        kept.append(path.read_bytes())

    model = Poisoned(4, SHAPE, hidden=(16,))
    before = values(model)
    with pytest.raises(lab.TrainingDiverged, match="step 8 ") as caught:
        lab.fit(model, tiny, epochs=3, checkpoint=path, callbacks=[callback], **QUIET)
    history = caught.value.history
    assert heard == history.step == [4] and len(history.val["total"]) == len(history.seconds) == 1
    assert [path.read_bytes()] == kept and values(model) == before


def test_a_callback_that_raises_leaves_its_epoch_saved(tiny: lab.ImageData, tmp_path: Path) -> None:
    recipe: dict[str, Any] = {"epochs": 4, "corrupt": lab.corrupt.gaussian(0.3), **QUIET}
    path, heard = tmp_path / "run.pt", list[int]()

    def broken(model: nn.Module, history: lab.History) -> None:
        if len(history.step) == 2:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        lab.fit(dense(), tiny, checkpoint=path, callbacks=[broken], **recipe)
    resumed, straight = dense(), dense()
    history = lab.fit(resumed, tiny, checkpoint=path, callbacks=[lambda m, h: heard.append(h.step[-1])], **recipe)
    assert heard == [12, 16] and history == lab.fit(straight, tiny, **recipe)
    assert values(resumed) == values(straight)


# --- 13: how long it took ------------------------------------------------------------------------------


def test_ctrl_c_sets_fit_seconds_and_divergence_does_not(tiny: lab.ImageData, clock: Clock) -> None:
    model = Timed(clock)
    with pytest.raises(lab.TrainingDiverged):
        lab.fit(model, tiny, epochs=3, augment=nan_from_call(6), **QUIET)
    assert model.fit_seconds is None
    history = lab.fit(model, tiny, epochs=3, callbacks=[interrupt_after(2)], **QUIET)
    assert history.interrupted and model.fit_seconds == 9.0
    with pytest.raises(lab.TrainingDiverged):
        lab.fit(model, tiny, epochs=3, augment=nan_from_call(6), **QUIET)
    assert model.fit_seconds == 9.0  # of the training that its weights come from


# --- 14: random numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["done", "stopped", "Ctrl-C", "error", "diverged", "other checkpoint", "bad start"])
def test_however_it_ends_the_caller_s_generators_are_as_before(end: str, tiny: lab.ImageData, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    lab.fit(dense(), tiny, epochs=1, checkpoint=path, **QUIET)

    class Starting(lab.DenseAutoencoder):
        def start_from(self, images: Tensor) -> None:
            torch.rand(3)
            if end == "bad start":
                raise ZeroDivisionError

    def callback(model: nn.Module, history: lab.History) -> bool:
        torch.manual_seed(99)  # whatever a callback does
        if end in ("Ctrl-C", "error"):
            raise KeyboardInterrupt if end == "Ctrl-C" else ZeroDivisionError
        return end == "stopped"

    model = Starting(4, SHAPE, hidden=(16,))
    torch.manual_seed(12345)
    torch.rand(3)
    drawn = generators()
    with suppress(ZeroDivisionError, lab.TrainingDiverged, ValueError):
        lab.fit(
            model, tiny, epochs=2, seed=2, callbacks=[callback], **QUIET,
            corrupt=lab.corrupt.gaussian(0.2), augment=nan_from_call(6 if end == "diverged" else 999),
            checkpoint=path if end == "other checkpoint" else None,
        )  # fmt: skip
    assert generators() == drawn


def test_a_callback_that_draws_changes_no_curve(tiny: lab.ImageData) -> None:
    recipe: dict[str, Any] = {
        "epochs": 3, "corrupt": lab.corrupt.gaussian(0.3), "augment": lab.augment.affine(), "seed": 4, **QUIET
    }  # fmt: skip
    numbers: list[list[float]] = []

    def drawing(model: nn.Module, history: lab.History) -> None:
        numbers.append(torch.rand(17).tolist())

    for make in (MODELS["vae"], MODELS["gan"]):
        first, second = make(), make()
        assert lab.fit(first, tiny, **recipe) == lab.fit(second, tiny, **recipe, callbacks=[drawing])
        assert values(first) == values(second)
    assert len(numbers) == 6


# --- a start that is refused or interrupted ----------------------------------------------------------

STARTS: dict[str, Any] = {
    # the model's name; whether it was trained before; its mode when it came
    "fresh, training": ("vae", False, True),
    "fresh, evaluating": ("gan with batch norm", False, False),
    "trained, evaluating": ("dense", True, False),
    "trained, wide": ("wide", True, True),
}


def came(start: str, tiny: lab.ImageData) -> Any:
    """A model with a past of its own."""
    name, trained, training = STARTS[start]
    model = MODELS[name]()
    if trained:
        lab.fit(model, tiny, steps=4, seed=1, **QUIET)
    return model.train(training)


@pytest.mark.parametrize("fault", ["another run", "damaged"])
@pytest.mark.parametrize("start", STARTS)
def test_a_refused_checkpoint_leaves_the_model_as_it_came(
    start: str, fault: str, tiny: lab.ImageData, tmp_path: Path
) -> None:
    path, model = tmp_path / "run.pt", came(start, tiny)
    if fault == "damaged":
        path.write_bytes(b"not a checkpoint")
    else:
        lab.fit(MODELS[STARTS[start][0]](), tiny, steps=4, seed=7, checkpoint=path, **QUIET)
    with left_as_it_came(model), pytest.raises(ValueError, match=r"run\.pt"):
        lab.fit(model, tiny, steps=4, seed=0, checkpoint=path, **QUIET)


def test_after_a_refused_checkpoint_a_fresh_model_is_still_fresh(tiny: lab.ImageData, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    lab.fit(dense(), tiny, epochs=1, seed=7, checkpoint=path, **QUIET)
    model = dense()
    with pytest.raises(ValueError, match="another run"):
        lab.fit(model, tiny, epochs=1, seed=1, checkpoint=path, **QUIET)
    assert lab.fit(model, tiny, epochs=1, seed=3, **QUIET) == lab.fit(dense(), tiny, epochs=1, seed=3, **QUIET)


def test_a_refused_checkpoint_leaves_the_model_on_its_device(tiny: lab.ImageData, tmp_path: Path) -> None:
    path, model = tmp_path / "run.pt", Spy()
    path.write_bytes(b"not a checkpoint")
    with Elsewhere(model.events), pytest.raises(ValueError, match=r"run\.pt"):
        lab.fit(model, tiny, epochs=1, checkpoint=path, **QUIET | {"device": "mps"})
    moves = [event for event in model.events if event.startswith("weights to")]
    assert not moves or moves[-1] == "weights to cpu"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["drawing", "starting", "moving", "reading the checkpoint"])
def test_an_error_or_ctrl_c_during_the_set_up_leaves_the_model_as_it_came(
    where: str,
    error: type[BaseException],
    training: bool,
    tiny: lab.ImageData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class LastLayer(nn.Identity):
        def reset_parameters(self) -> None:  # by now the others have been drawn
            if where == "drawing":
                raise error

    class Failing(lab.VAE):
        drawn = False

        def __init__(self) -> None:
            super().__init__(2, SHAPE, width=4, hidden=8)
            self.last = LastLayer()

        def start_from(self, images: Tensor) -> None:
            super().start_from(images)
            self.drawn = True
            if where == "starting":
                raise error

        def to(self, *args, **keywords):
            if where == "moving" and self.drawn:
                Failing.drawn = self.drawn = False  # once: the way back is free
                raise error
            return super().to(*args, **keywords)

    path = tmp_path / "run.pt"
    lab.fit(dense(), tiny, epochs=1, checkpoint=path, **QUIET)

    def load(*_: Any, **__: Any) -> None:
        raise error

    model = Failing().train(training)
    with left_as_it_came(model), monkeypatch.context() as patch:
        if where == "reading the checkpoint":
            patch.setattr(torch, "load", load)
        try:  # Ctrl-C may end the call or, as later on, return an empty history
            history = lab.fit(model, tiny, epochs=1, checkpoint=path, **QUIET)
        except error:
            pass
        except ValueError as told:  # whatever stops the reading, the file is no checkpoint
            assert where == "reading the checkpoint" and isinstance(told.__cause__, error)
        else:
            assert error is KeyboardInterrupt and history.interrupted and history.step == []


def test_images_that_the_first_step_refuses_leave_the_model_as_it_came(
    tiny28: lab.ImageData, tiny: lab.ImageData
) -> None:
    model = came("trained, evaluating", tiny)
    with left_as_it_came(model), pytest.raises(ValueError, match="built for images"):
        lab.fit(model, tiny28, epochs=1, initialise=True, **QUIET)


# --- the progress of a resumed run -------------------------------------------------------------------


def stopped_halfway(clock: Clock, tiny: lab.ImageData, path: Path) -> dict[str, Any]:
    """The recipe of a run of 20 steps, 8 of which are done."""
    recipe: dict[str, Any] = {"steps": 20, "checkpoint": path, **QUIET}
    assert lab.fit(Timed(clock, 0), tiny, callbacks=[interrupt_after(2)], **recipe).step == [4, 8]
    return recipe | {"progress": True}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What fit shows in a notebook, in place of the notebook."""
    lines: list[str] = []

    class Handle:
        def update(self, content: dict[str, str], **_: Any) -> None:
            lines.append(content["text/plain"])

    def display(content: dict[str, str], **_: Any) -> Handle:
        lines.append(content["text/plain"])
        return Handle()

    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setattr("IPython.display.display", display)
    return lines


def test_the_line_of_a_notebook_tells_steps_seconds_and_what_is_left(
    tiny: lab.ImageData, clock: Clock, shown: list[str]
) -> None:
    lab.fit(Timed(clock, 0), tiny, steps=4, **QUIET | {"progress": True})
    assert shown[1:] == [
        "Timed(4): step 1 of 4, 1 s, 3 s left",
        "Timed(4): step 2 of 4, 2 s, 2 s left",
        "Timed(4): step 3 of 4, 3 s",
        "Timed(4): step 4 of 4, 4 s",
    ]


@pytest.mark.parametrize(("computed", "busy"), [(0.2, True), (0.8, False)])
def test_the_line_says_where_the_processor_is_another_program_s(
    computed: float, busy: bool, tiny: lab.ImageData, clock: Clock, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """computed: the share of a step for which the process has a processor."""
    monkeypatch.setattr(time, "process_time", lambda: computed * clock.now)
    monkeypatch.setattr("autoencoder_lab.training.progress.pick_device", lambda: torch.device("cpu"))
    lab.fit(Timed(clock, 0), tiny, steps=4, **QUIET | {"progress": True})
    assert [line.endswith("; the machine is busy with other programs") for line in shown] == [False] * 3 + [busy] * 2


def test_the_time_left_of_a_resumed_run_goes_by_its_own_steps(
    tiny: lab.ImageData, tmp_path: Path, clock: Clock, shown: list[str]
) -> None:
    recipe = stopped_halfway(clock, tiny, tmp_path / "run.pt")
    lab.fit(Timed(clock, 0), tiny, **recipe)
    left = dict(re.findall(r"step (\d+) of 20, .*?(\d+) s left", "\n".join(shown)))
    assert [left.get(step) for step in ("9", "10", "11", "12")] == ["11", "10", "9", "8"]  # a step takes a second


def test_the_bar_of_a_terminal_begins_where_a_resumed_run_does(
    tiny: lab.ImageData, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tqdm

    recipe = stopped_halfway(clock, tiny, tmp_path / "run.pt")
    bars: list[Any] = []

    class Bar(tqdm.tqdm):
        def __init__(self, *args: Any, **keywords: Any) -> None:
            super().__init__(*args, **keywords)
            bars.append(self)

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    lab.fit(Timed(clock, 0), tiny, **recipe)
    (bar,) = bars
    assert (bar.initial, bar.n, bar.total) == (8, 20, 20)
