"""The oldest versions that pyproject.toml allows, as constraints for pip: python .ci/lower_bounds.py >oldest.txt

Only what we ask for ourselves is held back; pip chooses what that asks for in turn.
"""

import re
import tomllib
from pathlib import Path

BOUND = re.compile(r"(?P<name>[\w.-]+)>=(?P<version>[\w.]+)")


def lower_bounds(pyproject: str) -> list[str]:
    """A line NAME==VERSION for each requirement of the course, its tests, its tools and its grader.

    Raises ValueError for a requirement that is not of the form NAME>=VERSION, which would say no lower bound.
    """
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"]
    bounds = {}
    for line in [*project["dependencies"], *extras["test"], *extras["dev"], *extras["grading"]]:
        if not (found := BOUND.fullmatch(line)):
            raise ValueError(f"expected NAME>=VERSION in pyproject.toml, got {line!r}")
        if bounds.setdefault(found["name"], found["version"]) != found["version"]:
            raise ValueError(f"{found['name']} has two lower bounds: {bounds[found['name']]} and {found['version']}")
    return [f"{name}=={version}" for name, version in bounds.items()]


if __name__ == "__main__":
    print(*lower_bounds((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")), sep="\n")
