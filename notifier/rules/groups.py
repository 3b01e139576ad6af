"""The light Markdown of an e-mail, taken apart into what belongs together: a heading, its words, its list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it.token import Token

from notifier.rules import light_markdown


@dataclass(frozen=True, slots=True)
class Group:
    """Any of the three may be empty. `lines` are the paragraph's, as the author broke them."""

    heading: str = ""
    lines: tuple[str, ...] = ()
    items: tuple[str, ...] = ()

    @property
    def paragraph(self) -> str:
        return " ".join(self.lines)

    @property
    def words(self) -> str:
        """All of it, to look for something."""
        return "\n".join((self.heading, *self.lines, *self.items))


def groups(source: str) -> list[Group]:
    """A line in bold alone is a heading, and takes what stands below it; so does what leads in a list."""
    found: list[Group] = []
    for piece in _pieces(light_markdown.parse(source)):
        before = found[-1] if found else None
        if before is not None and piece.items and not piece.heading and not before.items:
            found[-1] = Group(before.heading, before.lines, piece.items)
        elif before is not None and before == Group(before.heading) and not piece.heading:
            found[-1] = Group(before.heading, piece.lines, piece.items)
        else:
            found.append(piece)
    return found


def _pieces(tokens: list[Token]) -> Iterator[Group]:
    """One for each paragraph and each list."""
    depth = 0
    items: list[str] = []
    for token in tokens:
        if token.type.endswith("_list_open"):
            depth += 1
        elif token.type.endswith("_list_close"):
            depth -= 1
            if depth == 0:
                yield Group(items=tuple(items))
                items = []
        elif token.type == "inline" and depth:
            items.append(" ".join(line for line, _ in _lines(token)))
        elif token.type == "inline":
            yield _paragraph(token)


def _paragraph(inline: Token) -> Group:
    lines = _lines(inline)
    if lines and lines[0][1]:
        return Group(lines[0][0], tuple(line for line, _ in lines[1:]))
    return Group("", tuple(line for line, _ in lines))


def _lines(inline: Token) -> list[tuple[str, bool]]:
    """Each line, and whether all of it is bold."""
    lines: list[list[Token]] = [[]]
    for part in inline.children or ():
        if part.type.endswith("break"):
            lines.append([])
        else:
            lines[-1].append(part)
    return [(_text(line), _is_bold(line)) for line in lines if _text(line)]


def _text(parts: list[Token]) -> str:
    return " ".join("".join(part.content for part in parts).split())


def _is_bold(parts: list[Token]) -> bool:
    marks = [part.type for part in parts if part.type != "text" or part.content.strip()]
    return marks[:1] == ["strong_open"] and marks.index("strong_close") == len(marks) - 1
