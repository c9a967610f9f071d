"""What people hand to `fit`: what can be meant is done, the rest is refused in a sentence before anything changes."""

import re
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import autoencoder_lab as lab

QUIET: dict[str, Any] = {"progress": False, "steps": 2, "batch_size": 50}
SHAPE = (1, 8, 8)


def dense() -> lab.DenseAutoencoder:
    return lab.DenseAutoencoder(4, SHAPE, hidden=(16,))


def weights(model: nn.Module) -> list[Tensor]:
    return [value.detach().clone() for value in model.parameters()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


# --- what can be meant -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [np.int64(3), np.int32(3), np.uint8(3), np.arange(5)[3], torch.tensor(3), 3.0],
    ids=lambda given: type(given).__name__,
)
def test_whole_numbers_of_any_make_are_whole_numbers(given: Any, tiny: lab.ImageData) -> None:
    plain, other = dense(), dense()
    expected = lab.fit(plain, tiny, epochs=3, seed=3, batch_size=50, progress=False)
    found = lab.fit(other, tiny, epochs=given, seed=given, batch_size=50, progress=False)
    assert found == expected and same(weights(plain), weights(other))
    assert all(isinstance(found.settings[name], int) for name in ("seed", "steps"))


def test_a_model_made_with_numpy_s_numbers_is_the_same_model(tiny: lab.ImageData, tmp_path: Path) -> None:
    four, size = np.int64(4), np.array(tiny.shape)
    eight = np.int32(8)
    made = [
        (lab.ConvAutoencoder, {"width": four, "hidden": eight}, {"width": 4, "hidden": 8}),
        (lab.DenseAutoencoder, {"hidden": (eight,)}, {"hidden": (8,)}),
        (lab.MixturePriorVAE, {"components": eight, "width": four}, {"components": 8, "width": 4}),
        (lab.VICReg, {"projector": [eight, eight], "width": four}, {"projector": [8, 8], "width": 4}),
        (lab.GAN, {"classes": np.int64(10)}, {"classes": 10}),
    ]
    for number, (kind, numpys, pythons) in enumerate(made):
        one, two = kind(four, size, **numpys), kind(4, SHAPE, **pythons)
        path = tmp_path / f"{number}.pt"
        lab.fit(two, tiny, checkpoint=path, **QUIET)
        lab.fit(one, tiny, checkpoint=path, **QUIET)  # the same settings, or it would be refused
        assert same(weights(one), weights(two)) and one.label == two.label
        assert one.image_shape == two.image_shape == SHAPE and type(one.latent) is int
    assert lab.PCA(four, size).fit(tiny.train).components.shape == (64, 4)
    games = [lab.PlanarGAN(seeds=seeds).play(1).sample(5) for seeds in (np.arange(2), (0, 1))]
    assert torch.equal(*games)


def test_one_callback_is_a_list_of_one(tiny: lab.ImageData) -> None:
    heard: list[int] = []
    lab.fit(dense(), tiny, callbacks=lambda model, history: heard.append(history.step[-1]), **QUIET)
    assert heard == [2]


@pytest.mark.parametrize("state", ["no_grad", "inference_mode", "set_grad_enabled", "float64"])
def test_the_caller_s_state_is_not_in_the_way_and_stays(state: str, tiny: lab.ImageData) -> None:
    model, other, vae, plain_vae = dense(), dense(), lab.VAE(2, SHAPE, width=4), lab.VAE(2, SHAPE, width=4)
    noise = {"corrupt": lab.corrupt.gaussian(0.3), "augment": lab.augment.affine()}
    expected = lab.fit(other, tiny, **QUIET, **noise), lab.fit(plain_vae, tiny, **QUIET)
    if state == "float64":
        torch.set_default_dtype(torch.float64)
    if state == "set_grad_enabled":
        torch.set_grad_enabled(False)
    try:
        contexts = {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode}
        with contexts.get(state, nullcontext)():
            found = lab.fit(model, tiny, **QUIET, **noise), lab.fit(vae, tiny, **QUIET)
            assert torch.is_grad_enabled() == (state == "float64")
            assert torch.get_default_dtype() == (torch.float64 if state == "float64" else torch.float32)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
    assert found == expected and same(weights(model), weights(other)) and same(weights(vae), weights(plain_vae))


def test_what_is_wrapped_is_trained_itself(tiny: lab.ImageData) -> None:
    model, other = dense(), dense()
    lab.fit(other, tiny, **QUIET)
    lab.fit(nn.DataParallel(model), tiny, **QUIET)
    assert same(weights(model), weights(other)) and int(model.trained_steps) == 2


def test_a_weight_that_the_loss_does_not_use_is_passed_over(tiny: lab.ImageData) -> None:
    model, other = dense(), dense()
    model.extra = nn.Linear(3, 3)
    before = weights(model.extra)
    model.load_state_dict(other.state_dict(), strict=False)
    for each in (model, other):
        lab.fit(each, tiny, initialise=False, **QUIET)
    assert same(weights(model.extra), before) and same(weights(model.encoder), weights(other.encoder))


def test_half_frozen_networks_of_a_game_train_the_other_half(tiny: lab.ImageData) -> None:
    gan = lab.GAN(4, SHAPE, width=4, hidden=8)
    lab.fit(gan, tiny, **QUIET)
    gan.critic.features.requires_grad_(False)
    frozen, free = weights(gan.critic.features), weights(gan.critic.score)
    lab.fit(gan, tiny, **QUIET)
    assert same(weights(gan.critic.features), frozen) and not same(weights(gan.critic.score), free)


def test_trainings_in_threads_take_turns(tiny: lab.ImageData) -> None:
    models = [lab.VAE(2, SHAPE, width=4) for _ in range(4)]
    recipe: dict[str, Any] = {"steps": 12, "batch_size": 50, "progress": False}
    threads = [threading.Thread(target=lab.fit, args=(model, tiny), kwargs=recipe) for model in models[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lab.fit(models[0], tiny, **recipe)
    assert all(same(weights(models[0]), weights(model)) for model in models[1:])


# --- what is refused ---------------------------------------------------------------------------------


class Lossless(lab.Model):
    """Nothing to train by."""

    def __init__(self) -> None:
        super().__init__(SHAPE)
        self.layer = nn.Linear(2, 2)


def one_argument(model: Any) -> None:
    """No callback of fit."""


images = torch.rand(20, *SHAPE)
MODELS: dict[str, tuple[Any, str]] = {
    "plain network": (lambda: nn.Linear(2, 2), r"Linear stops at pictures .*mat1"),
    "class": (lambda: lab.DenseAutoencoder, r"DenseAutoencoder\(…\); got the class DenseAutoencoder itself"),
    "list": (lambda: [dense()], "one at a time; got a list of 1"),
    "nothing": (lambda: None, "such as lab.ConvAutoencoder.*; got None"),
    "game": (lambda: lab.PlanarGAN(), r"trains itself: call game\.play"),
    "data set": (lambda: lab.load("digits", 200), "the model comes first, lab.fit"),
    "no loss": (Lossless, "Lossless has no loss to train by: define loss"),
    "double": (lambda: dense().double(), r"encoder\.1\.weight of DenseAutoencoder\(4\) is float64: call model\.float"),
    "half": (lambda: dense().half(), "is float16: call model.float"),
    "bfloat16": (lambda: dense().bfloat16(), "is bfloat16: call model.float"),
    "frozen": (lambda: dense().requires_grad_(False), r"they are all frozen; model\.requires_grad_\(True\)"),
    "frozen critic": (
        lambda: (gan := lab.GAN(4, SHAPE, width=4)).critic.requires_grad_(False) and gan,
        "no weights to train by critic_loss: they are all frozen",
    ),
}  # fmt: skip
DATA: dict[str, tuple[Any, str]] = {
    "split": (lambda tiny: tiny.train, "got one split: pass the whole data set"),
    "loader": (lambda tiny: DataLoader(TensorDataset(images)), r"got a DataLoader: lab\.ImageData\(name, train, val"),
    "tensor data set": (lambda tiny: TensorDataset(images), "got a TensorDataset"),
    "tensor": (lambda tiny: images, r"got a tensor \(20, 1, 8, 8\)"),
    "array": (lambda tiny: images.numpy(), "got a ndarray"),
    "list": (lambda tiny: [images], "got a list"),
    "name": (lambda tiny: "digits", r"got 'digits': lab\.load\('digits'\) loads it"),
    "model": (lambda tiny: dense(), "got the model DenseAutoencoder"),
    "nothing": (lambda tiny: None, "got None"),
}  # fmt: skip
SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"seed": "a"}, "seed must be a whole number .* got 'a'"),
    ({"seed": None}, "seed must be a whole number .* got None"),
    ({"seed": 2**64}, r"from -2\*\*63 to 2\*\*64 - 1, got 18446744073709551616"),
    ({"seed": 1.5}, "seed must be a whole number .* got 1.5"),
    ({"seed": True}, "seed must be a whole number .* got True"),
    ({"seed": [0, 1]}, r"seed must be a whole number .* got \[0, 1\]"),
    ({"steps": "3"}, "steps must be a whole number, at least 1, got '3'"),
    ({"steps": float("nan")}, "steps must be a whole number, at least 1, got nan"),
    ({"batch_size": "all"}, "batch_size must be a whole number, at least 1, got 'all'"),
    ({"learning_rate": "fast"}, "learning_rate must be a positive number, got 'fast'"),
    ({"learning_rate": [1e-3]}, "learning_rate must be a positive number, got "),
    ({"corrupt": 0.5}, r"corrupt must be a function of images, such as lab\.corrupt\.gaussian\(0\.5\), got 0\.5"),
    ({"corrupt": lab.corrupt.gaussian}, r"the class gaussian itself: write corrupt=lab\.corrupt\.gaussian\(…\)"),
    ({"corrupt": lambda x: x}, r"corrupt\(x, generator\), .* second argument, generator=None"),
    ({"augment": "affine"}, r"augment must be a function of images, such as lab\.augment\.affine\(\), got 'affine'"),
    ({"augment": lab.augment.affine}, r"write augment=lab\.augment\.affine\(…\)"),
    ({"callbacks": [one_argument]}, r"fit calls one_argument\(model, history\) after every epoch, but"),
    ({"callbacks": one_argument}, r"fit calls one_argument\(model, history\) after every epoch, but"),
    ({"callbacks": [None]}, r"callbacks must be functions callback\(model, history\), got None"),
    ({"callbacks": "print"}, "callbacks must be a list of functions .* got 'print'"),
    ({"callbacks": 3}, "callbacks must be a list of functions .* got 3"),
    ({"checkpoint": ""}, r'path of a file, such as checkpoint="run\.pt", got \'\', a folder'),
    ({"checkpoint": "."}, "got '.', a folder"),
    ({"checkpoint": True}, "checkpoint is the path of a file, .* got True"),
    ({"checkpoint": "file/run.pt"}, "cannot be written .*: choose a file in a folder of your own"),
    ({"checkpoint": "\0"}, "checkpoint .* cannot be written"),
    ({"device": "gpu"}, "device 'gpu' is not to be had here"),
    ({"device": 7.5}, "device 7.5 is not to be had here"),
    ({"device": "cuda:99"}, "device 'cuda:99' is not to be had here"),
    ({"progress": "bar"}, r"progress is True, False, or a view .* got 'bar', which has no start\(\)"),
]


def refused(model: Any, data: Any, message: str, **settings: Any) -> None:
    before = weights(model) if isinstance(model, nn.Module) else []
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        lab.fit(model, data, **QUIET | settings)
    assert str(caught.value)[0].islower() or str(caught.value).split("(")[0][0].isupper()
    if before:
        assert same(before, weights(model)) and not model.__dict__.get("fit_seconds")


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_no_model_to_train(kind: str, tiny: lab.ImageData) -> None:
    make, message = MODELS[kind]
    refused(make(), tiny, message)


@pytest.mark.parametrize("kind", DATA)
def test_what_is_no_data_set(kind: str, tiny: lab.ImageData) -> None:
    make, message = DATA[kind]
    refused(dense(), make(tiny), message)


@pytest.mark.parametrize(("settings", "message"), SETTINGS, ids=lambda value: re.sub(r" at 0x\w+", "", str(value))[:40])
def test_wrong_settings(
    settings: dict[str, Any], message: str, tiny: lab.ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("no folder", encoding="utf-8")
    refused(dense(), tiny, message, **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_model_made_in_inference_mode_is_refused(tiny: lab.ImageData) -> None:
    with torch.inference_mode():
        model = dense()
    with pytest.raises(
        ValueError, match=r"made under torch\.inference_mode, where weights cannot learn: make it outside"
    ):
        lab.fit(model, tiny, **QUIET)


@pytest.mark.parametrize("latent", [1.5, "8", None, 0, -3, float("nan"), True])
def test_a_code_has_a_whole_number_of_values(latent: Any) -> None:
    for make in (lab.PCA, lab.DenseAutoencoder, lab.ConvAutoencoder, lab.VAE, lab.GAN, lab.VICReg):
        with pytest.raises((TypeError, ValueError), match=r"latent \(the number of values in the code\) must be"):
            make(latent)


@pytest.mark.parametrize(
    "shape", [28, "mnist", (28, 28), (1, 28, 28.5), (0, 28, 28), (1, "28", 28), np.zeros((1, 28, 28))]
)
def test_an_image_shape_is_three_whole_numbers(shape: Any) -> None:
    with pytest.raises(ValueError, match=r"image_shape must be \(C, H, W\), got .*; pass image_shape=data\.shape"):
        lab.ConvAutoencoder(4, shape)


@pytest.mark.parametrize("how", ["detach", "no_grad", "another network's"])
def test_a_loss_that_reaches_no_weight_is_told(how: str, tiny: lab.ImageData) -> None:
    elsewhere = nn.Parameter(torch.ones(()))

    class Lost(lab.DenseAutoencoder):
        def loss(self, x: Tensor, target: Tensor | None = None) -> lab.Loss:
            with nullcontext() if how == "detach" else torch.no_grad():
                error = (self.reconstruct(x) - x).square().mean()
            return lab.Loss(elsewhere * error.detach() if how == "another network's" else error.detach())

    refused(Lost(4, SHAPE, hidden=(8,)), tiny, "the loss reaches none of the weights to train")
