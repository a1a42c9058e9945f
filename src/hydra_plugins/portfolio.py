"""Hydra's sweeper for `python -m src.train --multirun`: launches the jobs that were planned, whatever becomes of each.

Hydra accepts sweepers from this package only. It differs from Hydra's basic sweeper, whose options and grammar it shares,
in what happens after the command line was read: the jobs were composed and checked already (`bank_models.sweeps.plan`), those
that were refused or had finished are left out, and when a batch breaks, the jobs without a result are launched once more.
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


ConfigStore.instance().store(group="hydra/sweeper", name="portfolio", node=PortfolioSweeperConf, provider="bank_models.sweeps")


class PortfolioSweeper(BasicSweeper):
    def setup(self, *, hydra_context, task_function, config):
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.planned = task_function.planned

    def sweep(self, arguments):
        self.sweep_dir = Path(self.config.hydra.sweep.dir)
        OmegaConf.save(self.config, self.sweep_dir / "multirun.yaml")
        self.given_up, self.returns = set(), []
        broken_before_a_job_began = 0
        while broken_before_a_job_began < ATTEMPTS and not all(map(self._launched, self._batches())):
            suspects = [job for job in self._waiting() if job.has_begun(self.sweep_dir)]
            broken_before_a_job_began += not suspects
            for job in suspects:  # each alone, so that no other can be its victim
                if not self._launched([job]):
                    self.given_up.add(job.number)
        return self.returns

    def _waiting(self):
        return [job for job in self.planned if job.is_waiting(self.sweep_dir) and job.number not in self.given_up]

    def _batches(self):
        waiting = self._waiting()
        return self.split_overrides_to_chunks(waiting, self.max_batch_size) if waiting else []

    def _launched(self, batch):
        """Whether a batch came to its end; loky stops all jobs when a worker dies, and does not say whose it was."""
        try:
            self.returns.append(self.launcher.launch([list(job.launched_as) for job in batch], batch[0].number))
        except BrokenExecutor:
            return False
        return True
