"""The documentation keeps its word: links lead somewhere, and what it tells people to run is there."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_link_to_a_file_leads_to_one(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_target_of_make_that_is_named_exists(path: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= known


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_management_command_that_is_named_exists(path: Path) -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", path.read_text(encoding="utf-8")))
    assert named <= get_commands().keys()


def test_the_readme_names_the_sign_ins_that_the_demo_makes() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    made = re.findall(
        r'^email = "([^"]+@contoso\.example)"', (ROOT / "crmsync/demo/crm.toml").read_text(), re.MULTILINE
    )
    assert len(made) == 4
    assert all(f"`{email}`" in text for email in made)
