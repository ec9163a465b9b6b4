"""Tasks: the same files give the same ones on every machine, each file once, and shares that divide them."""

import errno
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.errors import UsageError
from kzmitm.ooni.archive import planning
from kzmitm.ooni.archive.planning import (
    MIN_TASK,
    PIECES,
    Shard,
    Source,
    parse_shard,
    plan,
    sources_in,
    unread,
)

FILES = (
    "20240101/a.jsonl.gz",
    "20240101/b.tar.gz",
    "20240102/a.jsonl.gz",
    "c.json",
    "d.post",
    "e.ZST",
    "f/g/h.ndjson",
    "g.lz4",
)
OTHERS = (".hidden.jsonl", ".hidden/a.jsonl", "f/.git/a.jsonl", "readme.txt", "a.jsonl.tmp", "jsonl")


@pytest.fixture
def folder(tmp_path):
    """Files of an archive, and others among them."""
    for number, name in enumerate((*FILES, *OTHERS)):
        path = tmp_path / "archive" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (100 + number))
    return tmp_path / "archive"


def ids(paths):
    return [task.id for task in plan(sources_in(paths))]


def test_files_of_a_folder_are_those_with_known_names_that_are_not_hidden(folder):
    found = sources_in([folder])
    assert [source.shown for source in found] == sorted(FILES)
    assert [source.size for source in found] == [100 + FILES.index(source.shown) for source in found]


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_that_is_named_is_read_whatever_its_name(folder, name):
    (found,) = sources_in([folder / name])
    assert found.shown == name.rpartition("/")[2]


def test_each_file_is_read_once_however_it_is_named(folder):
    again = [folder, folder / "c.json", folder / "f/../c.json", folder / "20240101", folder]
    (folder / "link.json").symlink_to("c.json")
    assert [source.shown for source in sources_in(again)] == sorted(FILES)


def test_what_is_no_file_is_not_read(folder):
    (folder / "to-nowhere.json").symlink_to("nowhere")
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    assert [source.shown for source in sources_in([folder])] == sorted(FILES)


@pytest.mark.parametrize("name", ["f", "."])
def test_a_folder_that_cannot_be_read_is_not_passed_over_in_silence(folder, name, monkeypatch):
    (folder / name).chmod(0)
    if os.geteuid() == 0:  # who may read everything
        original = os.scandir

        def forbidding(path):
            if Path(path) == folder / name:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return original(path)

        monkeypatch.setattr(os, "scandir", forbidding)
    found = {source.shown: source.mark for source in sources_in([folder])}
    (folder / name).chmod(0o700)
    assert found[name] == ""
    assert len(found) == (len(FILES) if name == "f" else 1)


def test_a_file_that_goes_or_cannot_be_looked_at_is_left_to_its_task(folder, monkeypatch):
    original = Path.stat

    def stat(path, **words):
        if path.name == "c.json":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return original(path, **words)

    monkeypatch.setattr(Path, "stat", stat)
    found = {source.shown: source.size for source in sources_in([folder])}
    assert found.keys() == set(FILES)
    assert found["c.json"] == 0


@pytest.mark.parametrize(
    ("name", "complaint"), [("none", "no such file or folder"), ("pipe.json", "neither a file nor a folder")]
)
def test_a_path_that_is_not_there_is_an_error_of_whoever_named_it(folder, name, complaint):
    os.mkfifo(folder / "pipe.json")
    with pytest.raises(UsageError, match=complaint):
        sources_in([folder / name])


def test_the_same_files_give_the_same_tasks_in_any_place(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "z/other place")
    assert ids([folder]) == ids([tmp_path / "z/other place"])


def test_another_size_or_name_gives_another_task(folder):
    before = ids([folder])
    (folder / "c.json").write_bytes(b"y" * 999)
    assert ids([folder]) != before
    (folder / "c.json").rename(folder / "c2.json")
    assert len({*before, *ids([folder])}) == 2


def test_names_that_are_no_text_are_shown_as_what_can_be_written(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.jsonl"
    with open(path, "wb") as file:  # noqa: PTH123 - octets
        file.write(b"x")
    for paths in ([tmp_path], [tmp_path / os.fsdecode(b"\xff.jsonl")]):
        (found,) = sources_in(paths)
        assert found.shown == "?.jsonl"
        assert os.fsencode(found.path) == path
        assert len(plan([found])) == 1


def test_each_size_is_looked_at_a_few_times_however_many_files_there_are():
    """A hundred thousand files that a fetch left empty are one task."""

    class Size(int):
        looked_at = 0

        def __add__(self, other):
            Size.looked_at += 1
            return int(self) + other

        __radd__ = __add__

    (task,) = plan(Source(str(number), f"{number:06}", Size(0)) for number in range(1000))
    assert len(task.sources) == 1000
    assert Size.looked_at < 5 * 1000


SOURCES = st.lists(
    st.builds(
        Source,
        path=st.text("abc/", min_size=1, max_size=4),
        shown=st.sampled_from(["a", "b", "c/d", "e"]),
        size=st.one_of(st.integers(0, 1000), st.integers(MIN_TASK - 5, 3 * MIN_TASK)),
    ),
    unique_by=lambda source: source.path,
    max_size=12,
)


@given(SOURCES, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_every_file_is_in_one_task_and_order_is_nothing(sources, rng):
    tasks = plan(sources)
    assert sorted(source.path for task in tasks for source in task.sources) == sorted(
        each.path for each in sources
    )
    assert len({task.id for task in tasks}) == len(tasks)
    mixed = list(sources)
    rng.shuffle(mixed)
    assert plan(mixed) == tasks
    most = max(sum(source.size for source in sources) // PIECES, MIN_TASK)
    assert all(task.size <= most or len(task.sources) == 1 for task in tasks)
    assert all(task.sources for task in tasks)


@given(SOURCES)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_tasks_do_not_depend_on_where_the_files_lie(sources):
    """Files of two folders may be called alike: then their sizes decide, and last where they lie."""
    moved = [
        Source(source.path[::-1] + str(number), source.shown, source.size)
        for number, source in enumerate(sources)
    ]
    assert [task.id for task in plan(moved)] == [task.id for task in plan(sources)]


def test_files_that_are_called_alike_and_are_as_long_are_still_two():
    """As `report.jsonl` of two probes: one part for both would lose one of them."""
    sources = [Source(f"{folder}/report.jsonl", "report.jsonl", MIN_TASK) for folder in "ab"]
    assert len({task.id for task in plan(sources)}) == 2


def test_a_large_archive_is_cut_into_tasks_of_a_bounded_size(monkeypatch):
    monkeypatch.setattr(planning, "MAX_TASK", 2 * MIN_TASK)
    tasks = plan(Source(str(number), f"{number:04}", MIN_TASK // 2) for number in range(1000))
    assert {task.size for task in tasks} == {2 * MIN_TASK}


def test_nothing_is_no_task():
    assert plan([]) == []


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_divide_the_tasks(count, monkeypatch):
    monkeypatch.setattr(planning, "MAX_TASK", MIN_TASK)
    tasks = plan(Source(str(number), f"{number:04}", MIN_TASK) for number in range(100))
    held = [[task for task in tasks if Shard(index, count).holds(task)] for index in range(1, count + 1)]
    assert sorted(task.id for share in held for task in share) == sorted(task.id for task in tasks)
    assert all(held)


@pytest.mark.parametrize(
    ("text", "shard"), [("1/1", Shard(1, 1)), ("3/4", Shard(3, 4)), ("02/10000", Shard(2, 10_000))]
)
def test_shares_are_written_i_of_n(text, shard):
    assert parse_shard(text) == shard


NO_SHARES = (
    "",
    "1",
    "/",
    "1/",
    "/1",
    "0/4",
    "5/4",
    "-1/4",
    "1/4/2",
    "a/b",
    "1/10001",
    "٣/٤",
    "1.0/2",
    " 1/2",
)


@pytest.mark.parametrize("text", [*NO_SHARES, "9" * 5000 + "/1"], ids=lambda text: ascii(text)[:12])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(ValueError):
        parse_shard(text)


def test_an_archive_that_grew_is_read_where_it_grew():
    """Sorted among the old ones, new files shift all tasks behind them; what was read is not read again."""
    before = [Source(f"{n}", f"{n:04}", MIN_TASK // 3, "m") for n in range(0, 40, 2)]
    after = [Source(f"{n}", f"{n:04}", MIN_TASK // 3, "m") for n in range(40)]
    done = plan(before)
    read = {source.identity for task in done for source in task.sources}
    left = unread(plan(after), {task.id for task in done}, read)
    assert [source.path for task in left for source in task.sources] == [f"{n}" for n in range(1, 40, 2)]
    assert not {task.id for task in left} & {task.id for task in done}
    assert unread(done, {task.id for task in done}, read) == done
    assert unread(plan(after), set(), set()) == plan(after)


@given(SOURCES, SOURCES)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_whatever_was_read_before_every_file_is_read(before, after):
    done = plan(before)
    parts = {task.id for task in done}
    read = {source.identity for task in done for source in task.sources}
    tasks = unread(plan(after), parts, read)
    in_tasks = {source.identity for task in tasks for source in task.sources}
    assert {each.identity for each in after} <= read | in_tasks
    assert len({task.id for task in tasks}) == len(tasks)
    # Those that cannot be told apart are all read, unless their very task was.
    alike = Counter(each.identity for each in after)
    for identity, count in alike.items():
        if count > 1:
            assert sum(s.identity == identity for task in tasks for s in task.sources) == count


def test_a_file_of_the_same_name_and_size_is_another_if_it_ends_otherwise(tmp_path):
    for name, end in (("a", b"1"), ("b", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.jsonl").write_bytes(b"x" * 5000 + end)
    assert ids([tmp_path / "a"]) != ids([tmp_path / "b"])
    (tmp_path / "b/report.jsonl").write_bytes(b"x" * 5000 + b"1")
    assert ids([tmp_path / "a"]) == ids([tmp_path / "b"])
