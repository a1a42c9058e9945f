"""Planted faults in our own code, each of which some promise must notice: so the suite can fail."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from faults.case import Attempt, Group, expect
from faults.runner import ROOT, SHARED

GROUP = Group("mutants")
PARTS = ("src", "conf", "faults")


@dataclass(frozen=True)
class Mutant:
    """A change of our code, and which attempts must fail for it.

    Attributes
    ----------
    name : str
    file : str
        Below `src/bank_models/`.
    old, new : str
        `old` stands in the file exactly once.
    group, promise, case : str
        Which attempts; `promise` and `case` are words of their names.
    n : int
        How often.
    """

    name: str
    file: str
    old: str
    new: str
    group: str
    promise: str
    case: str = ""
    n: int = 1


MUTANTS = (
    # what is on the disk when
    Mutant(
        "files of a run are not synchronised",
        "files/manifest.py",
        "        writing.sync(path)\n",
        "",
        "kills",
        "a run folder without",
        n=12,
    ),
    Mutant(
        "nothing is synchronised",
        "files/writing.py",
        "        os.fsync(descriptor)\n",
        "        pass\n",
        "kills",
        "a run folder without",
        n=12,
    ),
    Mutant(
        "a head is renamed before it is on the disk",
        "files/writing.py",
        "        sync(part)\n",
        "",
        "kills",
        "the registry without",
        "promote",
        24,
    ),
    Mutant(
        "a line is not synchronised",
        "registry/ledger.py",
        '            file.write(_canonical(line) + b"\\n")\n            file.flush()\n            os.fsync(file.fileno())\n',
        '            file.write(_canonical(line) + b"\\n")\n',
        "kills",
        "the registry without",
        "promote",
        24,
    ),
    Mutant(
        "the head is written before the version is there",
        "registry/ledger.py",
        '        publish()\n        self._write_head(line["n"], self.path.stat().st_size, line["sha256"])\n',
        '        self._write_head(line["n"], self.path.stat().st_size, line["sha256"])\n        publish()\n',
        "kills",
        "the registry killed",
        "register",
        16,
    ),
    Mutant(
        "half a line stays",
        "registry/ledger.py",
        "                file.truncate((head or NEW).size)\n",
        "                pass\n",
        "kills",
        "the registry killed",
        "register",
        20,
    ),
    Mutant(
        "half a version stays",
        "registry/store.py",
        "                shutil.rmtree(left)\n",
        "                pass\n",
        "kills",
        "the registry killed",
        "register",
        24,
    ),
    Mutant(
        "a run is renamed in two steps",
        "files/writing.py",
        "    return bool(rename) and rename(",
        "    return False and rename(",
        "kills",
        "a run folder without",
        n=16,
    ),
    Mutant(
        "what a killed run left is never removed",
        "files/folders.py",
        "    remove_abandoned(run_dir.parent, run_dir.name)\n",
        "",
        "kills",
        "a run killed at a named moment",
        n=6,
    ),
    # locks
    Mutant(
        "the registry without its lock",
        "registry/ledger.py",
        "            fcntl.flock(lock, fcntl.LOCK_EX)\n",
        "            pass\n",
        "races",
        "eight registrations",
        n=5,
    ),
    Mutant(
        "experiments without their lock",
        "runs/experiments.py",
        "        fcntl.flock(file, fcntl.LOCK_EX)\n",
        "        pass\n",
        "races",
        "runs that tell",
        n=10,
    ),
    # checks of bytes
    Mutant(
        "SHA-256 is not compared",
        "files/manifest.py",
        "    if sha256 != written.sha256:",
        "    if False:",
        "folders",
        "one flipped bit",
        n=4,
    ),
    Mutant(
        "files that were added are not seen",
        "files/manifest.py",
        "    if added := sorted(_names_below(folder) - {*files, MANIFEST}):",
        "    if added := []:",
        "folders",
        "a changed registry",
        "a file added",
    ),
    Mutant(
        "signatures are not checked",
        "registry/signing.py",
        "        if self.check is None:\n",
        "        if True:\n",
        "keys",
        "forged",
        "another key",
    ),
    Mutant(
        "an older signed state is believed",
        "registry/ledger.py",
        "        witness.check(seen, self.folder, lines)\n",
        "",
        "keys",
        "forged",
        "an older signed state",
    ),
    Mutant(
        "others may read the private key",
        "registry/signing.py",
        "os.O_EXCL, 0o600)",
        "os.O_EXCL, 0o644)",
        "keys",
        "a private key",
        n=20,
    ),
    # names and settings
    Mutant(
        "any key becomes a folder",
        "registry/store.py",
        "        if expected is None and not is_known(",
        "        if False and not is_known(",
        "folders",
        "registered",
        "an unknown use case",
    ),
    Mutant(
        "a hydra node of a file is not compared",
        "config/compose.py",
        "        hydra_node.check(cfg, overrides + _search(config_dirs), _sources(config_dirs))\n",
        "        pass\n",
        "settings",
        "a configuration file",
        "in a use case",
    ),
    Mutant(
        "interpolations are not looked at",
        "config/compose.py",
        "        interpolations.check(value, key)\n",
        "        pass\n",
        "settings",
        "a configuration file",
        "secret as a name",
    ),
    # tables
    Mutant(
        "checksums of Parquet are not verified",
        "data/parquet_columns.py",
        '"page_checksum_verification": True',
        '"page_checksum_verification": False',
        "tables",
        "a table with one fault",
        "Parquet with a number",
    ),
    Mutant(
        "NA is no country",
        "data/csv_reader.py",
        'null_values=[""]',
        'null_values=["", "NA"]',
        "tables",
        "a table with one fault",
        "as it should be",
    ),
    Mutant(
        "digits are lost",
        "data/arrow.py",
        "LARGEST_EXACT_INTEGER = 2**53",
        "LARGEST_EXACT_INTEGER = 2**90",
        "tables",
        "a table with one fault",
        "9007199254740993",
    ),
    Mutant(
        "ranges are not checked",
        "data/validation.py",
        "    if feature.min is not None:\n",
        "    if False:\n",
        "tables",
        "a batch that is scored",
    ),
    # models and pages
    Mutant(
        "every type is trusted",
        "runs/model_file.py",
        "    return model_checks.loads(data, types)\n",
        "    import skops.io\n\n    return skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))\n",
        "models",
        "a hostile model",
        "a step that calls",
        20,
    ),
    Mutant(
        "what a model holds is not looked at",
        "runs/model_file.py",
        "    return model_checks.loads(data, types)\n",
        "    import skops.io\n\n    return skops.io.loads(data, trusted=list(types))\n",
        "models",
        "a hostile model",
        "numbers of an array",
        25,
    ),
    Mutant(
        "formulas stay in CSV",
        "data/csv_cells.py",
        '    return f"\'{value}" if is_formula else value',
        "    return value",
        "pages",
        "hostile texts",
        "@canary",
    ),
    Mutant(
        "markup stays in the report",
        "report/page.py",
        "autoescape=True",
        "autoescape=False",
        "pages",
        "hostile texts",
        "<iframe",
    ),
    # statistics
    Mutant(
        "the threshold is chosen on test",
        "pipeline/fit/supervised.py",
        "    unseen = val_score = predict_score(model, val, task)\n",
        "    unseen = val_score = predict_score(model, table.rows(parts.split.test)[0], task)\n",
        "determinism",
        "test rows",
        "credit",
        5,
    ),
    Mutant(
        "the model is fitted on test rows, too",
        "pipeline/fit/supervised.py",
        "        train = table.known_before(train, val)\n",
        "        train = np.sort([*train, *rows.parts.split.test])\n",
        "determinism",
        "test rows",
        "credit",
        5,
    ),
    Mutant(
        "a trial's draw depends on the clock",
        "tuning/methods.py",
        "np.random.SeedSequence([self.seed, number])",
        "np.random.SeedSequence()",
        "determinism",
        "a search",
        "1",
    ),
)


@GROUP.promise(
    "a planted fault",
    "Each of these changes of our code makes some promise fail that holds without it.",
    cases=tuple(mutant.name for mutant in MUTANTS),
    limit_s=400,
    is_pinned=False,
)
def planted(attempt: Attempt) -> None:
    mutant = next(one for one in MUTANTS if one.name == attempt.case)
    for part in PARTS:
        shutil.copytree(ROOT / part, part)
    path = Path("src/bank_models") / mutant.file
    text = path.read_text()
    expect(
        text.count(mutant.old) == 1, f"the mutant no longer applies: {mutant.file} has its lines {text.count(mutant.old)} times"
    )
    _expect_it_holds_without(mutant)
    path.write_text(text.replace(mutant.old, mutant.new))
    found = _try(mutant)
    expect(found.returncode == 1 and "FAILED" in found.stdout, f"nobody noticed: {found.stdout[-300:]} {found.stderr[-300:]}")


def _try(mutant: Mutant) -> subprocess.CompletedProcess:
    """Make the attempts that must fail for a mutant, with the code of this folder."""
    chosen = "--only", mutant.group, "--promise", mutant.promise, "--case", mutant.case, "--n", str(mutant.n)
    env = {**os.environ, "PYTHONPATH": f"{Path().absolute()}:{Path().absolute()}/src"}
    return subprocess.run([sys.executable, "-m", "faults", *chosen], env=env, capture_output=True, text=True)


def _expect_it_holds_without(mutant: Mutant) -> None:
    """The same attempts with the code as it is; once for all mutants that share them."""
    what = "-".join(word for word in (mutant.group, mutant.promise, mutant.case, str(mutant.n)) if word).replace("/", "")
    known = Path(os.environ[SHARED]) / f"without-{what}"
    with known.with_name(f"{known.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not known.exists():
            found = _try(mutant)
            known.write_text(found.stdout if found.returncode else "")
    expect(not known.read_text(), f"the promise does not hold without it either: {known.read_text()[:300]}")
