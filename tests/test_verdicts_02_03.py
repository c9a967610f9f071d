"""The verdicts on notebooks 02 and 03 that hang on more than one comparison turn with each of them."""

import pytest

from evidence import runner
from evidence.common import CONDITION, RIGHT, UNDECIDED, WRONG


class Row(dict[str, float]):
    """Figures of one seed; those that no verdict asks for here are all alike."""

    def __missing__(self, key: str) -> float:
        return 0.5


def rows(**figures: float) -> list[Row]:
    """Five seeds that hardly differ."""
    return [Row({name: value * (1 + 1e-4 * seed) for name, value in figures.items()}) for seed in range(5)]


FILTERS = {
    "plain_trained": 0.35, "plain_untrained": 0.25, "same_second_trained": 5.0, "same_second_untrained": 3.5,
    "same_first_trained": 3.6,
}  # fmt: skip
LEVELS = {"only_5_at_5": 25.0, "only_50_at_5": 22.0, "input_at_5": 28.6, "longer_5_at_5": 28.0}
LOST = {f"{side}_{k}": share for k in (4, 16, 64) for side, share in (("low", 0.1), ("high", 0.6))}
LOST |= {"sharpness_4": 0.5, "sharpness_16": 0.7, "sharpness_64": 0.8}


@pytest.mark.parametrize(
    ("claim", "figures", "change", "word"),
    [
        ("C56", FILTERS, {}, CONDITION),  # less than half of a kernel is edge or blob
        ("C56", FILTERS, {"plain_trained": 0.6}, RIGHT),
        ("C56", FILTERS, {"plain_trained": 0.2}, CONDITION),  # units are selective, kernels no edges
        ("C56", FILTERS, {"plain_trained": 0.2, "same_second_trained": 3.0}, WRONG),
        ("C56", FILTERS, {"plain_trained": 0.25, "same_second_trained": 3.0}, UNDECIDED),  # kernels as before training
        ("C103", LEVELS, {}, CONDITION),  # both are to blame
        ("C103", LEVELS, {"only_5_at_5": 30.0}, RIGHT),  # the right level does no harm
        ("C103", LEVELS, {"only_5_at_5": 22.0}, WRONG),  # the level makes no difference
        ("C19", LOST, {}, RIGHT),
        ("C19", LOST, {"low_4": 0.7}, CONDITION),  # slow waves lose more
        ("C19", LOST, {"sharpness_64": 1.1}, UNDECIDED),  # sharper than the original
    ],
)
def test_verdict(claim: str, figures: dict[str, float], change: dict[str, float], word: str) -> None:
    assert runner.claim(claim).verdict(rows(**figures | change)).word == word
