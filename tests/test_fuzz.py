"""What people pass, by chance: load_folder, open, check and fit give what they promise, or an error that they document.

Which errors those are is read off the docstrings, after "Raises". Such an error is also raised by a line of ours: one
of Python's, torch's or Pillow's own would have the right type at times, but never the right words.
"""

import builtins
import inspect
import json
import math
import os
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import autoencoder_lab as lab
from autoencoder_lab.commands import check_lab
from autoencoder_lab.commands.check_lab import SIGNS, PartState, look
from autoencoder_lab.commands.student_copy import MANIFEST, lay_out, without_outputs

PACKAGE = Path(lab.__file__).parent
Error = type[Exception]


def examples(count: int) -> Any:
    """Always the same in the short tests and in the continuous integration; by hand the long ones find new cases."""
    repeatable = count <= 100 or "CI" in os.environ
    silent = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    return settings(
        max_examples=count, derandomize=repeatable, database=None, deadline=None, suppress_health_check=silent
    )


def documented(function: Callable[..., Any]) -> tuple[Error, ...]:
    """The errors that a docstring names after "Raises"."""
    raises = (inspect.getdoc(function) or "").partition("Raises ")[2]
    names = sorted(set(re.findall(r"\b[A-Z]\w*(?:Error|Diverged)\b", raises)))
    assert names, f"{function.__name__} does not say what it raises"
    module = sys.modules[function.__module__]
    return tuple(getattr(builtins, name, None) or getattr(module, name) for name in names)


def outcome(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What function returns, or the documented error that a line of ours raised."""
    try:
        return function(*given, **named)
    except documented(function) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        ours = PACKAGE in Path(last.filename).parents and (last.line or "").startswith("raise")
        assert ours, f"{type(error).__name__} of {last.filename}:{last.lineno} and not of ours: {error}"
        assert len(str(error)) > 20, f"says too little: {error!r}"
        return error


@contextmanager
def empty_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name).resolve()


def test_errors_are_read_off_the_docstrings() -> None:
    def careful() -> None:
        """Text. Raises ValueError for one thing, NotADirectoryError for another."""

    assert documented(careful) == (NotADirectoryError, ValueError)
    for function, one in ((lab.fit, lab.TrainingDiverged), (lab.load_folder, ValueError), (look, ValueError)):
        assert one in documented(function)

    def careless(number: Any) -> None:
        """Raises ValueError."""
        int(number)

    with pytest.raises(AssertionError, match="not of ours: invalid literal"):
        outcome(careless, "a")


# --- load_folder -----------------------------------------------------------------------------------------------------

MODES = ("RGB", "L", "1", "P", "LA", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr", "HSV")
FORMATS = {"PNG": ".png", "JPEG": ".jpg", "BMP": ".BMP", "GIF": ".gif", "TIFF": ".tif", "WEBP": ".webp", "PPM": ".ppm"}
FOLDERS = ("", "cats", "dogs", "cats/more", ".git", ".ipynb_checkpoints", "@eaDir", "__MACOSX", "über ☃", "a b [1]")
ENDINGS = (".png", ".PNG", ".jpeg", ".txt", ".tiff", ".ico", ".pdf", "")


@st.composite
def pictures(draw: Any) -> bytes:
    """A file that Pillow wrote, in any format it can write that mode in; whole, cut off, or with a byte changed."""
    kind, mode = draw(st.sampled_from(sorted(FORMATS))), draw(st.sampled_from(MODES))
    width, height = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    width *= draw(st.sampled_from((1, 1, 40)))
    high = 2**16 if mode in ("I;16", "I", "F") else 256
    values = np.random.default_rng(draw(st.integers(0, 9))).integers(0, high, (height, width, 4))
    array = values[..., 0].astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}.get(mode, np.uint8))
    plain = Image.fromarray(values[..., :3].astype(np.uint8))
    image = Image.fromarray(array) if mode in ("I;16", "I", "F") else plain.convert(mode)
    file = BytesIO()
    try:
        image.save(file, kind)
    except (OSError, KeyError, ValueError):  # JPEG has no transparency, …
        plain.save(file := BytesIO(), kind)
    content = bytearray(file.getvalue())
    harm = draw(st.sampled_from(("none", "none", "none", "cut", "changed")))
    if harm == "cut":
        return bytes(content[: draw(st.integers(0, len(content)))])
    if harm == "changed":
        content[draw(st.integers(0, len(content) - 1))] ^= draw(st.integers(1, 255))
    return bytes(content)


ENTRIES = st.tuples(
    st.sampled_from(FOLDERS),
    st.sampled_from(("1", "2", "3", ".hidden", "Thumbs", "ä")),
    st.sampled_from(ENDINGS),
    st.one_of(pictures(), pictures(), pictures(), st.sampled_from((b"", b"text", "folder", "link", "loop", "pipe"))),
)
WHOLE_NUMBERS = st.one_of(
    st.integers(-2, 12),
    st.sampled_from(
        (np.int64(9), np.float32(8), 8.0, 8.5, True, "8", None, math.nan, math.inf, 2**70, -(2**70), [8], 8j)
    ),
)


def put(folder: Path, entries: list[Any]) -> None:
    for place, name, ending, content in entries:
        path = folder / place / (name + ending)
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            continue
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content == "folder":
            path.mkdir()
        elif content == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(folder if content == "loop" else folder / "nowhere")


def load_any_folder(entries: list[Any], size: Any, grey: Any) -> None:
    with empty_folder() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        put(folder, entries)
        found = outcome(lab.load_folder, folder, size, grey=grey)
        if isinstance(found, Exception):
            assert str(folder) in str(found) or "size" in str(found) or "grey" in str(found)
            return
        assert found.shape[1:] == (size, size) and found.shape[0] in ((1,) if grey else (3,))
        every = torch.cat([split.images for split in (found.train, found.val, found.test)]).flatten(1)
        assert len(every.unique(dim=0)) == len(every)  # no picture is in two splits
        assert every.min() >= 0 and every.max() <= 1
        assert not {".git", ".ipynb_checkpoints", "@eaDir", "__MACOSX"} & {*found.train.classes}


SIZES = st.one_of(st.just(8), st.just(8), WHOLE_NUMBERS.filter(lambda size: size != 2**70))  # a picture of that size …
GREYS = st.sampled_from((False, True))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are made as on Unix")
@given(st.lists(ENTRIES, max_size=12), SIZES, GREYS)
@examples(40)
def test_any_folder_loads_or_is_told_why_not(entries: list[Any], size: Any, grey: Any) -> None:
    load_any_folder(entries, size, grey)


@pytest.mark.long
@given(st.lists(ENTRIES, max_size=20), SIZES, GREYS)
@examples(3000)
def test_long_fuzz_of_load_folder(entries: list[Any], size: Any, grey: Any) -> None:
    load_any_folder(entries, size, grey)


PATHS = ("", ".", "nothing", "file", "file/below", "\0", "x" * 300, "loop", "loop/below", b"bytes", None, 3, 1.5, [])


@contextmanager
def odd_places(path: Any) -> Iterator[Any]:
    """One of PATHS, in a folder that has a file, a loop and nothing else."""
    with empty_folder() as folder:
        (folder / "file").write_text("text", encoding="utf-8")
        (folder / "loop").symlink_to(folder / "loop")
        yield folder / path if isinstance(path, str) and path else path


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path)[:12])
def test_a_path_that_is_no_folder_of_pictures_is_told(path: Any) -> None:
    with odd_places(path) as place:
        if place != "":  # the folder one is in
            assert isinstance(outcome(lab.load_folder, place), Exception)


# --- open ------------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)
NAMES = ("00_a.ipynb", "01_b.ipynb", "01_b.new.ipynb", "notes.txt")
CELL = {
    "cell_type": "code",
    "source": "1",
    "outputs": [{"output_type": "stream"}],
    "execution_count": 3,
    "metadata": {},
}
NOTEBOOKS = st.one_of(
    st.sampled_from((b"", b"{}", b'{"cells": 3}', b"[" * 9000, b"\xff\xfe", b'{"cells": [], "a": "\\ud800"}')),
    st.just(json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4}).encode()),
    st.dictionaries(st.sampled_from(("cells", "metadata", "nbformat")), JSON).map(
        lambda made: json.dumps(made).encode()
    ),
    JSON.map(lambda cell: json.dumps({"cells": [{"cell_type": "code", "metadata": cell}]}).encode()),
    JSON.map(lambda metadata: json.dumps({"cells": [CELL], "metadata": metadata}).encode()),
)
LAID = st.dictionaries(st.sampled_from(NAMES), st.one_of(NOTEBOOKS, st.sampled_from(("folder", "link", "pipe"))))
MANIFESTS = st.one_of(
    st.none(),
    st.sampled_from(
        (b"", b"{", b"[" * 9000, b"\xff", b'{"00_a.ipynb": {"laid": 5, "beside": ["x"]}}', "folder", "pipe")
    ),
    st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=3)), JSON).map(
        lambda it: json.dumps(it).encode()
    ),
)


def standing(folder: Path) -> dict[str, Any]:
    """What is in a folder, by name: a file's bytes, or what else it is."""
    found = {}
    for path in folder.iterdir():
        kind = "link" if path.is_symlink() else "folder" if path.is_dir() else "" if path.is_file() else "pipe"
        found[path.name] = kind or path.read_bytes()
    return found


def open_any_folder(course: dict[str, bytes], own: dict[str, Any], manifest: Any) -> None:
    with empty_folder() as place:
        source, folder = place / "source", place / "mine"
        source.mkdir()
        put(source, [("", name, "", content) for name, content in course.items()])
        put(folder, [("", name, "", content) for name, content in own.items()])
        if manifest is not None:
            put(folder, [("", MANIFEST, "", manifest)])
        folder.mkdir(exist_ok=True)
        before = standing(folder)
        first = outcome(lay_out, folder, source)
        after = standing(folder)
        # nothing of the student's is gone or another: a made-up manifest knows no hash that allows it
        assert {name: after.get(name) for name in own} == {name: before[name] for name in own}
        if isinstance(first, Exception):
            assert str(folder) in str(first)
            return
        assert all(name in after for name in course if name.endswith(".ipynb"))
        assert all(after[name] == without_outputs(course[name]) for name in course.keys() - own.keys() if name in after)
        assert lay_out(folder, source) == [] and standing(folder) == after  # nothing new, nothing said


COURSES = st.dictionaries(st.sampled_from(NAMES[:2]), NOTEBOOKS)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are made as on Unix")
@given(COURSES, LAID, MANIFESTS)
@examples(50)
def test_open_keeps_whatever_stands_in_the_folder(course: Any, own: Any, manifest: Any) -> None:
    open_any_folder(course, own, manifest)


@pytest.mark.long
@given(COURSES, LAID, MANIFESTS)
@examples(4000)
def test_long_fuzz_of_open(course: Any, own: Any, manifest: Any) -> None:
    open_any_folder(course, own, manifest)


@pytest.mark.parametrize("path", [path for path in PATHS if isinstance(path, str)], ids=lambda path: repr(path)[:12])
def test_open_says_where_it_cannot_lay_the_course(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "source").mkdir()
    with odd_places(path) as place:
        found = outcome(lay_out, Path(place), tmp_path / "source")
        assert found == [] if path in ("", ".", "nothing") else isinstance(found, Exception)


# --- check -----------------------------------------------------------------------------------------------------------

SOURCES = st.one_of(
    st.text(max_size=12),
    st.sampled_from((
        "lab.checks.lab1.best_error.check(best_error)", "def best_error(images, k):\n    raise NotImplementedError",
        "*Your answer here.*", "## 1 · The best error (4 points)", "## (" + "9" * 400 + " points)", "a, b = 1, 2",
        "lab.checks.lab1.best_code(", "\ud800", "\0", 'STUDENT = "your-id"', "raise NotImplementedError(", "",
    )),
)  # fmt: skip
IDS = st.one_of(
    st.sampled_from(("best_error", "test_best_error", "best_code", "test_words", "words", "reading", "\ud800", "")),
    JSON,
)
MARKS = st.fixed_dictionaries(
    {},
    optional={
        "grade_id": IDS,
        "points": st.one_of(st.sampled_from((1, 4, 2.5)), JSON),
        "grade": st.one_of(st.booleans(), JSON),
        "solution": st.one_of(st.booleans(), JSON),
        "cell_type": st.one_of(st.sampled_from(("code", "markdown", "raw")), JSON),
    },
)
CELLS = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(("code", "code", "markdown", "raw")), "source": SOURCES},
    optional={"metadata": st.one_of(JSON, MARKS.map(lambda marks: {"nbgrader": marks})), "outputs": JSON},
)
LABS = st.one_of(
    st.lists(CELLS, min_size=1, max_size=6).map(lambda cells: {"cells": cells, "metadata": {}, "nbformat": 4}),
    st.fixed_dictionaries({}, optional={"cells": st.one_of(JSON, st.lists(JSON)), "nbformat": JSON, "metadata": JSON}),
    JSON,
)
WRITTEN = st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "cut", "deep"))


def written(content: Any, how: str) -> bytes:
    text = json.dumps(content)
    if how == "deep":
        return b'{"cells": ' + b"[" * 20000
    return text[: len(text) // 2].encode() if how == "cut" else text.encode(how)


def without_a_kernel(draw: Any) -> Callable[..., Any]:
    """What running the cells would give, made up: nothing printed, a verdict, or an error, for each."""
    said = ("", "✓ right", "a: not done yet", "name 'x' is not defined")
    names = ("", "", "CheckFailed", "NameError", "NotImplementedError", "KeyError")

    def run(order: list[int], cells: Any, path: Path, timeout: int) -> check_lab._Ran:
        ran = check_lab._Ran()
        for index in order:
            text, error = draw(st.sampled_from(said)), draw(st.sampled_from(names))
            output = nbformat.v4.new_output("error", ename=error, evalue=text, traceback=[])
            printed = nbformat.v4.new_output("stream", text=text)
            (ran.again if index in ran.outputs else ran.outputs)[index] = [output if error else printed]
            ran.seconds[index] = draw(st.sampled_from((0.0, 100.0)))
        return ran

    return run


def check_any_lab(content: Any, how: str, draw: Any) -> None:
    with empty_folder() as folder, pytest.MonkeyPatch.context() as patch:
        path, made = folder / "lab.ipynb", written(content, how)
        path.write_bytes(made)
        patch.setattr(check_lab, "_run", without_a_kernel(draw))
        found = outcome(look, path)
        assert path.read_bytes() == made and [file.name for file in folder.iterdir()] == ["lab.ipynb"]
        if isinstance(found, Exception):
            assert str(path) in str(found)
            return
        states, beware = found
        assert states and all(isinstance(one, PartState) and one.state in SIGNS and one.name for one in states)
        assert all(0 <= one.points < 1e6 for one in states)
        check_lab.summary(states, beware).encode()  # can be printed


@given(LABS, WRITTEN, st.data())
@examples(60)
def test_check_reads_any_file(content: Any, how: str, data: st.DataObject) -> None:
    check_any_lab(content, how, data.draw)


@pytest.mark.long
@given(LABS, WRITTEN, st.data())
@examples(5000)
def test_long_fuzz_of_check(content: Any, how: str, data: st.DataObject) -> None:
    check_any_lab(content, how, data.draw)


@pytest.mark.parametrize("path", [path for path in PATHS if isinstance(path, str)], ids=lambda path: repr(path)[:12])
def test_check_of_what_is_no_file_is_told(path: str) -> None:
    with odd_places(path) as place:
        found = outcome(look, Path(place))
        assert isinstance(found, ValueError) and str(Path(place)) in str(found)


# --- fit -------------------------------------------------------------------------------------------------------------


def small_data() -> lab.ImageData:
    data = lab.load("digits", n=20)
    return lab.ImageData("small", data.train, data.val[:6], data.test[:6])


def dense() -> lab.DenseAutoencoder:
    return lab.DenseAutoencoder(2, (1, 8, 8), hidden=(4,))


def loader(data: lab.ImageData) -> Any:
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(data.train.images, data.train.labels))


MODELS: dict[str, Callable[[], Any]] = {
    "dense": dense,
    "linear": lambda: lab.LinearAutoencoder(2, (1, 8, 8)),
    "VAE": lambda: lab.VAE(2, (1, 8, 8)),
    "of other images": lambda: lab.DenseAutoencoder(2, (1, 9, 9), hidden=(4,)),
    "in double": lambda: dense().double(),
    "frozen": lambda: dense().requires_grad_(False),
    "DataParallel": lambda: nn.DataParallel(dense()),
    "PCA": lambda: lab.PCA(2, (1, 8, 8)),
    "a network": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 64)),
    "a class": lambda: lab.DenseAutoencoder,
    "None": lambda: None,
    "a name": lambda: "vae",
}
DATA: dict[str, Callable[[lab.ImageData], Any]] = {
    "data": lambda data: data,
    "a split": lambda data: data.train,
    "images": lambda data: data.train.images,
    "an array": lambda data: data.train.images.numpy(),
    "a list": lambda data: [data.train, data.val],
    "a loader": loader,
    "a TensorDataset": lambda data: loader(data).dataset,
    "a class": lambda data: lab.ImageData,
    "a name": lambda data: "digits",
    "None": lambda data: None,
}


def good_callback(model: Any, history: Any) -> None:
    """Asks for nothing."""


COUNTS = WHOLE_NUMBERS.filter(lambda number: not (isinstance(number, int) and number > 4))  # 2**70 steps take long
ARGUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "epochs": COUNTS,
    "steps": COUNTS,
    "seed": st.one_of(WHOLE_NUMBERS, st.sampled_from((2**64, -1, "a", torch.tensor(3)))),
    "batch_size": WHOLE_NUMBERS,
    "learning_rate": st.one_of(st.floats(), WHOLE_NUMBERS, st.sampled_from((1e-3, np.float64(1e-3), 1e30))),
    "corrupt": st.sampled_from((None, lab.corrupt.gaussian(0.2), lab.corrupt.gaussian, "gaussian", 0.5)),
    "augment": st.sampled_from((None, lab.augment.nudge(1), lab.augment.nudge, "affine", 3, lambda x: None)),
    "initialise": st.sampled_from((None, True, False, "yes", 3)),
    "device": st.sampled_from(("auto", "cpu", "gpu", "cuda:99", "mps", "", None, 3, torch.device("cpu"))),
    "callbacks": st.sampled_from(
        ((), [good_callback], good_callback, [lambda model: None], "print", [3], None, 3, {"a": good_callback})
    ),
    "checkpoint": st.sampled_from(("new.pt", "deep/er/new.pt", *PATHS)),
    "progress": st.sampled_from((False, None, 0, "bar", 3, object())),
    "model": st.sampled_from(sorted(MODELS)),
    "data": st.sampled_from(sorted(DATA)),
    "state": st.sampled_from(("no_grad", "inference_mode", "float64")),
}


@st.composite
def some_arguments(draw: Any) -> dict[str, Any]:
    """At most three arguments that are not as they usually are."""
    names = draw(st.lists(st.sampled_from(sorted(ARGUMENTS)), max_size=3, unique=True))
    return {name: draw(ARGUMENTS[name]) for name in names}


@contextmanager
def torch_state(name: str | None) -> Iterator[None]:
    if name in ("no_grad", "inference_mode"):
        with getattr(torch, name)():
            yield
        return
    torch.set_default_dtype(torch.float64 if name == "float64" else torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def copied(model: Any) -> dict[str, torch.Tensor]:
    state = model.state_dict() if isinstance(model, nn.Module) else {}
    return {name: value.detach().clone() for name, value in state.items()}


def fit_any(given: dict[str, Any], data: lab.ImageData) -> None:
    given = dict(given)
    model, shown, state = (given.pop(name, None) for name in ("model", "data", "state"))
    model, shown = MODELS[model or "dense"](), DATA[shown or "data"](data)
    if given.get("epochs") is None and given.get("steps") is None:
        given["steps"] = 2  # the models' own suggestions take minutes
    before, drawn = copied(model), torch.get_rng_state()
    with odd_places(given.get("checkpoint")) as checkpoint, torch_state(state):
        named = {"progress": False} | given | ({"checkpoint": checkpoint} if "checkpoint" in given else {})
        found = outcome(lab.fit, model, shown, **named)
    assert torch.equal(torch.get_rng_state(), drawn) and torch.is_grad_enabled()
    if isinstance(found, Exception):
        after = copied(model)
        assert all(value.equal(after[name]) or value.isnan().any() for name, value in before.items()), (
            "the weights were touched"
        )
        return
    assert isinstance(found, lab.History) and found.step and math.isfinite(found.val["total"][-1])


@pytest.fixture(scope="module")
def few_digits() -> lab.ImageData:
    return small_data()


@given(some_arguments())
@examples(80)
def test_fit_trains_or_says_which_argument_it_cannot_take(few_digits: lab.ImageData, arguments: dict[str, Any]) -> None:
    fit_any(arguments, few_digits)


@pytest.mark.long
@given(some_arguments())
@examples(4000)
def test_long_fuzz_of_fit(few_digits: lab.ImageData, arguments: dict[str, Any]) -> None:
    fit_any(arguments, few_digits)
