"""Every command of README and Docs and every option of the programs runs as the text says."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from classified_toy import classified_toy
from dicom_files import SeriesPlan, write_series
from labelled_toy import toy_cohort
from run_program import ROOT, Outcome, Surroundings, run_here
from small_example import N_CASES, SmallExample

from CIMLSegmentLib.__main__ import build_parser as ciml_parser
from CIMLSegmentLib.results.result_io import write_result
from CIMLSegmentLib.results.segmentation_result import SegmentationResult
from CIMLSegmentLib.task.task_io import CohortModalities, load_task
from MDALSelectorLib.__main__ import build_parser as mdal_parser
from MDALSelectorLib.exchange.record_export import export_record
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.cohort_record import CaseState, open_record
from MultimodalImagingLib.record.selection_file import suggested_cases

MDAL, CIML = "mdal-selector", "ciml-segmenter"
PARSERS = {MDAL: mdal_parser, CIML: ciml_parser}
PAGES = (ROOT / "README.md", *sorted((ROOT / "Docs").glob("*.md")))
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
CPU = ("--device", "cpu")
MODALITY = ("--modality", "t1=T1")
SMALL = ("--steps", "2", "--validate-every", "2", "--features", "4", "--largest-patch", "16")
# The training of the README takes hours; these options make it short.
QUICK = {
    "train": ("--batch-size", "1", *CPU, *SMALL),
    "segment": ("--case", "case00", *CPU),
    "retrospect": ("--draws", "2", "--folds", "2", "--partitions", "1", "--strategy", "KCenter"),
}


@dataclass(frozen=True)
class Example:
    """A command with many options at once; words in braces are places of `_places`.

    Attributes:
        words: Program, command and arguments.
        is_slow: Whether it runs on request only; every command runs at least once without.
    """

    words: tuple[str, ...]
    is_slow: bool = False


EXAMPLES = (
    Example(
        (
            *(MDAL, "inspect", "{cohort}", *MODALITY, "--save-modalities"),
            *("--deep", "--json", "--all"),
        )
    ),
    Example((MDAL, "inspect", "{cohort}", "--events")),
    Example(
        (
            *(MDAL, "select", "{cohort}", "--budget", "2", "--strategy", "random"),
            *("--output", "{new}", "--record", "{record}", "--seed", "1", "--spacing", "4"),
            *("--estimator", "gaussian", "--labelled", "record", "--accept", "case00"),
            *(*CPU, *MODALITY),
        )
    ),
    Example(
        (
            *(MDAL, "select", "{manifest}", "--budget", "20%", "--strategy", "Score"),
            *("--score-column", "age", "--score-direction", "low", "--events"),
            *("--settings", "{choices}"),
        )
    ),
    Example(
        (
            *(MDAL, "select", "{labelled}", "--budget", "1", "--within", "site"),
            *("--estimator", "gaussian", "--output", "{new}"),
        )
    ),
    Example(
        (
            *(MDAL, "evaluation", "{labelled}", "--share", "25%", "--seed", "1"),
            *("--record", "{record}", *MODALITY, "--events"),
        )
    ),
    Example((MDAL, "evaluation", "{cohort}", "--share", "1", "--run", "{run}")),
    Example((MDAL, "evaluation", "{cohort}", "--dissolve")),
    Example(
        (
            *(MDAL, "agreement", "{labelled}", "--primary", "T1", "--limit", "0.8"),
            *("--read-again", "10%", "--seed", "1", "--output", "{new}"),
            *("--record", "{record}", *MODALITY, "--events"),
        )
    ),
    Example(
        (
            *(MDAL, "consensus", "{labelled}", "--method", "majority", "--case", "case00"),
            *("--primary", "T1", "--record", "{record}", *MODALITY, "--withdraw", "--events"),
        )
    ),
    Example((MDAL, "report", "{run}", "--events")),
    Example((MDAL, "status", "{cohort}", "--json", "--record", "{record}")),
    Example((MDAL, "status", "{cohort}", "--events")),
    Example(
        (
            *(MDAL, "claim", "{cohort}", "case00", "case01", "--reader", "AB"),
            *("--purpose", "re-read", "--record", "{record}", "--events"),
        )
    ),
    Example(
        (
            *(MDAL, "release", "{cohort}", "case00", "--reader", "AB", "--record", "{record}"),
            "--events",
        )
    ),
    Example(
        (
            *(MDAL, "export", "{cohort}", "--output", "{new}", "--record", "{record}"),
            *(
                "--cart",
                "{new}.csv",
                "--case-iterator",
                "{new}-2.csv",
                "--primary",
                "T1",
                "--events",
            ),
        )
    ),
    Example((MDAL, "export", "{named}", "--slicercart", "{new}", "--primary", "T1")),
    Example(
        (
            *(MDAL, "import", "{cohort}", "{exported}", "--replace", "--record", "{record}"),
            "--events",
        )
    ),
    Example((MDAL, "import", "{cohort}", "{manifest}")),
    Example((MDAL, "report", "{labelled}", "--record", "{record}", "--modality", "ct=CT")),
    Example(
        (
            *(MDAL, "select", "{cohort}", "--budget", "2", "--strategy", "EpistemicMD"),
            *("--drafts", "{results}", "--uncertainty-weight", "0.3", "--output", "{new}"),
            *("--estimator", "gaussian"),
        )
    ),
    Example(
        (
            *(CIML, "round", "{cohort}", "--model", "{model}", "--labels", "{labels}", *CPU),
            *("--label-values", "brats-2018", "--record", "{record}", *MODALITY, "--events"),
        )
    ),
    Example(
        (
            *(MDAL, "classes", "{manifest}", "--task", "{classes}", "--record", "{record}"),
            *("--import", "{class_table}", "--reader", "AB", "--export", "{new}.csv"),
            *("--modality", "t1=T1", "--events"),
        )
    ),
    Example((MDAL, "classes", "{manifest}", "--names", "benign,malignant")),
    Example((MDAL, "classes", "{manifest}", "--remove")),
    Example((MDAL, "classes", "{classified}", "--from-cohort")),
    Example((MDAL, "sample", "patient", "--output", "{new}", "--events")),
    Example(
        (
            *(MDAL, "retrospect", "{labelled}", "--budgets", "2,50%", "--output", "{new}"),
            *("--record", "{record}", "--labels", "{label_maps}", "--label-value", "1"),
            *("--leave-out", "case00", "--strategy", "score", "--score-column", "score"),
            *("--draws", "2", "--folds", "2", "--partitions", "1", "--seed", "1"),
            *("--estimator", "gaussian", "--learner", "linear", "--export", "nnunet"),
            *("--spacing", "5", "--modality", "t1=T1", "--events"),
        )
    ),
    Example(
        (
            *(MDAL, "retrospect", "{labelled}", "--budgets", "2", "--output", "{new}", *CPU),
            *("--draws", "2", "--folds", "2", "--partitions", "1", "--strategy", "KCenter"),
            *("--estimator", "gaussian", "--learner", "network", "--seeds", "1", "--steps", "2"),
            *("--network-spacing", "10"),
        )
    ),
    Example(
        (
            *(CIML, "train", "{cohort}", "--task", "brats", "--output", "{new}", *CPU, *SMALL),
            *("--labels", "{labels}", "--suggested-by", "{run}", "--record", "{record}"),
            *("--resume", "--spacing", "4", *MODALITY, "--batch-size", "1", "--beta", "0.02"),
            *("--validation-case", "{suggested}", "--kind", "early-fusion", "--seed", "1"),
            *("--settings", "{settings}", "--label-values", "brats-2018", "--events"),
        ),
        is_slow=True,
    ),
    Example(
        (
            *(CIML, "train", "{cohort}", "--task", "{task}", "--primary", "T1"),
            *("--output", "{new}", *CPU, *SMALL, "--batch-size", "1"),
        ),
        is_slow=True,
    ),
    Example(
        (
            *(CIML, "train", "{cohort}", "--task", "brats", "--output", "{new}", *CPU, *SMALL),
            *("--batch-size", "1", "--estimate"),
        ),
        is_slow=True,
    ),
    Example(
        (
            *(CIML, "train", "{cohort}", "--task", "brats", "--from", "{model}", *CPU),
            *("--output", "{new}", "--steps", "2", "--validate-every", "2"),
            *("--largest-patch", "16", "--batch-size", "1"),
        ),
        is_slow=True,
    ),
    Example(
        (
            *(CIML, "segment", "{cohort}", "--case", "case00", "--model", "{model}", *CPU),
            *(
                "--output",
                "{new}",
                "--overwrite",
                *MODALITY,
                "--attention",
                "--gradcam",
                "--no-influence",
            ),
            *(
                "--probabilities",
                "--uncertainty",
                "2",
                "--mirror",
                "--overlap",
                "0.25",
                "--batch-size",
                "1",
            ),
            *("--seed", "1", "--events", "--unseen"),
        ),
        is_slow=True,
    ),
    Example(
        (
            *(CIML, "segment", "--image", "T1={cohort}/case00/t1.nii.gz"),
            *("--image", "T1c={cohort}/case00/t1c.nii.gz"),
            *("--image", "FLAIR={cohort}/case00/flair.nii.gz", "--case-id", "x"),
            *("--model", "{model}", "--output", "{new}", *CPU),
        ),
        is_slow=True,
    ),
    Example(
        (
            *(CIML, "evaluate", "{results}", "--reference", "{cohort}", "--output", "{new}"),
            *("--count-missing", *MODALITY, "--label-values", "brats-2018", "--events"),
            *("--record", "{record}"),
        )
    ),
    Example(
        (
            *(CIML, "report", "{results}", "--images", "{cohort}", "--reference", "{cohort}"),
            *("--case", "case00", "--output", "{new}.html", *MODALITY, "--events"),
            *("--label-values", "brats-2018"),
        )
    ),
    Example((CIML, "export", "{model}", "--monai-bundle", "{new}", "--overwrite", "--events")),
    Example(
        (
            *(CIML, "export", "{cohort}", "--nnunet", "{dataset}", "--task", "brats"),
            *("--labels", "{labels}", "--label-values", "brats-2018", "--record", "{record}"),
            *("--resample", *MODALITY, "--suggested-by", "{run}"),
        )
    ),
    Example(
        (
            *(CIML, "export", "{cohort}", "--monai-label", "{new}", "--task", "{task}"),
            *("--primary", "FLAIR", "--label-values", "others=target"),
        )
    ),
    Example((CIML, "export", "{manifest}", "--csv", "{new}.csv")),
    Example(
        (
            *(CIML, "export", "{dicom}", "--dicom-seg", "{new}", "--task", "{task}"),
            *("--primary", "T1", "--labels", "{dicom_labels}", "--seg-type", "labelmap"),
        )
    ),
    Example(
        (CIML, "export", "{dicom}", "--dicom-seg", "{new}", "--results", "{dicom_results}"),
    ),
    Example(
        (
            *(CIML, "import", "{labels}", "--cohort", "{cohort}", "--task", "brats"),
            *("--name", "other", "--output", "{new}", "--record", "{record}", "--overwrite"),
            *("--label-values", "brats-2018", *MODALITY, "--events"),
        )
    ),
    Example(
        (
            *(CIML, "import", "{labels}", "--cohort", "{cohort}", "--task", "{task}"),
            *("--primary", "FLAIR", "--label-values", "others=target"),
        )
    ),
)


def _readme_commands() -> Iterator[str]:
    blocks = re.findall(r"^```\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```\n.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`]+)`", rest)
    for text in [*spans, *(line.split("  #")[0] for block in blocks for line in block.split("\n"))]:
        if re.match(rf"({MDAL}|{CIML}) [a-z]+ \S", text.strip()):
            yield " ".join(text.split())


README_COMMANDS = tuple(dict.fromkeys(_readme_commands()))


@pytest.fixture
def places(tmp_path: Path, small_example: SmallExample) -> Mapping[str, str]:
    """Copies of everything that a command may read, and places where it may write."""
    for name in ("cohort", "model", "run", "results"):
        shutil.copytree(getattr(small_example, name), tmp_path / name)
    (tmp_path / "labels").mkdir()
    labelled = toy_cohort(tmp_path / "labelled", n_cases=12)
    sites = [f"patient{n}\t{'ab'[n % 2]}" for n in range(12)]
    (tmp_path / "labelled" / "participants.tsv").write_text(
        "\n".join(["participant_id\tsite", *sites]) + "\n", encoding="utf-8"
    )
    (tmp_path / "label_maps").mkdir()
    for label in sorted((tmp_path / "labelled").glob("*/seg.nii.gz")):
        shutil.copy(label, tmp_path / "label_maps" / f"{label.parent.name}.nii.gz")
    _dicom_places(tmp_path)
    rows = ["case,T1,T1c,T2,FLAIR,age"]
    for number in range(N_CASES):
        case = tmp_path / "cohort" / f"case{number:02d}"
        shutil.copy(case / "seg.nii.gz", tmp_path / "labels" / f"{case.name}.nii.gz")
        named = tmp_path / "named" / case.name
        named.mkdir(parents=True)
        shutil.copy(case / "t1.nii.gz", named / f"{case.name}_t1.nii.gz")
        images = (str(case / f"{kind}.nii.gz") for kind in ("t1", "t1c", "t2", "flair"))
        rows.append(",".join([case.name, *images, str(number)]))
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    settings = {"training": {"augmentation": 0.0}, "network": {}}
    (tmp_path / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    choices = {
        "estimation": {"contrastive": {"max_steps": 10, "evaluate_every": 5}},
        "pairing": {"min_gain": 0.03},
        "strategy_options": {"max_per_patient": 2},
    }
    (tmp_path / "choices.json").write_text(json.dumps(choices), encoding="utf-8")
    (tmp_path / "classes.json").write_text('{"classes": ["benign", "malignant"]}')
    (tmp_path / "class_table.csv").write_text("case,class\ncase00,benign\n")
    classified = classified_toy(tmp_path / "classified", ["left", "right"])
    names = ("cohort", "model", "run", "results", "labels", "record", "new")
    names += ("dicom", "dicom_labels", "dicom_results", "exported", "named")
    export_record(open_record(tmp_path / "cohort"), tmp_path / "exported", NullReporter())
    return {
        **{name: str(tmp_path / name) for name in names},
        "manifest": str(tmp_path / "manifest.csv"),
        "labelled": str(labelled),
        "classified": str(classified),
        "classes": str(tmp_path / "classes.json"),
        "class_table": str(tmp_path / "class_table.csv"),
        "label_maps": str(tmp_path / "label_maps"),
        "settings": str(tmp_path / "settings.json"),
        "choices": str(tmp_path / "choices.json"),
        "suggested": suggested_cases(small_example.run)[0],
        "task": "single-target",
        "dataset": str(tmp_path / "Dataset501_Glioma"),
    }


def _dicom_places(folder: Path) -> None:
    """Write a cohort of DICOM files, labels of its case, and a result of another program."""
    write_series(folder / "dicom" / "patient", SeriesPlan())
    cohort = find_cohort(folder / "dicom")
    case = cohort.cases[0]
    grid = cohort.grids[case.images["T1"]]
    label = Volume(np.ones(grid.array_shape, np.uint8), grid)
    for place in (folder / "dicom_labels", open_record(cohort.root).labels):
        place.mkdir()
        write_volume(place / f"{case.case_id}.nii.gz", label)
    task = load_task("single-target", cohort=CohortModalities({"T1": "MR"}, "T1"))
    write_result(SegmentationResult(case.case_id, task, "T1", label), folder / "dicom_results")


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Return a function that runs a command here, which spares the start of Python and torch."""
    Surroundings(tmp_path / "around").enter(monkeypatch)
    return lambda words: run_here(words, capfd)


def _run_script(words: Sequence[str], folder: Path) -> Outcome:
    """Run the installed console script."""
    script = Path(sys.executable).with_name(words[0])
    around = Surroundings(folder / "around")
    child = subprocess.run(
        [script, *words[1:]],
        env={**os.environ, **around.variables()},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return Outcome(child.returncode, child.stdout + child.stderr)


def _check(outcome: Outcome) -> None:
    assert "Traceback" not in outcome.output, outcome.output
    assert outcome.exit_code == 0, outcome.output


def test_readme_shows_every_command():
    shown = {tuple(text.split()[:2]) for text in README_COMMANDS}

    assert shown == {(p, command) for p, make in PARSERS.items() for command in _commands(make())}


@pytest.mark.parametrize("text", README_COMMANDS)
def test_command_of_readme(text, places, run):
    meaning = {
        "COHORT": places["labelled" if " retrospect " in text else "cohort"],
        "CASE_OR_COHORT": places["cohort"],
        "RUN": places["run"],
        "MODEL": places["new"] if " train " in text else places["model"],
        "DIR": places["new"] if " segment " in text else places["results"],
        "FOLDER": places["new"],
        "FILE": f"{places['new']}.csv",
        "DATASET": places["dataset"],
        "PREDICTIONS": places["labels"],
        "DICOM_COHORT": places["dicom"],
        "DICOM_RESULTS": places["dicom_results"],
        "CASE": "case00",
        "EXPORT": places["exported"],
    }
    words = [meaning.get(word, word) for word in shlex.split(text)]
    if "report COHORT" in text and text.startswith("mdal-selector"):
        open_record(Path(places["cohort"])).change_states({"case00": CaseState.LABELLED})
    drafts = ("--drafts", places["results"]) if "Epistemic" in text else ()

    _check(run([*words, *drafts, *QUICK.get(words[1], ())]))


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(
            example,
            id="-".join((*example.words[:2], str(number))),
            marks=[pytest.mark.evidence] if example.is_slow else [],
        )
        for number, example in enumerate(EXAMPLES)
    ],
)
def test_options(example, places, run):
    _check(run([word.format(**places) for word in example.words]))


def test_every_option_has_an_example():
    used = {(e.words[0], e.words[1], word) for e in EXAMPLES for word in e.words}
    missing = [
        f"{program} {name} {option}"
        for program, make in PARSERS.items()
        for name, parser in _commands(make()).items()
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help" and (program, name, option) not in used
    ]

    assert missing == []


def test_every_option_of_readme_exists():
    known = {
        option
        for make in PARSERS.values()
        for parser in _commands(make()).values()
        for action in parser._actions
        for option in action.option_strings
    }
    others = {"--panels", "--python-script"}  # of Testing/demo.sh, and of Slicer
    spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
    shown = {option for span in spans for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", span)}

    assert shown - known - others == set()


@pytest.mark.parametrize("program", PARSERS)
def test_help_names_every_command(program, tmp_path):
    outcome = _run_script([program, "--help"], tmp_path)

    _check(outcome)
    assert all(name in outcome.output for name in _commands(PARSERS[program]()))


def test_scripts_of_readme_can_be_run():
    scripts = set(re.findall(r"Testing/\w+\.sh", README))

    assert scripts >= {"Testing/demo.sh", "Testing/test.sh"}
    for name in scripts:
        assert os.access(ROOT / name, os.X_OK)
        subprocess.run(["bash", "-n", ROOT / name], check=True)


def _commands(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    return next(a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction))
