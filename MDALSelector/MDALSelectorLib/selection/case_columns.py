"""A `CaseSelection` as plain JSON values and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from MDALSelectorLib.case_flags import Flag
from MDALSelectorLib.selection.budget import Budget
from MDALSelectorLib.selection.case_selection import (
    MEASURES,
    CaseSelection,
    Fallback,
    RankedCase,
    StrategyComparison,
)
from MDALSelectorLib.selection.diagnostics import Diagnostics, Pair, Trust
from MultimodalImagingLib.record.json_entry import config_from_json

DECIMALS = 6

PartT = TypeVar("PartT", Budget, Diagnostics, Fallback, StrategyComparison, Trust)


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
    diagnostics = _part(Diagnostics, content, "diagnostics")
    pairs = [pair.pair for pair in diagnostics.pairs]
    return CaseSelection(
        cohort=_text(content["cohort"]),
        modalities=_texts(content["modalities"]),
        strategy=_text(content["strategy"]),
        budget=_part(Budget, content, "budget"),
        seed=int(content["seed"]),
        cases=tuple(_case(item, pairs) for item in content["cases"]),
        diagnostics=diagnostics,
        trust=_part(Trust, content, "trust"),
        fallback=_optional_part(Fallback, content, "fallback"),
        comparison=_optional_part(StrategyComparison, content, "comparison"),
        problems=_texts(content["problems"]),
        configuration=dict(content["configuration"]),
        versions={_text(name): _text(value) for name, value in content["versions"].items()},
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


def _case(item: Mapping[str, Any], pairs: Sequence[Pair]) -> RankedCase:
    thumbnail = item["thumbnail"]
    measures = {measure.name: item.get(measure.name) for measure in MEASURES}
    return RankedCase(
        rank=int(item["rank"]),
        case_id=_text(item["case"]),
        patient_id=_text(item["patient"]),
        suggested=_truth(item["suggested"]),
        labelled=_truth(item["labelled"]),
        measures={name: float(value) for name, value in measures.items() if value is not None},
        pmi=_per_pair(item["pmi_nats"], pairs),
        z=_per_pair(item["z"], pairs),
        components=tuple(float(value) for value in item["components"]),
        flags=tuple(config_from_json(Flag, flag, where="a flag") for flag in item["flags"]),
        reason=_text(item["reason"]),
        thumbnail=None if thumbnail is None else _text(thumbnail),
    )


def _per_pair(values: Sequence[float | None], pairs: Sequence[Pair]) -> dict[Pair, float]:
    named = zip(pairs, values, strict=True)
    return {pair: float(value) for pair, value in named if value is not None}


def _part(kind: type[PartT], content: Mapping[str, Any], name: str) -> PartT:
    return config_from_json(kind, content[name], where=name)


def _optional_part(kind: type[PartT], content: Mapping[str, Any], name: str) -> PartT | None:
    return None if content[name] is None else _part(kind, content, name)


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = f"expected a text, got {value!r}"
        raise TypeError(msg)
    return value


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(_text(value) for value in values)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        msg = f"expected true or false, got {value!r}"
        raise TypeError(msg)
    return value
