"""The checks of notebook 01, linear autoencoders: right functions beside the commonest wrong ones."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab.checks.compare import (
    CheckFailed,
    answer_of,
    compare_with,
    conclusion_names,
    numbered_images,
    pair,
    show,
    whose,
)


def components_from_decoder(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 01.1: student(weight, images) gives W*'s subspace on PCA's axes, (pixels, k). Slide 001, "PCA vs AE", 4.

    A column's sign is a matter of taste: columns are compared after turning their largest entry positive.
    """
    name = "components_from_decoder"
    Function = Callable[[Tensor, Tensor], Any]

    def up_to_sign(function: Function) -> Function:
        def turned(weight: Tensor, images: Tensor) -> Any:
            columns = function(weight, images)
            if not isinstance(columns, Tensor) or columns.ndim != 2:
                return columns
            if columns.shape == weight.T.shape:
                raise CheckFailed(f"{name}: return the components as columns, (pixels, k); transpose your result")
            largest = columns.gather(0, columns.abs().argmax(dim=0, keepdim=True))
            return columns * torch.where(largest < 0, -1.0, 1.0)

        return turned

    def basis(weight: Tensor) -> Tensor:
        left: Tensor = torch.linalg.svd(weight, full_matrices=False).U
        return left

    def axes(codes: Tensor) -> Tensor:
        rows: Tensor = torch.linalg.svd(codes, full_matrices=False).Vh
        return rows

    def centred(images: Tensor) -> Tensor:
        return images - images.mean(dim=0)

    def right(weight: Tensor, images: Tensor) -> Tensor:
        return basis(weight) @ axes(centred(images) @ basis(weight)).T

    mistakes: dict[str, Function] = {
        "these are the left singular vectors of W*: the right subspace, but ordered by the size of the weights and not "
        "by the variance of the images; steps 2 and 3 are missing": lambda w, x: basis(w),
        "the columns are orthonormal (a QR decomposition), but not along PCA's axes; steps 2 and 3 are missing": (
            lambda w, x: torch.linalg.qr(w).Q
        ),
        "the columns come weakest first, as torch.linalg.eigh sorts them; turn their order round": (
            lambda w, x: right(w, x).flip(1)
        ),
        "svd returns Vh, whose rows are the new axes; you need them as columns: Q @ rotation.T": (
            lambda w, x: basis(w) @ axes(centred(x) @ basis(w))
        ),
        "the images are not centred; subtract images.mean(dim=0) before you project them": (
            lambda w, x: basis(w) @ axes(x @ basis(w)).T
        ),
        "each image is centred by its own mean; subtract the mean image, images.mean(dim=0)": (
            lambda w, x: basis(w) @ axes((x - x.mean(dim=1, keepdim=True)) @ basis(w)).T
        ),
        "this is PCA of the images themselves; the decoder's weight plays no part": (
            lambda w, x: axes(centred(x))[: w.shape[1]].T
        ),
        "you rotate W* itself, whose columns are not orthonormal; take Q from its SVD": (
            lambda w, x: w @ axes(centred(x) @ w).T
        ),
        "the coordinates are taken along W* itself, whose columns are not orthonormal; project on Q": (
            lambda w, x: basis(w) @ axes(centred(x) @ w).T
        ),
        "the columns of W* are scaled to length 1, which leaves their directions as they are": (
            lambda w, x: w / w.norm(dim=0)
        ),
        "this is W* as it came; nothing was recovered": lambda w, x: w,
        "the right subspace on the right axes, but each column is stretched by its variance; return Q @ rotation.T": (
            lambda w, x: right(w, x) * torch.linalg.svdvals(centred(x) @ basis(w))
        ),
    }
    generator = torch.Generator().manual_seed(1)
    cases = []
    for pixels, k in ((7, 3), (9, 4)):
        weight = torch.randn(pixels, k, generator=generator)
        spread = torch.linspace(0.3, 3, pixels)[torch.randperm(pixels, generator=generator)]
        cases.append((weight, torch.randn(60, pixels, generator=generator) * spread + 2 * spread))
    named = {sentence: up_to_sign(wrong) for sentence, wrong in mistakes.items()}
    compare_with(name, up_to_sign(student), up_to_sign(right), named, cases, tolerance=1e-3)


def few_images_experiment(experiment: Callable[..., Any], result: Any = None, conclusion: str | None = None) -> None:
    """Exercise 01.2: experiment(data, few, fit_pca, fit_autoencoder, error_on) gives four test errors.

    (PCA with all training images, autoencoder with all, PCA with few, autoencoder with few). Judged, as in 00.3, by
    what it fits and measures, with stand-ins that write down what they are given. result: what the real run returned;
    conclusion: a sentence with the autoencoder's error as a multiple of PCA's, with few images.
    """
    name = "few_images_experiment"
    data, few = numbered_images(), 24
    fitted: list[tuple[str, str, frozenset[int], int]] = []  # kind, split, which images, how many
    measured: dict[float, tuple[int, str, frozenset[int]]] = {}  # error → model, split, which images

    def fit(kind: str) -> Callable[[Tensor], int]:
        def note(images: Tensor) -> int:
            fitted.append((kind, *whose(data, images), len(images)))
            return len(fitted) - 1

        return note

    def error_on(model: int, images: Tensor) -> float:
        if isinstance(model, bool) or model not in range(len(fitted)):
            raise ValueError("error_on(model, images) takes a model that fit_pca or fit_autoencoder returned")
        value = round(0.02 + 0.001 * len(measured), 6)
        measured[value] = (model, *whose(data, images))
        return value

    answer = answer_of(name, experiment, data, few, fit("PCA"), fit("the autoencoder"), error_on)
    if answer is None:
        return
    if complaint := _few_images_flaw(data, few, fitted, measured, answer):
        raise CheckFailed(f"{name}: {complaint}")
    if result is None or conclusion is None:
        print(f"{name}: the experiment is sound; its conclusion is not done yet")
        return
    pca, autoencoder = (float(value) for value in result[2:])
    conclusion_names(
        name,
        conclusion,
        autoencoder / pca,
        "with few images, how many times PCA's error is the autoencoder's? "
        f"Divide your fourth number by your third ({autoencoder:.4f} / {pca:.4f})",
    )


def _few_images_flaw(
    data: Any,
    few: int,
    fitted: Sequence[tuple[str, str, frozenset[int], int]],
    measured: Mapping[float, tuple[int, str, frozenset[int]]],
    answer: Any,
) -> str | None:
    """What is wrong with an experiment that fitted and measured so, or None."""
    kinds = {kind for kind, *_ in fitted}
    if len(kinds) < 2:
        missing = {"PCA", "the autoencoder"} - kinds
        return f"{' and '.join(sorted(missing))} was never fitted; the question compares the two"
    if any(split != "train" for _, split, _, _ in fitted):
        return "a model was fitted to images that are not in data.train; those of val and test are for judging"
    sizes = {kind: sorted({size for other, _, _, size in fitted if other == kind}) for kind in sorted(kinds)}
    everything = len(data.train)
    if any(everything not in of_kind for of_kind in sizes.values()):
        return "there is no control: fit both models to all training images as well, or you cannot see what few change"
    if any(few not in of_kind for of_kind in sizes.values()):
        return f"fit both models to exactly `few` training images, here {few}; sizes were {sizes}"
    if len({shown for _, _, shown, size in fitted if size == few}) > 1:
        return "the two models learn from different few images, which is a second difference; give both the same ones"
    if not measured:
        return "nothing was measured; call error_on(model, images)"
    splits = {split for _, split, _ in measured.values()}
    if "train" in splits:
        return "you measure on training images, which a model may know by heart; take data.test.images"
    if splits != {"test"}:
        return "you measure on images outside data.test; val is for choosing, test for judging"
    if len({shown for _, _, shown in measured.values()}) > 1:
        return "the models are measured on different images; only on the same ones can they be compared"
    if not isinstance(answer, tuple | list) or len(answer) != 4:
        return f"return four errors: PCA and autoencoder with all, PCA and autoencoder with few; got {show(answer)}"
    models = [measured.get(round(float(value), 6), (-1,))[0] for value in answer]
    if -1 in models:
        return "return the four errors as error_on gave them"
    got = [(fitted[model][0], fitted[model][3]) for model in models]
    wanted = [("PCA", everything), ("the autoencoder", everything), ("PCA", few), ("the autoencoder", few)]
    if got != wanted:
        order = ", ".join(f"{kind} with {size}" for kind, size in got)
        return f"the order is PCA and autoencoder with all, then PCA and autoencoder with few; yours is {order}"
    return None


def cross_entropy(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 01.3: student(x_hat, x), both (m, C, H, W), gives the cross-entropy in nats per image. Slide 001."""
    log = torch.log

    def total(a: Tensor, b: Tensor) -> Tensor:
        return -(b * log(a) + (1 - b) * log(1 - a)).sum()

    mistakes: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "the second half is still missing: without (1 − x) log(1 − x_hat) nothing punishes white where x is black, so "
        "an all-white picture wins": lambda a, b: -(b * log(a)).sum() / len(b),
        "the first half is missing: x log(x_hat)": lambda a, b: -((1 - b) * log(1 - a)).sum() / len(b),
        "the sign is the wrong way round: a cross-entropy is never negative": lambda a, b: -total(a, b) / len(b),
        "x and x_hat are swapped: the logarithm is taken of the prediction x_hat": lambda a, b: (
            -(a * log(b) + (1 - a) * log(1 - b)).sum() / len(b)
        ),
        "you average over the pixels too; sum over the pixels of an image, average over the images": lambda a, b: (
            total(a, b) / b.numel()
        ),
        "you sum over the images too; divide by their number, len(x)": total,
        "you divide by the number of pixels instead of the number of images": lambda a, b: total(a, b) / b[0].numel(),
        "these are bits (log2); nats take the natural logarithm, torch.log": lambda a, b: (
            total(a, b) / len(b) / log(torch.tensor(2.0))
        ),
        "the two halves have opposite signs; the minus stands before both": lambda a, b: (
            (-(b * log(a)) + (1 - b) * log(1 - a)).sum() / len(b)
        ),
        "x_hat has been through a sigmoid already; do not apply another": lambda a, b: (
            total(torch.sigmoid(a), b) / len(b)
        ),
        "the second half takes the logarithm of x_hat; there it is that of 1 − x_hat": lambda a, b: (
            -(b * log(a) + (1 - b) * log(a)).sum() / len(b)
        ),
        "the second half weighs with x; there the weight is 1 − x": lambda a, b: (
            -(b * log(a) + b * log(1 - a)).sum() / len(b)
        ),
        "this is the squared error": lambda a, b: (a - b).pow(2).sum() / len(b),
        "the entropy of x is taken off; the slide's loss does not do that": lambda a, b: (
            (total(a, b) - total(b, b)) / len(b)
        ),
    }
    cases = []
    for shape in ((3, 1, 4, 5), (2, 3, 4, 4)):
        x_hat, x = pair(*shape)
        cases.append((0.05 + 0.9 * x_hat, 0.05 + 0.9 * x))
    compare_with("cross_entropy", student, lambda a, b: total(a, b) / len(b), mistakes, cases)
