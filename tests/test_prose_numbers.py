"""Numbers in prose: evaluated where they stand in the run, kept when prose alone changes, never left unwritten."""

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from notebooks import build, prose_numbers
from notebooks.prose_numbers import Number, answered, numbers_of, parsed, with_questions, write_numbers

SOURCE = """
# %% [markdown]
# # 00 · Numbers

# %%
x = {"a": 0.25}

# %% [markdown]
# A quarter is {{x["a"]:.3f}}, in per cent {{100 * x["a"]:.0f}} %, and takes {{minutes}} minutes. {{x["a"]}} once more.

# %%
x["a"] = 3
x["a"]

# %% [markdown]
# Now it is {{x["a"]:.3f}} and the list is {{list(x)[0:]}}.
"""


def notebook(*cells: tuple[str, str]) -> NotebookNode:
    kinds = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    return nbformat.v4.new_notebook(cells=[kinds[kind](text) for kind, text in cells])


@pytest.mark.parametrize(
    ("text", "expression", "form"),
    [
        ("mse", "mse", ""),
        ("mse:.4f", "mse", ".4f"),
        ("errors['a:b']:.2e", "errors['a:b']", ".2e"),
        ("rows[1:]", "rows[1:]", ""),
        ("rows[1:][0]:>5", "rows[1:][0]", ">5"),
        ("f'{x:.2f}'", "f'{x:.2f}'", ""),
        (" 100 * share :.0f", "100 * share", ".0f"),
    ],
)
def test_an_expression_and_its_format(text: str, expression: str, form: str) -> None:
    assert parsed(text, 3) == Number(3, expression, form)


def test_what_is_no_expression_is_refused_and_the_builder_s_own_are_left() -> None:
    with pytest.raises(ValueError, match=r"\{\{two words\}\} in prose is no Python expression"):
        parsed("two words", 0)
    assert parsed("minutes", 0) is None and parsed(" glossary ", 0) is None


def test_each_number_knows_its_place() -> None:
    cells = notebook(("markdown", "{{a}}"), ("code", "1"), ("code", "2"), ("markdown", "{{a}} {{seconds}} {{b:.1f}}"))
    found = [numbers for _, numbers in numbers_of(cells)]
    assert found == [[Number(0, "a", "")], [Number(2, "a", ""), Number(2, "b", ".1f")]]


def test_questions_stand_where_the_numbers_do_and_leave_no_trace() -> None:
    cells = notebook(("code", "a = 1"), ("markdown", "{{a}}"), ("code", "a = 2"), ("markdown", "{{a:.1f}} {{a + 1}}"))
    asked = with_questions(cells)
    assert [cell.cell_type for cell in asked.cells] == ["code", "code", "markdown", "code", "code", "markdown"]
    said = ("", '{"1 a:": "1"}', "", '{"2 a:.1f": "2.0", "2 a + 1:": "3"}')
    code = [cell for cell in asked.cells if cell.cell_type == "code"]
    for count, (cell, text) in enumerate(zip(code, said, strict=True), start=1):
        cell.execution_count = count
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []
    found = answered(asked)
    assert found == {"1 a:": "1", "2 a:.1f": "2.0", "2 a + 1:": "3"}
    assert [cell.source for cell in asked.cells] == [cell.source for cell in cells.cells]
    assert [cell.execution_count for cell in asked.cells if cell.cell_type == "code"] == [1, 2]
    write_numbers(asked, found)
    assert [cell.source for cell in asked.cells][1::2] == ["1", "2.0 3"]


@pytest.mark.slow
def test_a_notebook_is_built_with_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "00_numbers.py"
    source.write_text(SOURCE.lstrip(), encoding="utf-8")
    target = source.with_suffix(".ipynb")
    monkeypatch.setattr(build, "library_hash", lambda source: "the library")
    monkeypatch.setattr(build, "step_seconds", lambda: build.REFERENCE_STEP)
    built = build.build(source, target)
    prose = [cell.source for cell in built.notebook.cells if cell.cell_type == "markdown"][2:]
    assert prose == [
        "A quarter is 0.250, in per cent 25 %, and takes 5 minutes. 0.25 once more.",
        "Now it is 3.000 and the list is ['a'].",
    ]
    code = [cell for cell in built.notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3] and code[-1].outputs[0].execution_count == 3
    assert build.output_problems(built.notebook) == [] and build.check(source, target) == ([], [])
    assert prose_numbers.TAG not in target.read_text(encoding="utf-8")

    def changed(old: str, new: str) -> str:
        source.write_text(source.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        return build.build(source, target).action

    monkeypatch.setattr(build, "execute", lambda *_: pytest.fail("was run"))
    assert changed("A quarter", "One quarter") == "prose" and build.check(source, target) == ([], [])
    kept = target.read_bytes()
    with pytest.raises(BaseException, match="was run"):  # a number that nobody has evaluated yet
        changed("Now it is", "Now it is {{x['a'] / 2}}")
    assert target.read_bytes() == kept
    assert any("x['a'] / 2 was not written" in one for one in build.output_problems(build.student_notebook(source)))
