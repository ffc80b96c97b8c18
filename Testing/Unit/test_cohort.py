from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.cohorts.cases import Cohort, Problem
from MultimodalImagingLib.cohorts.cohort import default_patterns, find_cohort, patterns_for
from MultimodalImagingLib.cohorts.modality_patterns import (
    DEFAULT_PATTERNS,
    ModalityPatterns,
    parse_pattern,
    write_patterns,
)
from MultimodalImagingLib.errors import CohortError, UsageError

NOBODY = 65534


def _seed(path: Path) -> int:
    """Equal images would be a copy mistake."""
    return zlib.crc32(f"{path.parent.name}/{path.name}".encode())


def image(
    path: Path,
    *,
    size: tuple[int, int, int] = (8, 9, 10),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(_seed(path)).normal(size=size[::-1]).astype(np.float32)
    picture = sitk.GetImageFromArray(noise)
    picture.SetSpacing(spacing)
    picture.SetOrigin(origin)
    sitk.WriteImage(picture, str(path))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A cohort of three good cases: CT, PET and label each."""
    for case in ("a", "b", "c"):
        for name in ("ct", "pet", "seg"):
            image(tmp_path / case / f"{name}.nii.gz")
    return tmp_path


def problems_of(cohort: Cohort, case_id: str | None) -> list[Problem]:
    return [problem for problem in cohort.problems if problem.case_id == case_id]


def modalities_of(cohort: Cohort) -> dict[str, tuple[str, ...]]:
    return {case.case_id: tuple(case.images) for case in cohort.cases}


def the_only_problem(cohort: Cohort) -> Problem:
    assert len(cohort.problems) == 1
    return cohort.problems[0]


def test_a_good_cohort_has_no_problems(root: Path) -> None:
    cohort = find_cohort(root)
    assert cohort.problems == ()
    assert cohort.incomplete == {}
    assert cohort.modalities == ("CT", "PET")
    assert all(case.label is not None for case in cohort.cases)
    assert len(cohort.grids) == 9
    assert cohort.image_grids(cohort.cases[0])["PET"].size == (8, 9, 10)


def test_a_case_that_lacks_a_modality_is_incomplete_and_kept(root: Path) -> None:
    (root / "b" / "pet.nii.gz").unlink()
    cohort = find_cohort(root)
    assert modalities_of(cohort)["b"] == ("CT",)
    assert cohort.incomplete == {"b": ("PET",)}
    assert cohort.problems == ()


def test_a_damaged_image_is_named_and_the_rest_of_the_case_and_cohort_goes_on(root: Path) -> None:
    path = root / "b" / "pet.nii.gz"
    path.write_bytes(path.read_bytes()[:-100])
    cohort = find_cohort(root)
    assert modalities_of(cohort) == {"a": ("CT", "PET"), "b": ("CT",), "c": ("CT", "PET")}
    problem = the_only_problem(cohort)
    assert (problem.severity, problem.case_id, problem.path) == ("error", "b", path)
    assert str(problem) == (
        "Case b: Expected one 3-D image in pet.nii.gz, found a compressed file that ends too early"
        " (truncated, perhaps a broken download). Replace the file by an intact copy."
    )


def test_a_damaged_label_map_leaves_the_case_without_label(root: Path) -> None:
    (root / "b" / "seg.nii.gz").write_bytes(b"not an image" * 99)
    cohort = find_cohort(root)
    assert [case.label is None for case in cohort.cases] == [False, True, False]
    assert the_only_problem(cohort).case_id == "b"


def test_2d_4d_and_vector_images_are_named(root: Path) -> None:
    flat = sitk.GetImageFromArray(np.zeros((9, 8), np.float32))
    series = sitk.GetImageFromArray(np.zeros((3, 10, 9, 8), np.float32), isVector=False)
    colors = sitk.GetImageFromArray(np.zeros((10, 9, 8, 3), np.uint8), isVector=True)
    for case, picture in (("a", flat), ("b", series), ("c", colors)):
        sitk.WriteImage(picture, str(root / case / "pet.nii.gz"))
    cohort = find_cohort(root)
    assert [str(problem) for problem in cohort.problems] == [
        "Case a: Expected one 3-D image in pet.nii.gz, found a 2-D image of 8x9 voxels. Only images"
        " with several slices along every axis can be used.",
        "Case b: Expected one 3-D image in pet.nii.gz, found a 4-D image of 8x9x10x3 voxels. Save"
        " each 3-D image in a file of its own.",
        "Case c: Expected one 3-D image in pet.nii.gz, found 3 values per voxel. Save each 3-D"
        " image in a file of its own.",
    ]
    assert cohort.modalities == ("CT",)


def test_impossible_and_unusual_spacings_are_named(root: Path) -> None:
    image(root / "a" / "pet.nii.gz", spacing=(0.001, 0.001, 0.001))
    image(root / "b" / "pet.nii.gz", spacing=(1000.0, 1000.0, 1000.0))
    image(root / "c" / "pet.nii.gz", spacing=(1.0, 1.0, 15.0))
    cohort = find_cohort(root)
    assert [(p.case_id, p.severity) for p in cohort.problems] == [
        ("a", "error"),
        ("b", "error"),
        ("c", "warning"),
    ]
    assert modalities_of(cohort) == {"a": ("CT",), "b": ("CT",), "c": ("CT", "PET")}
    assert str(cohort.problems[0]) == (
        "Case a: Expected the spacing of a clinical image in pet.nii.gz, found a field of view of"
        " 0.008 x 0.009 x 0.01 mm (spacing 0.001 x 0.001 x 0.001 mm), possible are 5 to 3000 mm."
        " The file is not used. With numbers 1000 times larger (spacing 1 x 1 x 1 mm) it would be"
        " possible. Check the unit (mm) and the slice distance in its header."
    )
    assert "found a spacing of 1 x 1 x 15 mm, usual are 0.1 to 10 mm" in str(cohort.problems[2])


def test_two_files_of_one_modality_are_both_named_and_not_used(root: Path) -> None:
    image(root / "b" / "pet_late.nii.gz")
    cohort = find_cohort(root)
    assert modalities_of(cohort)["b"] == ("CT",)
    problem = the_only_problem(cohort)
    assert problem.severity == "error"
    assert str(problem).startswith(
        "Case b: Expected one PET image, found 2: pet.nii.gz, pet_late.nii.gz; none of them is"
        " used."
    )
    assert "such as `pet_late=PET`, or `pet_late=ignore`" in problem.message
    corrected = find_cohort(root, patterns=patterns_for(root, [parse_pattern("pet_late=ignore")]))
    assert modalities_of(corrected)["b"] == ("CT", "PET")
    assert corrected.problems == ()


def test_the_users_own_row_decides_between_two_files_of_one_modality(root: Path) -> None:
    image(root / "b" / "pet_late.nii.gz")
    cohort = find_cohort(root, patterns=patterns_for(root, [parse_pattern("pet_late=PET")]))
    assert cohort.cases[1].images["PET"].path.name == "pet_late.nii.gz"
    assert the_only_problem(cohort).severity == "info"


@pytest.mark.parametrize(
    "twin",
    ["pet_bias", "pet_reg", "pet_brain", "PET_n4", "bet_pet", "pet_coreg_norm"],
)
def test_a_twin_does_not_hide_the_plain_file_and_is_named_once(root: Path, twin: str) -> None:
    for case in ("a", "b", "c"):
        image(root / case / f"{twin}.nii.gz")
    cohort = find_cohort(root)
    assert {case.images["PET"].path.name for case in cohort.cases} == {"pet.nii.gz"}
    problem = the_only_problem(cohort)
    assert problem.severity == "info"
    assert "3 files, a twin of" in problem.message
    assert "=ignore` keeps this quiet" in problem.message
    option = problem.message.partition("quiet, `--modality ")[2].partition("`")[0]
    swapped = find_cohort(root, patterns=patterns_for(root, [parse_pattern(option)]))
    assert {case.images["PET"].path.stem for case in swapped.cases} == {f"{twin}.nii"}
    quiet = problem.message.partition("`--modality ")[2].partition("`")[0]
    assert find_cohort(root, patterns=patterns_for(root, [parse_pattern(quiet)])).problems == ()


def test_a_case_that_has_only_the_processed_file_is_named(root: Path) -> None:
    (root / "b" / "pet.nii.gz").rename(root / "b" / "pet_norm.nii.gz")
    problem = the_only_problem(find_cohort(root))
    assert (problem.severity, problem.case_id) == ("warning", "b")
    assert "found `pet_norm` used in 1 case and `pet` in 2 cases" in problem.message


def test_a_twin_in_one_case_is_named_by_what_makes_it_one(root: Path) -> None:
    image(root / "b" / "pet_bias.nii.gz")
    message = the_only_problem(find_cohort(root)).message
    assert message.startswith("pet_bias: 1 file, a twin of pet, not used. `--modality bias=ignore`")


def test_two_numbered_files_of_one_modality_are_told_apart_by_number(root: Path) -> None:
    (root / "b" / "pet.nii.gz").rename(root / "b" / "pet_001.nii.gz")
    image(root / "b" / "pet_002.nii.gz")
    message = the_only_problem(find_cohort(root)).message
    option = message.partition("such as `")[2].partition("`")[0]
    assert option in ("pet_001=PET", "pet_002=PET")
    chosen = find_cohort(root, patterns=patterns_for(root, [parse_pattern(option)]))
    assert "PET" in chosen.cases[1].images


def test_the_advice_about_twins_never_takes_a_used_file_away(root: Path) -> None:
    for case in ("a", "b", "c"):
        image(root / case / "pet_reg.nii.gz")
        (root / case / "ct.nii.gz").rename(root / case / "ct_reg.nii.gz")
    problem = the_only_problem(find_cohort(root))
    assert "`--modality pet_reg=ignore` keeps this quiet" in problem.message


def test_two_twins_without_a_plain_file_are_asked_about(root: Path) -> None:
    (root / "b" / "pet.nii.gz").rename(root / "b" / "pet_reg.nii.gz")
    image(root / "b" / "pet_norm.nii.gz")
    assert "found 2: pet_norm.nii.gz, pet_reg.nii.gz" in the_only_problem(find_cohort(root)).message


def test_pet_in_suv_is_preferred_to_pet_in_another_unit(root: Path) -> None:
    image(root / "b" / "suv.nii.gz")
    cohort = find_cohort(root)
    assert cohort.cases[1].images["PET"].path.name == "suv.nii.gz"
    assert "`--modality pet=ignore` keeps this quiet" in the_only_problem(cohort).message


def test_equal_open_names_are_one_problem_with_the_part_that_the_cases_share(root: Path) -> None:
    for number, case in enumerate(("a", "b", "c")):
        for name in ("ct", "pet", "seg"):
            (root / case / f"{name}.nii.gz").rename(
                root / case / f"site_{100 + number}_{name}.nii.gz"
            )
        image(root / case / f"site_{100 + number}_xyz.nii.gz")
    cohort = find_cohort(root)
    problem = the_only_problem(cohort)
    assert (problem.severity, problem.case_id) == ("warning", None)
    assert "3 files such as site_100_xyz.nii.gz (3 cases)" in problem.message
    assert "`xyz=NAME`, or `xyz=ignore`" in problem.message
    named = find_cohort(root, patterns=patterns_for(root, [parse_pattern("xyz=Mine")]))
    assert named.modalities == ("CT", "Mine", "PET")


def test_a_sequence_in_the_name_of_the_study_is_no_modality(root: Path) -> None:
    for number, case in enumerate(("a", "b", "c")):
        for name, new in (("ct", "T1"), ("pet", "T2"), ("seg", "seg")):
            study = f"FLAIR_tumor_{number:03d}_{new}.nii.gz"
            (root / case / f"{name}.nii.gz").rename(root / case / study)
    cohort = find_cohort(root)
    assert cohort.modalities == ("T1", "T2")
    assert all(case.label is not None for case in cohort.cases)
    assert cohort.problems == ()
    own = find_cohort(root, patterns=patterns_for(root, [parse_pattern("flair_tumor_000_t2=X")]))
    assert set(own.cases[0].images) == {"T1", "X"}


def test_main_modalities_that_drop_out_are_the_first_thing_said(root: Path) -> None:
    assert find_cohort(root).left_out == ""
    for case in ("a", "b"):
        image(root / case / "pet_late.nii.gz")
    said = find_cohort(root).left_out
    assert "PET (2 of 3 cases); the cohort goes on with CT only" in said
    assert "--modality PATTERN=NAME" in said


def test_unknown_names_are_main_modalities_if_only_one_is_left(root: Path) -> None:
    for case in ("a", "b", "c"):
        image(root / case / "xyz.nii.gz")
    assert find_cohort(root).left_out == ""
    for case in ("a", "b", "c"):
        (root / case / "pet.nii.gz").unlink()
    assert "files named `xyz` (3 of 3 cases)" in find_cohort(root).left_out


def test_a_file_that_no_pattern_matches_is_named_with_the_pattern_to_add(root: Path) -> None:
    image(root / "b" / "Scan-7.nii.gz")
    problem = the_only_problem(find_cohort(root))
    assert problem.severity == "warning"
    assert problem.path == root / "b" / "Scan-7.nii.gz"
    assert str(problem) == (
        "Case b: No pattern tells the modality of Scan-7.nii.gz; the file is not used. Add a"
        " pattern such as `scan_7=NAME`, or `scan_7=ignore`."
    )
    corrected = find_cohort(root, patterns=patterns_for(root, [parse_pattern("scan_7=ADC")]))
    assert modalities_of(corrected)["b"] == ("ADC", "CT", "PET")


def test_a_name_of_two_modalities_is_named_with_both(root: Path) -> None:
    image(root / "b" / "t1_to_ct.nii.gz")
    problem = the_only_problem(find_cohort(root))
    assert "The name of t1_to_ct.nii.gz fits T1 and CT; the file is not used." in problem.message
    corrected = find_cohort(root, patterns=patterns_for(root, [parse_pattern("t1_to_ct=T1")]))
    assert modalities_of(corrected)["b"] == ("CT", "PET", "T1")


def test_further_masks_are_listed_and_the_plain_one_is_the_label(root: Path) -> None:
    image(root / "b" / "seg_pet.nii.gz")
    image(root / "b" / "brain_mask.nii.gz")
    cohort = find_cohort(root)
    assert cohort.cases[1].label is not None
    assert cohort.cases[1].label.path.name == "seg.nii.gz"
    problem = the_only_problem(cohort)
    assert problem.severity == "info"
    assert str(problem) == (
        "Case b: Further masks are not used: seg_pet.nii.gz; the label is seg.nii.gz."
    )
    used = {m.file.path.name: m.is_used for m in cohort.matches if m.file.case_id == "b"}
    assert used == {
        "brain_mask.nii.gz": False,
        "ct.nii.gz": True,
        "pet.nii.gz": True,
        "seg.nii.gz": True,
        "seg_pet.nii.gz": False,
    }


def test_the_only_mask_of_a_case_is_its_label_and_of_two_none_is(root: Path) -> None:
    (root / "a" / "seg.nii.gz").rename(root / "a" / "tumor_seg.nii.gz")
    (root / "b" / "seg.nii.gz").rename(root / "b" / "tumor_seg.nii.gz")
    image(root / "b" / "liver_seg.nii.gz")
    cohort = find_cohort(root)
    assert [case.label is None for case in cohort.cases] == [False, True, False]
    assert "found 2: liver_seg.nii.gz, tumor_seg.nii.gz; none of them" in str(cohort.problems[0])
    assert the_only_problem(cohort).severity == "warning"


def test_a_case_without_any_usable_image_is_left_out_and_named(root: Path) -> None:
    for name in ("ct", "pet"):
        (root / "b" / f"{name}.nii.gz").write_bytes(b"")
    cohort = find_cohort(root)
    assert list(modalities_of(cohort)) == ["a", "c"]
    texts = [str(problem) for problem in problems_of(cohort, "b")]
    assert len(texts) == 3
    assert "ct.nii.gz, found an empty file" in texts[0]
    assert "pet.nii.gz, found an empty file" in texts[1]
    assert "found none that can be used among CT, PET; the case is left out" in texts[2]


def test_when_no_case_is_left_the_error_lists_everything(root: Path) -> None:
    for path in root.glob("*/*"):
        path.write_bytes(b"")
    with pytest.raises(CohortError) as raised:
        find_cohort(root)
    lines = str(raised.value).splitlines()
    assert lines[0] == f"Expected at least one usable case in {root}, found none."
    assert len(lines) == 1 + 3 * 4  # three files and the case itself
    assert "- Case b: Expected one 3-D image in ct.nii.gz, found an empty file." in lines[5]


def test_a_single_case_can_be_read_with_a_warning(root: Path) -> None:
    for case in ("b", "c"):
        shutil.rmtree(root / case)
    problem = the_only_problem(find_cohort(root))
    assert problem.severity == "warning"
    assert "Expected several cases, found one" in problem.message


@pytest.mark.skipif(os.name == "nt", reason="names are always Unicode on Windows")
def test_names_that_are_no_text_are_named_and_the_rest_goes_on(root: Path) -> None:
    image(root / "b" / "t1.nii.gz").rename(root / "b" / os.fsdecode(b"caf\xe9_t1.nii.gz"))
    (root / os.fsdecode(b"pati\xebnt")).mkdir()
    cohort = find_cohort(root)
    assert len(cohort.cases) == 3
    assert [str(problem) for problem in cohort.problems] == [
        "The name pati\\udcebnt is not valid Unicode text, so programs cannot open it; it is not"
        " used. Rename it.",
        "Case b: The name caf\\udce9_t1.nii.gz is not valid Unicode text, so programs cannot open"
        " it; it is not used. Rename it.",
    ]


@pytest.mark.skipif(os.name == "nt", reason="names are always Unicode on Windows")
def test_a_cohort_whose_own_name_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"k\xf6ln")
    image(tmp_path / "a" / "ct.nii.gz")
    (tmp_path / "a").rename(folder)
    with pytest.raises(CohortError, match=r"k\\udcf6ln is not valid Unicode text"):
        find_cohort(folder)


def test_names_that_differ_only_in_case_are_named(root: Path) -> None:
    image(root / "B" / "ct.nii.gz")
    cohort = find_cohort(root)
    assert "The cases B and b differ only in upper and lower case" in str(cohort.problems[0])
    assert len(cohort.cases) == 4


def test_images_and_labels_that_lie_elsewhere_are_named(root: Path) -> None:
    image(root / "a" / "pet.nii.gz", origin=(500.0, 0.0, 0.0))
    image(root / "b" / "seg.nii.gz", origin=(0.0, 500.0, 0.0))
    texts = [str(problem) for problem in find_cohort(root).problems]
    assert len(texts) == 2
    assert "Case a: The PET image pet.nii.gz has the size and spacing of ct.nii.gz" in texts[0]
    assert "its origin is off by 500 mm (500, 0, 0 mm" in texts[0]
    assert "Case b: The label map seg.nii.gz has the size and spacing of ct.nii.gz" in texts[1]
    assert "its origin is off by 500 mm (0, 500, 0 mm" in texts[1]


def test_images_and_labels_of_other_sizes_that_lie_apart_are_named(root: Path) -> None:
    image(root / "a" / "pet.nii.gz", size=(7, 8, 9), origin=(500.0, 0.0, 0.0))
    image(root / "b" / "seg.nii.gz", size=(7, 8, 9), origin=(0.0, 500.0, 0.0))
    texts = [str(problem) for problem in find_cohort(root).problems]
    assert len(texts) == 2
    assert texts[0].startswith("Case a: Expected CT, PET in one space, found images that do not")
    assert texts[1].startswith("Case b: Expected the label map seg.nii.gz in the space of the im")


def test_a_table_in_the_record_of_the_cohort_is_used(root: Path) -> None:
    record = root / ".crossmodal"
    record.mkdir()
    table = DEFAULT_PATTERNS.with_first([parse_pattern("pet=SUV")])
    write_patterns(record / "modalities.json", table)
    assert find_cohort(root).modalities == ("CT", "SUV")
    assert find_cohort(root).patterns == table
    assert find_cohort(root, patterns=DEFAULT_PATTERNS).modalities == ("CT", "PET")
    assert patterns_for(root, [parse_pattern("ct=X")]).match("pet").target == "SUV"
    (record / "modalities.json").write_text("{")
    with pytest.raises(UsageError, match=r"modalities\.json, but it cannot be used"):
        find_cohort(root)


def test_the_table_of_a_read_only_cohort_lies_with_its_record(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    root.chmod(0o555)
    folder = Path.home() / ".crossmodal" / "cohorts"
    assert default_patterns(root) == DEFAULT_PATTERNS
    folder.mkdir(parents=True)
    from MultimodalImagingLib.record.cohort_record import default_record_folder

    record = default_record_folder(root)
    assert record.parent == folder
    record.mkdir()
    write_patterns(record / "modalities.json", ModalityPatterns((parse_pattern("ct=CT"),)))
    assert find_cohort(root).modalities == ("CT",)
    root.chmod(0o755)


def test_a_read_only_cohort_is_read_and_left_as_it_was(root: Path) -> None:
    before = sorted(root.rglob("*"))
    root.chmod(0o555)
    cohort = find_cohort(root)
    root.chmod(0o755)
    assert len(cohort.cases) == 3
    assert sorted(root.rglob("*")) == before


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder to work in as a user whom permissions bind, also when tests run as superuser."""
    folder = Path(tempfile.mkdtemp(prefix="cohort-"))
    is_superuser = os.geteuid() == 0
    if is_superuser:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        for path in [folder, *folder.glob("*")]:
            path.chmod(0o755)
        if is_superuser:
            os.seteuid(0)
        shutil.rmtree(folder)


@pytest.mark.skipif(os.name == "nt", reason="permissions work differently on Windows")
def test_a_folder_and_a_file_without_permission_are_named(unprivileged: Path) -> None:
    for case in ("a", "b", "c"):
        image(unprivileged / case / "ct.nii.gz")
        image(unprivileged / case / "pet.nii.gz")
    (unprivileged / "b").chmod(0)
    (unprivileged / "c" / "pet.nii.gz").chmod(0)
    cohort = find_cohort(unprivileged)
    assert modalities_of(cohort) == {"a": ("CT", "PET"), "c": ("CT",)}
    assert [str(problem) for problem in cohort.problems] == [
        "Case b: The folder b cannot be read (Permission denied). Get permission to read it, or"
        " move it out of the cohort.",
        "Case c: Expected one 3-D image in pet.nii.gz, found a file that cannot be opened"
        " (Permission denied). Get permission to read it, or check its drive.",
    ]
    unprivileged.chmod(0)
    with pytest.raises(CohortError, match=r"cannot be read \(Permission denied\)"):
        find_cohort(unprivileged)


# The real cohorts


@pytest.mark.cohort
def test_the_sarcoma_cohort_has_51_cases_of_three_modalities_on_one_grid(
    real_cohorts: Path,
) -> None:
    cohort = find_cohort(real_cohorts / "sts51")
    assert cohort.modalities == ("CT", "PET", "T1")
    assert len(cohort.cases) == 51
    assert sum(case.label is not None for case in cohort.cases) == 51
    assert cohort.incomplete == {}
    assert cohort.problems == ()


@pytest.mark.cohort
def test_the_native_sarcoma_cohort_uses_the_plain_masks_and_ignores_its_table(
    real_cohorts: Path,
) -> None:
    cohort = find_cohort(real_cohorts / "sts51_native")
    assert cohort.layout == "folder per case"
    assert cohort.modalities == ("CT", "PET", "T1")
    assert {case.label.path.name for case in cohort.cases if case.label} == {"seg.nii.gz"}
    assert len(cohort.cases) == 10
    assert {problem.severity for problem in cohort.problems} == {"info"}
    assert all("seg_pet.nii.gz, seg_t1.nii.gz" in p.message for p in cohort.problems)


@pytest.mark.cohort
def test_the_sclerosis_cohort_has_3_cases_of_four_modalities(real_cohorts: Path) -> None:
    cohort = find_cohort(real_cohorts / "ms3")
    assert cohort.modalities == ("FLAIR", "T1", "T1c", "T2")
    assert len(cohort.cases) == 3
    assert cohort.problems == ()
