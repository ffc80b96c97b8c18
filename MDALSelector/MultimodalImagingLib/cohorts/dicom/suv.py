"""Standardized uptake values: what a PET image is multiplied by so that 1 is the mean of the body.

SUVbw = activity concentration (Bq/ml) x weight (g) / dose (Bq), where the dose is that of the time
to which the image is decay-corrected. As the Quantitative Imaging Biomarkers Alliance (QIBA) wrote
down for vendors: *SUV Vendor-neutral pseudo-code*, 2011; DICOM PS3.3 C.8.9.1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from MultimodalImagingLib.cohorts.dicom.headers import PHILIPS_ACTIVITY, PHILIPS_SUV, Header

_G_PER_KG = 1000.0
# Longer after the injection nothing is left of any tracer that is given for PET; Zr-89 has days.
_LONGEST_S = 10 * 86400.0
_DAY = timedelta(days=1)
_MOMENT = re.compile(r"(\d{10,14})(?:\.(\d+))?")
# Attenuation and decay: without either, the values are no activity at one time.
_NEEDED_CORRECTIONS = ("ATTN", "DECY")


class NoSUVError(ValueError):
    """The fields do not allow it; the text names them."""


def suv_factor(headers: Sequence[Header]) -> float:
    """Return what the values of a PET series are multiplied by to become SUVbw, g/ml.

    Args:
        headers: Headers of all its images.

    Raises:
        NoSUVError: If a field is missing or makes no sense; the text says which.
    """
    first = headers[0]
    units = str(first.get("Units", "")).upper()
    if units == "GML":
        kind = str(first.get("SUVType", "BW")).upper()
        if kind != "BW":
            msg = f"SUV Type (0054,1006) is {kind:.8}, not BW"
            raise NoSUVError(msg)
        return 1.0
    if units == "BQML":
        return _by_weight(headers)
    if units == "CNTS":
        return _philips(headers)
    msg = f"Units (0054,1001) are {units:.8}" if units else "Units (0054,1001) is missing"
    raise NoSUVError(msg)


def _philips(headers: Sequence[Header]) -> float:
    """Scale counts: by Philips' own factor to SUV, or to Bq/ml and on from there."""
    for name, rest in ((PHILIPS_SUV, None), (PHILIPS_ACTIVITY, _by_weight)):
        factors = {float(header.get(name, 0.0)) for header in headers}
        if len(factors) == 1 and (factor := factors.pop()) > 0:
            return factor if rest is None else factor * rest(headers)
    msg = "Units (0054,1001) are CNTS, without Philips' factors (7053,1000) and (7053,1009)"
    raise NoSUVError(msg)


def _by_weight(headers: Sequence[Header]) -> float:
    first = headers[0]
    made = first.get("CorrectedImage")
    lacks = [name for name in _NEEDED_CORRECTIONS if made is not None and name not in made]
    if lacks:
        msg = f"Corrected Image (0028,0051) lacks {' and '.join(lacks)}"
        raise NoSUVError(msg)
    if first.get("NumberOfDoses", 0) > 1:
        msg = "there are several Radiopharmaceutical Information items (0054,0016)"
        raise NoSUVError(msg)
    weight_kg = _positive(first, "PatientWeight", "Patient's Weight (0010,1030)")
    dose_bq = _positive(first, "RadionuclideTotalDose", "Radionuclide Total Dose (0018,1074)")
    return weight_kg * _G_PER_KG / (dose_bq * _left_of_dose(headers))


def _left_of_dose(headers: Sequence[Header]) -> float:
    """Return the share of the dose at the time to which the image is decay-corrected."""
    first = headers[0]
    correction = str(first.get("DecayCorrection", "")).upper()
    if correction == "ADMIN":
        return 1.0
    if correction != "START":
        said = f"is {correction:.8}" if correction else "is missing"
        msg = f"Decay Correction (0054,1102) {said}, neither START nor ADMIN"
        raise NoSUVError(msg)
    half_life_s = _positive(first, "RadionuclideHalfLife", "Radionuclide Half Life (0018,1075)")
    scan = _scan_start(headers)
    elapsed_s = (scan - _injection(first, scan)).total_seconds()
    if not 0 <= elapsed_s < _LONGEST_S:
        msg = (
            f"the injection (0018,1072; 0018,1078) is {elapsed_s / 3600:.1f} h before the scan,"
            " which cannot be"
        )
        raise NoSUVError(msg)
    return math.pow(2.0, -elapsed_s / half_life_s)


def _scan_start(headers: Sequence[Header]) -> datetime:
    """Return the start of the scan: of the series, unless that was made after its images."""
    taken = [_moment(header, "Acquisition") for header in headers]
    known = [moment for moment in taken if moment is not None]
    series = _moment(headers[0], "Series")
    if series is not None and all(series <= moment for moment in known):
        return series
    if known:
        return min(known)
    msg = "Series Time (0008,0031) and Acquisition Time (0008,0032) are missing"
    raise NoSUVError(msg)


def _injection(header: Header, scan: datetime) -> datetime:
    """Return when the dose was given; a time without a date may be that of the day before."""
    moment = _parsed(header.get("RadiopharmaceuticalStartDateTime"))
    if moment is not None:
        return moment
    day = scan.strftime("%Y%m%d")
    moment = _parsed(day + str(header.get("RadiopharmaceuticalStartTime", "")))
    if moment is None or "RadiopharmaceuticalStartTime" not in header:
        msg = "Radiopharmaceutical Start Time (0018,1072) is missing"
        raise NoSUVError(msg)
    return moment if moment <= scan else moment - _DAY


def _moment(header: Header, kind: str) -> datetime | None:
    whole = _parsed(header.get(f"{kind}DateTime"))
    if whole is not None:
        return whole
    day = header.get(f"{kind}Date") or header.get("SeriesDate") or header.get("StudyDate")
    time = header.get(f"{kind}Time")
    return None if day is None or time is None else _parsed(f"{day}{time}")


def _parsed(value: Any) -> datetime | None:
    """Parse `YYYYMMDDHHMMSS.F`; what is left out of the time is 0. A zone is that of the scan."""
    found = _MOMENT.match(str(value or "").strip())
    if found is None:
        return None
    try:
        moment = datetime.strptime(found[1].ljust(14, "0"), "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return moment + timedelta(microseconds=int((found[2] or "")[:6].ljust(6, "0")))


def _positive(header: Header, keyword: str, name: str) -> float:
    value = header.get(keyword)
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        msg = f"{name} is missing" if value is None else f"{name} is not positive"
        raise NoSUVError(msg)
    return float(value)
