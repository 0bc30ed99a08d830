"""The design's floors, exported names, optional imports, and everything printed in the docs."""

import ast
import doctest
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skgrad

PACKAGE = Path(skgrad.__file__).parent
CHECKOUT = Path(__file__).parents[1]

# A file or folder of the package imports only from lower floors, or from its own folder.
FLOORS = {
    "_typing": -1,  # names of types, used everywhere
    "_parameters": -1,  # hyper-parameters, likewise
    "_kernels": 0,
    "_threads": 0,
    "linalg": 0.5,
    "moments": 0.75,
    "products": 0.75,
    "losses": 1,
    "penalties": 1,
    "schedules": 1,
    "augmentation": 1,
    "models": 1,
    "network_batch": 1.25,
    "network_compiled": 1.4,
    "network_linearisation": 1.5,
    "network_passes": 1.5,
    "importances": 1.25,
    "rows": 1.25,  # the parts of the objective, in the order in which it is built from them
    "row_space": 1.25,
    "hinges": 1.5,
    "sampling": 1.5,
    "second_moments": 1.5,
    "residuals": 1.5,
    "low_rank": 1.5,
    "sweep": 1.5,
    "linearisation": 1.75,
    "lines": 1.5,
    "expansions": 1.75,
    "duals": 1.5,
    "smooth_duals": 1.5,
    "coordinate_penalty": 1.5,
    "coordinates": 1.5,
    "row_epochs": 1.5,
    "certificates": 1.5,
    "finite_sum": 1.6,
    "single_rows": 1.7,
    "row_duals": 1.6,
    "gaps": 1.75,
    "columns": 1.8,
    "feasible": 1.8,
    "capabilities": 1.8,
    "frame": 1.9,
    "objective": 2,
    "network_objective": 2,
    "function_objective": 2,
    "distributed": 2,
    "solvers": 3,
    "callbacks": 3,
    "_estimators": 3.5,
    "linear_model": 4,
    "neural_network": 4,
    "inspection": 5,
    "testing": 5,
}
EXEMPT = {"__init__", "_version"}
MAX_LINES = 400
OPTIONAL = {"numba", "matplotlib", "dask", "distributed", "torch", "pandas", "rich"}
SLOW_EXAMPLES: set[str] = set()  # over 30 seconds


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
SUBPACKAGES = sorted(
    name for name, path in SOURCES.items() if path.name == "__init__.py" and "._" not in name
)


def unit(name):
    """The part of the package that a floor is given to: ``skgrad.solvers.adam`` -> ``solvers``."""
    return name.split(".")[1] if "." in name else "__init__"


def imported_modules(name):
    """Modules of the package that a module imports, wherever in the file it does so."""
    tree = ast.parse(SOURCES[name].read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute_base(name, node)
            submodules = {f"{base}.{alias.name}" for alias in node.names}
            names_only = any(module not in SOURCES for module in submodules)
            found.update(submodules & SOURCES.keys())
            found.update({base} if names_only else ())
    return {module for module in found if module.split(".")[0] == "skgrad"}


def absolute_base(name, node):
    if node.level == 0:
        return node.module
    package = name if SOURCES[name].name == "__init__.py" else name.rpartition(".")[0]
    for _ in range(node.level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{node.module}" if node.module else package


# Structure


@pytest.mark.parametrize("name", SOURCES)
def test_imports_only_from_lower_floors(name):
    own = unit(name)
    if own in EXEMPT:
        return
    assert own in FLOORS, f"Give {own} a floor: add it to FLOORS, and to the design."
    higher = {
        target
        for target in imported_modules(name)
        if unit(target) not in {own, "_version"} and FLOORS.get(unit(target), 99) >= FLOORS[own]
    }
    assert not higher, f"{name} (floor {FLOORS[own]}) imports {sorted(higher)}"


def test_there_is_no_import_cycle():
    graph = {name: imported_modules(name) & SOURCES.keys() for name in SOURCES}
    finished = set()

    def visit(name, path):
        assert name not in path, f"Import cycle: {' -> '.join([*path, name])}"
        if name not in finished:
            for target in sorted(graph[name]):
                visit(target, [*path, name])
            finished.add(name)

    for name in graph:
        visit(name, [])


@pytest.mark.parametrize("name", SOURCES)
def test_file_is_short_and_begins_with_a_docstring(name):
    source = SOURCES[name].read_text(encoding="utf-8")
    assert source.count("\n") < MAX_LINES
    assert ast.get_docstring(ast.parse(source)), f"{name} has no docstring"


# Exported names


@pytest.mark.parametrize("name", SUBPACKAGES)
def test_exported_names_exist_and_are_documented(name):
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for exported in module.__all__:
        value = getattr(module, exported)
        assert exported in dir(module)
        if inspect.isclass(value) or inspect.isroutine(value):
            summary = (value.__doc__ or "").strip().split("\n\n")[0]
            assert summary.endswith("."), f"{name}.{exported}: the first line is a sentence"


def test_package_exports_its_estimators():
    estimators = {*skgrad.linear_model.__all__, *skgrad.neural_network.__all__}
    assert set(skgrad.__all__) - {"__version__"} == estimators
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", skgrad.__version__)


def test_package_ships_its_types():
    assert (PACKAGE / "py.typed").is_file()


def test_import_brings_in_no_optional_package():
    script = f"""
import sys
import sklearn.linear_model
before = set(sys.modules)
import skgrad
print(*sorted({OPTIONAL!r} & (set(sys.modules) - before)))
"""
    assert run_python("-c", script).split() == []


# What the documentation prints


def documented_modules():
    modules = (info.name for info in pkgutil.walk_packages([str(PACKAGE)], "skgrad."))
    return [name for name in ["skgrad", *modules] if ">>> " in SOURCES[name].read_text("utf-8")]


@pytest.mark.parametrize("name", documented_modules())
def test_docstring_examples_run(name):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testmod(importlib.import_module(name), optionflags=flags)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    "document",
    ["README.md", *sorted(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md"))],
)
def test_python_blocks_of_documents_run(document, tmp_path):
    text = (CHECKOUT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    if blocks:
        run_python("-c", "\n".join(blocks), cwd=tmp_path)


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(path.name, marks=[pytest.mark.slow] if path.name in SLOW_EXAMPLES else [])
        for path in sorted((CHECKOUT / "examples").glob("*.py"))
    ],
)
def test_example_runs(example, tmp_path):
    pytest.importorskip("matplotlib")
    run_python(str(CHECKOUT / "examples" / example), cwd=tmp_path)


def run_python(*arguments, cwd=None):
    """Run a fresh interpreter on the same skgrad; returns what it printed. No warnings allowed."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout
