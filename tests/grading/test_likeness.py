"""Programs of one shape are found whatever their names, numbers and comments; what everybody was given is not."""

import pytest

from autoencoder_lab.grading.grade import PartResult, Result
from autoencoder_lab.grading.likeness import SHINGLE, alike, shingles
from autoencoder_lab.grading.report import report

MINE = '''
def whiten(codes, eps=1e-5):
    """Return codes whose covariance is the identity."""
    centred = codes - codes.mean(dim=0)
    covariance = centred.T @ centred / (len(codes) - 1)
    values, vectors = torch.linalg.eigh(covariance)
    scale = vectors @ torch.diag((values + eps) ** -0.5) @ vectors.T
    return centred @ scale
'''
RENAMED = """
def whiten(z, small=1e-8):
    # my own idea
    zc = z - z.mean(dim=0)

    c = zc.T @ zc / (len(z) - 2)   # unbiased
    w, V = torch.linalg.eigh(c)
    s = V @ torch.diag((w + small) ** -0.25) @ V.T
    return zc @ s
"""
OTHER = """
def whiten(codes):
    u, s, v = torch.linalg.svd(codes - codes.mean(0), full_matrices=False)
    keep = s > s.max() * 1e-6
    if not keep.all():
        raise ValueError("the codes do not fill their space")
    for column in range(u.shape[1]):
        u[:, column] *= len(codes) ** 0.5
    return u
"""


def test_names_numbers_and_comments_hide_nothing() -> None:
    assert alike({"ada": [MINE], "bob": [RENAMED], "eve": [OTHER]}) == [(1.0, "ada", "bob")]


def test_the_share_is_that_of_runs_in_common() -> None:
    """Counted by hand: a b c … tokens, so that n tokens have n - SHINGLE + 1 runs."""
    one = "f(x, y)[0] + g * h - k / m @ n % o ** p // q | r & s ^ t"
    longer = one + " < u"
    first, second = shingles(one), shingles(longer)
    assert len(second) - len(first) == 2 and first < second
    assert alike({"a": [one], "b": [longer]}) == [(len(first) / len(second), "a", "b")]
    assert shingles("x = 1") == set() and SHINGLE > 3


def test_what_everybody_was_given_or_most_write_is_nobodys() -> None:
    assert alike({"ada": [MINE], "bob": [MINE]}, released=[RENAMED]) == []
    assert alike({f"s{i}": [MINE] for i in range(12)}) == []
    pair = alike({f"s{i}": [MINE, *([OTHER] if i < 2 else [])] for i in range(12)})
    assert pair == [(1.0, "s0", "s1")]


@pytest.mark.parametrize("broken", ["def f(:\n  '''", "(" * 500, "\x00", "a b $ ? !", "if x:\n  a\n b", "'"])
def test_what_is_no_python_stops_nothing(broken: str) -> None:
    assert alike({"ada": [MINE, broken], "bob": [RENAMED]})[0][1:] == ("ada", "bob")


def test_the_report_lists_pairs_and_passes_no_verdict() -> None:
    def handed_in(student: str, source: str) -> Result:
        cells = [{"kind": "code", "source": source, "grade_id": "whiten"}]
        return Result(student, "", [PartResult("test_whiten", 1, 1)], cells=cells)

    text = report([handed_in("ada", MINE), handed_in("bob", RENAMED), handed_in("eve", OTHER)], "lab")
    assert "  100%  ada, bob" in text and "no verdict" in text and ", eve" not in text
    assert "no verdict" not in report([handed_in("ada", MINE), handed_in("eve", OTHER)], "lab")
