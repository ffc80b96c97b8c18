"""How well readers agree: `agreement.csv`, `.json`, and `.html`, a self-contained page."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from MultimodalImagingLib.cohorts.agreement import Agreement
from MultimodalImagingLib.jobs.texts import render_page
from MultimodalImagingLib.record.atomic_files import write_json, write_text
from MultimodalImagingLib.record.json_entry import config_to_json, json_keys
from MultimodalImagingLib.record.ownership import check_own_files

CSV_NAME, JSON_NAME, PAGE_NAME = "agreement.csv", "agreement.json", "agreement.html"
TEMPLATE_NAME = "agreement.html.j2"
PAGE_MARK = 'content="CrossModal mdal-selector agreement"'
_HEAD = (
    *("case", "first", "first_blinded", "second", "second_blinded", "region"),
    *("dice", "hd95_mm", "first_ml", "second_ml"),
)


def check_agreement_files(folder: Path) -> None:
    """Refuse a folder with files of these names that are something else.

    Raises:
        UsageError: If so.
    """
    head = ",".join(_HEAD).encode()
    check_own_files(
        {
            folder / CSV_NAME: lambda data: data.startswith(head),
            folder / JSON_NAME: lambda data: {"cohort", "pairs", "summary"} <= json_keys(data),
            folder / PAGE_NAME: lambda data: PAGE_MARK.encode() in data[:4096],
        },
        option="--output",
    )


def write_agreement(
    folder: Path, cohort: str, pairs: Sequence[Agreement], summary: Sequence[str]
) -> Path:
    """Write the table, the figures and the page; the same figures give the same bytes.

    Args:
        folder: A folder that exists.
        cohort: Name of the cohort.
        pairs: The figures.
        summary: What they say, full sentences.

    Returns:
        The page.

    Raises:
        UsageError: If a file of these names is there that is something else.
        CrossModalError: If a file cannot be written.
    """
    check_agreement_files(folder)
    write_text(folder / CSV_NAME, _csv(pairs))
    content = {"cohort": cohort, "summary": list(summary)}
    write_json(folder / JSON_NAME, {**content, "pairs": [config_to_json(pair) for pair in pairs]})
    write_text(folder / PAGE_NAME, render(cohort, pairs, summary))
    return folder / PAGE_NAME


def render(cohort: str, pairs: Sequence[Agreement], summary: Sequence[str]) -> str:
    """Return the page as text."""
    from markupsafe import Markup

    values = {
        "cohort": cohort,
        "pairs": pairs,
        "summary": summary,
        "page_mark": Markup(PAGE_MARK),
    }
    return render_page(Path(__file__).with_name(TEMPLATE_NAME), values, filters={})


def _csv(pairs: Sequence[Agreement]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEAD)
    for pair in pairs:
        blinded = ["yes" if value else "no" for value in (pair.first_blinded, pair.second_blinded)]
        who = [pair.case_id, pair.first, blinded[0], pair.second, blinded[1]]
        for region in pair.regions:
            distance = "" if region.hd95_mm is None else f"{region.hd95_mm:.6g}"
            figures = [f"{region.dice:.6g}", distance]
            volumes = [f"{region.first_ml:.6g}", f"{region.second_ml:.6g}"]
            writer.writerow([*who, region.region, *figures, *volumes])
    return text.getvalue()
