"""Does a change of the code leave every weight as it was? Every model of the course, 20 steps, bit by bit.

    python -m evidence.same_weights --against COMMIT [MODEL …]   this tree and that commit, one line a model
    python -m evidence.same_weights [MODEL …]                    the checksums of this tree alone, as JSON

Each model is trained with seed 0 on one thread, once by the library of this tree and once by that of COMMIT, checked
out beside it for the purpose. Equal are two models if their state_dicts have the same names and under each name the
same type, shape and bits, and if fit recorded the same figures. Exit status 1 where one differs.

This file itself runs in both trees, whatever modules they are made of: so it uses public names, and looks for what is
none under its former name and under its present one.
"""

import argparse
import functools
import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import autoencoder_lab as lab

SEED, STEPS = 0, 20
Checksums = dict[str, str]  # one a name of the state_dict


# --- what is trained -------------------------------------------------------------------------------


@functools.cache
def digits() -> Any:
    """512 training digits of mnist-5k, and 60 to watch."""
    data = lab.load("mnist-5k", 512)
    return replace(data, val=data.val[:60])


def trained(model: Any, data: Any = None, **settings: Any) -> Checksums:
    """The model after STEPS steps of fit, and what fit recorded."""
    history = lab.fit(
        model, data or digits(), steps=STEPS, seed=SEED, device="cpu", progress=False, **settings
    )  # fmt: skip
    recorded = [history.step, history.epoch, history.train, history.val]
    return checksums(model.state_dict()) | {"history": hashlib.sha256(json.dumps(recorded).encode()).hexdigest()}


def pca() -> Checksums:
    return checksums(lab.PCA(32).fit(digits().train).state_dict())


def fitted_twice() -> Checksums:
    """The second fit goes on from where the first one stopped."""
    model = lab.DenseAutoencoder(32)
    trained(model)
    return trained(model)


def on_odd_images() -> Checksums:
    """27 rows and 26 columns: what is no multiple of four is padded, then cropped."""
    data = digits().map(lambda x: x[..., :27, :26])
    return trained(lab.ConvAutoencoder(8, image_shape=data.shape), data)


def inverted() -> Checksums:
    """A CCAE that takes over the encoder of a VICReg."""
    judge = lab.VICReg(32)
    trained(judge)
    return trained(lab.CCAE(32, encoder=judge))


def mixture() -> Checksums:
    """A density over the codes of a trained model."""
    model = lab.ConvAutoencoder(4)
    trained(model)
    mixture = lab.LatentMixture(model, components=3).fit(digits().train, seed=SEED)
    return checksums({name: getattr(mixture, name) for name in ("weights", "means", "factors")})


def planar_game() -> Checksums:
    game = _module("autoencoder_lab.planar_game", "autoencoder_lab.models.planar_game").PlanarGAN(seeds=(0, 1, 2))
    game.play(STEPS)
    networks = {"critic": game.critic, "generator": game.generator}
    return checksums({f"{who}.{n}": value for who, net in networks.items() for n, value in net.state_dict().items()})


def digit_classifier() -> Checksums:
    classifier = _module("autoencoder_lab.classifier", "autoencoder_lab.metrics.classifier")
    return checksums(classifier.train(digits().train, steps=STEPS, seed=SEED).state_dict())


def _module(former: str, present: str) -> Any:
    """The module by the name it has in this tree."""
    return importlib.import_module(former if find_spec(former) else present)


MODELS: dict[str, Callable[[], Checksums]] = {
    "PCA": pca,
    "LinearAutoencoder": lambda: trained(lab.LinearAutoencoder(32)),
    "LinearAutoencoder, tied": lambda: trained(lab.LinearAutoencoder(32, tied=True)),
    "DenseAutoencoder": lambda: trained(lab.DenseAutoencoder(32)),
    "DenseAutoencoder, one sigmoid layer": lambda: trained(
        lab.DenseAutoencoder(32, hidden=(), code_activation="sigmoid", loss="cross_entropy")
    ),
    "DenseAutoencoder, fitted twice": fitted_twice,
    "ConvAutoencoder": lambda: trained(lab.ConvAutoencoder(32)),
    "ConvAutoencoder, resize": lambda: trained(lab.ConvAutoencoder(32, decoder="resize")),
    "ConvAutoencoder, unpool": lambda: trained(lab.ConvAutoencoder(32, decoder="unpool")),
    "ConvAutoencoder, 27×26": on_odd_images,
    "ConvAutoencoder, wide": lambda: trained(lab.ConvAutoencoder(32, width=32, hidden=64)),  # in channels_last
    "ConvAutoencoder, denoising": lambda: trained(
        lab.ConvAutoencoder(64), corrupt=lab.corrupt.gaussian(0.5), augment=lab.augment.affine()
    ),
    "ResidualAutoencoder, inside": lambda: trained(lab.ResidualAutoencoder(32)),
    "ResidualAutoencoder, around": lambda: trained(lab.ResidualAutoencoder(32, skips="around")),
    "VAE": lambda: trained(lab.VAE(8)),
    "VAE, free bits": lambda: trained(lab.VAE(8, beta=2.0, free_bits=0.5, binarise=False)),
    "VAE, learned sigma": lambda: trained(lab.VAE(8, likelihood="gaussian")),
    "MixturePriorVAE": lambda: trained(lab.MixturePriorVAE(8)),
    "GAN, relativistic": lambda: trained(lab.GAN(64)),
    "GAN, non-saturating": lambda: trained(lab.GAN(64, game="non_saturating")),
    "GAN, saturating": lambda: trained(lab.GAN(64, game="saturating", penalty=0.0)),
    "GAN, hinge": lambda: trained(lab.GAN(64, game="hinge", average=0.0)),
    "GAN, conditional": lambda: trained(lab.GAN(64, classes=10)),
    "GAN, batch norm": lambda: trained(lab.GAN(64, batch_norm=True)),
    "VICReg": lambda: trained(lab.VICReg(32)),
    "CCAE, whole images, live judge": lambda: trained(lab.CCAE(32, views="none", judge="live")),
    "CCAE, whole images, frozen judge": lambda: trained(lab.CCAE(32, views="none", judge="frozen")),
    "CCAE, crops, live judge": lambda: trained(lab.CCAE(32, views="crop", judge="live")),
    "CCAE, crops, frozen judge": lambda: trained(lab.CCAE(32, views="crop", judge="frozen", pixel=1.0)),
    "CCAE, encoder taken over": inverted,
    "LatentMixture": mixture,
    "planar game": planar_game,
    "digit classifier": digit_classifier,
}


# --- what is compared --------------------------------------------------------------------------------


def checksums(state: Mapping[str, Tensor]) -> Checksums:
    """SHA-256 of each tensor's type, shape and bits, wherever and however it lies in memory."""
    found = {}
    for name, tensor in state.items():
        plain = tensor.detach().cpu().contiguous()
        what = f"{plain.dtype} {tuple(plain.shape)} ".encode()
        found[name] = hashlib.sha256(what + plain.numpy().tobytes()).hexdigest()
    return found


def all_checksums(names: Iterable[str] = MODELS) -> dict[str, Checksums]:
    """Train the models, each from the same state of the global generator, on one thread.

    A model that this library has none of (an earlier one) gets no checksums.
    """
    torch.set_num_threads(1)
    found = {}
    for name in names:
        torch.manual_seed(SEED)  # fit draws first weights from its own seed, but a layer it does not draw would show
        try:
            found[name] = MODELS[name]()
        except AttributeError as error:
            if error.obj is not lab:
                raise
            found[name] = {}
    return found


def differences(then: Checksums, now: Checksums) -> list[str]:
    """What is not the same: names that only one has, and names whose bits are others; empty for the same model."""
    found = [f"{name} was there" for name in then if name not in now]
    found += [f"{name} is new" for name in now if name not in then]
    return found + [f"{name} has other bits" for name in then if name in now and then[name] != now[name]]


# --- two trees ---------------------------------------------------------------------------------------


def run_in(tree: Path, names: Iterable[str]) -> dict[str, Checksums]:
    """The models as the library in `tree` trains them: this very file, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}  # before the installed library
    command = [sys.executable, "-P", str(Path(__file__).resolve()), *names]
    done = subprocess.run(
        command, cwd=tree, env=environment, check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )  # fmt: skip
    answer = json.loads(done.stdout.splitlines()[-1])
    if Path(answer["library"]) != (tree / "autoencoder_lab").resolve():
        raise RuntimeError(f"expected the library in {tree}, but Python found {answer['library']}")
    models: dict[str, Checksums] = answer["models"]
    return models


def compare(commit: str, names: Iterable[str]) -> bool:
    """Print a line for each model; whether all that were there are the same."""
    from evidence.checkout import ROOT, checked_out  # not at the top: the other tree may have none

    names = list(names)
    with checked_out(commit) as tree:
        then = run_in(tree, names)
    now = run_in(ROOT, names)
    changed = 0
    for name in names:
        found = differences(then[name], now[name]) if then[name] else []
        changed += bool(found)
        word = "differs" if found else "same" if then[name] else "new"
        print(f"{word:8}{name}: {'; '.join(found) or f'{len(now[name])} checksums'}")
    print(
        f"{changed} of {len(names)} differ from {commit}" if changed else f"none of {len(names)} differs from {commit}"
    )
    return not changed


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 where a model differs, 2 for an unknown model or commit."""
    parser = argparse.ArgumentParser(
        prog="python -m evidence.same_weights", description="Every model of the course, bit by bit."
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="all of them if none is named")
    parser.add_argument("--against", metavar="COMMIT", help="compare with what the library of COMMIT makes")
    given = parser.parse_args(arguments)
    if unknown := set(given.models) - set(MODELS):
        parser.error(f"no model {', '.join(sorted(unknown))}; there are {'; '.join(MODELS)}")
    names = given.models or list(MODELS)
    if given.against is None:
        library = str(Path(lab.__file__).resolve().parent)
        print(json.dumps({"library": library, "models": all_checksums(names)}))
        return 0
    try:
        return 0 if compare(given.against, names) else 1
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
