"""A judge's file makes one Judge; what is wrong with such a file is said in a sentence that names it."""

import hashlib
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autoencoder_lab.checks.question import numbers_read
from autoencoder_lab.classroom.lab_data import own_collection, own_images
from autoencoder_lab.grading.grade import Paper, PartResult, Result, key_of
from autoencoder_lab.grading.judge import Judge, Mark, Part, load_judge, reading_part
from autoencoder_lab.grading.report import longest_literal
from autoencoder_lab.grading.sandbox import Limits
from autoencoder_lab.grading.whole_class import read_result

PARTS = 'parts=[Part("test_mse", 2, ["mse"], "", lambda given, inputs: Mark(1))]'
IMPORTS = """from autoencoder_lab.grading.judge import Judge, Mark, Part
from autoencoder_lab.grading.sandbox import Limits
"""


def a_part(grade_id: str = "test_mse", points: float = 2, needs: tuple[str, ...] | str = ("mse",)) -> Part:
    return Part(grade_id, points, needs, "", lambda given, inputs: Mark(1.0))


def written(folder: Path, text: str) -> Path:
    path = folder / "lab9.py"
    path.write_text(IMPORTS + text, encoding="utf-8")
    return path


def test_a_file_says_the_parts_and_what_else_it_wants(tmp_path: Path) -> None:
    few = load_judge(written(tmp_path, f"JUDGE = Judge({PARTS})"))
    assert (few.name, few.replaced, few.files, few.limits) == ("lab9", (), {}, Limits())
    assert [part.grade_id for part in few.parts] == ["test_mse"]
    more = 'replaced=["train"], files={"a.txt": b"a"}, limits=Limits(wall=4), name="mine", version="1"'
    all_of_them = load_judge(written(tmp_path, f"JUDGE = Judge({PARTS}, {more})"))
    assert (list(all_of_them.replaced), all_of_them.files, all_of_them.limits.wall) == (["train"], {"a.txt": b"a"}, 4)
    assert all_of_them.name == "lab9" and len(all_of_them.version) == 16 != few.version, "these two are the loader's"
    assert load_judge(tmp_path / "lab9.py", "known").version == "known", "a worker is told it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["has no JUDGE", "JUDGE = Judge(parts=…, replaced=…, files=…, limits=…)"]),
        ("Judge(" + PARTS + ")", ["has no JUDGE"]),
        ("PARTS = []", ["of an earlier form, with PARTS", "JUDGE = Judge(parts=PARTS)"]),
        (
            'PARTS, LIMITS, REPLACED = [], Limits(), ("train",)',
            ["PARTS and REPLACED and LIMITS", "JUDGE = Judge(parts=PARTS, replaced=REPLACED, limits=LIMITS)"],
        ),
        ("JUDGE = [1, 2]", ["JUDGE that is no Judge but [1, 2]"]),
        (f"JUDGE = Judge({PARTS}, limit=Limits())", ["line 3", "unexpected keyword argument 'limit'", "limits=…"]),
        (f"\n\nJUDGE = Judge(*[{PARTS[6:]}])", ["line 5", "takes 1 positional argument", "parts=…"]),
        ("JUDGE = Judge(replaced=[])", ["line 3", "required keyword-only argument: 'parts'"]),
        ("JUDGE = Judge(parts=[])", ["line 3", "every part needs a grade_id of its own and points, got []"]),
        ("import nothing_of_the_kind", ["line 3", "ModuleNotFoundError", "nothing_of_the_kind"]),
        ("JUDGE = Judge(", ["SyntaxError", "line 3"]),
    ],
)
def test_a_file_that_makes_no_judge_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: list[str]
) -> None:
    written(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "lab9.py", Path("lab9.py")):
        with pytest.raises(ValueError) as error:
            load_judge(path)
        assert all(part in str(error.value) for part in [str(path), *said]), error.value


def test_a_file_of_the_earlier_form_is_mended_by_the_line_that_is_named(tmp_path: Path) -> None:
    text = f"PARTS = [{PARTS[7:]}\nREPLACED, FILES = ('train',), {{}}\n"
    with pytest.raises(ValueError) as error:
        load_judge(written(tmp_path, text))
    line = str(error.value).partition("a last line: ")[2].partition(". ")[0]
    judge = load_judge(written(tmp_path, text + line))
    assert [part.grade_id for part in judge.parts] == ["test_mse"] and judge.replaced == ("train",)


@pytest.mark.parametrize(
    "parts", [[], [a_part(), a_part()], [a_part(points=0)], [a_part(points=-1)], [a_part(points=float("nan"))]]
)
def test_every_part_has_a_name_of_its_own_and_points(parts: list[Part]) -> None:
    with pytest.raises(ValueError, match="every part needs a grade_id of its own and points"):
        Judge(parts=parts)


def test_one_name_where_several_are_meant_is_not_taken_for_its_letters() -> None:
    with pytest.raises(ValueError, match=r"replaced takes a list of cells, \['train'\], got the text 'train'"):
        Judge(parts=[a_part()], replaced="train")
    with pytest.raises(ValueError, match=r"test_mse: needs takes a list of cells, \['mse'\]"):
        Judge(parts=[a_part(needs="mse")])


def test_a_judge_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no judge for lab9: .*lab9\.py is missing"):
        load_judge(tmp_path / "lab9.py")


def test_a_changed_file_of_the_judge_means_grading_anew(tmp_path: Path) -> None:
    first = load_judge(written(tmp_path, f"JUDGE = Judge({PARTS})"))
    again = load_judge(written(tmp_path, f"JUDGE = Judge({PARTS})"))
    other = load_judge(written(tmp_path, f"JUDGE = Judge({PARTS})  # a word more"))
    paper = Paper("ada", b"{}")
    assert key_of(paper, first, [], 7) == key_of(paper, again, [], 7) != key_of(paper, other, [], 7)
    assert key_of(paper, replace(first, limits=Limits(wall=1)), [], 7) == key_of(paper, first, [], 7)


def test_a_result_of_the_first_edition_is_still_read(tmp_path: Path) -> None:
    stored = {
        "student": "ada",
        "key": "0123456789abcdef",
        "parts": [{"grade_id": "test_mse", "points": 1.0, "of": 2.0, "said": "the sum", "mistake": "sum for mean"}],
        "reason": "",
        "seconds": 1.25,
        "timestamp": "2026-11-30T22:59:00",
        "cells": [{"kind": "code", "source": "x = 1", "grade_id": "mse"}],
    }
    (tmp_path / "ada.json").write_text(json.dumps(stored), encoding="utf-8")
    result = read_result(tmp_path / "ada.json")
    assert result is not None and asdict(result).items() >= {"student": "ada", "seconds": 1.25}.items()
    assert result == Result(
        "ada",
        "0123456789abcdef",
        [PartResult("test_mse", 1, 2, "the sum", "sum for mean")],
        "",
        1.25,
        "2026-11-30T22:59:00",
        stored["cells"],
    )


def test_grading_needs_no_modelling_code_but_what_an_assignments_judge_brings(tmp_path: Path) -> None:
    judge = written(tmp_path, f"JUDGE = Judge({PARTS})")
    asked = f"""
import sys
from pathlib import Path
import autoencoder_lab.commands.cli, autoencoder_lab.commands.grading
import autoencoder_lab.grading as grading
for file in sorted(Path(grading.__file__).parent.glob("*.py")):
    if file.stem not in ("__init__", "drawings", "first_weights"):  # which are for judges alone
        __import__(f"autoencoder_lab.grading.{{file.stem}}")
from autoencoder_lab.grading.judge import load_judge
load_judge(Path({str(judge)!r}))
ours = {{name.split(".")[1] for name in sys.modules if name.startswith("autoencoder_lab.")}}
print(*sorted(ours - {{"commands", "files", "grading", "machine", "protocol"}}), "torch" in sys.modules)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    printed = subprocess.run(
        [sys.executable, "-c", asked], env=environment, capture_output=True, encoding="utf-8", check=True, timeout=120
    )
    assert printed.stdout.strip() == "False"


def test_long_literals_are_measured_and_short_ones_are_no_matter() -> None:
    assert longest_literal("a = 'x' * 9\nb = [1, 2, 3]") < 20
    assert longest_literal(f"WEIGHTS = '{'w' * 5000}'") > 5000
    assert longest_literal("w = [" + "0.25, " * 1000 + "]") > 5000
    assert longest_literal("w = (" + " + ".join(['"' + "ab" * 50 + '"'] * 60) + ")") > 5000
    assert longest_literal("w = [f(x) for x in range(3)]\n" * 200) < 20
    assert longest_literal("%%writefile w\n" + "0.1 " * 2000) > 5000


# --- numbers that are read -------------------------------------------------------------------------------------------


def read(**answers: Any) -> Mark:
    """The mark of a reading of two numbers, 3 and 0.5."""

    def ask(probe: str, until: str = "", **inputs: Any) -> dict[str, Any]:
        place: dict[str, Any] = {}
        exec(probe, place)
        return {key: np.asarray(value) for key, value in place["probe"]({"STUDENT": "ada", **answers}).items()}

    def judge(_: str, given: dict[str, Any]) -> Mark:
        wrong = [name for name, wanted in (("a", 3.0), ("b", 0.5)) if not abs(float(given[name]) - wanted) < 1e-6]
        return Mark(1 - len(wrong) / 2, " and ".join(f"{name} is wrong" for name in wrong))

    part = reading_part("test_reading", 2, (), ("a", "b"), judge)
    return part.judge(ask, np.random.default_rng(0))


@pytest.mark.parametrize(
    "half",
    [0.5, np.float32(0.5), np.array(0.5), np.array([[0.5]]), torch.tensor([0.5], requires_grad=True), [0.5], {0.5},
     torch.tensor(0.5, dtype=torch.bfloat16), Fraction(1, 2), Decimal("0.5")],
)  # fmt: skip
def test_a_number_counts_in_every_form(half: Any) -> None:
    assert read(a=3, b=half).share == 1
    assert numbers_read(a=3, b=half) == ([3.0, 0.5], "")


@pytest.mark.parametrize("odd", [None, ..., "0.5", b"0.5", [0.5, 0.5], {}, "half", object(), [None], 1j, float("nan")])
def test_each_number_earns_its_own_share(odd: Any) -> None:
    mark = read(a=3, b=odd)
    assert mark.share == 0.5 and mark.said.endswith("b is wrong")
    assert read(a=odd, b=0.5).share == 0.5 and read(a=odd, b=7).share == 0
    found = numbers_read(a=3, b=odd)
    assert found and found[0][0] == 3 and math.isnan(found[0][1]) and found[1].startswith("b is not done yet")


def test_a_reading_without_a_number_is_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotImplementedError):
        read(a=None, b=...)
    assert numbers_read(a=None, b=...) is None and "reading: not done yet" in capsys.readouterr().out


def test_an_ids_images_do_not_depend_on_torchs_defaults() -> None:
    def drawn() -> list[str]:
        found = [own_images("ada", n=20), own_collection("ada")]
        return [hashlib.sha256(one.train.images.numpy().tobytes()).hexdigest() for one in found]

    usual = drawn()
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        assert drawn() == usual
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
