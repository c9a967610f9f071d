"""A network of one's own, a plain nn.Module, taken for a model of the course as it is."""

from typing import Any

import torch
from torch import Tensor, nn

from autoencoder_lab import arguments, losses
from autoencoder_lab.models.base import Loss, Model

KEPT = "_as_a_model_of_the_course"  # among a network's attributes, where no state_dict looks


class OwnNetwork(Model):
    """A plain nn.Module whose call reconstructs: network(x) → x̂, both (B, C, H, W).

    If it has encode(x) → (B, d), and decode(z) → (B, C, H, W), it has a code as well, and the explorer can show it. If
    it has loss(x) → one number, a mean over the B images, `fit` makes that small; else the squared error. Its weights
    stay its own, and `fit` goes on from those it has: seed them before it is made, by lab.setup or torch.manual_seed.
    `lab.fit`, `lab.compare`, measures and figures make one by themselves.
    """

    reconstructs = True
    latent: int | None = None
    encode: Any
    decode: Any
    posterior: Any

    def __init__(self, network: nn.Module) -> None:
        super().__init__(None)
        self.network, self.label = network, type(network).__name__
        for verb, flag in (("encode", "encodes"), ("decode", "decodes")):
            found = getattr(network, verb, None)
            setattr(self, flag, callable(found))
            if callable(found):  # otherwise asking for it says what there is instead
                # a layer would become a part of this model as well, and be counted twice
                setattr(self, verb, found.__call__ if isinstance(found, nn.Module) else found)
        if callable(getattr(network, "posterior", None)):  # a VAE of one's own: figures ask for it by name
            self.posterior = network.posterior

    def reconstruct(self, x: Tensor) -> Tensor:
        """network(x); ValueError where it stops, or where that is no picture of the same shape."""
        try:
            made = self.network(x)
        except RuntimeError as error:  # torch's, of sizes that do not fit
            raise ValueError(f"{self.label} stops at pictures {tuple(x.shape)}: {error}") from error
        if not isinstance(made, Tensor) or made.shape != x.shape:
            shape = tuple(x.shape[1:])
            raise ValueError(
                f"{self.label}(x) must give back pictures {tuple(x.shape)}, as x is, got {arguments.shown(made)}; end "
                f"it with nn.Unflatten(1, {shape}), or let its forward return decode(encode(x))"
            )
        return made

    def loss(self, x: Tensor, target: Tensor | None = None) -> Loss:
        """network.loss(x), where it has one; else the squared error of an image, as `lab.Autoencoder`'s.

        Raises TypeError where network.loss gives no number, ValueError where it gives one for each image, or where it
        has one and `target` is not x: it takes x alone.
        """
        own = getattr(self.network, "loss", None)
        if callable(own):
            if target is not None and target is not x:
                raise ValueError(
                    f"{self.label} has a loss of its own, loss(x), which knows no other target: train it without "
                    "corrupt= and on images without targets, or leave its loss out"
                )
            return self._own_loss(own(x))
        restored = self.reconstruct(x)
        error = losses.squared_error(restored, x if target is None else target)
        return Loss(error, {"reconstruction": error}, restored)

    def _own_loss(self, value: Any) -> Loss:
        if isinstance(value, Loss):
            return value
        if not isinstance(value, Tensor):
            raise TypeError(f"{self.label}.loss(x) must return a tensor of one number, got {arguments.shown(value)}")
        if value.numel() != 1:
            raise ValueError(
                f"{self.label}.loss(x) must return one number, the mean over the images, got {arguments.shown(value)}"
            )
        return Loss(value.reshape(()), {})

    @torch.no_grad()
    def see(self, images: Tensor) -> None:
        """Learn the shape of its images and the size of its code from a first batch (B, C, H, W)."""
        self.image_shape = tuple(images.shape[1:])
        if not self.encodes:
            return
        codes = self.encode(images[:2])
        if not isinstance(codes, Tensor) or codes.ndim != 2:
            raise ValueError(
                f"{self.label}.encode(x) must give codes (B, d), one row an image, got {arguments.shown(codes)}; end "
                "it with nn.Flatten()"
            )
        self.latent = codes.shape[1]


def as_model(given: Any, images: Tensor | None = None) -> Any:
    """A plain nn.Module as a model, always the same one; anything else as it is.

    images: (B, C, H, W), from which its sizes are taken where it has not seen any.
    """
    wrapped = isinstance(given, nn.DataParallel) or hasattr(given, "_orig_mod")  # by torch.compile
    if not isinstance(given, nn.Module) or wrapped or hasattr(type(given), "reconstructs"):
        return given
    model = given.__dict__.get(KEPT)
    if model is None or model.network is not given:  # a copy of the network brings along a copy of its model
        model = given.__dict__[KEPT] = OwnNetwork(given)
        model.first_weights = ()  # somebody may have trained it: it never counts as untouched
    if images is not None and model.image_shape is None:
        model.see(images)
    return model
