"""The classes that configs name, read from their source: no torch is imported for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import ctr
from ctr.app.guide.glossary import meaning
from ctr.app.guide.pages import of_class

SOURCE = Path(ctr.__file__).parent
WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "None": "null",
    "Any": "anything",
}


@dataclass(frozen=True)
class Class:
    """What a class says about itself. One that is not ours is known by its name alone."""

    name: str
    docstring: str = ""
    arguments: dict[str, str] = field(default_factory=dict)  # the type of each, in words
    handed_on: dict[str, list[tuple[Class, str]]] = field(default_factory=dict)  # to blocks, and as which argument

    @property
    def summary(self) -> str:
        return " ".join(self.docstring.split("\n\n")[0].split()) or self.name

    def about(self, argument: str) -> str:
        """The sentences of the docstring that name the argument."""
        whole = " ".join(self.docstring.split())
        return " ".join(text for text in sentences(whole) if re.search(rf"`{argument}(: [^`]*)?`", text))

    def explained(self, argument: str) -> str:
        """What the name stands for everywhere, and what the class says about it; or else what the blocks say to which
        it hands the argument."""
        told = [text for text in (meaning(argument), self.about(argument)) if text]
        blocks = [block.about(name) for block, name in self.handed_on.get(argument, [])]
        return " ".join(told or dict.fromkeys(filter(None, blocks)))


def sentences(text: str) -> list[str]:
    """Split after a full stop, but not after "et al." or an initial; and after a semicolon, each as a sentence."""
    parts = re.split(r"(?<=[.)])(?<!et al\.)(?<!\b[A-Z]\.)\s+(?=[A-Z`0-9])|;\s+", text)
    return [f"{part[:1].upper()}{part[1:].rstrip('.')}." for part in parts]


@cache
def find(target: str) -> Class:
    """The class of a `_target_`, or one that is in a package of ours."""
    module, _, name = target.rpartition(".")
    found = _definition(module, name) if module.split(".")[0] == "ctr" else None
    if found is None or not isinstance(node := found[0], ast.ClassDef):
        return Class(target)
    module = found[1]
    start = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    if start is None:
        annotated = [(one.target.id, one.annotation) for one in node.body if _is_field(one)]  # type: ignore[attr-defined]
    else:
        every = [*start.args.posonlyargs, *start.args.args, *start.args.kwonlyargs]
        annotated = [(one.arg, one.annotation) for one in every if one.arg not in ("self", "schema") and one.annotation]
    arguments = {argument: words(annotation, module) for argument, annotation in annotated}
    handed_on: dict[str, list[tuple[Class, str]]] = {}
    for argument, block, keyword in _handed_on(start, module) if start else ():
        handed_on.setdefault(argument, []).append((block, keyword))
    return Class(name, ast.get_docstring(node) or "", arguments, handed_on)


def _is_field(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_"


def _handed_on(start: ast.FunctionDef, module: str) -> Iterator[tuple[str, Class, str]]:
    """Arguments that go to the constructor of a block as they are."""
    for call in (node for node in ast.walk(start) if isinstance(node, ast.Call)):
        name, positional = call.func, call.args
        if isinstance(name, ast.Name) and name.id == "partial" and positional:
            name, positional = positional[0], positional[1:]
        if not isinstance(name, ast.Name) or (found := _definition(module, name.id)) is None:
            continue
        if not isinstance(found[0], ast.ClassDef) or found[1] == module:
            continue
        block = find(f"{found[1]}.{found[0].name}")
        places = zip([None, *block.arguments], positional, strict=False)  # the schema, or sizes, come first
        by_name = [(word.arg, word.value) for word in call.keywords]
        for keyword, value in [*places, *by_name]:
            if keyword and isinstance(value, ast.Name):
                yield value.id, block, keyword


@cache
def _tree(module: str) -> ast.Module | None:
    path = SOURCE.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8")) if path.exists() else None


def _definition(module: str, name: str) -> tuple[ast.stmt, str] | None:
    """Where a name of one of our modules is defined: the statement, and the module it stands in."""
    tree = _tree(module)
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node, module
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            return node, module
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ctr":
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _definition(node.module, alias.name)
    page = of_class(f"{module}.{name}")  # ctr.models exports the classes of its pages
    return _definition(f"{module}.{page.name}", name) if page else None


def words(node: ast.expr | None, module: str) -> str:
    """A type in plain words, aliases of our own resolved."""
    if node is None:
        return WORDS["Any"]
    if isinstance(node, ast.Constant):
        return WORDS.get(str(node.value), str(node.value))
    if isinstance(node, ast.BinOp):
        return f"{words(node.left, module)} or {words(node.right, module)}"
    if isinstance(node, ast.Subscript):
        inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        kind = ast.unparse(node.value).split(".")[-1]
        if kind == "Literal":
            return f"one of {', '.join(str(one.value) for one in inner if isinstance(one, ast.Constant))}"
        if kind in ("Mapping", "dict"):
            return f"a mapping, each value {words(inner[1], module)}"
        if kind in ("Sequence", "list", "tuple"):
            return f"a list, each entry {words(inner[0], module)}"
    name = ast.unparse(node)
    if name not in WORDS and (found := _definition(module, name)) is not None and isinstance(found[0], ast.Assign):
        return words(found[0].value, found[1])
    return WORDS.get(name, "a node with a _target_" if "[" in name else f"a node with the _target_ of a {name}")
