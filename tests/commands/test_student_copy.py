"""The student's copy: nothing they made is ever lost, nothing half-written is ever seen, nothing new is never said."""

import json
import multiprocessing
import re
import shutil
from pathlib import Path

import pytest

from autoencoder_lab.commands import student_copy as course
from autoencoder_lab.commands.student_copy import MANIFEST, CourseError, lay_out
from notebooks.read_sources import lab_sources

NAMES = ("00_start_here.ipynb", "01_linear_autoencoder.ipynb")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    release(folder, "first edition")
    return folder


@pytest.fixture
def mine(tmp_path: Path, source: Path) -> Path:
    """A student's folder with the first edition laid out."""
    folder = tmp_path / "my-course"
    lay_out(folder, source)
    return folder


def release(source: Path, edition: str) -> None:
    for name in NAMES:
        (source / name).write_text(f"{name}, {edition}", encoding="utf-8")


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir()) if path.name != MANIFEST}


def test_first_time_everything_is_copied_and_said(tmp_path: Path, source: Path) -> None:
    said = lay_out(tmp_path / "deep" / "my-course", source)
    assert contents(tmp_path / "deep" / "my-course") == contents(source)
    assert said == [f"{name}: copied" for name in NAMES]


def test_second_time_nothing_is_written_or_said(mine: Path, source: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in mine.iterdir()}
    assert lay_out(mine, source) == []
    assert {path: path.stat().st_mtime_ns for path in mine.iterdir()} == before


def test_untouched_notebooks_follow_the_course(mine: Path, source: Path) -> None:
    release(source, "second edition")
    said = lay_out(mine, source)
    assert contents(mine) == contents(source)
    assert said == [f"{name}: updated (you had not changed it)" for name in NAMES]


def test_changed_notebook_stays_and_the_new_version_lies_beside_it(mine: Path, source: Path) -> None:
    changed = mine / NAMES[1]
    changed.write_text("my answers", encoding="utf-8")
    assert lay_out(mine, source) == [], "their own work on the version they were given is no news"
    release(source, "second edition")
    said = lay_out(mine, source)
    assert changed.read_text(encoding="utf-8") == "my answers"
    assert (mine / "01_linear_autoencoder.new.ipynb").read_bytes() == (source / NAMES[1]).read_bytes()
    assert "01_linear_autoencoder.new.ipynb" in said[1] and "stays" in said[1]
    assert lay_out(mine, source) == [], "the same version is offered once"


def test_new_version_that_the_student_deleted_does_not_come_back(mine: Path, source: Path) -> None:
    (mine / NAMES[1]).write_text("my answers", encoding="utf-8")
    release(source, "second edition")
    lay_out(mine, source)
    (mine / "01_linear_autoencoder.new.ipynb").unlink()
    assert lay_out(mine, source) == []
    assert not (mine / "01_linear_autoencoder.new.ipynb").exists()


def test_new_version_that_the_student_changed_stays_too(mine: Path, source: Path) -> None:
    beside = mine / "01_linear_autoencoder.new.ipynb"
    (mine / NAMES[1]).write_text("my answers", encoding="utf-8")
    release(source, "second edition")
    lay_out(mine, source)
    beside.write_text("more answers", encoding="utf-8")
    release(source, "third edition")
    lay_out(mine, source)
    assert beside.read_text(encoding="utf-8") == "more answers"
    assert (mine / "01_linear_autoencoder.new2.ipynb").read_bytes() == (source / NAMES[1]).read_bytes()


def test_deleted_notebook_is_restored(mine: Path, source: Path) -> None:
    (mine / NAMES[0]).unlink()
    assert lay_out(mine, source) == [f"{NAMES[0]}: restored"]
    assert contents(mine) == contents(source)


def test_taking_the_new_version_makes_it_follow_the_course_again(mine: Path, source: Path) -> None:
    (mine / NAMES[1]).write_text("my answers", encoding="utf-8")
    release(source, "second edition")
    lay_out(mine, source)
    (mine / "01_linear_autoencoder.new.ipynb").replace(mine / NAMES[1])
    assert lay_out(mine, source) == []
    release(source, "third edition")
    assert lay_out(mine, source)[1] == f"{NAMES[1]}: updated (you had not changed it)"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"00_start_here.ipynb": "not an entry"}', "\0\xff"])
def test_without_its_manifest_nothing_is_lost(mine: Path, source: Path, damage: str) -> None:
    (mine / NAMES[0]).write_text("my answers", encoding="utf-8")
    (mine / MANIFEST).write_text(damage, encoding="latin-1")
    release(source, "second edition")
    lay_out(mine, source)
    laid = contents(mine)
    assert laid[NAMES[0]] == "my answers"
    assert laid[NAMES[1]] == f"{NAMES[1]}, first edition", "unknown origin counts as the student's"
    assert laid["00_start_here.new.ipynb"] == f"{NAMES[0]}, second edition"


def test_other_files_are_left_alone(mine: Path, source: Path) -> None:
    (mine / "predictions.json").write_text("{}", encoding="utf-8")
    (mine / "99_my_own.ipynb").write_text("mine", encoding="utf-8")
    release(source, "second edition")
    lay_out(mine, source)
    assert contents(mine)["predictions.json"] == "{}" and contents(mine)["99_my_own.ipynb"] == "mine"


# --- the graded labs -------------------------------------------------------------------------------


@pytest.fixture
def with_labs(tmp_path: Path, source: Path) -> tuple[Path, Path]:
    """A student's folder, and the lab that was laid into it."""
    (source / "labs").mkdir()
    (source / "labs" / "lab1.ipynb").write_text("a lab, first edition", encoding="utf-8")
    folder = tmp_path / "my-course"
    assert lay_out(folder, source) == [*(f"{name}: copied" for name in NAMES), "labs/lab1.ipynb: copied"]
    return folder, folder / "labs" / "lab1.ipynb"


def test_a_lab_follows_the_course_until_the_student_has_changed_it(with_labs: tuple[Path, Path], source: Path) -> None:
    folder, lab = with_labs
    assert lay_out(folder, source) == []
    for edition in ("second", "third"):
        (source / "labs" / "lab1.ipynb").write_text(f"a lab, {edition} edition", encoding="utf-8")
        if edition == "third":
            lab.write_text("my answers", encoding="utf-8")
        said = lay_out(folder, source)
    assert said == ["labs/lab1.ipynb: you changed it, so it stays; the new version lies beside it as lab1.new.ipynb"]
    assert contents(folder / "labs") == {"lab1.ipynb": "my answers", "lab1.new.ipynb": "a lab, third edition"}
    assert lay_out(folder, source) == [] and list(folder.glob("*.new*")) == []


def test_a_lab_that_the_student_has_from_elsewhere_stays(source: Path, tmp_path: Path) -> None:
    (source / "labs").mkdir()
    (source / "labs" / "lab1.ipynb").write_text("a lab", encoding="utf-8")
    own = tmp_path / "my-course" / "labs"
    own.mkdir(parents=True)
    for name in ("lab1.ipynb", "notes.txt"):
        (own / name).write_text("mine", encoding="utf-8")
    lay_out(own.parent, source)
    assert contents(own) == {"lab1.ipynb": "mine", "lab1.new.ipynb": "a lab", "notes.txt": "mine"}


def test_something_else_is_called_labs(with_labs: tuple[Path, Path], source: Path) -> None:
    folder, lab = with_labs
    lab.unlink()
    (folder / "labs").rmdir()
    (folder / "labs").write_text("a list of labs", encoding="utf-8")
    with pytest.raises(CourseError, match=r"labs is not a folder; choose another one with --dir, or move that file"):
        lay_out(folder, source)
    assert (folder / "labs").read_text(encoding="utf-8") == "a list of labs"


@pytest.mark.slow
def test_only_what_is_released_is_laid_out(tmp_path: Path) -> None:
    pytest.importorskip("nbgrader", reason="releasing a lab needs nbgrader: pip install 'autoencoder_lab[grading]'")
    from notebooks import labs as command

    assert command.out_of_step(command.SHIPPED) == {}, "run python -m notebooks.labs"
    lay_out(tmp_path)
    laid = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} - {MANIFEST}
    assert {name for name in laid if "/" in name} == {f"labs/{path.stem}.ipynb" for path in lab_sources()}
    assert all(name.endswith(".ipynb") for name in laid)
    for source in lab_sources():
        cells = json.loads((tmp_path / "labs" / f"{source.stem}.ipynb").read_text(encoding="utf-8"))["cells"]
        shown = {line.strip() for cell in cells for line in "".join(cell["source"]).splitlines()}
        assert not [line for line in shown if "BEGIN" in line or "HIDDEN" in line]
        assert all(not cell.get("outputs") for cell in cells)
        secret = secret_lines(source)
        assert len(secret) > 100 and not secret & shown


def secret_lines(source: Path) -> set[str]:
    """The lines of a lab's solutions, model answers and judge, without those that its given cells have as well."""
    text = given = source.read_text(encoding="utf-8")
    blocks = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", text, flags=re.DOTALL)
    blocks += re.findall(r"^# %% \[markdown\] manual=.*?\n(.*?)(?=^# %%|\Z)", text, flags=re.DOTALL | re.MULTILINE)
    for block in blocks:
        given = given.replace(block, "")
    judge = (source.parents[2] / "judges" / source.name).read_text(encoding="utf-8")
    return lines_of("\n".join([*blocks, judge])) - lines_of(given)


def lines_of(text: str) -> set[str]:
    lines = (line.strip().removeprefix("# ") for line in text.splitlines())
    return {line for line in lines if len(line) > 24}


def test_a_lab_that_is_out_of_step_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from notebooks import labs as command

    monkeypatch.setattr(command, "released_text", lambda source: f"release of {source.stem}")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "SHIPPED", tmp_path / "labs")
    first = tmp_path / "labs" / "lab1_linear.ipynb"
    assert command.main(["--check"]) == 1 and not first.exists()
    assert command.main([]) == 0 and first.read_text(encoding="utf-8") == "release of lab1_linear"
    assert command.main(["--check"]) == 0
    (tmp_path / "labs" / "lab1_solutions.ipynb").write_text("oh", encoding="utf-8")
    assert command.main([]) == 1 == command.main(["--check"]), "what is no release must not be shipped"


# --- folders that are not as they should be --------------------------------------------------------


def test_a_file_in_the_way(tmp_path: Path, source: Path) -> None:
    (tmp_path / "my-course").write_text("notes", encoding="utf-8")
    for folder in (tmp_path / "my-course", tmp_path / "my-course" / "below"):
        with pytest.raises(CourseError, match=r"not a folder; choose another one with --dir"):
            lay_out(folder, source)
    assert (tmp_path / "my-course").read_text(encoding="utf-8") == "notes"


def test_read_only_folder(mine: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, content: bytes) -> int:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert lay_out(mine, source) == [], "with nothing to write, read-only is good enough"
    release_by_text = source / NAMES[0]
    release_by_text.write_text("second edition", encoding="utf-8")
    with pytest.raises(CourseError, match=r"cannot write to .*Permission denied.*--dir"):
        lay_out(mine, source)


def test_the_course_itself_is_not_a_place_to_work_in(source: Path, tmp_path: Path) -> None:
    before = contents(source)
    (tmp_path / "link").symlink_to(source, target_is_directory=True)
    for folder in (source, tmp_path / "link"):
        with pytest.raises(CourseError, match="holds the course itself"):
            lay_out(folder, source)
    assert contents(source) == before and not (source / MANIFEST).exists()


def test_links_are_the_students_own(mine: Path, source: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.ipynb"
    shutil.copy(mine / NAMES[0], elsewhere)
    for name, goal in ((NAMES[0], elsewhere), (NAMES[1], tmp_path / "nowhere")):
        (mine / name).unlink()
        (mine / name).symlink_to(goal)
    release(source, "second edition")
    lay_out(mine, source)
    assert elsewhere.read_text(encoding="utf-8") == f"{NAMES[0]}, first edition"
    assert (mine / NAMES[0]).is_symlink() and (mine / NAMES[1]).is_symlink()
    assert not (tmp_path / "nowhere").exists()
    assert (mine / "00_start_here.new.ipynb").exists()


def test_a_folder_that_is_a_link_is_followed(tmp_path: Path, source: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "my-course").symlink_to(tmp_path / "real", target_is_directory=True)
    lay_out(tmp_path / "my-course", source)
    assert contents(tmp_path / "real") == contents(source)


# --- interruptions and races -----------------------------------------------------------------------


def test_interrupted_copy_leaves_no_half_notebook(
    mine: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:3])
        raise OSError(28, "No space left on device")

    release(source, "second edition")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", disk_full)
        for folder in (mine, tmp_path / "new"):
            with pytest.raises(CourseError, match="the disk is full"):
                lay_out(folder, source)
    assert set(contents(mine).values()) == {f"{name}, first edition" for name in NAMES}
    assert contents(tmp_path / "new") == {}
    lay_out(mine, source)
    assert contents(mine) == contents(source)


def test_killed_between_notebook_and_manifest(mine: Path, source: Path) -> None:
    manifest = (mine / MANIFEST).read_bytes()
    release(source, "second edition")
    lay_out(mine, source)
    (mine / MANIFEST).write_bytes(manifest)  # the new notebooks were laid, but nobody wrote it down
    assert lay_out(mine, source) == []
    release(source, "third edition")
    lay_out(mine, source)
    assert contents(mine) == contents(source), "they still count as untouched"


def test_a_notebook_that_another_open_lays_just_now_is_no_change_of_the_students(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, create = tmp_path / "my-course", course.create_whole

    def overtaken(path: Path, content: bytes) -> None:
        path.write_bytes(content)  # the other one, between our look and our write
        create(path, content)

    monkeypatch.setattr(course, "create_whole", overtaken)
    assert lay_out(folder, source) == []
    assert contents(folder) == contents(source)
    assert lay_out(folder, source) == []


def test_what_a_student_makes_just_now_is_not_overwritten(
    mine: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, beside = course.create_whole, "01_linear_autoencoder.new.ipynb"

    def overtaken(path: Path, content: bytes) -> None:
        if path.name in (NAMES[0], beside):
            path.write_text("mine", encoding="utf-8")
        create(path, content)

    (mine / NAMES[0]).unlink()
    (mine / NAMES[1]).write_text("my answers", encoding="utf-8")
    release(source, "second edition")
    monkeypatch.setattr(course, "create_whole", overtaken)
    lay_out(mine, source)
    laid = contents(mine)
    assert laid[NAMES[0]] == laid[beside] == "mine"
    assert laid["00_start_here.new.ipynb"] == f"{NAMES[0]}, second edition"
    assert laid["01_linear_autoencoder.new2.ipynb"] == f"{NAMES[1]}, second edition"


def test_two_opens_at_once(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "my-course"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(lay_out, [(folder, source)] * 8, chunksize=1)
    assert contents(folder) == contents(source)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert set(manifest) == set(NAMES) and all("laid" in entry for entry in manifest.values())


# --- where the course lies -------------------------------------------------------------------------


def test_course_is_found_in_the_clone_or_else_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "autoencoder_lab"
    monkeypatch.setattr(course, "__file__", str(package / "commands" / "student_copy.py"))
    with pytest.raises(CourseError, match="no notebooks came with the package"):
        course.course_folder()
    for folder in (tmp_path / "notebooks", package / "course"):  # the installed package's own comes first
        folder.mkdir(parents=True)
        (folder / NAMES[0]).touch()
        assert course.course_folder() == folder
