"""What the system allows a process, from files as Linux writes them, and from limits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harvest_source.machine import SMALL, read_memory, read_processors
from harvest_source.process_limits import ADDRESS_SPACE

MB = 1024 * 1024
V1_NONE = "9223372036854771712"
"""Version 1's number for no limit."""

Tree = dict[str, str]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine whose real memory and address space exceed every limit below."""
    return tmp_path


def write(root: Path, tree: Tree) -> Path:
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


GROUPS: dict[str, tuple[Tree, int]] = {
    "version 2, its own group": (
        {
            "proc/self/cgroup": "0::/system.slice/sync.service",
            "sys/fs/cgroup/system.slice/sync.service/memory.max": str(64 * MB),
            "sys/fs/cgroup/system.slice/memory.max": "max",
        },
        64,
    ),
    "version 2, a group around it": (
        {
            "proc/self/cgroup": "0::/system.slice/sync.service",
            "sys/fs/cgroup/system.slice/sync.service/memory.max": "max",
            "sys/fs/cgroup/system.slice/memory.max": str(32 * MB),
        },
        32,
    ),
    "version 2, slowed down before the end": (
        {
            "proc/self/cgroup": "0::/sync",
            "sys/fs/cgroup/sync/memory.max": str(64 * MB),
            "sys/fs/cgroup/sync/memory.high": str(48 * MB),
        },
        48,
    ),
    "version 2, a container": (
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": str(16 * MB)},
        16,
    ),
    "version 2 beside version 1": (
        {
            "proc/self/cgroup": "1:name=systemd:/x\n0::/sync",
            "sys/fs/cgroup/unified/sync/memory.max": str(8 * MB),
        },
        8,
    ),
    "version 1, its own group": (
        {
            "proc/self/cgroup": "4:memory:/jobs/one\n1:cpu,cpuacct:/",
            "sys/fs/cgroup/memory/jobs/one/memory.limit_in_bytes": str(24 * MB),
            "sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": V1_NONE,
        },
        24,
    ),
    "version 1, a group around it": (
        {
            "proc/self/cgroup": "4:memory:/jobs/one",
            "sys/fs/cgroup/memory/jobs/one/memory.limit_in_bytes": V1_NONE,
            "sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": str(12 * MB),
        },
        12,
    ),
    "version 1, a container that is named as outside": (
        {
            "proc/self/cgroup": "4:memory:/docker/0123abcd",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(20 * MB),
        },
        20,
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_smallest_limit_of_the_control_groups_applies(machine: Path, name: str) -> None:
    """The smallest limit among the process's groups applies."""
    tree, megabytes = GROUPS[name]
    assert read_memory(write(machine, tree)) == megabytes * MB


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/memory.max": "max"},
        {"proc/self/cgroup": "4:memory:/", "sys/fs/cgroup/memory/memory.limit_in_bytes": V1_NONE},
        {"proc/self/cgroup": "not a group", "sys/fs/cgroup/memory.max": "1"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "many"},
    ],
)
def test_without_a_control_group_limit_the_machines_memory_applies(
    machine: Path, tree: Tree
) -> None:
    """The machine's memory applies, or a limit of this process."""
    found = read_memory(write(machine, tree))
    assert found is not None
    assert found == read_memory(machine / "nothing")
    assert found > 64 * MB


@pytest.mark.parametrize(
    ("kind", "limit", "expected"),
    [
        ("AS", ADDRESS_SPACE, SMALL),
        ("AS", ADDRESS_SPACE + 100 * MB, SMALL + 100 * MB),
        ("DATA", 300 * MB, 300 * MB),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hold these limits")
def test_a_limit_of_the_process_applies(kind: str, limit: int, expected: int) -> None:
    """The limit is on data, or on address space, most of which a sync reserves but never uses."""
    code = (
        "import resource, sys; from harvest_source.machine import read_memory\n"
        f"resource.setrlimit(resource.RLIMIT_{kind}, ({limit}, {limit}))\n"
        "print(read_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == expected


@pytest.mark.parametrize(
    ("tree", "processors"),
    [
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "50000 100000"}, 1),
        ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "100000 100000"}, 1),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/a",
                "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "100000",
                "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
            },
            1,
        ),
        ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "max 100000"}, None),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/a",
                "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
            },
            None,
        ),
    ],
)
def test_a_share_of_processor_time_counts_as_processors(
    machine: Path, tree: Tree, processors: int | None
) -> None:
    """A share of time counts as that many processors; without a limit, all count."""
    everything = read_processors(machine / "nothing")
    assert everything >= 1
    assert read_processors(write(machine, tree)) == (processors or everything)
