"""Brings what lies outside of docs/ into the site: the README, the models' cards and others.

Links between all of these are as they must be in the repository; here they become the site's.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES: Mapping[str, str] = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    **{
        f"models/{name}/README.md": f"cards/{name}.md"
        for name in ("default", "accurate", "functionals")
    },
}
"""The pages from elsewhere in the repository, and where they go in the site."""
PICTURES: Mapping[str, str] = {
    f"models/{name}/{picture}.png": f"cards/{name}-{picture}.png"
    for name in ("default", "accurate", "functionals")
    for picture in ("coverage", "curves", "reliability")
}
FUNCTIONS = "functions.md"
"""The page of the functions, which is made of their docstrings."""

_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)\s]*)?\))")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures that do not lie in docs/."""
    for source, target in {**PAGES, **PICTURES}.items():
        path = REPOSITORY / source
        if path.is_file():
            files.append(File.generated(config, target, content=path.read_bytes()))
    functions = "# Functions\n\n" + "".join(
        f"::: batchemo.api.{name}\n\n"
        for name in ("scan", "predict", "plan", "merge", "adapt", "load_bundle")
    )
    files.append(File.generated(config, FUNCTIONS, content=functions))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links between files of the repository lead to the pages of the site."""
    sources = {target: source for source, target in PAGES.items()}
    own = page.file.src_uri
    source = sources.get(own, f"docs/{own}")
    text = _FRONT_MATTER.sub("", markdown)

    def to_site(link: re.Match[str]) -> str:
        before, address, after = link.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), address))
        target = PAGES.get(path) or PICTURES.get(path)
        if target is None and path.startswith("docs/"):
            target = path.removeprefix("docs/")
        if target is None:
            return link[0]
        return f"{before}{posixpath.relpath(target, posixpath.dirname(own) or '.')}{after}"

    return _LINK.sub(to_site, text)
