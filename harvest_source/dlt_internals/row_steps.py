"""Steps that a dlt user adds to a resource, such as ``add_map``, and our own step after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import dlt
from dlt.extract.incremental import Incremental, IncrementalResourceWrapper
from dlt.extract.items import ResolvablePipeItem
from dlt.extract.items_transform import ItemTransform, LimitItem, YieldMapItem
from dlt.extract.pipe import ForkPipe, Pipe

_TAKES_TABLES = (Incremental, IncrementalResourceWrapper, LimitItem)
"""dlt's own steps that work on Arrow tables as well as on rows."""


class _AllOfPage(ItemTransform[Any, Any]):
    """Applies an ``add_yield_map`` step to a whole page and collects its results into one page."""

    def __init__(self, step: YieldMapItem) -> None:
        super().__init__(step)
        self._step: Any = step

    def __call__(self, item: Any, meta: Any = None) -> Any:
        return item if isinstance(item, list) and not item else list(self._step(item, meta))


class LastStep(ItemTransform[Any, Any]):
    """
    The step after all steps that change or select rows, and before those that only count.

    Add it with ``DltResource.add_step``. When dlt's step classes move: offer ``as_rows`` only as an
    argument, and convert rows in the resource.

    Args:
        on_start: Called with the resource's name once for each of its runs, on the thread that runs
            the pipeline, before anything is read.
        finish: Called with the resource's name and a page of rows, which may be empty; returns what
            dlt loads. Items that are not rows pass through unchanged.
    """

    placement_affinity: ClassVar[float] = 0.95  # After validators (0.9), before incremental (1).

    def __init__(
        self, on_start: Callable[[str], None], finish: Callable[[str, list[Any]], Any]
    ) -> None:
        super().__init__(lambda item: item)
        self._on_start = on_start
        self._finish = finish
        self._pipe: Any = None

    def bind(self, pipe: Any) -> Any:
        """
        Move this step after every step that works on rows.

        dlt calls ``bind`` on each step in turn and stores the result in that step's place. If a
        step that the user inserted by position follows this one, the two swap places, and dlt comes
        to this one again.
        """
        steps = pipe.steps
        at = next(index for index, step in enumerate(steps) if step is self)
        if at + 1 < len(steps) and _takes_rows(steps[at + 1]):
            after = steps[at + 1]
            steps[at + 1] = self
            return after.bind(pipe) if isinstance(after, ItemTransform) else after
        for index, step in enumerate(steps):
            if isinstance(step, YieldMapItem):
                steps[index] = _AllOfPage(step)
        if self._pipe is pipe:  # dlt binds the parent of several transformers several times.
            return self
        bound = LastStep(self._on_start, self._finish)
        bound._pipe = pipe
        self._on_start(pipe.name)
        return bound

    def __call__(self, item: Any, meta: Any = None) -> Any:
        """Return *item* as dlt loads it; transformers get its rows."""
        rows = [item] if isinstance(item, dict) else item
        if not isinstance(rows, list):
            return item
        loaded = self._finish(self._pipe.name, rows)
        if not _find_transformers(self._pipe):
            return loaded
        return self._share(rows, loaded, meta)

    def _share(self, rows: list[Any], loaded: Any, meta: Any) -> Iterator[Any]:
        """Fork like dlt, but give transformers the rows; *meta* is for the resource's own table."""
        for pipe, step in self._pipe.tail._pipes:
            if pipe is self._pipe:
                yield ResolvablePipeItem(loaded, step, pipe, meta)
            elif rows:
                yield ResolvablePipeItem(rows, step, pipe, None)


def _takes_rows(step: Any) -> bool:
    return not isinstance(step, (LastStep, ForkPipe, *_TAKES_TABLES))


def _find_transformers(pipe: Any) -> list[Pipe]:
    """Find the transformers that take their rows from *pipe*."""
    fork = pipe.tail
    return (
        [each for each, _ in fork._pipes if each is not pipe] if isinstance(fork, ForkPipe) else []
    )


def has_row_steps() -> bool:
    """
    Whether the user's steps, or transformers, take the rows of the resource dlt is extracting.

    ``dlt.current.pipe`` is documented; a pipe's steps are not. Without them: yield rows only if the
    argument ``as_rows`` asks for them.
    """
    pipe: Any = dlt.current.pipe()
    return bool(_find_transformers(pipe)) or any(map(_takes_rows, pipe.steps[1:]))
