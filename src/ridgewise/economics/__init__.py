"""What it draws and what it costs. Knows neither models nor engines."""

from ridgewise.economics.cost import AMORTISATION_MONTHS, Cost, Purchase, cost_of, monthly_cost, purchase
from ridgewise.economics.power import Draw, wall_power

__all__ = ["AMORTISATION_MONTHS", "Cost", "Draw", "Purchase", "cost_of", "monthly_cost", "purchase", "wall_power"]
