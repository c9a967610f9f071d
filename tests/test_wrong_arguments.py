"""What people pass by mistake, and what they are told: a table for every public function of notebooks and labs.

Which functions these are is read off the sources. Each row calls one of them wrongly and has a pattern of the message,
which our own code must raise: not Python or torch somewhere below it.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

import autoencoder_lab as lab

PACKAGE = Path(lab.__file__).parent
ROOT = PACKAGE.parent
SOURCES = [*ROOT.glob("notebooks/source/*.py"), *ROOT.glob("assignments/source/*/*.py")]


class Row(NamedTuple):
    """call: a wrong call, of what is at hand; message: a pattern; error: what it raises."""

    call: Callable[[Any], Any]
    message: str
    error: Any = TypeError


# --- which functions -------------------------------------------------------------------------------------------------


def dotted(node: ast.expr) -> str:
    """ "lab.metrics.mse" of such an expression; "" of any other."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


@cache
def methods() -> dict[str, list[Any]]:
    """{name: the functions} of the public methods of the public classes."""
    found: dict[str, list[Any]] = {}
    for name in lab.__all__:
        thing = getattr(lab, name)
        for kind in vars(thing).values() if inspect.ismodule(thing) else [thing]:
            for ours in inspect.getmro(kind) if inspect.isclass(kind) else ():
                if ours.__module__.startswith("autoencoder_lab"):
                    for name, function in vars(ours).items():
                        ours_too = getattr(function, "__module__", "").startswith("autoencoder_lab")
                        if inspect.isfunction(function) and ours_too and not name.startswith("_"):
                            found.setdefault(name, []).append(function)
    return found


def called() -> set[str]:
    """ "lab.fit" for each function that a notebook or a lab calls, ".encode" for each method of a class of ours."""
    found = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            name = dotted(node.func) if isinstance(node, ast.Call) else ""
            if name.startswith("lab."):
                found.add(name)
            elif name.partition(".")[0] not in ("torch", "F", "np", "plt", "nn", "self") and "." in name:
                found |= {f".{method}" for method in methods() if method == name.rpartition(".")[2]}
    return found


def takes_nothing_to_check(name: str) -> bool:
    """Plain records, as NamedTuples are, and what has no arguments."""
    if name.startswith("."):
        return all(len(inspect.signature(function).parameters) == 1 for function in methods()[name[1:]])
    thing = found_under(name)
    plain = inspect.isclass(thing) and issubclass(thing, tuple)
    return plain or not inspect.signature(thing).parameters


def found_under(name: str) -> Any:
    thing: Any = lab
    for part in name.split(".")[1:]:
        thing = getattr(thing, part)
    return thing


# --- what is at hand -------------------------------------------------------------------------------------------------


@cache
def at_hand() -> SimpleNamespace:
    data = lab.load("digits", 60)
    shape = data.shape
    pca = lab.PCA(4).fit(data.train)
    return SimpleNamespace(
        data=data,
        split=data.test,
        x=data.test.images,
        z=torch.zeros(3, 4),
        labels=data.test.labels,
        pca=pca,
        dense=lab.DenseAutoencoder(4, shape, hidden=(8,)),
        vae=lab.VAE(4, shape, width=2, hidden=4),
        gan=lab.GAN(4, shape, width=2, hidden=4),
        mixture=lab.LatentMixture(pca, 2),
        fitted=lab.LatentMixture(pca, 2).fit(data.train),
        digits=torch.zeros(20, 1, 28, 28),
        points=torch.zeros(3, 2),
        module=nn.Linear(2, 2),
        game=lab.PlanarGAN(),
    )


def wrong_splits(measure: Callable[[Any], Any], meant: str = "data.test") -> list[Row]:
    """What is passed in place of a split."""
    return [
        Row(lambda g: measure(g.data), rf"one split of the data, got a whole data set .*pass {meant}"),
        Row(lambda g: measure(g.x), r"takes a split, .* got a tensor, float32 of shape .*lab\.Split\(images, labels"),
        Row(lambda g: measure(g.x.numpy()), r"takes a split, .* got a NumPy array"),
        Row(lambda g: measure("digits"), r"takes a split, .* got 'digits'"),
        Row(lambda g: measure(None), r"takes a split, .* got None"),
    ]


def wrong_data(measure: Callable[[Any], Any]) -> list[Row]:
    """What is passed in place of a data set."""
    return [
        Row(lambda g: measure(g.split), r"takes a whole data set, .* got a split of a data set \(Split\); pass data"),
        Row(lambda g: measure(g.x), r"takes a whole data set, .* got a tensor"),
        Row(lambda g: measure("digits"), r"takes a whole data set, .* got 'digits'; lab\.load\('digits'\)"),
        Row(lambda g: measure(None), r"takes a whole data set, .* got None"),
    ]


def wrong_models(measure: Callable[[Any], Any]) -> list[Row]:
    """What is passed in place of a model."""
    return [
        Row(lambda g: measure(lab.PCA), r"takes a model, got the class PCA itself; make one first"),
        Row(
            lambda g: measure(g.module),  # its call does not give such pictures, nor has it a code
            r"takes a model of the course.* got Linear, a plain torch module|Linear stops at pictures|Linear has no",
            (TypeError, ValueError, AttributeError),
        ),
        Row(lambda g: measure("pca"), r"takes a model.* got 'pca'"),
        Row(lambda g: measure(None), r"takes a model.* got None"),
        Row(lambda g: measure(g.split), r"takes a model.* got a split of a data set"),
    ]


def of_model_and_split(measure: Callable[..., Any], kind: str = "pca") -> list[Row]:
    return [
        *wrong_models(lambda model: measure(model, at_hand().split)),
        *wrong_splits(lambda split: measure(getattr(at_hand(), kind), split)),
    ]


def of_model_and_data(measure: Callable[..., Any]) -> list[Row]:
    return [
        *wrong_models(lambda model: measure(model, at_hand().data)),
        *wrong_data(lambda data: measure(at_hand().pca, data)),
        Row(lambda g: measure(lab.PCA(2), g.data), "PCA is not fitted yet: call pca.fit", RuntimeError),
        Row(lambda g: measure(g.gan, g.data), r"GAN\(4\) has no encode; it has", AttributeError),
    ]


def wrong_images(measure: Callable[[Any], Any]) -> list[Row]:
    """What is passed in place of images (N, C, H, W)."""
    return [
        Row(lambda g: measure(g.split), r"must be a tensor \([NB], .*, got a split of .*split\.images"),
        Row(lambda g: measure(None), "must be a tensor .*got None"),
        Row(lambda g: measure((g.x * 255).to(torch.uint8)), "must be float32 .*uint8.*divide by 255", ValueError),
    ]


def wrong_single_images(measure: Callable[[Any], Any]) -> list[Row]:
    return [
        *wrong_images(measure),
        Row(lambda g: measure(g.x[0]), r"must be \(N, C, H, W\).*\[None\] makes a batch", ValueError),
        Row(lambda g: measure(g.digits.permute(0, 2, 3, 1)), "channels come last; .*permute", ValueError),
        Row(lambda g: measure(g.x[:0]), "none of them 0", ValueError),
    ]


def wrong_whole(name: str, call: Callable[[Any], Any], zero: bool = True) -> list[Row]:
    """What is passed in place of a whole number above 0."""
    wrong = [2.5, "8", None, True, *([0] if zero else []), torch.tensor(1.5)]
    return [Row(lambda g, given=given: call(given), f"{name} .*whole number", ValueError) for given in wrong]


def wrong_number(name: str, call: Callable[[Any], Any]) -> list[Row]:
    wrong = ["0.5", None, -1, float("nan"), [0.5]]
    return [Row(lambda g, given=given: call(given), f"{name} (is|must be) .*got", ValueError) for given in wrong]


def wrong_latent(make: Callable[..., Any]) -> list[Row]:
    """What is passed to the constructor of a model with a code."""
    return [
        *wrong_whole("latent", lambda latent: make(latent)),
        Row(lambda g: make(g.data), r"latent is .*got a whole data set .*image_shape=data\.shape"),
        Row(lambda g: make(4, g.data), r"image_shape is \(C, H, W\), got a whole data set .*data\.shape"),
        Row(lambda g: make(4, 28), r"image_shape must be \(C, H, W\).*got 28", ValueError),
        Row(lambda g: make(4, g.x.shape), r"image_shape must be \(C, H, W\), got .*data\.shape", ValueError),
        Row(lambda g: make(4, (1, 28.5, 28)), r"image_shape must be \(C, H, W\).*28\.5", ValueError),
    ]


def wrong_size(make: Callable[..., Any]) -> list[Row]:
    rows = [wrong_whole(name, lambda given, name=name: make(4, **{name: given})) for name in ("width", "hidden")]
    return [row for part in rows for row in part]


def wrong_corrupted(corruption: Callable[[Any], Any]) -> list[Row]:
    """What is passed to a corruption in place of images."""
    return [
        *wrong_images(corruption),
        Row(lambda g: corruption(g.x[0]), r"must be \(N, C, H, W\).*\[None\]", ValueError),
    ]


def wrong_holes(fill: Callable[[Any, Any], Any]) -> list[Row]:
    return [
        Row(lambda g: fill(g.x, None), "mask must be a tensor.*got None"),
        Row(lambda g: fill(g.x, g.x > 0.5) if g.x.shape[1] > 1 else fill(g.x, g.x), "mask must be bool", ValueError),
    ]


def wrong_texts(name: str, call: Callable[[Any], Any]) -> list[Row]:
    return [Row(lambda g, given=given: call(given), f"{name}.*got") for given in (3, None)]


SAMPLES = [
    *wrong_whole("n", lambda n: at_hand().vae.sample(n), zero=False),
    *wrong_whole("n", lambda n: at_hand().gan.sample(n), zero=False),
    Row(
        lambda g: g.vae.sample(3, 0), r"generator must be a torch\.Generator, got 0; torch\.Generator\(\)\.manual_seed"
    ),
    Row(lambda g: g.mixture.sample(3), "not fitted yet", RuntimeError),
    Row(lambda g: g.pca.sample(3), "has no sample; it has", AttributeError),
]


def seen(verb: str, kinds: tuple[str, ...] = ("pca", "dense", "vae")) -> list[Row]:
    """What is passed to encode, reconstruct and loss."""
    call = partial(lambda verb, kind, x: getattr(getattr(at_hand(), kind), verb)(x), verb)
    rows = []
    for kind in kinds:
        rows += [
            Row(lambda g, kind=kind: call(kind, g.split), r"images must be a tensor .*split\.images"),
            Row(lambda g, kind=kind: call(kind, (g.x * 255).to(torch.uint8)), "uint8.*divide by 255", ValueError),
            Row(lambda g, kind=kind: call(kind, g.x[0]), r"images .*images\[None\]", ValueError),
            Row(lambda g, kind=kind: call(kind, g.x.permute(0, 2, 3, 1)), "permute", ValueError),
            Row(lambda g, kind=kind: call(kind, g.digits), "build it with image_shape", ValueError),
            Row(
                lambda g, kind=kind: call(kind, g.x.double()), r"takes images of float32.*images\.float\(\)", ValueError
            ),
            Row(lambda g, kind=kind: call(kind, g.x.bfloat16()), "takes images of float32.*bfloat16", ValueError),
        ]
    return rows


CODES = [
    Row(lambda g: g.dense.decode(g.z.numpy().tolist()), "codes must be a tensor"),
    Row(lambda g: g.dense.decode(g.z.long()), r"codes must be float32 .*codes\.float\(\)", ValueError),
    Row(lambda g: g.dense.decode(g.z[0]), r"codes of shape \(B, 4\), got \(4,\); z\[None\]", ValueError),
    Row(lambda g: g.pca.decode(np.zeros((2, 4))), r"takes codes of float32.*codes\.float\(\)", ValueError),
    Row(lambda g: g.vae.decode(g.x), r"codes of shape \(B, 4\)", ValueError),
]


ROWS: dict[str, list[Row]] = {
    # data
    "lab.load": [
        Row(lambda g: lab.load("pictures/mine"), r"got the path 'pictures/mine'; lab\.load_folder", ValueError),
        Row(lambda g: lab.load(Path("mine")), r"got the path 'mine'; lab\.load_folder", ValueError),
        Row(lambda g: lab.load(["digits"]), r"takes the name of a data set.*got \['digits'\]"),
        Row(lambda g: lab.load(g.data), "takes the name of a data set.*got a whole data set"),
        Row(lambda g: lab.load(60), "takes the name of a data set.*got 60"),
        *wrong_whole("n", lambda n: lab.load("digits", n if n is not None else 0)),
    ],
    "lab.bent_curve": [
        *wrong_whole("n", lab.bent_curve),
        *wrong_number("noise", lambda noise: lab.bent_curve(9, noise)),
    ],
    "lab.Split": [
        Row(lambda g: lab.Split(g.x.numpy(), g.labels, ("a",)), "must be tensors.*from_numpy"),
        Row(lambda g: lab.Split(g.x, g.labels.tolist(), ("a",)), "must be tensors, got Tensor and list"),
        Row(lambda g: lab.Split(g.x, g.labels.float(), g.split.classes), r"labels must be int64.*long\(\)", ValueError),
        Row(lambda g: lab.Split(g.x, g.labels, "0123456789"), "classes is a list of texts.*got '0123456789'"),
        Row(lambda g: lab.Split(g.x, g.labels, 10), "classes is a list of texts.*got 10"),
        Row(lambda g: lab.Split(g.x, g.labels, tuple(range(10))), "classes is a list of texts.*got 0 among"),
        Row(lambda g: lab.Split(g.x, g.labels, ("a",)), "index into classes", ValueError),
        Row(lambda g: lab.Split(g.x.double(), g.labels, g.split.classes), r"call images\.float\(\)", ValueError),
        Row(lambda g: lab.Split(g.x[:, 0], g.labels, g.split.classes), r"images\[:, None\]", ValueError),
        Row(
            lambda g: lab.Split(g.digits.permute(0, 2, 3, 1), g.labels[:20], g.split.classes),
            "channels come last; .*permute",
            ValueError,
        ),
        Row(lambda g: lab.Split(g.x, g.labels, g.split.classes, targets=[1]), "targets must be a tensor"),
        Row(lambda g: lab.Split(g.x, g.labels, g.split.classes, captions=["a"]), "captions must be a tensor"),
    ],
    "lab.ImageData": [
        Row(lambda g: lab.ImageData("mine", g.x, g.x, g.x), r"train must be a Split, got a tensor.*lab\.Split"),
        Row(lambda g: lab.ImageData("mine", g.data, g.data, g.data), "train must be a Split, got a whole data set"),
        Row(lambda g: lab.ImageData(g.split, g.split, g.split, g.split), "name is text"),
    ],
    ".map": [
        Row(lambda g: g.data.map(g.x), "fn must be a function, .* got a tensor"),
        Row(lambda g: g.data.map(lambda images: images.numpy()), "must be tensors, got ndarray"),
        Row(lambda g: g.data.map(lambda images: 255 * images), "divide by 255", ValueError),
    ],
    "lab.own_images": [
        *wrong_whole("n", lambda n: lab.own_images("ada42", "digits", n)),
        Row(lambda g: lab.own_images(42), "the id must be your own", ValueError),
        Row(lambda g: lab.own_images("ada42", g.data), "takes the name of a data set"),
    ],
    "lab.own_collection": [
        Row(lambda g: lab.own_collection(None), "the id must be your own", ValueError),
        Row(lambda g: lab.own_collection("ada42", g.data), "takes the name of a data set"),
    ],
    "lab.corrupt.gaussian": [
        *wrong_number("sigma", lab.corrupt.gaussian),
        *wrong_corrupted(lab.corrupt.gaussian(0.5)),
    ],
    "lab.corrupt.salt_pepper": [
        *wrong_number("fraction", lab.corrupt.salt_pepper),
        *wrong_corrupted(lab.corrupt.salt_pepper(0.5)),
    ],
    "lab.corrupt.pixel_mask": [
        *wrong_number("fraction", lab.corrupt.pixel_mask),
        *wrong_corrupted(lab.corrupt.pixel_mask(0.5)),
    ],
    "lab.corrupt.box_mask": [
        *wrong_whole("size", lab.corrupt.box_mask),
        *wrong_number("fill", lambda fill: lab.corrupt.box_mask(3, fill)),
        *wrong_corrupted(lab.corrupt.box_mask(2)),
        Row(lambda g: lab.corrupt.box_mask(9)(g.x), "does not fit into images of 8×8", ValueError),
    ],
    "lab.augment.affine": [
        *wrong_number("rotation|limits", lab.augment.affine),
        *wrong_corrupted(lab.augment.affine()),
        Row(lambda g: lab.augment.affine(padding="mirror"), "padding must be", ValueError),
    ],
    "lab.augment.crop": [
        Row(lambda g: lab.augment.crop("0.5"), "smallest is a number, got '0.5'", ValueError),
        Row(lambda g: lab.augment.crop(0.9, 0.5), "needs 0 < smallest ≤ largest", ValueError),
        *wrong_corrupted(lab.augment.crop()),
    ],
    # models
    "lab.PCA": wrong_latent(lab.PCA),
    "lab.LinearAutoencoder": wrong_latent(lab.LinearAutoencoder),
    "lab.DenseAutoencoder": [
        *wrong_latent(lab.DenseAutoencoder),
        Row(
            lambda g: lab.DenseAutoencoder(4, hidden=512),
            r"hidden is the widths .*hidden=\(512,\), got 512",
            ValueError,
        ),
        Row(lambda g: lab.DenseAutoencoder(4, activation=nn.ReLU), "activation must be one of 'silu'", ValueError),
    ],
    "lab.ConvAutoencoder": [
        *wrong_latent(lab.ConvAutoencoder),
        *wrong_size(lab.ConvAutoencoder),
        Row(lambda g: lab.ConvAutoencoder(4, decoder=["resize"]), "decoder must be one of", ValueError),
    ],
    "lab.ResidualAutoencoder": [*wrong_latent(lab.ResidualAutoencoder), *wrong_size(lab.ResidualAutoencoder)],
    "lab.VAE": [
        *wrong_latent(lab.VAE),
        *wrong_size(lab.VAE),
        *wrong_number("beta", lambda beta: lab.VAE(4, beta=beta)),
        *wrong_number("warm_up", lambda warm_up: lab.VAE(4, warm_up=warm_up)),
        Row(lambda g: lab.VAE(4, likelihood="gaussian", sigma="1"), "sigma is the standard deviation", ValueError),
    ],
    "lab.MixturePriorVAE": [
        *wrong_latent(lab.MixturePriorVAE),
        *wrong_whole("components", lambda k: lab.MixturePriorVAE(4, components=k)),
    ],
    "lab.GAN": [
        *wrong_latent(lab.GAN),
        *wrong_size(lab.GAN),
        *wrong_number("penalty", lambda penalty: lab.GAN(4, penalty=penalty)),
        *wrong_number("average", lambda average: lab.GAN(4, average=average)),
        *wrong_whole("classes", lambda classes: lab.GAN(4, classes=classes), zero=False),
        Row(lambda g: lab.GAN(4, classes=10).sample(2, condition=3), "needs condition= .*got 3; pass", ValueError),
    ],
    "lab.VICReg": [
        *wrong_latent(lab.VICReg),
        *wrong_size(lab.VICReg),
        Row(lambda g: lab.VICReg(4, weights=25), "weights are three numbers", ValueError),
        Row(lambda g: lab.VICReg(4, weights="abc"), "weights are three numbers", ValueError),
        Row(lambda g: lab.VICReg(4, projector=128), "projector is the sizes of its layers.*got 128", ValueError),
        Row(lambda g: lab.VICReg(4, view=lab.augment.crop), "view must be a function.*got the class crop"),
    ],
    "lab.CCAE": [
        *wrong_latent(lab.CCAE),
        *wrong_size(lab.CCAE),
        *wrong_number("pixel", lambda pixel: lab.CCAE(4, pixel=pixel)),
        Row(lambda g: lab.CCAE(4, encoder=lab.VICReg), "encoder is a trained VICReg or CCAE.*the class VICReg"),
        Row(lambda g: lab.CCAE(4, encoder=g.dense), "encoder is a trained VICReg or CCAE.*a model"),
    ],
    "lab.LatentMixture": [
        Row(lambda g: lab.LatentMixture(g.dense, g.split), r"components is .*got a split .*fit\(data\.train\)"),
        Row(lambda g: lab.LatentMixture(g.dense, g.data), r"components is .*got a whole data set .*fit\(data\.train\)"),
        Row(lambda g: lab.LatentMixture(g.gan), "cannot decode|cannot|has no encode"),
        *wrong_models(lab.LatentMixture),
        *wrong_whole("components", lambda k: lab.LatentMixture(at_hand().pca, k)),
    ],
    "lab.PlanarGAN": [
        Row(lambda g: lab.PlanarGAN("012"), "seeds is a list of whole numbers"),
        Row(lambda g: lab.PlanarGAN([0.5]), "a seed must be a whole number", ValueError),
        Row(lambda g: lab.PlanarGAN(game="chess"), "game must be one of", ValueError),
        *wrong_whole("hidden", lambda hidden: lab.PlanarGAN(hidden=hidden)),
        *wrong_number("penalty", lambda penalty: lab.PlanarGAN(penalty=penalty)),
    ],
    "lab.Loss": [
        Row(lambda g: lab.Loss(3.0), "a Loss is made of a tensor"),
        Row(lambda g: lab.Loss(g.x.sum(), [g.x.sum()]), "its parts by name"),
    ],
    ".play": wrong_whole("rounds", lambda n: at_hand().game.play(n), zero=False),
    ".log_density": [
        Row(lambda g: g.mixture.log_density(g.z), "not fitted yet", RuntimeError),
        Row(lambda g: g.fitted.log_density(g.split), "codes must be a tensor"),
        Row(lambda g: g.fitted.log_density([1.0, 2.0]), "codes must be a tensor"),
        Row(lambda g: g.fitted.log_density(g.z[0]), r"z\[None\] makes a batch", ValueError),
        Row(lambda g: g.fitted.log_density(g.x), "codes of shape", ValueError),
    ],
    ".step": [Row(lambda g: g.game.step("critic"), "look must be a function")],
    ".noise": wrong_whole("n", lambda n: at_hand().game.noise(n)),
    ".real": wrong_whole("n", lambda n: at_hand().game.real(n)),
    ".fit": [
        *wrong_splits(lambda split: lab.PCA(2).fit(split), "data.train"),
        *wrong_splits(lambda split: at_hand().mixture.fit(split), "data.train"),
        Row(lambda g: lab.PCA(200).fit(g.split), "needs at least 200 images and pixels", ValueError),
    ],
    ".sample": SAMPLES,
    ".encode": seen("encode"),
    ".reconstruct": [*seen("reconstruct"), Row(lambda g: g.gan.reconstruct(g.x), "has no reconstruct", AttributeError)],
    ".decode": CODES,
    ".loss": seen("loss", ("dense", "vae")),
    ".sample_codes": [
        *wrong_whole("n", lambda n: at_hand().fitted.sample_codes(n), zero=False),
        Row(lambda g: g.fitted.sample_codes(3, 0), r"generator must be a torch\.Generator"),
    ],
    ".log_prob": [Row(lambda g: g.vae.log_prob(g.split), r"images must be a tensor .*split\.images")],
    ".posterior": [Row(lambda g: g.vae.posterior(g.x[0]), r"built for images .*images\[None\]", ValueError)],
    ".log_likelihood": [
        Row(lambda g: g.vae.log_likelihood(g.split, g.z), r"x must be a tensor .*split\.images"),
        Row(lambda g: g.vae.log_likelihood(g.x[:3], g.x[:3]), r"codes of shape \(B, 4\)", ValueError),
    ],
    ".log_prior": [Row(lambda g: g.vae.log_prior(None), "codes must be a tensor .*got None")],
    ".observe": [Row(lambda g: g.vae.observe(g.split), r"images must be a tensor .*split\.images")],
    ".start_from": [Row(lambda g: g.vae.start_from(g.split), r"images must be a tensor .*split\.images")],
    ".mask": wrong_corrupted(lab.corrupt.box_mask(2).mask),
    "lab.controls.Median": [
        *wrong_whole("size", lab.controls.Median, zero=False),
        Row(lambda g: lab.controls.Median(4), "size must be odd", ValueError),
        *wrong_corrupted(lab.controls.Median().reconstruct),
    ],
    "lab.controls.Gaussian": [
        *wrong_number("sigma", lab.controls.Gaussian),
        *wrong_corrupted(lab.controls.Gaussian().reconstruct),
    ],
    "lab.controls.NonLocalMeans": wrong_number("noise", lab.controls.NonLocalMeans),
    "lab.controls.LinearDenoiser": [
        *wrong_number("noise", lab.controls.LinearDenoiser),
        Row(lambda g: lab.controls.LinearDenoiser(lab.corrupt.gaussian), "a number or a corruption"),
        *wrong_splits(lambda split: lab.controls.LinearDenoiser(0.5).fit(split), "data.train"),
        Row(lambda g: lab.controls.LinearDenoiser(0.5).reconstruct(g.x), "not fitted yet", RuntimeError),
    ],
    "lab.controls.MeanFill": [
        *wrong_splits(lambda split: lab.controls.MeanFill().fit(split), "data.train"),
        *wrong_holes(lambda x, mask: lab.controls.MeanFill().fit(at_hand().split).fill(x, mask)),
    ],
    "lab.controls.PCAFill": [
        *wrong_whole("latent", lab.controls.PCAFill),
        *wrong_splits(lambda split: lab.controls.PCAFill(2).fit(split), "data.train"),
    ],
    "lab.controls.Biharmonic": wrong_holes(lambda x, mask: lab.controls.Biharmonic().fill(x, mask)),
    ".fill": wrong_holes(lambda x, mask: lab.controls.Biharmonic().fill(x, mask)),
    # losses
    "lab.losses.entropy": [
        *wrong_images(lab.losses.entropy),
        Row(lambda g: lab.losses.entropy(2 * g.x), r"entropy is that of pixels in \[0, 1\]", ValueError),
    ],
    "lab.losses.squared_gradient": [
        Row(lambda g: lab.losses.squared_gradient(None, g.x), "scores must be a tensor, got None"),
        Row(lambda g: lab.losses.squared_gradient(g.x.sum((1, 2, 3)), g.x), r"x\.requires_grad_\(\)", ValueError),
    ],
    # measures
    "lab.metrics.mse": [
        *of_model_and_split(lab.metrics.mse),
        Row(lambda g: lab.metrics.mse(lab.PCA(2), g.split), "PCA is not fitted yet", RuntimeError),
        Row(lambda g: lab.metrics.mse(g.gan, g.split), r"GAN\(4\) has no reconstruct; it has", AttributeError),
        Row(lambda g: lab.metrics.mse(g.pca, g.split, 0.5), "corrupt must be a function, .*gaussian"),
        Row(lambda g: lab.metrics.mse(g.pca, g.split, lab.corrupt.gaussian), "corrupt must be .*the class gaussian"),
    ],
    "lab.metrics.psnr": of_model_and_split(lab.metrics.psnr),
    "lab.metrics.encode": of_model_and_split(lab.metrics.encode),
    "lab.metrics.effective_rank": [
        *of_model_and_split(lab.metrics.effective_rank),
        *wrong_whole("resamples", lambda n: lab.metrics.effective_rank(at_hand().pca, at_hand().split, n)),
    ],
    "lab.metrics.active_units": of_model_and_split(lab.metrics.active_units),
    "lab.metrics.elbo": of_model_and_split(lab.metrics.elbo, "vae"),
    "lab.metrics.nll": [
        *of_model_and_split(lab.metrics.nll, "vae"),
        *wrong_whole("samples", lambda n: lab.metrics.nll(at_hand().vae, at_hand().split, n)),
        Row(lambda g: lab.metrics.nll(g.pca, g.split), r"q\(z\|x\), which a VAE names"),
    ],
    "lab.metrics.kl_per_dimension": of_model_and_split(lab.metrics.kl_per_dimension, "vae"),
    "lab.metrics.disentanglement": [
        *wrong_models(lambda model: lab.metrics.disentanglement(model, at_hand().split)),
        Row(lambda g: lab.metrics.disentanglement(g.vae, g.split), "needs images with known factors"),
    ],
    "lab.metrics.hole_errors": [
        Row(lambda g: lab.metrics.hole_errors(g.pca, g.split, 0.5), "needs a corruption with a mask.*got 0.5"),
        Row(lambda g: lab.metrics.hole_errors(g.pca, g.split, lab.corrupt.box_mask), "the class box_mask"),
        *wrong_splits(lambda split: lab.metrics.hole_errors(at_hand().pca, split, lab.corrupt.box_mask(2))),
        *wrong_models(lambda model: lab.metrics.hole_errors(model, at_hand().split, lab.corrupt.box_mask(2))),
    ],
    "lab.metrics.probe": of_model_and_data(lab.metrics.probe),
    "lab.metrics.knn": [
        *of_model_and_data(lab.metrics.knn),
        *wrong_whole("neighbours", lambda k: lab.metrics.knn(at_hand().pca, at_hand().data, k)),
    ],
    "lab.metrics.retrieval_precision": of_model_and_data(lab.metrics.retrieval_precision),
    "lab.metrics.principal_angles": [
        Row(lambda g: lab.metrics.principal_angles(g.pca, g.vae), r"has no decoder_matrix\(\); take PCA"),
        Row(lambda g: lab.metrics.principal_angles(lab.PCA, g.pca), "the class PCA itself"),
        Row(lambda g: lab.metrics.principal_angles(g.z[0], g.pca), r"is \(pixels, k\), got shape \(4,\)", ValueError),
    ],
    "lab.metrics.in_batches": [
        Row(lambda g: lab.metrics.in_batches(g.pca.encode, g.split), r"images must be a tensor .*split\.images"),
        Row(lambda g: lab.metrics.in_batches(g.x, g.pca.encode), "function must be a function.*got a tensor"),
        *wrong_whole("batch_size", lambda size: lab.metrics.in_batches(at_hand().pca.encode, at_hand().x, size)),
    ],
    "lab.metrics.sharpness": wrong_single_images(lab.metrics.sharpness),
    "lab.metrics.power_spectrum": wrong_single_images(lab.metrics.power_spectrum),
    "lab.metrics.checkerboard_energy": wrong_single_images(lab.metrics.checkerboard_energy),
    "lab.metrics.class_histogram": [
        *wrong_single_images(lab.metrics.class_histogram),
        Row(lambda g: lab.metrics.class_histogram(g.x), r"sees images \(B, 1, 28, 28\)", ValueError),
    ],
    "lab.metrics.condition_accuracy": [
        *wrong_single_images(lambda x: lab.metrics.condition_accuracy(x, at_hand().labels)),
        Row(lambda g: lab.metrics.condition_accuracy(g.digits, 3), "labels must be a tensor.*got 3"),
        Row(lambda g: lab.metrics.condition_accuracy(g.digits, g.labels), "one label for each image", ValueError),
    ],
    "lab.metrics.nearest_training": [
        Row(lambda g: lab.metrics.nearest_training(g.split, g.split), r"must be a tensor .*split\.images"),
        Row(lambda g: lab.metrics.nearest_training(g.digits, g.split), "must be of one shape", ValueError),
        *wrong_splits(lambda split: lab.metrics.nearest_training(at_hand().x, split), "data.train"),
    ],
    "lab.metrics.mmd": [
        Row(lambda g: lab.metrics.mmd(g.x, g.x), r"\(N, d\) and \(M, d\)", ValueError),
        Row(lambda g: lab.metrics.mmd(g.split, g.z), r"must be a tensor .*split\.images"),
        *wrong_number("bandwidth", lambda h: lab.metrics.mmd(at_hand().z, at_hand().z, -1 if h is None else h)),
    ],
    "lab.metrics.two_sample_accuracy": [
        *wrong_images(lambda x: lab.metrics.two_sample_accuracy(x, at_hand().x)),
        Row(lambda g: lab.metrics.two_sample_accuracy(g.x, g.x[:5]), "as many of both", ValueError),
    ],
    "lab.metrics.critic_accuracy": [
        *wrong_images(lambda x: lab.metrics.critic_accuracy(x, at_hand().x)),
        *wrong_images(lambda x: lab.metrics.critic_accuracy(at_hand().x, x)),
        Row(lambda g: lab.metrics.critic_accuracy(g.x, g.x[:5]), "as many of both", ValueError),
        Row(lambda g: lab.metrics.critic_accuracy(g.x[:2], g.x[:2]), "four or more images", ValueError),
        *wrong_whole("steps", lambda steps: lab.metrics.critic_accuracy(at_hand().x, at_hand().x, steps)),
    ],
    "lab.holds": [
        Row(lambda g: lab.holds(True), "a statement is .*got True", ValueError),
        Row(lambda g: lab.holds("mse", 0.1, "<", 0.2), "a statement is .*got 'mse'", ValueError),
        Row(lambda g: lab.holds(("mse", 0.1, "=", 0.2)), "a statement is .*with one of", ValueError),
        Row(lambda g: lab.holds(("mse", "0.1", "<", 0.2)), "mse: the figure must be a number, got '0.1'", ValueError),
        Row(lambda g: lab.holds(("mse", g.x, "<", 0.2)), "mse: the figure must be a number, got a tensor", ValueError),
        Row(lambda g: lab.holds(("mse is small", 1)), "a statement is", ValueError),
    ],
}
for name in ("fcd", "kid", "precision_recall", "density_coverage"):
    measure: Any = getattr(lab.metrics, name)
    ROWS[f"lab.metrics.{name}"] = [
        *wrong_images(lambda x, measure=measure: measure(x, at_hand().digits)),
        *wrong_images(lambda x, measure=measure: measure(at_hand().digits, x)),
        Row(lambda g, measure=measure: measure(g.x, g.digits), "all of one shape", ValueError),
        Row(lambda g, measure=measure: measure(g.digits, g.digits, features=3), "features must be a function"),
    ]
    if name in ("precision_recall", "density_coverage"):
        ROWS[f"lab.metrics.{name}"] += wrong_whole(
            "k", lambda k, measure=measure: measure(at_hand().digits, at_hand().digits, k)
        )

ROWS |= {
    # figures
    "lab.diagram.hourglass": [
        Row(lambda g: lab.diagram.hourglass(None, g.pca), "image must be images .*got None"),
        Row(lambda g: lab.diagram.hourglass(g.pca, g.x), "image must be images .*got"),
        Row(lambda g: lab.diagram.hourglass(g.x), "or takes code= and reconstruction=; got none of it"),
        Row(lambda g: lab.diagram.hourglass(g.x, lab.PCA), "the class PCA itself"),
        Row(lambda g: lab.diagram.hourglass(g.x, g.module), "Linear.* lacks encode"),
        Row(lambda g: lab.diagram.hourglass(g.x, lab.PCA(2)), "not fitted yet", RuntimeError),
        Row(lambda g: lab.diagram.hourglass(g.x, code=[1], reconstruction=g.digits), "must have one shape", ValueError),
    ],
    "lab.diagram.denoising": [
        Row(lambda g: lab.diagram.denoising(None, g.x, g.pca), "image must be images .*got None"),
        Row(lambda g: lab.diagram.denoising(g.x, g.pca), "image must be images .*got"),
        Row(lambda g: lab.diagram.denoising(g.digits, g.x, g.pca), "must have one shape", ValueError),
        Row(lambda g: lab.diagram.denoising(g.x, g.x, g.gan), "lacks encode"),
    ],
    "lab.diagram.weighted_sum": [
        Row(lambda g: lab.diagram.weighted_sum(g.x, lab.PCA), "the class PCA itself"),
        Row(lambda g: lab.diagram.weighted_sum(g.x, g.dense), r"has no decoder_matrix\(\)"),
        Row(lambda g: lab.diagram.weighted_sum("x", g.pca), "image must be images .*got 'x'"),
        *wrong_whole("count", lambda n: lab.diagram.weighted_sum(at_hand().x, at_hand().pca, n)),
    ],
    "lab.diagram.sliding_window": [
        Row(lambda g: lab.diagram.sliding_window(g.data, g.z), "image must be images .*got a whole data set"),
        Row(lambda g: lab.diagram.sliding_window(g.x, "sobel"), "kernel must be numbers.*got 'sobel'"),
        Row(lambda g: lab.diagram.sliding_window(g.x, g.x), "kernel must be a small table of numbers", ValueError),
        Row(lambda g: lab.diagram.sliding_window(g.x, g.z, at=3), "at is a row and a column.*got 3", ValueError),
        *wrong_whole("stride", lambda n: lab.diagram.sliding_window(at_hand().x, at_hand().z, stride=n)),
    ],
    "lab.diagram.stamp": [
        Row(lambda g: lab.diagram.stamp(None, [1]), "x must be numbers.*got None"),
        Row(lambda g: lab.diagram.stamp([1, 2], g.z), "both rows", ValueError),
        Row(lambda g: lab.diagram.stamp([1, 2], []), "kernel must be a small table", ValueError),
        *wrong_whole("stride", lambda n: lab.diagram.stamp([1, 2], [1], stride=n)),
    ],
    "lab.diagram.pooling": [
        Row(lambda g: lab.diagram.pooling(None), "image must be images .*got None"),
        Row(lambda g: lab.diagram.pooling(g.x[:, :, :5]), "even height and width, got 5×8", ValueError),
    ],
    "lab.diagram.skips": [
        Row(lambda g: lab.diagram.skips(g.x, g.dense), "models are {name: model}"),
        Row(lambda g: lab.diagram.skips(g.x, {}), "models are {name: model}"),
        Row(lambda g: lab.diagram.skips(g.x, {"a": lab.PCA}), "must be an nn.Module, got the class PCA"),
        Row(lambda g: lab.diagram.skips(g.x, {"a": g.dense}), "no feature maps smaller", ValueError),
    ],
    "lab.diagram.vae": [
        Row(lambda g: lab.diagram.vae(g.x), "or takes mu=, log_var= and decode=; got none of it"),
        Row(lambda g: lab.diagram.vae(g.x, lab.VAE), "the class VAE itself"),
        Row(lambda g: lab.diagram.vae(g.x, g.dense), "lacks posterior"),
        Row(lambda g: lab.diagram.vae(g.vae, g.x), "image must be images .*got"),
    ],
    "lab.diagram.gan": [
        Row(lambda g: lab.diagram.gan(None, g.gan), "real must be images .*got None"),
        Row(lambda g: lab.diagram.gan(g.x, g.dense), "give real images and a lab.GAN"),
        Row(lambda g: lab.diagram.gan(g.x, lab.GAN), "the class GAN itself"),
        Row(
            lambda g: lab.diagram.gan(g.x[:2], g.gan, noise=g.z), "one vector a real image, 2 in all, got 3", ValueError
        ),
        Row(lambda g: lab.diagram.gan(g.x[:3], "G", "D", g.z), "generator must be a function.*got 'G'"),
    ],
    "lab.diagram.ccae": [
        Row(lambda g: lab.diagram.ccae(g.x, lab.CCAE), "the class CCAE itself"),
        Row(lambda g: lab.diagram.ccae(g.x, g.dense), "lacks projector"),
        Row(lambda g: lab.diagram.ccae(None, g.dense), "image must be images .*got None"),
    ],
    "lab.plot.images": [
        Row(lambda g: lab.plot.images(None), "must be images .*got None"),
        Row(lambda g: lab.plot.images([]), r"must be images .*got \[\]"),
        Row(lambda g: lab.plot.images(g.x[:0]), "at least one image", ValueError),
        Row(lambda g: lab.plot.images(g.data), r"must be images .*got a whole data set .*data\.test\.images"),
        Row(lambda g: lab.plot.images(g.z[None, None, None]), r"must be \(N, C, H, W\), at least one", ValueError),
        Row(lambda g: lab.plot.images([g.x[0], g.digits[0]]), "images of one size"),
        Row(lambda g: lab.plot.images((255 * g.x).long()), r"in \[0, 1\], or bytes .*divide by 255", ValueError),
        Row(lambda g: lab.plot.images("cat.png"), "must be images .*got 'cat.png'"),
        Row(lambda g: lab.plot.images(g.x[:3], titles="abc"), "titles are a list of texts.*got 'abc'"),
        Row(
            lambda g: lab.plot.images(g.x[:3], titles=["a"]), "titles must be one an image, 3 in all, got 1", ValueError
        ),
        *wrong_whole("columns", lambda n: lab.plot.images(at_hand().x, columns=n)),
    ],
    "lab.plot.image_rows": [
        Row(lambda g: lab.plot.image_rows(g.x, "alt"), "rows are {name: images}.*got a tensor"),
        Row(lambda g: lab.plot.image_rows({}, "alt"), "rows are {name: images}"),
        Row(lambda g: lab.plot.image_rows({"a": None}, "alt"), "the row 'a' must be images .*got None"),
        Row(lambda g: lab.plot.image_rows({"a": g.x}, None), "alt is text"),
        Row(lambda g: lab.plot.image_rows({"a": g.x}, "alt", headers=["a"]), r"headers are {words: .*got \['a'\]"),
        Row(lambda g: lab.plot.image_rows({"a": g.x[:2]}, "alt", headers={"a": 3}), "those that are left", ValueError),
    ],
    "lab.plot.reconstructions": [
        *of_model_and_split(lab.plot.reconstructions),
        Row(lambda g: lab.plot.reconstructions([], g.split), "takes a model or several", ValueError),
        Row(lambda g: lab.plot.reconstructions([lab.PCA], g.split), "the class PCA itself"),
        Row(lambda g: lab.plot.reconstructions(lab.PCA(2), g.split), "not fitted yet", RuntimeError),
        *wrong_whole("count", lambda n: lab.plot.reconstructions(at_hand().pca, at_hand().split, n)),
    ],
    "lab.plot.plane": [
        Row(lambda g: lab.plot.plane(lab.bent_curve()), r"one split of the data, .*pass data\.test"),
        Row(lambda g: lab.plot.plane(None), r"points must be a tensor \(N, 2\).*got None"),
        Row(lambda g: lab.plot.plane(g.split), r"points in the plane, \(N, 2\) .*got shape", ValueError),
        Row(lambda g: lab.plot.plane(g.points, lab.PCA), "got the class PCA itself"),
        Row(lambda g: lab.plot.plane(g.points, {}), "takes a model or several", ValueError),
        Row(lambda g: lab.plot.plane(g.points, {"a": g.z}), "a must be points in the plane", ValueError),
        Row(lambda g: lab.plot.plane(g.points, nn.Linear(2, 2), colour="code"), "needs models that", ValueError),
        Row(lambda g: lab.plot.plane(g.points, colour="code"), '"code" needs models that all have a code', ValueError),
        Row(lambda g: lab.plot.plane(g.points, colour="position"), "needs a split that knows it", ValueError),
        Row(lambda g: lab.plot.plane(g.points, colour="red"), "colour must be \"code\", .*got 'red'", ValueError),
        Row(lambda g: lab.plot.plane(g.points, corrupt=0.2), "corrupt must be a function.*got 0.2"),
    ],
    "lab.plot.posteriors": [
        Row(lambda g: lab.plot.posteriors(g.vae, g.data), r"one split of the data, .*pass data\.test"),
        Row(lambda g: lab.plot.posteriors(g.pca, g.split), "a model with posterior; .* lacks posterior"),
        Row(lambda g: lab.plot.posteriors(lab.VAE, g.split), "got the class VAE itself"),
        Row(lambda g: lab.plot.posteriors(g.vae, g.split, axes_shown=(0, 9)), "from 0 to the last", ValueError),
        *wrong_whole("limit", lambda n: lab.plot.posteriors(at_hand().vae, at_hand().split, n)),
    ],
    "lab.plot.rate_distortion": [
        Row(lambda g: lab.plot.rate_distortion([1, 2]), r"points are {β: \(rate, distortion\)}, got \[1, 2\]"),
        Row(lambda g: lab.plot.rate_distortion({1.0: (3, 4)}), "two points or more, got 1", ValueError),
        Row(lambda g: lab.plot.rate_distortion({1.0: 3, 2.0: 4}), r"a pair \(rate, distortion\), got 3"),
        Row(lambda g: lab.plot.rate_distortion({"a": (3, 4), 2.0: (3, 4)}), "β must be a number", ValueError),
    ],
    "lab.plot.stacked": [
        Row(lambda g: lab.plot.stacked({"a": 1}, "x"), "rows are {row: {part: number}}.*got {'a': 1}"),
        Row(lambda g: lab.plot.stacked({}, "x"), "rows are {row: {part: number}}"),
        Row(lambda g: lab.plot.stacked({"a": {"b": -1}}, "x"), "not below 0, got b = -1", ValueError),
    ],
    "lab.plot.basis": [
        *wrong_models(lab.plot.basis),
        Row(lambda g: lab.plot.basis(g.vae), r"VAE\(4\) has no decoder_matrix\(\)"),
        Row(lambda g: lab.plot.basis(lab.PCA(2)), "not fitted yet", RuntimeError),
        *wrong_whole("count", lambda n: lab.plot.basis(at_hand().pca, n)),
    ],
    "lab.plot.history": [
        Row(lambda g: lab.plot.history(None), "history draws a History, .* got None; keep it"),
        Row(lambda g: lab.plot.history(g.dense), r"history draws a History, .* got a model"),
        Row(lambda g: lab.plot.history(g.data), "history draws a History, .* got a whole data set"),
        Row(lambda g: lab.plot.history([]), r"history draws a History, .* got \[\]", ValueError),
        Row(lambda g: lab.plot.history({"a": 3}), "history draws a History, .* got 3"),
        Row(lambda g: lab.plot.history(lab.History("mine", {})), "holds no epoch", ValueError),
        Row(lambda g: lab.plot.history(lab.History), "got the class History"),
    ],
    "lab.plot.codes": [
        *of_model_and_split(lab.plot.codes),
        Row(lambda g: lab.plot.codes(lab.PCA(1).fit(g.split), g.split), "only one code value", ValueError),
        Row(lambda g: lab.plot.codes(g.pca, g.split, (0, 4)), "axes_shown must be a whole number from 0", ValueError),
        Row(lambda g: lab.plot.codes(g.pca, g.split, 2), "axes_shown are two of the code's values", ValueError),
    ],
    "lab.plot.curves": [
        Row(lambda g: lab.plot.curves([1, 2], [3, 4], "x", "y"), r"series are {name: values}.*got \[3, 4\]"),
        Row(
            lambda g: lab.plot.curves([1, 2], {"a": [3]}, "x", "y"), "one value for each x, 2 in all, got 1", ValueError
        ),
        Row(lambda g: lab.plot.curves([1, 2], {"a": "34"}, "x", "y"), "a must be a list of numbers"),
        Row(lambda g: lab.plot.curves([1], {"a": ["b"]}, "x", "y"), "a must be a number or an Estimate", ValueError),
        Row(lambda g: lab.plot.curves(None, {"a": [3]}, "x", "y"), "x must be a list of numbers"),
        Row(lambda g: lab.plot.curves([1], {"a": [3]}, "x", "y", 3), "baselines are {name: number}, got 3"),
        Row(lambda g: lab.plot.curves([1], {"a": [3]}, "x", "y", log="z"), "log must be one of", ValueError),
    ],
    "lab.plot.bars": [
        Row(lambda g: lab.plot.bars([1, 2], "y"), r"values are {name: number or Estimate}.*got \[1, 2\]"),
        Row(lambda g: lab.plot.bars({}, "y"), "values are {name: number or Estimate}"),
        Row(lambda g: lab.plot.bars({"a": None}, "y"), "a must be a number or an Estimate, got None", ValueError),
        Row(lambda g: lab.plot.bars({"a": 1}, "y", [1]), "baselines are {name: number}"),
        Row(lambda g: lab.plot.bars({"a": 0}, "y", log=True), "takes values above 0, got 0", ValueError),
    ],
    "lab.plot.Figure": [Row(lambda g: lab.plot.Figure(alt=None), "alt is a sentence")],
    "lab.explore": [
        *wrong_models(lambda model: lab.explore(model, at_hand().data)),
        Row(lambda g: lab.explore(g.pca, g.x), "takes a whole data set, .*got a tensor"),
        Row(lambda g: lab.explore(g.pca, "digits"), "takes a whole data set, .*got 'digits'"),
        Row(lambda g: lab.explore(g.pca, g.data, split="tests"), 'split must be one of "train"', ValueError),
        Row(lambda g: lab.explore([], g.data), "takes a model or several", ValueError),
        *wrong_whole("count", lambda n: lab.explore(at_hand().pca, at_hand().data, count=n)),
    ],
    "lab.show_game": [
        Row(lambda g: lab.show_game(g.gan), r"show_game plays a lab\.PlanarGAN\(\), got a model"),
        Row(lambda g: lab.show_game(lab.PlanarGAN), "got the class PlanarGAN"),
        *wrong_whole("rounds", lambda n: lab.show_game(at_hand().game, n)),
    ],
    "lab.show_posteriors": [
        Row(lambda g: lab.show_posteriors(g.vae, g.data), "models are {value: model}.*got a model"),
        Row(lambda g: lab.show_posteriors({1.0: g.vae}, g.data), "two models or more, got 1", ValueError),
        Row(lambda g: lab.show_posteriors({1.0: g.vae, 2.0: g.vae}, g.data), "codes of 4 numbers", ValueError),
        Row(lambda g: lab.show_posteriors({1.0: g.pca, 2.0: g.pca}, g.data), "lacks posterior"),
        *wrong_whole("count", lambda n: lab.show_posteriors({1.0: at_hand().vae, 2.0: None}, at_hand().data, n)),
    ],
    # classroom
    "lab.predict": [
        Row(lambda g: lab.predict(3, ["a", "b"], "k"), "question=3"),
        Row(lambda g: lab.predict("Which?", "ab", "k"), "options is a list of texts.*got 'ab'"),
        Row(lambda g: lab.predict("Which?", None, "k"), "options is a list of texts.*got None"),
        Row(lambda g: lab.predict("Which?", [1, 2], "k"), "options is a list of texts.*got 1 among them"),
        Row(lambda g: lab.predict("Which?", ["a"], "k"), "at least two different options", ValueError),
    ],
    "lab.outcome": [
        Row(lambda g: lab.outcome(3, "a"), "key is text.*got 3"),
        Row(lambda g: lab.outcome("k", None), "option is text.*got None"),
    ],
    "lab.listen": [
        Row(lambda g: lab.listen({}), "sound", ValueError),
        Row(lambda g: lab.listen(g.z), ".", (TypeError, ValueError)),
        Row(lambda g: lab.listen({"a": "wave"}), "a", (TypeError, ValueError)),
        Row(lambda g: lab.listen({"a": g.z}, rate=10), "rate", ValueError),
    ],
    "lab.quiz": [
        Row(lambda g: lab.quiz(2, []), "key is text.*got 2"),
        Row(lambda g: lab.quiz("02", "What?"), "a list of questions.*got 'What"),
        Row(lambda g: lab.quiz("02", ["What?"]), "expected {.*got 'What"),
        Row(lambda g: lab.quiz("02", []), "has no questions", ValueError),
        Row(lambda g: lab.quiz("02", [{"ask": "What?", 1: 2}]), "got the keys", ValueError),
    ],
    "lab.show_source": [
        Row(lambda g: lab.show_source(len), "has no Python source to show"),
        Row(lambda g: lab.show_source("lab.VAE"), "has no Python source to show"),
        Row(lambda g: lab.show_source(3), "has no Python source to show"),
    ],
}

FIT: Any = partial(lab.fit, steps=1, progress=False)
NO_MODELS = [lab.PCA, "pca", None, 3]
NUMBER = (TypeError, ValueError)  # for what is none, and for one that cannot be


def no_data() -> list[Any]:
    return [at_hand().split, at_hand().x, "digits", None]


def said(what: str, call: Callable[[Any], Any], wrong: list[Any], error: Any = TypeError) -> list[Row]:
    return [Row(lambda g, given=given: call(given), what, error) for given in wrong]


def rows_of_training() -> dict[str, list[Row]]:
    g = at_hand()
    return {
        "lab.fit": [
            *said(
                "fit trains a model made of lab.Model",
                lambda model: FIT(model, g.data),
                [*NO_MODELS, g.data, [g.dense]],
            ),
            *said("fit needs a data set with data.train", lambda data: FIT(g.dense, data), no_data()),
            Row(lambda g: FIT(g.pca, g.data), r"is solved, not trained: call pca\.fit"),
            *said(
                "seed must be a whole number",
                lambda seed: FIT(g.dense, g.data, seed=seed),
                ["a", None, 1.5, 2**64],
                NUMBER,
            ),
            *said("steps must be .*number", lambda n: lab.fit(g.dense, g.data, steps=n), ["1", 1.5, 0, [1]], NUMBER),
            *said("epochs must be .*number", lambda n: lab.fit(g.dense, g.data, epochs=n), ["1", 1.5, 0, [1]], NUMBER),
            *said("batch_size must be .*number", lambda n: FIT(g.dense, g.data, batch_size=n), ["8", 2.5, 0], NUMBER),
            *said(
                "learning_rate must be .*number", lambda r: FIT(g.dense, g.data, learning_rate=r), ["a", 0, -1], NUMBER
            ),
            *said(
                "callbacks must be|after every epoch",
                lambda c: FIT(g.dense, g.data, callbacks=c),
                [3, [3], "print", [lambda model: None]],
            ),
            *said(
                "corrupt (must be|is the class)", lambda c: FIT(g.dense, g.data, corrupt=c), [0.5, lab.corrupt.gaussian]
            ),
            *said(
                "augment (must be|is the class)", lambda c: FIT(g.dense, g.data, augment=c), [0.5, lab.augment.affine]
            ),
            *said("device", lambda device: FIT(g.dense, g.data, device=device), ["gpu", "cuda:99"], NUMBER),
            *said("checkpoint is the path of a file", lambda c: FIT(g.dense, g.data, checkpoint=c), ["", 3], NUMBER),
        ],
        "lab.compare": [
            *said("a model such as lab.PCA", lambda model: lab.compare([model], g.data), NO_MODELS),
            *said("a model such as lab.PCA", lambda model: lab.compare(model, g.data), NO_MODELS),
            *said("compare measures on data.test", lambda data: lab.compare([g.pca], data), no_data()),
            Row(lambda g: lab.compare([], g.data), "at least one model", ValueError),
            Row(lambda g: lab.compare([g.pca], g.data, columns=["accuracy"]), "unknown columns", ValueError),
            *said("corrupt must be", lambda c: lab.compare([g.pca], g.data, corrupt=c), [0.5, lab.corrupt.gaussian]),
            Row(lambda g: lab.compare([lab.PCA(2)], g.data), "not fitted yet", RuntimeError),
        ],
        "lab.setup": said("seed must be a whole number", lab.setup, ["a", 1.5, -1, None, 2**32, g.data], NUMBER),
    }


ROWS |= rows_of_training()


def complaint(row: Row) -> str:
    """What is wrong with a row: nothing raised, another error or message, or one that is not ours."""
    try:
        row.call(at_hand())
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        last = [frame.filename for frame in inspect.getinnerframes(error.__traceback__)][-1]  # type: ignore[arg-type]
        if not isinstance(error, row.error) or re.search(row.message, str(error)) is None:
            return f"wants {row.error} {row.message!r}, got {told}"
        return "" if PACKAGE in Path(last).parents else f"raised in {last}: {told}"
    return f"wants {row.error} {row.message!r}, but nothing was raised"


def complaints(rows: list[Row]) -> list[str]:
    return [f"row {number}: {said}" for number, row in enumerate(rows) if (said := complaint(row))]


@pytest.mark.parametrize("name", ROWS)
def test_the_commonest_wrong_arguments_are_told_what_to_do(name: str) -> None:
    assert complaints(ROWS[name]) == []


def test_every_function_of_notebooks_and_labs_has_rows() -> None:
    names = called()
    assert len(SOURCES) >= 14 and len(names) > 100
    checks = {name for name in names if name.startswith("lab.checks.")}
    modules = {".encoder"}  # 06 calls the CCAE's, a module; other models' method of this name stands behind encode
    bare = {name for name in names - checks - modules - ROWS.keys() if not takes_nothing_to_check(name)}
    assert bare == set(), "write rows of wrong arguments for these"


# --- checks: whatever is put into them, they answer -------------------------------------------------------------------


def given_to_checks() -> Iterator[Any]:
    yield from ("x", None, 3.0, torch.zeros(2, 2), [1, 2], lambda *_, **__: "x", lab.PCA)


@pytest.mark.parametrize("name", sorted(name for name in called() if name.startswith("lab.checks.")))
def test_a_check_answers_whatever_it_is_given(name: str) -> None:
    check = found_under(name)
    needed = [
        p for p in inspect.signature(check).parameters.values() if p.default is p.empty and p.kind < p.VAR_POSITIONAL
    ]
    for given in given_to_checks():
        try:
            check(*[given] * len(needed))
        except lab.checks.CheckFailed as error:
            assert not re.search(r"object is not callable|has no attribute", str(error)), (given, str(error))
        except (TypeError, ValueError) as error:  # of what the check is to be given beside the function
            last = [frame.filename for frame in inspect.getinnerframes(error.__traceback__)][-1]  # type: ignore[arg-type]
            assert Path(last).parent.name == "arguments", f"{name} given {given!r}: {type(error).__name__}: {error}"
