from __future__ import annotations

from pathlib import Path

import pytest

from ddspec.doctor.mounts import mount_of, mounted

TABLE = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:26 / /mnt/two\040words rw,relatime - nfs4 server:/export rw,vers=4.2
31 22 0:27 / /mnt/two rw - tmpfs tmpfs rw,size=10k
32 22 0:28 / /ro ro,relatime - ext4 /dev/sdb1 rw
33 22 0:29 / /super rw - iso9660 /dev/sr0 ro
34 22 0:30 / /twice rw - ext4 /dev/sdc1 rw
35 34 0:31 / /twice rw - xfs /dev/sdd1 rw
not a line of a table
"""


@pytest.mark.parametrize(
    ("path", "point", "kind"),
    [
        pytest.param("/etc", "/", "ext4", id="the root"),
        pytest.param("/mnt/two words/store", "/mnt/two words", "nfs4", id="a space in its name"),
        pytest.param("/mnt/two/store", "/mnt/two", "tmpfs", id="the longest point wins"),
        pytest.param("/mnt/twofold", "/", "ext4", id="a name that only begins the same"),
        pytest.param("/twice/a", "/twice", "xfs", id="what is mounted later hides the earlier"),
    ],
)
def test_a_path_lies_on_the_innermost_mount(path: str, point: str, kind: str) -> None:
    found = mount_of(Path(path), TABLE)

    assert found is not None
    assert (found.point, found.kind) == (point, kind)


@pytest.mark.parametrize("path", ["/ro/x", "/super/x"], ids=["mounted so", "read-only itself"])
def test_a_read_only_mount_is_known(path: str) -> None:
    found = mount_of(Path(path), TABLE)

    assert found is not None
    assert found.read_only


def test_an_empty_table_names_no_file_system() -> None:
    assert mount_of(Path("/etc"), "") is None


def test_the_file_system_of_proc_is_found_on_this_machine() -> None:
    found = mounted(Path("/proc/self"))

    assert found is not None
    assert found.kind == "proc"
