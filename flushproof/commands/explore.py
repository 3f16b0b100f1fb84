"""`flushproof explore`: a page in which the reader picks each step."""

from __future__ import annotations

from pathlib import Path

import click

from flushproof.checking import source_of
from flushproof.commands.options import (
    along_option,
    open_option,
    page_written,
    settings_options,
    system_argument,
    try_path,
)
from flushproof.commands.progress import counted
from flushproof.commands.trace import begun_by
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.report.explorer import explorer_page
from flushproof.report.plotting import refuse_picture
from flushproof.report.states import draw_states
from flushproof.report.words import many
from flushproof.search.graph import graph

MOST = 5_000
"""How many states a page has at most, if not asked otherwise: it opens in a second or two."""

MOST_DRAWN = 300
"""How many states a picture has at most, if not asked otherwise: more are a cloud."""


@click.command("explore", short_help="Write a page in which you pick each step.")
@system_argument()
@settings_options
@click.option("--beside", metavar="NAME", multiple=True, help="Another policy to stand beside, under the same settings.")
@along_option("at whose end the page opens; its states are in the page, and what is near them")
@click.option(
    "--max-states",
    metavar="N",
    type=click.IntRange(min=1),
    help=f"So many states.  [default: {MOST:,}; in a picture {MOST_DRAWN}]",
)
@click.option(
    "--html",
    metavar="PAGE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the page.  [default: SYSTEM.html, here; none with --picture]",
)
@click.option(
    "--picture",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the states and the steps between them into FILE.svg or FILE.png: as a rule of the smallest sizes.",
)
@open_option
def explore_command(
    system: str,
    policy: str | None,
    knobs: dict[str, str],
    sizes: dict[str, str],
    beside: tuple[str, ...],
    along: Path | None,
    max_states: int | None,
    html: Path | None,
    picture: Path | None,
    opens: bool,
) -> None:
    """Writes a page in which you walk through SYSTEM: it shows what can happen next, what each step would change, when something is
    violated, and what can no longer be. The address of the page holds the walk.

    \b
    flushproof explore kvm-vcpu-switch --policy none --open
    flushproof explore kvm-vcpu-switch --policy none --beside last-ran --open
    flushproof explore kvm-vcpu-switch --policy none --size cpu=1 --picture states.svg

    All states are in the page if there are no more than --max-states; else the nearest, and the page says so.
    """
    cls = load_system(system)
    instances = [instantiate(cls, name, knobs, sizes) for name in (policy, *beside)]
    begun = None if along is None else begun_by(along, system, instances[0])
    walk = () if begun is None else begun.states
    if picture is not None:
        refuse_picture(picture)
        try_path(picture)
        drawn = draw_states(graph(instances[0], max_states or MOST_DRAWN, walk, by_names=False), picture, walk)
        click.echo(f"{picture}: {many(drawn, 'state')}")
        if html is None and not opens:
            return
    page = Path(f"{instances[0].system.name}.html") if html is None else html
    try_path(page)
    with counted("exploring", len(instances)) as done:
        graphs = []
        for number, instance in enumerate(instances):
            graphs.append(graph(instance, max_states or MOST, walk if number == 0 else ()))
            done()
    page_written(page, explorer_page(graphs, source_of(cls), along=begun), opens)
