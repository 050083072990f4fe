"""The prose in a file. In Python: docstrings, comments, messages, and test names."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REASON = re.compile(r"(?:#|<!--|\{#) ?prose: (?!-->)\S")
"""The comment that marks a line as an exception and gives the reason."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
NOUNS = {"property", "cached_property", "hybrid_property", "fixture"}
"""Decorators of functions whose docstring may start with a noun."""


@dataclass(frozen=True)
class Text:
    """A piece of prose, the lines that it covers, and whether it describes a function."""

    words: str
    line: int
    last_line: int
    describes_a_function: bool = False


def texts_of(path: Path) -> Iterator[Text]:
    """Yield the prose of a file, except lines that are marked as exceptions."""
    source = path.read_text()
    texts = _python(source) if path.suffix == ".py" else _lines(source)
    exceptions = _exceptions(source)
    for text in texts:
        if exceptions.isdisjoint(range(text.line, text.last_line + 1)):
            yield text


def identifiers_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the name of a module and the names that it defines, with their lines."""
    source = path.read_text()
    names = [(1, path.stem), *(_names(source) if path.suffix == ".py" else ())]
    exceptions = _exceptions(source)
    yield from ((line, name) for line, name in names if line not in exceptions)


def _exceptions(source: str) -> set[int]:
    return {i for i, line in enumerate(source.splitlines(), 1) if REASON.search(line)}


def _lines(source: str) -> Iterator[Text]:
    yield from (Text(line, i, i) for i, line in enumerate(source.splitlines(), 1))


def _python(source: str) -> Iterator[Text]:
    yield from _comments(source)
    tree = ast.parse(source)
    docstrings = {id(node): of_a_function for node, of_a_function in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in docstrings or _is_a_sentence(node.value):
                last = node.end_lineno or node.lineno
                yield Text(node.value, node.lineno, last, docstrings.get(id(node), False))
        elif isinstance(node, Function) and node.name.startswith("test_"):
            yield Text(node.name.replace("_", " "), node.lineno, node.lineno)


def _names(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def _comments(source: str) -> Iterator[Text]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(token.string, token.start[0], token.end[0])


def _docstrings(tree: ast.Module) -> Iterator[tuple[ast.Constant, bool]]:
    """Yield each docstring, and whether it describes the action of a function."""
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                match node.body[:1]:
                    case [ast.Expr(value=ast.Constant(value=str()) as docstring)]:
                        yield docstring, isinstance(node, Function) and not _is_a_thing(node)


def _is_a_thing(function: Function) -> bool:
    names = {
        name
        for decorator in function.decorator_list
        for name in re.findall(r"\w+", ast.unparse(decorator).split("(")[0])
    }
    return bool(names & NOUNS) or function.name.startswith("test_")


def _is_a_sentence(value: str) -> bool:
    """Return whether a string is prose. A single word is data."""
    return " " in value.strip()
