"""Imports point one way: what the layout in docs/architecture.md promises of the packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "batchemo"
ORDER = (
    *(
        "errors",
        "common",
        "storage",
        "tables",
        "timelines",
        "features",
        "audio",
        "sources",
        "bundles",
        "workers",
    ),
    *("inference", "batch", "corpora", "evaluation", "adaptation", "review", "report"),
    *("training", "diagnostics", "importing", "app", "api", "cli", "__main__"),
)
"""Each package may import those before it, and itself."""

TRAINING = ("hyperparameters", "recipes", "data", "nets", "fit", "experiment", "export", "train")
MODULES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
LONGEST = 400


def imports_of(module: str, *, lazy: bool) -> Iterator[str]:
    """Yield the modules that a module imports; with `lazy`, also inside of functions."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree) if lazy else tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "batchemo":
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if full in MODULES else str(node.module)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_packages_before_its_own(module: str) -> None:
    for order, level in ((ORDER, 1), (TRAINING, 2)):
        own = module.split(".")[level : level + 1]
        if (level == 2 and not module.startswith("batchemo.training.")) or not own:
            continue
        allowed = order[: order.index(own[0]) + 1]
        for imported in imports_of(module, lazy=True):
            parts = imported.split(".")
            if imported != "batchemo" and parts[:level] == module.split(".")[:level]:
                assert parts[level] in allowed, f"{module} imports {imported}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    # An import of a package runs its __init__, which imports the modules that it names.
    graph = {module: set(imports_of(module, lazy=False)) - {module} for module in MODULES}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_longer_than_one_can_read(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_every_package_is_described_in_the_architecture() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = [name for name in ORDER if (PACKAGE / name).is_dir()]
    assert [name for name in packages if f"`{name}/`" not in page] == []
