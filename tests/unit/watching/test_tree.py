"""What a look at code and configuration finds, and what two looks differ in."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from pollers.watching.changes import Changes, changes
from pollers.watching.ignored import ignored_file, own_files
from pollers.watching.tree import Tree, look

if TYPE_CHECKING:
    from pathlib import Path


class Project:
    """A folder with a configuration and the code of functions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "headrace.yaml"
        self.roots: dict[str, tuple[Path, ...]] = {}
        self.own: frozenset[str] = frozenset()
        self.write("headrace.yaml", "functions: {}")
        self.before = Tree()

    def write(self, name: str, text: str = "x") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def function(self, name: str, *roots: str) -> None:
        self.roots[name] = tuple(self.folder / root for root in roots)

    def look(self) -> Tree:
        return look(self.roots, self.config, self.own)

    def looked(self) -> Tree:
        """Look, and keep it to compare with."""
        self.before = self.look()
        return self.before

    def changes(self) -> Changes:
        """Since :meth:`looked`, with paths as seen from the folder."""
        found = changes(self.before, self.look())
        code = {name: [os.path.relpath(path, self.folder) for path in paths] for name, paths in found.code.items()}
        return Changes(code, [os.path.relpath(path, self.folder) for path in found.config])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(tmp_path)
    found.write("orders/app.py")
    found.write("audit/app.py")
    found.write("layer/python/shared.py")
    found.function("orders", "orders", "layer")
    found.function("audit", "audit")
    found.looked()
    return found


def test_nothing_has_changed(project: Project) -> None:
    """Two looks at the same files are alike."""
    assert not project.changes()


def test_a_changed_file_is_its_function_s(project: Project) -> None:
    """Of that function alone."""
    project.write("orders/app.py", "longer")
    assert project.changes() == Changes({"orders": ["orders/app.py"]})


def test_a_file_of_the_same_size_has_changed_when_it_was_written_again(project: Project) -> None:
    """By its time."""
    os.utime(project.folder / "orders/app.py", (1, 1))
    assert project.changes().code == {"orders": ["orders/app.py"]}


def test_a_layer_s_change_is_that_of_every_function_with_it(project: Project) -> None:
    """Layers may be shared."""
    project.function("audit", "audit", "layer")
    project.looked()
    project.write("layer/python/shared.py", "longer")
    assert project.changes().code == {name: ["layer/python/shared.py"] for name in ("orders", "audit")}


def test_new_and_deleted_files_are_changes(project: Project) -> None:
    """In new folders, too."""
    (project.folder / "orders/app.py").unlink()
    project.write("orders/deep/er/new.json")
    assert project.changes().code == {"orders": ["orders/app.py", "orders/deep/er/new.json"]}


def test_the_configuration_is_no_code(project: Project) -> None:
    """Although the code folder may be its own folder."""
    project.function("orders", ".")
    project.looked()
    project.write("headrace.yaml", "functions: {a: {}}")
    assert project.changes() == Changes(config=["headrace.yaml"])


def test_a_folder_s_new_file_is_of_the_configuration(project: Project) -> None:
    """As the folder is read: only .yaml, .yml and .json."""
    project.write("conf/a.yaml")
    project.config = project.folder / "conf"
    project.looked()
    project.write("conf/b.yml")
    project.write("conf/notes.txt")
    assert project.changes() == Changes(config=["conf/b.yml"])


@pytest.mark.parametrize(
    "name",
    [
        ".git/HEAD",
        "__pycache__/app.cpython-311.pyc",
        ".mypy_cache/x",
        ".venv/lib/a.py",
        "node_modules/left-pad/index.js",
        ".app.py.swp",
        "app.py~",
        "4913",
        "#app.py#",
        ".#app.py",
        "run.log",
        ".headrace/checkpoints.db",
    ],
)
def test_what_no_function_runs_is_not_watched(project: Project, name: str) -> None:
    """Caches, virtual environments, version control, editors' temporary files and logs, at any depth."""
    project.write(f"orders/{name}")
    project.write(f"orders/deep/{name}")
    assert not project.changes()
    assert not any(folder.endswith(tuple({*name.split("/")[:-1]})) for folder in project.look().folders if "/" in name)


def test_a_virtual_environment_is_known_whatever_it_is_called(project: Project) -> None:
    """By its file pyvenv.cfg."""
    project.write("orders/python-here/pyvenv.cfg")
    project.write("orders/python-here/lib/a.py")
    assert not project.changes()


def test_a_code_folder_of_an_ignored_name_is_watched(project: Project) -> None:
    """What `sam build` makes is below .aws-sam, for one."""
    project.write(".aws-sam/build/Orders/app.py")
    project.function("orders", ".aws-sam/build/Orders")
    project.looked()
    project.write(".aws-sam/build/Orders/app.py", "longer")
    assert project.changes().code == {"orders": [".aws-sam/build/Orders/app.py"]}


def test_what_headrace_writes_is_not_watched(project: Project) -> None:
    """Checkpoints and state may be in the code folder; with what SQLite puts beside them."""
    project.function("orders", ".")
    project.own = own_files(project.folder / "kept.db", project.folder / "runtime.state")
    project.looked()
    for name in ("kept.db", "kept.db-wal", "kept.db-shm", "runtime.state/state.db"):
        project.write(name)
    assert not project.changes()
    tree = project.look()
    assert not tree.matters(str(project.folder / "kept.db-wal"))
    assert str(project.folder / "runtime.state") not in tree.folders


def test_checkpoints_in_a_table_are_no_file(tmp_path: Path) -> None:
    """Only the state's folder is left out then."""
    assert own_files(None, tmp_path / "state") == {str(tmp_path / "state")}


def test_a_folder_that_was_made_again_is_another_to_listen_to(project: Project) -> None:
    """The system goes on to tell of the one that is gone. Meanwhile it is listened for where it was."""
    shutil.rmtree(project.folder / "orders")
    gone = project.look()
    assert changes(project.before, gone).code.keys() == {"orders"}
    assert str(project.folder / "orders") not in gone.folders
    assert gone.matters(str(project.folder / "orders"))
    (project.folder / "spare").mkdir()  # takes the inode that the old folder had
    project.write("orders/app.py")
    again = project.look()
    assert changes(gone, again).code.keys() == {"orders"}
    assert str(project.folder / "orders") in again.folders


def test_a_link_to_code_is_followed_where_it_leads_to(project: Project) -> None:
    """Switching it is a change, and another folder to listen to."""
    project.write("releases/1/app.py", "one")
    project.write("releases/2/app.py", "two")
    link = project.folder / "current"
    link.symlink_to("releases/1")
    project.function("orders", "current")
    tree = project.looked()
    assert tree.matters(str(link))
    link.unlink()
    link.symlink_to("releases/2")
    assert project.changes().code == {"orders": ["current/app.py"]}
    assert project.look().folders[str(link)] != tree.folders[str(link)]


def test_a_link_on_the_way_to_the_code_is_listened_to(project: Project) -> None:
    """As of a deployment whose `current` is switched."""
    project.write("releases/1/src/app.py")
    (project.folder / "current").symlink_to("releases/1")
    project.function("orders", "current/src")
    assert project.look().matters(str(project.folder / "current"))


def test_a_linked_file_is_watched_where_it_is(project: Project) -> None:
    """The system tells of it there."""
    shared = project.write("elsewhere/shared.py")
    (project.folder / "orders/shared.py").symlink_to(shared)
    tree = project.looked()
    assert tree.matters(str(shared))
    assert not tree.matters(str(shared.with_name("other.py")))
    shared.write_text("longer")
    assert project.changes().code == {"orders": ["orders/shared.py"]}


def test_links_in_a_circle_end(project: Project) -> None:
    """A link to a folder that it is in is not gone into."""
    (project.folder / "orders/again").symlink_to(project.folder / "orders")
    (project.folder / "orders/nowhere").symlink_to(project.folder / "not there")
    assert len(project.look().folders) < 12


def test_a_zip_file_is_code(project: Project) -> None:
    """Listened to in its folder, for its name only."""
    project.write("dist/orders.zip")
    project.function("orders", "dist/orders.zip")
    tree = project.looked()
    assert tree.matters(str(project.folder / "dist/orders.zip"))
    assert not tree.matters(str(project.folder / "dist/other.zip"))
    project.write("dist/orders.zip", "longer")
    assert project.changes().code == {"orders": ["dist/orders.zip"]}


def test_code_that_the_configuration_puts_elsewhere_has_not_changed(project: Project) -> None:
    """The configuration has, and renews the function itself."""
    project.function("orders", "audit")
    assert not project.changes()


def test_a_folder_that_nobody_may_read_is_empty(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """No look fails for it."""

    def refuse(path: str) -> None:
        raise PermissionError(path)

    monkeypatch.setattr("pollers.watching.tree.os.scandir", refuse)
    assert project.look().code == {"orders": {}, "audit": {}}


@pytest.mark.parametrize("name", ["app.py", "index.mjs", "bootstrap", "data.json", ".env", "logs.py", "lockers.py"])
def test_code_is_not_ignored(name: str) -> None:
    """Files that functions read, whatever they are."""
    assert not ignored_file(name)
