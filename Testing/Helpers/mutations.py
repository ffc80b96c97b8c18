"""Files as a fault, a careless edit or a broken program would leave them; same seed, same bytes."""

from __future__ import annotations

import csv
import io
import json
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

_INTEGERS = (0, 1, -1, 2, 7, 255, 348, 32767, -32768)
_REALS = (0.0, -0.0, -1.0, 1e-38, 1e38, -1e38, 352.0, 0.5, float("nan"), float("inf"))
# Field of a NIfTI-1 header: offset, format, number of values.
_NIFTI_FIELDS = (
    *((0, "i", 1), (40, "h", 8), (40, "h", 8), (68, "h", 1), (70, "h", 1), (72, "h", 1)),
    *((74, "h", 1), (76, "f", 8), (76, "f", 8), (108, "f", 1), (112, "f", 1), (116, "f", 1)),
    *((123, "B", 1), (252, "h", 1), (254, "h", 1), (256, "f", 3), (268, "f", 3), (280, "f", 12)),
    *((344, "B", 4), (348, "B", 4), (352, "i", 2)),
)
_ODD_WORDS = (
    *("", "0", "-1", "1", "3", "16", "65535", "2147483648", "99999999999999999999", "1e400"),
    *("nan", "inf", "none", "(1,0,0)", "(nan,0,0)", "LIST", "LIST 2", "LOCAL", "/dev/zero", "%d"),
    *("%s%n", "../x", ".", "x y", "a" * 300, "a" * 5000, "\xff\xfe", "\0", "true", "gzip", "hex"),
    *("ascii", "bzip2", "raw", "big", "double", "block", "short", "MET_FLOAT", "MET_OTHER"),
)
_NRRD_LINES = (
    *("byte skip: -1", "byte skip: 99999999", "line skip: 7", "line skip: -5", "encoding: hex"),
    *("data file: /dev/zero", "data file: LIST 2", "data file: a%02d.raw 1 9 1", "block size: 8"),
    *("datafile: .", "dimension: 16", "space: 3D-right-handed", "space: scanner-xyz-time"),
    *(
        "space origin: none",
        "sizes: 8 8 8 8",
        "sizes: 99999 99999 99999",
        "sizes: 8",
        "spacings: 0",
    ),
    *("kinds: domain domain list vector", "type: block", "endian: big", "Segment0_Extent:=0 1"),
    *("Segment0_LabelValue:=x", "old min: nan", "thicknesses: NaN", "axis mins: 0 0 0"),
)
_META_LINES = (
    *("HeaderSize = -1", "HeaderSize = 99999999", "ElementNumberOfChannels = 1000000000"),
    *("ElementNumberOfChannels = 0", "NDims = 10", "NDims = -1", "NDims = 2", "DimSize = 8"),
    *("DimSize = 99999 99999 99999", "DimSize = -8 8 8", "CompressedData = True"),
    *("CompressedDataSize = 999999999999", "CompressedDataSize = -1", "ElementByteOrderMSB = True"),
    *("ElementType = MET_FLOAT_MATRIX", "ElementType = MET_NONE", "TransformMatrix = 0 0 0 0"),
    *("ElementSpacing = 0 0 0", "Offset = nan nan nan", "BinaryData = False"),
    *("ElementDataFile = LIST", "ElementDataFile = /dev/zero", "ElementDataFile = a%d.raw 1 9 1"),
)
_ODD_TEXTS = (
    *("", " ", "x" * 300, "x" * 70_000, "ä" * 200, "\ud800", "\0", "../..", "/dev/zero", "a/b"),
    *("C:\\a\\b.nii.gz", "{}", "[", "(", "(?P<", "NaN", "null", "1", "\n", "~", ".", "=1+1"),
)
_ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 2**31, 2**63, 10**30, 10**400, 0.5, -0.5, 1e308, 1e-308),
    *(float("nan"), float("inf"), [], {}, [[]], [None], {"": ""}, [0] * 50, {"a": {"b": []}}),
    *_ODD_TEXTS,
)
_ODD_CELLS = (
    *_ODD_TEXTS,
    *("x" * 300 + ".nii.gz", "a\0b.nii.gz", ".nii.gz", "/dev/zero.nii", "..\\t1.nii.gz", "t1.dcm"),
    *('"', "a,b;c\td", "x" * 200_000, "case", "\u202e", "http://x/y.nii.gz", "CON", "nan"),
)
_NESTED = b"[" * 100_000


def mutated_bytes(data: bytes, source: random.Random) -> bytes:
    """Flip, cut, insert, repeat or drop bytes somewhere."""
    content, at = bytearray(data), source.randrange(len(data) + 1)
    piece = bytes(source.randrange(256) for _ in range(source.randrange(1, 9)))
    choice = source.randrange(6)
    if choice == 0:
        return bytes(content[:at])
    if choice == 1:
        return bytes(content[:at]) + piece + bytes(content[at:])
    if choice == 2:
        return bytes(content[:at]) + bytes(content[at + len(piece) :])
    if choice == 3:
        return bytes(content) + bytes(content[at:])
    for _ in range(source.randrange(1, 5)):
        if content:
            content[source.randrange(min(len(content), 400))] = source.randrange(256)
    return bytes(content)


def mutated_nifti(data: bytes, source: random.Random) -> bytes:
    """Change one to three fields of a NIfTI-1 header, or its bytes."""
    if source.random() < 0.25:
        return mutated_bytes(data, source)
    content = bytearray(data)
    for _ in range(source.randrange(1, 4)):
        offset, kind, n_values = source.choice(_NIFTI_FIELDS)
        offset += struct.calcsize(kind) * source.randrange(n_values)
        value = _nifti_value(kind, source)
        if offset + struct.calcsize(kind) <= len(content):
            struct.pack_into("<" + kind, content, offset, value)
    return bytes(content)


def _nifti_value(kind: str, source: random.Random) -> float:
    if kind == "f":
        return source.choice([*_REALS, source.uniform(-400, 400)])
    if kind == "B":
        return source.randrange(256)
    if kind == "i":
        return source.choice([*_INTEGERS, 540, 2**31 - 1, -(2**31)])
    return source.choice([*_INTEGERS, source.randrange(-2000, 2000)])


def mutated_text_header(data: bytes, source: random.Random, *, separator: str) -> bytes:
    """Change lines of a NRRD header (separator `:`) or a MetaImage header (separator `=`)."""
    if source.random() < 0.15:
        return mutated_bytes(data, source)
    end = data.index(b"\n\n") if separator == ":" else data.index(b"\n", data.index(b"ElementData"))
    lines = data[:end].decode("latin-1").split("\n")
    known = _NRRD_LINES if separator == ":" else _META_LINES
    for _ in range(source.randrange(1, 4)):
        _change_line(lines, source, separator, known)
    line_end = source.choice(["\n"] * 9 + ["\r\n", "\r"])
    text = line_end.join(lines).encode("latin-1", errors="replace")
    return text + data[end:]


def _change_line(
    lines: list[str], source: random.Random, separator: str, known: Sequence[str]
) -> None:
    at = source.randrange(max(len(lines), 1))
    choice = source.randrange(6)
    if choice == 0 and lines:
        del lines[at]
    elif choice == 1:
        lines.insert(at, source.choice(known))
    elif choice == 2 and lines:
        lines.insert(source.randrange(len(lines)), lines[at])
    elif lines and separator in lines[at]:
        key, value = lines[at].split(separator, 1)
        words = value.split() or [""]
        words[source.randrange(len(words))] = source.choice(_ODD_WORDS)
        lines[at] = f"{key}{separator} {' '.join(words)}"


def mutated_json(text: str, source: random.Random) -> bytes:
    """Change values and keys of a JSON document, or its text."""
    if source.random() < 0.75:
        document = [json.loads(text)]
        for _ in range(source.randrange(1, 4)):
            _change_value(document, source)
        return json.dumps(document[0], ensure_ascii=source.random() < 0.8).encode(
            "utf-8", errors="surrogatepass"
        )
    return _mutated_text(text, source)


def _mutated_text(text: str, source: random.Random) -> bytes:
    forms: Sequence[Callable[[], bytes]] = (
        lambda: b"",
        lambda: _NESTED,
        lambda: text.encode("utf-16"),
        lambda: b"\xef\xbb\xbf" + text.encode(),
        lambda: text.replace(":", ": " + "9" * 5000, 1).encode(),
        lambda: text.replace('": ', '": NaN, "x": ', 1).encode(),
        lambda: text.encode().replace(b"[", _NESTED, 1),
        lambda: text.encode() * 2,
    )
    return source.choice(forms)() if source.random() < 0.5 else mutated_bytes(text.encode(), source)


def _change_value(document: Any, source: random.Random) -> None:
    place, key = source.choice(_places(document))
    choice = source.randrange(8)
    if choice == 0 and place is not document:
        del place[key]
    elif choice == 1 and isinstance(place, dict):
        place[source.choice([*_ODD_TEXTS, f"{key}s"])] = place.pop(key)
    elif choice == 2 and isinstance(place, list):
        place.append(place[key])
    elif choice == 3:
        place[key] = [place[key]]
    elif choice == 4 and isinstance(place[key], int | float) and abs(place[key]) < 1e300:
        place[key] = place[key] * source.choice([-1, 0, 1000, 0.5, 10**6])
    elif choice == 5:
        other, name = source.choice(_places(document))
        place[key] = json.loads(json.dumps(other[name]))
    else:
        place[key] = source.choice(_ODD_VALUES)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container below a value with every key or index of it."""
    if isinstance(value, dict):
        keys: list[Any] = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    else:
        return []
    return [place for key in keys for place in ((value, key), *_places(value[key]))]


def mutated_csv(text: str, source: random.Random) -> bytes:
    """Change cells, rows and columns of a table, its delimiter or its encoding."""
    if source.random() < 0.15:
        return mutated_bytes(text.encode(), source)
    rows = list(csv.reader(io.StringIO(text)))
    for _ in range(source.randrange(1, 4)):
        _change_table(rows, source)
    out = io.StringIO()
    kinds = {"delimiter": source.choice([","] * 6 + [";", "\t", "|"])}
    csv.writer(out, lineterminator=source.choice(["\n"] * 4 + ["\r\n", "\r"]), **kinds).writerows(
        rows
    )
    encoding = source.choice(["utf-8"] * 9 + ["utf-8-sig", "utf-16", "latin-1"])
    errors = "surrogatepass" if encoding.startswith("utf") else "replace"
    return out.getvalue().encode(encoding, errors=errors)


def _change_table(rows: list[list[str]], source: random.Random) -> None:
    row = source.choice(rows) if rows else []
    choice = source.randrange(7)
    if choice == 0 and rows:
        rows.remove(row)
    elif choice == 1:
        rows.insert(source.randrange(len(rows) + 1), list(row))
    elif choice == 2 and row:
        del row[source.randrange(len(row))]
    elif choice == 3:
        row.append(source.choice(_ODD_CELLS))
    elif row:
        row[source.randrange(len(row))] = source.choice(_ODD_CELLS)
