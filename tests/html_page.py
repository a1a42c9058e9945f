"""What a test reads from one of our pages."""

import json
from html.parser import HTMLParser


class Page(HTMLParser):
    """Numbers with their origin, charts, and what a browser would fetch or run."""

    def __init__(self, html: str):
        super().__init__()
        self.numbers, self.charts, self.scripts, self.links, self.tags, self.handlers = [], [], [], [], [], []
        self._inside = None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.links += [given[name] for name in ("src", "href", "srcset", "action", "data", "poster") if given.get(name)]
        self.handlers += [name for name in given if name.startswith("on")]
        if tag == "data":
            self.numbers.append((given, ""))
        if tag == "script":
            self.scripts.append("")
        self._inside = (tag, given)

    def handle_data(self, text):
        tag, given = self._inside or (None, {})
        if tag == "data":
            self.numbers[-1] = (given, text)
        if tag == "script" and "data-steps" in given:
            self.steps = json.loads(text)
        elif tag == "script" and given.get("type") == "application/json":
            self.charts.append(json.loads(text))
        elif tag == "script":
            self.scripts[-1] += text

    def handle_endtag(self, tag):
        self._inside = None
