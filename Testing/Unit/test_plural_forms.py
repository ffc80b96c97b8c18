"""No text counts one thing in the plural: `1 cases`."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

from MultimodalImagingLib.jobs.texts import counted
from MultimodalSlicerLib.plurals import byNumber

ROOT = Path(__file__).parents[2]
FILES = [path for name in ("MDALSelector", "CIMLSegment") for path in (ROOT / name).rglob("*.py")]
NOUNS = (
    *("cases", "files", "folders", "images", "maps", "masks", "labels", "modalities", "groups"),
    *("pairs", "patients", "sites", "folds", "trainings", "windows", "voxels", "values", "models"),
    *("problems", "results", "segments", "regions", "volumes", "others", "steps", "draws"),
    "bytes",
)
IS_COUNT = re.compile(r"^(?:len|sum)\(|^n$|(?:^|\.)n_[a-z_]+$|^count$")
AFTER_NUMBER = re.compile(rf"^ (?:[a-z]+ ){{0,2}}?(?:{'|'.join(NOUNS)})\b")


def counts_in_plural(source: str) -> list[str]:
    """Return the places of f-strings that put a number before a noun in the plural."""
    found = []
    for node in ast.walk(ast.parse(source)):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for value, text in pairwise(parts):
            isNumber = isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant)
            if isNumber and AFTER_NUMBER.match(str(text.value)):
                name = ast.unparse(value.value)
                if IS_COUNT.search(name):
                    found.append(f"{node.lineno}: {{{name}}}{str(text.value)[:30]}")
    return found


# Texts whose number is never one, with the reason.
ALLOWED = {
    "tables.py": "{report.n_labels} label maps were read",  # more than are read of each cohort
    "pool.py": "{len(case_ids)} cases",  # more than five
    "diverse_md.py": "{n_members} similar cases",  # one is alone
    "baselines.py": "{len(rows)} similar cases",
    "sites.py": "{len(sizes)} groups",
    "fold_plan.py": "config.n_folds}",
    "job.py": "{len(plans)} outer folds",
    "remarks.py": "",  # folds, draws and results are several
    "while_labelling.py": "{n_labelled} labeled cases",  # ten at least
    "labelled_cohort.py": "{len(found)} cases",
    "cross_fitting.py": "{n_needed} patients",
    "estimation_data.py": "{len(self.case_ids)} cases",  # for programmers
    "diagnostics.py": "{n_cases} cases are few",  # as many as an estimator needs
    "acquisition.py": "{len({*labels})} groups",  # one explains nothing
    "budget.py": "{n_cases} cases of the cohort",
    "label_map.py": "",  # several layers, several values
    "text_header.py": "{n_channels} values",
    "volume_io.py": "{n_values} values per voxel",
    "file_names.py": "",  # one is written otherwise
    "case_folders.py": "{len(names)} folders",
    "beside.py": "{len(files)} files are",
    "task.py": "{len(own)} label values",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_number_agrees_with_its_noun(path: Path) -> None:
    found = counts_in_plural(path.read_text(encoding="utf-8"))
    allowed = ALLOWED.get(path.name)
    assert [place for place in found if allowed is None or allowed not in place] == []


@pytest.mark.parametrize(
    "line",
    ['f"{n} cases"', 'f"all {len(x)} labeled cases of {y}"', 'f"in {n} more cases"'],
)
def test_a_number_before_a_plural_is_found(line: str) -> None:
    assert counts_in_plural(line)


@pytest.mark.parametrize(
    "line", ["f\"{counted(n, 'case')}s\"", 'f"{MIN_CASES} cases"', '"1 cases"']
)
def test_what_is_not_a_count_passes(line: str) -> None:
    assert counts_in_plural(line) == []


def test_things_are_counted_with_what_agrees() -> None:
    assert counted(1, "case") == "1 case"
    assert counted(0, "case") == "0 cases"
    assert counted(1, "case", "has", "have") == "1 case has"
    assert counted(2, "case", "has", "have") == "2 cases have"
    assert [byNumber(n, "one", "more") for n in (0, 1, 2)] == ["more", "one", "more"]


TRANSLATED = re.compile(r'_\(\s*"([^"]*\{n\} (?:[a-z]+ )?(?:cases|maps|groups|files|images)[^"]*)"')


def test_panels_choose_the_form_by_the_number() -> None:
    """Translated texts cannot use `counted`: each form is a text of its own."""
    wrong = []
    for path in FILES:
        source = path.read_text(encoding="utf-8")
        for match in TRANSLATED.finditer(source):
            before = source[max(0, match.start() - 160) : match.start()]
            if "byNumber(" not in before and "one, more =" not in before:
                wrong.append(f"{path.name}: {match[1]}")
    # Several by construction, see `MIN_CASES` and the shares of pairs.
    assert [text for text in wrong if "labeled cases. Every" not in text] == []
