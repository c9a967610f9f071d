"""Students' ids, made from the names that people and platforms give to files."""

import hashlib
import re
import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath

LONGEST_ID = 200  # bytes: with an ending, a file's name has at most 255
MOST_LETTERS = 80
DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)  # no names of files on Windows
ENDING = re.compile(
    r"(\.ipynb)?(\.txt|\.json)?(\.tar)?\.(ipynb|zip|tar|tgz|tbz2?|txz|gz|bz2|xz"
    r"|rar|7z|pdf|py|html?|txt|json|docx?|odt|md|rtf|csv|png|jpe?g)$",
    re.IGNORECASE,
)
# Moodle: "Jane Doe_123_assignsubmission_file_"; Canvas: "doejane_LATE_123_456_lab1.ipynb"
MOODLE = re.compile(r"^(.*?)_assignsubmission_(file|onlinetext)_?")
CANVAS = re.compile(r"^([^_\W]+)(?:_LATE)?_(\d{3,})_\d{3,}_(?=.)")  # a year and a month are none of its numbers
ANONYMOUS = re.compile(r"^(?:LATE_)?(anon_[^\W_]+)_\d+_(?=.)")  # Canvas; the second number is the file's
BLACKBOARD = re.compile(r"^.+?_(?P<own>[^_]+)_attempt_(?P<when>\d{4}(?:-\d\d){5})(?:_(?=.)|(?=\.txt$))")
BRIGHTSPACE = re.compile(
    r"^(?P<id>\d+)-\d+ - (?P<own>.+?) - (?P<when>\w{3} \d{1,2}, \d{4} \d{3,4} [AP]M)(?: - (?=.)|$)"
)
GRADESCOPE, METADATA = re.compile(r"submission_\d+"), "submission_metadata.yml"
OF_NOBODY = re.compile(  # what people call a version of a notebook, or a folder of them, and nobody's name
    r"\d{1,2}|(?:\d{1,2}[\W_]++)?(?:(?:old|new|older|newest|latest|previous|original|orig|first|last|final|drafts?|"
    r"versions?|v|copy|copies|of|my|back|up|backups?|bak|save[ds]?|scratch|te?mp|work|tests?|tries|try|attempt|notes?|"
    r"notebooks?|untitled|labs?|homework|solutions?|submissions?|submitted|archives?|src|source|data|alt|neu|kopie|"
    r"sicherung|entwurf)[\W\d_]*+)+",
    re.IGNORECASE,
)
UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")


def platform_name(name: str) -> str:
    """What a platform put before a student's own file name, e.g. "Jane Doe_123"; "" where none did."""
    if moodle := MOODLE.match(name):
        return moodle[1]
    if anonymous := ANONYMOUS.match(name):
        return anonymous[1]
    if brightspace := BRIGHTSPACE.match(name):
        return f"{brightspace['own']}_{brightspace['id']}"
    if blackboard := BLACKBOARD.match(name):
        return blackboard["own"]
    canvas = CANVAS.match(name)
    return f"{canvas[1]}_{canvas[2]}" if canvas else ""


def own_name(name: str) -> str:
    """What a student called a file, without what a platform put before it."""
    for form in (MOODLE, ANONYMOUS, BRIGHTSPACE, BLACKBOARD, CANVAS):
        if found := form.match(name):
            return name[found.end() :]
    return name


def are_a_platforms(tops: Collection[str]) -> bool:
    """Whether all that lies in a folder has names that one of the platforms gives, so that the folder is a class's."""
    if METADATA in tops:
        return all(top == METADATA or GRADESCOPE.fullmatch(top) for top in tops)
    own = [top for top in tops if top != "index.html"]  # Brightspace's
    return bool(own) and all(map(platform_name, own))


def student_of(name: str, lab: str) -> str:
    """A student's id from the path a platform gave the file; letters with their marks, digits, "_", "-", "." alone.

    Names in every script keep what distinguishes them; of what is too long, a hash of the whole keeps it apart.
    """
    whole, own = _own(name, lab)
    kept = "".join(character if _is_kept(character) else " " * _is_seen(character) for character in own)
    own = unicodedata.normalize("NFC", re.sub(r"\s+", "_", kept)).strip("._-")
    while own and unicodedata.category(own[0]) in ("Mn", "Mc", "Me"):  # a mark that stands on nothing
        own = own[1:].lstrip("._-")
    if not own and any(unicodedata.category(character)[0] == "S" for character in whole):
        own = f"unnamed_{_hash(whole)}"  # signs and pictures alone: no two of these are one
    own = f"student_{own}" if DEVICE.match(own) else own or "unnamed"
    if len(own) > MOST_LETTERS or len(own.encode()) > LONGEST_ID:
        cut = own[: MOST_LETTERS - 9].encode()[: LONGEST_ID - 9].decode(errors="ignore").rstrip("._-")
        own = f"{cut}_{_hash(whole)}"
    return own


def _own(name: str, lab: str) -> tuple[str, str]:
    """(the first step of a path, what of it is a student's name, as it was written)."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in (".", "..", "/")]
    whole = unicodedata.normalize("NFC", parts[0] if parts else "")
    own = platform_name(whole) or ENDING.sub("", whole)
    return whole, re.sub(rf"[ _+-]*{re.escape(lab)}( ?\(\d+\))?$", "", own, flags=re.IGNORECASE) or own


def as_written(name: str, lab: str) -> str:
    """A student's name with the signs that an id cannot hold: "c++_fan" where the id is C_fan."""
    return same(re.sub(r"[\s_]+", "_", _own(name, lab)[1]).strip("._"))


def kept_apart(student: str, written: str) -> str:
    """Another id for who would have this one only because signs were left out."""
    short = student.encode()[: LONGEST_ID - 9].decode(errors="ignore")[: MOST_LETTERS - 9].rstrip("._-")
    return f"{short}_{_hash(written)}"


def same(student: str) -> str:
    """Two ids are one student's where this is equal: Ann's files and ann's are one on most disks, Weiß is not Weiss."""
    return unicodedata.normalize("NFC", student.lower())


def is_of_nobody(name: str, lab: str) -> bool:
    """Whether a file or folder is called as versions of one's own work are ("old", "final_2"), or as a lab is."""
    own = ENDING.sub("", name)
    another_lab = own == name and re.fullmatch(r"lab\d+_\w+", own, re.IGNORECASE)
    return same(own) == same(lab) or bool(another_lab or OF_NOBODY.fullmatch(own))


def is_id(student: str) -> bool:
    """Whether a text is a student's id as `student_of` makes them: safe as a folder's name everywhere."""
    if not 1 <= len(student) <= MOST_LETTERS or len(student.encode("utf-8", "replace")) > LONGEST_ID:
        return False
    first, last = student[0], student[-1]
    marks = ("Mn", "Mc", "Me")
    return (
        all(map(_is_kept, student))
        and first not in ".-"
        and unicodedata.category(first) not in marks
        and last not in ".-"
        and not DEVICE.match(student)
    )


def _is_kept(character: str) -> bool:
    if character.isalnum() or character in "_.-":
        return not UNSEEN.match(character)
    return unicodedata.category(character) in ("Mn", "Mc", "Me") and not UNSEEN.match(character)


def _is_seen(character: str) -> bool:
    """Whether it takes room: joiners, marks of direction and the like go without a trace."""
    return unicodedata.category(character) != "Cf" and not UNSEEN.match(character)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
