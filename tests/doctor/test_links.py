from __future__ import annotations

from pathlib import Path

from ddspec.doctor.links import leaving_links


def test_a_link_that_stays_inside_is_fine(tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "real").mkdir(parents=True)
    (root / "link").symlink_to("real")

    assert leaving_links(root).leaving == ()


def test_a_link_out_of_the_folder_is_named(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")

    assert leaving_links(root).leaving == (root / "link",)


def test_a_link_to_a_sibling_whose_name_begins_the_same_leads_out(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (tmp_path / "data2").mkdir()
    (root / "link").symlink_to(tmp_path / "data2")

    assert leaving_links(root).leaving == (root / "link",)


def test_an_absolute_link_leads_out_wherever_it_points(tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "real").mkdir(parents=True)
    (root / "link").symlink_to(root / "real")

    assert leaving_links(root).leaving == (root / "link",)


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (root / "link").symlink_to("gone")

    assert leaving_links(root).leaving == (root / "link",)


def test_a_root_that_is_a_link_itself_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("x")
    (tmp_path / "data").symlink_to(tmp_path / "real")

    looked = leaving_links(tmp_path / "data")

    assert (looked.entries, looked.leaving, looked.whole) == (1, (), True)


def test_a_walk_out_of_time_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    assert not leaving_links(tmp_path, limit_s=-1).whole
