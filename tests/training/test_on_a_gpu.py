"""Where a tensor made on the CPU would meet one on a GPU, found without a GPU: by tensors that have a device and a
shape, and no content. An operation on two devices fails with such tensors as it does with real ones.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

import autoencoder_lab as lab
from benchmarks.gpu import MODELS

VARIANTS: dict[str, Callable[[], Any]] = MODELS | {
    "ConvAutoencoder, unpool": lambda: lab.ConvAutoencoder(8, decoder="unpool"),
    "ConvAutoencoder, resize": lambda: lab.ConvAutoencoder(8, decoder="resize"),
    "ResidualAutoencoder, around": lambda: lab.ResidualAutoencoder(8, skips="around"),
    "VAE, learned sigma": lambda: lab.VAE(8, likelihood="gaussian"),
    "VAE, free bits": lambda: lab.VAE(8, beta=2.0, free_bits=0.5),
    "CCAE, whole images, live judge": lambda: lab.CCAE(8, views="none", judge="live"),
    "LatentMixture": lambda: lab.LatentMixture(lab.DenseAutoencoder(8), components=3),
}


ANSWERS = {"ge": True, "le": True, "all": True, "gt": False, "lt": False, "isnan": False, "any": False}


class NoContent(FakeTensorMode):
    """Tensors with a device and a shape alone. Asked for a number they give one in [0, 1], and to "is it in order?" the
    answer is yes: the course's checks ask whether values are finite, and between two limits.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            if args[0].dtype == torch.bool:
                return getattr(args[0], "answer", False)
            return 0.5 if args[0].is_floating_point() else 1
        made = super().__torch_dispatch__(func, types, args, kwargs)
        if (name := func.overloadpacket.__name__) in ANSWERS:
            made.answer = ANSWERS[name]
        return made


@contextmanager
def on_a_gpu(model: nn.Module) -> Iterator[nn.Module]:
    """The model with all its numbers on a GPU that does not exist. No gradients: PyTorch would ask it for them."""
    with NoContent(allow_non_fake_inputs=False), torch.no_grad():
        for module in model.modules():
            for name, weight in module._parameters.items():
                if weight is not None:
                    moved = torch.empty(weight.shape, dtype=weight.dtype, device="cuda")
                    module._parameters[name] = nn.Parameter(moved, weight.requires_grad)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device="cuda")
        yield model


def images(count: int = 6) -> Tensor:
    return torch.empty(count, 1, 28, 28, device="cuda")


@pytest.mark.parametrize("name", VARIANTS)
def test_a_model_makes_all_it_needs_where_it_is(name: str) -> None:
    with on_a_gpu(VARIANTS[name]()) as model:
        x = images()
        asked = {"condition": torch.empty(6, dtype=torch.long, device="cuda")} if model.conditional else {}
        made = []
        if not model.solved:
            made += [loss(x, x, **asked).total for _, loss in model.steps()]
            model.after_step(1, 10)
        made += [model.encode(x)] if model.encodes else []
        made += [model.decode(torch.empty(6, model.latent, device="cuda"), **asked)] if model.decodes else []
        made += [model.reconstruct(x)] if model.reconstructs else []
        made += [model.sample(6, **asked)] if model.samples else []
        assert made and all(one.device.type == "cuda" for one in made)


CHANGES: list[Any] = [
    *(lab.corrupt.gaussian(0.5), lab.corrupt.salt_pepper(0.3), lab.corrupt.pixel_mask(0.3), lab.corrupt.box_mask(8)),
    *(lab.corrupt.downsample(2), lab.corrupt.grayscale()),
    *(lab.augment.affine(), lab.augment.horizontal_flip(), lab.augment.nudge(), lab.augment.crop()),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
def test_what_happens_to_images_happens_where_they_are(change: Any) -> None:
    channels = 3 if isinstance(change, lab.corrupt.grayscale) else 1
    with NoContent(allow_non_fake_inputs=False):
        assert change(torch.empty(6, channels, 28, 28, device="cuda")).device.type == "cuda"


def test_none_of_them_is_forgotten() -> None:
    there = {one for module in (lab.corrupt, lab.augment) for one in vars(module).values() if isinstance(one, type)}
    own = {one for one in there if one.__module__.startswith("autoencoder_lab.data.") and one.__name__[0].islower()}
    assert {type(change) for change in CHANGES} == own


def test_a_tensor_left_on_the_cpu_is_found() -> None:
    """The fault itself, so that the tests above can fail."""

    class Forgetful(lab.DenseAutoencoder):
        def encode(self, x: Tensor) -> Tensor:
            return super().encode(x) + torch.zeros(self.latent)

    with on_a_gpu(Forgetful(8)) as model, pytest.raises(RuntimeError, match="device"):
        model.encode(images())
