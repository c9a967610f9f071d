"""A class's folder as people and platforms fill it: everybody has a row, nobody another's, and every name stays."""

import csv
import gzip
import io
import os
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from autoencoder_lab.grading.containers import Unreadable
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.submission import collect, find, is_id, student_of
from grading.test_submission import notebook

LAB = "lab1_linear"
Files = dict[str, bytes]
RIGHT = notebook("right")


def packed(files: Files) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, inside in files.items():
            archive.writestr(name, inside)
    return content.getvalue()


def tarred(files: Files, mode: str = "w:gz") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:  # type: ignore[call-overload]
        for name, inside in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(inside)
            archive.addfile(entry, io.BytesIO(inside))
    return content.getvalue()


def laid(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def rows(place: Path) -> dict[str, str]:
    """{student: the first cell's text, or "no: " and the reason}."""
    found = {}
    for one in find(place, LAB):
        try:
            found[one.student] = cells_of(one.read())[0].source
        except Unreadable as error:
            found[one.student] = f"no: {error}"
    return found


ONE_SUBMISSION: dict[str, Files] = {  # whatever lies beside it, the zip is its owner's
    "checkpoints": {f"{LAB}.ipynb": RIGHT, f".ipynb_checkpoints/{LAB}-checkpoint.ipynb": notebook("old")},
    "a scratch folder": {f"{LAB}.ipynb": RIGHT, "scratch/notes.ipynb": notebook()},
    "another lab": {f"{LAB}.ipynb": RIGHT, "lab2_conv.ipynb": notebook("two")},
    "two folders": {f"a/{LAB}.ipynb": RIGHT, "b/notes.ipynb": notebook()},
    "of a Mac": {"my work.ipynb": RIGHT, "._my work.ipynb": b"\0", "__MACOSX/._my work.ipynb": b"\0"},
    "in a folder": {f"work/{LAB}.ipynb": RIGHT, "work/data/x.csv": b"1,2"},
    "in two folders": {f"home/work/{LAB}.ipynb": RIGHT},
    "an older one deeper": {f"{LAB}.ipynb": RIGHT, f"old/{LAB}.ipynb": notebook("old")},
    "other capitals": {"Lab1_Linear.ipynb": RIGHT, "scratch.ipynb": notebook("s")},
    "a browser's copy": {f"{LAB} (1).ipynb": RIGHT, "notes.ipynb": notebook("n")},
    "under another name": {"my work.ipynb": RIGHT, "notes.ipynb": notebook()},
    "saved as text": {f"{LAB}.ipynb.txt": RIGHT, "readme.txt": b"hello"},
    "another archive": {f"work/{LAB}.zip": packed({f"{LAB}.ipynb": RIGHT})},
    "an archive in an archive": {"a.zip": packed({"b.tar.gz": tarred({f"c/{LAB}.ipynb": RIGHT})})},
    "a notebook twice": {f"a/{LAB}.ipynb": RIGHT, f"b/{LAB}.ipynb": RIGHT},
    "Windows's separators": {f"work\\{LAB}.ipynb": RIGHT, "work\\notes.ipynb": notebook("n")},
    "names that claim others": {f"{LAB}.ipynb": RIGHT, "manifest.csv": b"file,student\nlab1_linear.ipynb,eve\n"},
}


@pytest.mark.parametrize("what", ONE_SUBMISSION)
@pytest.mark.parametrize("form", [packed, tarred], ids=["zip", "tar.gz"])
def test_an_archive_of_one_submission_is_its_owners(tmp_path: Path, what: str, form: Callable[[Files], bytes]) -> None:
    name = "ann.zip" if form is packed else "ann.tar.gz"
    files = {name: form(ONE_SUBMISSION[what]), "eve.ipynb": notebook("eve"), "bob.pdf": b"%PDF"}
    found = rows(laid(tmp_path / "class", files))
    assert found.keys() == {"ann", "bob", "eve"} and found["ann"] == "right" and found["eve"] == "eve"
    # named by itself it is one student's all the same; a folder with the same files as well
    if what != "a notebook twice":  # may as well be two students'
        assert rows(laid(tmp_path / "alone", {name: files[name]}) / name) == {"ann": "right"}
    if "\\" not in next(iter(ONE_SUBMISSION[what])):
        unpacked = {f"ann/{inside}": content for inside, content in ONE_SUBMISSION[what].items()}
        assert rows(laid(tmp_path / "unpacked", unpacked | {"eve.ipynb": RIGHT}))["ann"] == "right"


@pytest.mark.parametrize(
    "files",
    [
        {"eve.ipynb": RIGHT, "fay.ipynb": notebook("f")},
        {f"eve/{LAB}.ipynb": RIGHT, f"fay/{LAB}.ipynb": notebook("f")},
        {
            f"Eve E_1_assignsubmission_file_/{LAB}.ipynb": RIGHT,
            f"Fay_2_assignsubmission_file_/{LAB}.ipynb": RIGHT + b" ",
        },
        {
            f"eve_456_789_{LAB}.ipynb": RIGHT,
            f"fay_457_790_{LAB}.ipynb": notebook("f"),
            "manifest.csv": b"file,student\n",
        },
        {f"s{number}/{LAB}.ipynb": notebook(str(number)) for number in range(500)},
        {f"class/eve/{LAB}.ipynb": RIGHT, f"class/fay/{LAB}.ipynb": notebook("f")},
    ],
)
def test_no_archive_in_a_class_speaks_for_another_student(tmp_path: Path, files: Files) -> None:
    for alone in (True, False):  # also where only this one came late
        folder = tmp_path / str(alone)
        others = {} if alone else {"eve.ipynb": notebook("eve"), "fay.ipynb": notebook("fay")}
        found = rows(laid(folder, {"mallory.zip": packed(files)} | others))
        assert found.keys() == {"mallory"} | {name.removesuffix(".ipynb") for name in others}
        assert "several notebooks" in found["mallory"] and all(found[name[:3]] == name[:3] for name in others)


NOT_READ = {
    "a.rar": b"Rar!\x1a\x07", "b.7z": b"7z\xbc\xaf", "c.pdf": b"%PDF-1.7", "d.py": b"x = 1", "e.html": b"<html>",
    "f": b"", "g.docx": b"PK\3\4", "h.txt": b"{ not JSON", "i.zip": b"<html>expired</html>", "j.ipynb": b"",
    "k.tar.gz": b"", "l.zip": packed({}), "m.zip": packed({"report.pdf": b"%PDF"}), "n.tar": tarred({"x.py": b""}, "w"),
}  # fmt: skip
INSIDE = {"x.ipynb": RIGHT}
READ = {
    "A.ipynb.txt": RIGHT, "B.ipynb.json": RIGHT, "C.json": RIGHT, "D.IPYNB": RIGHT, "E.txt": b"\xef\xbb\xbf" + RIGHT,
    "F.zip": packed(INSIDE), "G.tar.gz": tarred(INSIDE), "H.tar": tarred(INSIDE, "w"), "I.tgz": tarred(INSIDE),
    "J.ipynb.gz": gzip.compress(RIGHT), "K.tar.xz": tarred(INSIDE, "w:xz"), "L.ipynb": packed(INSIDE),
    "M.tar.bz2": tarred(INSIDE, "w:bz2"), "N": RIGHT,
}  # fmt: skip


def test_every_entry_is_a_row(tmp_path: Path) -> None:
    system = {".DS_Store": b"", "Thumbs.db": b"", "._z.ipynb": b"\0", "__MACOSX/._x.ipynb": b"\0", "desktop.ini": b""}
    handed_in = laid(tmp_path / "class", NOT_READ | system | {"s/report.pdf": b"%PDF"})
    (handed_in / "o").mkdir()
    (handed_in / "p.ipynb").symlink_to(handed_in / "c.pdf")
    os.mkfifo(handed_in / "q.ipynb")
    (handed_in / "r").symlink_to(tmp_path)
    found = rows(handed_in)
    assert found.keys() == {*"abcdefghijklmnopqrs"}
    assert "link" in found["p"] and "ordinary" in found["q"] and "link" in found["r"]


def test_what_cannot_be_read_says_what_to_hand_in(tmp_path: Path) -> None:
    found = rows(laid(tmp_path, NOT_READ))
    assert found.keys() == {name[0] for name in NOT_READ} and all(text.startswith("no: ") for text in found.values())
    assert all("hand in the .ipynb" in found[name] for name in "abcdefhlmn")
    assert found["c"] == "no: a .pdf file cannot be read: hand in the .ipynb"
    assert "only report.pdf" in found["m"]


def test_what_can_be_read_is_read(tmp_path: Path) -> None:
    assert rows(laid(tmp_path, READ)) == {name[0]: "right" for name in READ}


def test_a_printout_beside_the_notebook_costs_nothing_and_is_told(tmp_path: Path) -> None:
    found, notes = collect(laid(tmp_path, {"ann.ipynb": RIGHT, "ann.pdf": b"%PDF", "ann.html": b"<p>"}), LAB)
    assert [one.student for one in found] == ["ann"] and found[0].read() == RIGHT
    assert notes == ["ann: ann.html, ann.pdf was not read, ann.ipynb was"]


# --- platforms -------------------------------------------------------------------------------------------------------

MOODLE = {
    "Jane Doe_1_assignsubmission_file_/lab1.zip": packed({f"{LAB}.ipynb": RIGHT}),
    "Jane Doe_1_assignsubmission_onlinetext_/onlinetext.html": b"hello",
    f"Bob Roe_2_assignsubmission_file_/{LAB}.ipynb": RIGHT,
    "Cy_3_assignsubmission_file_/report.pdf": b"%PDF",
    "Di_4_assignsubmission_onlinetext_/onlinetext.html": b"hello",
    f"Ed_5_assignsubmission_file_{LAB}.ipynb": RIGHT,  # without folders
    "Ed_5_assignsubmission_file_report.pdf": b"%PDF",
    "Fi_6_assignsubmission_file_/Bob Roe_2_assignsubmission_file_/x.ipynb": notebook("fi"),
}
CANVAS = {
    f"doejane_456_789_{LAB}.ipynb": RIGHT,
    "doejane_456_790_report.pdf": b"%PDF",
    f"roebob_LATE_457_791_{LAB}-1.ipynb": RIGHT,
    "cy_458_792_work.zip": packed({f"eve/{LAB}.ipynb": RIGHT, "fay/notes.ipynb": notebook()}),
    "di_459_793_report.pdf": b"%PDF",
    "ed_460_794_work.rar": b"Rar!",
    f"fi_461_795_{LAB}.ipynb.txt": RIGHT,
}


@pytest.mark.parametrize(
    ("files", "right", "not_read"),
    [
        (MOODLE, {"Jane_Doe_1", "Bob_Roe_2", "Ed_5"}, {"Cy_3", "Di_4"}),
        (CANVAS, {"doejane_456", "roebob_457", "cy_458", "fi_461"}, {"di_459", "ed_460"}),
    ],
    ids=["Moodle", "Canvas"],
)
@pytest.mark.parametrize("around", ["", "submissions/", "download/submissions/"])
def test_a_platforms_class_gives_all_rows(
    tmp_path: Path, files: Files, right: set[str], not_read: set[str], around: str
) -> None:
    inside = {around + name: content for name, content in files.items()} | {"__MACOSX/._x": b"\0"}
    (tmp_path / "class.zip").write_bytes(packed(inside))
    for place in (laid(tmp_path / "class", inside), tmp_path / "class.zip"):
        found = rows(place)
        assert {name for name, text in found.items() if text == "right"} == right
        assert {name for name, text in found.items() if text.startswith("no: ")} == not_read
        assert found.keys() - right - not_read == ({"Fi_6"} if files is MOODLE else set())


def test_a_class_in_one_archive_or_folder(tmp_path: Path) -> None:
    files = {
        f"ann/{LAB}.ipynb": RIGHT,
        f"bob/my/{LAB}.ipynb": RIGHT,
        "cy.ipynb": RIGHT,
        "di.zip": packed({"a.ipynb": RIGHT}),
    }
    files |= {"ed/report.pdf": b"%PDF", "fi.rar": b"Rar!"}
    for around in ("", "submissions/"):
        inside = {around + name: content for name, content in files.items()}
        (tmp_path / "class.zip").write_bytes(packed(inside))
        folder = laid(tmp_path / f"class{len(around)}", inside)
        for place in (tmp_path / "class.zip", folder / around):
            found = rows(place)
            assert {name: text[:5] for name, text in found.items()} == {
                "ann": "right", "bob": "right", "cy": "right", "di": "right", "ed": "no: t", "fi": "no: a"
            }  # fmt: skip
    found_in, notes = collect(folder, LAB)  # one folder in the folder that was named is one student's
    assert [one.student for one in found_in] == ["submissions"]
    assert f"one student's folder; if it is the class's, name it: {folder / 'submissions'}" in notes[0]


ALONE: dict[str, Files] = {
    "others' names": {f"bob/{LAB}.ipynb": RIGHT, f"carl/{LAB}.ipynb": notebook("c")},
    "others' names deeper": {f"x/bob/{LAB}.ipynb": RIGHT, f"x/carl/{LAB}.ipynb": notebook("c"), "x/dan.ipynb": RIGHT},
    "others' files": {"bob.ipynb": RIGHT, "carl.zip": packed({"a.ipynb": RIGHT}), "dan.ipynb": notebook("d")},
    "a manifest": {"manifest.csv": b"file,student\na.ipynb,bob\n", "a.ipynb": RIGHT, "b.ipynb": notebook("b")},
    "old and new": {f"old/{LAB}.ipynb": RIGHT, f"new/{LAB}.ipynb": notebook("n")},
    "final and draft": {"final.ipynb": RIGHT, "draft.ipynb": notebook("d")},
}
VERSIONS: dict[str, Files] = {
    "Moodle's names among others": {f"Bob_2_assignsubmission_file_/{LAB}.ipynb": RIGHT, "a.ipynb": notebook("a")},
    "backups": {f"{LAB}.ipynb": RIGHT, f"old/{LAB}.ipynb": notebook("o"), f"backup/{LAB}.ipynb": notebook("b")},
    "more of them": {f"{LAB}.ipynb": RIGHT} | {f"{name}/{LAB}.ipynb": notebook(name) for name in ("v1", "v2", "ann")},
    "labs": {f"{LAB}/{LAB}.ipynb": RIGHT, "lab2_conv/lab2_conv.ipynb": notebook("2")},
}


@pytest.mark.parametrize("what", [*ALONE, *VERSIONS])
@pytest.mark.parametrize("more", [{}, {"README.md": b""}], ids=["alone", "beside a note of ours"])
def test_one_folder_is_one_students(tmp_path: Path, what: str, more: Files) -> None:
    files = {f"eve/{name}": content for name, content in (ALONE | VERSIONS)[what].items()}
    found = rows(laid(tmp_path / "in", files | more))
    assert found.keys() - {"README"} == {"eve"} and (found["eve"] == "right") == (what in VERSIONS)
    (tmp_path / "eve.zip").write_bytes(packed(files))
    if (what in VERSIONS and what[0] != "M") or what[:3] in (
        "old",
        "fin",
    ):  # an archive that is named by itself may be a class's
        assert rows(tmp_path / "eve.zip").keys() == {"eve"}


def test_backups_are_told(tmp_path: Path) -> None:
    files = {f"ann/{name}": content for name, content in VERSIONS["backups"].items()}
    files["bob.zip"] = packed(VERSIONS["backups"])
    found, notes = collect(laid(tmp_path, files), LAB)
    assert [one.student for one in found] == ["ann", "bob"] and len(notes) == 2
    for student, note in zip(("ann", "bob"), notes, strict=True):
        assert note.startswith(f"{student}: ") and f"old/{LAB}.ipynb" in note and f"backup/{LAB}.ipynb" in note


@pytest.mark.parametrize(
    "names", [("Weiß", "Weiss"), ("Strauß", "STRAUSS"), ("ﬁona", "fiona"), ("ŉandi", "ʼnandi"), ("Groß_1", "Gross_1")]
)
def test_two_people_are_two(tmp_path: Path, names: tuple[str, str]) -> None:
    first, second = names
    files = {f"{first}.ipynb": notebook("1"), f"{second}/{LAB}.ipynb": notebook("2")}
    assert sorted(rows(laid(tmp_path / "a", files)).values()) == ["1", "2"]
    found, notes = collect(with_manifest(tmp_path / "b", {f"{first}.ipynb": RIGHT}, f"{second}.ipynb"), LAB)
    assert found[0].student != "s100" and len(notes) == 1


def test_what_looks_like_canvas_and_is_not_is_two_students(tmp_path: Path) -> None:
    names = ["g2_2026_11_tiny", "g2_2026_12_zed", "a_1_2_x", "a_1_3_y", "team_04_07_1"]
    assert sorted(rows(laid(tmp_path, {f"{name}.ipynb": notebook(name) for name in names})).values()) == sorted(names)


def test_what_canvas_gives_and_is_not_read_is_told(tmp_path: Path) -> None:
    files = {f"ann_4561_7891_{LAB}.ipynb": RIGHT, "ann_4561_7892_zed.ipynb": notebook("z")}
    files |= {"bob_4562_7893_a.ipynb": RIGHT, "bob_4562_7894_a.zip": packed({})}
    found, notes = collect(laid(tmp_path, files), LAB)
    assert [one.student for one in found] == ["ann_4561", "bob_4562"] and len(notes) == 2
    assert "ann_4561_7892_zed.ipynb was not read" in notes[0] and "bob_4562_7894_a.zip was not read" in notes[1]


# --- names -----------------------------------------------------------------------------------------------------------

NAMES = [
    "आरती शर्मा", "आरता शर्मा", "สมชาย ใจดี", "สมชัย ใจดี", "রবীন্দ্রনাথ", "রবন্দ্রনাথ", "רָחֵל", "רחל", "مُحَمَّد", "محمد",
    "Zoë", "Zoe", "Žofie", "Nguyễn", "Nguyên", "李小龍", "ひがし", "びがし", "O'Brien", "ಕನ್ನಡ", "தமிழ்", "தமிழ",
    "မြန်မာ", "ខ្មែរ", "ሰላም", "😀", "🎉", "x" * 100, "x" * 101,
]  # fmt: skip


def test_names_in_every_script_stay_apart(tmp_path: Path) -> None:
    files = {f"{name}.ipynb": notebook(name) for name in NAMES}
    found = rows(laid(tmp_path, files))
    assert sorted(found.values()) == sorted(NAMES) and all(map(is_id, found))
    kept = {"आरती_शर्मा", "สมชาย_ใจดี", "רָחֵל", "مُحَمَّد", "Zoë", "தமிழ்"}
    assert {unicodedata.normalize("NFC", name) for name in kept} <= found.keys()
    for name in NAMES:  # a Mac's names are taken apart; an id does not depend on what lies beside it
        assert student_of(unicodedata.normalize("NFD", name) + ".ipynb", LAB) == student_of(f"{name}.ipynb", LAB)
        assert rows(laid(tmp_path / "alone" / str(NAMES.index(name)), {f"{name}.ipynb": notebook(name)})) == {
            student_of(f"{name}.ipynb", LAB): name
        }


def test_names_of_an_archive_whose_maker_did_not_say_utf_8(tmp_path: Path) -> None:
    content = packed({f"{name}.ipynb": notebook(name) for name in ("ZZ", "YY")})
    content = content.replace(b"ZZ", "ë".encode()).replace(b"YY", "ї".encode())  # no flag: zipfile would give cp437
    (tmp_path / "class.zip").write_bytes(content)
    assert rows(tmp_path / "class.zip").keys() == {"ë", "ї"}


def test_files_that_collide_are_all_named(tmp_path: Path) -> None:
    if (laid(tmp_path, {"ann.ipynb": RIGHT}) / "ANN.IPYNB").exists():
        pytest.skip("this disk takes both names for one")
    found = rows(laid(tmp_path, {"Ann.ipynb": RIGHT, "ann.zip": packed({"a.ipynb": RIGHT}), "a?n.ipynb": RIGHT}))
    assert found.keys() == {"Ann", "a_n"}
    assert "three files are Ann's, Ann.ipynb, ann.ipynb and ann.zip" in found["Ann"]


@pytest.mark.parametrize(
    ("names", "apart"),
    [
        (["C fan", "C++ fan"], {"C_fan": 0}),
        (["C+ fan", "C# fan", "C++ fan"], {}),
        (["rf", "-rf"], {"rf": 0}),
        (["...", "-", "unnamed"], {"unnamed": 2}),
        (["con", "student_con"], {"student_con": 1}),
        (["o'Brien", "O_Brien"], {"O_Brien": 1}),
        (["x" * 78 + " y", "x" * 78 + "!y"], {"x" * 78 + "_y": 0}),
    ],
)
def test_names_that_differ_by_signs_alone_are_two(tmp_path: Path, names: list[str], apart: dict[str, int]) -> None:
    found, notes = collect(laid(tmp_path, {f"{name}.ipynb": notebook(name) for name in names}), LAB)
    read = {one.student: cells_of(one.read())[0].source for one in found}
    assert sorted(read.values()) == sorted(names) and all(map(is_id, read))
    assert {student: names.index(text) for student, text in read.items() if student in apart} == apart
    assert len(notes) == len(names) - len(apart)


def test_the_same_name_written_twice_is_one_students(tmp_path: Path) -> None:
    for number, (one, two) in enumerate([("Jane Doe", "jane_doe"), ("bob", f"bob_{LAB}"), ("C++ fan", "c++ Fan")]):
        found = rows(laid(tmp_path / str(number), {f"{one}.ipynb": RIGHT, f"{two}.ipynb": notebook("2")}))
        assert len(found) == 1 and "two files are" in next(iter(found.values()))


def test_what_is_passed_over_is_told(tmp_path: Path) -> None:
    files = {"README": RIGHT, "readme.txt": b"", f".ann/{LAB}.ipynb": RIGHT, ".bob.txt": b"", "zoe.ipynb": RIGHT}
    files |= {"README.MD/sub/x.ipynb": RIGHT, ".DS_Store": b"", "._zoe.ipynb": b"", ".ipynb_checkpoints/a.ipynb": RIGHT}
    files |= {"yan.ipynb": RIGHT}
    (tmp_path / "class.zip").write_bytes(packed(files))
    for place in (laid(tmp_path / "class", files), tmp_path / "class.zip"):
        found, notes = collect(place, LAB)
        assert [one.student for one in found] == ["README", "yan", "zoe"] and found[0].read() == RIGHT
        told = {note.split(" was passed over")[0] for note in notes}
        assert told == {"README", "readme.txt", ".ann", ".bob.txt"} and len(notes) == 4


# --- the manifest ----------------------------------------------------------------------------------------------------


def with_manifest(folder: Path, files: Files, *names: str) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows(
        [("file", "student", "timestamp")] + [(n, "s100", "2026-12-01T10:00:00Z") for n in names]
    )
    return laid(folder, files | {"manifest.csv": text.getvalue().encode()})


@pytest.mark.parametrize(
    ("file", "row"),
    [
        (unicodedata.normalize("NFD", "Zoë") + ".ipynb", "Zoë.ipynb"),
        ("Zoë.ipynb", unicodedata.normalize("NFD", "Zoë.ipynb")),
        ("plain.ipynb", "./plain.ipynb"),
        ("plain.ipynb", "PLAIN.ipynb"),
        ("plain.ipynb", "plain"),
        (f"plain/{LAB}.ipynb", f"plain\\{LAB}.ipynb"),
        (f"plain/{LAB}.ipynb", "plain"),
        (f"plain/{LAB}.ipynb", "plain/"),
        ("plain.zip", "plain.zip"),
        ("plain.zip", "plain"),
        ("plain.zip", f"plain.zip/{LAB}.ipynb"),
        ("plain.zip", f"plain/{LAB}.ipynb"),
        ("plain.ipynb", "handed_in/plain.ipynb"),
        (f"Jane Doe_1_assignsubmission_file_/{LAB}.ipynb", "Jane Doe_1_assignsubmission_file_"),
    ],
)
def test_a_row_of_the_manifest_fits_however_it_is_written(tmp_path: Path, file: str, row: str) -> None:
    content = packed({f"{LAB}.ipynb": RIGHT}) if file.endswith(".zip") else RIGHT
    place = with_manifest(tmp_path / "handed_in", {file: content, "other.ipynb": RIGHT}, row)
    found, notes = collect(place, LAB)
    assert [(one.student, one.timestamp) for one in found] == [("other", None), ("s100", datetime(2026, 12, 1, 10))]
    assert not notes


def test_rows_that_fit_nothing_are_told(tmp_path: Path) -> None:
    found, notes = collect(with_manifest(tmp_path, {"ann.ipynb": RIGHT}, "an.ipynb", "nobody"), LAB)
    assert [one.student for one in found] == ["ann"]
    assert [note.split(" and ")[0] for note in notes] == [
        "manifest.csv names an.ipynb, s100's,", "manifest.csv names nobody, s100's,"
    ]  # fmt: skip


def test_the_manifest_in_a_classs_archive_counts_and_in_a_students_does_not(tmp_path: Path) -> None:
    rows_of_two = b"file,student,timestamp\na.ipynb,s1,2026-01-01\nb.ipynb,s2,\n"
    inside = {"a.ipynb": notebook("a"), "b.ipynb": notebook("b"), "manifest.csv": rows_of_two}
    for around in ("", "class/"):
        (tmp_path / "class.zip").write_bytes(packed({around + name: content for name, content in inside.items()}))
        assert [one.student for one in find(tmp_path / "class.zip", LAB)] == ["s1", "s2"]
    mallory = packed({f"{LAB}.ipynb": RIGHT, "manifest.csv": b"file,student\nlab1_linear.ipynb,eve\nmallory.zip,eve\n"})
    assert rows(laid(tmp_path / "in", {"mallory.zip": mallory, "eve.ipynb": notebook("eve")})) == {
        "mallory": "right", "eve": "eve"
    }  # fmt: skip


def test_rows_that_contradict_are_refused(tmp_path: Path) -> None:
    place = laid(tmp_path, {"a.ipynb": RIGHT, "manifest.csv": b"file,student\na.ipynb,s1\na.ipynb,s2\n"})
    with pytest.raises(ValueError, match=r"several rows for one submission: a\.ipynb is s1's; a\.ipynb is s2's"):
        collect(place, LAB)


# --- files that change while they are read ---------------------------------------------------------------------------


def test_what_is_swapped_in_between_is_not_read(tmp_path: Path) -> None:
    place = laid(
        tmp_path / "class", {f"ann/{LAB}.ipynb": RIGHT, "bob.ipynb": RIGHT, "cy.ipynb": RIGHT, "di.zip": packed({})}
    )
    secret = laid(tmp_path / "secret", {f"{LAB}.ipynb": notebook("secret")})
    found = {one.student: one for one in find(place, LAB)}
    (place / "ann").rename(tmp_path / "gone")
    (place / "ann").symlink_to(secret)
    (place / "bob.ipynb").unlink()
    (place / "bob.ipynb").symlink_to(secret / f"{LAB}.ipynb")
    (place / "cy.ipynb").unlink()
    os.mkfifo(place / "cy.ipynb")
    (place / "di.zip").unlink()
    (place / "di.zip").symlink_to(secret / f"{LAB}.ipynb")
    for one in found.values():
        with pytest.raises(Unreadable, match=r"link|ordinary|no notebook"):
            one.read()


def test_a_link_in_an_archive_is_none_of_the_hosts_files(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        entry = zipfile.ZipInfo(f"{LAB}.ipynb")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with tarfile.open(tmp_path / "b.tar", "w") as archive2:
        link = tarfile.TarInfo(f"{LAB}.ipynb")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive2.addfile(link)
    found = rows(laid(tmp_path, {"a.zip": content.getvalue()}))
    assert "link" in found["a"] and "link" in found["b"]


# --- outputs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [["x" * (40 << 20)], ['a line, with [brackets] {and} \\"more\\"\n'] * 1_500_000])
def test_outputs_of_any_size_are_not_counted(lines: list[str]) -> None:
    text = "[" + ",".join(f'"{line}"' for line in lines).replace("\n", "\\n") + "]"
    output = f'{{"output_type": "stream", "name": "stdout", "text": {text}}}'
    large = notebook("right", "more").decode().replace('"nbformat": 4', f'"outputs": [{output}], "nbformat": 4')
    cells = notebook("a", "b")
    cells = cells.replace(b'"source": "a"', b'"outputs": [' + output.encode() + b', [[]]], "source": "a"')
    assert len(cells) > 20 << 20
    assert [cell.source for cell in cells_of(cells)] == ["a", "b"]
    assert [cell.source for cell in cells_of(large.encode())] == ["right", "more"]


def test_a_million_brackets_are_no_minute() -> None:
    with pytest.raises(Unreadable, match="brackets"):
        cells_of(b'{"cells": ' + b"[]," * 3_000_000)
    with pytest.raises(Unreadable, match="values"):
        cells_of(notebook(metadata={"a": [1] * 2_100_000}))
