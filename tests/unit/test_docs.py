"""Docs are true: links lead somewhere, commands exist, dependencies have their reasons."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in ROOT.rglob("*.md") if not {".venv", "node_modules", "out", ".work"} & set(path.parts))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} names {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path):
    """What stands in code: make targets and vod's commands."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = set(re.findall(r"@app\.command\(\)\ndef (\w+)", (ROOT / "src/vod/cli/main.py").read_text()))
    found = re.findall(r"```console\n(.*?)```|`([^`\n]+)`", page.read_text(), re.DOTALL)
    code = "\n".join("".join(parts) for parts in found)
    assert set(re.findall(r"^(?:\$ )?make (?:[A-Z]+=\S+ )?([a-z]+)", code, re.MULTILINE)) <= targets
    assert set(re.findall(r"^(?:\$ )?(?:\.venv/bin/)?vod ([a-z]+)", code, re.MULTILINE)) <= commands


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    rows = re.findall(r"^\| ([^|]+?) \|", (ROOT / "docs/architecture/dependencies.md").read_text(), re.MULTILINE)
    written = {name.strip() for row in rows for name in row.split(",")}

    assert {re.split(r"[><=~]", name)[0] for name in named} <= written


def test_every_key_of_the_profile_is_in_the_default_one():
    """Its comments are the reference."""
    text = (ROOT / "src/vod/media/default_profile.toml").read_text()
    for key in ("segment_s", "start_s", "chunk_work_s", "preset", "gop_s", "max_frame_rate", "buffer_s"):
        assert key in text
