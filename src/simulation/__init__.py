"""How rows of a use case are drawn where there is no real data: the facts; `src.data.simulated` draws them."""

from src.simulation.feature import DISTRIBUTIONS, Simulate, Slot
from src.simulation.margin import Outcome
from src.simulation.world import Component, Factor, Interaction, Panel, Regime, Season, Simulation

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
