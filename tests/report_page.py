"""A page of a report as a browser would read it."""

from __future__ import annotations

import base64
from html.parser import HTMLParser

SVG = "data:image/svg+xml;base64,"


class Page(HTMLParser):
    """What a browser would make of a page: its tags, its texts, the cells of its tables."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.rows, self.open = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, text):
        if "style" in self.open:
            return
        self.texts.append(text)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += text

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def attributes(self, tag, name):
        return [found[name] for this, found in self.tags if this == tag and name in found]

    def row(self, *begin):
        """The rows whose first cells are these, blanks evened."""
        rows = [[" ".join(cell.split()) for cell in row] for row in self.rows]
        return [row for row in rows if row[: len(begin)] == list(begin)]

    @property
    def drawings(self):
        """The SVG text of each picture."""
        sources = self.attributes("img", "src")
        return [base64.b64decode(s.split(",", 1)[1]).decode() for s in sources]
