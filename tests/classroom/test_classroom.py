"""Set-up, predictions and their file, quizzes, and the source that is shown."""

import json
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import autoencoder_lab as lab
from autoencoder_lab import classroom, machine
from autoencoder_lab.classroom import prediction

KEY = "01-3-linear-ties-pca"
OPTIONS = ("more than 20 % larger", "equal to within 1 %")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a folder, and a session, of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(prediction, "_asked", {})
    monkeypatch.setattr(prediction, "_shown", {})
    return tmp_path


def choose(guess: str, confidence: str = "", key: str = KEY, options: tuple[str, ...] = OPTIONS) -> Any:
    """What the browser does when a student clicks."""
    form = prediction._prediction_form("How much larger?", options, key)
    form.guess = guess
    form.confidence = confidence
    return form


def stored() -> dict[str, Any]:
    return json.loads(Path("predictions.json").read_text(encoding="utf-8"))


# --- set-up ----------------------------------------------------------------------------------------


def test_setup_says_when_others_keep_the_machine_busy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classroom.session.machine, "others", lambda: 1.3)
    classroom.setup(0)
    assert "busy: other programs use 1.3 of" in capsys.readouterr().out


def test_setup_seeds_all_three_generators_and_says_so_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classroom.session.machine, "others", lambda: 0.0)

    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    threads = torch.get_num_threads()
    try:
        classroom.setup(3)
        first = draws()
        classroom.setup(4)
        assert all(a != b for a, b in zip(first, draws(), strict=True))
        classroom.setup(3)
        assert draws() == first
        assert 1 <= torch.get_num_threads() <= max(1, min(threads, 8))
    finally:
        torch.set_num_threads(threads)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    wanted = r"autoencoder_lab \S+ · torch [\d.]+\S* · \w+, \d+ threads? · mnist-5k offline: ready"
    assert re.fullmatch(wanted, lines[0])


def test_setup_takes_whole_numbers_of_any_make_and_names_what_is_none() -> None:
    threads = torch.get_num_threads()
    try:
        classroom.setup(3)
        first = float(torch.rand(())), float(np.random.rand()), random.random()
        for three in (np.int64(3), np.uint8(3), torch.tensor(3)):
            classroom.setup(three)
            assert (float(torch.rand(())), float(np.random.rand()), random.random()) == first
        expected = r"seed must be a whole number from 0 to 2\*\*32 - 1, got "
        for wrong in ("a", None, 1.5, -1, 2**32):
            with pytest.raises((TypeError, ValueError), match=expected):
                classroom.setup(wrong)
    finally:
        torch.set_num_threads(threads)


def test_setup_takes_no_more_threads_than_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, chosen = torch.get_num_threads(), list[int]()
    try:
        for processors in (1, 2, 64):
            torch.set_num_threads(4)
            monkeypatch.setattr(machine, "processors", lambda count=processors: count)
            classroom.setup(0)
            chosen.append(torch.get_num_threads())
    finally:
        torch.set_num_threads(threads)
    assert chosen == [1, 2, 4]


# --- predictions -----------------------------------------------------------------------------------


def test_without_a_front_end_a_prediction_is_text_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    classroom.predict("How much larger?", OPTIONS, KEY)
    classroom.outcome(KEY, OPTIONS[1])
    said = capsys.readouterr().out
    assert "How much larger?" in said and all(option in said for option in OPTIONS)
    assert said.endswith("It came out “equal to within 1 %”. No guess was recorded.\n")
    assert not list(Path().iterdir())
    assert repr(classroom.calibration()) == "No guess has an outcome yet."


def test_a_guess_is_kept_compared_and_then_final(capsys: pytest.CaptureFixture[str]) -> None:
    choose(OPTIONS[0], "sure")
    assert choose(OPTIONS[1]).confidence == ""  # a new form shows what is on file; clearing it is no choice
    assert stored()[KEY]["guess"] == OPTIONS[1] and stored()[KEY]["confidence"] == "sure"
    classroom.predict("How much larger?", OPTIONS, KEY)
    classroom.outcome(KEY, OPTIONS[1])
    said = capsys.readouterr().out
    assert "You guessed “equal to within 1 %” (sure). It came out “equal to within 1 %”: as you expected" in said
    assert stored()[KEY]["outcome"] == OPTIONS[1]

    late = choose(OPTIONS[0])
    assert late.locked and "stays as it was" in late.status
    assert stored()[KEY]["guess"] == OPTIONS[1]


def test_the_outcome_locks_the_form_on_the_page_and_a_second_run_closes_the_first_form() -> None:
    first = choose(OPTIONS[0])
    second = choose(OPTIONS[0])
    assert first.comm is None and second.comm is not None
    classroom.outcome(KEY, OPTIONS[1])
    assert second.locked and second.status == "It came out: equal to within 1 %. Your guess stays as it was."


def test_guesses_of_another_notebook_are_kept() -> None:
    choose(OPTIONS[0])
    Path("predictions.json").write_text(json.dumps({**stored(), "02-1": {"guess": "yes"}}), encoding="utf-8")
    choose(OPTIONS[1])
    assert stored()["02-1"] == {"guess": "yes"} and stored()[KEY]["guess"] == OPTIONS[1]
    assert [path.name for path in Path().iterdir()] == ["predictions.json"], "no part file is left"


@pytest.mark.parametrize("damage", ['{"01": ', "[1, 2]", '{"01": 3}', b"\xff\xfe\x00"])
def test_a_damaged_file_is_kept_aside_and_said(damage: str | bytes, capsys: pytest.CaptureFixture[str]) -> None:
    content = damage if isinstance(damage, bytes) else damage.encode()
    for number in (1, 2):  # the second one must not overwrite the first
        Path("predictions.json").write_bytes(content)
        choose(OPTIONS[0])
        assert Path(f"predictions.broken-{number}.json").read_bytes() == content
        assert f"predictions.broken-{number}.json" in capsys.readouterr().out
    assert stored()[KEY]["guess"] == OPTIONS[0]


def test_a_file_that_cannot_be_written_is_said_in_the_form_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(prediction, "write_whole", refuse)
    assert choose(OPTIONS[0]).status == "Not recorded: predictions.json cannot be written (Permission denied)."


def test_an_interrupted_write_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    choose(OPTIONS[0])
    before = stored()

    def stop(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        prediction._record(KEY, guess=OPTIONS[1])
    assert stored() == before
    assert [path.name for path in Path().iterdir()] == ["predictions.json"]


def test_a_guess_that_is_no_option_any_more_is_no_guess(capsys: pytest.CaptureFixture[str]) -> None:
    choose(OPTIONS[0])
    classroom.predict("Asked anew?", ["yes", "no"], KEY)
    classroom.outcome(KEY, "yes")
    assert capsys.readouterr().out.endswith("It came out “yes”. No guess was recorded.\n")
    assert "outcome" not in stored()[KEY]


def test_an_outcome_must_be_one_of_the_options() -> None:
    classroom.predict("How much larger?", OPTIONS, KEY)
    with pytest.raises(ValueError, match=r"must be one of .*equal to within 1 %.*, got 'equal'"):
        classroom.outcome(KEY, "equal")


@pytest.mark.parametrize("options", [[], ["one"], ["same", "same"], ["yes", " "]])
def test_a_prediction_needs_two_different_options(options: list[str]) -> None:
    with pytest.raises(ValueError, match="at least two different options"):
        classroom.predict("Which?", options, KEY)


def test_calibration_is_the_brier_score_of_the_stated_confidence() -> None:
    four = ("a", "b", "c", "d")
    for number, (guess, confidence) in enumerate([("a", "sure"), ("b", "sure"), ("a", "guess"), ("a", "")]):
        choose(guess, confidence, key=str(number), options=four)
        classroom.outcome(str(number), "a")
    choose("a", "sure", key="not yet run", options=four)
    found = classroom.calibration()
    assert (found.right, found.guesses) == (3, 4)
    assert found.levels == {"sure": (1, 2, 0.95), "guess": (1, 1, 0.25)}
    assert found.brier == pytest.approx((0.05**2 + 0.95**2 + 0.75**2) / 3)
    assert "sure: 1 of 2 right, 95% claimed" in repr(found)


def test_the_form_has_a_stable_repr_and_its_script_puts_text_in_as_text() -> None:
    assert repr(choose(OPTIONS[0])) == "PredictionForm('Predict. How much larger?')"
    script = Path(prediction.__file__).with_name("prediction.js").read_text(encoding="utf-8")
    assert "innerHTML" not in script and "legend" in script and 'setAttribute("role", "status")' in script


# --- what a notebook shows -------------------------------------------------------------------------


class Page(HTMLParser):
    """The tags of a page in order, its text, and a check that they nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The bundles that a notebook with a kernel would get."""
    import IPython
    import IPython.display

    class Shell:
        kernel = object()

    bundles: list[dict[str, Any]] = []
    monkeypatch.setattr(IPython, "get_ipython", Shell)
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: bundles.append(bundle))
    return bundles


def test_in_a_notebook_a_prediction_is_a_live_form_with_a_page_beside_it(shown: list[dict[str, Any]]) -> None:
    classroom.predict("Is 1 < 2 & <b>so</b>?", ["<i>yes</i>", "no"], KEY)
    (bundle,) = shown
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"]
    page = Page(bundle["text/html"])
    assert "b" not in page.tags and "i" not in page.tags
    assert " Is 1 < 2 & <b>so</b>?" in "".join(page.words) and "<i>yes</i>" in page.words
    assert bundle["text/plain"].startswith("Predict: Is 1 < 2")


QUESTION = {"ask": "What is `z`?", "right": ("the code", "h = f(x)"), "wrong": {"the image": "x̂ is", "a <loss>": "no"}}


def test_every_option_of_a_quiz_unfolds_and_says_in_words_whether_it_is_right(shown: list[dict[str, Any]]) -> None:
    classroom.quiz("01", [QUESTION, {**QUESTION, "ask": "Again?"}])
    classroom.quiz("01", [QUESTION, {**QUESTION, "ask": "Again?"}])
    page = Page(shown[0]["text/html"])
    assert page.tags.count("details") == page.tags.count("summary") == 6
    assert page.words.count("Right.") == 2 and page.words.count("Not quite.") == 4
    assert "code" in page.tags and "loss" not in page.tags
    assert "style" not in shown[0]["text/html"] and "<script" not in shown[0]["text/html"]
    right = re.search(r"<summary>\w\. ([^<]*)</summary><p><strong>Right\.", shown[0]["text/html"])
    assert right and right[1] == "the code"
    assert shown[0] == shown[1], "the order of the options must not change from run to run"
    assert "Right" not in shown[0]["text/plain"], "the text must not give the answers away"


def test_the_right_option_of_a_quiz_is_not_always_in_the_same_place(shown: list[dict[str, Any]]) -> None:
    classroom.quiz("01", [{**QUESTION, "ask": f"Question {number}?"} for number in range(20)])
    letters = re.findall(r"<summary>(\w)\. the code<", shown[0]["text/html"])
    assert set(letters) == {"A", "B", "C"}


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"ask": "?", "wrong": {"a": "b"}}, "expected .* got the keys"),
        ({**QUESTION, "right": [("a", "b"), ("c", "d")]}, "exactly one right option"),
        ({**QUESTION, "right": "the code"}, "exactly one right option"),
        ({**QUESTION, "wrong": {}}, "one to nine wrong options"),
        ({**QUESTION, "wrong": {"the code": "no"}}, "as right and as wrong"),
        ({**QUESTION, "wrong": {"the image": " "}}, "'the image' has no explanation"),
        ({**QUESTION, "wrong": {"the image": None}}, "'the image' has no explanation"),
        ({**QUESTION, "right": ("the code", "")}, "'the code' has no explanation"),
        ({**QUESTION, "ask": ""}, "asks nothing"),
    ],
)
def test_a_quiz_with_a_flaw_is_refused_and_names_the_question(question: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"quiz '01', question 2: .*{message}"):
        classroom.quiz("01", [QUESTION, question])


def test_shown_source_is_the_source_fenced_for_the_front_end(shown: list[dict[str, Any]]) -> None:
    classroom.show_source(Page.handle_data)
    text = "def handle_data(self, data: str) -> None:\n    self.words.append(data)"
    assert shown[0]["text/plain"] == text
    name = "`test_classroom.Page.handle_data`"
    assert shown[0]["text/markdown"].replace("tests.", "") == f"{name}\n```python\n{text}\n```"


def test_shown_source_of_an_instance_is_its_class_and_can_leave_docstrings_out(shown: list[dict[str, Any]]) -> None:
    classroom.show_source(Page(""), docstrings=False)
    assert shown[0]["text/plain"].startswith("class Page(HTMLParser):\n\n    def __init__")
    classroom.show_source(shown_in_two_lines)
    assert "````python" in shown[1]["text/markdown"], "a fence in the source must not end the block"


def shown_in_two_lines() -> str:
    return "```"


def test_a_builtin_has_no_source_to_show() -> None:
    with pytest.raises(TypeError, match="give a class, function or method"):
        classroom.show_source(len)


def test_own_images_are_the_same_for_an_id_and_others_for_another(capsys: pytest.CaptureFixture[str]) -> None:
    mine, again, other = (lab.own_images(student) for student in ("ada42", " ADA42 ", "bob"))
    assert mine.train.images.shape == (2000, 1, 28, 28) and torch.equal(mine.train.images, again.train.images)
    assert not torch.equal(mine.train.images, other.train.images) and torch.equal(mine.test.images, other.test.images)
    numbers = lab.load("mnist-5k").train.images.flatten(1)
    drawn = torch.cdist(mine.train.images.flatten(1)[:50], numbers).argmin(dim=1)
    assert torch.equal(numbers[drawn], mine.train.images.flatten(1)[:50]) and len(drawn.unique()) == 50
    assert capsys.readouterr().out == ""
    lab.own_images("your-id", n=10)
    assert "put in your own id" in capsys.readouterr().out


def test_a_collection_is_the_same_for_an_id_and_quite_another_for_another() -> None:
    mine, again, other = (lab.own_collection(student).train for student in ("ada42", " ADA42 ", "bob"))
    assert torch.equal(mine.images, again.images) and torch.equal(mine.labels, again.labels)
    assert len(mine) != len(other) and mine.images.max() != other.images.max()
    for one in (mine, other):
        counts = torch.bincount(one.labels, minlength=10)
        assert 150 <= len(one) <= 600 and counts.min() >= 4 and counts.max() > 2 * counts.min()
        assert 0.6 <= one.images.max() <= 1
    whole = lab.load("mnist-5k")
    assert torch.equal(lab.own_collection("bob").val.images, whole.val.images)
    original = torch.cdist((mine.images / mine.images.max()).flatten(1), whole.train.images.flatten(1))
    near, rows = original.min(dim=1)
    assert near.max() < 0.2 and len(rows.unique()) == len(mine) and torch.equal(whole.train.labels[rows], mine.labels)
    with pytest.raises(ValueError, match="must be your own"):
        lab.own_collection(" ")


@pytest.mark.parametrize(
    ("student", "n", "said"), [("", 10, "must be your own"), ("a", 0, "n must be a whole number from 1 to")]
)
def test_own_images_refuses_what_cannot_be(student: str, n: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        lab.own_images(student, n=n)
