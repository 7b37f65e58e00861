#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Draws what was measured of scans: report.py FIGURES... SVG

Three diagrams: how long operations take while scans run and while none does; what
a scan costs an object, from a thousand objects to ten million; how much garbage
there is while rings are dropped beside a live one. The lines that are drawn are
"# latency_idle FRACTION MICROSECONDS", "# latency_busy ...", "# floating SECONDS
OBJECTS" and "refstore_bench: size_WHAT_OBJECTS PICOSECONDS".
"""
import math
import re
import sys
from xml.sax.saxutils import escape

POINT = re.compile(r"# (latency_\w+|floating) ([0-9.]+) ([0-9.]+)$")
SIZE = re.compile(r"refstore_bench: size_([a-z_]+)_([0-9]+) ([0-9]+)$")
COLOURS = ("#1b6ca8", "#c8553d", "#588157", "#8d6a9f")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 560, 300, 70, 40, 50


def read(paths):
    """Points by name of their line, in the order in which they were measured."""
    lines = {}
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as source:
            for text in map(str.strip, source):
                point, size = POINT.match(text), SIZE.search(text)
                if point:
                    name, x, y = point.groups()
                    lines.setdefault(name, []).append((float(x), float(y)))
                elif size:
                    name, x, y = size.groups()
                    lines.setdefault(name, []).append(
                        (float(x), float(y) / 1000))
    return lines


class Axis:
    """Maps values to places, evenly or by their logarithm."""

    def __init__(self, values, start, end, logarithmic):
        self.logarithmic = logarithmic
        self.low, self.high = min(values), max(values)
        if not logarithmic:
            self.low = min(self.low, 0)
        self.start, self.end = start, end

    def scale(self, value):
        return math.log10(max(value, 1e-9)) if self.logarithmic else value

    def place(self, value):
        low, high = self.scale(self.low), self.scale(self.high)
        share = (self.scale(value) - low) / ((high - low) or 1)
        return self.start + share * (self.end - self.start)

    def logarithmic_ticks(self):
        """Powers of ten; 2 and 5 of each, too, where these would be few."""
        first = math.floor(math.log10(self.low))
        last = math.floor(math.log10(self.high) + 1e-9)
        factors = (1,) if last - first > 2 else (1, 2, 5)
        values = [factor * 10.0 ** i for i in range(first, last + 1)
                  for factor in factors]
        return [value for value in values
                if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)]

    def ticks(self):
        if self.logarithmic:
            return self.logarithmic_ticks()
        step = 10 ** math.floor(math.log10((self.high - self.low) or 1))
        if (self.high - self.low) / step < 3:
            step /= 2
        count = int((self.high - self.low) / step + 1e-9)
        return [self.low + i * step for i in range(count + 1)]


def text(x, y, words, anchor="middle", size=12):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
            f'font-size="{size}">{escape(words)}</text>')


def line(points, colour, width=1.5):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (f'<polyline points="{path}" fill="none" stroke="{colour}" '
            f'stroke-width="{width}"/>')


def frame(x_axis, y_axis, top):
    """The ticks of both axes, and a grid."""
    bottom = top + HEIGHT
    for value in x_axis.ticks():
        x = x_axis.place(value)
        yield line([(x, top), (x, bottom)], "#ddd", 1)
        yield text(x, bottom + 16, f"{value:,.10g}", size=10)
    for value in y_axis.ticks():
        y = y_axis.place(value)
        yield line([(LEFT, y), (LEFT + WIDTH, y)], "#ddd", 1)
        yield text(LEFT - 6, y + 4, f"{value:,.10g}", "end", 10)


def diagram(top, title, units, lines, logarithmic):
    """One diagram: lines is a list of (name, points)."""
    points = [point for _, line_points in lines for point in line_points]
    x_axis = Axis([x for x, _ in points], LEFT, LEFT + WIDTH, logarithmic[0])
    y_axis = Axis([y for _, y in points], top + HEIGHT, top, logarithmic[1])
    yield text(LEFT + WIDTH / 2, top - 14, title, size=14)
    yield from frame(x_axis, y_axis, top)
    yield text(LEFT + WIDTH / 2, top + HEIGHT + 34, units)
    for (name, line_points), colour in zip(lines, COLOURS):
        yield line([(x_axis.place(x), y_axis.place(y))
                    for x, y in line_points], colour)
    if len(lines) == 1:
        return
    for i, ((name, _), colour) in enumerate(zip(lines, COLOURS)):
        y = top + 18 + 16 * i
        yield line([(LEFT + 10, y - 4), (LEFT + 34, y - 4)], colour, 3)
        yield text(LEFT + 40, y, name, "start")


def diagrams(lines):
    latency = [("with scans back to back", lines.get("latency_busy")),
               ("without", lines.get("latency_idle"))]
    latency = [(name, [(y, x) for x, y in points])
               for name, points in latency if points]
    sizes = [(name.replace("_", ", "), points)
             for name, points in lines.items()
             if name not in ("latency_busy", "latency_idle", "floating")]
    floating = [("garbage", lines["floating"])] if "floating" in lines else []
    return ((latency, "How long operations take",
             "microseconds; upwards the share of operations that took less",
             (True, False)),
            (sizes, "What a scan costs", "objects; upwards ns an object",
             (True, True)),
            (floating, "Garbage while 20,000 rings of 20 are made and dropped",
             "seconds; upwards objects", (False, False)))


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    parts, top = [], TOP
    for lines, title, units, logarithmic in diagrams(read(sys.argv[1:-1])):
        if not lines:
            print(f"not measured: {title}", file=sys.stderr)
            continue
        parts += diagram(top, title, units, lines, logarithmic)
        top += HEIGHT + TOP + BOTTOM
    with open(sys.argv[-1], "w", encoding="utf-8") as out:
        out.write('<svg xmlns="http://www.w3.org/2000/svg" '
                  f'width="{LEFT + WIDTH + 40}" height="{top}" '
                  'font-family="sans-serif">\n'
                  '<rect width="100%" height="100%" fill="white"/>\n')
        out.write("\n".join(parts) + "\n</svg>\n")


if __name__ == "__main__":
    main()
