"""The files of marks that platforms give and take: by which columns each knows its students, and where a mark goes.

Sources: Canvas's gradebook importer, Moodle's offline grading worksheet and its gradebook's import of CSV files,
Blackboard's and Brightspace's help on working offline.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from autoencoder_lab.grading.lab_source import LabError
from autoencoder_lab.grading.names import same, student_of


@dataclass(frozen=True)
class Platform:
    """ids: headings of what identifies a student; names: of names, each entry a list of headings that belong together.

    column: what the heading of a column of marks looks like; numbered: whether the number that its bulk download puts
    behind a name stands in the file too; bounded: whether it refuses a mark over the maximum.
    """

    name: str
    ids: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    column: str
    numbered: str = ""
    bounded: bool = False


FIRST_LAST = (("First Name", "Last Name"), ("Last Name", "First Name"))
CANVAS = Platform("canvas", ("ID", "SIS User ID", "SIS Login ID"), (("Student",),), r".* \(\d+\)", numbered=r"ID:(\d+)")
WORKSHEET = Platform(
    "moodle-worksheet",
    ("Identifier", "Email address", "Username", "ID number"),
    (("Full name",), ("Identifier",)),
    "Grade",
    numbered=r"Identifier:.*?(\d+)",
    bounded=True,
)
GRADEBOOK = Platform(
    "moodle-gradebook",
    ("Username", "Email address", "ID number", "ID", "Email", "User ID"),
    (("First name", "Surname"), ("First name", "Last name"), ("Surname", "First name"), ("Last name", "First name")),
    r".+",
    bounded=True,
)
BLACKBOARD = Platform("blackboard", ("Username", "Student ID"), FIRST_LAST, r".*\[Total Pts: [^]]*\] *\|.*")
BRIGHTSPACE = Platform("brightspace", ("OrgDefinedId", "Username", "Email"), FIRST_LAST, r".* Points Grade\b.*")
NO_MARKS = {  # headings of a gradebook of Moodle's that are no activity's
    "first name", "surname", "last name", "id number", "institution", "department", "email address", "username", "id",
    "email", "user id", "last downloaded from this course", "course total",
}  # fmt: skip
EXPECTED = (
    "expected a gradebook of Canvas (Student, ID, …), a grading worksheet (Identifier, …) or a gradebook of Moodle's "
    "(Email address, Username or ID number), Blackboard's (Username, Title [Total Pts: …] |…) or Brightspace's "
    "(OrgDefinedId or Username, …, End-of-Line Indicator)"
)


def platform_of(headings: Sequence[str]) -> Platform:
    """Whose file this is, by its first line. Raises LabError for none's, and for Gradescope's, which takes no marks."""
    if len(headings) > 1 and "Student" in headings[0] and "ID" in headings[1]:
        return CANVAS
    if "Identifier" in headings:
        return WORKSHEET
    if "End-of-Line Indicator" in headings:
        return BRIGHTSPACE
    if "Username" in headings and any(re.fullmatch(BLACKBOARD.column, one) for one in headings):
        return BLACKBOARD
    if "SID" in headings and {"Submission ID", "Total Score", "First Name"} & set(headings):
        raise LabError(
            "Gradescope takes no table of marks; autoencoder-lab export LAB --format gradescope writes its form"
        )
    if {"email address", "username", "id number"} & {one.casefold() for one in headings}:
        return GRADEBOOK
    raise LabError(f"no platform's file of marks begins with {', '.join(headings)[:150]!r}; {EXPECTED}")


def column_of(platform: Platform, headings: Sequence[str], lab: str, wanted: str = "") -> int:
    """The column for the lab's marks: the one of its name, or the one that is `wanted`. Raises LabError.

    A heading may hold the lab's name, or its beginning with the number ("Lab 1" for lab1_linear), and more than that.
    """
    able = [index for index, one in enumerate(headings) if re.fullmatch(platform.column, one, re.IGNORECASE)]
    if platform is GRADEBOOK:
        able = [index for index in able if re.sub(r" \([^()]*\)$", "", headings[index]).casefold() not in NO_MARKS]
    if wanted:
        exact = [index for index in able if headings[index] == wanted]
        found = exact or [index for index in able if loose(wanted) in loose(headings[index])]
    elif platform is WORKSHEET:
        found = able
    else:
        whole = [index for index in able if loose(lab) in loose(headings[index])]
        begin = re.compile(rf"(?<![^\W_]){re.escape(loose(lab.split('_')[0]))}(?!\d)")
        numbered = [
            index for index in able if begin.search(re.sub(r"(?<=[a-z])[ _-]+(?=\d)", "", same(headings[index])))
        ]
        found = whole or numbered
    if len(found) == 1:
        return found[0]
    which = ", ".join(repr(headings[index]) for index in found or able) or "none"
    said = "several columns could be meant" if found else f"no column of marks is {wanted or lab}'s"
    raise LabError(f"{said}: {which}; name one with --column, and make it on the platform first where it is missing")


def maximum_of(platform: Platform, headings: Sequence[str], rows: Sequence[Sequence[str]], column: int) -> float | None:
    """What the platform's column counts to, where the file says so. Raises LabError for a column of no numbers."""
    said = ""
    if platform is CANVAS:
        said = next((row[column] for row in rows if len(row) > column and is_maximum(row)), "")
    elif platform is WORKSHEET and "Maximum Grade" in headings:
        place = headings.index("Maximum Grade")
        said = next((row[place] for row in rows if len(row) > place and row[place]), "")
    elif platform in (BLACKBOARD, BRIGHTSPACE):
        form = (
            r"\[Total Pts: (?:up to )?([\d.,]+) Score\]" if platform is BLACKBOARD else r"<Numeric MaxPoints:([\d.,]+)"
        )
        if not (found := re.search(form, headings[column])):
            raise LabError(f"the column {headings[column]!r} takes no points; show it as points on the platform first")
        said = found[1]
    try:
        return float(said.replace(",", ".")) if said else None
    except ValueError:
        return None


def is_maximum(row: Sequence[str]) -> bool:
    """Whether it is Canvas's row of the points possible."""
    return bool(row) and "Points Possible" in row[0]


def ids_in(platform: Platform, row: dict[str, str]) -> set[str]:
    """What identifies the student of a row, in the form that our ids have. row: {heading: value}."""
    found = {same(student_of(row[one].lstrip("#"), "")) for one in platform.ids if row.get(one, "").strip("#")}
    if platform.numbered:
        heading, form = platform.numbered.split(":", 1)
        if number := re.fullmatch(form, row.get(heading, "")):
            found |= {number[1]} | {f"{name}_{number[1]}" for name in names_in(platform, row)}
    return found


def names_in(platform: Platform, row: dict[str, str]) -> set[str]:
    """A row's names without spaces and signs, in both orders. row: {heading: value}."""
    found = set()
    for headings in platform.names:
        name = " ".join(row.get(one, "") for one in headings)
        if headings == ("Identifier",):
            name = re.sub(r"\d+$", "", name)
        last, comma, first = name.partition(",")
        found |= {loose(name), loose(first + last)} if comma else {loose(name)}
    return found - {""}


def loose(text: str) -> str:
    """Letters and digits alone, small: platforms leave out what they cannot have in the name of a file."""
    return "".join(filter(str.isalnum, same(text)))
