"""Read class, property, signal, slot and enum names from C++ headers of Qt code.

A small reader for the regular style of the CTK and Slicer headers, not a C++ parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

COMMENTS = re.compile(r'"(?:[^"\\\n]|\\.)*"|/\*.*?\*/|//[^\n]*', re.DOTALL)
PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.MULTILINE)
CLASS_HEAD = re.compile(
    r"\bclass\s+(?:[A-Z_0-9]+\s+)?(?P<name>(?:ctk|q)\w+)\s*(?:final\s*)?"
    r"(?::\s*(?P<bases>[^{;]+))?\{"
)
SECTION = re.compile(
    r"^(public\s+(?:Q_SLOTS|slots)|protected\s+(?:Q_SLOTS|slots)|private\s+(?:Q_SLOTS|slots)"
    r"|Q_SIGNALS|signals|public|protected|private)\s*:(?!:)"
)
PROPERTY = re.compile(r"Q_PROPERTY\s*\(([^)]*(?:\([^)]*\)[^)]*)*)\)")
ENUM_MACRO = re.compile(r"Q_(?:ENUMS?|FLAGS?|DECLARE_FLAGS)\s*\(([^)]*)\)")
ENUM = re.compile(r"\benum\s+(?:class\s+)?(\w+)\s*(?::\s*\w+\s*)?\{([^}]*)\}")
MACRO = re.compile(r"\b(?:Q_OBJECT|QVTK_OBJECT|(?:Q|QVTK|CTK|SLICER)_[A-Z_]+\s*\([^)]*\))\s*;?")


@dataclass
class ClassNames:
    """What Python can see of one class, and what C++ code calls beside that."""

    name: str
    bases: list[str] = field(default_factory=list)
    properties: dict[str, list[str]] = field(default_factory=dict)
    signals: list[str] = field(default_factory=list)
    slots: list[str] = field(default_factory=list)
    enums: dict[str, dict[str, int]] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)


def read_classes(text: str) -> list[ClassNames]:
    """Return the classes that a header declares."""
    text = PREPROCESSOR.sub(" ", COMMENTS.sub(_without_comment, text))
    return [_read_class(text, match) for match in CLASS_HEAD.finditer(text)]


def _without_comment(match: re.Match[str]) -> str:
    return '""' if match[0].startswith('"') else " "


def _read_class(text: str, match: re.Match[str]) -> ClassNames:
    body = _body(text, match.end())
    names = ClassNames(match["name"], _bases(match["bases"]))
    for prop in PROPERTY.findall(body):
        _add_property(names, prop)
    visible = {word for macro in ENUM_MACRO.findall(body) for word in re.findall(r"\w+", macro)}
    for enum, items in ENUM.findall(body):
        if enum in visible:
            names.enums[enum] = enum_values(items)
    _add_functions(names, MACRO.sub(" ", ENUM.sub(" ", PROPERTY.sub(" ", body))))
    return names


def _body(text: str, start: int) -> str:
    depth, position = 1, start
    while depth and position < len(text):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return text[start : position - 1]


def _bases(text: str | None) -> list[str]:
    if text is None:
        return []
    found = [
        re.sub(r"\b(public|protected|private|virtual)\b", "", part) for part in text.split(",")
    ]
    return [part.strip() for part in found if re.fullmatch(r"\s*\w+\s*", part)]


def _add_property(names: ClassNames, text: str) -> None:
    words = text.split()
    at = next(i for i, word in enumerate(words) if word in {"READ", "MEMBER", "WRITE", "NOTIFY"})
    pairs = dict(zip(words[at::2], words[at + 1 :: 2], strict=False))
    kind = "".join(words[: at - 1])
    names.properties[words[at - 1]] = [kind, pairs.get("READ", ""), pairs.get("WRITE", "")]


def enum_values(items: str) -> dict[str, int]:
    """Return the values of the enumerators of a C++ `enum { ... }` body."""
    values: dict[str, int] = {}
    following = 0
    for item in filter(None, (part.strip() for part in items.split(","))):
        key, _, expression = (part.strip() for part in item.partition("="))
        following = _evaluate(expression, values) if expression else following
        values[key] = following
        following += 1
    return values


def _evaluate(expression: str, values: dict[str, int]) -> int:
    known = values | {"EXIT_SUCCESS": 0, "EXIT_FAILURE": 1}
    text = re.sub(
        r"(?<!\w)[A-Za-z_][\w:]*", lambda m: str(known.get(m[0].split("::")[-1], 0)), expression
    )
    return int(eval(text, {"__builtins__": {}}))


def _add_functions(names: ClassNames, body: str) -> None:
    section = "private"
    for statement in _statements(body):
        text = statement.strip()
        while match := SECTION.match(text):
            section = match[1].replace("slots", "Q_SLOTS").replace("signals", "Q_SIGNALS")
            section = " ".join(section.split())
            text = text[match.end() :].strip()
        _add_function(names, section, text)


def _statements(body: str) -> list[str]:
    """Split at `;`, with the bodies of inline functions dropped."""
    flat, depth = [], 0
    for letter in body:
        if letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                flat.append(";")
        elif depth == 0:
            flat.append(letter)
    return "".join(flat).split(";")


def _add_function(names: ClassNames, section: str, text: str) -> None:
    is_invokable = "Q_INVOKABLE" in text
    match = re.match(
        r"(?P<head>[\w\s:<>,*&~]*?)\b(?P<name>\w+)\s*\((?P<args>.*)\)", text, re.DOTALL
    )
    if match is None or "~" in match["head"] or match["name"] == names.name:
        return
    signatures = signatures_of(match["name"], match["args"])
    if section == "Q_SIGNALS":
        names.signals += signatures
    elif section in {"public Q_SLOTS", "protected Q_SLOTS", "private Q_SLOTS"}:
        names.slots += signatures if section.startswith("public") else []
    elif is_invokable and section == "public":
        names.slots += signatures
    elif section == "public" and match["name"] not in names.hidden and "operator" not in text:
        names.hidden.append(match["name"])


def signatures_of(name: str, arguments: str) -> list[str]:
    """Return the normalized signature, and one for every default argument left out."""
    arguments = re.sub(r"\)\s*(const|override|noexcept|=\s*0).*$", "", arguments)
    parts = _split(arguments)
    required = sum("=" not in part for part in parts)
    types = [normalized_type(part) for part in parts]
    return [f"{name}({','.join(types[:n])})" for n in range(len(types), required - 1, -1)]


def _split(arguments: str) -> list[str]:
    parts, depth = [""], 0
    for letter in arguments:
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip() and part.strip() != "void"]


def normalized_type(argument: str) -> str:
    """Return the type as `QMetaObject::normalizedSignature` writes it (const& and name dropped)."""
    text = argument.partition("=")[0].strip()
    text = re.sub(r"\b(const|enum|class|struct)\s+", "", text)
    text = re.sub(r"\s*([*&<>,])\s*", r"\1", text)
    text = re.sub(r"(?<=[\w*&>])\s+const\b", "", text)
    match = re.match(
        r"^((?:(?:unsigned|long|short|int|char)\b ?)+[*&]*|[\w:]+(?:<.*>)?[*&]*)(?:\s*\b\w+)?$",
        text,
    )
    kind = match[1].strip() if match else text
    return kind[:-1] if kind.endswith("&") else kind
