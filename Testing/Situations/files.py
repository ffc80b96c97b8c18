"""Files that are not the program's, files that are there twice or changed, odd surroundings."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

from phantoms import plain_cohort, save_case
from situation import Situation

OWNERSHIP, STALE, SURROUNDINGS = "ownership", "stale or double", "environment"
KINDS = ("T1", "T2", "FLAIR")
NAMES = {kind: f"{kind.lower()}.nii.gz" for kind in ("T1", "T1c", "T2", "FLAIR")}
SELECT = ("--budget", "1", "--estimator", "gaussian", "--labelled", "record")


def _cohort(folder: Path) -> None:
    plain_cohort(folder / "cohort", n_cases=3)


def _beside(name: str, text: str = "mine") -> Callable[[Path], None]:
    """A cohort, and beside it something of the user's."""

    def build(folder: Path) -> None:
        _cohort(folder)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return build


def _link(folder: Path) -> None:
    _cohort(folder)
    (folder / "link").symlink_to(folder / "cohort")


def _segment(*options: str, case: str = "{folder}/cohort") -> tuple[str, ...]:
    return ("ciml-segmenter", "segment", case, "--model", "{model}", "--device", "cpu", *options)


def _refused_output(name: str, output: str, *options: str) -> Situation:
    return Situation(
        f"output-{name}",
        OWNERSHIP,
        _link,
        _segment("--output", output, *options),
        exit_code=2,
        says=("holds images",),
        silent_about=("--overwrite", "Traceback"),
    )


def _equal_modalities(folder: Path) -> None:
    plain_cohort(folder, n_cases=5, kinds=KINDS)
    shutil.copy(folder / "case00" / "t1.nii.gz", folder / "case00" / "t2.nii.gz")


def _twins(folder: Path) -> None:
    plain_cohort(folder, n_cases=4, kinds=KINDS)
    shutil.copytree(folder / "case01", folder / "copy of case01")


def _mixed_up(folder: Path) -> None:
    plain_cohort(folder, n_cases=4, kinds=KINDS)
    shutil.copy(folder / "case00" / "flair.nii.gz", folder / "case02" / "flair.nii.gz")


def _visits(*names: str) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        for seed, name in enumerate(names):
            save_case(folder / name, seed, NAMES)

    return build


def _lock(text: str, *, seconds: float = 0.0) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        plain_cohort(folder, n_cases=3, kinds=KINDS)
        path = folder / ".crossmodal" / "cases.lock"
        path.parent.mkdir()
        path.write_text(text)
        state = path.stat()
        os.utime(path, (state.st_atime - seconds, state.st_mtime - seconds))

    return build


def _named(name: str) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        save_case(folder / name, 0, NAMES)
        save_case(folder / "case01", 1, NAMES)

    return build


def _manifest(row: str) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        save_case(folder / "images" / "a", 0, NAMES)
        save_case(folder / "images" / "b", 1, NAMES)
        rows = [row.replace("NAME", name) for name in "ab"]
        (folder / "manifest.csv").write_text("\n".join(["case,T1,T2", *rows]), encoding="utf-8")

    return build


def _no_lock(folder: Path, _out: Path, _output: str) -> None:
    assert not (folder / ".crossmodal" / "cases.lock").exists()


INSPECT = ("mdal-selector", "inspect", "{folder}")
NFC, NFD = (unicodedata.normalize(form, "Jürgen_4") for form in ("NFC", "NFD"))

SITUATIONS = (
    _refused_output("is-the-cohort", "{folder}/cohort", "--overwrite"),
    _refused_output("is-the-cohort-without-overwrite", "{folder}/cohort"),
    _refused_output("is-a-link-to-the-cohort", "{folder}/link", "--overwrite"),
    _refused_output("is-a-case", "{folder}/cohort/case00/", "--overwrite"),
    _refused_output("lies-in-a-case", "{folder}/cohort/case00/results/1"),
    _refused_output("holds-the-cohort", "{folder}", "--overwrite"),
    _refused_output("goes-up", "{folder}/cohort/case00/../../cohort/case01/x"),
    Situation(
        "output-holds-a-foreign-folder-of-a-case",
        OWNERSHIP,
        _beside("results/case00/seg.nii.gz"),
        _segment("--output", "{folder}/results", "--overwrite", "--case", "case00"),
        exit_code=2,
        says=("not a result", "left as it"),
        silent_about=("--overwrite",),
    ),
    Situation(
        "output-holds-a-file-of-a-case",
        OWNERSHIP,
        _beside("results/case00"),
        _segment("--output", "{folder}/results", "--overwrite", "--case", "case00"),
        exit_code=2,
        says=("no folder",),
    ),
    Situation(
        "output-is-a-file",
        OWNERSHIP,
        _beside("results"),
        _segment("--output", "{folder}/results", "--overwrite"),
        exit_code=2,
        says=("is no folder",),
    ),
    Situation(
        "output-is-the-model",
        OWNERSHIP,
        _cohort,
        _segment("--output", "{model}", "--overwrite"),
        exit_code=2,
        says=("holds a model",),
    ),
    Situation(
        "output-lies-beside-the-cohort",
        OWNERSHIP,
        _cohort,
        _segment("--output", "{out}/cohort", "--case", "case00"),
        says=("done",),
    ),
    *(
        Situation(
            f"bundle-onto-{name}",
            OWNERSHIP,
            _beside("notes/notes.txt"),
            ("ciml-segmenter", "export", "{model}", "--monai-bundle", target, "--overwrite"),
            exit_code=2,
            silent_about=("Use --overwrite",),
        )
        for name, target in {
            "notes": "{folder}/notes",
            "a-cohort": "{folder}/cohort",
            "its-model": "{model}",
            "a-file": "{folder}/notes/notes.txt",
        }.items()
    ),
    *(
        Situation(
            f"train-{name}",
            OWNERSHIP,
            build,
            (
                *("ciml-segmenter", "train", "{folder}/cohort", "--task", "brats"),
                *("--output", output, "--steps", "1"),
            ),
            exit_code=2,
            says=says,
        )
        for name, build, output, says in (
            ("into-the-cohort", _cohort, "{folder}/cohort", ("holds images",)),
            ("into-a-case", _cohort, "{folder}/cohort/case00/model", ("holds images",)),
            ("onto-a-model-json", _beside("m/model.json"), "{folder}/m", ("holds a model",)),
        )
    ),
    *(
        Situation(
            f"run-{name}",
            OWNERSHIP,
            build,
            ("mdal-selector", "select", "{folder}/cohort", *SELECT, "--output", output),
            exit_code=2,
            says=says,
        )
        for name, build, output, says in (
            ("onto-a-foreign-log", _beside("r/log.jsonl"), "{folder}/r", ("not a run",)),
            ("onto-notes", _beside("r/notes.txt"), "{folder}/r", ("not a run",)),
            ("into-a-case", _cohort, "{folder}/cohort/case00", ("holds images",)),
            ("around-the-cohort", _cohort, "{folder}", ("holds images",)),
        )
    ),
    Situation(
        "record-in-a-case",
        OWNERSHIP,
        _cohort,
        (
            *("mdal-selector", "select", "{folder}/cohort", *SELECT),
            *("--record", "{folder}/cohort/case00", "--output", "{out}/run"),
        ),
        exit_code=2,
        says=("--record",),
    ),
    Situation(
        "equal-modalities-are-a-problem",
        STALE,
        _equal_modalities,
        INSPECT,
        says=(r"T1 \(t1\.nii\.gz\) and T2 \(t2\.nii\.gz\)", "not suggested"),
    ),
    Situation(
        "equal-cases-are-a-problem",
        STALE,
        _twins,
        INSPECT,
        says=("copy of case01", "byte for byte", "4 patients"),
    ),
    Situation(
        "one-image-of-another-case-is-a-problem",
        STALE,
        _mixed_up,
        INSPECT,
        says=("case00", "case02", "byte for byte"),
    ),
    *(
        Situation(f"visits-{name}", STALE, _visits(*cases), INSPECT, says=(says,))
        for name, cases, says in (
            ("by-number", ("P1_V1", "P1_V2", "P2_V1"), "2 patients"),
            ("by-date", ("P1_20190503", "P1_2020-01-31", "P2_20190503"), "2 patients"),
            ("by-date-first", ("20190503_P1", "20200131_P1", "20190503_P2"), "2 patients"),
            ("by-time", ("P1_baseline", "P1_month12", "P2_baseline"), "2 patients"),
            ("around-surgery", ("P1_preop", "P1_postop", "P2_preop"), "2 patients"),
            ("none", ("case_1", "case_2", "case_3"), "3 patients"),
            ("or-names", ("brain_t1", "brain_t2", "brain_t3"), "3 patients"),
        )
    ),
    Situation(
        "lock-that-is-empty-and-old",
        STALE,
        _lock("", seconds=3600),
        ("mdal-selector", "select", "{folder}", *SELECT),
        check=_no_lock,
    ),
    Situation(
        "lock-of-another-computer-that-is-old",
        STALE,
        _lock('{"host": "elsewhere", "pid": 1, "user": "ana"}', seconds=3600),
        ("mdal-selector", "select", "{folder}", *SELECT),
        check=_no_lock,
    ),
    Situation(
        "lock-of-another-computer-that-is-young",
        STALE,
        _lock('{"host": "elsewhere", "pid": 1, "user": "ana"}'),
        ("mdal-selector", "select", "{folder}", *SELECT),
        exit_code=2,
        says=("ana on elsewhere",),
        silent_about=("delete",),
    ),
    *(
        Situation(
            f"output-in-{encoding}",
            SURROUNDINGS,
            _named("患者001"),
            (*INSPECT, *options),
            environment={"PYTHONIOENCODING": encoding},
        )
        for encoding, options in (
            ("ascii", ()),
            ("cp1252", ("--json",)),
            ("gbk", ("--all",)),
            ("latin-1", ("--json",)),
        )
    ),
    Situation(
        "no-home",
        SURROUNDINGS,
        _named("a"),
        INSPECT,
        environment={"HOME": None, "USER": None, "LOGNAME": None},
    ),
    Situation("no-locale", SURROUNDINGS, _named("Müller"), INSPECT, environment={"LC_ALL": "C"}),
    Situation(
        "no-temporary-folder", SURROUNDINGS, _named("a"), INSPECT, environment={"TMPDIR": "/none"}
    ),
    *(
        Situation(
            f"name-in-{name}",
            SURROUNDINGS,
            _named(on_disk),
            _segment("--case", typed, "--output", "{out}", case="{folder}"),
            says=("done",),
        )
        for name, on_disk, typed in (("other-form", NFD, NFC), ("typed-otherwise", NFC, NFD))
    ),
    Situation(
        "name-in-both-forms",
        SURROUNDINGS,
        lambda folder: (_named(NFC)(folder), _named(NFD)(folder)),
        INSPECT,
        says=("found 2 of this name",),
    ),
    Situation(
        "name-ends-with-a-blank", SURROUNDINGS, _named("Fall 17 "), INSPECT, says=("no blank",)
    ),
    Situation(
        "manifest-from-windows",
        SURROUNDINGS,
        _manifest(r"NAME,images\NAME\t1.nii.gz,images\NAME\t2.nii.gz"),
        ("mdal-selector", "inspect", "{folder}/manifest.csv"),
        says=("2 cases", "T1, T2"),
    ),
    Situation(
        "manifest-with-a-drive",
        SURROUNDINGS,
        _manifest(r"NAME,C:\data\NAME\t1.nii.gz,images/NAME/t2.nii.gz"),
        ("mdal-selector", "inspect", "{folder}/manifest.csv"),
        says=("2 cases", "drive"),
    ),
    Situation(
        "path-that-is-too-long",
        SURROUNDINGS,
        _cohort,
        ("mdal-selector", "inspect", "{folder}/" + "x" * 300),
        exit_code=2,
    ),
)
