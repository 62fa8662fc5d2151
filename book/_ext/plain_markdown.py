"""Turn a chapter's MyST text into Markdown that any Jupyter renders.

A downloaded notebook has no Sphinx around it, so directives become headings, quotes and
folded details, and roles become the words that the built page shows for them.
"""

import ast
import re

FENCE = re.compile(r"^(`{3,}|:{3,})\{([\w:.-]+)\}[ \t]*(.*)$")
ROLE = re.compile(r"\{([\w:.-]+)\}(`+)(.+?)\2", re.DOTALL)
TITLED = re.compile(r"^(.*?)\s*<([^<>]+)>$", re.DOTALL)
NUMBERED = re.compile(r"^\$\$ *\(([\w:.-]+)\)$")
LABEL = re.compile(r"^\([\w:.-]+\)=$")
BOXES = {"admonition", "note", "tip", "important", "warning", "caution", "seealso"}
LEFT_OUT = {"bibliography", "tableofcontents", "contents"}


class MarkupError(ValueError):
    """A directive or role that has no plain form yet."""


def plain_markdown(text, page):
    """Rewrite directives, labels and roles.

    Parameters
    ----------
    text : str
        MyST Markdown.
    page : object
        Gives ``number(label)``, ``role_text(role, target)`` and ``read(path)``.

    Returns
    -------
    str
        Markdown with fenced code, block quotes and ``<details>`` only.
    """
    lines, out = text.splitlines(), []
    while lines:
        line = lines.pop(0)
        if match := FENCE.match(line):
            body = _take_body(lines, match[1])
            out.append(_directive(match[2], match[3], body, page))
        elif line.startswith("```"):
            out += [line, *_take_body(lines, "```"), "```"]
        elif match := NUMBERED.match(line):
            out += [_tag(match[1], page), "$$"]
        elif not LABEL.match(line):
            out.append(line)
    return _roles("\n".join(out), page)


def _take_body(lines, fence):
    body = []
    while lines:
        line = lines.pop(0)
        if line.strip() and not line.strip(fence[0]) and len(line) >= len(fence):
            return body
        body.append(line)
    raise MarkupError(f"a fence must be closed with {fence}; the text ended.")


def _options(body):
    options = {}
    while body and (match := re.match(r"^:([\w-]+):\s*(.*)$", body[0])):
        options[match[1]] = match[2]
        body = body[1:]
    return options, "\n".join(body).strip("\n")


def _directive(name, argument, lines, page):
    options, body = _options(lines)
    if name in LEFT_OUT:
        return ""
    if name == "math":
        return f"$$\n{body.strip()}\n{_tag(options.get('label'), page)}\n$$"
    if name == "literalinclude":
        return _source(argument, options, page)
    if name in ("code-block", "code"):
        return f"```{argument}\n{body}\n```"
    return _block(name, argument, options, plain_markdown(body, page), page)


def _tag(label, page):
    number = page.number(f"equation-{label}")
    return rf"\tag{{{number}}}" if number else r"\notag"


def _block(name, argument, options, body, page):
    number = page.number(options.get("label", options.get("name")))
    if name in ("figure", "table"):
        title = argument if name == "table" else ""  # a figure's is a path
        return f"*{name.capitalize()} {number}.* {title}\n\n{body}"
    if name == "prf:proof":
        return f"*Proof.* {body} ∎"
    if name.startswith("prf:") or name in ("exercise", "exercise-start"):
        title = f" ({argument})" if argument else ""
        kind = name.removeprefix("prf:").capitalize()
        return _quote(f"**{kind} {number}{title}.**\n\n{body}")
    if name == "solution":
        return _folded(f"Solution to Exercise {page.number(argument)}", body)
    if name == "dropdown" or "dropdown" in options.get("class", ""):
        return _folded(argument, body)
    if name in BOXES:
        return _quote(f"**{argument or name.capitalize()}**\n\n{body}")
    raise MarkupError(f"directive {{{name}}} has no plain form.")


def _source(path, options, page):
    source = page.read(path)
    if name := options.get("pyobject"):
        tree = ast.parse(source).body
        node = next(node for node in tree if getattr(node, "name", None) == name)
        source = ast.get_source_segment(source, node)
    return f"```{options.get('language', 'python')}\n{source.rstrip()}\n```"


def _quote(text):
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _folded(title, body):
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _roles(text, page):
    def shown(match):
        titled = TITLED.match(match[3])
        if titled and match[1] != "math":
            return titled[1]
        return page.role_text(match[1], match[3])

    return ROLE.sub(shown, text)
