"""Finds in source code what a panel shows without translation, and sentences that are glued.

Decided from the source alone. A literal is shown if it is a sentence, or if it is given to
something that shows it; names of nodes, columns and attributes are neither.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

SHOWING_CALLS = {
    *("setText", "setToolTip", "setStatusTip", "setWindowTitle", "setTitle", "setTabText"),
    *("setPlaceholderText", "setHorizontalHeaderLabels", "setVerticalHeaderLabels", "addItem"),
    *("appendPlainText", "setPlainText", "showMessage", "textItem", "showText"),
    *("QLabel", "QPushButton", "QCheckBox", "QAction", "QTableWidgetItem", "QStandardItem"),
    *("getOpenFileName", "getSaveFileName", "getExistingDirectory"),
    *("tryWithErrorDisplay", "errorDisplay", "warningDisplay", "infoDisplay", "messageBox"),
    *("confirmOkCancelDisplay", "confirmYesNoDisplay", "confirmRetryCloseDisplay"),
    *("SetXAxisTitle", "SetYAxisTitle", "SetTitleText"),
}
SHOWING_ATTRIBUTES = {"text", "toolTip", "title", "windowTitle", "noneDisplay", "placeholderText"}
SHOWING_KEYWORDS = {"title", "toolTip", "windowTitle"}
HIDDEN_CALLS = {"debug", "info", "warning", "fail", "connect", "disconnect", "compile"}
SENTENCE = re.compile(r"[A-Za-z].*\s.*[A-Za-z)}'\"][.?!…]$|^[A-Z][a-z]+[.?!…]$", re.DOTALL)
FILE_NAME = re.compile(r"^[\w*]+\.\w+$")
END = re.compile(r"[.?!…]\s*$")


def untranslated(source: str) -> list[str]:
    """Return `line: text` of every literal that is shown without `_()`."""
    tree = _with_parents(ast.parse(source))
    found = [node for node in ast.walk(tree) if _is_text(node) and not _is_translated(node)]
    shown = [node for node in found if _is_sentence(node) or _is_given_to_show(node)]
    return [f"{node.lineno}: {_words(node)}" for node in shown]


def glued(source: str) -> list[str]:
    """Return `line: reason` of every sentence that is made from translated pieces."""
    tree = _with_parents(ast.parse(source))
    return sorted(set(_glued_nodes(tree)), key=lambda text: int(text.partition(":")[0]))


def marked(source: str, context: str) -> set[tuple[str, str]]:
    """Return context and text of every literal that is translated, or marked for it.

    Args:
        source: Source code.
        context: Context of `_()` in this file, as Slicer makes it from the file's name.
    """
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    own = {(context, call.args[0].value) for call in calls if _is_call(call, "_")}
    named = [call for call in calls if _name(call) in ("translate", "QT_TRANSLATE_NOOP")]
    pairs = (call.args for call in named if all(map(_is_constant, call.args)))
    return own | {(first.value, second.value) for first, second in pairs}


def used_contexts(source: str) -> set[str]:
    """Return the contexts of `translate()` on values of the libraries' tables."""
    calls = [node for node in ast.walk(ast.parse(source)) if _is_call(node, "translate")]
    return {call.args[0].value for call in calls if not _is_constant(call.args[1])}


def _is_constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant)


def _glued_nodes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            if any(_is_translation(side) for side in (node.left, node.right)):
                yield f"{node.lineno}: '+' on a translation"
        elif isinstance(node, ast.FormattedValue) and _is_translation(node.value):
            yield f"{node.lineno}: a translation in an f-string"
        elif _is_join(node):
            yield from _glued_join(node)
        elif _is_call(node, "_"):
            yield from _bad_literal(node)
        elif _is_call(node, "translate") and not isinstance(node.args[0], ast.Constant):
            yield f"{node.lineno}: the context is no literal"


def _glued_join(node: ast.Call) -> Iterator[str]:
    """Whole sentences and lists may stand in a row, pieces of a sentence may not."""
    if node.func.value.value.strip(" ") or not isinstance(node.args[0], ast.List | ast.Tuple):
        return
    calls = (_unformatted(item) for item in node.args[0].elts)
    for call in calls:
        if _is_call(call, "_") and not END.search(getattr(call.args[0], "value", ".")):
            yield f"{node.lineno}: pieces of a sentence are joined"


def _bad_literal(node: ast.Call) -> Iterator[str]:
    argument = node.args[0]
    if isinstance(argument, ast.JoinedStr | ast.BinOp) or _is_call(argument, "format"):
        yield f"{node.lineno}: the text is put together before it is translated"
    elif not isinstance(argument, ast.Constant):
        yield f"{node.lineno}: no tool that extracts texts sees what a name stands for"
    else:
        if argument.value != argument.value.strip():
            yield f"{node.lineno}: blanks at the end of a piece"
        if "{}" in argument.value:
            yield f"{node.lineno}: a placeholder without a name"


def _is_translation(node: ast.AST) -> bool:
    """Whether a value is a translation: by itself, formatted, or by a name of the function."""
    node = _unformatted(node)
    if isinstance(node, ast.BoolOp):
        return any(_is_translation(value) for value in node.values)
    return _is_call(node, "_") or (isinstance(node, ast.Name) and node.id in _translations(node))


def _translations(node: ast.AST) -> set[str]:
    """Names that are assigned a translation in the function around a node."""
    while not isinstance(node, ast.FunctionDef | ast.Module):
        node = node.parent
    assigned = (item for item in ast.walk(node) if isinstance(item, ast.Assign))
    return {
        target.id
        for item in assigned
        for target in item.targets
        if isinstance(target, ast.Name) and _is_call(_unformatted(item.value), "_")
    }


def _unformatted(node: ast.AST) -> ast.AST:
    is_format = _is_call(node, "format") and isinstance(node.func, ast.Attribute)
    return node.func.value if is_format else node


def _is_text(node: ast.AST) -> bool:
    is_constant = isinstance(node, ast.Constant) and isinstance(node.value, str)
    if not (is_constant or isinstance(node, ast.JoinedStr)):
        return False
    # A docstring, or part of a longer text.
    return not isinstance(node.parent, ast.Expr | ast.JoinedStr | ast.FormattedValue)


def _is_translated(node: ast.AST) -> bool:
    calls = (one for one in _ancestors(node) if isinstance(one, ast.Call))
    return any(_name(call) in {"_", "translate", *HIDDEN_CALLS} for call in calls)


def _is_sentence(node: ast.AST) -> bool:
    return SENTENCE.search(_words(node)) is not None


def _is_given_to_show(node: ast.AST) -> bool:
    words = FILE_NAME.sub("", re.sub(r"\{.*?\}|<.*?>", "", _words(node)))
    if not re.search("[A-Za-z]{2}", words):
        return False
    child = node
    for parent in _ancestors(node):
        if isinstance(parent, _DECIDING):
            return _shows(parent, child)
        child = parent
    return False


_DECIDING = (ast.keyword, ast.Call, ast.Assign, ast.Subscript, ast.Compare, ast.Dict)


def _shows(parent: ast.AST, child: ast.AST) -> bool:
    if isinstance(parent, ast.keyword):
        return parent.arg in SHOWING_KEYWORDS
    if isinstance(parent, ast.Call):
        is_showing = _name(parent) in SHOWING_CALLS or isinstance(parent.parent, ast.Raise)
        return child is not parent.func and is_showing
    if isinstance(parent, ast.Assign):
        return any(getattr(one, "attr", "") in SHOWING_ATTRIBUTES for one in parent.targets)
    return False


def _words(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(v.value if isinstance(v, ast.Constant) else "{x}" for v in node.values)


def _is_join(node: ast.AST) -> bool:
    is_method = _is_call(node, "join") and isinstance(node.func, ast.Attribute)
    return is_method and isinstance(node.func.value, ast.Constant) and len(node.args) == 1


def _is_call(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and _name(node) == name


def _name(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def _ancestors(node: ast.AST) -> Iterator[ast.AST]:
    """The parents up to the statement."""
    while not isinstance(node, ast.stmt | ast.Module):
        node = node.parent
        yield node


def _with_parents(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.parent = node
    return tree
