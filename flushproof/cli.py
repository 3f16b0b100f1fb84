"""The command line: puts the commands together, and turns errors into messages and exit statuses."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from flushproof.checking import CertificateError
from flushproof.commands.catalog import list_command, show_command
from flushproof.commands.check import check_command
from flushproof.commands.costs import costs_command
from flushproof.commands.export import export_command
from flushproof.commands.operands import operands_command
from flushproof.commands.options import BAD_INPUT, INCONCLUSIVE, INTERNAL
from flushproof.commands.prove import prove_command, verify_command
from flushproof.commands.simulate import simulate_command
from flushproof.commands.trace import trace_command
from flushproof.model.errors import FlushproofError
from flushproof.model.language.load import is_users, place_of


class _Commands(click.Group):
    """A group whose commands may raise anything: a user sees one message, and a status that is no verdict.

    The commands are listed as one comes to need them.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that has no ✗ shows something else
        try:
            with _stoppable():
                return super().invoke(ctx)
        except FlushproofError as error:
            _fail(str(error), BAD_INPUT)
        except KeyboardInterrupt:
            _fail("interrupted: no verdict", INCONCLUSIVE)
        except MemoryError:
            _fail("out of memory: no verdict (see --max-memory)", INCONCLUSIVE)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _fail("", INCONCLUSIVE)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except CertificateError as error:
            traceback.print_exc()
            _fail(f"INTERNAL ERROR, no verdict: {error}. Please report it.", INTERNAL)
        except Exception as error:
            place = place_of(error)
            if is_users(Path(place.file)):
                _fail(f"{place}: {type(error).__name__}: {error}", BAD_INPUT)
            traceback.print_exc()
            _fail("this is a bug of flushproof itself, please report it; it says nothing about the system", INTERNAL)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM alike are a KeyboardInterrupt: what was found by then is reported."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _fail(message: str, status: int) -> None:
    if message:
        click.echo(f"flushproof: {message}", err=True)
    sys.exit(status)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: flushproof check kvm-vcpu-switch --policy none",
)
@click.version_option(package_name="flushproof")
def main() -> None:
    """Checks that hypervisors and kernels keep TLBs and caches coherent.

    A system (a mechanism such as KVM's VMID rollover) runs on a small machine under a policy (which flush happens where).
    flushproof explores every interleaving and says whether each property holds; where one does not, it shows the shortest
    way to break it.

    Exit status: 0 holds, 1 violated, 2 bad input, 3 inconclusive.
    """


for _command in (
    list_command,
    show_command,
    check_command,
    trace_command,
    prove_command,
    verify_command,
    simulate_command,
    costs_command,
    export_command,
    operands_command,
):
    main.add_command(_command)
