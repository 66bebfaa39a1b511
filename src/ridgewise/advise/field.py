"""The field of candidates of one question: what holds whatever the limits is found once, for it and for the questions
it is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from ridgewise.advise import inference, learning
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.hardware import Device
from ridgewise.workloads import FineTuning, Pretraining


class Field:
    """Candidates of questions that share a model, prices and coefficients."""

    def __init__(self) -> None:
        self._runs, self._deployments = learning.Runs(), inference.Deployments()

    def options(self, question: Question, devices: Sequence[Device]) -> list[Option]:
        """The best layout of every device for a question."""
        if isinstance(question.workload, Pretraining | FineTuning):
            return list(learning.candidates(question, tuple(devices), self._runs))
        return list(inference.candidates(question, devices, self._deployments))


def no_candidate(question: Question, device: Device) -> str:
    """Why a device is no candidate at all."""
    trains = isinstance(question.workload, Pretraining | FineTuning)
    return learning.unable(question, device) if trains else inference.unable(question, device)
