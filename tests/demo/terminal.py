#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Draws what a terminal shows: terminal.py TEXT SVG"""
import sys
from xml.sax.saxutils import escape

SIZE, LINE, ADVANCE, MARGIN = 13, 18, 7.83, 14


def draw(lines):
    """The lines as SVG, light on dark; a command that was typed is bold."""
    width = max(map(len, lines)) * ADVANCE + 2 * MARGIN
    height = len(lines) * LINE + 2 * MARGIN
    yield "<!-- SPDX-License-Identifier: GPL-2.0-only -->"
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" '
           f'height="{height}" font-family="DejaVu Sans Mono, Consolas, '
           f'Menlo, monospace" font-size="{SIZE}" fill="#d8dee9">')
    yield '<rect width="100%" height="100%" rx="6" fill="#2b303b"/>'
    for number, line in enumerate(lines):
        bold = ' font-weight="bold"' if line.startswith("$ ") else ""
        yield (f'<text x="{MARGIN}" y="{MARGIN + number * LINE + SIZE}" '
               f'xml:space="preserve"{bold}>{escape(line)}</text>')
    yield "</svg>"


def main(text, svg):
    with open(text, encoding="utf-8") as source:
        lines = source.read().expandtabs().splitlines()
    with open(svg, "w", encoding="utf-8") as target:
        target.write("\n".join(draw(lines)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
