"""What a shell completes: systems, and of the system on the command line its policies, knobs and sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from flushproof.model.errors import FlushproofError
from flushproof.model.language.compile import compile_system
from flushproof.model.language.declare import Knob, System
from flushproof.model.language.load import load_file, load_system, shipped, systems_in
from flushproof.model.language.policies import knobs_of

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def systems_like(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """The shipped systems; of a file that is named, its classes; else files."""
    path, colon, _ = begun.rpartition(":")
    if colon and path.endswith(".py"):
        return _like(((f"{path}:{cls.__name__}", _first_line(cls)) for cls in _of_file(path)), begun)
    found = _like(((name, _first_line(cls)) for name, cls in shipped().items()), begun)
    return found or [CompletionItem(begun, type="file")]


def _of_file(path: str) -> list[type[System]]:
    try:
        return systems_in(load_file(Path(path)))
    except FlushproofError:
        return []  # what is wrong with it is told when it is checked


def _of_the_system(words: Callable[[type[System], str], Iterator[tuple[str, str]]]) -> Completion:
    """A completion that depends on the system that is on the command line already; nothing where it is none."""

    @wraps(words)
    def completion(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        # Where the value of an option is still to come, click leaves what stands before it among the arguments.
        spec = context.params.get("system") or next(iter(context.args), "")
        try:
            return _like(words(load_system(spec), begun), begun)
        except FlushproofError:
            return []

    return completion


@_of_the_system
def policies_like(cls: type[System], _begun: str) -> Iterator[tuple[str, str]]:
    """The policies, each with what it does."""
    return ((name, policy.doc) for name, policy in cls.policies.items())


@_of_the_system
def knobs_like(cls: type[System], begun: str) -> Iterator[tuple[str, str]]:
    """`fb=`, and once that is there `fb=on` and `fb=off`."""
    for name, knob in knobs_of(cls).items():
        if begun.startswith(f"{name}="):
            yield from ((f"{name}={Knob.text(value)}", "") for value in knob.values())
        else:
            yield f"{name}=", knob.doc


@_of_the_system
def sizes_like(cls: type[System], _begun: str) -> Iterator[tuple[str, str]]:
    """`cpu=2`: each sort with the size that it has by itself."""
    return ((f"{name.lower()}={size}", f"how many elements {name} has") for name, size in compile_system(cls).sizes.items())


def _like(words: Iterator[tuple[str, str]], begun: str) -> list[CompletionItem]:
    return [CompletionItem(word, help=doc or None) for word, doc in words if word.startswith(begun)]


def _first_line(cls: type[System]) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0] if cls.__doc__ else ""
