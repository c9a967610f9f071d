"""What the browser is given agrees with the model it came from."""

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import autoencoder_lab as lab
from autoencoder_lab.explorer import Explorer, scene
from autoencoder_lab.explorer.explored import KEPT_DIRECTIONS, ExploredModel
from autoencoder_lab.explorer.program import UnsupportedLayer


def numbers(data: bytes, columns: int = 1) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.float32).view(-1, columns)


def trained(data: lab.ImageData, latent: int, seed: int = 0, **options: Any) -> lab.DenseAutoencoder:
    model = lab.DenseAutoencoder(latent, image_shape=data.shape, hidden=(32,), **options)
    lab.fit(model, data, steps=60, seed=seed, progress=False)
    return model


class Rounding(lab.DenseAutoencoder):
    """Decodes with an operation that network.js does not know."""

    def decode(self, z: Tensor) -> Tensor:
        return torch.special.bessel_j0(super().decode(z))


def test_codes_and_directions_are_those_of_the_images(digits: lab.ImageData) -> None:
    model = trained(digits, 5)
    explorer = lab.explore(model, digits, count=120)
    moment = explorer.scene["models"][0]["snapshots"][0]
    codes = lab.metrics.encode(model, digits.test[:120])
    assert torch.equal(numbers(moment["codes"], 5), codes)
    covariance = torch.cov(codes.T.double())
    directions = numbers(moment["directions"], 5).double()
    spread = numbers(moment["directionSpread"])[:, 0].double()
    assert torch.allclose(directions @ directions.T, torch.eye(5, dtype=torch.double), atol=1e-5)
    assert torch.allclose(directions @ covariance @ directions.T, torch.diag(spread**2), atol=1e-4)
    lower = numbers(moment["cholesky"], 5).double()
    assert torch.allclose(lower @ lower.T, covariance, rtol=1e-4, atol=1e-4)
    assert torch.allclose(numbers(moment["spread"])[:, 0].double(), covariance.diagonal().sqrt(), rtol=1e-4)


def test_a_long_code_is_moved_along_its_strongest_directions(tiny: lab.ImageData) -> None:
    model = ExploredModel("long", trained(tiny, 2048), tiny.test.images)
    assert model.size == KEPT_DIRECTIONS and "2,048 code values" in model.coordinates
    assert model.codes is not None and model.directions is not None and model.center is not None
    codes = lab.metrics.encode(model.model, tiny.test)
    _, singular, rows = torch.linalg.svd(codes - codes.mean(dim=0), full_matrices=False)
    projected = codes.mean(dim=0) + (codes - codes.mean(dim=0)) @ rows[:32].T @ rows[:32]
    assert torch.allclose(model.decode(model.codes), model.model.decode(projected), atol=1e-4)
    share = float(singular[:32].square().sum() / singular.square().sum())
    assert f"{share:.1%}" in model.coordinates


def test_programs_of_a_long_code_ship_a_narrow_first_layer(tiny: lab.ImageData) -> None:
    model = ExploredModel("long", trained(tiny, 2048), tiny.test.images)
    programs = model.programs()
    assert len(programs["decode"].weights) < 32 * 32 + 32 + 64 * 32 + 64 + 10
    assert len(programs["encode"].weights) < 64 * 32 + 32 + 32 * 32 + 32 + 10


def test_alignment_of_two_bases_of_one_subspace_is_exact(digits: lab.ImageData) -> None:
    pca = lab.PCA(3).fit(digits.train)
    other = lab.LinearAutoencoder(3, image_shape=digits.shape)
    mixing = torch.tensor([[2.0, 1.0, 0.0], [0.0, -1.0, 0.5], [1.0, 0.0, 1.0]])
    with torch.no_grad():  # h' = M h + t, and a decoder that undoes it
        other.weight.copy_(mixing @ pca.components.T)
        other.bias.copy_(-mixing @ pca.components.T @ pca.mean + torch.tensor([1.0, 2.0, 3.0]))
        other.decoder_weight.copy_(pca.components @ mixing.inverse())
        other.decoder_bias.copy_(pca.mean - pca.components @ mixing.inverse() @ torch.tensor([1.0, 2.0, 3.0]))
    a, b = (ExploredModel(name, one, digits.test.images) for name, one in {"pca": pca, "mixed": other}.items())
    align = scene.alignment(a, b)
    assert align is not None
    assert torch.allclose(numbers(align["forward"]["matrix"], 3), mixing, atol=1e-4)
    assert torch.allclose(numbers(align["forward"]["offset"])[:, 0], torch.tensor([1.0, 2.0, 3.0]), atol=1e-4)
    assert torch.allclose(numbers(align["backward"]["matrix"], 3), mixing.inverse(), atol=1e-4)
    assert align["forward"]["r2"] == pytest.approx(1, abs=1e-9)


def test_alignment_says_how_little_it_explains(digits: lab.ImageData) -> None:
    """Against codes that were shuffled, the best affine map explains next to nothing; so it is not simply always 1."""
    pca = ExploredModel("pca", lab.PCA(2).fit(digits.train), digits.test.images)
    other = ExploredModel("other", lab.PCA(2).fit(digits.train), digits.test.images)
    assert other.codes is not None
    other.codes = other.codes[torch.randperm(len(other.codes), generator=torch.Generator().manual_seed(0))]
    align = scene.alignment(pca, other)
    # R² of k regressors on n independent points has mean k/n: 2/180 here, and stays far below 0.1
    assert align is not None and 0 <= align["forward"]["r2"] < 0.1


def test_principal_directions_keep_their_sign_from_snapshot_to_snapshot(digits: lab.ImageData) -> None:
    model = ExploredModel("model", trained(digits, 4), digits.test.images)
    before, now = (scene.snapshot(model, {}) for _ in range(2))
    flipped = -numbers(now["directions"], 4)
    flipped[1] *= -1  # one of them was left as it is
    now["directions"] = scene.f32(flipped)
    scene.keep_signs(now, before, len(digits.test.images))
    assert torch.equal(numbers(now["directions"], 4), numbers(before["directions"], 4))


def test_pixel_bytes_round_half_to_even_and_clip() -> None:
    values = torch.tensor([-0.2, 0.0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 1.0, 1.7, float("nan")])
    assert scene.pixel_bytes(values).tolist() == [0, 0, 0, 2, 2, 255, 255, 0]


@pytest.mark.parametrize("count", [1, 2, 500])
@pytest.mark.parametrize("latent", [1, 2, 3])
def test_few_images_and_few_code_values(tiny: lab.ImageData, latent: int, count: int) -> None:
    explorer = lab.explore(trained(tiny, latent), tiny, count=count)
    moment = explorer.scene["models"][0]["snapshots"][0]
    for name in ("codes", "mean", "spread", "directions", "directionSpread", "cholesky"):
        assert numbers(moment[name]).isfinite().all(), name
    assert explorer.to_png().startswith(b"\x89PNG")


def test_constant_codes_have_a_fitted_density_all_the_same(tiny: lab.ImageData) -> None:
    model = trained(tiny, 2)
    with torch.no_grad():
        for parameter in model.encoder.parameters():  # type: ignore[attr-defined]
            parameter.zero_()
    moment = lab.explore(model, tiny).scene["models"][0]["snapshots"][0]
    assert numbers(moment["cholesky"]).isfinite().all() and float(numbers(moment["spread"]).abs().max()) == 0


def test_a_model_that_was_never_trained_is_named(tiny: lab.ImageData) -> None:
    fresh = lab.DenseAutoencoder(2, image_shape=tiny.shape)
    assert "has not been trained" in lab.explore(fresh, tiny).scene["untrained"][0]
    assert lab.explore(trained(tiny, 2), tiny).scene["untrained"] == []


def test_nan_weights_and_an_unfitted_pca_are_named(tiny: lab.ImageData) -> None:
    broken = trained(tiny, 2)
    with torch.no_grad():
        next(broken.parameters())[0, 0] = torch.nan
    models = lab.explore({"broken": broken, "unfitted": lab.PCA(2, tiny.shape)}, tiny).scene["models"]
    assert "broken gives NaN" in models[0]["problem"] and "pca.fit" in models[1]["problem"]


def test_decoders_that_need_more_than_the_code_get_no_map_and_say_why(tiny: lab.ImageData) -> None:
    model = lab.ConvAutoencoder(4, image_shape=tiny.shape, decoder="unpool", width=4, hidden=16)
    entry = lab.explore(model, tiny).scene["models"][0]
    assert not entry["decodes"] and "more than the code" in entry["noMap"] and set(entry["programs"]) == {"reconstruct"}


def test_a_generator_has_a_map_of_its_prior_and_no_codes(tiny: lab.ImageData) -> None:
    model = lab.GAN(2, image_shape=tiny.shape, width=4, hidden=8)
    entry = lab.explore(model, tiny).scene["models"][0]
    assert entry["prior"] and not entry["encodes"] and "has no encoder" in entry["noMap"]
    assert entry["snapshots"][0]["codes"] == b"" and set(entry["programs"]) == {"decode"}


def test_an_unknown_layer_is_named_and_the_kernel_takes_over(tiny: lab.ImageData) -> None:
    model = Rounding(2, image_shape=tiny.shape, hidden=(8,))
    explorer = lab.explore(model, tiny)
    assert explorer.engine == "kernel" and "bessel" in explorer.scene["why"]
    with pytest.raises(ValueError, match=r'bessel.*engine="kernel"'):
        lab.explore(model, tiny, engine="browser")
    with pytest.raises(ValueError, match="cannot become a page"):
        explorer.to_html("never-written.html")
    with pytest.raises(UnsupportedLayer):
        explorer.moments[0][0].programs()


def test_a_large_model_is_left_to_the_kernel(mnist: lab.ImageData) -> None:
    model = lab.DenseAutoencoder(2, hidden=(12_000,))
    explorer = lab.explore(model, mnist, count=5)
    assert explorer.engine == "kernel" and "million" in explorer.scene["why"]
    assert lab.explore(model, mnist, count=5, engine="browser").engine == "browser"


def test_the_kernel_computes_what_torch_does(tiny: lab.ImageData) -> None:
    model = trained(tiny, 3)
    explorer = lab.explore(model, tiny, engine="kernel")
    codes = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    pixels, none = explorer.run(0, 0, "decode", codes.numpy())
    with torch.no_grad():
        assert pixels == scene.pixel_bytes(model.decode(codes)).tobytes() and none == b""
        images = tiny.test.images[:3]
        pixels, sent = explorer.run(0, 0, "reconstruct", images.numpy())
        assert pixels == scene.pixel_bytes(model.reconstruct(images)).tobytes()
        assert torch.equal(numbers(sent, 3), model.encode(images))


def test_the_kernel_answers_every_message_even_a_wrong_one(tiny: lab.ImageData) -> None:
    explorer = lab.explore(trained(tiny, 3), tiny, engine="kernel")
    sent: list[Any] = []
    explorer.send = lambda content, buffers=None: sent.append((content, buffers))
    request = {"kind": "run", "view": "v", "slot": "stage", "id": 7, "model": 0, "snapshot": 0, "what": "decode"}
    explorer._answer(explorer, request, [memoryview(np.zeros(3, "<f4").tobytes())])
    explorer._answer(explorer, request, [memoryview(np.zeros(4, "<f4").tobytes())])
    explorer._answer(explorer, {"kind": "ready"}, [])
    assert [content["id"] for content, _ in sent] == [7, 7]
    assert len(sent[0][1][0]) == 64 and "error" not in sent[0][0] and "error" in sent[1][0]


def test_the_explorer_decodes_from_a_copy(tiny: lab.ImageData) -> None:
    model = trained(tiny, 2)
    explorer = lab.explore(model, tiny, engine="kernel")
    before = explorer.run(0, 0, "decode", np.zeros((1, 2), "<f4"))
    lab.fit(model, tiny, steps=30, progress=False)
    assert explorer.run(0, 0, "decode", np.zeros((1, 2), "<f4")) == before


def test_training_leaves_snapshots_whose_last_is_the_model(tiny: lab.ImageData) -> None:
    model = lab.DenseAutoencoder(2, image_shape=tiny.shape, hidden=(16,))
    explorer = lab.explore(model, tiny)
    history = lab.fit(model, tiny, epochs=40, progress=False, callbacks=[explorer])
    steps = [moment["step"] for moment in explorer.snapshots[0]]
    assert steps == sorted(set(steps)) and steps[0] == 0 and steps[-1] == history.step[-1]
    assert 10 <= len(steps) <= 26
    codes = numbers(explorer.scene["models"][0]["snapshots"][-1]["codes"], 2)
    assert torch.equal(codes, lab.metrics.encode(model, tiny.test))
    assert explorer.training["running"] is False
    assert explorer.snapshots[0][-1]["mse"] < explorer.snapshots[0][0]["mse"]


def test_watching_a_training_changes_nothing_of_it(tiny: lab.ImageData) -> None:
    watched, alone = (lab.DenseAutoencoder(2, image_shape=tiny.shape, hidden=(16,)) for _ in range(2))
    explorer = lab.explore(watched, tiny)
    assert lab.fit(watched, tiny, epochs=5, progress=False, callbacks=[explorer]) == lab.fit(
        alone, tiny, epochs=5, progress=False
    )
    assert all(torch.equal(a, b) for a, b in zip(watched.parameters(), alone.parameters(), strict=True))


def test_stop_pause_and_step(tiny: lab.ImageData) -> None:
    model = lab.DenseAutoencoder(2, image_shape=tiny.shape, hidden=(16,))
    explorer = lab.explore(model, tiny)
    asked = iter(["pause", "step", "step", "stop"])
    states = []

    def after_every_epoch(model: Any, history: Any) -> None:
        # runs before the explorer's own turn, as a message from the page does on the kernel's other thread
        states.append((len(history.step), explorer.training.get("paused")))
        if len(history.step) >= 3:
            explorer._answer(explorer, {"kind": "training", "action": next(asked)}, [])
            if explorer.training["paused"]:
                explorer._steering._single += 1  # nobody is there to press the button while it waits

    history = lab.fit(model, tiny, epochs=50, progress=False, callbacks=[after_every_epoch, explorer])
    assert len(history.step) == 6 and not history.interrupted
    assert [paused for _, paused in states] == [None, False, False, True, True, True]
    assert explorer.training["running"] is False


def test_a_model_that_is_not_shown_cannot_be_watched(tiny: lab.ImageData) -> None:
    explorer = lab.explore(trained(tiny, 2), tiny)
    with pytest.raises(ValueError, match="shows DenseAutoencoder"):
        lab.fit(trained(tiny, 2), tiny, steps=5, progress=False, callbacks=[explorer])


def test_wrong_arguments_are_named(tiny: lab.ImageData, mnist: lab.ImageData) -> None:
    model = trained(tiny, 2)
    with pytest.raises(ValueError, match="engine must be one of"):
        lab.explore(model, tiny, engine="fast")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got 3"):
        lab.explore([model, model, model], tiny)
    with pytest.raises(ValueError, match=r"built for images \(1, 8, 8\), these are \(1, 28, 28\)"):
        lab.explore(model, mnist)


def test_a_split_will_do_and_the_test_images_are_left_alone_if_told_so(tiny: lab.ImageData) -> None:
    model = trained(tiny, 2)
    assert lab.explore(model, tiny.val).scene["labels"] == lab.explore(model, tiny, split="val").scene["labels"]


def test_files_of_others_are_not_overwritten(tiny: lab.ImageData, tmp_path: Path) -> None:
    explorer = lab.explore(trained(tiny, 2), tiny, count=20)
    (tmp_path / "mine.html").write_text("<p>my thesis</p>")
    for path, write in (("mine.html", explorer.to_html), ("mine.html", explorer.to_png)):
        with pytest.raises(FileExistsError, match=r"mine\.html exists"):
            write(tmp_path / path)
    assert (tmp_path / "mine.html").read_text() == "<p>my thesis</p>"
    for _ in range(2):  # its own earlier page is made anew
        assert explorer.to_html(tmp_path / "page.html").stat().st_size > 10_000


def test_the_stored_output_is_a_picture_with_words(tiny: lab.ImageData) -> None:
    model = trained(tiny, 2)
    explorer = lab.explore(model, tiny, count=30)
    data, metadata = explorer._repr_mimebundle_()
    assert data["text/plain"] == repr(explorer) == "Explorer(DenseAutoencoder(2); 30 images)"
    with torch.no_grad():
        mse = float((model.reconstruct(tiny.test.images[:30]) - tiny.test.images[:30]).square().mean())
    assert f"{mse:.4f}" in metadata["image/png"]["alt"]
    assert "application/vnd.jupyter.widget-view+json" in data and len(data["image/png"]) < 200_000


def test_no_callback_can_reach_pyplot() -> None:
    """matplotlib.pyplot keeps global state, and callbacks run on another thread than cells (JupyterLab ≥ 4.4)."""
    files = sorted(Path(scene.__file__).parent.glob("*.py"))
    assert len(files) >= 7
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [name.name for name in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            module = getattr(node, "module", "") or ""
            assert not any("pyplot" in name or "pylab" in name for name in [*names, module]), f"{file.name}: {names}"


def test_explorer_is_found_under_its_public_name() -> None:
    assert lab.explore.__module__ == "autoencoder_lab.explorer" and issubclass(Explorer, object)
