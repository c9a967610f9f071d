"""Models: known optima, what passes through the code, and the usual mistakes."""

import math
from typing import Any

import pytest
import torch
from conftest import seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.metrics.codes import principal_angles
from autoencoder_lab.models.layers import ToPixels

SMALL = {"width": 4, "hidden": 16}
CODE_ONLY = {
    "linear": lambda shape: lab.LinearAutoencoder(5, image_shape=shape),
    "tied": lambda shape: lab.LinearAutoencoder(5, image_shape=shape, tied=True),
    "dense": lambda shape: lab.DenseAutoencoder(5, image_shape=shape, hidden=(16,)),
    "single layer": lambda shape: lab.DenseAutoencoder(5, image_shape=shape, hidden=(), code_activation="sigmoid"),
    "transposed": lambda shape: lab.ConvAutoencoder(5, image_shape=shape, decoder="transposed", **SMALL),
    "resize": lambda shape: lab.ConvAutoencoder(5, image_shape=shape, decoder="resize", **SMALL),
    "inside": lambda shape: lab.ResidualAutoencoder(5, image_shape=shape, skips="inside", **SMALL),
}
ROUND_THE_CODE = {
    "unpool": lambda shape: lab.ConvAutoencoder(5, image_shape=shape, decoder="unpool", **SMALL),
    "around": lambda shape: lab.ResidualAutoencoder(5, image_shape=shape, skips="around", **SMALL),
}
NEURAL = CODE_ONLY | ROUND_THE_CODE
SHAPES = [(1, 8, 8), (1, 25, 25), (3, 30, 33), (1, 28, 28), (3, 64, 64), (2, 9, 64)]


def pictures(batch: int, shape: tuple[int, int, int], seed: int = 0) -> Tensor:
    return torch.rand((batch, *shape), generator=seeded(seed))


# --- every model -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NEURAL)
def test_any_shape_from_8_to_64_and_a_batch_of_one(name: str, shape: tuple[int, int, int]) -> None:
    model = NEURAL[name](shape)
    x = pictures(3, shape)
    assert model.encode(x).shape == (3, 5)
    x_hat = model.reconstruct(x)
    assert x_hat.shape == x.shape
    if model.output == "sigmoid":
        assert x_hat.min() >= 0 and x_hat.max() <= 1
    # no batch statistics: an image's reconstruction does not depend on its company
    assert torch.allclose(model.reconstruct(x[1:2]), x_hat[1:2], atol=1e-5)
    model.loss(x[:1]).total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in model.parameters()), (
        "every parameter takes part"
    )


@given(height=st.integers(8, 40), width=st.integers(8, 40), channels=st.sampled_from([1, 3]))
@settings(max_examples=20, deadline=None)
def test_convolutional_models_at_random_sizes(height: int, width: int, channels: int) -> None:
    shape = (channels, height, width)
    for name in ("transposed", "resize", "unpool", "inside", "around"):
        assert NEURAL[name](shape).reconstruct(pictures(1, shape)).shape == (1, *shape)


@pytest.mark.parametrize("width", [1, 5, 9, 18])
def test_any_width_has_a_group_normalisation(width: int) -> None:
    for model in (lab.ConvAutoencoder(3, (1, 8, 8), width=width), lab.ResidualAutoencoder(3, (1, 8, 8), width=width)):
        assert model.reconstruct(pictures(2, (1, 8, 8))).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("name", NEURAL)
def test_evaluation_is_deterministic_and_the_same_as_in_training_mode(name: str) -> None:
    model, x = NEURAL[name]((1, 12, 12)), pictures(4, (1, 12, 12))
    training = model.train().reconstruct(x)
    model.eval()
    assert torch.equal(model.reconstruct(x), model.reconstruct(x))
    assert torch.equal(model.encode(x), model.encode(x))
    assert torch.allclose(model.reconstruct(x), training, atol=1e-6)


@pytest.mark.parametrize("name", CODE_ONLY)
def test_everything_passes_through_the_code(name: str) -> None:
    model, x = CODE_ONLY[name]((1, 12, 12)), pictures(4, (1, 12, 12))
    assert model.decodes
    z = model.encode(x)
    assert torch.allclose(model.decode(z), model.reconstruct(x), atol=1e-6)
    permuted = model.decode(z[[1, 2, 3, 0]])
    assert torch.allclose(permuted, model.reconstruct(x[[1, 2, 3, 0]]), atol=1e-6)  # the other image, wholly
    assert (permuted - model.reconstruct(x)).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("name", "reason"), [("unpool", "positions of the encoder's maxima"), ("around", "encoder's feature maps")]
)
def test_round_the_code_is_admitted(name: str, reason: str) -> None:
    model, x = ROUND_THE_CODE[name]((1, 12, 12)), pictures(4, (1, 12, 12))
    assert not model.decodes
    with pytest.raises(TypeError, match=rf"cannot decode a code alone: .*{reason}; call reconstruct\(x\)"):
        model.decode(model.encode(x))
    # the proof: with a code that says nothing at all, the reconstruction still tells the images apart
    last = model.encoder.to_code[-1] if name == "unpool" else model.to_code[-1]
    nn.init.zeros_(last.weight)
    assert model.encode(x).std(dim=0).max() < 1e-6
    assert model.reconstruct(x).std(dim=0).max() > 1e-3


@pytest.mark.parametrize("name", NEURAL)
def test_loss_is_the_summed_error_of_the_reconstruction(name: str) -> None:
    model, x, target = NEURAL[name]((1, 9, 10)), pictures(4, (1, 9, 10), 1), pictures(4, (1, 9, 10), 2)
    loss = model.loss(x, target)
    assert math.isclose(loss.total.item(), (model.reconstruct(x) - target).pow(2).sum().item() / 4, rel_tol=1e-5)
    assert math.isclose(sum(part.item() for part in loss.parts.values()), loss.total.item(), rel_tol=1e-6)
    assert torch.equal(model.loss(x).total, model.loss(x, x).total)
    assert torch.isclose(model.loss(torch.cat([x, x]), torch.cat([target, target])).total, loss.total, rtol=1e-5)


@pytest.mark.parametrize("make", [lab.LinearAutoencoder, lab.DenseAutoencoder, lab.ConvAutoencoder])
def test_cross_entropy_is_that_of_the_reconstruction_and_stands_above_the_entropy(make) -> None:
    model, x = make(4, image_shape=(1, 8, 8), output="sigmoid", loss="cross_entropy"), pictures(3, (1, 8, 8))
    x_hat = model.reconstruct(x)
    by_hand = -(x * x_hat.log() + (1 - x) * (1 - x_hat).log()).flatten(1).sum(dim=1).mean()
    assert torch.isclose(model.loss(x).total, by_hand, rtol=1e-5)
    assert model.loss(x).total > lab.losses.entropy(x)


@pytest.mark.parametrize("name", NEURAL)
def test_saved_weights_give_the_same_model(name: str) -> None:
    torch.manual_seed(1)
    one, x = NEURAL[name]((1, 9, 10)), pictures(2, (1, 9, 10))
    other = NEURAL[name]((1, 9, 10))
    assert not torch.equal(one.reconstruct(x), other.reconstruct(x))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.reconstruct(x), other.reconstruct(x))


def test_steps_are_all_parameters_less_the_frozen_ones() -> None:
    model = lab.DenseAutoencoder(3, (1, 8, 8))
    assert {id(p) for p in model.steps()[0][0]} == {id(p) for p in model.parameters()}
    model.encoder.requires_grad_(False)
    assert {id(p) for p in model.steps()[0][0]} == {id(p) for p in model.decoder.parameters()}


@pytest.mark.parametrize("output", ["sigmoid", "linear", "tanh"])
def test_output_functions(output: str) -> None:
    model, x = lab.DenseAutoencoder(3, (1, 8, 8), output=output), pictures(2, (1, 8, 8))
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.mul_(30)  # far into the flat parts
    logits, x_hat = model.logits(x), model.reconstruct(x)
    assert torch.equal(x_hat, {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "linear": lambda a: a}[output](logits))
    assert logits.abs().max() > 1.5


@pytest.mark.parametrize("activation", ["silu", "relu", "sigmoid", "tanh", "identity"])
def test_code_activation_bounds_the_code(activation: str) -> None:
    model = lab.DenseAutoencoder(3, (1, 8, 8), activation=activation, code_activation=activation)
    z = model.encode(100 * pictures(50, (1, 8, 8)) - 50)
    low, high = {"relu": (0, 1e9), "sigmoid": (0, 1), "tanh": (-1, 1), "silu": (-0.28, 1e9)}.get(
        activation, (-1e9, 1e9)
    )
    assert z.min() >= low and z.max() <= high


def test_dense_model_of_identities_is_linear() -> None:
    model = lab.DenseAutoencoder(3, (1, 4, 4), hidden=(8,), activation="identity", output="linear")
    a, b = pictures(2, (1, 4, 4), 1), pictures(2, (1, 4, 4), 2)
    middle = model.reconstruct((a + b) / 2)
    assert torch.allclose(middle, (model.reconstruct(a) + model.reconstruct(b)) / 2, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lab.DenseAutoencoder(0), "latent .* at least 1, got 0"),
        (lambda: lab.DenseAutoencoder(2, (28, 28)), r"image_shape must be \(C, H, W\), got \(28, 28\)"),
        (lambda: lab.DenseAutoencoder(2, output="softmax"), "output must be one of 'sigmoid', .*, got 'softmax'"),
        (lambda: lab.DenseAutoencoder(2, loss="mse"), "loss must be one of .*, got 'mse'"),
        (lambda: lab.DenseAutoencoder(2, activation="swish"), "activation must be one of 'silu', .*, got 'swish'"),
        (
            lambda: lab.DenseAutoencoder(2, output="tanh", loss="cross_entropy"),
            "cross_entropy.* needs output=\"sigmoid\", got 'tanh'",
        ),
        (lambda: lab.ConvAutoencoder(2, decoder="upsample"), "decoder must be .*'unpool', got 'upsample'"),
        (lambda: lab.ResidualAutoencoder(2, skips="over"), "skips must be .*'around', got 'over'"),
    ],
)
def test_wrong_settings_are_refused_by_name(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", NEURAL)
def test_wrong_images_are_refused_with_the_way_out(name: str) -> None:
    model = NEURAL[name]((1, 8, 8))
    way_out = {(2, 3, 8, 8): "image_shape=data.shape", (2, 64): "image_shape=data.shape", (1, 8, 8): r"images\[None\]"}
    for wrong, do in way_out.items():
        with pytest.raises(ValueError, match=rf"built for images \(B, 1, 8, 8\), got .*{do}"):
            model.reconstruct(torch.zeros(wrong))
    with pytest.raises(ValueError, match=r"images must be float32 .*uint8 .*divide by 255"):
        model.reconstruct(torch.zeros(2, 1, 8, 8, dtype=torch.uint8))


def test_wrong_codes_are_refused() -> None:
    for model in (lab.DenseAutoencoder(3, (1, 8, 8)), lab.ConvAutoencoder(3, (1, 8, 8))):
        for wrong in (torch.zeros(2, 4), torch.zeros(3)):
            with pytest.raises(ValueError, match=r"decodes codes of shape \(B, 3\)"):
                model.decode(wrong)


# --- convolution -----------------------------------------------------------------------------------


def test_transposed_convolution_with_kernel_4_and_stride_2_builds_in_no_checkerboard() -> None:
    """Constant image, constant weights: every interior pixel gets equally many contributions."""
    model = lab.ConvAutoencoder(4, (1, 28, 28))
    enlarging = [layer for layer in model.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert len(enlarging) == 2
    for layer in enlarging:
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
        out = layer(torch.ones(1, layer.in_channels, 7, 7))
        assert out.shape[2:] == (14, 14)
        assert (out[..., 1:-1, 1:-1] == 4 * layer.in_channels).all()


def test_the_usual_kernel_3_does_build_one_in() -> None:
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=1, bias=False)
    nn.init.ones_(layer.weight)
    assert set(layer(torch.ones(1, 1, 7, 7))[..., 1:-1, 1:-1].flatten().tolist()) == {1.0, 2.0, 4.0}


def test_residual_block_with_no_change_is_the_identity() -> None:
    from autoencoder_lab.models.convolutional import ResidualBlock

    block, x = ResidualBlock(8), pictures(2, (8, 6, 6))
    assert not torch.allclose(block(x), x)
    nn.init.zeros_(block.change[-1].weight)
    nn.init.zeros_(block.change[-1].bias)
    assert torch.equal(block(x), x)


def test_no_model_normalises_over_the_batch_and_no_eps_is_a_momentum() -> None:
    for make in NEURAL.values():
        for layer in make((1, 12, 12)).modules():
            assert not isinstance(layer, nn.modules.batchnorm._BatchNorm)
            assert getattr(layer, "eps", 0) < 1e-3


def test_unpooling_puts_maxima_back_where_they_stood() -> None:
    model = lab.ConvAutoencoder(4, (1, 8, 8), decoder="unpool", width=4)
    _, (where_1, where_2) = model.encoder.with_positions(pictures(2, (1, 8, 8)))
    assert where_1.shape == (2, 4, 4, 4) and where_2.shape == (2, 8, 2, 2)
    # each index lies inside its own 2×2 window of the larger map
    for where, side in ((where_1, 8), (where_2, 4)):
        row, column = where // side // 2, where % side // 2
        assert (row == torch.arange(side // 2)[:, None]).all() and (column == torch.arange(side // 2)).all()


# --- PCA -------------------------------------------------------------------------------------------


def test_pca_agrees_with_scikit_learn(digits: lab.ImageData) -> None:
    from sklearn.decomposition import PCA as Reference

    ours = lab.PCA(10).fit(digits.train)
    theirs = Reference(10, svd_solver="full").fit(digits.train.images.flatten(1).double().numpy())
    assert torch.allclose(ours.variances.double(), torch.from_numpy(theirs.explained_variance_), rtol=1e-4)
    assert principal_angles(ours.components, torch.from_numpy(theirs.components_.T)).max() < 0.01
    x = digits.test.images
    again = theirs.inverse_transform(theirs.transform(x.flatten(1).double().numpy()))
    assert torch.allclose(ours.reconstruct(x).flatten(1).double(), torch.from_numpy(again), atol=1e-5)


def test_pca_error_is_the_sum_of_the_eigenvalues_left_out(digits: lab.ImageData) -> None:
    x = digits.train.images
    pca, all_of_them = lab.PCA(10).fit(digits.train), lab.PCA(64).fit(digits.train)
    left_out = all_of_them.variances[10:].sum() * (len(x) - 1) / len(x)
    errors = [(model.reconstruct(x) - x).square().sum() / len(x) for model in (pca, all_of_them)]
    assert torch.isclose(errors[0], left_out, rtol=1e-4) and errors[1] < 1e-6


@pytest.mark.parametrize("count", [40, 200])  # fewer images than the 64 pixels, and more: two ways to one answer
def test_pca_with_few_and_many_images_agrees_with_scikit_learn(count: int, digits: lab.ImageData) -> None:
    from sklearn.decomposition import PCA as Reference

    few = digits.train[:count]
    ours = lab.PCA(5).fit(few)
    theirs = Reference(5, svd_solver="full").fit(few.images.flatten(1).double().numpy())
    assert torch.allclose(ours.variances.double(), torch.from_numpy(theirs.explained_variance_), rtol=1e-4)
    assert principal_angles(ours.components, torch.from_numpy(theirs.components_.T)).max() < 0.01


def test_pca_is_centred(digits: lab.ImageData) -> None:
    shifted = digits.map(lambda images: images * 0.5 + 0.4)
    plain, moved = lab.PCA(5).fit(digits.train), lab.PCA(5).fit(shifted.train)
    expected = plain.reconstruct(digits.test.images) * 0.5 + 0.4
    assert torch.allclose(moved.reconstruct(shifted.test.images), expected, atol=1e-4)
    assert torch.allclose(plain.encode(digits.train.images).mean(dim=0), torch.zeros(5), atol=1e-4)


def test_pca_is_a_projection_onto_orthonormal_columns(digits: lab.ImageData) -> None:
    pca = lab.PCA(6).fit(digits.train)
    assert torch.allclose(pca.components.T @ pca.components, torch.eye(6), atol=1e-5)
    once = pca.reconstruct(digits.test.images)
    assert torch.allclose(pca.reconstruct(once), once, atol=1e-5)
    assert torch.allclose(pca.encode(digits.train.images).var(dim=0), pca.variances, rtol=1e-4)
    assert (pca.variances.diff() < 0).all()


def test_pca_sees_only_the_split_it_is_given(tiny: lab.ImageData) -> None:
    class OnlyTrain:
        train = tiny.train

        def __getattr__(self, name: str):
            raise AssertionError(f"touched {name}")

    data = OnlyTrain()
    pca = lab.PCA(3).fit(data.train)
    assert torch.allclose(pca.mean, tiny.train.images.flatten(1).mean(dim=0))
    assert pca.image_shape == (1, 8, 8)


def test_known_figures_of_pca_on_the_digits(mnist: lab.ImageData) -> None:
    # published for the full MNIST: .05567 / .03744 / .01683 at k = 2, 8, 32; 1,000 test images have a standard error
    # of about 2 %, and 3,500 training images fit a little worse: margin 8 %
    for k, published in ((2, 0.05567), (8, 0.03744), (32, 0.01683)):
        assert abs(lab.metrics.mse(lab.PCA(k).fit(mnist.train), mnist.test).value / published - 1) < 0.08


def test_pca_without_fit_with_too_few_images_or_trained_says_so(tiny: lab.ImageData) -> None:
    pca = lab.PCA(3)
    for use in (
        lambda: pca.encode(torch.zeros(1, 1, 28, 28)),
        lambda: pca.decode(torch.zeros(1, 3)),
        pca.decoder_matrix,
    ):
        with pytest.raises(RuntimeError, match=r"not fitted yet: call pca.fit\(data.train\)"):
            use()
    with pytest.raises(ValueError, match="at least 65 images and pixels, got 200 and 64"):
        lab.PCA(65).fit(tiny.train)
    with pytest.raises(TypeError, match=r"solved, not trained: call pca.fit\(data.train\)"):
        lab.fit(pca, tiny)


def test_pca_is_saved_and_loaded_and_another_code_size_is_refused(tiny: lab.ImageData, tmp_path) -> None:
    pca = lab.PCA(3, image_shape=(1, 8, 8)).fit(tiny.train)
    torch.save(pca.state_dict(), tmp_path / "pca.pt")
    stored = torch.load(tmp_path / "pca.pt", weights_only=True)
    loaded = lab.PCA(3, image_shape=(1, 8, 8))
    loaded.load_state_dict(stored)
    assert torch.equal(loaded.reconstruct(tiny.test.images), pca.reconstruct(tiny.test.images))
    with pytest.raises(RuntimeError, match="size mismatch"):
        lab.PCA(2, image_shape=(1, 8, 8)).load_state_dict(stored)


# --- the linear autoencoder against PCA ------------------------------------------------------------


def as_pca(model: lab.LinearAutoencoder, pca: lab.PCA, chosen: list[int]) -> None:
    """Set the weights to the projection onto some of the principal components."""
    directions = pca.components[:, chosen]
    with torch.no_grad():
        model.weight.copy_(directions.T)
        model.bias.copy_(-directions.T @ pca.mean)
        if not model.tied:
            model.decoder_weight.copy_(directions)
        model.decoder_bias.copy_(pca.mean)


def gradient_size(model: lab.LinearAutoencoder, x: Tensor) -> float:
    gradients = torch.autograd.grad(model.loss(x).total, list(model.parameters()))
    return max(gradient.abs().max().item() for gradient in gradients)


@pytest.mark.parametrize("tied", [False, True])
def test_pca_is_a_minimum_and_any_other_choice_of_components_a_saddle(digits: lab.ImageData, tied: bool) -> None:
    """Baldi and Hornik (1989): the critical points are the projections onto any k components; one choice is best."""
    x = digits.train.images.double()
    pca = lab.PCA(6).fit(digits.train).double()
    pca.mean.copy_(x.flatten(1).mean(dim=0))
    _, _, right = torch.linalg.svd(x.flatten(1) - pca.mean, full_matrices=False)
    pca.components.copy_(right[:6].T)

    model = lab.LinearAutoencoder(3, (1, 8, 8), tied=tied).double()
    as_pca(model, pca, [0, 1, 2])
    assert gradient_size(model, x) < 1e-8
    best = model.loss(x).total.item()

    as_pca(model, pca, [0, 1, 4])  # component 4 in place of 2: also flat, yet higher
    assert gradient_size(model, x) < 1e-8
    saddle = model.loss(x).total.item()
    assert saddle > best * 1.02
    # downhill: turn the wrong component a little towards the missing one
    turned = pca.components.clone()
    turned[:, 4] = math.cos(0.1) * pca.components[:, 4] + math.sin(0.1) * pca.components[:, 2]
    pca.components.copy_(turned)
    as_pca(model, pca, [0, 1, 4])
    assert model.loss(x).total.item() < saddle

    # at the optimum no small step of any kind helps
    pca.components.copy_(right[:6].T)
    as_pca(model, pca, [0, 1, 2])
    start = {name: value.clone() for name, value in model.state_dict().items()}
    for seed in range(5):
        model.load_state_dict(start)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=seeded(seed), dtype=torch.double) * 1e-2)
        assert model.loss(x).total.item() > best


def test_linear_autoencoder_learns_the_pca_subspace(digits: lab.ImageData) -> None:
    """Measured over seeds 0–4: gap (1.2 … 2.9)·10⁻⁵, largest angle 0.23° … 0.95°, smallest overlap 0.65 … 0.89."""
    pca, model = lab.PCA(3).fit(digits.train), lab.LinearAutoencoder(3, (1, 8, 8))
    lab.fit(model, digits, steps=1500, learning_rate=3e-2, progress=False)
    gap = lab.metrics.mse(model, digits.train).value / lab.metrics.mse(pca, digits.train).value - 1
    assert -1e-6 < gap < 3e-4  # never below: no rank-3 map can be
    assert principal_angles(pca, model).max() < 3
    # the span, not the axes (Kunin et al., 2019): its columns are no principal components
    overlap = (nn.functional.normalize(model.decoder_matrix().detach(), dim=0).T @ pca.components).abs()
    assert overlap.max(dim=1).values.min() < 0.98


def test_tied_weights_are_one_matrix_and_its_gradient_the_sum_of_both(digits: lab.ImageData) -> None:
    x = digits.train.images[:32]
    tied, free = lab.LinearAutoencoder(3, (1, 8, 8), tied=True), lab.LinearAutoencoder(3, (1, 8, 8))
    assert tied.decoder_matrix().data_ptr() == tied.weight.data_ptr()
    assert len(list(tied.parameters())) == 3 and len(list(free.parameters())) == 4
    with torch.no_grad():
        free.weight.copy_(tied.weight)
        free.decoder_weight.copy_(tied.weight.T)
    tied.loss(x).total.backward()
    free.loss(x).total.backward()
    assert torch.allclose(tied.weight.grad, free.weight.grad + free.decoder_weight.grad.T, rtol=1e-4, atol=1e-5)
    # and they stay tied while learning
    lab.fit(tied, digits, steps=5, progress=False)
    assert tied.decoder_matrix().data_ptr() == tied.weight.data_ptr()


def test_overcomplete_linear_autoencoder_can_copy() -> None:
    model, x = lab.LinearAutoencoder(70, (1, 8, 8)), pictures(3, (1, 8, 8))
    with torch.no_grad():
        model.weight.copy_(torch.eye(70, 64))
        model.decoder_weight.copy_(torch.eye(64, 70))
    assert torch.allclose(model.reconstruct(x), x, atol=1e-6)


@pytest.mark.parametrize("output", ["sigmoid", "linear", "tanh"])
@pytest.mark.parametrize("decoder", ["transposed", "resize", "unpool"])
def test_the_last_bias_is_the_mean_brightness_under_the_output_function(output: Any, decoder: Any) -> None:
    """Else training begins with all weights turning pictures dark, which leaves one small network in eight stuck."""
    images = (
        torch.rand(50, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        * torch.tensor([0.2, 0.5, 0.9])[:, None, None]
    )
    model = lab.ConvAutoencoder(4, (3, 8, 8), decoder=decoder, output=output)
    model.start_from(images)
    last = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)][-1]
    drawn = {"sigmoid": torch.sigmoid, "linear": torch.clone, "tanh": torch.tanh}[output](last.bias.detach())
    assert torch.allclose(drawn, images.mean(dim=(0, 2, 3)), atol=1e-5)


def test_an_all_black_channel_gives_a_finite_bias() -> None:
    model = lab.ConvAutoencoder(4, (1, 8, 8))
    model.start_from(torch.zeros(5, 1, 8, 8))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_a_small_convolutional_network_gets_past_the_mean_image() -> None:
    """Seed 3 stayed at the mean image's 0.066 before the last bias was set; now eight seeds reach 0.013–0.018."""
    data = lab.load("mnist-5k")
    model = lab.ConvAutoencoder(32, width=8, hidden=128)
    history = lab.fit(model, data, steps=140, batch_size=64, seed=3, progress=False)
    assert history.val["mse"][-1] < 0.03


# --- the layer that draws the pixels ----------------------------------------------------------------


@pytest.mark.parametrize("shape", [(16, 1, 14, 14), (8, 3, 5, 7), (1, 2, 1, 1)])
def test_pixels_are_drawn_by_a_transposed_convolution(shape: tuple[int, int, int, int]) -> None:
    """The values and all gradients are those of nn.ConvTranspose2d, in double precision by the same kernel."""
    channels, drawn, height, width = shape
    ours, plain = ToPixels(channels, drawn, 4, stride=2, padding=1), nn.ConvTranspose2d(channels, drawn, 4, 2, 1)
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(5, channels, height, width, requires_grad=True)
    found = [layer(x) for layer in (ours, plain)]
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)
    weight = torch.randn_like(found[0])
    slopes = [
        torch.autograd.grad((weight * layer(x).tanh()).sum(), [x, *layer.parameters()], create_graph=True)
        for layer in (ours, plain)
    ]
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    for one, other in zip(*(torch.autograd.grad(s[0].square().sum(), x) for s in slopes), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
    assert str(ours) == str(plain) and torch.equal(ours.double()(x.double()), plain.double()(x.double()))
