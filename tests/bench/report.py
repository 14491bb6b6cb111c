"""Figures into a Markdown table and an SVG chart. Pure: samples in, text out."""

import statistics
from xml.sax.saxutils import escape

UNITS = {"us": "µs", "bytes": "B"}
COLOURS = {"floor": "#b0b7c3", "haproxy": "#6c8ebf", "nginx": "#82b366", "telltale": "#d6604d"}
OURS = "telltale"
FLOOR = "floor"


def summarise(samples: dict[str, dict[str, list[float]]]) -> list[dict]:
    """row -> contender -> samples, into one record a row: medians, spreads, ratios."""
    out = []
    for row, by_name in samples.items():
        medians = {name: statistics.median(values) for name, values in by_name.items() if values}
        peers = {name: value for name, value in medians.items() if name not in (OURS, FLOOR)}
        best = min(peers, key=peers.get) if peers else None
        record = {"row": row, "medians": medians, "best_peer": best,
                  "spread": {name: [min(values), max(values)] for name, values in by_name.items() if values}}
        if OURS in medians:
            record["to_best_peer"] = medians[OURS] / peers[best] if best else None
            record["to_floor"] = medians[OURS] / medians[FLOOR] if FLOOR in medians else None
        out.append(record)
    return out


def figure(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if unit == "bytes" or value >= 100 else f"{value:.1f}"


def markdown(records: list[dict], titles: dict[str, tuple[str, str]], names: list[str]) -> str:
    """titles: row -> (title, unit)."""
    ours = OURS in names
    head = ["work", "unit", *names] + (["to the best peer", "to the floor"] if ours else [])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for record in records:
        title, unit = titles[record["row"]]
        cells = [title, UNITS[unit]] + [figure(record["medians"].get(name), unit) for name in names]
        if ours:
            best, floor = record.get("to_best_peer"), record.get("to_floor")
            cells.append(f"{best:.2f} × {record['best_peer']}" if best else "–")
            cells.append(f"{floor:.2f} ×" if floor else "–")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def svg(records: list[dict], titles: dict[str, tuple[str, str]], names: list[str]) -> str:
    """One group of horizontal bars a row, each row on its own scale."""
    bar, gap, left, width = 16, 26, 250, 860
    scale_to = width - left - 90
    y, body = 48, []
    for record in records:
        title, unit = titles[record["row"]]
        medians = record["medians"]
        if not medians:
            continue
        longest = max(medians.values()) or 1
        rows = [name for name in names if name in medians]
        body.append(f'<text x="{left - 90}" y="{y + bar * len(rows) / 2 + 4}" class="t" text-anchor="end">{escape(title)}</text>')
        for name in rows:
            value = max(medians[name], 0)
            length = max(value / longest * scale_to, 1)
            body.append(f'<text x="{left - 6}" y="{y + 12}" class="n" text-anchor="end">{escape(name)}</text>')
            body.append(f'<rect x="{left}" y="{y + 2}" width="{length:.1f}" height="{bar - 4}" '
                        f'fill="{COLOURS.get(name, "#888888")}"/>')
            body.append(f'<text x="{left + length + 6:.1f}" y="{y + 12}" class="n">{figure(medians[name], unit)} {UNITS[unit]}</text>')
            y += bar
        y += gap
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}">\n'
            '<style>text{font-family:sans-serif;fill:#222}.h{font-size:15px}.t{font-size:12px}.n{font-size:11px}</style>\n'
            f'<rect width="{width}" height="{y}" fill="#ffffff"/>\n'
            '<text x="16" y="26" class="h">What one request (or one idle connection) costs in the proxy; less is better</text>\n'
            + "\n".join(body) + "\n</svg>\n")
