"""Edit Python source at places that the syntax tree finds, whatever the layout of the text."""

import ast
from collections.abc import Iterator


class AnchorNotFound(LookupError):
    """The text lacks the named place."""


class InvalidSource(ValueError):
    """Python cannot parse the text."""


def add_import(text: str, statement: str) -> str:
    """Add an import below the others. Ruff merges and sorts them afterwards."""
    imports = [node for node in _parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)]
    if not imports:
        raise AnchorNotFound("import")
    return _insert_line(text, (imports[-1].end_lineno or 0) + 1, statement)


def add_at_end(text: str, code: str) -> str:
    """Add a class or a function at the end of a module."""
    return f"{text.rstrip()}\n\n\n{code.strip()}\n"


def add_before(text: str, name: str, statement: str) -> str:
    """Add a statement in the line before a module-level assignment."""
    return _insert_line(text, _assignment(text, name).lineno, statement)


def add_to_sequence(text: str, name: str, element: str) -> str:
    """Add an element to the tuple, list, or set that a name is bound to."""
    value = _assignment(text, name).value
    if not (isinstance(value, ast.Tuple | ast.List | ast.Set) and value.elts):
        raise AnchorNotFound(f"tuple, list, or set called {name}")
    return _insert_after(text, value, value.elts[-1], element)


def add_to_dict(text: str, name: str, *entries: str) -> str:
    """Add entries to the dictionary that a name is bound to."""
    value = _assignment(text, name).value
    if not (isinstance(value, ast.Dict) and value.values):
        raise AnchorNotFound(f"dictionary called {name}")
    return _insert_after(text, value, value.values[-1], ", ".join(entries))


def names_in(text: str) -> set[str]:
    """Return every name that a module binds: by an import, a definition, or an assignment."""
    names: set[str] = set()
    for node in _parse(text).body:
        match node:
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {alias.asname or alias.name for alias in aliases}
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names.add(name)
            case ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Assign() | ast.AnnAssign():
                names |= _targets(node)
    return names


def calls_in(text: str, function: str) -> Iterator[ast.Call]:
    """Return the calls of a function."""
    return (
        node
        for node in ast.walk(_parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == function
    )


def first_string(call: ast.Call) -> str:
    """Return the first argument of a call where it is a string, or an empty one."""
    match call.args:
        case [ast.Constant(value=str(text)), *_]:
            return text
    return ""


def value_of(text: str, name: str) -> ast.expr | None:
    """Return the value that is bound to a name."""
    return _assignment(text, name).value


def _parse(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise InvalidSource(f"line {error.lineno}: {error.msg}") from error


def _assignment(text: str, name: str) -> ast.Assign | ast.AnnAssign:
    for node in ast.walk(_parse(text)):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and name in _targets(node):
            return node
    raise AnchorNotFound(f"assignment to {name}")


def _targets(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _insert_line(text: str, number: int, line: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: number - 1], f"{line}\n", *lines[number - 1 :]])


def _insert_after(text: str, collection: ast.expr, last: ast.expr, addition: str) -> str:
    """Insert after the last element, on a new line if the brackets have their own lines."""
    line, column = last.end_lineno or 0, last.end_col_offset or 0
    if line < (collection.end_lineno or 0):
        return _insert_line(text, line + 1, f"{addition},")
    lines = text.splitlines(keepends=True)
    raw = lines[line - 1].encode()  # the syntax tree counts columns in bytes
    lines[line - 1] = (raw[:column] + f", {addition}".encode() + raw[column:]).decode()
    return "".join(lines)
