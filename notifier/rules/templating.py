"""The texts of a step: which variables they may use, and what a text file may say.

A file `<step>.<language>.j2` holds the blocks `sms`, `subject` and `email`. Of Jinja's language only
variables, `default` and `if` are let in, judged on its syntax tree: a sandbox alone does not stop
`'a' * 10**9`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache

from jinja2 import Environment, TemplateSyntaxError, nodes

from notifier.errors import PlanError

BLOCKS = ("sms", "subject", "email")
_LARGEST = 50_000  # characters; a text this long is a mistake, not a message
_ALLOWED = "Texts may use {{ variables }}, default('…') and {% if … %}, nothing else"


@dataclass(frozen=True, slots=True)
class Variable:
    """`short` and `long` are samples; a text that fits with the long ones fits for nearly every patient."""

    name: str
    meaning: str
    short: str
    long: str


_TABLE = (
    Variable("clinic.name", "the clinic's name", "Acland", "Northside Physio and Sport"),
    Variable("clinic.phone", "the clinic's phone number", "555-0100", "+44 207 946 09 58"),
    Variable("clinic.emergency_number", "the number for an ambulance, such as 911 or 112", "911", "112"),
    Variable("clinic.crisis_line", "the local line for a mental health crisis", "988", "116 123"),
    Variable("clinic.opens_next", "when the clinic opens next", "8:00 AM", "Wed 30 Sep 10:30 AM"),
    Variable(
        "clinic.reply_address",
        "where replies to e-mails are read; nothing where nobody reads them at once",
        "care@acland.example",
        "aftercare@northside-physio.example",
    ),
    Variable("patient.first_name", "the patient's first name", "Al", "Maximilianus"),
    Variable(
        "practitioner.name", "who treated; nothing when not recorded", "Ana Ruiz", "Dr Alexandria Montgomery"
    ),
    Variable("treatment.date", "the day of the treatment, as the patient saw it", "3 Mar", "30 Sept."),
    Variable(
        "treatment.name", "the kind of treatment; only where the step says so", "massage", "dry needling"
    ),
    Variable("next_visit.date", "the day of the next visit", "3 Mar", "30 Sept."),
    Variable("next_visit.time", "the hour of the next visit", "9:00 AM", "10:30 AM"),
)
VARIABLES: dict[str, Variable] = {variable.name: variable for variable in _TABLE}


def samples(*, long: bool) -> dict[str, dict[str, str]]:
    """Sample values for every variable, as groups: {"clinic": {"name": …}, …}."""
    groups: dict[str, dict[str, str]] = {}
    for variable in _TABLE:
        group, _, name = variable.name.partition(".")
        groups.setdefault(group, {})[name] = variable.long if long else variable.short
    return groups


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """The raw inner source of each block; None where the file has no such block.

    `lines` has the file's line on which each block's source begins, `variables` the one that first uses each.
    """

    sms: str | None = None
    subject: str | None = None
    email: str | None = None
    lines: dict[str, int] = field(default_factory=dict, compare=False)
    variables: dict[str, int] = field(default_factory=dict, compare=False)


# Pages and checks ask for the same texts again and again, and a text is read in milliseconds.
@lru_cache(maxsize=2048)
def parse_text(source: str, *, file: str) -> TextTemplate:
    """Raises PlanError, with the file and line, for anything but what the module's docstring lets in."""
    try:
        tree = _syntax_tree(source, file)
        _check_blocks(tree)
        variables = _Checker().check(tree)
        blocks, lines = _block_sources(source)
    except _Refused as refused:
        raise PlanError(refused.message, file=file, line=refused.line) from None
    return TextTemplate(**blocks, lines=lines, variables=variables)


class _Refused(Exception):
    def __init__(self, message: str, line: int) -> None:
        self.message, self.line = message, line
        super().__init__(message)


@cache
def _environment() -> Environment:
    return Environment(keep_trailing_newline=True, autoescape=True)


def _syntax_tree(source: str, file: str) -> nodes.Template:
    if len(source) > _LARGEST:
        raise _Refused(f"The text is longer than {_LARGEST} characters.", 1)
    try:
        return _environment().parse(source)
    except TemplateSyntaxError as error:
        reason = (error.message or "it cannot be read").rstrip(".")
        raise PlanError(f"This is not a valid text: {reason}.", file=file, line=error.lineno) from None
    except (RecursionError, ValueError):
        # Thousands of nested brackets, or a number of thousands of digits: nothing a person wrote.
        raise PlanError("This text is nested too deeply to be read.", file=file, line=1) from None


def _check_blocks(tree: nodes.Template) -> None:
    found: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, nodes.Block):
            if node.name in found:
                raise _Refused(f"There are two {node.name} blocks; one is enough.", node.lineno)
            found[node.name] = _known_block(node)
        elif not _is_white_space(node):
            inside = "{% block sms %} … {% endblock %}"
            raise _Refused(f"Words must stand inside a block: {inside}.", _first_visible_line(node))
    if not found:
        raise _Refused("There is no block here: write {% block sms %} … {% endblock %}.", 1)
    for one, other in (("subject", "email"), ("email", "subject")):
        if one in found and other not in found:
            raise _Refused(
                f"The {one} block has no {other} block beside it; an e-mail needs both.", found[one]
            )


def _known_block(block: nodes.Block) -> int:
    if block.name not in BLOCKS:
        raise _Refused(f"There is no block '{block.name}'; the blocks are {', '.join(BLOCKS)}.", block.lineno)
    if block.scoped or block.required:
        raise _Refused(f"Write {{% block {block.name} %}} with nothing after the name.", block.lineno)
    if all(_is_white_space(node) for node in block.body):
        raise _Refused(f"The {block.name} block is empty; write its words or leave it out.", block.lineno)
    return block.lineno


def _is_white_space(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Output) and all(
        isinstance(part, nodes.TemplateData) and not part.data.strip() for part in node.nodes
    )


def _first_visible_line(node: nodes.Node) -> int:
    """The line of the first visible thing: a node begins where the white space before it does."""
    if isinstance(node, nodes.Output) and isinstance(part := node.nodes[0], nodes.TemplateData):
        leading = part.data[: len(part.data) - len(part.data.lstrip())]
        return part.lineno + leading.count("\n")
    return node.lineno


class _Checker:
    """Walks the tree by what is allowed: whatever Jinja learns next is refused until it is let in here."""

    def __init__(self) -> None:
        self.variables: dict[str, int] = {}

    def check(self, tree: nodes.Template) -> dict[str, int]:
        for block in tree.find_all(nodes.Block):
            self._body(block.body)
        return dict(sorted(self.variables.items(), key=lambda item: item[1]))

    def _body(self, body: list[nodes.Node]) -> None:
        for node in body:
            match node:
                case nodes.Output():
                    self._output(node)
                case nodes.If():
                    self._condition(node.test)
                    for part in (node.body, node.elif_, node.else_):
                        self._body(part)  # type: ignore[arg-type]  # elif_ is a list of If
                case _:
                    raise _Refused(f"{_ALLOWED}; '{_word(node)}' is not among them.", node.lineno)

    def _output(self, output: nodes.Output) -> None:
        for node in output.nodes:
            if isinstance(node, nodes.Filter):
                self._default(node)
            elif not isinstance(node, nodes.TemplateData):
                self._variable(node)

    def _default(self, node: nodes.Filter) -> None:
        if node.name not in ("default", "d"):
            raise _Refused(f"{_ALLOWED}; the filter '{node.name}' is not among them.", node.lineno)
        plain = not (node.kwargs or node.dyn_args or node.dyn_kwargs) and len(node.args) == 1
        if not plain or not _is_literal(node.args[0]) or node.node is None:
            raise _Refused("Write default with one text in quotes: default('911').", node.lineno)
        self._variable(node.node)

    def _condition(self, node: nodes.Node) -> None:
        match node:
            case nodes.Not():
                self._condition(node.node)
            case nodes.And() | nodes.Or():
                self._condition(node.left)
                self._condition(node.right)
            case nodes.Compare(ops=[nodes.Operand(op="eq", expr=literal)]) if _is_literal(literal):
                self._variable(node.expr)
            case nodes.Compare():
                example = "{% if treatment.name == 'cupping' %}"
                raise _Refused(f"Compare a variable with a text in quotes: {example}.", node.lineno)
            case _:
                self._variable(node)

    def _variable(self, node: nodes.Node) -> None:
        name = _dotted(node)
        if name is None:
            raise _Refused(f"{_ALLOWED}; '{_word(node)}' is not among them.", node.lineno)
        if name not in VARIABLES:
            raise _Refused(f"There is no variable '{name}'.{_nearest(name)}", node.lineno)
        self.variables.setdefault(name, node.lineno)


def _is_literal(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def _dotted(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Getattr):
        head = _dotted(node.node)
        return head and f"{head}.{node.attr}"
    return node.name if isinstance(node, nodes.Name) else None


_SPOKEN = {
    nodes.Call: "a call (…)",
    nodes.Getitem: "[…]",
    nodes.CondExpr: "… if … else … inside {{ }}",
    nodes.Test: "is …",
    nodes.Const: "a bare value",
    nodes.Getattr: "a dot after a value",
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
    nodes.Block: "block inside a block",
    nodes.Scope: "autoescape",
    nodes.Concat: "~",
    nodes.FilterBlock: "filter",
    nodes.CallBlock: "call",
}


def _word(node: nodes.Node) -> str:
    """What an author would call it: an operator's sign where there is one, else the tag's name."""
    sign = getattr(node, "operator", None)
    return sign or _SPOKEN.get(type(node)) or type(node).__name__.lower()


def _nearest(name: str) -> str:
    """One with the same last word (`phone`), else the one spelled most alike."""
    same_end = [known for known in VARIABLES if known.rpartition(".")[2] == name]
    near = same_end or difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else f" There are: {', '.join(VARIABLES)}."


def _block_sources(source: str) -> tuple[dict[str, str], dict[str, int]]:
    """Cut the blocks out by the lexer's own tokens: quotes and comments are read as Jinja reads them."""
    blocks: dict[str, str] = {}
    lines: dict[str, int] = {}
    name, inner, line_at_start = "", "", 1
    for tag, line, raw, after in _tags_and_text(source):
        if tag[:1] == ["block"]:
            name, inner, line_at_start = tag[1], "", after
        elif tag[:1] == ["endblock"]:
            blocks[name], lines[name] = inner, line_at_start
            name = ""
        elif tag[:1] == ["raw"]:
            raise _Refused(f"{_ALLOWED}; 'raw' is not among them.", line)
        elif name:
            inner += raw
    return blocks, lines


def _tags_and_text(source: str) -> Iterator[tuple[list[str], int, str, int]]:
    """Pieces of the source: the words of a {% tag %} (else none), its line, its text, the line after it."""
    words: list[str] = []
    raw, line = "", 1
    inside = False
    for at, kind, value in _environment().lex(source):
        if kind == "raw_begin":
            yield ["raw"], at, value, at
        elif kind == "block_begin":
            inside, words, raw, line = True, [], value, at
        elif kind == "block_end":
            inside = False
            yield words, line, raw + value, at
        elif inside:
            raw += value
            words += [] if kind == "whitespace" else [value]
        else:
            yield [], at, value, at + value.count("\n")
