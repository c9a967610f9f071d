"""Marks in the files that platforms give: each in its documented layout, every byte but the marks' as it was."""

# ruff: noqa: E501  (a platform writes a row in one line, and so do its samples)

import pytest

from autoencoder_lab.grading.lab_source import LabError
from autoencoder_lab.grading.platforms.filling import Filled, filled
from autoencoder_lab.grading.totals import PartMark, Total

LAB = "lab1_linear"


def marks(waits: bool = False, **points: float) -> dict[str, Total]:
    """{student: points of 23}; the last one's text is still to be marked where `waits`."""
    last = list(points)[-1]
    return {
        student: Total(
            student,
            {
                "test_a": PartMark("test_a", 20, automatic=reached),
                "words": PartMark("words", 3, waits=waits and student == last, by_hand=True),
            },
        )
        for student, reached in points.items()
    }


CANVAS = '''\
Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (9001),Lab 11 (9002),"Notes, old (9003)"\r
,,,,,Manual Posting,,\r
    Points Possible,,,,,23,10,5\r
"Doe, Jane",456,S001,jdoe,"A, first",,7.5,\r
"Roe, Bob",457,S002,rbob,A,,,\r
"O'Neil, Zoë ""Z""",458,S003,zneil,A,4,=1+1,\r
"Left, Out",459,S004,lout,A,3.25,,\r
"Ex, Cused",460,S005,ecused,A,EX,,\r
"Student, Test",461,,abc123,A,,,\r
'''
CANVAS_MARKS = marks(doejane_456=10, S002=7.125, zneil=20 / 3, nobody=5, excused_460=2)
CANVAS_FILLED = (
    CANVAS.replace('"A, first",,7.5', '"A, first",10.00,7.5')
    .replace("rbob,A,,", "rbob,A,7.13,")
    .replace("A,4,=", "A,6.67,=")
)

WORKSHEET = """\
Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed","Last modified (submission)","Last modified (grade)","Feedback comments"
"Participant 123","Jane Doe",jane@x.org,"Submitted for grading - - ",,23.00,Yes,"Monday, 2 November 2026, 10:05 AM",-,
"Participant 124","Bob Roe",bob@x.org,"Submitted for grading - - ",12.00,23.00,Yes,"Monday, 2 November 2026, 10:05 AM",-,"kept, as it is"
"Participant 125","Jane Doe",jane2@x.org,"No submission - - ",,23.00,Yes,-,-,
"""
WORKSHEET_FILLED = WORKSHEET.replace('grading - - ",,', 'grading - - ",10.00,').replace(",12.00,", ",13.50,")

BLIND = """\
Identifier,Status,Grade,"Maximum Grade","Grade can be changed","Last modified (submission)","Last modified (grade)"
"Participant 7","Submitted for grading",,"23,00",Yes,-,-
"Participant 8","Submitted for grading",,"23,00",Yes,-,-
"""
BLIND_FILLED = BLIND.replace('8","Submitted for grading",,', '8","Submitted for grading","9,50",')

TEAM = """\
Identifier,"Full name","Email address",Status,Group,Grade,"Maximum Grade","Grade can be changed","Last modified (grade)"
"Participant 7","Jane Doe",j@x.org,Submitted,"Group A",,23.00,Yes,-
"Participant 8","Bob Roe",b@x.org,Submitted,"Group A",,23.00,Yes,-
"Participant 9","Cy Poe",c@x.org,Submitted,"Group B",,23.00,Yes,-
"""
TEAM_FILLED = TEAM.replace('"Group A",,', '"Group A",11.00,').replace('"Group B",,', '"Group B",12.00,')

GRADEBOOK = """\
First name,Surname,ID number,Institution,Email address,Assignment: Lab 1 (Real),Quiz: Lab 2 (Real),Course total (Real),Last downloaded from this course
Jane,Doe,S1,,jane@x.org,-,-,3.00,1790000000
Bob,Roe,S2,,bob@x.org,5.00,-,3.00,1790000000
Zoë,Ümlaut,S3,,zoe@x.org,-,-,3.00,1790000000
"""
GRADEBOOK_FILLED = (
    GRADEBOOK.replace("jane@x.org,-", "jane@x.org,10.00")
    .replace("5.00,-", "7.00,-")
    .replace("zoe@x.org,-", "zoe@x.org,1.00")
)

BLACKBOARD = """\
"Last Name","First Name","Username","Student ID","Last Access","Availability","Lab 1 [Total Pts: 23 Score] |12345","Lab 2 [Total Pts: 10 Score] |12346"
"Doe","Jane","jdoe","1001","2026-11-02 10:05:00","Yes","",""
"Roe","Bob","b_roe","1002","2026-11-02 10:05:00","Yes","Needs Grading","4"
"""
BLACKBOARD_FILLED = BLACKBOARD.replace('"Yes","",""', '"Yes","10.00",""').replace('"Needs Grading"', '"8.20"')

BRIGHTSPACE = """\
OrgDefinedId,Username,Last Name,First Name,Lab 1 Points Grade <Numeric MaxPoints:23 Weight:10>,Lab 2 Points Grade <Numeric MaxPoints:10>,End-of-Line Indicator
#1001,#jdoe,Doe,Jane,,3,#
#1002,#broe,Roe,Bob,,,#
#1003,#zoe,Ümlaut,Zoë,,,#
"""
BRIGHTSPACE_FILLED = (
    BRIGHTSPACE.replace("Jane,,3", "Jane,10.00,3").replace("Bob,,", "Bob,8.00,").replace("Zoë,,", "Zoë,2.50,")
)

FILES = {
    "canvas": (CANVAS, CANVAS_MARKS, CANVAS_FILLED),
    "moodle-worksheet": (WORKSHEET, marks(Jane_Doe_123=10, Bob_Roe_124=13.5, Jane_Doe_999=3), WORKSHEET_FILLED),
    "moodle-worksheet blind": (BLIND, marks(Participant_8=9.5, Participant_9=1), BLIND_FILLED),
    "moodle-worksheet team": (TEAM, marks(Group_A_7=11, Group_B_55=12), TEAM_FILLED),
    "moodle-gradebook": (GRADEBOOK, marks(Jane_Doe_123=10, S2=7, **{"zoe_x.org": 1}), GRADEBOOK_FILLED),
    "blackboard": (BLACKBOARD, marks(jdoe=10, b_roe=8.2, ghost=1), BLACKBOARD_FILLED),
    "brightspace": (BRIGHTSPACE, marks(Jane_Doe_77=10, broe=8, **{"1003": 2.5}), BRIGHTSPACE_FILLED),
}


@pytest.mark.parametrize("which", FILES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_a_platforms_file_is_filled_and_nothing_else_changes(which: str, encoding: str, line: str) -> None:
    before, given, after = FILES[which]
    form = lambda text: text.replace("\r\n", "\n").replace("\n", line).encode(encoding)  # noqa: E731
    made = filled(form(before), given, LAB)
    assert made.content == form(after) and made.platform == which.split()[0]


def said(made: Filled, about: str) -> str:
    (note,) = [note for note in made.notes if about in note]
    return note


def test_who_is_in_one_of_the_two_alone_is_listed() -> None:
    made = filled(CANVAS.encode(), CANVAS_MARKS, LAB)
    assert said(made, "nobody") == "nobody: has a mark and no row in the file"
    assert "is excused on the platform" in said(made, "excused_460")
    left = said(made, "no mark here belongs")
    assert "Left, Out 459" in left and "Student, Test" in left and "Doe" not in left and "Points" not in left
    assert said(made, "stood there") == "zneil: 4 stood there, and 6.67 replaces it"
    assert "Participant 125 Jane Doe" in said(filled(WORKSHEET.encode(), marks(Jane_Doe_123=1), LAB), "no mark here")


def test_nobody_gets_a_mark_that_may_be_anothers() -> None:
    twice = WORKSHEET.replace("Bob Roe", "Jane Doe")
    made = filled(twice.encode(), marks(Jane_Doe=1), LAB)  # no number: three people of that name
    assert made.content == twice.encode() and "several rows" in said(made, "Jane_Doe")
    other = BLACKBOARD.replace('"1001"', '"b_roe"')
    assert "several rows" in said(filled(other.encode(), marks(b_roe=1), LAB), "b_roe")
    made = filled(BRIGHTSPACE.encode(), marks(jdoe=1, **{"1001": 2}), LAB)
    assert made.content == BRIGHTSPACE.encode() and made.entered == {} and "another student" in said(made, "jdoe:")
    made = filled(WORKSHEET.encode(), marks(Other_Name_123=1), LAB)
    assert made.content == WORKSHEET.encode()
    assert "Jane_Doe_77" in said(filled(BRIGHTSPACE.encode(), marks(Jane_Doe_77=1), LAB), "by the name alone")


def test_what_is_still_to_be_marked_stops_it_or_stands_in_the_file() -> None:
    given = marks(True, Bob_Roe_124=13.5, Jane_Doe_123=10)
    with pytest.raises(LabError, match=r"1 of 2 students .* Jane_Doe_123; .*--partial"):
        filled(WORKSHEET.encode(), given, LAB)
    made = filled(WORKSHEET.encode(), given, LAB, partial=True)
    remark = "So far: words (worth 3) has yet to be looked at by a person."
    first, *others = WORKSHEET_FILLED.splitlines()
    assert made.content.decode().splitlines() == [first, others[0] + remark, *others[1:]]
    assert "not final" in said(made, "Jane_Doe_123")


def test_the_column_is_the_labs() -> None:
    assert filled(CANVAS.encode(), CANVAS_MARKS, LAB).column == "Lab 1 (9001)"
    made = filled(CANVAS.encode(), marks(S001=1), "lab11_other", scale=True)
    assert made.column == "Lab 11 (9002)" and b'first",,0.43,' in made.content
    made = filled(CANVAS.encode(), marks(S001=23), LAB, column="Notes, old (9003)", scale=True)
    assert b'first",,7.5,5.00\r\n' in made.content
    for lab, column, what in [("lab7_x", "", "no column"), (LAB, "Lab", "several"), (LAB, "Section", "no column")]:
        with pytest.raises(LabError, match=rf"{what}.*'Lab 1 \(9001\)', 'Lab 11 \(9002\)'.*--column"):
            filled(CANVAS.encode(), CANVAS_MARKS, lab, column=column)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (CANVAS.replace(",23,", ",100,"), r"counts to 100, lab1_linear to 23; .*--scale"),
        (BLACKBOARD.replace("23 Score", "20 Score"), "counts to 20"),
        (BLACKBOARD.replace("23 Score", "23 Percentage"), "takes no points"),
        (BRIGHTSPACE.replace("MaxPoints:23", "MaxPoints:5"), "counts to 5"),
        (BRIGHTSPACE.replace("<Numeric MaxPoints:23 Weight:10>", "<Text>"), "takes no points"),
        (WORKSHEET.replace("23.00", "10.00"), "counts to 10"),
        ("First Name,Last Name,SID,Email,Sections,Lab 1,Total Score\nA,B,1,a@x.org,,,\n", "format gradescope"),
        ("student,points\nada,1\n", "no platform's file of marks begins with 'student, points'; expected"),
        ("", "no platform's file"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, match: str) -> None:
    with pytest.raises(LabError, match=match):
        filled(text.encode(), marks(jdoe=1), LAB)


def test_a_mark_over_the_maximum_does_not_spoil_moodles_import() -> None:
    made = filled(GRADEBOOK.encode(), marks(S1=25, S2=7), LAB)
    assert made.content.decode() == GRADEBOOK.replace("5.00,-", "7.00,-") and "over the maximum of 23" in said(
        made, "S1"
    )
    assert b"Jane,25.00,3" in filled(BRIGHTSPACE.encode(), marks(jdoe=25), LAB).content


def test_semicolons_and_bytes_that_are_no_text() -> None:
    text = CANVAS.replace(",", ";").replace('"Doe; Jane"', '"Doe, Jane"').replace("7.5", "7,5").encode("latin-1")
    made = filled(text, marks(doejane_456=2.5), LAB)
    assert made.content == text.replace(b'first";;7,5', b'first";2,50;7,5') and b"7,5" in made.content
