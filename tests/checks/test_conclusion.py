"""A conclusion is read by what it says, in whatever words and form; one that turns the figures round is refused."""

import pytest

from autoencoder_lab.checks.compare import CheckFailed
from autoencoder_lab.checks.conclusion import conclusion_compares, figures, sentence
from autoencoder_lab.checks.notebooks import notebook_00, notebook_01, notebook_04b, notebook_05, notebook_06

COMPARED = {  # of the exercise: the ratio that was measured, and of whom the sentence speaks
    "00": (2.45, notebook_00.WITHOUT, notebook_00.WITH),
    "01": (1.25, notebook_01.ABOUT, notebook_01.AGAINST),
    "06": (1.5, notebook_06.WITHOUT, notebook_06.FULL),
}
SAID = {
    "00": [
        "On test zeros the squared error is 2.4 times as large if the training images held none.",
        "Without the digit the error is 145 % larger.",
        "Without zeros in training the error grows by 145 percent.",
        "Without zeros, the error on test zeros rises to 245 % of what it was.",
        "With the zeros in training the error is 2.45 times smaller.",
        "The error on test zeros is 2.45 times smaller with zeros in training than without.",
        "A model that has never seen a zero draws zeros with 2,45 times the error.",
        "Without zeros the error is about two and a half times as large.",
        "Without zeros the error grows by a factor of 2.4.",
        "Leaving out zeros makes the error 2.4x larger on the test zeros.",
        "Zeros that are unseen in training cost a 2.45-fold error.",
        "Without them the error on test zeros is 2.45 times larger than with them.",
        "The model trained with zeros has only 41 % of the error of the one trained without.",
        "The error more than doubles (2.45 times) on the test zeros when zeros are left out.",
        "The ratio of the errors without and with zeros is 2.45.",
        "The errors are 0.018 and 0.044, so without them it is 2.45 times as large.",
        "Not having seen zeros makes the error 2½ times greater.",
    ],
    "01": [
        "With 100 training images the autoencoder's error on test digits is 1.25 times PCA's.",
        "With few images the autoencoder is 25 % worse than PCA.",
        "PCA's error is 20 % smaller than the autoencoder's.",
        "PCA beats the autoencoder, whose error is 1.25 times as large.",
        "Compared with PCA, the autoencoder's error is 1.25 times as large.",
        "With few images PCA is better: the autoencoder's error is 1.25 times PCA's.",
        "With few images the autoencoder's error is a quarter larger than PCA's.",
        "PCA's error is 0.8 times the autoencoder's with few images.",
        "The autoencoder loses to PCA with few images; 1.25 times the error.",
        "With 100 images the autoencoder's error is 125 % of PCA's.",
        "PCA wins with few images: its error is 1.25 times smaller.",
        "With few images the autoencoder makes 1,25 times the error of PCA.",
    ],
    "06": [
        "Without the covariance term the error per pixel is 1.50 times as large, at 150 steps.",
        "Without the covariance term the error is 50 % larger.",
        "Removing covariance makes the error half as large again.",
        "The error per pixel grows by half without the covariance term.",
        "Without covariance the error is one and a half times as large.",
        "The full model has an error a third smaller than the one without covariance.",
        "Dropping the term raises the error per pixel by 50 percent.",
        "Without the term the error rises to 150 % of the full model's.",
        "The error rises 1.5× without the covariance term.",
        "Without covariance the error per pixel is 1.5 times the full model's.",
        "Measured on test images, removing the covariance term multiplies the error by 1.5.",
        "The error per pixel goes up by 50% when covariance is dropped.",
        "Without the covariance term the model is 1.5 times worse.",
        "The covariance term matters: leaving it out raises the error 1.5-fold.",
        "Averaged over three seeds the error without the term is 1,5 times that of the full model.",
    ],
}
TURNED = {
    "00": [
        "Without the digit the error is 2.45 times SMALLER.",
        "The error on test zeros is 2.45 times smaller without them.",
        "The error is 2.45 times smaller than before on the test zeros.",
        "Without zeros the error falls by 59 %.",
        "With the zeros in training the error is 2.45 times as large.",
        "The error with zeros is 2.45 times larger than without.",
        "Without the digit the error is smaller: by a factor of 2.45.",
        "The error is 2.45 times lower if the training images held none.",
    ],
    "01": [
        "With few images the autoencoder's error is 1.25 times smaller than PCA's.",
        "PCA's error is 1.25 times the autoencoder's with few images.",
        "With few images the autoencoder's error is 20 % lower than PCA's.",
        "The autoencoder's error is 0.8 times PCA's with few images.",
        "With few images, PCA is 25 % worse than the autoencoder.",
    ],
    "06": [
        "Without the covariance term the error is a third smaller.",
        "Without the covariance term the error is 1.5 times lower.",
        "With all three terms the error is 1.5 times as large.",
        "Leaving the covariance term out makes the pictures better, by a factor of 1.5.",
        "Without covariance the error drops to 67 % of the full model's.",
        "The full model's error is 50 % larger than the one without the term.",
    ],
}
NO_SUCH_FIGURE = {
    "00": [
        "Without zeros the error is 24.5 times larger.",
        "Without zeros the error is 45 % larger.",
        "Without zeros the error is much larger.",
        "The error is not 2.45 times as large without zeros.",
    ],
    "01": ["With few images the autoencoder is twice as bad as PCA.", "PCA is better with few images by far."],
    "06": ["Without the covariance term the error is 15 % larger.", "Without it the error is half as large."],
}


def of_each(sentences: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(exercise, said) for exercise in sentences for said in sentences[exercise]]


@pytest.mark.parametrize(("exercise", "said"), of_each(SAID))
def test_a_ratio_is_read_in_any_form(exercise: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    ratio, about, against = COMPARED[exercise]
    conclusion_compares("trial", said, ratio, "how many times?", about, against)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(("exercise", "said"), of_each(TURNED))
def test_a_ratio_the_wrong_way_round_is_told(exercise: str, said: str) -> None:
    ratio, about, against = COMPARED[exercise]
    with pytest.raises(CheckFailed, match="turns it round: how many times"):
        conclusion_compares("trial", said, ratio, "how many times?", about, against)


@pytest.mark.parametrize(("exercise", "said"), of_each(NO_SUCH_FIGURE))
def test_another_figure_is_none(exercise: str, said: str) -> None:
    ratio, about, against = COMPARED[exercise]
    with pytest.raises(CheckFailed, match="names its figure: how many times"):
        conclusion_compares("trial", said, ratio, "how many times?", about, against)


def test_numbers_in_words_and_lists() -> None:
    def numbers(text: str) -> list[tuple[float, str]]:
        return [(figure.value, figure.unit) for figure in figures(sentence("trial", text))]

    assert numbers("of all 3,500 images 0,85 are right") == [(3500, ""), (0.85, "")]
    assert numbers("found in 85, 50 and 30 per cent") == [(85, "%"), (50, "%"), (30, "%")]
    assert numbers("it is two thirds and three quarters") == [(0.6667, ""), (0.75, "")]
    assert numbers("it is twice or thrice the other") == [(2, "times"), (3, "times")]
    with pytest.raises(CheckFailed, match=r"as a sentence, got '2\.2'"):
        sentence("trial", "2.2")


SHARES = {1: 0.85, 2: 0.5, 5: 0.0}


@pytest.mark.parametrize(
    "said",
    [
        "With two steps of G a round 50 % of the games find all eight modes.",
        "With two generator steps half of the games find all modes.",
        "A share of 0.85 of the games covers all modes at one step.",
        "At one step a share of 0,85 succeeds, at five steps no game does.",
        "With five steps no game finds all eight modes.",
        "At 5 steps none of the games covers all eight.",
        "With 1, 2 and 5 steps 85, 50 and 0 % of the games succeed.",
        "With one step 15 % of the games lose a mode.",
        "With 2 steps 6 of 12 games find every mode.",
        "With 2 steps 6 out of the 12 games find every mode.",
        "In 85 percent of the games no mode is lost at one step.",
        "All games collapse at five steps.",
        "85 per cent find all modes, but only with one step.",
        "The share falls from 85 % at one step to 50 % at two steps.",
        "The game stands one step best: 85 % of the games are complete.",
    ],
)
def test_a_share_is_read_in_any_form(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    notebook_05._judge_conclusion("trial", said, SHARES)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("With two steps 85 % of the games find all eight modes.", "another number of steps"),
        ("With one step no game finds all eight modes.", "another number of steps"),
        ("With five steps all games find all eight modes.", "names its figure"),
        ("With one step 85 % of the games fail to find all modes.", "names its figure|another number"),
        ("With more steps fewer games find all eight modes.", "names its figure"),
        ("With two steps 70 % of the games find all modes.", "names its figure"),
        ("one half", "as a sentence"),
    ],
)
def test_a_share_that_was_not_measured(said: str, message: str) -> None:
    with pytest.raises(CheckFailed, match=message):
        notebook_05._judge_conclusion("trial", said, SHARES)


UNITS = {0.5: 10.0, 2.0: 7.0, 8.0: 2.0, 32.0: 0.0}


@pytest.mark.parametrize(
    "said",
    [
        "From β = 32 on no unit is active.",
        "At beta = 32 all units are dead.",
        "β = 8 is the largest value at which some units live.",
        "Up to β = 8 two units are still active.",
        "Above β = 8 no unit is active.",
        "The last unit dies between β = 8 and β = 32.",
        "Units survive up to β of 8, but at 32 the code has collapsed.",
        "At β = 32 zero units are active.",
        "Two units are active at β = 8, none at 32.",
        "The code dies at a β of thirty-two (32).",
        "At β = 8 there are 2 active units, and from 32 on there are none.",
        "Not a single unit is active from β = 32,0 on.",
    ],
)
def test_a_border_is_read_in_any_form(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    notebook_04b._judge_conclusion("trial", said, UNITS)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("At beta = 32 all ten units are still very active.", "at β = 32 units are active, but none was"),
        ("At β = 32 the units are alive and well.", "at β = 32 units are active"),
        ("From β = 8 on no unit is active.", "at β = 8 no unit is active, but 2 were"),
        ("At β = 8 all ten units are active.", "10 units at β = 8, but 2 were"),
        ("At β = 8 five units are active.", "5 units at β = 8, but 2 were"),
        ("At β = 8 every unit is active.", "all units are active, but 2 were"),
        ("From β = 2 on there are fewer units.", "names its figure"),
        ("The units die at some large value of β.", "names its figure"),
    ],
)
def test_a_border_that_was_not_measured(said: str, message: str) -> None:
    with pytest.raises(CheckFailed, match=message):
        notebook_04b._judge_conclusion("trial", said, UNITS)
