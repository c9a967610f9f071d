"""The command line: `autoencoder-lab open` for the course, `autoencoder-lab doctor` when something is wrong."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from autoencoder_lab import course

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
FIRST = "00_start_here.ipynb"


@app.callback()
def autoencoder_lab() -> None:
    """A course on autoencoders and their relatives, trained live on a laptop."""


@app.command(name="open", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def open_(
    context: typer.Context,
    dir: Annotated[Path, typer.Option(help="Your folder; made if there is none.")] = Path("my-course"),
) -> None:
    """Copy the course into a folder of yours and start JupyterLab there.

    What you changed is never overwritten. Arguments not named here go to JupyterLab: --no-browser --port=8890
    """
    folder = dir.expanduser()
    try:
        said = course.lay_out(folder)
    except course.CourseError as error:
        typer.echo(f"autoencoder-lab: {error}", err=True)
        raise typer.Exit(1) from None
    if said:
        typer.echo(f"In {folder}:\n  " + "\n  ".join(said))
    start_jupyterlab(folder, context.args)


def start_jupyterlab(folder: Path, arguments: list[str]) -> None:
    """JupyterLab of this very interpreter, in folder, on the first notebook; arguments come last and so prevail."""
    os.chdir(folder)
    here = [f"--ServerApp.root_dir={Path.cwd()}", f"--LabApp.default_url=/lab/tree/{FIRST}"]
    command = [sys.executable, "-m", "jupyterlab", *here, *arguments]
    if os.name == "posix":
        os.execv(sys.executable, command)  # become JupyterLab: signals and the exit status are its own
    else:
        raise typer.Exit(subprocess.call(command))


@app.command()
def doctor() -> None:
    """Check this computer: what works, what does not, and how to mend it. Exit status 1 if something must be mended."""
    from autoencoder_lab import doctor as examination

    findings = examination.examine()
    typer.echo(examination.report(findings))
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
