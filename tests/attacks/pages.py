"""Markup, escapes and formulas in whatever ends up on a page or in a terminal."""

from attacks import target
from attacks.attack import HONEST, MEAN, Attack

SCRIPT = "<script>alert(document.domain)</script>"
LINK = "<img src=x onerror=alert(1)>"


def _markdown(notebook):
    notebook["cells"] += [
        target.markdown(
            f"{SCRIPT}\n\n{LINK}\n\n<iframe src='file:///etc/passwd'></iframe>\n\n"
            "[x](javascript:alert(1)) ![y](https://example.org/track.png)\n\n"
            "<style>.points { display: none }</style><!-- <svg/onload=alert(1)> -->\n\n"
            "<a href=' javascript:alert(1)'>z</a> <https://example.org>\n\n"
            "[x](java&#115;cript:alert(1)) [x](java&Tab;script:alert(1)) "
            "[x][1] <javascript:alert(1)>\n\n[1]: &#106;avascript:alert(1)\n\n"
            f"`{SCRIPT}` $\\href{{javascript:alert(1)}}{{x}}$\n\n"
            f"```html\n{SCRIPT}\n```",
            "markup",
        )
    ]
    words = target.cell_of(notebook, "words")
    words["source"] = f"My words.\n\n{SCRIPT}\n\n<b onmouseover=alert(1)>bold</b>"
    words["attachments"] = {"x.svg": {"image/svg+xml": SCRIPT}}


def _outputs(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {
                        "text/html": SCRIPT,
                        "image/svg+xml": f"<svg>{SCRIPT}</svg>",
                        "application/javascript": "alert(1)",
                        "image/png": '"><script>alert(1)</script>',
                        "text/markdown": LINK,
                        "text/latex": "$\\href{javascript:alert(1)}{x}$",
                    },
                }
            ]


ATTACKS = (
    Attack(
        "script-in-markdown",
        "scripts, frames, styles and links in markdown cells and attachments",
        answers=HONEST,
        edit=_markdown,
        loses=(),
    ),
    Attack(
        "script-in-stored-outputs",
        "HTML, SVG and JavaScript outputs stored in the file",
        answers=HONEST,
        edit=_outputs,
        loses=(),
    ),
    Attack(
        "script-in-outputs",
        "print markup, and show objects with an HTML form",
        answers=HONEST,
        first=f"""
print("{SCRIPT}")
class Page:
    def _repr_html_(self): return "{SCRIPT}"
    def _repr_png_(self): return b"{SCRIPT}"
    def _repr_mimebundle_(self, *a, **k): return {{"text/html": "{SCRIPT}"}}
    def __repr__(self): return "</pre>{SCRIPT}"
display(Page())
Page()
""",
        loses=(),
        shows="alert",
    ),
    Attack(
        "script-in-an-error",
        "markup and a spreadsheet formula in the message of an error",
        answers={
            "mean-answer": f"""
def mean(x):
    raise ValueError('=HYPERLINK("http://x","y")</pre>{SCRIPT}{LINK}')
"""
        },
    ),
    Attack(
        "terminal-escapes",
        "escapes, control and direction marks that take over a terminal or hide text",
        answers={
            "mean-answer": """
print("\\x1b]0;owned\\x07\\x1b[2J\\x1b[31m", "\\u202egnp.exe", "\\x9b31m", "\\x00")
def mean(x):
    raise ValueError(
        "\\x1b]0;owned\\x07\\x1b[2J\\r\\nmean-hidden: 2 of 2 points\\u202e\\u2028\\x9b"
        "\\u200b\\u2066\\ufeff"
    )
"""
        },
    ),
    Attack(
        "script-in-a-figure",
        "markup in the title of a figure and in the metadata of its file",
        answers=HONEST,
        first=f"""
import matplotlib.pyplot as plt
plt.rcParams["savefig.format"] = "svg"
plt.rcParams["svg.fonttype"] = "none"
figure = plt.figure(figsize=(1, 1))
figure.suptitle("{SCRIPT}")
kept = figure.savefig
figure.savefig = lambda file, **k: file.write(b"<svg>{SCRIPT}</svg>")
plt.show()
""",
        loses=(),
    ),
    Attack(
        "backtracking-reasons",
        "text that makes the search for paths in a reason take for ever",
        answers={
            "choice-answer": "choice = '-/' * 1_500_000",
            "mean-answer": "def mean(x):\n    raise ValueError('-/' * 1000)",
        },
        loses=(*MEAN, "choice-check"),
    ),
    Attack(
        "long-words",
        "one word of a million letters, in an error and in an answer",
        answers={
            "mean-answer": "def mean(x):\n    raise ValueError('w' * 1_000_000)",
        },
        loses=MEAN,
    ),
)
