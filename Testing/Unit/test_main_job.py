"""The demonstration's whole path on a small cohort, and which labels it opens on the way."""

from __future__ import annotations

import csv
import ctypes
import importlib
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import main_job
import pytest
from phantoms import plain_cohort

from MultimodalImagingLib.record.selection_file import suggested_cases

SMALL = main_job.Settings(
    select=("--budget", "3", "--strategy", "MaxMD", "--estimator", "gaussian"),
    train=("--steps", "2", "--features", "2", "--largest-patch", "16", "--validate-every", "2"),
    segment=("--attention", "--overlap", "0"),
)
ROOT = Path(__file__).parents[2]
CASES = tuple(f"case{number:02d}" for number in range(8))


class OpenedFiles:
    """Names of the files of a folder that any process opens; the kernel tells (inotify)."""

    IN_OPEN = 0x20

    def __init__(self, folder: Path) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._queue = self._library.inotify_init1(os.O_NONBLOCK)
        watch = self._library.inotify_add_watch(self._queue, os.fsencode(folder), self.IN_OPEN)
        assert self._queue >= 0
        assert watch >= 0

    def take(self) -> set[str]:
        """Return what was opened since the last call."""
        names: set[str] = set()
        while data := self._read():
            while data:
                length = struct.unpack_from("iIII", data)[3]
                names.add(data[16 : 16 + length].rstrip(b"\0").decode())
                data = data[16 + length :]
        return names - {""}  # the folder itself

    def close(self) -> None:
        os.close(self._queue)

    def _read(self) -> bytes:
        try:
            return os.read(self._queue, 65536)
        except BlockingIOError:
            return b""


def snapshot(folder: Path) -> dict[Path, tuple[int, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with eight cases in `cohort` and their labels in `reference`."""
    folder = tmp_path_factory.mktemp("example")
    plain_cohort(folder / "cohort", n_cases=len(CASES))
    (folder / "reference").mkdir()
    for label in (folder / "cohort").glob("*/seg.nii.gz"):
        label.rename(folder / "reference" / f"{label.parent.name}.nii.gz")
    return folder


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        folders = [str(ROOT / "MDALSelector"), str(ROOT / "CIMLSegment")]
        patch.setenv("PYTHONPATH", os.pathsep.join(folders))
        yield


@pytest.fixture(scope="module")
def opened(example: Path) -> Mapping[str, set[str]]:
    """Run the whole job as users do; returns which labels each command opened."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells which files other processes open")
    watch = OpenedFiles(example / "reference")
    found: dict[str, set[str]] = {}
    run = main_job._run

    def run_and_note(program: str, *arguments: Sequence[str | Path]) -> None:
        run(program, *arguments)
        found[str(arguments[0][0])] = watch.take()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main_job, "_run", run_and_note)
        assert main_job.main(arguments_of(example), SMALL) == 0
    watch.close()
    return found


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the starts of Python and torch; `opened` has them."""

    def run(words: Sequence[str], *, check: bool) -> None:
        code = importlib.import_module(f"{words[2]}.__main__").main(words[3:])
        if check and code:
            raise subprocess.CalledProcessError(code, words)

    monkeypatch.setattr(main_job.subprocess, "run", run)


def arguments_of(example: Path) -> list[str]:
    labels = ["--labels", str(example / "reference")]
    return [str(example / "cohort"), *labels, "--output", str(example / "output")]


def test_no_label_of_an_unselected_case_is_opened_before_the_evaluation(
    example: Path, opened: Mapping[str, set[str]]
) -> None:
    suggested = suggested_cases(example / "output" / "selection")
    assert len(suggested) == 3
    assert list(opened) == ["inspect", "select", "train", "segment", "evaluate", "report"]
    assert opened["inspect"] == opened["select"] == opened["segment"] == set()
    assert opened["train"] == {f"{case_id}.nii.gz" for case_id in suggested}
    assert opened["evaluate"] >= {f"{case_id}.nii.gz" for case_id in CASES} - opened["train"]


def test_the_rest_is_segmented_evaluated_and_shown(
    example: Path, opened: Mapping[str, set[str]]
) -> None:
    output = example / "output"
    suggested = set(suggested_cases(output / "selection"))
    results = output / "round-1" / "segmentation"
    rest = {*CASES} - suggested
    check_round(output / "round-1", list(suggested), list(rest))
    with (results / "evaluation.csv").open() as file:
        assert {row["case"] for row in csv.DictReader(file)} == rest
    page = (results / "report.html").read_text(encoding="utf-8")
    assert all(f'id="case-{n}"' in page for n in range(1, len(rest) + 1))
    assert "T1c to FLAIR" in page
    assert (output / "selection" / "report.html").is_file()


@pytest.mark.usefixtures("in_process")
def test_a_second_run_uses_what_is_there(
    example: Path, opened: Mapping[str, set[str]], capfd: pytest.CaptureFixture[str]
) -> None:
    kept = [example / "output" / "round-1" / "model" / "model.safetensors"]
    kept += sorted((example / "output").glob("round-1/segmentation/case*/result.json"))
    before = [path.stat().st_mtime_ns for path in kept]
    assert main_job.main(arguments_of(example), SMALL) == 0
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert len(kept) == 6
    text = capfd.readouterr().out
    assert "The selection of an earlier run is used." in text
    assert "round-1/segmentation/report.html" in text.splitlines()[-1]
    assert not (example / "output" / "round-2").exists()


@pytest.mark.usefixtures("in_process")
def test_a_cohort_without_labels_ends_with_what_to_do_and_stays_untouched(
    example: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(example / "cohort")
    arguments = [str(example / "cohort"), "--output", str(tmp_path / "output")]
    assert main_job.main(arguments, SMALL) == 0
    text = capfd.readouterr().out
    assert "label them in the module MDALSelector of 3D Slicer" in text
    assert str(tmp_path / "output" / "selection" / "report.html") in text.splitlines()[-1]
    assert not list((tmp_path / "output").glob("round-*"))
    assert snapshot(example / "cohort") == before


def small_copy(example: Path, folder: Path) -> tuple[Path, list[str], list[str]]:
    """Copy the selection and four cases; returns the cohort, two suggested cases, two others."""
    shutil.copytree(example / "output" / "selection", folder / "output" / "selection")
    suggested = list(suggested_cases(folder / "output" / "selection")[:2])
    others = [case_id for case_id in CASES if case_id not in suggested][-2:]
    for case_id in (*suggested, *others):
        shutil.copytree(example / "cohort" / case_id, folder / "cohort" / case_id)
    return folder / "cohort", suggested, others


@pytest.mark.usefixtures("in_process")
def test_labels_that_a_person_made_since_are_trained_on(
    example: Path,
    tmp_path: Path,
    opened: Mapping[str, set[str]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    cohort, suggested, others = small_copy(example, tmp_path)
    (cohort / ".crossmodal" / "labels").mkdir(parents=True)
    for case_id in suggested:
        made = cohort / ".crossmodal" / "labels" / f"{case_id}.nii.gz"
        shutil.copy(example / "reference" / made.name, made)
    before = snapshot(cohort)
    assert main_job.main([str(cohort), "--output", str(tmp_path / "output")], SMALL) == 0
    assert "None of the segmented cases has a label map to compare with." in capfd.readouterr().out
    check_round(tmp_path / "output" / "round-1", suggested, others)
    assert snapshot(cohort) == before


@pytest.mark.usefixtures("in_process")
def test_a_labelled_cohort_is_compared_with_the_labels_that_were_not_trained_on(
    example: Path, tmp_path: Path, opened: Mapping[str, set[str]]
) -> None:
    cohort, suggested, others = small_copy(example, tmp_path)
    for case_id in (*suggested, *others):
        label = cohort / case_id / "seg.nii.gz"
        shutil.copy(example / "reference" / f"{case_id}.nii.gz", label)
    before = snapshot(cohort)
    assert main_job.main([str(cohort), "--output", str(tmp_path / "output")], SMALL) == 0
    check_round(tmp_path / "output" / "round-1", suggested, others)
    with (tmp_path / "output" / "round-1" / "segmentation" / "evaluation.csv").open() as file:
        assert {row["case"] for row in csv.DictReader(file)} == set(others)
    assert snapshot(cohort) == before
    another = main_job.Settings(SMALL.select, (*SMALL.train, "--seed", "1"), SMALL.segment)
    assert main_job.main([str(cohort), "--output", str(tmp_path / "output")], another) == 0
    check_round(tmp_path / "output" / "round-2", suggested, others)  # the first one is kept


def check_round(folder: Path, trained: list[str], segmented: list[str]) -> None:
    model = json.loads((folder / "model" / "model.json").read_text())
    assert {*model["training_cases"], *model["validation_cases"]} == set(trained)
    results = folder / "segmentation"
    assert {path.name for path in results.iterdir() if path.is_dir()} == set(segmented)
    assert (results / "report.html").is_file()


def test_a_cohort_that_no_preset_fits_is_explained(
    example: Path,
    tmp_path: Path,
    opened: Mapping[str, set[str]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    cohort = tmp_path / "cohort"
    shutil.copytree(example / "cohort", cohort)
    for image in cohort.rglob("t2.nii.gz"):
        image.unlink()
    output = tmp_path / "output"
    shutil.copytree(example / "output" / "selection", output / "selection")
    arguments = [str(cohort), "--labels", str(example / "reference"), "--output", str(output)]
    assert main_job.main(arguments, SMALL) == 2
    assert "--task single-target --primary MODALITY" in capfd.readouterr().err


def test_ctrl_c_lets_the_command_end_by_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "patient_program.py"
    program.write_text(
        "import os, signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"  # as the terminal does, to both
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "time.sleep(1.5)\n"  # longer than a program that gives up waits
        f"open({str(tmp_path / 'state')!r}, 'w').write('whole')\n"
        "raise SystemExit(130)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setitem(main_job.PROGRAMS, "ciml-segmenter", "patient_program")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        main_job._run("ciml-segmenter", ("train",))
    assert caught.value.returncode == 130
    assert (tmp_path / "state").read_text() == "whole"
