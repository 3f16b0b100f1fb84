"""What pictures of graphs have in common: matplotlib, which is installed on demand, and the files that it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flushproof.model.errors import FlushproofError

FORMATS = (".svg", ".png")


def refuse_picture(path: Path) -> None:
    """Whether a picture can be drawn into such a file, said before anything is searched.

    Raises:
        FlushproofError: it is neither SVG nor PNG, or matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise FlushproofError(f"{path}: a picture is .svg or .png")
    matplotlib()


def matplotlib() -> Any:
    """The drawing library.

    Raises:
        FlushproofError: it is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise FlushproofError("this picture needs matplotlib: pip install 'flushproof[pictures]'") from None
    matplotlib.use("agg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "flushproof"})
    from matplotlib import pyplot

    return pyplot


def write_figure(figure: Any, path: Path) -> None:
    """Writes a figure, the same one the same each time, and closes it.

    Raises:
        FlushproofError: the file cannot be written.
    """
    try:
        figure.savefig(path, dpi=144, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise FlushproofError(f"{path}: {error.strerror}") from None
    finally:
        matplotlib().close(figure)
