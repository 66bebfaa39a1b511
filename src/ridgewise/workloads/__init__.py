"""What the user wants done: one of four frozen workloads."""

from ridgewise.workloads.kinds import (
    FineTuning,
    Pretraining,
    Service,
    SingleUser,
    Workload,
)

__all__ = ["FineTuning", "Pretraining", "Service", "SingleUser", "Workload"]
