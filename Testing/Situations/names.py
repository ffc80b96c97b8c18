"""Situations of kind "names": what files are called, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import phantoms
from situation import Situation

KIND = "names"
INSPECT = ("mdal-selector", "inspect", "{folder}")
_SELECT = ("mdal-selector", "select", "{folder}", "--budget", "2", "--output", "{out}/run")
SELECT = (*_SELECT, "--record", "{out}/record", "--strategy", "Random")
CROSS = "\N{MULTIPLICATION SIGN}"


def _cohort(
    names: Mapping[str, str], *, n_cases: int = 3, case: str = "case{n:02d}"
) -> Callable[[Path], object]:
    """Cases of phantoms: name of a file, with `{n}` for the case's number, to kind of image.

    `mask` stands for the label map as 0 and 1, `label` for all its values.
    """

    def build(folder: Path) -> None:
        for n in range(n_cases):
            kinds = {kind for kind in names.values() if kind not in ("mask", "label")}
            images, label = phantoms.phantom(n, kinds=sorted(kinds))
            arrays = {**images, "mask": (label > 0).astype("uint8"), "label": label}
            for number, (name, kind) in enumerate(names.items()):
                path = folder / case.format(n=n) / name.format(n=n)
                write = (
                    phantoms.save_nifti if name.endswith((".nii", ".nii.gz")) else phantoms.save_itk
                )
                array = arrays[kind]
                if kind not in ("mask", "label"):  # no two of them hold the same voxels
                    grain = np.random.default_rng(number).normal(1, 0.05, array.shape)
                    array = (array * grain).astype(array.dtype)
                write(path, array)

    return build


def _modalities(*names: str) -> str:
    count = "1 modality" if len(names) == 1 else f"{len(names)} modalities"
    return rf"\d+ cases? {CROSS} {count} \({', '.join(sorted(names))}\)"


def _first_line(text: str) -> Callable[[Path, Path, str], None]:
    def check(_folder: Path, _out: Path, output: str) -> None:
        assert text in output.splitlines()[0], output.splitlines()[0]

    return check


def _few_problems(limit: int) -> Callable[[Path, Path, str], None]:
    def check(_folder: Path, _out: Path, output: str) -> None:
        lines = [
            line for line in output.splitlines() if line.startswith(("  warning:", "  error:"))
        ]
        assert len(lines) <= limit, lines

    return check


UCSF = {
    f"UCSF-PDGM-{{n:04d}}_{name}.nii.gz": kind
    for name, kind in (
        *((k, k) for k in phantoms.MR),
        *((f"{k}_bias", k) for k in phantoms.MR),
        ("SWI", "T2"),
        ("SWI_bias", "T2"),
        ("DTI_eddy_FA", "ADC"),
        ("DTI_eddy_L1", "ADC"),
        ("tumor_segmentation", "label"),
    )
}
PICAI = {
    f"{{n:05d}}_{1000000}{{n}}_{k}.mha": v
    for k, v in (("t2w", "T2"), ("adc", "ADC"), ("hbv", "HBV"), ("cor", "T2"), ("sag", "T2"))
}
MSSEG = {
    "3DFLAIR.nii.gz": "FLAIR",
    "3DT1.nii.gz": "T1",
    "3DT1GADO.nii.gz": "T1c",
    "DP.nii.gz": "T2",
    "T2.nii.gz": "T2",
}
GERMAN = {
    "t1_mprage_tra_nativ.nii.gz": "T1",
    "t1_mprage_tra_KM.nii.gz": "T1c",
    "t2_tirm_tra_dark-fluid.nii.gz": "FLAIR",
    "t2_blade_tra.nii.gz": "T2",
}
GE = {
    "Ax T1.nii.gz": "T1",
    "Ax T1 FS+C.nii.gz": "T1c",
    "Ax T2 FLAIR.nii.gz": "FLAIR",
    "Ax T2 FSE.nii.gz": "T2",
}
FRENCH = {
    "T1 sans injection.nii.gz": "T1",
    "T1 apr\u00e8s injection.nii.gz": "T1c",
    "FLAIR.nii.gz": "FLAIR",
    "DP.nii.gz": "T2",
}
ITALIAN = {"T1 senza MdC.nii.gz": "T1", "T1 dopo MdC.nii.gz": "T1c", "T2.nii.gz": "T2"}
SPANISH = {"T1 sin contraste.nii.gz": "T1", "T1 con contraste.nii.gz": "T1c", "T2.nii.gz": "T2"}
POSTOP = {"T1_post_op.nii.gz": "T1", "T1_post_op_GD.nii.gz": "T1c", "T2_post_op.nii.gz": "T2"}
STUDY = {f"FLAIR_tumor_{{n:03d}}_{k}.nii.gz": k for k in ("T1", "T2")}
DENIED = {"T1_nativ_KM.nii.gz": "T1", "T2.nii.gz": "T2", "FLAIR.nii.gz": "FLAIR"}
TWO_T1 = {
    "AX_T1.nii.gz": "T1",
    "SAG_T1.nii.gz": "T1",
    "AX_T2.nii.gz": "T2",
    "SAG_T2.nii.gz": "T2",
    "ADC.nii.gz": "ADC",
    "FA.nii.gz": "ADC",
}
AUTOPET = {
    "CT.nii.gz": "CT",
    "CTres.nii.gz": "CT",
    "PET.nii.gz": "PET",
    "SUV.nii.gz": "PET",
    "SEG.nii.gz": "mask",
}
MASKS = {
    "T1.nii.gz": "T1",
    "T2.nii.gz": "T2",
    "T1_mask.nii.gz": "mask",
    "T2_brain_mask.nii.gz": "mask",
}
MASK_AS_FLAIR = {"T1.nii.gz": "T1", "T2.nii.gz": "T2", "FLAIR.nii.gz": "mask"}
LABELS_AS_FLAIR = {"T1.nii.gz": "T1", "T2.nii.gz": "T2", "FLAIR.nii.gz": "label"}
UNKNOWN = {"T1.nii.gz": "T1", "T2.nii.gz": "T2", "s{n:04d}_xyz.nii.gz": "FLAIR"}
ONLY_ONE_KNOWN = {"T2.nii.gz": "T2", "img_a.nii.gz": "T1", "img_b.nii.gz": "FLAIR"}
ALL_TWINS = {"T1_bias.nii.gz": "T1", "T2_bias.nii.gz": "T2"}
TWINS_ON_BOTH_SIDES = {"T1.nii.gz": "T1", "T1_reg.nii.gz": "T1", "T2_reg.nii.gz": "T2"}
MOVED = {"T1.nii.gz": "T1", "T2_to_T1.nii.gz": "T2", "FLAIR_in_T1_space.nii.gz": "FLAIR"}
FRIENDS = {
    "kmeans_T1.nii.gz": "T1",
    "posterior_T2.nii.gz": "T2",
    "exit1_flair.nii.gz": "FLAIR",
}
TRACERS = {"68Ga-DOTATATE.nii.gz": "PET", "CTAC.nii.gz": "CT"}


def _isles(folder: Path) -> None:
    for n in range(3):
        subject = f"sub-strokecase{n + 1:04d}"
        images, _ = phantoms.phantom(n, kinds=("ADC", "HBV", "FLAIR"))
        session = folder / subject / "ses-0001"
        stem = f"{subject}_ses-0001"
        phantoms.save_nifti(session / "anat" / f"{stem}_FLAIR.nii.gz", images["FLAIR"])
        phantoms.save_nifti(session / "dwi" / f"{stem}_adc.nii.gz", images["ADC"])
        phantoms.save_nifti(session / "dwi" / f"{stem}_dwi.nii.gz", images["HBV"])


def _situation(
    name: str,
    build: Callable[[Path], object],
    says: tuple[str, ...],
    *,
    command: tuple[str, ...] = INSPECT,
    silent_about: tuple[str, ...] = (),
    check: Callable[[Path, Path, str], None] | None = None,
) -> Situation:
    return Situation(name, KIND, build, command, 0, says, silent_about, check)


ALL_MR = _modalities(*phantoms.MR)
SITUATIONS = (
    _situation(
        "ucsf-pdgm-twins-with-bias",
        _cohort(UCSF, case="UCSF-PDGM-{n:04d}_nifti"),
        (
            _modalities(*phantoms.MR, "FA", "SWI"),
            "3 labels",
            r"15 files, twins of .*`--modality bias=ignore` keeps this quiet",
            r"`dti_eddy_l1=NAME`",
        ),
        silent_about=(r"ucsf_pdgm_0000", "none of them is used"),
        check=_few_problems(1),
    ),
    _situation(
        "ucsf-pdgm-quiet-after-the-advice",
        _cohort(UCSF, case="UCSF-PDGM-{n:04d}_nifti"),
        (_modalities(*phantoms.MR, "FA", "SWI"), "No problems"),
        command=(*INSPECT, "--modality", "bias=ignore", "--modality", "dti_eddy_l1=ignore"),
    ),
    _situation(
        "ucsf-pdgm-twin-used-on-request",
        _cohort(UCSF, case="UCSF-PDGM-{n:04d}_nifti"),
        (r"T1 +3 +UCSF-PDGM-0000_T1_bias",),
        command=(*INSPECT, "--modality", "t1_bias=T1"),
    ),
    _situation(
        "ucsf-pdgm-selected",
        _cohort(UCSF, case="UCSF-PDGM-{n:04d}_nifti", n_cases=8),
        ("Label next",),
        command=SELECT,
        silent_about=("none of them is used",),
    ),
    _situation("isles-2022-names", _isles, (_modalities("ADC", "DWI", "FLAIR"),)),
    _situation(
        "pi-cai-names",
        _cohort(PICAI, case="{n:05d}"),
        (
            _modalities("ADC", "HBV", "T2"),
            r"3 files such as 00000_10000000_cor\.mha \(3 cases\)",
            "`cor=NAME`, or `cor=ignore`",
        ),
        silent_about=(r"`\d+_",),
        check=_few_problems(2),
    ),
    _situation(
        "msseg-names",
        _cohort(MSSEG, case="0101{n}SACH"),
        (_modalities("FLAIR", "PD", "T1", "T1c", "T2"), "No problems"),
    ),
    _situation("german-siemens", _cohort(GERMAN), (ALL_MR, "No problems")),
    _situation("english-ge-plus-c", _cohort(GE), (ALL_MR, "No problems")),
    _situation("french", _cohort(FRENCH), (_modalities("FLAIR", "PD", "T1", "T1c"), "No problems")),
    _situation("italian", _cohort(ITALIAN), (_modalities("T1", "T1c", "T2"), "No problems")),
    _situation("spanish", _cohort(SPANISH), (_modalities("T1", "T1c", "T2"), "No problems")),
    _situation(
        "post-op-is-no-contrast",
        _cohort(POSTOP),
        (_modalities("T1", "T1c", "T2"), "No problems"),
    ),
    _situation(
        "contrast-given-and-denied-is-asked",
        _cohort(DENIED),
        (
            r"Not used although most cases have it: T1 .*T1c .*goes on with FLAIR, T2 only",
            r"fit T1 and T1c",
            "`t1_nativ_km=T1`",
        ),
        check=_few_problems(1),
    ),
    _situation(
        "study-named-after-a-sequence-and-a-tumor",
        _cohort(STUDY, case="{n:03d}"),
        (_modalities("T1", "T2"), "0 labels", "No problems"),
    ),
    _situation(
        "two-planes-of-t1-and-t2-drop-out",
        _cohort(TWO_T1),
        (
            _modalities("ADC", "FA"),
            r"Expected one T1 image, found 2 in each of 3 cases",
            "`sag_t1=T1`",
        ),
        check=_first_line("T1 (3 of 3 cases), T2 (3 of 3 cases); the cohort goes on with ADC, FA"),
    ),
    _situation(
        "two-planes-of-t1-and-t2-chosen",
        _cohort(TWO_T1),
        (_modalities("ADC", "FA", "T1", "T2"),),
        command=(*INSPECT, "--modality", "ax_t1=T1", "--modality", "sag_t2=T2"),
        silent_about=("Not used although", "none of them is used"),
    ),
    _situation(
        "two-planes-of-t1-and-t2-selected",
        _cohort(TWO_T1, n_cases=8),
        (
            r"T1 \(8 of 8 cases\), T2 \(8 of 8 cases\); the cohort goes on with ADC, FA",
            "Label next",
        ),
        command=SELECT,
    ),
    _situation(
        "autopet-names",
        _cohort(AUTOPET),
        (_modalities("CT", "PET"), "3 labels", r"PET +3 +SUV\.nii\.gz", r"CT +3 +CT\.nii\.gz"),
        silent_about=("Not used although", "none of them is used"),
    ),
    _situation(
        "masks-named-after-sequences",
        _cohort(MASKS),
        (_modalities("T1", "T2"), "3 labels", "No problems"),
    ),
    _situation(
        "binary-file-named-flair-inspected-deeply",
        _cohort(MASK_AS_FLAIR),
        (r"Expected the FLAIR image in FLAIR\.nii\.gz, found a mask: only the values 0 and 1",),
        command=(*INSPECT, "--deep"),
    ),
    _situation(
        "binary-file-named-flair-selected",
        _cohort(MASK_AS_FLAIR, n_cases=8),
        ("Expected an image, found a mask: only the values 0 and 1", "Label next"),
        command=SELECT,
    ),
    _situation(
        "label-map-named-flair-inspected-deeply",
        _cohort(LABELS_AS_FLAIR),
        ("found a mask: only the values 0, 1, 2 and 4",),
        command=(*INSPECT, "--deep"),
    ),
    _situation(
        "plain-cohort-inspected-deeply-has-no-masks-for-images",
        phantoms.plain_cohort,
        (ALL_MR, "No problems"),
        command=(*INSPECT, "--deep"),
    ),
    _situation(
        "unknown-name-with-a-number-per-case",
        _cohort(UNKNOWN),
        (_modalities("T1", "T2"), "`xyz=NAME`, or `xyz=ignore`"),
        silent_about=("s0000_xyz=", "Not used although"),
        check=_few_problems(1),
    ),
    _situation(
        "one-known-modality-among-unknown-names",
        _cohort(ONLY_ONE_KNOWN),
        (_modalities("T2"), "`img_a=NAME`"),
        check=_first_line("files named `img_a` (3 of 3 cases), files named `img_b`"),
    ),
    _situation(
        "twins-without-plain-files",
        _cohort(ALL_TWINS),
        (_modalities("T1", "T2"), "No problems"),
    ),
    _situation(
        "advice-about-twins-keeps-what-is-used",
        _cohort(TWINS_ON_BOTH_SIDES),
        (_modalities("T1", "T2"), "`--modality t1_reg=ignore` keeps this quiet"),
        silent_about=("`--modality reg=ignore`",),
    ),
    _situation(
        "registered-images-are-asked-about",
        _cohort(MOVED),
        ("fit T2 and T1|fit T1 and T2", "fit FLAIR and T1|fit T1 and FLAIR"),
        check=_few_problems(2),
    ),
    _situation(
        "false-friends",
        _cohort(FRIENDS),
        (_modalities("FLAIR", "T1", "T2"), "No problems"),
    ),
    _situation("tracer-and-ctac", _cohort(TRACERS), (_modalities("CT", "PET"), "No problems")),
)
