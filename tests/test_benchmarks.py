"""What the benchmarks make of their measurements; the measurements themselves are no tests."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import autoencoder_lab as lab
from benchmarks import course, gpu, growth, rivals, table
from benchmarks.__main__ import main
from benchmarks.table import Row
from benchmarks.time_to_loss import StridedAutoencoder, dense_vae

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (Row("a", 0.97, limit=0.97), True),
        (Row("a", 0.969, limit=0.97), False),
        (Row("a", 2.0, limit=2.0, more_is_better=False), True),
        (Row("a", 2.01, limit=2.0, more_is_better=False), False),
        (Row("a", float("nan"), limit=2.0), False),
        (Row("a", -5.0), True),
    ],
)
def test_a_limit_is_kept_from_its_own_side(row: Row, holds: bool) -> None:
    assert row.holds is holds and str(row).startswith("ok" if holds else "FAIL")


def kept(folder: Path, name: str, *rows: Row) -> Path:
    table.keep(rows, folder / name)
    return folder / name


def test_two_files_are_compared_by_what_is_better(tmp_path: Path) -> None:
    old = kept(tmp_path, "old.json", Row("speed", 1.0), Row("seconds", 1.0, "s", None, False), Row("gone", 1.0))
    new = kept(tmp_path, "new.json", Row("speed", 1.3), Row("seconds", 1.3, "s", None, False), Row("born", 1.0))
    words = {line.split()[1]: line.split()[0] for line in table.compare(old, new)}
    assert words == {"speed": "better", "seconds": "worse", "gone": "gone", "born": "new"}
    assert {line.split()[0] for line in table.compare(old, old)} == {"same"}


def test_a_limit_passed_or_reached_counts_however_small_the_change(tmp_path: Path) -> None:
    good, missed = (kept(tmp_path, f"{v}.json", Row("fit", v, limit=0.97)) for v in (1.0, 0.94))
    assert table.compare(good, missed)[0].startswith("worse") and table.compare(missed, good)[0].startswith("better")
    never = kept(tmp_path, "never.json", Row("fit", 0.0, limit=0.97))  # a loss that was not reached: 0 times faster
    assert table.compare(never, good)[0].startswith("better")


@pytest.mark.parametrize(("then", "now", "word"), [(0.02, 0.12, "same"), (-0.01, 0.9, "worse"), (0.9, -0.01, "better")])
def test_a_difference_changes_by_a_share_of_its_limit(tmp_path: Path, then: float, now: float, word: str) -> None:
    """Of its own value, from −0.01 to 0.9 would be −9,100 %: a lower figure, and so a better one."""
    old, new = (
        kept(tmp_path, f"{value}.json", Row("beyond", value, "s", 1.0, False, difference=True)) for value in (then, now)
    )
    assert table.compare(old, new)[0].startswith(word)


def test_compare_says_where_the_machines_differ(tmp_path: Path) -> None:
    old, new = kept(tmp_path, "old.json", Row("a", 1.0)), kept(tmp_path, "new.json", Row("a", 1.0))
    content = json.loads(old.read_text(encoding="utf-8"))
    old.write_text(json.dumps(content | {"machine": content["machine"] | {"threads": 99}}), encoding="utf-8")
    assert table.compare(old, new)[0] == f"note: threads was 99, is {torch.get_num_threads()}"


def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    for text in ("{}", "no json", '{"machine": {}, "rows": [{"name": 1}]}'):
        (tmp_path / "x.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"x\.json holds no benchmark figures"):
            table.kept(tmp_path / "x.json")


@pytest.mark.slow
def test_the_commands_exit_as_they_say(tmp_path: Path) -> None:
    better = kept(tmp_path, "a.json", Row("speed", 2.0))
    worse = kept(tmp_path, "b.json", Row("speed", 1.0))

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "benchmarks", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)

    assert run("compare", str(worse), str(better)).returncode == 0
    assert run("compare", str(better), str(worse)).returncode == 1
    assert run("compare", str(better)).returncode == 2
    missing = run("compare", str(better), str(tmp_path / "no.json"))
    assert missing.returncode == 2 and "no.json" in missing.stderr and "Traceback" not in missing.stderr
    unknown = run("nothing_like_it")
    assert unknown.returncode == 2 and "training_speed" in unknown.stderr and "rivals" not in unknown.stderr


def test_exponents_of_a_power_law_and_of_a_cliff() -> None:
    sizes = [1.0, 10.0, 100.0, 1000.0]
    fitted, steepest = growth.exponents(sizes, [s**0.7 for s in sizes])
    assert fitted == pytest.approx(0.7) and steepest == pytest.approx(0.7)
    fitted, steepest = growth.exponents(sizes, [1.0, 1.0, 100.0, 100.0])
    assert steepest == pytest.approx(2.0)


def test_the_linked_notebook_s_architecture_has_its_parameters_and_its_code() -> None:
    """By hand: 9·1·32 + 32, 9·32·32 + 32 three times, 9·32 + 1; code 32·7·7."""
    model = rivals.LinkedAutoencoder()
    assert sum(p.numel() for p in model.parameters()) == 320 + 3 * 9248 + 289
    x = torch.rand(2, 1, 28, 28)
    assert model.encode(x).shape == (2, 1568) and model.reconstruct(x).shape == x.shape


def test_the_example_s_loss_is_the_negative_elbo_of_a_vae_with_its_weights() -> None:
    """Ours with the example's weights and the same draws of z."""
    torch.manual_seed(0)
    example, x = rivals.ExampleVAE(), torch.rand(6, 1, 28, 28)
    vae = lab.VAE(20, binarise=False)
    both = nn.Linear(400, 40)
    both.weight.data = torch.cat([example.fc21.weight, example.fc22.weight]).detach()
    both.bias.data = torch.cat([example.fc21.bias, example.fc22.bias]).detach()
    vae.encoder = nn.Sequential(nn.Flatten(), example.fc1, nn.ReLU(), both)
    vae.decoder = nn.Sequential(example.fc3, nn.ReLU(), example.fc4, nn.Unflatten(1, (1, 28, 28)))
    torch.manual_seed(1)
    theirs = example.loss(x).item() / len(x)
    torch.manual_seed(1)
    assert vae.loss(x).total.item() == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize(("channels", "code"), [(8, 392), (32, 1568)])
def test_our_runners_keep_to_the_code_they_are_allowed(channels: int, code: int) -> None:
    model = StridedAutoencoder(channels)
    x = torch.rand(2, 1, 28, 28)
    assert model.encode(x).shape == (2, code) and model.reconstruct(x).shape == x.shape


def test_the_dense_vae_starts_at_the_mean_image() -> None:
    images = torch.rand(50, 1, 28, 28)
    vae = dense_vae(images)
    drawn = torch.sigmoid(vae.decoder(torch.zeros(1, 20)))
    weights = vae.decoder[4].weight.norm()
    assert vae.latent == 20 and vae.posterior(images)[0].shape == (50, 20) and weights > 0
    assert (drawn[0, 0] - images.mean(dim=0)[0]).abs().mean() < 0.1


def test_batches_from_memory_show_every_image_once_an_epoch() -> None:
    images = torch.arange(10.0)[:, None]
    batches = list(rivals.from_memory(images, 4, 5))
    assert [len(batch) for batch in batches] == [5, 5, 5, 5]
    for epoch in (batches[:2], batches[2:]):
        assert torch.cat(epoch).flatten().sort().values.tolist() == list(range(10))


@pytest.mark.slow
def test_by_hand_and_by_fit_the_same_model_learns_as_much() -> None:
    """The bare loop is a fair rival: at one budget its loss is within the seeds' spread of fit's."""
    data = lab.load("digits")
    by_fit, by_hand = [], []
    for seed in range(3):
        model = lab.DenseAutoencoder(8, data.shape)
        lab.fit(model, data, steps=300, batch_size=64, seed=seed, progress=False)
        by_fit.append(lab.metrics.mse(model, data.test).value)
        torch.manual_seed(seed)
        model = lab.DenseAutoencoder(8, data.shape)
        rivals.train_by_hand(model, rivals.from_memory(data.train.images, 300, 64))
        by_hand.append(lab.metrics.mse(model.eval(), data.test).value)
    assert sum(by_hand) == pytest.approx(sum(by_fit), rel=0.25)  # fit's schedule gains some 10 %


def test_the_two_halves_of_the_course_have_a_limit_each() -> None:
    rows = course.together({"00": 100.0, "04b": 450.0, "07": 599.0, "14": 2.0})
    assert [(row.value, row.limit, row.holds) for row in rows] == [(550.0, 600, True), (601.0, 600, False)]
    assert [row.name for row in course.together({"06": 1.0})] == ["notebooks 00 to 06 together"]


# --- a GPU ---------------------------------------------------------------------------------------------------------


def test_without_a_gpu_it_says_so_and_what_it_would_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "gpu", "--short"])
    assert main() == 0
    said = capsys.readouterr().out
    assert "no GPU here: on one, this trains, resumes, evaluates and explores every model" in said
    assert table.CLAIM_C12 in said and "not measured" in said


def rehearse(names: list[str]) -> list[Row]:
    return list(gpu.on_device("cpu", gpu.REHEARSAL, {name: gpu.MODELS[name] for name in names}))


def test_its_whole_path_runs_on_the_processor() -> None:
    """At a size that says nothing: the same seeds give the same figures, the explorer the same pictures."""
    rows = {row.name: row for row in rehearse(["DenseAutoencoder"])}
    assert all(row.holds for row in rows.values()), rows
    for what in ("here beside the processor, in spreads", "resumed beside undisturbed, in spreads"):
        assert rows[f"DenseAutoencoder: {what}"].value == 0
    assert rows["DenseAutoencoder: the explorer's pictures beside those here"].value < 0.1
    assert rows[table.CLAIM_C12].value > 0 and rows[table.CLAIM_C12].beside.startswith("rehearsed")
    assert rows["share of time in kernels, full-size CCAE"].value == 0


@pytest.mark.slow
def test_every_model_is_rehearsed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As it is typed, and kept as a file."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", "gpu", "--device", "cpu", "--json", str(tmp_path / "gpu.json")])
    assert main() == 0
    names = set(table.kept(tmp_path / "gpu.json")[1])
    assert {f"{name}: here beside the processor, in spreads" for name in gpu.MODELS} <= names
    monkeypatch.setattr(sys, "argv", ["benchmarks", "growth", "--device", "cpu"])
    with pytest.raises(SystemExit, match="2"):
        main()


def test_a_gpu_is_shown_every_model_of_the_course() -> None:
    """But the game in the plane, which plays on its own, and densities over the codes of another model."""
    public = {name: getattr(lab, name) for name in lab.__all__}
    kinds = {name for name, kind in public.items() if isinstance(kind, type) and issubclass(kind, lab.Model)}
    abstract = {"Model", "LatentModel", "Autoencoder"}
    assert {type(make()).__name__ for make in gpu.MODELS.values()} == kinds - abstract - {"LatentMixture", "OnCodes"}


def test_a_figure_beside_the_spread_fails_where_it_should() -> None:
    """With five seeds a mean may lie 3.2 spreads away, by Student's distribution."""
    assert gpu.by_chance(5) == pytest.approx(5.041 * (2 / 5) ** 0.5, abs=1e-3)
    near, far = (gpu._apart("a", gap, 0.1, gpu.by_chance(5), "") for gap in (0.31, -0.33))
    assert near.holds and not far.holds


TELLING = {"README.md": "on a GPU", "docs/performance.md": "On a GPU", "docs/claims.md": "As for GPUs"}


def untrue(folder: Path, stored: bool) -> list[str]:
    """The texts that say "not measured" of a GPU although a run on one is stored, or do not although none is."""
    says = {
        name: bool(re.search(f"{begin}: not measured", (folder / name).read_text(encoding="utf-8")))
        for name, begin in TELLING.items()
    }
    return [name for name, not_measured in says.items() if not_measured == stored]


def test_the_texts_say_not_measured_until_a_gpu_was(tmp_path: Path) -> None:
    assert untrue(ROOT, bool(table.measured_on_gpu())) == []
    assert untrue(ROOT, not table.measured_on_gpu()) == list(TELLING), "and the other way round it would be seen"


def test_what_claim_c12_says_of_gpus_comes_from_the_stored_run(tmp_path: Path) -> None:
    file = tmp_path / "gpu.json"
    assert table.measured_on_gpu(file) == ""
    table.keep([Row(table.CLAIM_C12, 12.3456)], file)
    with pytest.raises(ValueError, match="is of no run on a GPU"):  # a rehearsal, or a machine without one
        table.measured_on_gpu(file)
    content = json.loads(file.read_text(encoding="utf-8"))
    content["machine"]["gpu"] = "NVIDIA H200"
    file.write_text(json.dumps(content), encoding="utf-8")
    assert table.measured_on_gpu(file) == (
        "on one (NVIDIA H200) a dense autoencoder trained 12.3 times as fast as on the processor beside it"
    )


def test_ten_steps_of_a_ccae_are_counted_and_finite(tiny28: lab.ImageData) -> None:
    row = gpu.ten_steps(tiny28, model := lab.CCAE(4, projector=(8,)))
    assert row.value > 0 and ", finite" in row.beside and model.trained_steps == 10
