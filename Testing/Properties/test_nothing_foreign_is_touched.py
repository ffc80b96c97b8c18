"""No command removes or changes a file that it did not write, wherever its output is pointed at."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from decoys import PLACES, write_world
from folder_state import changes, folder_state
from run_program import Surroundings, run_here
from small_example import TRAINING, SmallExample

CPU = ("--device", "cpu")
QUICK = (*TRAINING, "--steps", "2", "--validate-every", "2")
SELECT = ("--budget", "2", "--estimator", "gaussian")
# Places of a command that are run always; the others are run on request.
N_DRAWN = 2
USERS = ("notes.txt", "read-only.txt")  # of the user, in the folders of the program


@dataclass(frozen=True)
class Writer:
    """A command with an option that names where it writes.

    Attributes:
        words: Program and arguments; `{place}` is where it is told to write.
        own: Folders of the world whose files it wrote itself and may write anew.
    """

    words: tuple[str, ...]
    own: tuple[str, ...] = ()


MDAL, CIML = "mdal-selector", "ciml-segmenter"
RETROSPECT = (
    *("--budgets", "1", "--draws", "2", "--folds", "2", "--partitions", "1"),
    *("--strategy", "random", "--estimator", "gaussian"),
)
SEGMENT = (CIML, "segment", "{world}/cohort", "--model", "{world}/model", *CPU, "--case", "case00")
EXPORT = (CIML, "export", "{world}/cohort")
IMPORT = (
    *(CIML, "import", "{world}/predicted", "--cohort", "{world}/cohort", "--task", "brats"),
    *("--label-values", "brats-2018"),
)
WRITERS: Mapping[str, Writer] = {
    "select-output": Writer(
        (MDAL, "select", "{world}/cohort", *SELECT, "--output", "{place}"), ("run",)
    ),
    "select-record": Writer(
        (MDAL, "select", "{world}/cohort", *SELECT, "--record", "{place}"), ("record",)
    ),
    "evaluation-record": Writer(
        (MDAL, "evaluation", "{world}/cohort", "--share", "1", "--record", "{place}"), ("record",)
    ),
    "agreement-output": Writer((MDAL, "agreement", "{world}/cohort", "--output", "{place}")),
    "agreement-record": Writer(
        (MDAL, "agreement", "{world}/cohort", "--read-again", "10%", "--record", "{place}"),
        ("record",),
    ),
    "consensus-record": Writer(
        (MDAL, "consensus", "{world}/cohort", "--record", "{place}"), ("record",)
    ),
    "select-report": Writer((MDAL, "report", "{place}"), ("run",)),
    "retrospect-output": Writer(
        (MDAL, "retrospect", "{world}/cohort", *RETROSPECT, "--output", "{place}"), ("run",)
    ),
    "retrospect-record": Writer(
        (
            *(MDAL, "retrospect", "{world}/cohort", *RETROSPECT),
            *("--output", "{world}/asked", "--record", "{place}"),
        ),
        ("record", "asked"),
    ),
    "labeling-page": Writer((MDAL, "report", "{world}/cohort", "--record", "{place}"), ("record",)),
    "round-record": Writer(
        (CIML, "round", "{world}/cohort", "--model", "{world}/model", *CPU, "--record", "{place}"),
        ("record",),
    ),
    "status-record": Writer((MDAL, "status", "{world}/cohort", "--record", "{place}"), ("record",)),
    "claim-record": Writer(
        (MDAL, "claim", "{world}/cohort", "case00", "--record", "{place}"), ("record",)
    ),
    "release-record": Writer(
        (MDAL, "release", "{world}/cohort", "case00", "--record", "{place}"), ("record",)
    ),
    "record-output": Writer(
        (
            *(MDAL, "export", "{world}/cohort", "--record", "{world}/asked"),
            *("--output", "{place}"),
        ),
        ("asked",),
    ),
    "record-cart": Writer((MDAL, "export", "{world}/cohort", "--cart", "{place}/list.csv")),
    "record-case-iterator": Writer(
        (MDAL, "export", "{world}/cohort", "--case-iterator", "{place}/list.csv")
    ),
    "record-slicercart": Writer((MDAL, "export", "{world}/cohort", "--slicercart", "{place}")),
    "record-import": Writer(
        (MDAL, "import", "{world}/cohort", "{world}/exported", "--record", "{place}", "--replace"),
        ("record",),
    ),
    "classes-export": Writer(
        (
            *(MDAL, "classes", "{world}/cohort", "--names", "a,b", "--record", "{world}/asked"),
            *("--export", "{place}/classes.csv"),
        ),
        ("asked",),
    ),
    "classes-record": Writer(
        (MDAL, "classes", "{world}/cohort", "--names", "a,b", "--record", "{place}"), ("record",)
    ),
    "sample": Writer((MDAL, "sample", "patient", "--output", "{place}")),
    "inspect-save": Writer((MDAL, "inspect", "{place}", "--save-modalities"), ("record",)),
    "segment": Writer((*SEGMENT, "--output", "{place}"), ("results",)),
    "segment-overwrite": Writer((*SEGMENT, "--output", "{place}", "--overwrite"), ("results",)),
    "segment-one-case": Writer(
        (
            *(CIML, "segment", "{world}/cohort/case00", "--model", "{world}/model", *CPU),
            *("--output", "{place}", "--overwrite"),
        ),
        ("results",),
    ),
    "evaluate": Writer(
        (
            *(CIML, "evaluate", "{world}/results", "--reference", "{world}/cohort"),
            *("--output", "{place}"),
        ),
        ("results",),
    ),
    "evaluate-record": Writer(
        (
            *(CIML, "evaluate", "{world}/results", "--reference", "{world}/cohort"),
            *("--output", "{world}/scores", "--record", "{place}"),
        ),
        ("scores",),
    ),
    "report": Writer(
        (
            *(CIML, "report", "{world}/results", "--images", "{world}/cohort"),
            *("--output", "{place}"),
        ),
        ("results",),
    ),
    "report-page": Writer(
        (
            *(CIML, "report", "{world}/results", "--images", "{world}/cohort"),
            *("--output", "{place}/report.html"),
        ),
        ("results", "run"),
    ),
    "export": Writer((CIML, "export", "{world}/model", "--monai-bundle", "{place}")),
    "export-overwrite": Writer(
        (CIML, "export", "{world}/model", "--monai-bundle", "{place}", "--overwrite")
    ),
    "export-nnunet": Writer((*EXPORT, "--task", "brats", "--nnunet", "{place}/Dataset501_World")),
    "export-monai-label": Writer(
        (*EXPORT, "--task", "brats", "--monai-label", "{place}", "--record", "{world}/asked"),
        ("asked",),
    ),
    "export-dicom-seg": Writer(
        (
            *EXPORT,
            "--results",
            "{world}/results",
            "--dicom-seg",
            "{place}",
            "--record",
            "{world}/asked",
        ),
        ("asked",),
    ),
    "export-record": Writer(
        (*EXPORT, "--csv", "{world}/cases.csv", "--record", "{place}"), ("record",)
    ),
    "export-csv": Writer((*EXPORT, "--csv", "{place}/cases.csv")),
    "import": Writer((*IMPORT, "--output", "{place}", "--overwrite"), ("results",)),
    "import-record": Writer((*IMPORT, "--record", "{place}"), ("record",)),
    "train-output": Writer(
        (CIML, "train", "{world}/cohort", *QUICK, "--output", "{place}"), ("model",)
    ),
    "train-record": Writer(
        (
            *(CIML, "train", "{world}/cohort", *QUICK, "--output", "{world}/trained"),
            *("--record", "{place}"),
        ),
        ("record",),
    ),
}
ALWAYS = {  # how data were lost once
    ("segment-overwrite", "cohort"),
    ("segment", "cohort"),
    ("export-overwrite", "foreign"),
    ("export-overwrite", "cohort"),
}


def _combinations() -> Iterator[object]:
    source = random.Random(8)
    for writer in WRITERS:
        drawn = source.sample(sorted(PLACES), N_DRAWN)
        for place in PLACES:
            is_usual = place in drawn or (writer, place) in ALWAYS
            marks = [] if is_usual else [pytest.mark.evidence]
            yield pytest.param(writer, place, id=f"{writer}-{place}", marks=marks)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, small_example: SmallExample) -> Path:
    world = tmp_path_factory.mktemp("template") / "world"
    world.mkdir()
    write_world(world, small_example)
    return world


@pytest.mark.parametrize(("writer", "place"), _combinations())
def test_only_own_files_change(writer, place, template, tmp_path, monkeypatch, capfd):
    world = tmp_path / "world"
    shutil.copytree(template, world, symlinks=True)
    link = world / "cohort" / "linked"
    link.unlink()
    link.symlink_to(world / "outside", target_is_directory=True)
    command = [_filled(word, world, PLACES[place]) for word in WRITERS[writer].words]
    before = folder_state(world, without=[".crossmodal"])

    with monkeypatch.context() as patch:
        Surroundings(tmp_path / "around").enter(patch)
        outcome = run_here(command, capfd)

    found = changes(before, folder_state(world, without=[".crossmodal"]))
    lost = {name: what for name, what in found.items() if _is_a_loss(name, what, writer)}
    assert "Traceback" not in outcome.output, outcome.output
    assert outcome.exit_code in (0, 1, 2)
    assert lost == {}, outcome.output


def _filled(word: str, world: Path, place: str) -> str:
    return word.replace("{place}", str(world / place)).replace("{world}", str(world))


def _is_a_loss(name: str, what: str, writer: str) -> bool:
    """Tell whether a change concerns a file that this command did not write."""
    if what == "added":
        return name.startswith("cohort/case")
    parts = Path(name).parts
    is_own = parts[0] in WRITERS[writer].own and parts[-1] not in USERS
    return not is_own


def test_every_option_that_names_a_place_is_tried():
    from CIMLSegmentLib.__main__ import build_parser as ciml_parser
    from MDALSelectorLib.__main__ import build_parser as mdal_parser

    tried = {(w.words[1], word) for w in WRITERS.values() for word in w.words if word[:2] == "--"}
    for parser in (mdal_parser(), ciml_parser()):
        for name, command in _commands(parser).items():
            options = {option for action in command._actions for option in action.option_strings}
            places = options & {
                *("--output", "--record", "--overwrite"),
                *("--monai-bundle", "--nnunet", "--monai-label", "--csv", "--dicom-seg"),
                *("--cart", "--case-iterator", "--slicercart"),
            }
            assert {option for option in places if (name, option) not in tried} == set()


def _commands(parser) -> Mapping[str, object]:
    return next(action.choices for action in parser._actions if isinstance(action.choices, dict))
