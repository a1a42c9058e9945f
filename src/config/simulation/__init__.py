"""Simulation facts: how rows of a use case are drawn where there is no real data. `src.data.simulated` draws them."""

from src.config.simulation.feature import DISTRIBUTIONS, Simulate, Slot
from src.config.simulation.margin import Outcome
from src.config.simulation.world import Component, Factor, Interaction, Panel, Regime, Season, Simulation

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
