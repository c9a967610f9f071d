"""Bulk downloads that say when something was handed in: in names (Blackboard, Brightspace), in a list (Gradescope).

A time comes from what the platform wrote, never from a student's file. Blackboard and Brightspace write theirs without
a zone; they are read in that of this machine (the variable TZ, where it is set).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autoencoder_lab.grading.containers import bounded
from autoencoder_lab.grading.names import BLACKBOARD, BRIGHTSPACE, GRADESCOPE, METADATA

BRIGHTSPACE_TIME = re.compile(r"(\w{3} \d{1,2}, \d{4}) (\d{1,2}?)(\d\d) ([AP]M)")


@dataclass(frozen=True)
class HandedIn:
    """name: what the platform calls the student; when: naive UTC, None where it does not say."""

    name: str
    when: datetime | None


def when_of(name: str) -> datetime | None:
    """When an entry was handed in, by the name that Blackboard or Brightspace gave it; naive UTC."""
    try:
        if found := BLACKBOARD.match(name):
            return _utc(datetime.strptime(found["when"], "%Y-%m-%d-%H-%M-%S"))
        if (found := BRIGHTSPACE.match(name)) and (parts := BRIGHTSPACE_TIME.fullmatch(found["when"])):
            return _utc(datetime.strptime(f"{parts[1]} {parts[2]}:{parts[3]} {parts[4]}", "%b %d, %Y %I:%M %p"))
    except (ValueError, OverflowError, OSError):  # no such day
        pass
    return None


def _utc(local: datetime) -> datetime:
    return local.astimezone(UTC).replace(tzinfo=None)


def submitters(entries: Sequence[Any], where: str) -> dict[str, list[HandedIn]]:
    """{Gradescope's folder: who handed it in}, by submission_metadata.yml among the entries; {} where it is not.

    Raises ValueError for a list that cannot be read.
    """
    listed = next((one for one in entries if one.name == METADATA and one.opened), None)
    if listed is None or not any(GRADESCOPE.fullmatch(one.name) for one in entries):
        return {}
    with listed.opened() as file:
        found = _loaded(bounded(file), f"{where}: {METADATA}")
    people = {}
    for folder, said in found.items():
        if not isinstance(said, Mapping) or not isinstance(said.get(":submitters"), list):
            continue
        when = _time(said.get(":created_at"))
        named = [_name(one) for one in said[":submitters"] if isinstance(one, Mapping)]
        people[str(folder)] = [HandedIn(name, when) for name in named if name]
    return people


def _loaded(content: bytes, where: str) -> Mapping[Any, Any]:
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Ruby's own kinds of objects are read as the plain data they are made of."""

    Loader.add_multi_constructor("!ruby/", lambda loader, suffix, node: _plain(loader, node))
    try:
        found = yaml.load(content, Loader)  # a SafeLoader: data alone
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{where} cannot be read: {str(error).splitlines()[0]}; download it again") from None
    if not isinstance(found, Mapping):
        raise ValueError(f"{where} is no list of submissions; download it again")
    return found


def _plain(loader: Any, node: Any) -> Any:
    kind = {"mapping": loader.construct_mapping, "sequence": loader.construct_sequence}.get(node.id)
    return kind(node) if kind else loader.construct_scalar(node)


def _time(said: Any) -> datetime | None:
    if isinstance(said, Mapping):  # a time with its zone, as Ruby writes one
        said = said.get("utc")
    if isinstance(said, datetime):
        return said.astimezone(UTC).replace(tzinfo=None) if said.tzinfo else said
    return None


def _name(submitter: Mapping[Any, Any]) -> str:
    """The id that the university gave, else the address, else the name."""
    return next((str(submitter[key]) for key in (":sid", ":email", ":name") if submitter.get(key)), "")
