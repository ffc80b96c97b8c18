"""A `CaseSelection` as plain JSON values and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from MDALSelectorLib.case_flags import Flag
from MDALSelectorLib.selection.budget import Budget
from MDALSelectorLib.selection.case_selection import (
    CaseSelection,
    Fallback,
    RankedCase,
    StrategyComparison,
)
from MDALSelectorLib.selection.diagnostics import (
    TRUST_LEVELS,
    Diagnostics,
    Pair,
    PairDiagnostics,
    Trust,
)

DECIMALS = 6


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
        KeyError, TypeError, ValueError: If something is missing or has another type.
    """
    diagnostics = diagnostics_from_content(content["diagnostics"])
    pairs = [pair.pair for pair in diagnostics.pairs]
    fallback, comparison = content["fallback"], content["comparison"]
    return CaseSelection(
        cohort=_text(content["cohort"]),
        modalities=_texts(content["modalities"]),
        strategy=_text(content["strategy"]),
        budget=Budget(int(content["budget"]["n_cases"]), _text(content["budget"]["statement"])),
        seed=int(content["seed"]),
        cases=tuple(_case(item, pairs) for item in content["cases"]),
        diagnostics=diagnostics,
        trust=_trust(content["trust"]),
        fallback=None if fallback is None else Fallback(**fallback),
        comparison=None if comparison is None else _comparison(comparison),
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


def diagnostics_from_content(item: Mapping[str, Any]) -> Diagnostics:
    """Rebuild diagnostics from JSON values.

    Raises:
        KeyError, TypeError, ValueError: If something is missing or has another type.
    """
    return Diagnostics(
        estimator=_text(item["estimator"]),
        bounds_nats={_text(k): float(v) for k, v in item["bounds_nats"].items()},
        null_bound_nats=_number(item["null_bound_nats"]),
        rank_correlation=_number(item["rank_correlation"]),
        r12_disjoint=_number(item["r12_disjoint"]),
        r12_repeats=_number(item["r12_repeats"]),
        n_folds=int(item["n_folds"]),
        n_repeats=int(item["n_repeats"]),
        pairs=tuple(_pair_diagnostics(pair) for pair in item["pairs"]),
    )


def _case_content(case: RankedCase, pairs: Sequence[Pair]) -> dict[str, Any]:
    content: dict[str, Any] = {
        "rank": case.rank,
        "case": case.case_id,
        "patient": case.patient_id,
        "suggested": case.suggested,
        "labelled": case.labelled,
        "modality_difference": case.modality_difference,
        "pmi_nats": [case.pmi.get(pair) for pair in pairs],
        "z": [case.z.get(pair) for pair in pairs],
        "components": list(case.components),
        "flags": [asdict(flag) for flag in case.flags],
        "reason": case.reason,
        "thumbnail": case.thumbnail,
    }
    return content


def _case(item: Mapping[str, Any], pairs: Sequence[Pair]) -> RankedCase:
    difference, thumbnail = item["modality_difference"], item["thumbnail"]
    return RankedCase(
        rank=int(item["rank"]),
        case_id=_text(item["case"]),
        patient_id=_text(item["patient"]),
        suggested=_truth(item["suggested"]),
        labelled=_truth(item["labelled"]),
        modality_difference=None if difference is None else float(difference),
        pmi=_per_pair(item["pmi_nats"], pairs),
        z=_per_pair(item["z"], pairs),
        components=tuple(float(value) for value in item["components"]),
        flags=tuple(Flag(_text(flag["kind"]), _text(flag["reason"])) for flag in item["flags"]),
        reason=_text(item["reason"]),
        thumbnail=None if thumbnail is None else _text(thumbnail),
    )


def _per_pair(values: Sequence[float | None], pairs: Sequence[Pair]) -> dict[Pair, float]:
    named = zip(pairs, values, strict=True)
    return {pair: float(value) for pair, value in named if value is not None}


def _pair_diagnostics(item: Mapping[str, Any]) -> PairDiagnostics:
    first, second = _texts(item["pair"])
    return PairDiagnostics(
        pair=(first, second),
        n_cases=int(item["n_cases"]),
        is_used=_truth(item["is_used"]),
        bound_nats=_number(item["bound_nats"]),
        median_nats=_number(item["median_nats"]),
        note=_text(item["note"]),
    )


def _trust(item: Mapping[str, Any]) -> Trust:
    if item["level"] not in TRUST_LEVELS:
        msg = f"unknown level of trust {item['level']!r}"
        raise ValueError(msg)
    return Trust(item["level"], _text(item["sentence"]))


def _comparison(item: Mapping[str, Any]) -> StrategyComparison:
    return StrategyComparison(
        strategies=_texts(item["strategies"]),
        n_shared=tuple(tuple(int(n) for n in row) for row in item["n_shared"]),
        coverage_radius=tuple(float(value) for value in item["coverage_radius"]),
        mean_difference=tuple(_number(value) for value in item["mean_difference"]),
        n_shared_by_chance=float(item["n_shared_by_chance"]),
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


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
