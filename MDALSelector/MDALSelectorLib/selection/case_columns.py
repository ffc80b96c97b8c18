"""A `CaseSelection` as plain JSON values and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from MDALSelectorLib.case_flags import Flag
from MDALSelectorLib.classification.class_findings import ClassFindings
from MDALSelectorLib.selection.budget import Budget
from MDALSelectorLib.selection.case_selection import (
    MEASURES,
    CaseSelection,
    Fallback,
    RankedCase,
    StrategyComparison,
)
from MDALSelectorLib.selection.diagnostics import Diagnostics, Pair, Trust
from MultimodalImagingLib.record.json_entry import JsonEntry, config_from_json

DECIMALS = 6

_PARTS: dict[str, Any] = {
    "budget": Budget,
    "diagnostics": Diagnostics,
    "trust": Trust,
    "fallback": Fallback,
    "comparison": StrategyComparison,
    "classes": ClassFindings,
}
# Parts that a run may have none of; runs of earlier versions lack some.
_OPTIONAL = ("fallback", "comparison", "classes")


def content_from_selection(selection: CaseSelection) -> dict[str, Any]:
    """Return the selection as JSON values; numbers keep six decimals.

    Values per pair of modalities are lists in the order of `diagnostics.pairs`.
    """
    content: dict[str, Any] = asdict(selection)
    content["cases"] = [_case_content(case, selection.pairs) for case in selection.cases]
    content["configuration"] = dict(selection.configuration)
    content["versions"] = dict(selection.versions)
    rounded: dict[str, Any] = rounded_numbers(content)
    return rounded


def selection_from_content(content: Mapping[str, Any]) -> CaseSelection:
    """Rebuild a selection from JSON values.

    Raises:
        CrossModalError, KeyError, TypeError, ValueError: If something is missing or has another
            type.
    """
    entry = JsonEntry(content, "the selection")
    parts: dict[str, Any] = {
        name: config_from_json(kind, content[name], where=name)
        for name, kind in _PARTS.items()
        if content.get(name) is not None or name not in _OPTIONAL
    }
    pairs = [pair.pair for pair in parts["diagnostics"].pairs]
    return CaseSelection(
        cohort=entry.value("cohort", str),
        modalities=entry.listed("modalities", str),
        strategy=entry.value("strategy", str),
        seed=entry.value("seed", int),
        cases=tuple(_case(item, pairs) for item in entry.items("cases", "case")),
        problems=entry.listed("problems", str),
        configuration=entry.value("configuration", dict),
        versions=entry.mapping("versions", str),
        **parts,
    )


def rounded_numbers(value: Any) -> Any:
    """Round every float in nested lists and mappings to six decimals, without negative zeros."""
    if isinstance(value, float):
        return round(value, DECIMALS) + 0.0
    if isinstance(value, Mapping):
        return {key: rounded_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded_numbers(item) for item in value]
    return value


def _case_content(case: RankedCase, pairs: Sequence[Pair]) -> dict[str, Any]:
    content: dict[str, Any] = {
        "rank": case.rank,
        "case": case.case_id,
        "patient": case.patient_id,
        "suggested": case.suggested,
        "labelled": case.labelled,
        **{measure.name: case.measures.get(measure.name) for measure in MEASURES},
        "pmi_nats": [case.pmi.get(pair) for pair in pairs],
        "z": [case.z.get(pair) for pair in pairs],
        "components": list(case.components),
        "flags": [asdict(flag) for flag in case.flags],
        "reason": case.reason,
        "thumbnail": case.thumbnail,
    }
    return content


def _case(item: JsonEntry, pairs: Sequence[Pair]) -> RankedCase:
    measures = {measure.name: item.value(measure.name, float, None) for measure in MEASURES}
    return RankedCase(
        rank=item.value("rank", int),
        case_id=item.value("case", str),
        patient_id=item.value("patient", str),
        suggested=item.value("suggested", bool),
        labelled=item.value("labelled", bool),
        measures={name: float(value) for name, value in measures.items() if value is not None},
        pmi=_per_pair(item.data["pmi_nats"], pairs),
        z=_per_pair(item.data["z"], pairs),
        components=tuple(float(value) for value in item.listed("components", float)),
        flags=tuple(config_from_json(Flag, flag, where="a flag") for flag in item.data["flags"]),
        reason=item.value("reason", str),
        thumbnail=item.value("thumbnail", str, None),
    )


def _per_pair(values: Sequence[float | None], pairs: Sequence[Pair]) -> dict[Pair, float]:
    named = zip(pairs, values, strict=True)
    return {pair: float(value) for pair, value in named if value is not None}
