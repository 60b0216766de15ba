"""The house rules that a reader relies on, checked from the source: who imports whom, sizes, exported names."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("agent", "benchmarks", "examples", "instructedit_models", "prompts", "tests", "tools")
PRODUCT = ("agent", "instructedit_models", "prompts", "tools")
MAY_IMPORT = {
    "agent.faces": {"agent.faces", "agent", "tools", "instructedit_models", "prompts"},
    "agent": {"agent", "tools", "instructedit_models", "prompts"},
    "tools": {"tools", "instructedit_models", "prompts"},
    "instructedit_models": {"instructedit_models"},
    "prompts": {"prompts"},
}
MODEL_LIBRARIES = {
    "accelerate",
    "diffusers",
    "groundingdino",
    "segment_anything",
    "tokenizers",
    "torch",
    "torchvision",
    "transformers",
}
AGENT_LIBRARIES = {"langchain", "langchain_core", "langchain_openai", "langgraph", "openai"}
LONGEST_FILE = 400
MOST_PARAMETERS = 8


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def layer_of(module: str) -> str:
    return "agent.faces" if module == "agent.faces" or module.startswith("agent.faces.") else module.split(".")[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module imported anywhere in a file, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            # `from agent import faces` names the module only together with what is imported.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def eager_imports(tree: ast.Module) -> Iterator[str]:
    """Modules that importing the file imports: not those inside functions or under TYPE_CHECKING."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)
        waiting.extend(ast.iter_child_nodes(node))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@pytest.mark.parametrize("path", sources(*PRODUCT), ids=name_of)
def test_dependencies_point_one_way(path: Path) -> None:
    layer = layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    ours = {module for module in imports(parsed(path)) if module.split(".")[0] in OURS}
    assert not {module for module in ours if layer_of(module) not in MAY_IMPORT[layer]}


@pytest.mark.parametrize("path", sources(*PRODUCT), ids=name_of)
def test_heavy_libraries_stay_in_their_rooms(path: Path) -> None:
    used = {module.split(".")[0] for module in imports(parsed(path))}
    layer = layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if layer != "instructedit_models":
        assert not used & MODEL_LIBRARIES
    if layer not in ("agent", "agent.faces") and name_of(path) != "tools/langchain_adapter.py":
        assert not used & AGENT_LIBRARIES


@pytest.mark.parametrize("path", sources("agent/faces", "prompts"), ids=name_of)
def test_faces_import_nothing_heavy_eagerly(path: Path) -> None:
    assert not {module.split(".")[0] for module in eager_imports(parsed(path))} & (MODEL_LIBRARIES | AGENT_LIBRARIES)


def test_only_the_settings_read_the_environment() -> None:
    readers = {"os.environ", "os.getenv", "os.environb"}
    allowed = {"agent/config.py", "agent/faces/output.py"}  # output.py sets defaults for libraries, and reads nothing
    found = {
        name_of(path)
        for path in sources(*PRODUCT)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in readers
    }
    assert found <= allowed


@pytest.mark.parametrize("path", sources(*(name for name in OURS if (ROOT / name).is_dir())), ids=name_of)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            count = len([name for name in names if name not in ("self", "cls")])
            assert count <= MOST_PARAMETERS, f"{node.name} takes {count} parameters"


@pytest.mark.parametrize("path", sources(*PRODUCT), ids=name_of)
def test_exported_names_exist(path: Path) -> None:
    tree = parsed(path)
    exported: list[str] = []
    bound: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]
            bound.update(names)
            if "__all__" in names and node.value is not None:
                exported = list(ast.literal_eval(node.value))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    assert len(exported) == len(set(exported))
    assert not set(exported) - bound


def test_the_parser_is_built_without_anything_heavy() -> None:
    code = (
        "import sys; from agent.faces.cli import build_parser; build_parser();"
        "print(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    loaded = set(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout.split())
    assert "agent" in loaded
    assert not loaded & (MODEL_LIBRARIES | AGENT_LIBRARIES | {"numpy", "PIL", "pydantic", "rich", "scipy"})


def test_the_layers_are_read_from_imports(tmp_path: Path) -> None:
    """The checks above would pass vacuously if the import readers missed something."""
    source = (
        "import torch.nn\nfrom agent import faces\n"
        "def late():\n    from langchain.agents import create_agent\n"
        "if TYPE_CHECKING:\n    import diffusers\n"
        "try:\n    import transformers\nexcept ImportError:\n    pass\n"
    )
    tree = ast.parse(source)
    assert {"torch.nn", "agent.faces", "langchain.agents", "diffusers", "transformers"} <= set(imports(tree))
    eager = set(eager_imports(tree))
    assert {"torch.nn", "agent.faces", "transformers"} <= eager
    assert not eager & {"langchain.agents", "diffusers"}
    assert layer_of("agent.faces.cli") == "agent.faces" and layer_of("agent.faceless") == "agent"
