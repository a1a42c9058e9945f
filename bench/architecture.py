"""Size and shape of `src/`: entries, files, functions, parameters, late imports, module names in strings.

    python bench/architecture.py

A line of code is one that is neither blank nor a docstring. Types of annotations under TYPE_CHECKING count as imports too.
"""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULE_NAME = re.compile(r"bank_models(\.[a-z_]+)+")
LONG, MANY = 50, 10


def main() -> None:
    """Print each figure in a line."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "src/bank_models").rglob("*.py"))}
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in trees}
    functions = {(path, node.name, node.lineno): node for path, tree in trees.items() for node in _functions(tree)}
    code = {key: lines_of_code(node) for key, node in functions.items()}
    parameters = {key: n_parameters(node) for key, node in functions.items()}
    longest, largest = max(code, key=code.get), max(lines, key=lines.get)
    strings = [path for path, tree in trees.items() for node in ast.walk(tree) if _is_module_name(node)]
    readme = ROOT / "README.md"
    entries = [path for path in (ROOT / "src/bank_models").iterdir() if path.name != "__pycache__"]
    figures = {
        "entries in src/bank_models/": len(entries),
        "lines of Python": f"{sum(lines.values()):,} in {len(lines)} files",
        "median file, largest file": f"{statistics.median(lines.values()):g}, {lines[largest]} ({_name(largest)})",
        "longest function, lines of code": f"{code[longest]} ({_name(longest[0])}: {longest[1]})",
        f"functions above {LONG} lines with docstring": sum(n.end_lineno - n.lineno + 1 > LONG for n in functions.values()),
        f"functions with {MANY} or more parameters": _named(key for key, n in parameters.items() if n >= MANY),
        "imports inside functions": sum(_n_imports(node) for node in functions.values()),
        "names of modules in strings": f"{len(strings)} in {len(set(strings))} files",
        "README": f"{len(readme.read_text(encoding='utf-8').splitlines())} lines, {readme.stat().st_size:,} bytes",
    }
    width = max(map(len, figures))
    for name, figure in figures.items():
        print(f"{name:<{width}}  {figure}")


def functions_of(path: Path) -> Iterator[ast.FunctionDef]:
    """Every function and method of a file."""
    return _functions(ast.parse(path.read_text(encoding="utf-8")))


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def lines_of_code(node: ast.FunctionDef) -> int:
    """Lines of a function that hold a statement, without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return len({line for each in body for line in range(each.lineno, each.end_lineno + 1)}) + 1


def n_parameters(node: ast.FunctionDef) -> int:
    """Parameters of a function, without `self`."""
    given = node.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def _n_imports(node: ast.FunctionDef) -> int:
    return sum(isinstance(each, ast.Import | ast.ImportFrom) for each in node.body)


def _is_module_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(MODULE_NAME.fullmatch(node.value))


def _named(keys) -> str:
    names = [f"{_name(path)}: {name}" for path, name, _ in keys]
    return f"{len(names)}" + (f" ({', '.join(names)})" if names else "")


def _name(path: Path) -> str:
    return path.relative_to(ROOT / "src/bank_models").as_posix()


if __name__ == "__main__":
    main()
