"""The file `cases.json`: all that the record knows of cases.

It is one file, so that a change is there as a whole or not at all. An entry is a line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.record.case_states import (
    CaseState,
    CaseStates,
    Claim,
    MadeMap,
    SavedLabel,
    StateEntry,
)
from MultimodalImagingLib.record.json_entry import json_value

FORMAT_VERSION = 2
_READ_VERSIONS = (1, 2)


def states_text(states: CaseStates) -> str:
    """Return the content of the file."""
    labels = {
        case: f"{{{', '.join(f'{_json(key)}: {_text_of(found[key])}' for key in sorted(found))}}}"
        for case, found in states.labels.items()
    }
    parts = {
        "cases": {case: _text_of(entry) for case, entry in states.entries.items()},
        "claims": {case: _text_of(claim) for case, claim in states.claims.items()},
        "evaluation": {case: _json(group) for case, group in states.evaluation.items()},
        "labels": labels,
        "maps": {case: _text_of(made) for case, made in states.maps.items()},
    }
    head = f'{{\n"format": {FORMAT_VERSION},\n"revision": {states.revision}'
    return (
        ",\n".join([head, *(f'"{name}": {_lines(part)}' for name, part in parts.items())]) + "\n}\n"
    )


# What was read or written last: the same text means the same, however it got onto the disk.
_PARSED: dict[str, CaseStates] = {}
_MOST_PARSED = 4


def remember_states(text: str, states: CaseStates) -> None:
    """Spare the reading of a text that was just written from states."""
    names = (*states.entries, *states.claims, *states.evaluation, *states.labels, *states.maps)
    if all(same_name(name) == name for name in names):  # else they are read otherwise
        _keep(text, states)


def parse_states(text: str) -> CaseStates:
    """Read the content of the file; what it returns is shared, and nobody may change it.

    Raises:
        ValueError: If it is not what this program writes.
        KeyError: As above.
        TypeError: As above.
        AttributeError: As above.
    """
    known = _PARSED.get(text)
    if known is None:
        known = _parsed(text)
        _keep(text, known)
    return known


def _keep(text: str, states: CaseStates) -> None:
    while len(_PARSED) >= _MOST_PARSED:
        _PARSED.pop(next(iter(_PARSED)), None)
    _PARSED[text] = states


def _parsed(text: str) -> CaseStates:
    content = json_value(text)
    if content["format"] not in _READ_VERSIONS:
        known = " and ".join(map(str, _READ_VERSIONS))
        msg = f"format {content['format']!r}, this version reads {known}"
        raise ValueError(msg)
    revision = content["revision"]
    if not isinstance(content["cases"], dict) or not isinstance(revision, int):
        msg = "`cases` or `revision` is missing"
        raise TypeError(msg)
    return CaseStates(
        {same_name(case): state_entry(item) for case, item in content["cases"].items()},
        revision,
        {
            same_name(case): claim_from_json(item)
            for case, item in content.get("claims", {}).items()
        },
        {same_name(case): _text(item) for case, item in content.get("evaluation", {}).items()},
        {
            same_name(case): {key: saved_label(item, case) for key, item in found.items()}
            for case, found in content.get("labels", {}).items()
        },
        {same_name(case): _made(item) for case, item in content.get("maps", {}).items()},
    )


def state_entry(item: Mapping[str, str]) -> StateEntry:
    """Read one entry; one of an older version has neither note nor former state.

    Raises:
        ValueError: If there is no such state.
        KeyError: If something is missing.
        TypeError: If something has another type.
    """
    former = CaseState(item.get("former", CaseState.UNLABELLED))
    note = item.get("note", "")
    if not isinstance(note, str):
        msg = f"the note {note!r} is no text"
        raise TypeError(msg)
    return StateEntry(CaseState(item["state"]), item["by"], item["at"], note, former)


def claim_from_json(item: Mapping[str, str]) -> Claim:
    """Read one claim.

    Raises:
        KeyError: If something is missing.
        TypeError: If something has another type.
    """
    names = ("reader", "by", "host", "since", "touched", "purpose")
    return Claim(*(_text(item[name]) for name in names))


def saved_label(item: Mapping[str, Any], case_id: str) -> SavedLabel:
    """Read a saved label.

    Raises:
        ValueError: If a number is out of range.
        KeyError: If something is missing.
        TypeError: If something has another type.
    """
    voxels, dice = item.get("changed_voxels"), item.get("draft_dice")
    return SavedLabel(
        same_name(case_id),
        _text(item["reader"]),
        _text(item["path"]),
        _text(item["sha256"]),
        _text(item["at"]),
        _seconds(item["looking_s"]),
        _seconds(item["drawing_s"]),
        _text(item["began"]),
        item["is_blinded"] is True,
        None if voxels is None else int(voxels),
        None if dice is None else float(dice),
    )


# The texts of entries by identity: of thousands, a change concerns one.
_TEXTS: dict[int, tuple[object, str]] = {}
_MOST_TEXTS = 100_000


def _text_of(entry: StateEntry | Claim | SavedLabel | MadeMap) -> str:
    known = _TEXTS.get(id(entry))
    if known is not None and known[0] is entry:
        return known[1]
    text = _json({name: value for name, value in vars(entry).items() if name != "case_id"})
    if len(_TEXTS) >= _MOST_TEXTS:
        _TEXTS.clear()
    _TEXTS[id(entry)] = (entry, text)
    return text


def _lines(part: Mapping[str, str]) -> str:
    """Write an object with an entry per line: quick, and a change is the change of a line."""
    lines = [f"{_json(key)}: {part[key]}" for key in sorted(part)]
    return "{\n" + ",\n".join(lines) + "\n}" if lines else "{}"


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _made(item: Mapping[str, Any]) -> MadeMap:
    sums = tuple(_text(value) for value in item["sha256s"])
    return MadeMap(sums, _text(item["source"]), _text(item["source_sha256"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = f"{value!r} is no text"
        raise TypeError(msg)
    return value


def _seconds(value: object) -> float:
    seconds = float(value)  # type: ignore[arg-type]
    if not math.isfinite(seconds) or seconds < 0:
        msg = f"{value!r} is no duration"
        raise ValueError(msg)
    return seconds
