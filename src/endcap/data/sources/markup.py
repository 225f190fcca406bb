"""HTML to text: descriptions come as web pages, words are what a model reads."""

import re
from html.parser import HTMLParser

PATTERN = r"</?[a-zA-Z][^<>]*>|<!--|&#?[a-zA-Z0-9]+;"
"""What makes a text HTML, for Python and for DuckDB; `a < b` and `R&D` are none."""

_MARKUP = re.compile(PATTERN)
_INLINE = frozenset(
    [
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "cite",
        "code",
        "em",
        "font",
        "i",
        "kbd",
        "mark",
        "q",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "u",
        "wbr",
    ]
)
_UNSEEN = frozenset(("script", "style", "template", "head"))


def plain_text(text: str) -> str:
    """The text of an HTML fragment with single spaces; a text without markup is only trimmed.

    >>> plain_text("<p>Soft&nbsp;&amp; <b>warm</b></p><ul><li>Wool<li>5 < 6</ul><script>x()</script>")
    'Soft & warm Wool 5 < 6'
    >>> plain_text(" R&D for a < b ")
    'R&D for a < b'
    """
    if not _MARKUP.search(text):
        return text.strip()
    parser = _Text()
    parser.feed(text)
    parser.close()
    return " ".join("".join(parser.parts).split())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unseen += tag in _UNSEEN
        self._gap(tag)

    def handle_endtag(self, tag: str) -> None:
        self.unseen = max(0, self.unseen - (tag in _UNSEEN))
        self._gap(tag)

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            self.parts.append(data)

    def _gap(self, tag: str) -> None:
        if tag not in _INLINE:
            self.parts.append(" ")
