"""The checks of notebook 01, linear autoencoders: right functions beside the commonest wrong ones."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, log

from autoencoder_lab.checks.compare import CheckFailed, show
from autoencoder_lab.checks.conclusion import conclusion_compares
from autoencoder_lab.checks.experiment import Watcher, concluded, mean_of, measured_numbers, numbered_images, numbers_of
from autoencoder_lab.checks.question import Inputs, Question, as_asked, by_sentence, random_pair

# --- 1: principal components from a decoder ------------------------------------------------------------------------


def orthonormal_basis(student: Callable[[Tensor], Any]) -> None:
    """Exercise 01.1, first blank: student(weight) gives Q, (pixels, k), orthonormal columns that span W*'s subspace.

    Any such basis is right: of an SVD, of a QR decomposition, turned or not.
    """
    BASIS.check(student)


def coordinates(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 01.1, second blank: student(images, Q) gives Z = (X − X̄) Q, (n, k)."""
    COORDINATES.check(student)


def components_from_decoder(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 01.1: student(weight, images) gives W*'s subspace on PCA's axes, (pixels, k). Slide 001, "PCA vs AE", 4.

    A column's sign is a matter of taste: columns are compared after turning their largest entry positive.
    """
    COMPONENTS.check(student)


Function = Callable[[Tensor, Tensor], Any]


def _up_to_sign(function: Function) -> Function:
    def turned(weight: Tensor, images: Tensor) -> Any:
        columns = function(weight, images)
        if isinstance(columns, list):  # of rows
            columns = as_asked(columns, weight)
        if not isinstance(columns, Tensor) or columns.ndim != 2:
            return columns
        if columns.shape == weight.T.shape:
            raise CheckFailed(
                "components_from_decoder: return the components as columns, (pixels, k); transpose your result"
            )
        largest = columns.gather(0, columns.abs().argmax(dim=0, keepdim=True))
        return columns * torch.where(largest < 0, -1.0, 1.0)

    return turned


def _basis(weight: Tensor) -> Tensor:
    left: Tensor = torch.linalg.svd(weight, full_matrices=False).U
    return left


def _axes(codes: Tensor) -> Tensor:
    rows: Tensor = torch.linalg.svd(codes, full_matrices=False).Vh
    return rows


def _centred(images: Tensor) -> Tensor:
    return images - images.mean(dim=0)


def _components(weight: Tensor, images: Tensor) -> Tensor:
    return _basis(weight) @ _axes(_centred(images) @ _basis(weight)).T


COMPONENTS_MISTAKES: dict[str, Function] = {
    "these are the left singular vectors of W*: the right subspace, but ordered by the size of the weights and not "
    "by the variance of the images; steps 2 and 3 are missing": lambda weight, images: _basis(weight),
    "the columns are orthonormal (a QR decomposition), but not along PCA's axes; steps 2 and 3 are missing": (
        lambda weight, images: torch.linalg.qr(weight).Q
    ),
    "the columns come weakest first, as torch.linalg.eigh sorts them; turn their order round": (
        lambda weight, images: _components(weight, images).flip(1)
    ),
    "svd returns Vh, whose rows are the new axes; you need them as columns: Q @ rotation.T": (
        lambda weight, images: _basis(weight) @ _axes(_centred(images) @ _basis(weight))
    ),
    "the images are not centred; subtract images.mean(dim=0) before you project them": (
        lambda weight, images: _basis(weight) @ _axes(images @ _basis(weight)).T
    ),
    "each image is centred by its own mean; subtract the mean image, images.mean(dim=0)": (
        lambda weight, images: _basis(weight) @ _axes((images - images.mean(dim=1, keepdim=True)) @ _basis(weight)).T
    ),
    "this is PCA of the images themselves; the decoder's weight plays no part": (
        lambda weight, images: _axes(_centred(images))[: weight.shape[1]].T
    ),
    "you rotate W* itself, whose columns are not orthonormal; take Q from its SVD": (
        lambda weight, images: weight @ _axes(_centred(images) @ weight).T
    ),
    "the coordinates are taken along W* itself, whose columns are not orthonormal; project on Q": (
        lambda weight, images: _basis(weight) @ _axes(_centred(images) @ weight).T
    ),
    "the columns of W* are scaled to length 1, which leaves their directions as they are": (
        lambda weight, images: weight / weight.norm(dim=0)
    ),
    "this is W* as it came; nothing was recovered": lambda weight, images: weight,
    "the right subspace on the right axes, but each column is stretched by its variance; return Q @ rotation.T": (
        lambda weight, images: _components(weight, images) * torch.linalg.svdvals(_centred(images) @ _basis(weight))
    ),
}


def _projector(function: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    """weight → Q Qᵀ, which is the same for every orthonormal basis of a subspace."""

    def projected(weight: Tensor) -> Any:
        columns = function(weight)
        if isinstance(columns, list):  # of rows
            columns = as_asked(columns, weight)
        if isinstance(columns, tuple):
            raise CheckFailed("orthonormal_basis: svd and qr return several things; return the one that is Q")
        if not isinstance(columns, Tensor):
            return columns
        if columns.shape != weight.shape:
            raise CheckFailed(
                f"orthonormal_basis: Q must have the shape of W*, {tuple(weight.shape)}, got {tuple(columns.shape)}. "
                "In torch.linalg.svd(…, full_matrices=False), U has it"
            )
        columns = columns.double()
        if not torch.allclose(columns.T @ columns, torch.eye(columns.shape[1]).double(), atol=1e-4):
            raise CheckFailed(
                "orthonormal_basis: the columns are not orthonormal: of length 1, and at right angles to each other"
            )
        projector = columns @ columns.T
        if not torch.allclose(projector @ weight.double(), weight.double(), atol=1e-3):
            raise CheckFailed(
                "orthonormal_basis: the columns are orthonormal, but span another subspace than those of W*; take the "
                "SVD of `weight`"
            )
        return projector.to(weight.dtype)

    return projected


BASIS = Question(
    "orthonormal_basis",
    _projector(_basis),
    {},
    lambda generator: [inputs[:1] for inputs in _weights_and_images(generator)],
    tolerance=1e-3,
    adapt=_projector,
)

COORDINATES_MISTAKES: dict[str, Function] = {
    "the images are not centred; subtract images.mean(dim=0) before you project them": lambda images, Q: images @ Q,
    "each image is centred by its own mean; subtract the mean image, images.mean(dim=0)": lambda images, Q: (
        (images - images.mean(dim=1, keepdim=True)) @ Q
    ),
    "one number is subtracted from all pixels; subtract the mean image, images.mean(dim=0)": lambda images, Q: (
        (images - images.mean()) @ Q
    ),
    "the images are also divided by their standard deviation; they are only centred": lambda images, Q: (
        _centred(images) / images.std(dim=0) @ Q
    ),
}


COORDINATES = Question(
    "coordinates",
    lambda images, Q: _centred(images) @ Q,
    by_sentence(COORDINATES_MISTAKES),
    lambda generator: [(images, _basis(weight)) for weight, images in _weights_and_images(generator)],
)


def _weights_and_images(_: Generator) -> Sequence[Inputs]:
    """Decoder weights (pixels, k) and images (60, pixels) that spread unequally, off centre."""
    generator, cases = Generator().manual_seed(1), []
    for pixels, k in ((7, 3), (9, 4)):
        weight = torch.randn(pixels, k, generator=generator)
        spread = torch.linspace(0.3, 3, pixels)[torch.randperm(pixels, generator=generator)]
        cases.append((weight, torch.randn(60, pixels, generator=generator) * spread + 2 * spread))
    return cases


COMPONENTS = Question(
    "components_from_decoder",
    _up_to_sign(_components),
    by_sentence({said: _up_to_sign(wrong) for said, wrong in COMPONENTS_MISTAKES.items()}),
    _weights_and_images,
    tolerance=1e-3,
    adapt=_up_to_sign,
)

# --- 2: an experiment ----------------------------------------------------------------------------------------------


def few_images_experiment(experiment: Callable[..., Any], result: Any = None, conclusion: str | None = None) -> None:
    """Exercise 01.2: experiment(data, few, fit_pca, fit_autoencoder, error_on) gives four test errors.

    (PCA with all training images, autoencoder with all, PCA with few, autoencoder with few). Judged, as in 00.4, by
    what it fits and measures, with stand-ins that write down what they are given. result: what the real run returned;
    conclusion: a sentence with the autoencoder's error as a multiple of PCA's, with few images.
    """
    name, few = "few_images_experiment", 24
    watcher = Watcher(name, numbered_images())

    def fit(kind: str) -> Callable[[Tensor], int]:
        return lambda images: watcher.train_on(images, kind=kind)

    def error_on(model: int, images: Tensor) -> float:
        unknown = "error_on(model, images) takes a model that fit_pca or fit_autoencoder returned"
        return watcher.error_on(model, images, unknown)

    answer = watcher.answer(experiment, watcher.data, few, fit("PCA"), fit("the autoencoder"), error_on)
    if answer is None:
        return
    watcher.refuse(_fitting_flaw(watcher, few) or _measuring_flaw(watcher) or _order_flaw(watcher, few, answer))
    if not concluded(name, result, conclusion):
        return
    *_, pca, autoencoder = measured_numbers(name, result, 4)
    hint = (
        "with few images, how many times PCA's error is the autoencoder's? "
        f"Divide your fourth number by your third ({autoencoder:.4f} / {pca:.4f})"
    )

    conclusion_compares(name, conclusion, autoencoder / pca, hint, ABOUT, AGAINST)


ABOUT = r"\b(?:autoencoder|auto-encoder|network|ae|neural|non-?linear)\b"  # of whom a sentence speaks
AGAINST = r"\b(?:pca|linear)\b"


def _fitting_flaw(watcher: Watcher, few: int) -> str | None:
    """What is wrong with what was fitted to which images, or None."""
    kinds = {run.kind for run in watcher.trained}
    if len(kinds) < 2:
        missing = {"PCA", "the autoencoder"} - kinds
        return f"{' and '.join(sorted(missing))} was never fitted; the question compares the two"
    if any(run.split != "train" for run in watcher.trained):
        return "a model was fitted to images that are not in data.train; those of val and test are for judging"
    sizes = {kind: sorted({run.size for run in watcher.trained if run.kind == kind}) for kind in sorted(kinds)}
    if any(len(watcher.data.train) not in of_kind for of_kind in sizes.values()):
        return "there is no control: fit both models to all training images as well, or you cannot see what few change"
    if any(few not in of_kind for of_kind in sizes.values()):
        return f"fit both models to exactly `few` training images, here {few}; sizes were {sizes}"
    drawn = {kind: {run.numbers for run in watcher.trained if (run.kind, run.size) == (kind, few)} for kind in kinds}
    if len({frozenset(each) for each in drawn.values()}) > 1:
        return "the two models learn from different few images, which is a second difference; give both the same ones"
    classes = watcher.data.train.labels.unique().tolist()
    for numbers in drawn["PCA"]:
        held = [one for one in classes if numbers & numbers_of(watcher.data, "train", one)]
        if len(held) < len(classes) - 1:  # one may be missing by chance
            return (
                f"your few images show only the digits {held}, all the others none: fewer kinds of images is a second "
                "difference. Take them from all classes, such as data.train.images[:few]"
            )
        if len(numbers) < few:
            return f"some of your few images are the same one: {len(numbers)} different ones of {few}"
    return None


def _measuring_flaw(watcher: Watcher) -> str | None:
    """What is wrong with what was measured, or None."""
    if not watcher.measured:
        return "nothing was measured; call error_on(model, images)"
    splits = {one.split for one in watcher.measured}
    if "train" in splits:
        return "you measure on training images, which a model may know by heart; take data.test.images"
    if splits != {"test"}:
        return "you measure on images outside data.test; val is for choosing, test for judging"
    if len({one.numbers for one in watcher.measured}) > 1:
        return "the models are measured on different images; only on the same ones can they be compared"
    return None


def _order_flaw(watcher: Watcher, few: int, answer: Any) -> str | None:
    """What is wrong with the four errors returned, or None."""
    if not isinstance(answer, tuple | list) or len(answer) != 4:
        return f"return four errors: PCA and autoencoder with all, PCA and autoencoder with few; got {show(answer)}"
    by_run: dict[tuple[str, int], list[float]] = {}
    for one in watcher.measured:
        run = watcher.trained[one.model]
        by_run.setdefault((run.kind, run.size), []).append(one.figure)
    wanted = [(kind, size) for size in (len(watcher.data.train), few) for kind in ("PCA", "the autoencoder")]
    means = {key: sum(figures) / len(figures) for key, figures in by_run.items()}  # one draw of the few, or several

    def run_of(value: float | None) -> tuple[str, int] | None:
        known = next((key for key in means if value is not None and abs(means[key] - value) < 1e-6), None)
        model = watcher.model_of(value)  # one of several measurements of a model
        return known or (None if model is None else (watcher.trained[model].kind, watcher.trained[model].size))

    got = [run_of(mean_of(value)) for value in answer]
    if None in got:
        return "return the four errors as error_on gave them; of several draws of the few images their mean"
    if got != wanted:
        order = ", ".join(f"{key[0]} with {key[1]}" for key in got if key)
        return f"the order is PCA and autoencoder with all, then PCA and autoencoder with few; yours is {order}"
    return None


# --- 3: the cross-entropy ------------------------------------------------------------------------------------------


def cross_entropy(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 01.3: student(x_hat, x), both (m, C, H, W), gives the cross-entropy in nats per image. Slide 001."""
    CROSS_ENTROPY.check(student)


def _total(x_hat: Tensor, x: Tensor) -> Tensor:
    return -(x * log(x_hat) + (1 - x) * log(1 - x_hat)).sum()


CROSS_ENTROPY_MISTAKES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "the second half is still missing: without (1 − x) log(1 − x_hat) nothing punishes white where x is black, so "
    "an all-white picture wins": lambda x_hat, x: -(x * log(x_hat)).sum() / len(x),
    "the first half is missing: x log(x_hat)": lambda x_hat, x: -((1 - x) * log(1 - x_hat)).sum() / len(x),
    "the sign is the wrong way round: a cross-entropy is never negative": lambda x_hat, x: -_total(x_hat, x) / len(x),
    "x and x_hat are swapped: the logarithm is taken of the prediction x_hat": lambda x_hat, x: (
        -(x_hat * log(x) + (1 - x_hat) * log(1 - x)).sum() / len(x)
    ),
    "you average over the pixels too; sum over the pixels of an image, average over the images": lambda x_hat, x: (
        _total(x_hat, x) / x.numel()
    ),
    "you sum over the images too; divide by their number, len(x)": _total,
    "you divide by the number of pixels instead of the number of images": lambda x_hat, x: (
        _total(x_hat, x) / x[0].numel()
    ),
    "these are bits (log2); nats take the natural logarithm, torch.log": lambda x_hat, x: (
        _total(x_hat, x) / len(x) / log(torch.tensor(2.0))
    ),
    "the two halves have opposite signs; the minus stands before both": lambda x_hat, x: (
        (-(x * log(x_hat)) + (1 - x) * log(1 - x_hat)).sum() / len(x)
    ),
    "x_hat has been through a sigmoid already; do not apply another": lambda x_hat, x: (
        _total(torch.sigmoid(x_hat), x) / len(x)
    ),
    "the second half takes the logarithm of x_hat; there it is that of 1 − x_hat": lambda x_hat, x: (
        -(x * log(x_hat) + (1 - x) * log(x_hat)).sum() / len(x)
    ),
    "the second half weighs with x; there the weight is 1 − x": lambda x_hat, x: (
        -(x * log(x_hat) + x * log(1 - x_hat)).sum() / len(x)
    ),
    "the second half takes the logarithm of 1 − x; the logarithm is that of the prediction, 1 − x_hat": (
        lambda x_hat, x: -(x * log(x_hat) + (1 - x) * log(1 - x)).sum() / len(x)
    ),
    "the weights are exchanged: x stands before log(x_hat), 1 − x before log(1 − x_hat)": lambda x_hat, x: (
        -((1 - x) * log(x_hat) + x * log(1 - x_hat)).sum() / len(x)
    ),
    "there is no factor ½": lambda x_hat, x: _total(x_hat, x) / len(x) / 2,
    "these are digits (log10); nats take the natural logarithm, torch.log": lambda x_hat, x: (
        _total(x_hat, x) / len(x) / log(torch.tensor(10.0))
    ),
    "this is the squared error": lambda x_hat, x: (x_hat - x).pow(2).sum() / len(x),
    "the entropy of x is taken off; the slide's loss does not do that": lambda x_hat, x: (
        (_total(x_hat, x) - _total(x, x)) / len(x)
    ),
}


def _inside_the_unit_interval(_: Generator) -> Sequence[Inputs]:
    pairs = [random_pair(3, 1, 4, 5), random_pair(2, 3, 4, 4)]
    return [(0.05 + 0.9 * x_hat, 0.05 + 0.9 * x) for x_hat, x in pairs]


CROSS_ENTROPY = Question(
    "cross_entropy",
    lambda x_hat, x: _total(x_hat, x) / len(x),
    by_sentence(CROSS_ENTROPY_MISTAKES),
    _inside_the_unit_interval,
)
