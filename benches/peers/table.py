"""The rows of a run: as CSV, everything; as markdown, the times with their ratios and the errors."""

import csv
import io
import statistics
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from measure import PEERS, RELAXATION, RELUCERT, TIME_LIMIT

COLUMNS = [
    *("instance", "gamma", "solver", "status", "seconds", "cpu", "solver_seconds", "iterations"),
    *("value", "lower", "upper", "error", "bound", "upper_bound", "certified_gap", "shortfall"),
]
# Everything else is told beside the error.
SUCCESS = ["optimal", "solved", "Solved", "converged, verified"]


def as_csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(rows):
    cases = {}
    for row in rows:
        cases.setdefault((row["instance"], row["gamma"]), {})[row["solver"]] = row
    peers = [peer for peer in [RELAXATION, *PEERS] if any(peer in solvers for solvers in cases.values())]
    parts = [
        ("Seconds of the whole process, and their ratio to relucert's:", times(cases, peers, "seconds")),
        ("CPU seconds of the whole process, and their ratio to relucert's:", times(cases, peers, "cpu")),
        ("What is proved of the training problem itself, and how far the relaxation is from it:", proved(cases)),
        ("Relative error of the claimed value of the relaxation against the bracket:", errors(cases)),
    ]
    return "\n\n".join(f"{title}\n\n" + "\n".join(lines) for title, lines in parts) + "\n"


def times(cases, peers, key):
    """A peer cut off at the limit counts with the limit, a lower bound; one that failed has no ratio."""
    head = ["instance", "γ", RELUCERT]
    for peer in peers:
        head += [peer, "ratio"]
    lines = heading(head)
    ratios = {peer: [] for peer in peers}
    for case, solvers in cases.items():
        own = solvers.get(RELUCERT, {})
        cells = [*case, number(own.get(key), ".2f")]
        for peer in peers:
            other = solvers.get(peer, {})
            ended = other.get("value") is not None or other.get("status") == TIME_LIMIT
            ratio = other[key] / own[key] if ended and own.get("status") in SUCCESS else None
            if ratio is not None:
                ratios[peer].append(ratio)
            cells += [number(other.get(key), ".2f"), number(ratio, ".1f")]
        lines.append(line(cells))
    for name, summary in [("median", statistics.median), ("minimum", min)]:
        cells = [name, "", ""]
        for peer in peers:
            cells += ["", number(summary(ratios[peer]) if ratios[peer] else None, ".1f")]
        lines.append(line(cells))
    return lines


def proved(cases):
    """The bracket of the optimum by branch and bound; the relaxation's value is a bound below it."""
    lines = heading(["instance", "γ", "network", "lower bound", "gap", "relaxation", "short by"])
    for case, solvers in cases.items():
        own, value = (solvers.get(RELUCERT, {}), next(iter(solvers.values())).get("upper"))
        network = own.get("upper_bound")
        cells = [*case, outwards(network, 7, ROUND_CEILING), outwards(own.get("bound"), 7, ROUND_FLOOR)]
        cells.append(outwards(own.get("certified_gap"), 2, ROUND_CEILING))
        short = (network - value) / network if network and value else None
        lines.append(line([*cells, number(value, ".7g"), number(short, ".1%")]))
    return lines


def errors(cases):
    peers = [peer for peer in PEERS if any(peer in solvers for solvers in cases.values())]
    lines = heading(["instance", "γ", "value", RELAXATION, "certified gap", "bound short by", *peers])
    for case, solvers in cases.items():
        own = solvers.get(RELAXATION, {})
        value = next(iter(solvers.values())).get("upper")
        cells = [*case, number(value, ".7g"), outcome(own)]
        cells += [number(own.get(key), ".1e") for key in ("certified_gap", "shortfall")]
        lines.append(line([*cells, *(outcome(solvers.get(peer, {})) for peer in peers)]))
    return lines


def outcome(row):
    """The error, and the status where it is not plain success."""
    status = row.get("status", "")
    return " ".join(filter(None, [number(row.get("error"), "+.1e"), "" if status in SUCCESS else f"({status})"]))


def progress(row):
    """A line for whoever waits."""
    time = f"{row['seconds']:8.2f} s"
    return f"{row['instance']:16} {row['gamma']:<6} {row['solver']:18} {time}  {outcome(row) or row['status']}"


def number(value, style):
    return "" if value is None else format(value, style)


def outwards(value, digits, rounding):
    """So many digits of a bound, never beyond it."""
    return "" if value is None else f"{Context(digits, rounding).create_decimal(Decimal(value)):.{digits}g}"


def heading(names):
    return [line(names), "|---" * len(names) + "|"]


def line(cells):
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"
