"""What a command leaves out when it starts."""

from __future__ import annotations

import subprocess
import sys


def test_httpx_goes_without_its_own_command_line() -> None:
    """As without rich installed, everything else in httpx works."""
    code = (
        "import sys; from harvest_source.startup import skip_httpx_command;"
        "skip_httpx_command();"
        "import httpx; httpx.Client(transport=httpx.MockTransport(lambda _: None)).close();"
        "print('rich' in sys.modules, httpx.main.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "httpx"]


def test_methods_are_compiled_when_they_are_called() -> None:
    """They work like dataclasses' own; on a Python version with other internals, those stay."""
    code = """
import dataclasses, sys
from harvest_source.startup import compile_methods_lazily
own = getattr(dataclasses, "_create_fn", None)
compile_methods_lazily()
is_late = getattr(dataclasses, "_create_fn", None) is not own

@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Pair:
    a: int
    b: list[int] = dataclasses.field(default_factory=list, compare=False)

@dataclasses.dataclass
class Open:
    a: int

def refuses(change):
    try:
        change()
    except dataclasses.FrozenInstanceError as error:
        return str(error)

one = Pair(1)
assert repr(one) == "Pair(a=1, b=[])", repr(one)
assert one == Pair(1, [2]) != Pair(2) and hash(one) == hash(Pair(1, [2])) and one != 1
assert Pair(1) < Pair(2) >= Pair(2) and sorted([Pair(2), Pair(1)])[0].a == 1
assert refuses(lambda: setattr(one, "a", 2)) == "cannot assign to field 'a'"
assert refuses(lambda: delattr(one, "a")) == "cannot delete field 'a'"
assert dataclasses.replace(one, a=3).a == 3 and Open(1) == Open(1) and Open.__hash__ is None
assert Pair.__eq__.__qualname__ == "Pair.__eq__"
print(is_late == (sys.version_info < (3, 13)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]


def test_the_garbage_collector_skips_imported_modules() -> None:
    """Only a command's own process does this: in a notebook, existing objects would stay."""
    code = (
        "import gc; from harvest_source.startup import freeze_modules, without_gc\n"
        "def read():\n"
        "    with without_gc():\n"
        "        import decimal, json\n"
        "    return gc.get_freeze_count()\n"
        "print(read(), freeze_modules(), read() > 1000, gc.isenabled())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "None", "True", "True"]


def test_neither_arrow_nor_duckdb_is_imported_before_the_first_question() -> None:
    """They are imported while Harvest answers, which takes about as long."""
    code = (
        "import sys; import harvest_source.operations.sync;"
        "print({'pyarrow', 'duckdb'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
