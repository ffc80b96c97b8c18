"""The lists of installed files in the modules' CMakeLists.txt, compared with git or written anew.

Slicer installs what is listed and nothing else; a forgotten file is only missed by users. Call it
after adding or removing a file: `python Testing/file_lists.py --write`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = ("MDALSelector", "CIMLSegment")
SCRIPTS, RESOURCES = "MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"


@dataclass(frozen=True)
class FileLists:
    """Files of a module relative to its folder.

    Attributes:
        scripts: Python files.
        resources: All other installed files.
    """

    scripts: tuple[str, ...]
    resources: tuple[str, ...]


def tracked_files(module: str) -> FileLists:
    """Return the files of a module that git knows and that are to be installed."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--", module],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name.removeprefix(f"{module}/") for name in listing.stdout.split("\0") if name]
    shipped = sorted(
        name for name in names if name != "CMakeLists.txt" and (ROOT / module / name).is_file()
    )
    return FileLists(
        tuple(name for name in shipped if name.endswith(".py")),
        tuple(name for name in shipped if not name.endswith(".py")),
    )


def listed_files(module: str) -> FileLists:
    """Return the files that a module's CMakeLists.txt lists."""
    text = (ROOT / module / "CMakeLists.txt").read_text(encoding="utf-8")
    return FileLists(_listed(text, SCRIPTS, module), _listed(text, RESOURCES, module))


def stray_text(module: str) -> str:
    """Return what of a module's CMakeLists.txt belongs to no command; CMake refuses such a file."""
    return outside_commands((ROOT / module / "CMakeLists.txt").read_text(encoding="utf-8"))


def outside_commands(text: str) -> str:
    """Return what of a CMake file is neither a comment nor inside a command."""
    bare = re.sub(r"#[^\n]*", "", text)
    return re.sub(r"\w+\s*\([^()]*\)", "", bare).strip()


def write_lists(module: str) -> None:
    """Replace both lists of a module by what git knows."""
    path, files = ROOT / module / "CMakeLists.txt", tracked_files(module)
    text = path.read_text(encoding="utf-8")
    for name, entries in ((SCRIPTS, files.scripts), (RESOURCES, files.resources)):
        lines = "".join(f"\n  {_portable(entry, module)}" for entry in entries)
        text = re.sub(rf"set\({name}[^)]*\)", lambda _, n=name, x=lines: f"set({n}{x}\n  )", text)
    path.write_text(text, encoding="utf-8")


def _listed(text: str, name: str, module: str) -> tuple[str, ...]:
    match = re.search(rf"set\({name}([^)]*)\)", text)
    entries = match[1].split() if match else []
    return tuple(entry.replace("${MODULE_NAME}", module) for entry in entries)


def _portable(entry: str, module: str) -> str:
    """Write the module's own name as its variable where the template of Slicer does."""
    own = {
        f"{module}.py": "${MODULE_NAME}.py",
        f"Resources/Icons/{module}.png": "Resources/Icons/${MODULE_NAME}.png",
        f"Resources/UI/{module}.ui": "Resources/UI/${MODULE_NAME}.ui",
    }
    return own.get(entry, entry)


def main() -> int:
    """Compare or write; exit code 1 if a list is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the lists anew")
    is_writing = parser.parse_args().write
    if is_writing:
        for module in MODULES:
            write_lists(module)
    wrong = [module for module in MODULES if listed_files(module) != tracked_files(module)]
    for module in wrong:
        print(f"{module}/CMakeLists.txt does not list what git knows; call this with --write.")
    broken = [module for module in MODULES if stray_text(module)]
    for module in broken:
        first = stray_text(module).split()[0]
        print(
            f"{module}/CMakeLists.txt has text outside its commands, from {first!r} on; remove it."
        )
    return 1 if wrong or broken else 0


if __name__ == "__main__":
    sys.exit(main())
