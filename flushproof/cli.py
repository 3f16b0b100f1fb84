"""The command line: puts the commands together, and turns errors into messages and exit statuses."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from flushproof.addresses import address_space
from flushproof.auditing import AuditError
from flushproof.commands.catalog import list_command, show_command
from flushproof.commands.check import check_command
from flushproof.commands.compare import compare_command, repair_command
from flushproof.commands.costs import costs_command
from flushproof.commands.explore import explore_command
from flushproof.commands.export import export_command
from flushproof.commands.lessons import lessons_command
from flushproof.commands.new import new_command
from flushproof.commands.operands import operands_command
from flushproof.commands.options import BAD_INPUT, INCONCLUSIVE, INTERNAL
from flushproof.commands.policies import policies_command
from flushproof.commands.prove import prove_command, verify_command
from flushproof.commands.simulate import simulate_command
from flushproof.commands.step import step_command
from flushproof.commands.trace import trace_command
from flushproof.commands.view import view_command
from flushproof.model.errors import FlushproofError
from flushproof.model.language.load import is_users, place_of
from flushproof.result import CertificateError, NoVerdict


class _Commands(click.Group):
    """A group whose commands may raise anything: a user sees one message, and a status that is no verdict.

    The commands are listed as one comes to need them.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _messages():  # --help and --version are carried out here
            return super().make_context(*args, **kwargs)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and not ctx.resilient_parsing:  # a shell that completes has half a command
            _refuse_odd_values(click.Context(command, ctx, name), rest)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that has no ✗ shows something else
        with _messages(), _stoppable():
            return super().invoke(ctx)


def _refuse_odd_values(ctx: click.Context, args: list[str]) -> None:
    """What click would take without a word: the last of two values of an option that has one, and digits of other scripts."""
    given, _, order = ctx.command.make_parser(ctx).parse_args(args=list(args))
    for option, times in Counter(order).items():
        if not isinstance(option, click.Option) or option.multiple or option.is_flag:
            continue
        if times > 1:
            raise click.UsageError(f"{option.opts[0]} is given {times} times; it takes one value.", ctx)
        if isinstance(option.type, _NUMBERS) and not str(given.get(option.name or "", "")).isascii():
            raise click.UsageError(f"{option.opts[0]}: write its number in the digits 0 to 9.", ctx)


_NUMBERS = (click.IntRange, click.FloatRange, type(click.INT), type(click.FLOAT))


_INTERRUPTED = "interrupted: no verdict"
_UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EBADF)


@contextmanager
def _messages() -> Iterator[None]:
    """Whatever is raised inside ends the program: with one message, and a status that is no verdict."""
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        try:
            yield
        finally:
            sys.stdout.flush()
    except FlushproofError as error:
        _fail(str(error), BAD_INPUT)
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except (AuditError, CertificateError) as error:
        _fail(str(NoVerdict(str(error), internal=True)), INTERNAL)
    except BaseException as error:
        if _is_interrupt(error):
            _fail(_INTERRUPTED, INCONCLUSIVE)
        place = place_of(error)
        if is_users(Path(place.file)):
            _fail(f"{place}: {type(error).__name__}: {error}", BAD_INPUT)
        if isinstance(error, SystemExit):
            raise
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            limit = address_space()
            hint = f"ulimit -v leaves it {limit / 2**30:.1f} GiB of addresses" if limit else "see --max-memory"
            _fail(f"out of memory: no verdict ({hint})", BAD_INPUT if limit else INCONCLUSIVE)
        if isinstance(error, OSError) and not error.filename and error.errno in _UNWRITABLE:
            # The interpreter writes what is left when it ends; that must not fail once more.
            if sys.stdout is not None:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            _fail(f"the output cannot be written: {error.strerror}", BAD_INPUT)
        traceback.print_exc()
        _fail("this is a bug of flushproof itself, please report it; it says nothing about the system", INTERNAL)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM alike are a KeyboardInterrupt: what was found by then is reported."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code.co_name == "from_param":
            _interrupt_soon()  # now ctypes would make another error of it, and what was found would be lost
            return
        sys.unraisablehook = _unraisable
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unraisable(what: Any) -> None:
    """After an interrupt: one that came while an object (of Z3's, say) was taken apart ends nothing, and so it comes once more.

    Nothing is printed: what was half made just then cannot be taken apart.
    """
    if _is_interrupt(what.exc_value):
        _interrupt_soon()


def _is_interrupt(error: BaseException | None) -> bool:
    """Also one that came while ctypes read an argument, for Z3 say, and is in the words of its error alone."""
    return isinstance(error, KeyboardInterrupt) or (
        isinstance(error, ctypes.ArgumentError) and KeyboardInterrupt.__name__ in str(error)
    )


def _interrupt_soon() -> None:
    """What is in the way now is done by then."""
    again = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT))
    again.daemon = True
    again.start()


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

    Exit status: 0 holds, 1 violated, 2 bad input, 3 inconclusive or vacuous.
    """


for _command in (
    list_command,
    show_command,
    check_command,
    trace_command,
    view_command,
    explore_command,
    step_command,
    prove_command,
    verify_command,
    simulate_command,
    costs_command,
    policies_command,
    compare_command,
    repair_command,
    export_command,
    operands_command,
    new_command,
    lessons_command,
):
    main.add_command(_command)
