"""What is wrong with what a file names: each mistake one line, with its place and what to do."""

import pytest

FILE = """\
[campaign]
name = "wrong"
contact = "someone@example.org"

[targets]
lists = ["defualt", "kz-2021-2024"]
files = ["gone.txt", "bad.txt"]
names = ["not a host", "999.1.1.1", "good.test"]

[controls]
file = "gone.json"
names = ["http://control.test/"]

[[vantages]]
name = "home"
uri = "socks9://user:secret@proxy.test"

[[vantages]]
name = "other"
uri = "interface:nosuchif0"

[networks]
table = "table.txt"

[hooks]
on_finding = ["no-such-command-of-ours"]
"""


@pytest.fixture
def told(kzmitm, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(FILE)
    (tmp_path / "bad.txt").write_text("good.test\n\nvery bad\n")
    (tmp_path / "table.txt").write_text("192.0.2.0/24 AS64500\n192.0.2.0/99 AS1\n")
    done = kzmitm("campaign", "check", path)
    assert (done.code, done.out) == (2, "")
    assert "secret" not in done.err
    found = []
    for line in done.err.splitlines():
        name, _, rest = line.partition("wrong.toml:")
        number, key, what = rest.split(": ", 2)
        assert name == f"{tmp_path}/"
        found.append((int(number), key, what))
    return found


@pytest.mark.parametrize(
    ("line", "key", "parts"),
    [
        (6, "targets.lists", ("no list is called defualt", "there are", "default")),
        (6, "targets.lists", ("kz-2021-2024 exposes who asks for it", "set targets.sensitive = true")),
        (7, "targets.files", ("gone.txt", "No such file")),
        (7, "targets.files", ("bad.txt:3", "very bad", "write one host name")),
        (8, "targets.names", ("'not a host'", "give a host name")),
        (8, "targets.names", ("'999.1.1.1'", "give a host name")),
        (11, "controls.file", ("gone.json", "no such control file", "--record-control")),
        (12, "controls.names", ("only https", "give a host name")),
        (16, "vantages[1].uri", ("not a vantage: socks9", "use direct:")),
        (20, "vantages[2].uri", ("there is no interface nosuchif0", "`ip link`")),
        (23, "networks.table", ("table.txt:2", "not a prefix", "write lines like")),
        (26, "hooks.on_finding", ("no such command", "whole path")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_a_mistake_has_its_line_and_its_remedy(told, line, key, parts):
    assert any(
        (line, key) == (number, at) and all(part in what for part in parts) for number, at, what in told
    ), told


def test_none_is_told_twice_and_all_stand_in_the_order_of_lines(told):
    assert len(set(told)) == len(told) == 12
    assert [number for number, *_ in told] == sorted(number for number, *_ in told)


def test_a_run_tells_the_first_and_how_many_more(kzmitm, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(FILE)
    done = kzmitm("campaign", "run", path, "--i-understand", "--out", tmp_path / "out")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert "wrong.toml:6: targets.lists: no list is called defualt" in line
    assert "more)" in line
    assert "kzmitm campaign check FILE names all mistakes" in line
    assert not (tmp_path / "out").exists()


def test_what_only_a_run_needs_is_not_asked_for_by_who_looks_at_results(kzmitm, tmp_path):
    """The folder may lie on another computer than the vantages."""
    path = tmp_path / "far.toml"
    path.write_text(
        '[campaign]\nname = "far"\ncontact = "c"\n[targets]\nnames = ["a.test"]\n'
        '[[vantages]]\nname = "x"\nuri = "interface:nosuchif0"\n'
    )
    assert kzmitm("campaign", "check", path).code == 2
    assert "no campaign is there" not in kzmitm("campaign", "status", path).err
