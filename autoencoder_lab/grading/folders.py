"""Where everything of a graded course lies: nbgrader's own folders, with judges/ and results/ beside them."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autoencoder_lab.files import create_whole
from autoencoder_lab.grading.lab_source import LabError


@dataclass(frozen=True)
class Course:
    """root holds source/LAB/, release/LAB/, judges/LAB.py; grading adds results/, autograded/, feedback/, gradebook.db.

    database: an SQLAlchemy URL; "" for gradebook.db in root.
    """

    root: Path
    database: str = ""

    def __post_init__(self) -> None:
        if not (self.root / "source").is_dir():
            raise LabError(f"{self.root} is no folder of labs: it has no source/; name the folder with --course")

    def labs(self) -> list[str]:
        """The labs there are."""
        return sorted(path.parent.name for path in self.root.glob("source/*/*.py") if path.stem == path.parent.name)

    def text(self, lab: str) -> Path:
        """The lab's text source. Raises LabError for a lab that there is not."""
        if lab not in self.labs():
            raise LabError(f"there is no lab {lab!r}; there are {', '.join(self.labs())}")
        return self.root / "source" / lab / f"{lab}.py"

    def source(self, lab: str) -> Path:
        """The instructor's notebook, made from the text."""
        return self.text(lab).with_suffix(".ipynb")

    def release(self, lab: str) -> Path:
        """The students' notebook."""
        return self.root / "release" / lab / f"{lab}.ipynb"

    def solutions(self, lab: str) -> Path:
        """The notebook with solutions, for release after the deadline."""
        return self.root / "solutions" / lab / f"{lab}.ipynb"

    def released(self, lab: str) -> Path:
        """The students' notebook; LabError where there is none yet."""
        path = self.release(lab)
        self.text(lab)
        if not path.is_file():
            raise LabError(f"{lab} has not been released; autoencoder-lab release {lab}")
        return path

    def judge(self, lab: str) -> Path:
        """The judge's file, never released."""
        return self.root / "judges" / f"{lab}.py"

    def results(self, lab: str) -> Path:
        """One JSON a student: what grading found."""
        return self.root / "results" / lab

    def autograded(self, lab: str, student: str) -> Path:
        """The graded notebook as nbgrader's formgrader and feedback want it."""
        return self.root / "autograded" / student / lab / f"{lab}.ipynb"

    def feedback(self, lab: str, student: str) -> Path:
        """The page for the student."""
        return self.root / "feedback" / student / lab / f"{lab}.html"

    @property
    def gradebook(self) -> str:
        """The database's URL."""
        return self.database or f"sqlite:///{(self.root / 'gradebook.db').resolve()}?timeout=30"

    def seed(self) -> int:
        """The course's private seed, which draws what the probes are asked; made once, kept in private_seed.

        256 bits of the system's; an earlier version drew 31, which are read as ever.
        """
        path = self.root / "private_seed"
        if not path.exists():
            with suppress(FileExistsError):  # another run made one a moment ago: that one counts
                create_whole(path, f"{secrets.randbits(256)}\n", mode=0o600)
        try:
            seed = int(path.read_text(encoding="utf-8"))
            if seed < 0:
                raise ValueError
            return seed
        except ValueError:
            raise LabError(
                f"{path} must hold one whole number; restore it, or old results cannot be repeated"
            ) from None
