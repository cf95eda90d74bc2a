"""Steps that a dlt user adds to a resource, such as ``add_map``, and a step of ours behind them."""

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
    """``add_yield_map`` on a whole page, so that its results stay one page."""

    def __init__(self, step: YieldMapItem) -> None:
        super().__init__(step)
        self._step: Any = step

    def __call__(self, item: Any, meta: Any = None) -> Any:
        return item if isinstance(item, list) and not item else list(self._step(item, meta))


class LastStep(ItemTransform[Any, Any]):
    """
    The step behind all steps that change or choose rows, and before those that only count.

    Add it with ``DltResource.add_step``. Where dlt's classes of steps move: offer ``as_rows`` only
    as an argument, and convert rows in the resource.

    Args:
        on_start: Called with the resource's name once for each of its runs, on the thread that runs
            the pipeline, before anything is read.
        finish: Gets that name and a page of rows, perhaps an empty one, and returns what is loaded.
            Items that are not rows are handed on as they are.
    """

    placement_affinity: ClassVar[float] = 0.95  # Behind validators (0.9), before incremental (1).

    def __init__(
        self, on_start: Callable[[str], None], finish: Callable[[str, list[Any]], Any]
    ) -> None:
        super().__init__(lambda item: item)
        self._on_start = on_start
        self._finish = finish
        self._pipe: Any = None

    def bind(self, pipe: Any) -> Any:
        """
        Take the place behind every step that works on rows.

        dlt calls it for each step in turn and stores what it returns in that step's place. A step
        that a user has inserted by number may stand behind this one: they swap places, and dlt goes
        on to this one again.
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
        """*item* as it is loaded; transformers get the rows."""
        rows = [item] if isinstance(item, dict) else item
        if not isinstance(rows, list):
            return item
        loaded = self._finish(self._pipe.name, rows)
        if not _find_transformers(self._pipe):
            return loaded
        return self._share(rows, loaded, meta)

    def _share(self, rows: list[Any], loaded: Any, meta: Any) -> Iterator[Any]:
        """As dlt's fork, but each with the form that it needs; hints are for the own table only."""
        for pipe, step in self._pipe.tail._pipes:
            if pipe is self._pipe:
                yield ResolvablePipeItem(loaded, step, pipe, meta)
            elif rows:
                yield ResolvablePipeItem(rows, step, pipe, None)


def _takes_rows(step: Any) -> bool:
    return not isinstance(step, (LastStep, ForkPipe, *_TAKES_TABLES))


def _find_transformers(pipe: Any) -> list[Pipe]:
    """Transformers that take their rows from *pipe*."""
    fork = pipe.tail
    return (
        [each for each, _ in fork._pipes if each is not pipe] if isinstance(fork, ForkPipe) else []
    )


def has_row_steps() -> bool:
    """
    Whether steps of a user, or transformers, take the rows of the resource that is being drawn.

    ``dlt.current.pipe`` is documented, the steps of a pipe are not. Without them: rows where the
    argument ``as_rows`` asks for them.
    """
    pipe: Any = dlt.current.pipe()
    return bool(_find_transformers(pipe)) or any(map(_takes_rows, pipe.steps[1:]))
