"""The rows of a run as CSV and as markdown, with the ratios of the seconds."""

import csv
import io
import statistics

from measure import PEERS, RELUCERT

COLUMNS = [
    *("instance", "gamma", "solver", "status", "seconds", "cpu", "solver_seconds", "iterations"),
    *("value", "lower", "upper", "error", "bound", "certified_gap"),
]


def as_csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(rows):
    """Every row, then the ratios: one table each."""
    lines = [
        "| instance | γ | solver | status | seconds | CPU | value | true error | certified gap |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += map(detail, rows)
    return "\n".join([*lines, "", *ratio_table(rows, "seconds"), "", *ratio_table(rows, "cpu")]) + "\n"


def detail(row):
    """A row of the markdown table."""
    cells = [row["instance"], row["gamma"], row["solver"], row["status"], f"{row['seconds']:.2f}"]
    cells += [f"{row['cpu']:.2f}", shown(row, "value", ".7g"), shown(row, "error", "+.1e")]
    return line([*cells, shown(row, "certified_gap", ".1e")])


def shown(row, key, style):
    value = row.get(key)
    return "" if value is None else format(value, style)


def line(cells):
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


def ratio_table(rows, key):
    """Each peer's time over relucert's on the same instance; a run cut off at the limit counts as the limit."""
    peers = [peer for peer in PEERS if any(row["solver"] == peer for row in rows)]
    times = {(row["instance"], row["gamma"], row["solver"]): row[key] for row in rows}
    cases = list(dict.fromkeys((row["instance"], row["gamma"]) for row in rows))
    what = "seconds" if key == "seconds" else "CPU seconds"
    lines = [line(["instance", "γ", *(f"{peer} / relucert" for peer in peers)]), "|---" * (2 + len(peers)) + "|"]
    ratios = {peer: [] for peer in peers}
    for case in cases:
        cells = []
        for peer in peers:
            own, other = times.get((*case, RELUCERT)), times.get((*case, peer))
            if own and other is not None:
                ratios[peer].append(other / own)
            cells.append(f"{other / own:.2f}" if own and other is not None else "")
        lines.append(line([*case, *cells]))
    for name, summary in [("median", statistics.median), ("minimum", min)]:
        summaries = [f"{summary(ratios[peer]):.2f}" if ratios[peer] else "" for peer in peers]
        lines.append(line([name, "", *summaries]))
    return [f"Ratios of {what}:", "", *lines]
