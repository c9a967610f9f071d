"""The command line. For students: open, doctor, check. For instructors: release, grade, feedback, export, report."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from autoencoder_lab.commands import student_copy

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def autoencoder_lab() -> None:
    """A course on autoencoders and their relatives, trained live on a laptop."""


@app.command(name="open", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def open_(
    context: typer.Context,
    dir: Annotated[Path, typer.Option(help="Your folder; made if there is none.")] = Path("my-course"),
    copy_only: Annotated[bool, typer.Option("--copy-only", help="Start nothing: for VS Code and others.")] = False,
) -> None:
    """Copy the course into a folder of yours and start JupyterLab there.

    What you changed is never overwritten. Arguments not named here go to JupyterLab: --no-browser --port=8890
    """
    folder = dir.expanduser()
    try:
        said = student_copy.lay_out(folder)
    except student_copy.CourseError as error:
        typer.echo(f"autoencoder-lab: {error}", err=True)
        raise typer.Exit(1) from None
    if said:
        typer.echo(f"In {folder}:\n  " + "\n  ".join(said))
    if not copy_only:
        start_jupyterlab(folder, context.args)


def start_jupyterlab(folder: Path, arguments: list[str]) -> None:
    """JupyterLab of this very interpreter, in folder, on the first notebook; arguments come last and so prevail."""
    os.chdir(folder)
    here = [f"--ServerApp.root_dir={Path.cwd()}", f"--LabApp.default_url=/lab/tree/{student_copy.first_notebook()}"]
    command = [sys.executable, "-m", "jupyterlab", *here, *arguments]
    if os.name == "posix":
        os.execv(sys.executable, command)  # become JupyterLab: signals and the exit status are its own
    else:
        raise typer.Exit(subprocess.call(command))


@app.command()
def doctor() -> None:
    """Check this computer: what works, what does not, and how to mend it. Exit status 1 if something must be mended."""
    from autoencoder_lab.commands import doctor as examination

    findings = examination.examine()
    typer.echo(examination.report(findings))
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


@app.command()
def check(notebook: Annotated[Path, typer.Argument(help="Your lab, e.g. lab1_linear.ipynb")]) -> None:
    """Run a lab and say of each part whether it is done, wrong (and why) or missing. The file is left as it is."""
    from autoencoder_lab.commands import check_lab

    with _errors_in_a_line():
        states, warnings = check_lab.look(notebook)
    typer.echo(check_lab.summary(states, warnings))
    if any(state.state != "done" for state in states):
        raise typer.Exit(1)


# --- for instructors -------------------------------------------------------------------------------------------------

Lab = Annotated[str, typer.Argument(help="A lab's name, e.g. lab1_linear")]
CourseFolder = Annotated[Path, typer.Option("--course", help="The folder that holds source/ and judges/.")]
Database = Annotated[str, typer.Option("--db", help="The gradebook's address; empty for gradebook.db in the course.")]
ASSIGNMENTS = Path("assignments")


@contextmanager
def _errors_in_a_line() -> Iterator[None]:
    """Errors a person can mend, in one line and with exit status 1."""
    from autoencoder_lab.grading.walls import SandboxError

    try:
        yield
    except (ValueError, OSError, SandboxError) as error:
        typer.echo(f"autoencoder-lab: {error}", err=True)
        raise typer.Exit(1) from None
    except ModuleNotFoundError as error:
        typer.echo(f"autoencoder-lab: {error.name} is missing: pip install 'autoencoder_lab[grading]'", err=True)
        raise typer.Exit(1) from None


@app.command()
def release(lab: Lab, course: CourseFolder = ASSIGNMENTS, db: Database = "") -> None:
    """Make the students' notebook of a lab, without solutions, in release/LAB; the gradebook is not asked for it."""
    with _errors_in_a_line():
        from autoencoder_lab.grading import lab_source
        from autoencoder_lab.grading.folders import Course
        from autoencoder_lab.grading.judge import load_judge

        place = Course(course, db)
        source = lab_source.source_notebook(place.text(lab))
        lab_source.write(source, place.source(lab))
        limits = load_judge(place.judge(lab)).limits
        lab_source.write(lab_source.released(source, limits), place.release(lab))
    typer.echo(f"Hand out {place.release(lab)}")


@app.command()
def grade(
    lab: Lab,
    submissions: Annotated[Path, typer.Argument(help="A folder or .zip of what was handed in.")],
    course: CourseFolder = ASSIGNMENTS,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Submissions graded at a time.")] = 1,
    isolation: Annotated[
        str, typer.Option(help="bwrap, or none: only for notebooks you would run yourself.")
    ] = "bwrap",
    scheduler: Annotated[str, typer.Option(help="A Dask scheduler's address, to use its workers.")] = "",
    due: Annotated[str, typer.Option(help="Until when, ISO 8601; times come from manifest.csv.")] = "",
    late: Annotated[str, typer.Option(help="none: late ones count in full; zero: they count nothing.")] = "none",
    allow_root: Annotated[bool, typer.Option(help="Grade as root, who is bound by fewer limits.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Grade once more what is graded already.")] = False,
    part: Annotated[list[str] | None, typer.Option(help="With --dry-run: a part to try; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be graded; store nothing.")] = False,
    db: Database = "",
) -> None:
    """Run and mark a class's notebooks in a sandbox, and enter the points into nbgrader's gradebook.

    A run that was stopped goes on where it was: what is graded already is not graded again, unless what was handed in,
    the judge, or code that the judge reaches has changed.
    """
    with _errors_in_a_line():
        from autoencoder_lab.commands import grading
        from autoencoder_lab.grading.folders import Course

        if part and not dry_run:
            raise ValueError("--part goes with --dry-run; marks are made anew for all parts together, by --force")
        place, walls, by_when = Course(course, db), grading.isolation_of(isolation), grading.late_of(due, late)
        if dry_run:
            said = grading.dry_run(
                lab,
                submissions,
                place,
                part or (),
                workers=jobs,
                scheduler=scheduler,
                isolation=walls,
                allow_root=allow_root,
            )
        else:
            said = grading.grade(
                lab,
                submissions,
                place,
                workers=jobs,
                scheduler=scheduler,
                isolation=walls,
                late=by_when,
                allow_root=allow_root,
                force=force,
            )
        typer.echo(said)


@app.command()
def feedback(lab: Lab, course: CourseFolder = ASSIGNMENTS, db: Database = "") -> None:
    """Write a page for every student, feedback/STUDENT/LAB/LAB.html, with the marks people gave."""
    with _errors_in_a_line():
        from autoencoder_lab.commands import grading
        from autoencoder_lab.grading.folders import Course

        typer.echo(grading.feedback(lab, Course(course, db)))


@app.command()
def export(
    lab: Lab,
    format: Annotated[str, typer.Option(help="csv (a table) or gradescope (a results.json each).")] = "csv",
    course: CourseFolder = ASSIGNMENTS,
    db: Database = "",
) -> None:
    """Write the marks of the gradebook for another system, into exports/."""
    with _errors_in_a_line():
        from autoencoder_lab.commands import grading
        from autoencoder_lab.grading.folders import Course

        typer.echo(grading.export(lab, format, Course(course, db)))


@app.command()
def report(lab: Lab, course: CourseFolder = ASSIGNMENTS, db: Database = "") -> None:
    """Show how a class did: the distribution, the parts most missed, and the misconceptions behind them."""
    with _errors_in_a_line():
        from autoencoder_lab.commands import grading
        from autoencoder_lab.grading.folders import Course

        typer.echo(grading.report(lab, Course(course, db)))


def main() -> None:
    app()


if __name__ == "__main__":
    main()
