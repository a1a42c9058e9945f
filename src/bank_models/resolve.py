"""First stage of DVC: `python -m src.resolve` writes what determines each result.

One small file for each use case of `params.yaml`: `resolved/<use_case>.json`. It holds the settings after Hydra has composed
them and the schema has checked them, and fingerprints of the code, packages and data that the run uses. A file is only
written if it changes, so a stage that depends on it runs again exactly when its own result could differ.
"""

from __future__ import annotations

import sys

from bank_models.commands import as_typed
from bank_models.errors import ConfigError
from bank_models.runtime.terminal import for_people
from bank_models.stages.resolve import (
    PARAMS,
    PORTFOLIO,
    RESOLVED,
    check_stage,
    models,
    orphans,
    resolve,
    shown_by_dvc,
    write_if_new,
)

HELP = """\
Write resolved/<use_case>.json, what determines each result, and portfolio/dvc.yaml, the plots and models that DVC shows.

  python -m src.resolve        for the use cases of params.yaml; dvc repro does it first"""


@for_people
def main(argv: list[str]) -> int:
    """Write what changed and say so; give the exit code."""
    if {"-h", "--help"} & set(argv):
        print(as_typed(HELP))
        return 0
    if argv:
        raise ConfigError(f"{argv[0]} is not known: it takes no settings. What to resolve stands in {PARAMS}.")
    check_stage()
    changed, settings = resolve(models())
    PORTFOLIO.mkdir(exist_ok=True)
    write_if_new(PORTFOLIO / "dvc.yaml", shown_by_dvc(settings))
    for name in changed:
        print(f"changed: {name}")
    if left := orphans(settings):
        print(f"not in {PARAMS}: {', '.join(left)}. To remove them: git rm -r --quiet {' '.join(left)}")
    print(f"{RESOLVED}: {len(settings)} use cases, {len(changed)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
