"""Everything once on a GPU: every model trained, resumed, evaluated and explored; speed against the batch size.

    python -m benchmarks gpu [--short] [--json FILE]

Each model is trained with several seeds on the GPU and on the processor beside it. Their figures may differ by what
chance does to two means over so many seeds; the spread is that of the seeds of this very run, on both devices together.
About five minutes on one H200 with 16 cores; no download, the digits are mnist-5k's. Where the results shall count as
the course's own, keep them: --json benchmarks/gpu.json. A test then names the texts that still say "not measured".

Without a GPU it says so; the long form takes ten steps of the slide's full-size CCAE (code 2,048, projector 8,192) on
the processor, about half a minute. The other measurements use a GPU too where there is one, as `fit` does.
"""

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

import autoencoder_lab as lab
from autoencoder_lab.explorer.explored import ExploredModel, refusal
from autoencoder_lab.training.evaluation import evaluate
from benchmarks.rivals import from_memory, train_by_hand
from benchmarks.table import CLAIM_C12, Row
from benchmarks.training_memory import peak_gb
from benchmarks.training_speed import seconds_of_fit

FULL_SIZE_BATCH = 256
MISTAKEN = 0.001  # how often a right GPU may be taken for a wrong one, a model
GREY_LEVELS = 2.0  # of 255: a GPU multiplies in TF32, with three digits


class Size(NamedTuple):
    """How much is done. batches: images a step, for the speed; full: steps and rounds of the full-size CCAE."""

    images: int
    steps: int
    seeds: int
    batches: tuple[int, ...]
    full: tuple[int, int]


LONG = Size(3500, 150, 5, (64, 256, 1024, 3500), (100, 3))
SHORT = Size(1000, 60, 4, (64, 1000), (30, 2))
REHEARSAL = Size(64, 3, 2, (32,), (1, 1))

MODELS: dict[str, Callable[[], Any]] = {  # what `fit` trains, and what is solved
    "LinearAutoencoder": lambda: lab.LinearAutoencoder(32),
    "DenseAutoencoder": lambda: lab.DenseAutoencoder(32),
    "ConvAutoencoder": lambda: lab.ConvAutoencoder(32),
    "ResidualAutoencoder": lambda: lab.ResidualAutoencoder(32),
    "VAE": lambda: lab.VAE(8),
    "MixturePriorVAE": lambda: lab.MixturePriorVAE(8),
    "GAN": lambda: lab.GAN(64),
    "GAN, conditional": lambda: lab.GAN(64, classes=10),
    "VICReg": lambda: lab.VICReg(32),
    "CCAE": lambda: lab.CCAE(32),
    "PCA": lambda: lab.PCA(32),
}


def measure(short: bool = False, device: str | None = None) -> Iterator[Row]:
    """device: "cpu" rehearses the whole path on the processor, at a size that says nothing."""
    if device is None and not torch.cuda.is_available():
        print(
            "     no GPU here: on one, this trains, resumes, evaluates and explores every model of the course, and "
            "sets its figures and its speed beside the processor's"
        )
        yield Row(CLAIM_C12, math.nan, "×", beside="not measured")
        if not short:
            yield ten_steps(lab.load("fashion-mnist"), lab.CCAE(2048, projector=(8192,)))
        return
    size = REHEARSAL if device == "cpu" else SHORT if short else LONG
    yield from on_device(device or "cuda", size, MODELS)


def on_device(device: str, size: Size, models: Mapping[str, Callable[[], Any]]) -> Iterator[Row]:
    """All rows of one device."""
    data = lab.load("mnist-5k", size.images)
    data = replace(data, val=data.val[:60], test=data.test[:500])
    for name, make in models.items():
        yield from one_model(name, make, data, device, size)
    yield from batch_sizes(data, device, size)
    steps, rounds = size.full
    code, projector = (8, 16) if size == REHEARSAL else (2048, 8192)
    large = replace(data, train=repeated(data.train, 8), val=data.val[:10])
    yield from full_size(large, lab.CCAE(code, projector=(projector,)), steps, rounds, device)


# --- one model -----------------------------------------------------------------------------------------------------


def one_model(name: str, make: Callable[[], Any], data: Any, device: str, size: Size) -> Iterator[Row]:
    """Trained on both devices with every seed, resumed on this one, explored; each as a row."""
    figures: dict[str, list[float]] = {"here": [], "processor": []}
    seconds = {"here": 0.0, "processor": 0.0}
    for seed in range(size.seeds):
        for where, on in {"processor": "cpu", "here": device}.items():
            model, took = trained(make(), data, size.steps, seed, on)
            seconds[where] += took
            figures[where].append(figure(model, data, on))
    spread = math.sqrt(statistics.mean(statistics.variance(values) for values in figures.values()))
    spread = max(spread, 1e-3 * abs(statistics.mean(figures["processor"])), 1e-12)  # PCA knows no seed, but rounds
    mean = {where: statistics.mean(values) for where, values in figures.items()}
    limit, kind = by_chance(size.seeds), kind_of_figure(make())
    text = f"{kind} {mean['here']:.5g} and {mean['processor']:.5g}, spread {spread:.2g} over {size.seeds} seeds each"
    yield _apart(
        f"{name}: here beside the processor, in spreads", mean["here"] - mean["processor"], spread, limit, text
    )
    if not make().solved:
        last = size.seeds - 1
        again = figure(resumed(make(), data, size.steps, last, device), data, device)
        text = f"{kind} {again:.5g} after a stop, {figures['here'][last]:.5g} without"
        # one training beside one: the difference of two single draws
        wide = limit * math.sqrt(size.seeds)
        yield _apart(
            f"{name}: resumed beside undisturbed, in spreads", again - figures["here"][last], spread, wide, text
        )
        yield Row(f"{name}: training time, processor / here", seconds["processor"] / max(seconds["here"], 1e-9))
    if refusal(name, model, data.test):
        return
    levels, text = explored(name, model, data, device)
    yield Row(f"{name}: the explorer's pictures beside those here", levels, "/255", GREY_LEVELS, False, text, True)


def _apart(name: str, difference: float, spread: float, limit: float, text: str) -> Row:
    return Row(name, abs(difference) / spread, "", limit, False, text, True)


def by_chance(seeds: int) -> float:
    """How many spreads two means over so many seeds lie apart at most, but for one time in 1 / MISTAKEN."""
    from scipy.stats import t

    return float(t.ppf(1 - MISTAKEN / 2, 2 * (seeds - 1)) * math.sqrt(2 / seeds))


def trained(model: Any, data: Any, steps: int, seed: int, device: str) -> tuple[Any, float]:
    """The model, trained or solved, and the seconds that took."""
    started = time.perf_counter()
    if model.solved:
        model.to(device).fit(_there(data.train, device))
    else:
        lab.fit(model, data, steps=steps, seed=seed, device=device, progress=False)
    return model, time.perf_counter() - started


def resumed(model: Any, data: Any, steps: int, seed: int, device: str) -> Any:
    """The model after a training that stopped at its first epoch and went on from the checkpoint."""
    settings: dict[str, Any] = {"steps": steps, "seed": seed, "device": device, "progress": False}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "run.pt"
        lab.fit(model, data, checkpoint=checkpoint, callbacks=[lambda *_: True], **settings)
        again = model.__class__(**model.arguments)
        lab.fit(again, data, checkpoint=checkpoint, **settings)
    assert int(again.trained_steps) == steps
    return again


def kind_of_figure(model: Any) -> str:
    """What is compared of it."""
    return "mse" if model.reconstructs else "FCD" if model.samples else "loss"


def figure(model: Any, data: Any, device: str) -> float:
    """One figure on test images, worked out on the device: squared error, Fréchet distance of samples, or the loss."""
    model.to(device).eval()
    if model.reconstructs:
        with torch.no_grad():
            x = data.test.images.to(device)
            return float((model.reconstruct(x) - x).square().mean())
    if not model.samples:
        return evaluate(model, data.test)["total"]
    count = len(data.test)
    condition = {"condition": data.test.labels.to(device)} if model.conditional else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = model.sample(count, **condition).cpu()
    return lab.metrics.fcd(data.test.images, drawn, resamples=2).value


def explored(name: str, model: Any, data: Any, device: str) -> tuple[float, str]:
    """Grey levels between what the explorer makes of a model that lies on the device and what is made there."""
    model.to(device).eval()
    shown = ExploredModel(name, model, data.test.images[:50])
    assert not shown.problem, shown.problem
    with torch.no_grad():
        if shown.reconstructs:
            ours, theirs = shown.reconstruct(shown.images), model.reconstruct(shown.images.to(device))
        else:
            codes = torch.randn(50, model.latent, generator=torch.Generator().manual_seed(0))
            ours, theirs = shown.decode(codes), model.decode(codes.to(device))
    return float((ours - theirs.cpu()).abs().max()) * 255, "reconstructed" if shown.reconstructs else "decoded"


# --- speed ---------------------------------------------------------------------------------------------------------


def batch_sizes(data: Any, device: str, size: Size) -> Iterator[Row]:
    """Images a second for each batch size, beside the processor's; the largest is what C12 is about."""
    data = replace(data, val=data.val[:10])
    ratio, text = math.nan, ""
    for name in ("DenseAutoencoder", "ConvAutoencoder"):
        for batch in size.batches:
            rate = {
                on: batch * 20 / _seconds(MODELS[name](), data, 20, batch, on) for on in dict.fromkeys([device, "cpu"])
            }
            beside = f"{rate['cpu']:,.0f} on the processor"
            yield Row(f"{name}, {batch} images a step: images a second here", rate[device], "", beside=beside)
            if name == "DenseAutoencoder":
                ratio = rate[device] / rate["cpu"]
                text = f"{rate[device]:,.0f} and {beside}, images/s, {batch} a step"
    yield Row(CLAIM_C12, ratio, "×", beside=f"{'measured' if device != 'cpu' else 'rehearsed'}: {text}")


def _seconds(model: Any, data: Any, steps: int, batch: int, device: str) -> float:
    """The second of two runs: the first one finds out which kernels are fast."""
    for _ in range(2):
        history = lab.fit(model, data, steps=steps, batch_size=batch, device=device, progress=False)
    return history.seconds[-1]


def repeated(split: Any, times: int) -> Any:
    """A split with every image so often: long epochs without a download."""
    return lab.Split(split.images.repeat(times, 1, 1, 1), split.labels.repeat(times), split.classes)


def _there(split: Any, device: str) -> Any:
    return replace(split, images=split.images.to(device), labels=split.labels.to(device))


def ten_steps(data: Any, model: lab.CCAE) -> Row:
    """Seconds, the loss, and the memory that this process has taken at most."""
    history = lab.fit(model, replace(data, val=data.val[:128]), steps=10, batch_size=128, progress=False)
    loss = history.train["total"][-1]
    peak = "" if sys.platform == "win32" else f", at most {peak_gb():.1f} GB"
    text = f"loss {loss:.1f}, {'finite' if math.isfinite(loss) else 'NOT finite'}{peak}"
    return Row("full-size CCAE, ten steps on the processor", history.seconds[-1], "s", None, False, text)


def full_size(data: Any, model: lab.CCAE, steps: int, rounds: int, device: str) -> list[Row]:
    """fit beside a bare loop, `steps` steps each, and the device's busy share of a profiled run."""
    batch = min(FULL_SIZE_BATCH, len(data.train))
    took: dict[str, list[float]] = {"fit": [], "bare": []}
    there = data.train.images.to(device)
    for turn in range(rounds + 1):
        seconds = {
            "fit": seconds_of_fit(model, data, steps, batch, initialise=True, device=device),
            "bare": train_by_hand(model, from_memory(there, steps, batch)),
        }
        for way, value in seconds.items() if turn else ():
            took[way].append(value)
    rate = {way: steps * batch / statistics.median(seconds) for way, seconds in took.items()}
    text = f"{rate['fit']:,.0f} and {rate['bare']:,.0f} images/s"
    watched = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device != "cpu" else [])]
    with profile(activities=watched) as profiled:
        profiled_seconds = seconds_of_fit(model, data, min(steps, 50), batch, initialise=False, device=device)
    # kernels alone: an operator's own entry counts those it starts once more, and copies run before the clock does
    busy = sum(
        event.self_device_time_total
        for event in profiled.events() or ()
        if event.device_type == DeviceType.CUDA
        and not event.is_user_annotation
        and not event.name.startswith(("Memcpy", "Memset"))
    )
    name, limit = "full-size CCAE", None if device == "cpu" else 0.97
    return [
        Row(f"fit / bare loop, {name}", rate["fit"] / rate["bare"], limit=limit, beside=text),
        Row(f"share of time in kernels, {name}", busy / 1e6 / profiled_seconds, "", None, True, "under the profiler"),
    ]
