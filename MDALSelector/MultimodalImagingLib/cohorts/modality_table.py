"""The built-in rows that tell modalities from names, and how several rows of one name combine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

# Targets that are no modalities: words that make a T1 a contrast image, or that deny it.
CONTRAST = "+contrast"
NATIVE = "-contrast"

_AGENT = (
    r"(with_?)?gd\d?(fs)?(_?(dtpa|dota|bopta|do3a))?|gad(o[a-z]*|a?vist)?\d?|dotarem|magnevist|multihance"
    r"|prohance|omniscan|primovist|eovist|clariscan|vueway|elucirem"
)
_WORD = (
    rf"{_AGENT}|ce(_?mr[it]?)?|km|kontrast[a-z]*|mdc|md_c|pdc|civ|contrast[a-zé]*|enh(ance(d|ment))?"
    r"|inj(e[ck]t[a-zé]*)?|iniez[a-z]*|inyec[a-zó]*"
)
# `post_op` and `pre_op` speak of the patient, not of the agent.
_OF_THERAPY = (
    r"(?!_?(op|operat[a-z]*|surg[a-z]*|resect[a-z]*|treat[a-z]*|rt|radio[a-z]*|chemo[a-z]*|tx"
    r"|therap[a-z]*|proc[a-z]*|mortem|ictal|natal|partum|stroke|baseline|biops[a-z]*|ablat[a-z]*"
    r"|implant[a-z]*|transplant[a-z]*)(?![^\W_]))"
)
_POST = rf"post{_OF_THERAPY}(_?({_WORD}|con(tr)?|c))?\d?"
# `+`, `c` and `cm` count only directly behind T1.
_BEHIND_T1 = rf"\+_?(c|{_WORD})?|c\+?|c_?plus|cm|{_WORD}|{_POST}"
_NO = (
    r"(non?|not|without|w_?/?_?o|ohne|o|sans|senza|sin|sem|zonder|before|vor|avant|prima|antes"
    r"|pr[eé])"
)
_ARTICLE = r"(_(an?y?|der|de[li]?|d|il|la|el|iv|i_v)(?=_))?"
_DENIED = rf"{_NO}{_ARTICLE}_?({_WORD}|con(tr)?|c|i_?v)"

_PLANE = r"(?:[23]d|axial|ax|sag|cor|tra|fs|s)*"
_KIND = r"(mp_?rage|mpr|tse|fse|se|spc|space|vibe|t?ffe|tfe|flash|[23]d|ax|sag|cor|tra|fs|ir)"
_T1 = rf"{_PLANE}t1(w|wi)?{_KIND}?"
_FLUID = r"flair|flr|tirm|dark_?flui?u?i?d|da_?fl"
_T1_NAMES = (
    r"mp_?rage|mp2_?rage|ir_?f?spgr|f?spgr|efgre_?3d|bravo|(star)?vibe|lava|e?_?thrive|tfe|unit1"
)
_TRACER = r"fdg|psma[a-z0-9]*|dotata[ct]e|dotatoc|dotanoc|fet|f?dopa|flt|fmiso|faza|fapi"
_ISOTOPE = r"(f_?18|18_?f|ga_?68|68_?ga|c_?11|11_?c|cu_?64|64_?cu|zr_?89|89_?zr)"
_TRACED = rf"(({_ISOTOPE})_?)?({_TRACER})"
_PET = rf"((({_TRACED})|{_ISOTOPE})_?)?(pet|pt(?!_?\d\d))"
_SUV = r"suv(_?(bw|lbm|bsa))?"
_DIFFUSION = r"(dti|dwi|dki|diff(usion)?|dmri|tensor)(_[a-z0-9]+)*?"

# (expression, target), from the most to the least specific.
MODALITY_ROWS: tuple[tuple[str, str], ...] = (
    (rf"{_DENIED}|un_?enhanced|nce?|s/c|nati[vf][aeo]?|plain|basale?|pre{_OF_THERAPY}", NATIVE),
    (r"t1_?(map[a-z]*|rho|relax[a-z]*)|(sh)?molli|r1_?map", "T1map"),
    (r"t1_?sub(tr[a-z]*)?|sub_t1|subtra[ck][a-z]*|subtr", "Subtraction"),
    (r"(mp2_?rage_)?inv_?1(_mp2_?rage)?", "INV1"),
    (r"(mp2_?rage_)?inv_?2(_mp2_?rage)?", "INV2"),
    (r"(t1w?_?)?(dual_?)?in_?phase|t1w?_?(dual_?)?inph?", "T1in"),
    (r"(t1w?_?)?(dual_?)?(out_?(of_?)?|opp(osed)?_?)phase|t1w?_?(dual_?)?(out|opp)", "T1out"),
    (rf"{_T1}_?({_BEHIND_T1})|(c|ce|cm|km|{_AGENT}|contrast|{_POST})_?t1w?", "T1c"),
    (r"c\+_?t1w?|ce_[a-z0-9]+_t1w?", "T1c"),
    (rf"{_T1}((_{_KIND})*_?({_FLUID}))+", "T1"),
    (rf"{_PLANE}(t2w?i?_?)?(flair|flr){_KIND}?|t2f|tirm|t2_?dark|{_FLUID}", "FLAIR"),
    (r"t2w?(_[a-z0-9]+)*_(hemo|haem[a-z]*|heme)|hemo|t2w?_?(gre|ffe|fl[23]d|me[23]d)", "T2star"),
    (r"t2_?star_?w?|t2s|t2sw|t2w?_?\*_?w?", "T2star"),
    (r"t2_?(star_?|\*_?)?(map[a-z]*|relax[a-z]*)", "T2map"),
    (r"r2_?(star|\*)(_?map)?", "R2star"),
    (r"qsm", "QSM"),
    (r"mtr(_?map)?", "MTR"),
    (r"psir", "PSIR"),
    (r"^(3d_?)?dir$|3d_?dir|dir_?(space|spc|cube|[23]d|fs|ax|sag|cor|tra)|double_?ir", "DIR"),
    (rf"{_T1}(_?weighted|n)?|{_T1_NAMES}", "T1"),
    (rf"{_PLANE}t2(w|wi)?({_KIND}|_?tse|_?weighted|spir|blade)?|inplane_?t2|haste|ssfse", "T2"),
    (rf"{_PLANE}pdw?i?{_KIND}?|dpw?|proton_?dens[a-z]*|dens[a-z]*_protons?", "PD"),
    (rf"{_PLANE}stir", "STIR"),
    (r"d?adc(_?map)?|(e|iso)_?adc|apparent_diff[a-z]*(_coeff?[a-z]*)?", "ADC"),
    (r"hbv|calc_?b_?v(al)?|(high|hi)_?b(_?val[a-z]*)?|calc_?b_?\d{3,4}", "HBV"),
    (rf"{_DIFFUSION}_md|^md$|mean_diff[a-z]*", "MD"),
    (rf"{_DIFFUSION}_ad|^ad$|axial_diff[a-z]*", "AD"),
    (rf"{_DIFFUSION}_rd|^rd$|radial_diff[a-z]*", "RD"),
    (r"fa|frac[a-z]*_aniso[a-z]*", "FA"),
    (
        r"dwi(_?b_?\d+)?|b\d{3,4}|d?s?dwi?|resolve|diff?usi[oó]n[ea]?|diff|trace(w|_w)?|isodwi",
        "DWI",
    ),
    (r"pha(se)?_images|swi_?(total_)?pha[a-z]*|filt_?pha[a-z]*", "Phase"),
    (r"swi[a-z]*|swan|swip|ven_?bold|mag_images|swi_?(mag|combined)[a-z]*", "SWI"),
    (r"dce", "DCE"),
    (r"ktrans", "Ktrans"),
    (r"(ap_)?r?cbv", "CBV"),
    (r"r?cbf", "CBF"),
    (r"mtt", "MTT"),
    (r"ttp", "TTP"),
    (r"tmax", "Tmax"),
    (rf"{_PLANE}(p|c|pc)?asl", "ASL"),
    (r"dsc|pwi", "DSC"),
    (r"(ce_?|tof_?)?mra|(3d_?)?tof([23]d)?|angio[a-z]*", "MRA"),
    (r"b_?tfe|b?_?ssfp|tru_?fi(sp)?([23]d)?|fiesta(_c)?|ciss([23]d)?", "bSSFP"),
    (r"cbct", "CBCT"),
    (r"cta", "CTA"),
    (r"ctp|ct_?perf[a-z]*", "CTP"),
    (r"spect", "SPECT"),
    (r"(pet_?)?nac(_?pet)?|pet_?uncorr[a-z]*", "PETnac"),
    (rf"{_PET}(_?(ac|wb|corr?))?(_?suv)?(_?(bw|lbm|bsa))?|(ac|wb)_?pet|{_SUV}|{_TRACED}", "PET"),
    (r"ct_?(ac|res|hu|wb)|(ac|plan|low_?dose)_?ct|ct|cect|n[ce]ct|ldct|hrct", "CT"),
    (r"mri?|mr[ti]|irm|rm", "MR"),
    (rf"{_WORD}|\+_?(c|{_WORD})|({_WORD}|c)\+|c/c|c_?plus|plus_?c|{_POST}", CONTRAST),
    (r"(?<!grade_)(?<!stage_)(?<!phase_)(?<!type_)(?<!level_)i_?v", CONTRAST),
    (r"(arterial|portal(_?ven[a-z]*)?|venous|hbp|hepatobiliary)(_?phase)?", CONTRAST),
    (
        r"(with|w|mit|avec|con)(?=_((and|und|et|e|y)_)?(w_?o|without|ohne|sans|senza|sin)_)",
        CONTRAST,
    ),
)

# Of two modalities in one name the first says more: T2 FLAIR is a FLAIR.
_SAYS_MORE = (
    ("FLAIR", ("T2",)),
    ("STIR", ("T2", "PD", "T1")),
    ("ADC", ("DWI",)),
    ("HBV", ("DWI",)),
    *((name, ("DWI",)) for name in ("FA", "MD", "AD", "RD")),
    ("T2star", ("T2",)),
    ("SWI", ("T2star",)),
    ("Phase", ("SWI",)),
    ("DCE", ("T1", "T1c")),
    ("MRA", ("T1",)),
    ("PSIR", ("T1", "T2")),
    ("CBV", ("DSC",)),
    ("CBF", ("DSC", "ASL")),
    ("MTT", ("DSC",)),
    ("Tmax", ("DSC",)),
    ("TTP", ("DSC",)),
    ("bSSFP", ("T1", "T2")),
)
_NOT_MR = frozenset({"CT", "CTA", "CTP", "CBCT", "PET", "PETnac", "SPECT", "MR"})


def more_specific(first: str, second: str) -> str | None:
    """Return that of two modalities which says more about an image; `None` if none does."""
    for winner, losers in _SAYS_MORE:
        if (winner == first and second in losers) or (winner == second and first in losers):
            return winner
    others = {first, second} - {"MR"}
    if "MR" in (first, second) and not others & _NOT_MR:
        return next(iter(others))
    return None


def is_of_kind(modality: str, kind: str) -> bool:
    """Tell whether a modality is one of a kind of scanner, `CT`, `PET` or `MR`.

    `MR` itself is none: it does not say which of them an image is.
    """
    if kind == "MR":
        return modality not in _NOT_MR
    return modality in {"CT": ("CT", "CTA", "CTP", "CBCT"), "PET": ("PET", "PETnac")}[kind]


# Words that say that a second modality is only where the image was moved to.
_MOVED = re.compile(
    r"(^|_)(to|on|onto|in|into|2|r(e?s)?2s?|(co)?reg(istered)?|align(ed)?|warped|resampled|rigid"
    r"|affine|ref(erence)?)(_|$)"
)


@dataclass(frozen=True)
class TakenPart:
    """A row of the table and the place in a normalized name that it has."""

    span: range
    expression: str
    target: str
    text: str


def taken_parts(text: str, rows: Iterable[tuple[str, str]]) -> list[TakenPart]:
    """Give every row, in their order, the first place of whole parts that no earlier row has."""
    taken: list[TakenPart] = []
    for expression, target in rows:
        span = _free_span(expression, text, taken)
        if span is not None:
            taken.append(TakenPart(span, expression, target, text[span.start : span.stop]))
    return taken


def modality_parts(text: str, taken: Sequence[TakenPart]) -> tuple[TakenPart, ...]:
    """Return the parts that decide the modality; parts of several modalities are ambiguous."""
    images = [item for item in taken if item.target not in (CONTRAST, NATIVE)]
    return _with_contrast(text, _most_specific(text, images), taken)


def _most_specific(text: str, images: Sequence[TakenPart]) -> list[TakenPart]:
    """Drop modalities of which another part of the name says more: `t2_tirm` is a FLAIR."""
    targets = {item.target for item in images}
    if len(targets) < 2 or _is_moved(text, images):
        return list(images)
    beaten = {t for t in targets if any(more_specific(t, o) == o for o in targets - {t})}
    kept = [item for item in images if item.target not in beaten]
    if {item.target for item in kept} == {"T1", "T1c"}:  # MPRAGE beside T1c says only how
        kept = [item for item in kept if item.target == "T1c" or "t1" in item.text]
    return kept


def _with_contrast(
    text: str, images: Sequence[TakenPart], taken: Sequence[TakenPart]
) -> tuple[TakenPart, ...]:
    """Make a T1 with a contrast word anywhere a T1c, and an ambiguous one if it is denied too.

    What a row of the user's own decides stays.
    """
    words = [item for item in taken if item.target == CONTRAST]
    if not words or not all(_is_built_in(item) and item.target == "T1" for item in images):
        return tuple(images)
    added = replace(words[0], target="T1c")
    is_denied = any(item.target == NATIVE for item in taken)
    if not images or is_denied or _is_moved(text, (images[0], added)):
        return (*images, added) if images else ()
    return (*(replace(item, target="T1c") for item in images), added)


def _is_built_in(item: TakenPart) -> bool:
    return (item.expression, item.target) in MODALITY_ROWS


def _is_moved(text: str, items: Sequence[TakenPart]) -> bool:
    """Tell whether `to`, `in`, `registered` ... stand between the parts."""
    spans = sorted((item.span for item in items), key=lambda span: span.start)
    return any(_MOVED.search(text[a.stop : b.start]) for a, b in pairwise(spans))


def _free_span(expression: str, text: str, taken: Sequence[TakenPart]) -> range | None:
    used = [item.span for item in taken]
    for found in _whole_parts(expression).finditer(text):
        span = range(found.start(), found.end())
        if span and not any(span.start < s.stop and s.start < span.stop for s in used):
            return span
    return None


@lru_cache(maxsize=1024)
def _whole_parts(expression: str) -> re.Pattern[str]:
    return re.compile(rf"(?:(?<![^\W_])|(?=\W))(?:{expression})(?![^\W_])")
