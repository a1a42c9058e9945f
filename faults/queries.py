"""Hostile queries: what is asked of a database only reads, ends, and gives rows."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from faults import prepared, watch
from faults.case import Attempt, Group, expect

GROUP = Group("queries")
LIMIT = 4 << 30
QUERIES = (
    "DELETE FROM loans",
    "DROP TABLE loans",
    "INSERT INTO loans SELECT * FROM loans",
    "UPDATE loans SET bad = 0",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "ATTACH DATABASE '{outside}/x.db' AS x",
    "VACUUM INTO '{outside}/x.db'",
    "VACUUM",
    "REINDEX",
    "ANALYZE",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = 1",
    "SELECT * FROM loans; DELETE FROM loans",
    "SELECT * FROM loans; ATTACH DATABASE '{outside}/x.db' AS x",
    "WITH x AS (SELECT 1) DELETE FROM loans",
    "WITH x AS (SELECT 1) INSERT INTO loans SELECT * FROM loans",
    "SELECT load_extension('{outside}/x.so')",
    "SELECT writefile('{outside}/x', 'x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT edit('x', 'touch {outside}/x')",
    "SELECT fts3_tokenizer('x', x'00')",
    "SELECT * FROM pragma_table_info('loans')",
    "SELECT * FROM sqlite_master",
    "SELECT sql FROM sqlite_schema",
    "/* SELECT */ DELETE FROM loans",
    "-- SELECT\nDELETE FROM loans",
    "  ;DELETE FROM loans",
    "EXPLAIN DELETE FROM loans",
    "REPLACE INTO loans SELECT * FROM loans",
    "BEGIN; DELETE FROM loans; COMMIT",
    "SAVEPOINT x",
    "SELECT * FROM nowhere",
    "SELECT",
    "",
    ";",
    "SELECT * FROM loans WHERE",
    "SELECT *, * FROM loans",
    "SELECT 1 AS bad",
    "SELECT NULL",
    "SELECT * FROM loans WHERE 0",
    "SELECT zeroblob(900000000) AS purpose, * FROM loans",
    "SELECT * FROM loans a, loans b, loans c",
    "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT n FROM x",
    "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT count(*) FROM x",
    "SELECT randomblob(1000) AS purpose FROM loans",
    "SELECT printf('%.*c', 900000000, 'x') AS purpose",
    "SELECT 'a' || char(0) || 'b' AS purpose, * FROM loans",
    "SELECT 9e999 AS credit_amount_dm, * FROM loans",
    "VALUES (1), (2)",
    "(" * 2000 + "SELECT 1" + ")" * 2000,
    "SELECT " + "+".join(["1"] * 5000),
    "SELECT * FROM loans LIMIT -1; --",
    "SELECT '\"; DELETE FROM loans; --' AS purpose",
    "/etc/passwd.sql",
    "../../x.sql",
)  # fmt: skip
ENDLESS = tuple(query for query in QUERIES if "RECURSIVE" in query or "loans b" in query)


@GROUP.promise(
    "a hostile query of SQLite",
    "It is refused in at most three lines or gives rows; it changes no database, makes no file, and does not end the process.",
    cases=tuple(query for query in QUERIES if query not in ENDLESS),
    share=3,
)
def sqlite(attempt: Attempt) -> None:
    outside = attempt.folder / "outside"
    outside.mkdir()
    before = _make_database(), watch.tree(outside)
    said = _ask(attempt.case.format(outside=outside) if "{outside}" in attempt.case else attempt.case)
    expect(len(said.splitlines()) <= 3, f"{len(said.splitlines())} lines: {said[:200]}")
    expect(Path("bank.db").read_bytes() == before[0], "the database was changed")
    expect(watch.tree(outside) == before[1], "it wrote a file elsewhere")
    expect(watch.names() == ["bank.db"], f"it wrote {watch.names()}")


def _make_database() -> bytes:
    with sqlite3.connect("bank.db") as connection:
        prepared.german_credit().to_sql("loans", connection, index=False)
    connection.close()
    return Path("bank.db").read_bytes()


def _ask(query: str) -> str:
    """What is said of a query; nothing if it gives rows that can be read."""
    import resource

    from bank_models.config.feature import Feature
    from bank_models.data import sql
    from bank_models.data.table_schema import TableSchema
    from bank_models.errors import UserError

    os.environ["DATABASE_URL"] = f"sqlite:///{Path('bank.db').absolute()}"
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    features = {"purpose": Feature(type="category"), "credit_amount_dm": Feature(type="float")}
    try:
        sql.load(query, "DATABASE_URL", TableSchema(features, "bad"))
    except UserError as error:
        return str(error)
    except Exception as error:
        from bank_models.errors import TrainingError

        if isinstance(error, TrainingError):
            return str(error)
        raise
    return ""


@GROUP.promise(
    "a query that has no end",
    "Ctrl-C ends it within two seconds, as everything else.",
    cases=ENDLESS,
    share=0.1,
)
def endless(attempt: Attempt) -> None:
    import signal
    import time

    from faults import command

    _make_database()
    env = {"DATABASE_URL": f"sqlite:///{Path('bank.db').absolute()}"}
    settings = "data_source=sql", f"data_source.query='{attempt.case}'", "data_source.url_env=DATABASE_URL"
    process = command.start("src.train", *command.SMALL, "registry=none", *settings, env=env)
    time.sleep(5)
    sent = time.monotonic()
    process.send(signal.SIGINT)
    answer = process.wait(limit_s=40)
    expect(answer.code in (1, 2, 130), f"exit code {answer.code}: {answer.err[-300:]}")
    expect(answer.code != 130 or time.monotonic() - sent < 2, f"it took {time.monotonic() - sent:.1f} s to end")
    expect("Traceback" not in answer.err, f"a traceback: {answer.err[-300:]}")


@GROUP.promise(
    "a query for a few rows",
    "It needs no more memory than the rows do: it runs where two gigabytes of addresses are left.",
    share=0.2,
)
def few_rows(attempt: Attempt) -> None:
    global LIMIT
    _make_database()
    LIMIT = _address_space() + (2 << 30)
    expect(not _ask("SELECT * FROM loans LIMIT 400"), "a query for 400 rows is refused under a limit of 2 GiB")


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * os.sysconf("SC_PAGE_SIZE")
