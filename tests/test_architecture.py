"""The shape that the code keeps: which package may know which, and how big a thing may grow."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("contacts", "exchange_setup", "crmsync")
LONGEST_FILE, LONGEST_FUNCTION = 400, 40
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

# Each part, and all that it may know of ours beside itself. A module belongs to the longest of these that it fits.
ARROWS: dict[str, set[str]] = {
    "contacts": set(),
    "crmsync.users": set(),
    "crmsync.sandbox": set(),
    "exchange_setup": {"contacts.filters", "contacts.filter_form", "exchange_setup.graph"},
    "exchange_setup.graph": set(),
    "crmsync.sync": {"contacts", "exchange_setup", "exchange_setup.graph"},
    "crmsync.environment": set(),
    "crmsync": {*PACKAGES, "crmsync.users", "crmsync.sync", "crmsync.environment", "exchange_setup.graph"},
}
# urllib3 is what requests itself stands on, and raises through it.
GRAPH_MAY_USE = {"requests", "urllib3", "msal"}
PURE = {"fields", "plan", "slots"}
PURE_MAY_USE = ("contacts.countries", "exchange_setup.graph.properties", "django.utils.translation")

INLINE = re.compile(
    r"""<style\b|\sstyle\s*=|\son[a-z]+\s*=\s*["']|\shx-on[:=-]|javascript:|<script\b(?![^>]*\bsrc\s*=)[^>]*>""",
    re.IGNORECASE,
)
Place = tuple[Path, int, str]


def modules() -> list[Path]:
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts]


def templates() -> list[Path]:
    return [path for folder in ("templates", *PACKAGES) for path in sorted((ROOT / folder).rglob("*.html"))]


@cache
def source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(source(path))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def fits(module: str, part: str) -> bool:
    return module == part or module.startswith(part + ".")


def part_of(module: str) -> str:
    return max((part for part in ARROWS if fits(module, part)), key=len)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that is imported: `from contacts import filters` is contacts.filters."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{'.' * node.level}{node.module}.{alias.name}") for alias in node.names)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(tree(path)) if isinstance(node, FUNCTIONS))


def assert_none(places: Iterator[Place]) -> None:
    found = [f"{path.relative_to(ROOT)}:{line} {what}" for path, line, what in places]
    assert not found, "\n" + "\n".join(found)


def test_arrows_go_one_way() -> None:
    def wrong() -> Iterator[Place]:
        for path in modules():
            own = part_of(dotted(path))
            for line, name in imports(path):
                if not any(fits(name, package) for package in PACKAGES) or part_of(name) == own:
                    continue
                if not any(fits(name, other) and part_of(name) == part_of(other) for other in ARROWS[own]):
                    yield path, line, f"{own} may not know {name}"

    assert_none(wrong())


def test_the_settings_know_only_the_environment() -> None:
    known = [name for _, name in imports(ROOT / "crmsync/settings.py") if fits(name, "crmsync")]
    assert {name.rpartition(".")[0] for name in known} == {"crmsync.environment"}


def test_the_graph_client_knows_requests_and_msal_and_nothing_of_django() -> None:
    def wrong() -> Iterator[Place]:
        for path in sorted((ROOT / "exchange_setup/graph").glob("*.py")):
            for line, name in imports(path):
                top = name.split(".")[0]
                if top not in sys.stdlib_module_names | GRAPH_MAY_USE and not fits(name, "exchange_setup.graph"):
                    yield path, line, f"the Graph client may not know {name}"

    assert_none(wrong())


def test_planning_is_pure() -> None:
    """A plan follows from values alone: no database, no HTTP, no clock of Django's."""
    allowed = (*(f"crmsync.sync.{name}" for name in PURE), *PURE_MAY_USE)

    def wrong() -> Iterator[Place]:
        for path in (ROOT / f"crmsync/sync/{name}.py" for name in sorted(PURE)):
            for line, name in imports(path):
                standard = name.split(".")[0] in sys.stdlib_module_names
                if not standard and not any(fits(name, module) for module in allowed):
                    yield path, line, f"a plan needs no {name}"

    assert_none(wrong())


def test_imports_stand_at_the_top_and_name_the_whole_path() -> None:
    def wrong() -> Iterator[Place]:
        for path in modules():
            yield from ((path, line, "imports by dots") for line, name in imports(path) if name.startswith("."))
            for function in functions(path):
                inner = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
                yield from ((path, node.lineno, f"imports inside {function.name}") for node in inner)
            if "TYPE_CHECKING" in source(path):
                yield path, 1, "hides an import behind TYPE_CHECKING"

    assert_none(wrong())


def test_files_and_functions_stay_small() -> None:
    def wrong() -> Iterator[Place]:
        for path in modules() + sorted((ROOT / "tests").rglob("*.py")):
            lines = len(source(path).splitlines())
            if lines > LONGEST_FILE:
                yield path, lines, f"is over {LONGEST_FILE} lines"
        for path in modules():
            for function in functions(path):
                length = (function.end_lineno or function.lineno) - function.lineno + 1
                if length > LONGEST_FUNCTION:
                    yield path, function.lineno, f"{function.name} has {length} lines"

    assert_none(wrong())


def test_templates_hold_no_style_and_no_script() -> None:
    """The content security policy would not let the browser use them."""

    def wrong() -> Iterator[Place]:
        for path in templates():
            for number, line in enumerate(source(path).splitlines(), start=1):
                if INLINE.search(line):
                    yield path, number, line.strip()

    assert_none(wrong())


def locked(which: str) -> set[str]:
    """The pins of a lock file, such as django==5.2.19."""
    return {line.split(" ")[0] for line in source(ROOT / f"requirements{which}.lock").splitlines() if "==" in line}


def test_lock_files_pin_every_package_by_hash_and_name_no_address() -> None:
    for which in ("", "-demo", "-dev"):
        text = source(ROOT / f"requirements{which}.lock")
        assert "://" not in text
        assert all("==" in entry and "--hash=sha256:" in entry for entry in re.split(r"\n(?=\S)", text.strip()))


def test_the_dev_set_holds_the_demo_set_and_that_the_runtime_set() -> None:
    assert locked("") < locked("-demo") < locked("-dev")
