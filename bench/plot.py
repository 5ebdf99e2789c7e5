"""Bars on a logarithmic scale, as an SVG: how many times what the work costs without anybody watching."""

import math
from xml.sax.saxutils import escape

COLOURS = ("#2b6cb0", "#c05621")
LABELS, WIDTH, BAR, GAP, TOP = 250, 460, 12, 14, 46


def bars(title, names, rows):
    """`rows`: (label, one ratio for each name; None where there is none). From 1, native, to the largest."""
    most = max(value for _, values in rows for value in values if value)
    decades = max(1, math.ceil(math.log10(most)))
    height = TOP + len(rows) * (len(names) * BAR + GAP) + 10

    def x(value):
        return LABELS + WIDTH * math.log10(max(value, 1)) / decades

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABELS + WIDTH + 70}" height="{height}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>', f'<text x="8" y="16" font-weight="bold">{escape(title)}</text>']
    for number, name in enumerate(names):
        parts.append(f'<rect x="{LABELS + 110 * number}" y="24" width="10" height="10" fill="{COLOURS[number]}"/>'
                     f'<text x="{LABELS + 110 * number + 15}" y="33">{escape(name)}</text>')
    for decade in range(decades + 1):
        parts.append(f'<line x1="{x(10**decade):.1f}" y1="{TOP - 4}" x2="{x(10**decade):.1f}" y2="{height - 8}" stroke="#ccc"/>'
                     f'<text x="{x(10**decade) + 3:.1f}" y="{height - 1}" fill="#777" font-size="10">{10**decade}×</text>')
    y = TOP
    for label, values in rows:
        parts.append(f'<text x="{LABELS - 8}" y="{y + len(names) * BAR / 2 + 4:.1f}" text-anchor="end">{escape(label)}</text>')
        for number, value in enumerate(values):
            if value:
                parts.append(f'<rect x="{LABELS}" y="{y}" width="{max(x(value) - LABELS, 1):.1f}" height="{BAR - 2}" fill="{COLOURS[number]}"/>'
                             f'<text x="{x(value) + 4:.1f}" y="{y + BAR - 3}" font-size="10">{value:.2f}</text>')
            y += BAR
        y += GAP
    return "\n".join(parts) + "\n</svg>\n"
