"""Write the name lists in `slicer_host/names` from checkouts of Slicer, CTK and PythonQt.

    python make_names.py --slicer SLICER [SLICER ...] --ctk CTK [CTK ...] --pythonqt PYTHONQT

With several versions of Slicer and CTK (in the same order) a name is kept if all versions have it.
Only names are written (classes, properties, signals, slots, invokable methods, enumerators, and the
names of the Qt methods that PythonQt wraps). Nothing else of these projects is copied.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from headers import ClassNames, read_classes, signatures_of

NAMES = Path(__file__).parents[1] / "slicer_host" / "names"
CLASSES = Path(__file__).with_name("classes.txt")
WRAPPER = re.compile(r"class PythonQtWrapper_(\w+) : public QObject\s*\{(.*?)\n\};", re.DOTALL)
WRAPPED_METHOD = re.compile(r"\b(py_q_)?(\w+)\((\w[\w:<>,*& ]*)?[^;{]*\)\s*(?:const\s*)?[;{]")
DECORATOR = re.compile(
    r"\b(\w+)\s*\(\s*((?:ctk|q)\w+)\s*\*\s*\w+\s*(?:,([^;{]*))?\)\s*(?:const)?\s*\{", re.DOTALL
)

STATIC = re.compile(r"\bstatic_((?:ctk|q)[A-Za-z]\w*?)_(\w+)\(([^)]*)\)")


def main() -> None:
    arguments = _arguments()
    wanted = CLASSES.read_text().split()
    own = [name for name in wanted if not name.startswith("Q")]
    versions = [
        _version(slicer, ctk, own)
        for slicer, ctk in zip(arguments.slicer, arguments.ctk, strict=True)
    ]
    plain = {name: _common([version[name] for version in versions]) for name in own_names(versions)}
    _write("qt", _pythonqt(arguments.pythonqt, [name for name in wanted if name.startswith("Q")]))
    _write("ctk", {n: c for n, c in plain.items() if n.startswith("ctk")})
    _write("slicer", {n: c for n, c in plain.items() if not n.startswith("ctk")})


def _version(slicer: Path, ctk: Path, wanted: list[str]) -> dict[str, dict[str, object]]:
    found = _headers([ctk / "Libs", slicer / "Libs", slicer / "Base", slicer / "Modules"])
    _add_decorators(found, [ctk / "Libs", slicer])
    return {name: _plain(names) for name, names in _with_bases(found, wanted).items()}


def own_names(versions: list[dict[str, dict[str, object]]]) -> list[str]:
    """Return the classes that all versions have."""
    common = set.intersection(*(set(version) for version in versions))
    for version in versions:
        for name in sorted(set(version) - common):
            print(f"{name} is not in all versions.")
    return sorted(common)


def _common(entries: list[dict[str, object]]) -> dict[str, object]:
    last = entries[-1]
    kept: dict[str, object] = {"bases": last["bases"]}
    for key in ("properties", "enums"):
        names = set.intersection(*(set(entry[key]) for entry in entries))
        kept[key] = {name: value for name, value in last[key].items() if name in names}
    for key in ("signals", "slots", "hidden"):
        kept[key] = sorted(set.intersection(*(set(entry[key]) for entry in entries)))
    return kept


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("slicer", "ctk"):
        parser.add_argument(f"--{name}", type=Path, required=True, nargs="+")
    parser.add_argument("--pythonqt", type=Path, required=True)
    return parser.parse_args()


def _headers(roots: list[Path]) -> dict[str, ClassNames]:
    found: dict[str, ClassNames] = {}
    for root in roots:
        for path in sorted(root.rglob("*.h")):
            if path.name.endswith("_p.h") or "/Testing/" in str(path):
                continue
            for names in read_classes(path.read_text(errors="replace")):
                known = found.get(names.name)
                if known is None or len(names.slots) > len(known.slots):
                    found[names.name] = names
    return found


def _add_decorators(found: dict[str, ClassNames], roots: list[Path]) -> None:
    for root in roots:
        for path in sorted(root.rglob("*PythonQtDecorators.h")):
            for method, owner, rest in DECORATOR.findall(path.read_text(errors="replace")):
                if owner in found and not method.startswith(("new_", "delete_", "static_")):
                    found[owner].slots += signatures_of(method, rest)
            for owner, method, rest in STATIC.findall(path.read_text(errors="replace")):
                if owner in found:
                    found[owner].slots += signatures_of(method, rest)


def _with_bases(found: dict[str, ClassNames], wanted: list[str]) -> dict[str, ClassNames]:
    chosen: dict[str, ClassNames] = {}
    pending = list(wanted)
    while pending:
        name = pending.pop()
        if name in chosen or name.startswith("Q"):
            continue
        if name not in found:
            print(f"No header declares the class {name}.")
            continue
        chosen[name] = found[name]
        pending += [base for base in found[name].bases if base.startswith(("ctk", "q"))]
    return dict(sorted(chosen.items()))


def _plain(names: ClassNames) -> dict[str, object]:
    callable_names = {s.partition("(")[0] for s in names.slots + names.signals}
    return {
        "bases": [b for b in names.bases if b.startswith(("Q", "q", "ctk"))],
        "properties": dict(sorted(names.properties.items())),
        "signals": sorted(set(names.signals)),
        "slots": sorted(set(names.slots)),
        "enums": names.enums,
        "hidden": sorted(n for n in set(names.hidden) if n not in callable_names),
    }


def _pythonqt(root: Path, wanted: list[str]) -> dict[str, list[str]]:
    wrapped: dict[str, set[str]] = {}
    for path in sorted((root / "generated_cpp_515").rglob("*.h")):
        for name, body in WRAPPER.findall(path.read_text(errors="replace")):
            wrapped.setdefault(name, set()).update(_method_names(name, body))
    missing = [name for name in wanted if name not in wrapped]
    if missing:
        msg = f"PythonQt does not wrap {', '.join(missing)}."
        raise SystemExit(msg)
    return {name: sorted(wrapped[name]) for name in sorted(wanted)}


def _method_names(owner: str, body: str) -> set[str]:
    body = re.sub(r"\benum\b[^{]*\{[^}]*\}", " ", body)
    names = set()
    for line in body.splitlines():
        match = re.match(r"\s*(?:[\w:<>,*&\s]*[\s*&])?(\w+)\(", line)
        if match is None or match[1].startswith(("new_", "delete_", "Q_")):
            continue
        name = match[1].removeprefix("py_q_").removeprefix(f"static_{owner}_")
        names.add(name)
    return names


def _write(name: str, classes: dict[str, object]) -> None:
    NAMES.mkdir(exist_ok=True)
    lines = [
        f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}"
        for key, value in classes.items()
    ]
    (NAMES / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
