"""Questions answered without processes: the worker's own code, with JSON in both directions."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from harvest_source.ask.exchange import Reply, Request
from harvest_source.ask.runner import Runner
from harvest_source.ask.worker import answer


class RunnerHere(Runner):
    """A runner whose worker is this process."""

    def _exchange(self, request: Request) -> Reply:
        given: Any = json.loads(json.dumps(asdict(request)))
        return Reply(**json.loads(json.dumps(asdict(answer(Request(**given))))))
