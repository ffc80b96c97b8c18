"""Runs every situation: right exit code, right sentences, no traceback, the input untouched."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from folder_state import changes, folder_state
from run_program import Outcome, Surroundings, run_child, run_here
from situation import Situation
from situation_table import Row, record_row

pytestmark = pytest.mark.situations
FEWEST = 120
RECORD = ".crossmodal"


def _situations_of(file: Path) -> Sequence[Situation]:
    specification = importlib.util.spec_from_file_location(f"situations_{file.stem}", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.SITUATIONS


TOPICS = {
    file.stem: _situations_of(file)
    for file in sorted(Path(__file__).parent.glob("*.py"))
    if not file.stem.startswith(("test_", "conftest", "_"))
}
SITUATIONS = tuple(situation for topic in TOPICS.values() for situation in topic)


def test_there_are_many_situations_with_names_of_their_own():
    counts = Counter(situation.name for situation in SITUATIONS)

    assert not [name for name, n in counts.items() if n > 1]
    assert len(SITUATIONS) >= FEWEST, {topic: len(found) for topic, found in TOPICS.items()}


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(s, id=s.name, marks=[pytest.mark.evidence] if s.is_slow else [])
        for s in SITUATIONS
    ],
)
def test_situation(situation: Situation, tmp_path, request, monkeypatch, capfd, record_property):
    folder, out = tmp_path / "input", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    words = " ".join(situation.command)
    record_row(Row(situation.name, situation.kind, words, "did not run"), record_property)
    situation.build(folder)
    places = _places(situation, folder, out, request)
    watched = [path for name, path in places.items() if name != "{out}"]
    before = [folder_state(path, without=[RECORD]) for path in watched]

    outcome = _run(situation, places, tmp_path, monkeypatch, capfd)

    result = f"exit {outcome.exit_code}: {_without(places, outcome.sentence)}"
    record_row(Row(situation.name, situation.kind, words, result), record_property)
    after = [folder_state(path, without=[RECORD]) for path in watched]
    assert [changes(*pair) for pair in zip(before, after, strict=True)] == [{}] * len(watched)
    _check_output(situation, outcome)
    if situation.check is not None:
        situation.check(folder, out, outcome.output)


def _places(
    situation: Situation, folder: Path, out: Path, request: pytest.FixtureRequest
) -> Mapping[str, Path]:
    places = {"{folder}": folder, "{out}": out}
    if any("{model}" in word for word in situation.command):
        places["{model}"] = request.getfixturevalue("small_model")
    return places


def _run(
    situation: Situation, places: Mapping[str, Path], tmp_path: Path, monkeypatch, capfd
) -> Outcome:
    command = [_filled(places, word) for word in situation.command]
    around = Surroundings(tmp_path / "around")
    if situation.needs_child:
        return run_child(
            command, around, environment=situation.environment, wrapper=situation.wrapper
        )
    with monkeypatch.context() as patch:
        around.enter(patch)
        return run_here(command, capfd)


def _filled(places: Mapping[str, Path], word: str) -> str:
    for name, path in places.items():
        word = word.replace(name, str(path))
    return word


def _without(places: Mapping[str, Path], text: str) -> str:
    for name, path in places.items():
        text = text.replace(str(path), name)
    return text


def _check_output(situation: Situation, outcome: Outcome) -> None:
    forms = (outcome.output, " ".join(outcome.output.split()))
    missing = [p for p in situation.says if not any(re.search(p, form) for form in forms)]
    unwanted = [p for p in situation.silent_about if any(re.search(p, form) for form in forms)]

    assert "Traceback" not in outcome.output, outcome.output
    assert outcome.exit_code == situation.exit_code, outcome.output
    assert not missing, outcome.output
    assert not unwanted, outcome.output
