"""The text of a code cell, compiled as Jupyter does."""

import __future__

import ast
import io
import re
import tokenize

INLINE = re.compile(r"^([ \t]*)%matplotlib[ \t]+inline\b.*", re.M)
COMMAND = re.compile(
    r"^[ \t]*(%%?[A-Za-z].*|[!?].*|\w+ *= *[!%].*|[\w.]+\?\??[ \t]*$)", re.M
)
INDENT = re.compile(r"(?:[ \t]*\n)*([ \t]+)(?=\S)")
FUTURE = __future__._Feature
SPACE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER}


class UnavailableError(Exception):
    """A command of IPython that grading does not run."""


def compiled(source, name, namespace):
    """Compile a cell.

    Parameters
    ----------
    source, name : str
        Text, and file name in tracebacks.
    namespace : dict
        Where it will run; what was imported there ``from __future__`` holds.

    Returns
    -------
    statements : code
    last : code or None
        The last line, if that is an expression whose value is shown.

    Raises
    ------
    SyntaxError, UnavailableError
    """
    flags = sum({x.compiler_flag for x in namespace.values() if type(x) is FUTURE})
    tree, source = _parsed(source, name)
    body, last = tree.body, None
    if body and isinstance(body[-1], ast.Expr) and not _is_quiet(source):
        last = compile(ast.Expression(body.pop().value), name, "eval", flags)
    return compile(ast.Module(body, []), name, "exec", flags), last


def _is_quiet(source):
    """Tell whether the last line ends with a semicolon, whatever comment follows."""
    lines = io.StringIO(source, newline=None)
    tokens = [
        t for t in tokenize.generate_tokens(lines.readline) if t.type not in SPACE
    ]
    return tokens[-1].string == ";"


def _parsed(source, name):
    try:
        return ast.parse(source, name), source
    except SyntaxError:
        source = INLINE.sub(r"\1pass", source)
        if indent := INDENT.match(source):  # IPython shifts such a cell to the left
            source = re.sub(f"^{indent[1]}", "", source, flags=re.M)
        if found := COMMAND.search(source):
            raise UnavailableError(
                f"`{found[0].strip()[:60]}` is a command of Jupyter's; grading runs "
                "Python and `%matplotlib inline`. Remove the line."
            ) from None
        return ast.parse(source, name), source
