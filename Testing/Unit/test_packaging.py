"""What Slicer installs is what the project has, under names that do not collide."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import struct
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from CIMLSegmentLib.model.shipped_models import shipped_models
from MultimodalImagingLib.version import CROSSMODAL_VERSION

ROOT = Path(__file__).parents[2]
MODULES = ("MDALSelector", "CIMLSegment")
MODELS = ROOT / "CIMLSegment" / "Resources" / "Models"


@pytest.fixture(scope="module")
def lists():
    spec = importlib.util.spec_from_file_location("file_lists", ROOT / "Testing" / "file_lists.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["file_lists"] = module
    spec.loader.exec_module(module)
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("The list of files is compared with git, which is not here.")
    return module


@pytest.mark.parametrize("module", MODULES)
def test_every_file_of_a_module_is_installed_and_nothing_else(lists, module):
    listed, tracked = lists.listed_files(module), lists.tracked_files(module)
    advice = "Call `python Testing/file_lists.py --write`."
    assert set(tracked.scripts) - set(listed.scripts) == set(), f"Not installed. {advice}"
    assert set(listed.scripts) - set(tracked.scripts) == set(), f"Not in git. {advice}"
    assert set(tracked.resources) - set(listed.resources) == set(), f"Not installed. {advice}"
    assert set(listed.resources) - set(tracked.resources) == set(), f"Not in git. {advice}"


@pytest.mark.parametrize("module", MODULES)
def test_no_file_is_listed_twice(lists, module):
    listed = lists.listed_files(module)
    counts = Counter((*listed.scripts, *listed.resources))
    assert [name for name, n in counts.items() if n > 1] == []


@pytest.mark.parametrize("module", MODULES)
def test_nothing_stands_between_the_commands_of_cmake(lists, module):
    assert lists.stray_text(module) == ""


def test_lines_that_a_merge_left_behind_are_found(lists):
    good = "set(A\n  a.py\n  )\n# b.py\nmacro(\n  NAME ${A}\n  )\n"
    assert lists.outside_commands(good) == ""
    assert lists.outside_commands(good.replace("# b.py", "  b.py\n  )")) == "b.py\n  )"


def test_files_of_different_modules_do_not_overwrite_each_other_when_installed(lists):
    """Slicer puts all modules of an extension into one folder, without a warning."""
    names = [
        name
        for module in MODULES
        for name in (*lists.tracked_files(module).scripts, *lists.tracked_files(module).resources)
    ]
    counts = Counter(name.lower() for name in names)
    assert [name for name, n in counts.items() if n > 1] == []


@pytest.mark.parametrize("module", MODULES)
def test_only_the_module_itself_lies_where_slicer_takes_every_file_for_a_module(lists, module):
    beside = {name for name in lists.tracked_files(module).scripts if "/" not in name}
    assert beside <= {f"{module}.py"}


@pytest.mark.parametrize("module", MODULES)
def test_every_package_has_its_init_file_and_a_name_that_is_ours(lists, module):
    scripts = lists.tracked_files(module).scripts
    folders = {str(Path(name).parent) for name in scripts} - {"."}
    assert {folder for folder in folders if f"{folder}/__init__.py" not in scripts} == set()
    packages = {folder.split("/")[0] for folder in folders}
    assert {package for package in packages if not package.endswith("Lib")} == set()


@pytest.mark.parametrize(
    "icon",
    [
        "Resources/Icons/CrossModal.png",
        "MDALSelector/Resources/Icons/MDALSelector.png",
        "CIMLSegment/Resources/Icons/CIMLSegment.png",
    ],
)
def test_icons_are_png_of_128_by_128_pixels(icon):
    data = (ROOT / icon).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (128, 128)


def top_level() -> str:
    return (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")


def test_the_project_is_named_as_the_extension_and_depends_on_pytorch():
    assert "project(CrossModal)" in top_level()
    assert 'set(EXTENSION_DEPENDS "PyTorch")' in top_level()


def test_the_extension_wizard_finds_where_a_module_is_added():
    lines = top_level().splitlines()
    assert "## NEXT_MODULE" in lines
    before = lines[: lines.index("## NEXT_MODULE")]
    assert [line for line in before if line.startswith("add_subdirectory")] == [
        f"add_subdirectory({module})" for module in MODULES
    ]


@pytest.mark.parametrize("name", ["ICONURL", "SCREENSHOTURLS", "HOMEPAGE", "DESCRIPTION"])
def test_meta_information_is_one_quoted_text_as_the_index_reads_it(name):
    match = re.search(rf'set\(EXTENSION_{name} "([^"$]+)"\)', top_level())
    assert match is not None
    if name.endswith(("URL", "URLS")):
        for url in match[1].split():
            path = url.partition("/main/")[2]
            assert url.startswith("https://raw.githubusercontent.com/")
            assert path.endswith(".png")
            assert (ROOT / path).is_file(), f"{path} is named in CMakeLists.txt but is not there."


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_built_with_slicers_generic_tests(module):
    text = (ROOT / module / "CMakeLists.txt").read_text(encoding="utf-8")
    assert f"set(MODULE_NAME {module})" in text
    assert "WITH_GENERIC_TESTS" in text
    assert "slicer_add_python_unittest(SCRIPT ${MODULE_NAME}.py)" in text


# What Slicer brings with it, or the PyTorch extension.
FROM_SLICER = {"numpy", "simpleitk", "torch"}


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(path: str) -> dict[str, str]:
    """Name to the rest of the line."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return split_names(line for line in lines if line and not line.startswith("#"))


def split_names(lines) -> dict[str, str]:
    found = {}
    for line in lines:
        name = re.match(r"[A-Za-z0-9_.-]+?(?=[<>=~!]|$)", line)[0]
        found[name.lower()] = line[len(name) :]
    return found


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def test_what_the_modules_install_is_what_the_project_depends_on():
    """pyproject.toml is the list; the others are checked against it."""
    listed = split_names(pyproject()["project"]["dependencies"])
    installed = {}
    for module in MODULES:
        own = requirements(f"{module}/Resources/{module}-requirements.txt")
        assert own.items() <= listed.items()
        installed |= own
    assert set(listed) - set(installed) == FROM_SLICER


def test_the_tests_run_with_every_dependency_pinned_to_a_version_that_is_new_enough():
    pinned = requirements("Testing/requirements.txt")
    for name, least in split_names(pyproject()["project"]["dependencies"]).items():
        if name == "numpy":  # comes with the version that fits the others
            continue
        assert pinned[name].startswith("=="), name
        assert version(pinned[name]) >= version(least), name


def test_the_readme_says_how_to_remove_all_that_the_modules_install():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    removed = set(re.search(r"pip uninstall ([\w\s-]+)`", text)[1].split())
    installed = [
        requirements(f"{module}/Resources/{module}-requirements.txt") for module in MODULES
    ]
    expected = {name for own in installed for name in own}
    assert removed == expected - {"scipy", "pydicom"}  # Slicer brings its own, which must stay


def test_pip_installs_every_package_of_the_libraries():
    """A sub-package that is not listed would be missing on a server only."""
    expected = {
        ".".join(path.parent.relative_to(ROOT / module).parts)
        for module, library in (
            ("MDALSelector", "MultimodalImagingLib"),
            ("MDALSelector", "MDALSelectorLib"),
            ("CIMLSegment", "CIMLSegmentLib"),
        )
        for path in (ROOT / module / library).rglob("__init__.py")
    }
    packages = pyproject()["tool"]["setuptools"]["packages"]
    assert set(packages) == expected | {"CIMLSegmentLib.Models"}


def test_pip_installs_the_models_where_the_library_looks_for_them():
    models = {model.parent.name for model in MODELS.glob("*/model.json")}
    tool = pyproject()["tool"]["setuptools"]
    assert ROOT / tool["package-dir"]["CIMLSegmentLib.Models"] == MODELS
    packed = {
        file
        for pattern in tool["package-data"]["CIMLSegmentLib.Models"]
        for file in MODELS.glob(pattern)
    }
    files = {file for file in MODELS.rglob("*") if file.is_file()}
    assert packed == files
    assert set(shipped_models()) == models


def cmake_value(name: str) -> str:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    return re.search(rf'^set\({name} "([^"]*)"\)$', text, flags=re.MULTILINE)[1]


def test_the_catalogue_entry_is_what_the_index_accepts():
    """Schema 1.0.2 of Slicer's extension catalogue: these keys and no others, three required."""
    kinds = {"build_dependencies": list, "enabled": bool, "tier": int}
    texts = ("$schema", "category", "scm_url", "scm_revision", "scm_type", "build_subdirectory")
    entry = json.loads((ROOT / "Resources" / "CrossModal.json").read_text(encoding="utf-8"))
    assert set(entry) <= {*kinds, *texts, "dicom_support_rule"}
    assert {"$schema", "category", "scm_url"} <= set(entry)
    assert all(type(entry[key]) is kinds.get(key, str) for key in entry)
    assert entry["$schema"].endswith("/slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert entry["scm_type"] in {"git", "local"}
    assert 1 <= entry["tier"] <= 5
    assert entry["build_dependencies"] == cmake_value("EXTENSION_DEPENDS").split()
    repository = entry["scm_url"].removesuffix(".git")
    assert repository == cmake_value("EXTENSION_HOMEPAGE")
    assert repository.rsplit("/", 1)[1].startswith("Slicer")


def test_icon_and_screenshots_of_the_index_are_files_of_the_project():
    urls = f"{cmake_value('EXTENSION_ICONURL')} {cmake_value('EXTENSION_SCREENSHOTURLS')}".split()
    start = "https://raw.githubusercontent.com/SlicerCrossModal/SlicerCrossModal/main/"
    assert len(urls) >= 2
    for url in urls:
        assert url.startswith(start)
        assert (ROOT / url.removeprefix(start)).is_file(), url


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as they are made on the web."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


PAGES = ("README.md", "CONTRIBUTING.md", *(f"Docs/{p.name}" for p in (ROOT / "Docs").glob("*.md")))


@pytest.mark.parametrize("name", PAGES)
def test_links_of_a_page_lead_somewhere(name):
    page = ROOT / name
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), link
        assert not anchor or anchor in anchors(found), link


def test_the_readme_leads_to_every_page():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {name for name in PAGES if name.startswith("Docs/") and f"({name}" not in text} == set()


def test_citation_names_the_version_that_is_here():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", text, flags=re.MULTILINE) == [CROSSMODAL_VERSION]
