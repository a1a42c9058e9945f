"""Simulation facts: how rows of a use case are drawn where there is no real data. `bank_models.data.simulated` draws them."""

from bank_models.config.simulation.feature import DISTRIBUTIONS, Simulate, Slot
from bank_models.config.simulation.margin import Outcome
from bank_models.config.simulation.world import Component, Factor, Interaction, Panel, Regime, Season, Simulation

__all__ = [
    "DISTRIBUTIONS",
    "Component",
    "Factor",
    "Interaction",
    "Outcome",
    "Panel",
    "Regime",
    "Season",
    "Simulate",
    "Simulation",
    "Slot",
]
