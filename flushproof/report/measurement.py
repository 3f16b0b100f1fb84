"""What policies cost under a workload: for a terminal, as JSON, and as a picture of cost against safety."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flushproof.laboratory.lattice import Lattice
from flushproof.laboratory.measuring import Measurement, Row
from flushproof.report.catalog import table
from flushproof.report.lattice import SAFE, UNKNOWN, UNSAFE
from flushproof.report.plotting import matplotlib, refuse_picture, write_figure
from flushproof.report.trace import Look
from flushproof.search.sampling import WALKS, Figure


def measurement_text(found: Measurement, look: Look) -> str:
    """One row for each policy, the cheapest safe one first; then the order that holds whatever the workload."""
    names = found.operations
    says = f": {found.workload.doc}" if found.workload.doc else ""
    parts = [look.strong(look.wrapped(f"Under the workload '{found.workload.name}'{says}"))]
    rows = [[_rank(row), row.name, *(_figure(row.sample.figures.get(name)) for name in names)] for row in found.rows]
    parts.append(table(["", "policy", *names], rows, look))
    weaker = [f"{row.name} than {' and than '.join(row.weaker)}" for row in found.rows if row.weaker]
    dearer = [f"{row.name} than {' and than '.join(row.dearer)}" for row in found.rows if row.dearer]
    notes = [
        "In a thousand events of the world. The number in front of a safe policy: 1 + how many of them cost less under "
        f"'{found.workload.name}', that is, have less of something for certain and more of nothing. "
        f"±: 95 % confidence, by {WALKS} walks of {found.steps:,} steps from seed {found.seed}; without: no walk met it."
    ]
    if first := next((row.sample for row in found.rows if row.sample.figures), None):
        mix = sorted(((f.mean, name) for name, f in first.figures.items() if name in first.happened), reverse=True)
        notes.append(f"Of a thousand events: {', '.join(f'{name} {mean:.0f}' for mean, name in mix)}.")
    if weaker:
        notes.append(f"Whatever the workload, by the declared orders, less is done by: {'; '.join(weaker)}.")
    if dearer:
        notes.append(f"And yet these cost more here, though they do less: {'; '.join(dearer)}.")
    if not found.complete:
        notes.append("An interrupt came before all were measured.")
    return "\n\n".join([*parts, look.faint("\n".join(map(look.wrapped, notes)))])


def _rank(row: Row) -> str:
    if row.cheaper is not None:
        return str(row.cheaper + 1)
    return "not safe" if row.safe is False else "not known"


def _figure(figure: Figure | None) -> str:
    return "0" if figure is None or not figure.mean else f"{figure.mean:.1f} ±{figure.margin:.1f}"


def measurement_json(found: Measurement | None, lattice: Lattice) -> dict[str, Any] | None:
    """The same for machines; null where nothing was measured."""
    if found is None:
        return None
    workload = found.workload
    return {
        "workload": {
            "name": workload.name, "doc": workload.doc, "pace": workload.pace, "rates": dict(workload.rates)
        },
        "walks": WALKS,
        "steps": found.steps,
        "seed": found.seed,
        "complete": found.complete,
        "policies": [
            {
                "name": row.name,
                "values": lattice.text(row.point),
                "safe": row.safe,
                "rank": None if row.cheaper is None else row.cheaper + 1,
                "weaker_than": list(row.weaker),
                "yet_costs_more_than": list(row.dearer),
                "events": row.sample.events,
                "per_thousand": {
                    name: {
                        "mean": round(f.mean, 6), "margin": round(f.margin, 6), "event": name in row.sample.happened
                    }
                    for name, f in row.sample.figures.items()
                },
            }
            for row in found.rows
        ],
    }  # fmt: skip


def draw_costs(found: Measurement, lattice: Lattice, path: Path) -> None:
    """Draws cost against safety: a bar for each policy, of all that it costs, safe ones above the others.

    Raises:
        FlushproofError: the picture is neither SVG nor PNG, or cannot be written; matplotlib is not installed.
    """
    refuse_picture(path)
    rows, names = found.rows[::-1], found.operations
    figure, axes = matplotlib().subplots(figsize=(10.0, 1.8 + 0.42 * len(rows)), layout="constrained")
    left = [0.0] * len(rows)
    colours = matplotlib().get_cmap("tab20").colors
    for number, name in enumerate(names):
        widths = [f.mean if (f := row.sample.figures.get(name)) else 0.0 for row in rows]
        margins = [f.margin if (f := row.sample.figures.get(name)) else 0.0 for row in rows]
        shown = [m if w else float("nan") for m, w in zip(margins, widths, strict=True)]
        axes.barh(
            range(len(rows)), widths, left=left, xerr=shown, color=colours[number % len(colours)], label=name, height=0.66,
            error_kw={"elinewidth": 0.8, "ecolor": "#404040"},
        )  # fmt: skip
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.set_yticks(range(len(rows)), [f"{row.name}  {_mark(row)}" for row in rows], fontsize=8)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(SAFE if row.safe else UNSAFE if row.safe is False else UNKNOWN)
    axes.set_xlabel(
        f"in a thousand events of the workload '{found.workload.name}'; thin lines: 95 % confidence", fontsize=9
    )
    axes.set_title(f"{lattice}: cost against safety", fontsize=11, loc="left")
    figure.legend(fontsize=8, frameon=False, ncols=min(8, len(names)), loc="outside lower center")
    axes.spines[["top", "right"]].set_visible(False)
    write_figure(figure, path)


def _mark(row: Row) -> str:
    return "✓" if row.safe else "✗" if row.safe is False else "?"
