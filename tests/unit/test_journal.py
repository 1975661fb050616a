"""The journal on real files: what it promises, and what it does when the disk does not."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import JournalError
from device.journal import Journal, connect
from device.journal_reading import open_reader
from device.migrations import MIGRATIONS

NOTES = (("CREATE TABLE notes (id TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT",),)
TITLED = (*NOTES, ("ALTER TABLE notes ADD COLUMN title TEXT NOT NULL DEFAULT ''",))
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.sqlite"


def add(journal: Journal, number: int, text: str = "x") -> None:
    journal.write(lambda db: db.execute("INSERT OR IGNORE INTO notes (id, text) VALUES (?, ?)", (str(number), text)))


def count(journal: Journal) -> int:
    return int(journal.read(lambda db: db.execute("SELECT count(*) FROM notes").fetchone()[0]))


def filled(path: Path, rows: int = 2000) -> None:
    with contextlib.closing(Journal(path, NOTES)) as journal:
        journal.write(lambda db: db.executemany("INSERT INTO notes VALUES (?, ?)", ((f"{n:06}", f"note {n} " * 9) for n in range(rows))))


def test_connection_has_every_setting_our_promises_rest_on(path):
    path.parent.mkdir()
    with contextlib.closing(connect(path)) as db:
        wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 5000, "temp_store": 2}
        assert {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted} == wanted
    assert path.stat().st_mode & 0o777 == 0o600


def test_write_keeps_nothing_when_the_work_fails(path):
    with contextlib.closing(Journal(path, NOTES)) as journal:

        def half(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO notes VALUES ('a', 'b')")
            raise KeyError("half way")

        with pytest.raises(KeyError, match="half way"):
            journal.write(half)
        assert count(journal) == 0


def test_row_that_does_not_fit_is_refused_and_the_journal_goes_on(path):
    with contextlib.closing(Journal(path, NOTES)) as journal:
        for bad in (None, 2**70):
            with pytest.raises(JournalError) as caught:
                journal.write(lambda db, bad=bad: db.execute("INSERT INTO notes VALUES ('a', ?)", (bad,)))
            assert caught.value.code == "journal-row-refused"
        add(journal, 1)
        assert count(journal) == 1


def test_second_writer_is_refused_while_the_first_lives(path):
    with contextlib.closing(Journal(path, NOTES)) as first, contextlib.closing(Journal(path, NOTES)) as second:
        add(first, 1)
        with pytest.raises(JournalError) as caught:
            add(second, 2)
        assert caught.value.code == "journal-in-use"
        first.close()
        add(second, 2)
        assert count(second) == 2


def test_newer_journal_is_refused_before_it_is_touched(path):
    with contextlib.closing(Journal(path, TITLED)) as journal:
        add(journal, 1)
    before = path.read_bytes()
    with pytest.raises(JournalError) as caught:
        Journal(path, NOTES).open()
    assert caught.value.code == "journal-newer"
    assert path.read_bytes() == before
    with pytest.raises(JournalError, match="newer"):
        open_reader(path, versions=1)


def test_migration_copies_the_file_first_and_keeps_every_row(path):
    filled(path, 50)
    with contextlib.closing(Journal(path, TITLED)) as journal:
        assert count(journal) == 50
        assert journal.read(lambda db: db.execute("SELECT title FROM notes").fetchone()) == ("",)
    (copy,) = path.parent.glob("journal-before-m002-*.sqlite")
    with contextlib.closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT count(*) FROM notes").fetchone() == (50,)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert copy.stat().st_mode & 0o777 == 0o600


def test_migration_that_fails_leaves_the_old_version(path):
    filled(path, 5)
    with (
        contextlib.closing(Journal(path, (*NOTES, ("ALTER TABLE notes ADD COLUMN title TEXT", "NONSENSE")))) as journal,
        pytest.raises(JournalError),
    ):
        journal.open()
    with contextlib.closing(Journal(path, NOTES)) as journal:
        assert count(journal) == 5


def test_the_shipped_migrations_make_a_journal(path):
    with contextlib.closing(Journal(path)) as journal:
        version = journal.read(lambda db: db.execute("PRAGMA user_version").fetchone()[0])
    assert version == len(MIGRATIONS)


@pytest.mark.parametrize("damage", ["page", "header", "cut", "garbage"])
def test_damaged_journal_is_put_aside_read_only_and_a_fresh_one_begun(path, damage):
    filled(path)
    content = bytearray(path.read_bytes())
    if damage == "page":
        for page in range(1, len(content) // 4096):
            content[page * 4096] ^= 0x55  # the page's kind
    elif damage == "header":
        content[:16] = b"not a database!!"
    elif damage == "cut":
        content = content[: len(content) // 2]
    else:
        content = bytearray(os.urandom(20_000))
    path.write_bytes(bytes(content))
    with contextlib.closing(Journal(path, NOTES)) as journal:
        add(journal, 1)
        assert count(journal) == 1
        assert journal.notice is not None
        assert journal.notice.code == "journal-damaged"
    (aside,) = path.parent.glob("journal-damaged-*.sqlite")
    assert aside.read_bytes() == bytes(content)
    assert aside.stat().st_mode & 0o777 == 0o400


def test_damage_found_while_running_is_put_aside_at_the_next_write(path):
    filled(path)
    with contextlib.closing(Journal(path, NOTES)) as journal:
        journal.open()
        content = bytearray(path.read_bytes())
        for page in range(2, len(content) // 4096):
            content[page * 4096 : page * 4096 + 200] = os.urandom(200)
        with path.open("r+b") as file:
            file.write(content)
        with pytest.raises(JournalError) as caught:
            count(journal)
        assert caught.value.code == "journal-damaged"
        assert count(journal) == 0
        assert journal.notice is not None
    assert list(path.parent.glob("journal-damaged-*.sqlite"))


def test_journal_that_vanished_is_noticed(path):
    filled(path, 5)
    path.write_bytes(b"")
    with contextlib.closing(Journal(path, NOTES)) as journal:
        assert count(journal) == 0
        assert journal.notice is not None
        assert journal.notice.code == "journal-vanished"


def test_full_journal_says_so_and_recovers_when_there_is_room(path):
    with contextlib.closing(Journal(path, NOTES)) as journal:
        add(journal, 1)
        journal.read(lambda db: db.execute("PRAGMA max_page_count = 4"))
        with pytest.raises(JournalError) as caught:
            add(journal, 2, "x" * 100_000)
        assert caught.value.code == "journal-disk-full"
        add(journal, 3, "x" * 100_000)  # a new connection has no such limit
        assert journal.read(lambda db: [row[0] for row in db.execute("SELECT id FROM notes ORDER BY id")]) == ["1", "3"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_full_disk_loses_nothing_that_was_promised_and_recovers(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with contextlib.closing(Journal(disk / "journal.sqlite", NOTES)) as journal:
            add(journal, 0)
            stuffing = disk / "stuffing"
            stuffing.write_bytes(b"x" * 600_000)
            kept, refusals = 1, []
            for number in range(1, 200):
                try:
                    add(journal, number, "x" * 4000)
                    kept += 1
                except JournalError as trouble:
                    refusals.append(trouble.code)
            assert set(refusals) == {"journal-disk-full"}
            stuffing.unlink()
            assert count(journal) == kept
            add(journal, 999)
            assert count(journal) == kept + 1
            assert journal.notice is None
    finally:
        subprocess.run(["umount", disk], check=True)


LIMITED = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from device.errors import JournalError
from device.journal import Journal
journal = Journal(Path({path!r}), ((
    "CREATE TABLE notes (id TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT",),))
journal.write(lambda db: db.execute("INSERT INTO notes VALUES ('1', 'x')"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
try:
    journal.write(lambda db: db.execute("INSERT INTO notes VALUES ('2', ?)", ("x" * 300_000,)))
except JournalError as trouble:
    print(trouble.code)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.write(lambda db: db.execute("INSERT INTO notes VALUES ('3', 'x')"))
print(journal.read(lambda db: [row[0] for row in db.execute("SELECT id FROM notes ORDER BY id")]))
"""


def test_failing_disk_is_an_error_and_no_row_is_pretended(path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(root=str(ROOT), path=str(path))], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n")[:2] == ["journal-unwritable", "['1', '3']"]


def test_reader_sees_the_rows_while_the_writer_works(path):
    with contextlib.closing(Journal(path, NOTES)) as journal:
        add(journal, 1)
        with contextlib.closing(open_reader(path, versions=1)) as db:
            assert db.execute("SELECT count(*) FROM notes").fetchone() == (1,)
            with pytest.raises(sqlite3.OperationalError):
                db.execute("DELETE FROM notes")
        add(journal, 2)


READING = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from device.journal_reading import open_reader
print(open_reader(Path({path!r}), 1).execute("SELECT count(*) FROM notes").fetchone())
"""


def test_reader_without_rights_in_the_folder_reads_what_was_closed_cleanly(path):
    filled(path, 7)
    assert not path.with_name(path.name + "-wal").exists()
    program = READING.format(root=str(ROOT), path=str(path))
    path.chmod(0o644)
    path.parent.chmod(0o555)
    try:
        if os.geteuid() == 0:
            for folder in list(path.parents)[1:4]:
                folder.chmod(folder.stat().st_mode | 0o011)
            other = ["setpriv", "--reuid", "65534", "--clear-groups", sys.executable, "-c"]
            peek = f"open({str(ROOT / 'device/journal.py')!r})"
            if subprocess.run([*other, peek], capture_output=True, check=False).returncode:
                pytest.skip("another user may not read this program")
            command = [*other, program]
        else:
            command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    finally:
        path.parent.chmod(0o755)
    assert (done.stdout.strip(), done.returncode) == ("(7,)", 0), done.stderr


def test_scrubbing_leaves_no_trace_of_what_was_deleted(path):
    with contextlib.closing(Journal(path, NOTES)) as journal:
        for number in range(300):
            add(journal, number, f"zebrawood {number} " * 20 if number % 2 else "plain words " * 20)
        journal.write(lambda db: db.execute("DELETE FROM notes WHERE text LIKE 'zebrawood%'"))
        journal.scrub()
        journal.rest()
        left = [p.name for p in path.parent.iterdir() if b"zebrawood" in p.read_bytes()]
        assert left == []
        assert count(journal) == 150
