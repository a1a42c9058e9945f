"""Hydra's sweeper for `python -m src.train --multirun`: launches the jobs that were planned, whatever becomes of each.

Hydra accepts sweepers from this package only. It differs from Hydra's basic sweeper, whose options and grammar it shares,
in what happens after the command line was read: the jobs were composed and checked already (`src.portfolio.plan`), those
that were refused or had finished are left out, and a batch that broke is launched once more for the jobs without a result.
"""

from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

ATTEMPTS = 2


@dataclass
class PortfolioSweeperConf(BasicSweeperConf):
    _target_: str = "hydra_plugins.portfolio.PortfolioSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="portfolio", node=PortfolioSweeperConf, provider="src.portfolio")


class PortfolioSweeper(BasicSweeper):
    def setup(self, *, hydra_context, task_function, config):
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.planned = task_function.planned

    def sweep(self, arguments):
        sweep_dir = Path(self.config.hydra.sweep.dir)
        OmegaConf.save(self.config, sweep_dir / "multirun.yaml")
        returns = []
        for _ in range(ATTEMPTS):
            waiting = [job for job in self.planned if job.is_waiting(sweep_dir)]
            for batch in self.split_overrides_to_chunks(waiting, self.max_batch_size) if waiting else ():
                try:
                    overrides = [list(job.launched_as) for job in batch]
                    returns.append(self.launcher.launch(overrides, initial_job_idx=batch[0].number))
                except BrokenExecutor:  # a worker of the launcher died: loky does not say which, and stops the others
                    continue
        return returns
