"""Rows and trials in databases. PostgreSQL is a server of our own, started here from Debian's package."""

import hashlib
import json
import os
import pwd
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import ROOT, elsewhere, run_warm

from bank_models.config import compose, secrets
from bank_models.config.feature import Feature
from bank_models.data import file, packaged, sql
from bank_models.data.table_schema import TableSchema
from bank_models.data.validation import validate
from bank_models.errors import ConfigError, ForbiddenError, UserError
from bank_models.runs import fingerprint
from bank_models.tuning.storage import open_study

PASSWORD = "hush@w0rd!"
TYPED = "hush%40w0rd!"  # as it stands in an address
SECRETS = (PASSWORD, TYPED, "w0rd!")
FEATURES = {
    "amount_eur": Feature(type="float", max_missing=0.5),
    "n_late": Feature(type="int", max_missing=0.5),
    "is_new": Feature(type="bool", max_missing=0.5),
    "country": Feature(type="category", max_missing=0.5),
    "code": Feature(type="category", max_missing=0.5),
    "opened": Feature(type="date", max_missing=0.5),
    "remark": Feature(type="text", max_missing=0.5),
}
CSV = """row,amount_eur,n_late,is_new,country,code,opened,remark,paid_at,default
1,1.5,3,true,NA,12,2024-01-31,late,2024-01-01,0
2,25.25,,,,7,,,2024-01-02,1
3,,0,false,DE,,2023-12-01,a b,2024-01-03,0
"""
VALUES = """
(1, 1.5, 3, true, 'NA', 12, '2024-01-31', 'late', '2024-01-01', 0),
(2, 25.25, NULL, NULL, NULL, 7, NULL, NULL, '2024-01-02', 1),
(3, NULL, 0, false, 'DE', NULL, '2023-12-01', 'a b', '2024-01-03', 0)
"""
OF_SQLITE = "row INTEGER, amount_eur NUMERIC, n_late INTEGER, is_new BOOLEAN, country TEXT, code INTEGER, opened DATE, "
OF_SQLITE += 'remark TEXT, paid_at TEXT, "default" INTEGER'
OF_POSTGRESQL = "row int, amount_eur numeric(12, 2), n_late smallint, is_new boolean, country char(4), code bigint, "
OF_POSTGRESQL += 'opened date, remark text, paid_at timestamptz, "default" int'
SMALL = {"x": Feature(type="float")}
GERMAN = ["use_case=credit_scoring", "model=logistic_regression", "cv=none", "registry=none", "tracking=none"]


class Database:
    """A database for a test: its address, and a way to change it."""

    def __init__(self, kind, url):
        self.kind, self.url = kind, url

    def execute(self, *statements):
        if self.kind == "sqlite":
            with sqlite3.connect(self.url.removeprefix("sqlite:///")) as connection:
                for statement in statements:
                    connection.execute(statement)
            connection.close()
            return
        with adbc.connect(self.url) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()

    def fill(self, name, frame):
        self.execute(f"DROP TABLE IF EXISTS {name}")
        if self.kind == "sqlite":
            with sqlite3.connect(self.url.removeprefix("sqlite:///")) as connection:
                frame.to_sql(name, connection, index=False)
            connection.close()
            return
        with adbc.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(name, pa.Table.from_pandas(frame, preserve_index=False))
            connection.commit()


@pytest.fixture(scope="module")
def server():
    """The address of a PostgreSQL server that needs a password, ends with this process, and leaves nothing."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs or not shutil.which("setpriv"):
        reason = "No PostgreSQL server is installed (apt-get install postgresql): what reads from one is NOT tested"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="pg") as folder, socket.socket() as free:
        begin = ["setpriv", "--pdeathsig", "QUIT"]
        if os.geteuid() == 0:  # as which no PostgreSQL runs
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            begin += ["--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups"]
        secret = Path(folder, "secret")
        secret.write_text(PASSWORD, encoding="utf-8")
        secret.chmod(0o644)
        about = ["-A", "scram-sha-256", "-U", "ann", f"--pwfile={secret}", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        made = subprocess.run(
            [*begin, programs[-1], "-D", f"{folder}/data", *about], cwd=folder, capture_output=True, text=True
        )
        assert made.returncode == 0, made.stderr
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        where = ["-D", f"{folder}/data", "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-c", "fsync=off"]
        with Path(folder, "log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen([*begin, programs[-1].with_name("postgres"), *where], cwd=folder, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            ready = [programs[-1].with_name("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            while subprocess.run(ready).returncode:
                assert process.poll() is None, Path(folder, "log").read_text(encoding="utf-8")
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield f"postgresql://ann:{TYPED}@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGQUIT)  # at once
            process.wait(timeout=60)


@pytest.fixture
def sqlite(tmp_path):
    return Database("sqlite", f"sqlite:///{tmp_path}/bank.db")


@pytest.fixture
def postgresql(server):
    database = Database("postgresql", server)
    database.execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def load(monkeypatch):
    """Read a query of a database: load(database, "SELECT …")."""

    def read(database, query, features=SMALL, order_by=(), **columns):
        monkeypatch.setenv("BANK_URL", database.url if isinstance(database, Database) else database)
        return sql.load(query, "BANK_URL", TableSchema(features, **columns), order_by)

    return read


@pytest.fixture
def refusal(load):
    """The message of a query that cannot work: at most three lines, and no password."""

    def read(database, query, features=SMALL, **options):
        with pytest.raises(UserError) as refused:
            load(database, query, features, **options)
        said = str(refused.value)
        assert refused.value.exit_code == 2
        assert len(said.splitlines()) <= 3
        assert not [secret for secret in SECRETS if secret in said]
        assert refused.value.__cause__ is None or not [secret for secret in SECRETS if secret in str(refused.value.__cause__)]
        return said

    return read


def loans(database):
    kinds = OF_SQLITE if database.kind == "sqlite" else OF_POSTGRESQL
    database.execute(f"CREATE TABLE loans ({kinds})", f"INSERT INTO loans VALUES {VALUES}")
    return database


def test_the_rows_of_a_query_are_those_of_a_file(database, load, tmp_path):
    (tmp_path / "loans.csv").write_text(CSV)
    schema = TableSchema(FEATURES, "default", "paid_at")
    from_file = file.load(str(tmp_path / "loans.csv"), schema)
    from_query = load(loans(database), "SELECT * FROM loans", FEATURES, ["row"], target="default", time_column="paid_at")
    expected, found = (validate(data.frame, schema).frame for data in (from_file, from_query))
    pd.testing.assert_frame_equal(found, expected)
    assert from_query.notes == []


def test_what_was_asked_and_what_came_is_recorded_without_the_address(database, load):
    query = 'SELECT amount_eur, country, "default" AS is_bad, row FROM loans'
    features = {name: FEATURES[name] for name in ("amount_eur", "country")}
    data = load(loans(database), f"{query} ;\n", features, target="is_bad")
    name = "bank.db" if database.kind == "sqlite" else database.url.rpartition("/")[2]
    assert data.provenance == {
        "kind": "sql",
        "source": f"{'SQLite' if database.kind == 'sqlite' else 'PostgreSQL'} database {name}",
        "database": database.kind,
        "query": query,
        "query_sha256": hashlib.sha256(query.encode()).hexdigest(),
        "order_by": [],
        "sha256": data.provenance["sha256"],
        "rows": 3,
    }
    assert data.notes[0] == "Columns of the query that the use case does not name were left out: row."
    assert "sorted by a hash of their values" in data.notes[1]


def test_the_same_rows_are_the_same_data_in_whatever_order_they_come(database, load):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.integers(0, 9, 500).astype(float), "c": rng.choice(["b", "a", "ü"], 500), "id": range(500)})
    frame.loc[::7, "x"] = None
    features = {"x": Feature(type="float"), "c": Feature(type="category")}
    kept = []
    for seed in range(3):
        database.fill("t", frame.sample(frac=1, random_state=seed))
        kept.append([load(database, "SELECT * FROM t", features, order_by=by) for by in ([], ["id"], ["c", "x"])])
    for others in kept[1:]:
        for first, other in zip(kept[0], others, strict=True):
            pd.testing.assert_frame_equal(first.frame, other.frame)
            assert first.provenance == other.provenance
    by_hash, by_id, by_values = (data.frame for data in kept[0])
    pd.testing.assert_series_equal(by_id["x"], frame["x"])
    assert by_values["c"].is_monotonic_increasing
    assert by_values["x"][by_values["c"] == "ü"].dropna().is_monotonic_increasing
    assert not by_hash["x"].dropna().is_monotonic_increasing
    database.fill("t", frame.assign(x=frame["x"].where(frame["id"] != 3, 77.0)))
    assert load(database, "SELECT * FROM t", features).provenance["sha256"] != kept[0][0].provenance["sha256"]


def test_a_query_may_stand_in_a_file_with_comments(database, load, tmp_path):
    (tmp_path / "loans.sql").write_text(
        "-- new loans\n/* all\nof them */ WITH new AS (SELECT 1.5 AS x)\nSELECT x FROM new -- end"
    )
    data = load(sqlite_or(database), str(tmp_path / "loans.sql"))
    assert data.frame["x"].tolist() == [1.5]
    assert data.provenance["query"].endswith("SELECT x FROM new -- end")


def sqlite_or(database):
    database.execute("CREATE TABLE anything (x INTEGER)")  # SQLite has no file before
    return database


def test_a_column_of_sqlite_has_the_type_of_all_its_rows(sqlite, load):
    frame = pd.DataFrame({"x": [None] * 3000 + [2.5], "c": [None] * 3000 + ["late"]}, dtype=object)
    sqlite.fill("t", frame)
    features = {"x": Feature(type="float"), "c": Feature(type="category")}
    kept = load(sqlite, "SELECT * FROM t", features).frame
    assert (kept["x"].max(), kept["c"].cat.categories.tolist()) == (2.5, ["late"])


def peak_of(url: str, limit: int | None) -> tuple[list, int]:
    """What 400 rows are read as, and how many bytes of addresses that took at most."""
    if limit:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    os.environ["BANK_URL"] = url
    frame = sql.load("SELECT * FROM t", "BANK_URL", TableSchema(SMALL), order_by=["x"]).frame
    peak = next(
        line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if line.startswith("VmPeak")
    )
    return frame["x"].tolist(), int(peak.split()[1]) << 10


def test_a_small_table_of_sqlite_takes_little_memory_and_keeps_the_type_of_its_last_row(sqlite):
    values = [*range(399), 1000.5]
    rows = ", ".join(f"({value}, 'late')" for value in values)
    sqlite.execute("CREATE TABLE t (x NUMERIC, c TEXT)", f"INSERT INTO t VALUES {rows}")
    for limit in (None, 4 << 30):
        found, peak = elsewhere(peak_of, sqlite.url, limit)
        assert found == values
        assert peak < 4 << 30


def test_a_result_that_the_memory_cannot_hold_is_refused_before_it_is_read(sqlite, refusal, monkeypatch):
    sqlite.fill("t", pd.DataFrame({"x": range(1000)}))
    monkeypatch.setattr("bank_models.runtime.memory.available", lambda: 30_000)
    assert refusal(sqlite, "SELECT * FROM t").startswith("The result of the query needs about")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_neither_a_query_nor_a_database(sqlite, refusal, tmp_path, make):
    sqlite.execute("CREATE TABLE t (x INTEGER)")
    make(tmp_path / "loans.sql")
    make(tmp_path / "other.db")
    assert re.search(r"data_source.query=.*loans.sql is a \w.*, not a file", refusal(sqlite, f"{tmp_path}/loans.sql"))
    assert re.search(r"other.db, which is a \w.*, not a file", refusal(f"sqlite:///{tmp_path}/other.db", "SELECT 1 AS x"))


def test_a_query_file_of_more_than_a_mebibyte_is_no_query(sqlite, refusal, tmp_path):
    sqlite.execute("CREATE TABLE t (x INTEGER)")
    (tmp_path / "loans.sql").write_text("SELECT x FROM t" + " " * (1 << 20))
    assert "has more than 1 MiB: no query is as long." in refusal(sqlite, f"{tmp_path}/loans.sql")


def test_numeric_is_a_number_and_sorted_as_one(postgresql, load):
    values = "(VALUES (10, 'NaN'::numeric), (9, 1.25), (100, NULL)) AS t (n, x)"
    frame = load(postgresql, f"SELECT n::numeric, x FROM {values}", order_by=["n"]).frame
    assert frame["x"].fillna(-1).tolist() == [1.25, -1, -1]


@pytest.mark.parametrize("value", ["9007199254740993", "-9007199254740993"])
@pytest.mark.parametrize("beside", ["1", "1.5"])
def test_integers_that_lose_digits_are_refused(database, refusal, value, beside):
    said = refusal(sqlite_or(database), f"SELECT {value} AS x UNION ALL SELECT {beside}")
    assert said.startswith("x: an integer of 2**53 or more loses digits")
    assert value in said


def test_large_numbers_that_are_no_integers_are_numbers(database, load):
    frame = load(sqlite_or(database), "SELECT CAST(1e20 AS DOUBLE PRECISION) AS x").frame
    assert frame["x"].tolist() == [1e20]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT x, x FROM t", "x: 2 columns of the query have this name."),
        ("SELECT x AS xx FROM t", "x: not a column of the query. Did you mean xx?"),
        ("SELECT x FROM t WHERE x > 5", "The query gives no rows."),
        ("", "data_source.query must be a SELECT, but has no such word."),
        ("-- nothing", "data_source.query must be a SELECT, but has no such word."),
        ("DROP TABLE t", "data_source.query must be a SELECT, but begins with DROP."),
        ("/* SELECT */ PRAGMA user_version=1", "data_source.query must be a SELECT, but begins with PRAGMA."),
        ("WITH a AS (SELECT 1) DELETE FROM t", "query"),
        ("SELECT x FROM t; DELETE FROM t", "refuses the query: "),
        ("SELECT x FRM t", "refuses the query: "),
        ("SELECT x FROM loanz", "refuses the query: "),
        ("SELECT x FROM t WHERE x = $1", "refuses the query: "),
        ("/nowhere/loans.sql", "data_source.query=/nowhere/loans.sql cannot be read: No such file or directory."),
    ],
)
def test_a_query_that_cannot_work_is_explained_and_changes_nothing(database, refusal, load, query, said):
    database.execute("CREATE TABLE t (x INTEGER)", "INSERT INTO t VALUES (1)")
    assert said in refusal(database, query)
    assert load(database, "SELECT x FROM t").frame["x"].tolist() == [1]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT x FRM t", 'SQLite refuses the query: near "t": syntax error\nThe query: SELECT x FRM t'),
        ("SELECT x FROM loanz", "no such table: loanz"),
        ("SELECT y FROM t", "no such column: y"),
        ("SELECT x FROM t; DELETE FROM t", "You can only execute one statement at a time."),
        ("WITH a AS (SELECT 1) DELETE FROM t", "not authorized"),
        ("SELECT x FROM t, pragma_user_version", "not authorized"),
        ("SELECT x'00' AS x", "x: a column of type binary cannot be used: CAST it to text or numeric."),
        ("SELECT CAST(x'ff' AS TEXT) AS x", "SQLite refuses the query: "),
    ],
)
def test_sqlite_says_why(sqlite, refusal, query, said):
    sqlite.execute("CREATE TABLE t (x INTEGER)", "INSERT INTO t VALUES (1)")
    assert said in refusal(sqlite, query)


@pytest.mark.parametrize("statement", ["ATTACH '{}/new.db' AS other", "CREATE TEMP TABLE u AS SELECT 1"])
def test_no_file_is_made_beside_sqlites(sqlite, refusal, load, tmp_path, statement):
    sqlite.execute("CREATE TABLE t (x INTEGER)", "INSERT INTO t VALUES (1)")
    before = (tmp_path / "bank.db").read_bytes()
    refusal(sqlite, statement.format(tmp_path))
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        sql._check_reads_only(sqlite.url, statement.format(tmp_path))
    load(sqlite, "SELECT x FROM t")
    assert [path.name for path in tmp_path.iterdir()] == ["bank.db"]
    assert (tmp_path / "bank.db").read_bytes() == before


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT x FRM t", 'PostgreSQL refuses the query: syntax error at or near "t"'),
        ("SELECT x FROM loanz", 'relation "loanz" does not exist'),
        ("SELECT y FROM t", 'column "y" does not exist'),
        ("SELECT lenght(x) FROM t", "(No function matches the given name and argument types."),
        ("SELECT x FROM t; DELETE FROM t", "cannot insert multiple commands into a prepared statement"),
        ("WITH a AS (DELETE FROM t RETURNING x) SELECT x FROM a", "in a read-only transaction"),
        ("SELECT nextval('s') AS x", "cannot execute nextval() in a read-only transaction"),
        ("SELECT set_config('transaction_read_only', 'off', false) AS x", "transaction read-write mode must be set before"),
        ("SELECT 1 / (x - 1) AS x FROM t", "division by zero"),
        ("SELECT 1.5::money AS x", "x: a column of type money cannot be used: CAST it to text or numeric."),
        ("SELECT gen_random_uuid() AS x", "x: a column of type uuid cannot be used"),
        ("SELECT ARRAY[1, 2] AS x", "x: a column of type _int4 cannot be used"),
        ("/* /* SELECT */ SELECT */ COPY t TO '{}'", "must be a SELECT, which gives columns"),
    ],
)
def test_postgresql_says_why(postgresql, refusal, query, said):
    place = f"/tmp/copied_{time.monotonic_ns()}"
    postgresql.execute("CREATE TABLE t (x int)", "INSERT INTO t VALUES (1)", "CREATE SEQUENCE s")
    assert said in refusal(postgresql, query.replace("{}", place))
    assert not Path(place).exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "data_source.url_env=BANK_URL, but that environment variable is not set.\nType: export BANK_URL="),
        ("hush@w0rd!", "BANK_URL does not hold an address."),
        ("mysql://ann:hush%40w0rd!@host/bank", "begins with mysql://, which cannot be read.\nKnown: sqlite:// and postgresql://."),
        ("postgresql://ann:hush@w0rd!@host/bank", "The address in BANK_URL cannot be read: its user or password has a sign"),
        ("postgresql://ann:hush/w0rd!@host/bank", "The address in BANK_URL cannot be read"),
        ("postgresql://ann:w0rd!", "The address in BANK_URL cannot be read"),
        ("postgresql://ann:w0rd!/bank", "The address in BANK_URL cannot be read"),
        ("postgresql://ann:hush%40w0rd!@127.0.0.1:1/bank", "in BANK_URL cannot be opened: "),
        ("postgres://127.0.0.1:1/bank?user=ann&password=hush%40w0rd!", "in BANK_URL cannot be opened: "),
        ("sqlite:///no/such.db", "BANK_URL names the SQLite file no/such.db, which does not exist."),
        ("sqlite://such.db", "The address in BANK_URL lacks a slash"),
        ("sqlite:////etc/passwd", "SQLite refuses the query: file is not a database"),
    ],
)  # fmt: skip
def test_an_address_that_leads_nowhere_is_explained_and_not_shown(refusal, url, said):
    assert said in refusal(url, "SELECT 1 AS x")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (TYPED, "w0rd!", 'password authentication failed for user "ann"'),
        ("ann:", "bob:", 'password authentication failed for user "bob"'),
        ("/postgres", "/nothere", 'database "nothere" does not exist'),
        ("postgresql://", "postgresql+psycopg2://", "begins with postgresql+psycopg2://, which cannot be read"),
    ],
)
def test_a_server_that_lets_nobody_in_is_explained(server, refusal, old, new, said):
    assert said in refusal(new.join(server.rsplit(old, 1)), "SELECT 1 AS x")


def test_an_address_and_its_passwords_are_struck_out():
    url = "postgresql://ann:a%20b@host/bank?password=c%26d"
    assert secrets.without_secrets(f"{url} | a b | a%20b | c&d | host", url) == "*** | *** | *** | *** | host"


# On the command line


@pytest.fixture
def env(monkeypatch):
    """Set the variables that a run finds."""
    return lambda **variables: [monkeypatch.setenv(name, value) for name, value in variables.items()]


@pytest.fixture(scope="module")
def german():
    frame = packaged.load("german_credit", "bad").frame
    frame = frame.astype({name: str for name in frame.columns[frame.dtypes == "category"]})
    return frame.assign(id=range(len(frame)))


def found_in(folder, *texts):
    """Secrets that stand in files or in what was printed."""
    written = [path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()] + [text.encode() for text in texts]
    return [secret for secret in SECRETS for content in written if secret.encode() in content]


def test_a_database_trains_as_a_file_does_and_no_file_has_the_password(database, german, env, tmp_path):
    german.to_csv(tmp_path / "german.csv", index=False)
    database.fill("german", german.sample(frac=1, random_state=1))
    (tmp_path / "german.sql").write_text("SELECT * FROM german\n")
    where = ["data_source=sql", f"data_source.query={tmp_path}/german.sql", "data_source.order_by=[id]"]
    of_file = ["data_source=file", f"data_source.path={tmp_path}/german.csv"]
    runs = {
        "file": run_warm(*GERMAN, *of_file, f"hydra.run.dir={tmp_path}/runs/file"),
        "sql": run_warm(*GERMAN, *where, f"hydra.run.dir={tmp_path}/runs/sql", env={"DATABASE_URL": database.url}),
    }
    for name, result in runs.items():
        assert result.returncode == 0, result.stderr
        assert found_in(tmp_path / "runs" / name, result.stdout, result.stderr) == []
    assert "on 100 test rows of a query" in runs["sql"].stdout
    first, second = ((tmp_path / "runs" / name / "metrics.json").read_bytes() for name in runs)
    assert first == second
    facts = json.loads((tmp_path / "runs/sql/metadata.json").read_text())
    assert facts["data"]["query"] == "SELECT * FROM german"
    assert facts["config"]["data_source"]["url_env"] == "DATABASE_URL"


ADDRESS = f"postgresql://ann:{TYPED}@host/bank"


@pytest.mark.parametrize(
    "arguments",
    [
        ["data_source.url_env={}"],
        ["+data_source.url_env={}"],
        ["{}"],
        ["data_source={{kind: sql, url_env: '{}'}}"],
        ["data_source.url_env=hush@w0rd!"],
        ["data_source.url_env='${{oc.env:BANK_URL}}'"],
        ["'data_source.query=\"{}\"'"],
        ["tuning=bayesian", "tuning.storage={}"],
        ["tuning=bayesian", "tuning.storage='postgresql://host/bank?user=ann&password=hush%40w0rd!'"],
        ["--multirun", "hydra/sweeper=optuna", "hydra.sweeper.storage={}"],
        ["--multirun", "data_source.url_env={},BANK_URL"],
        ["+hydra.job.env_set.BANK_URL={}"],
    ],
    ids=lambda arguments: arguments[-1][:40],
)
def test_a_typed_password_is_refused_before_anything_is_written(arguments, tmp_path):
    arguments = [argument.format(ADDRESS) for argument in arguments]
    where = [f"hydra.run.dir={tmp_path}/run", f"hydra.sweep.dir={tmp_path}/sweep"]
    result = run_warm(*GERMAN, "data_source=sql", "data_source.query=x.sql", *arguments, *where)
    assert result.returncode == 2, result.stderr
    assert found_in(tmp_path, result.stdout, result.stderr) == []
    assert list(tmp_path.iterdir()) == []
    assert "environment variable" in result.stderr
    assert len(result.stderr.splitlines()) <= 3


@pytest.mark.parametrize("text", [f"url_env: {ADDRESS}", "url_env: ${oc.env:BANK_URL}", f"query: {ADDRESS}"])
@pytest.mark.parametrize("flags", [[], ["--multirun"]])
def test_a_password_in_a_configuration_file_is_refused(tmp_path, text, flags):
    folder = tmp_path / "conf/data_source"
    folder.mkdir(parents=True)
    facts = {"kind": "sql", "name": "null", "path": "null", "query": "x.sql", "url_env": "DATABASE_URL"}
    facts |= {"order_by": "null", "rows": "null", "seed": "null"} | dict([text.split(": ", 1)])
    (folder / "mine.yaml").write_text("".join(f"{key}: {value}\n" for key, value in facts.items()))
    where = [f"hydra.run.dir={tmp_path}/run", f"hydra.sweep.dir={tmp_path}/sweep"]
    result = run_warm("--config-dir", f"{tmp_path}/conf", *flags, *GERMAN, "data_source=mine", *where)
    assert result.returncode == 2, result.stderr
    assert found_in(tmp_path / "run", result.stdout, result.stderr) == []
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]


@pytest.mark.parametrize(
    ("key", "value", "is_refused"),
    [
        ("data_source.url_env", "DATABASE_URL", False),
        ("data_source.url_env", "A,B", False),
        ("data_source.url_env", None, False),
        ("data_source.url_env", "sqlite:///bank.db", True),
        ("tuning.storage", "sqlite:///a:b@c/s.db", False),
        ("tuning.storage", "postgresql://ann@host:5432/bank", False),
        ("data_source.path", "folder/a:b@c.csv", False),
        ("seed", 3, False),
    ],
)
def test_only_passwords_and_what_is_no_name_are_refused(key, value, is_refused):
    assert secrets.would_be_saved(key, value) == is_refused


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data_source=sql"], "data_source.query must be given: add data_source.query=… to the command"),
        (["data_source=sql", "data_source.query=''"], "data_source=sql needs data_source.query and data_source.url_env"),
        (["data_source=sql", "data_source.query=x.sql", "data_source.path=x"], "does not understand data_source.path"),
        (["data_source=file", "data_source.path=x", "data_source.url_env=X"], "does not understand data_source.url_env"),
        (["data_source=sql", "data_source.query=x.sql", "data_source.url_env='a b'"], "is saved as typed"),
    ],
)
def test_settings_that_do_not_go_with_a_query_are_refused(compose, overrides, message):
    with pytest.raises(ConfigError, match=message):
        compose(*overrides)


def test_a_finished_job_runs_again_when_rows_have_changed(sqlite, german, tmp_path):
    sqlite.fill("german", german)
    command = ["--multirun", *GERMAN, "data_source=sql", f"hydra.sweep.dir={tmp_path}/s"]
    command += ['data_source.query="SELECT * FROM german"', "resume=true"]
    run = lambda: run_warm(*command, env={"DATABASE_URL": sqlite.url})  # noqa: E731
    written = lambda: [path.stat().st_mtime_ns for path in sorted((tmp_path / "s").rglob("metrics.json"))]  # noqa: E731
    first = run()
    assert first.returncode == 0, first.stderr
    before = written()
    sqlite.fill("german", german.sample(frac=1, random_state=1))
    assert run().returncode == 0
    assert written() == before
    sqlite.execute("UPDATE german SET age_years = age_years + 1 WHERE id = 0")
    assert run().returncode == 0
    assert len(before) == 1
    assert written() != before


def test_a_sweep_without_its_database_is_refused_before_a_job_starts(python, tmp_path):
    command = ["-m", "src.train", "--multirun", *GERMAN, "seed=1,2", "data_source=sql", f"hydra.sweep.dir={tmp_path}/s"]
    result = python(*command, "data_source.query=x.sql", env={"DATABASE_URL": f"sqlite:///{tmp_path}/absent.db"})
    assert result.returncode == 2
    assert "x.sql cannot be read" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_fingerprint_of_a_search_takes_the_rows_that_were_read():
    settings = {"data_source": {"kind": "sql", "path": None}, "use_case": {}}
    assert fingerprint.fingerprint(settings, "code", rows="a") == fingerprint.fingerprint(settings, "code", rows="a")
    assert fingerprint.fingerprint(settings, "code", rows="a") != fingerprint.fingerprint(settings, "code", rows="b")


# Trials


@pytest.fixture
def storage(postgresql):
    pytest.importorskip(
        "psycopg2", reason="psycopg2 is not installed (make setup EXTRAS=postgresql): trials in PostgreSQL are NOT tested"
    )
    return postgresql


def n_trials(database):
    with adbc.connect(database.url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM information_schema.tables WHERE table_name = 'trials'")
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute("SELECT count(*) FROM trials")
        return cursor.fetchone()[0]


@pytest.mark.slow  # tests/tuning kills one whose trials stand in SQLite
def test_a_search_in_postgresql_that_was_killed_goes_on_and_comes_to_the_same(storage, tmp_path):
    search = ["use_case=credit_scoring", "model=xgboost", "cv=none", "tuning=bayesian", "tuning.n_iter=16"]
    search += ["registry=none", "tracking=none", "n_threads=1", "tuning.n_workers=1"]
    kept = [*search, "tuning.storage=TRIALS_URL", f"hydra.run.dir={tmp_path}/runs/kept"]
    env = os.environ | {"TRIALS_URL": storage.url}
    process = subprocess.Popen(
        [sys.executable, "-m", "src.train", *kept], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 200
    while n_trials(storage) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    said = process.communicate()
    assert 3 <= n_trials(storage) < 16
    again = run_warm(*kept, env={"TRIALS_URL": storage.url})
    assert again.returncode == 0, again.stderr
    whole = run_warm(*search, "tuning.storage=null", f"hydra.run.dir={tmp_path}/runs/whole")
    assert whole.returncode == 0, whole.stderr
    first, second = (pd.read_csv(tmp_path / "runs" / name / "trials.csv").drop(columns="seconds") for name in ("kept", "whole"))
    pd.testing.assert_frame_equal(first, second)
    assert len(first) == n_trials(storage) == 16
    for name in ("metrics.json", "model.skops"):
        assert (tmp_path / "runs/kept" / name).read_bytes() == (tmp_path / "runs/whole" / name).read_bytes()
    assert found_in(tmp_path, *said, again.stdout, again.stderr) == []


def open_one(url):
    os.environ["TRIALS_URL"] = url
    return open_study("tuning.storage", "TRIALS_URL", "study", "maximize").study_name


def test_many_processes_may_begin_at_once(storage):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda _: elsewhere(open_one, storage.url), range(6))) == ["study"] * 6


def test_a_storage_that_cannot_be_opened_does_not_show_its_password(server, monkeypatch):
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed: trials in PostgreSQL are NOT tested")
    monkeypatch.setenv("TRIALS_URL", server.replace(TYPED, "w0rd!"))
    with pytest.raises(
        ConfigError, match=r"(?s)^tuning\.storage=TRIALS_URL cannot be opened: .*password authentication"
    ) as refused:
        open_study("tuning.storage", "TRIALS_URL", "study", "maximize")
    assert not [secret for secret in SECRETS if secret in str(refused.value)]


@pytest.mark.slow
def test_a_sweep_keeps_its_trials_in_postgresql(storage, tmp_path):
    sweep = ["--multirun", "hydra/sweeper=optuna", *GERMAN, "hydra.sweeper.n_trials=2"]
    sweep += ["hydra.sweeper.storage=TRIALS_URL", "model.params.C=interval(0.1,1)", f"hydra.sweep.dir={tmp_path}/s"]
    result = run_warm(*sweep, env={"TRIALS_URL": storage.url})
    assert result.returncode == 0, result.stderr
    assert n_trials(storage) == 2
    assert found_in(tmp_path, result.stdout, result.stderr) == []


def test_what_a_composed_file_may_not_hold_is_not_shown():
    with pytest.raises(ForbiddenError, match="is saved as typed") as refused:
        compose._check_leaf("tuning.storage", ADDRESS)
    assert TYPED not in str(refused.value)
