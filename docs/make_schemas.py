"""Writes the published JSON Schemas of the plan file and of the answers from their types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "src" / "ridgewise" / "catalog" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Every published schema by file name."""
    from ridgewise.advise.explaining import Explanation
    from ridgewise.advise.fitting import FitAnswer
    from ridgewise.app.exporting import ExportDocument
    from ridgewise.app.request import plan_schema
    from ridgewise.report.capacity import CapacityDocument
    from ridgewise.report.checking import CheckDocument, RulesDocument
    from ridgewise.report.comparison import ComparisonDocument
    from ridgewise.report.cost import CostDocument, InfeasibleDocument
    from ridgewise.report.document import PlanDocument, schema
    from ridgewise.report.estimate import EstimateDocument
    from ridgewise.report.fleets import FleetDocument
    from ridgewise.report.here import BenchDocument, DoctorDocument, ProbeDocument
    from ridgewise.report.insight import HaveDocument, InsightDocument
    from ridgewise.report.jobs import JobDocument
    from ridgewise.report.measurements import DumpDocument, ImportDocument, ListDocument, RowDocument
    from ridgewise.report.simulation import SimulationDocument
    from ridgewise.report.sweep import SweepDocument, SweepPlan
    from ridgewise.report.training import ClassicTrainingDocument, TrainingDocument
    from ridgewise.report.validation import RunDocument, ValidationDocument

    return {
        "plan-file.schema.json": {"$schema": DIALECT, **plan_schema()},
        "plan-answer.schema.json": {"$schema": DIALECT, **with_more(schema(PlanDocument))},
        "check.schema.json": {"$schema": DIALECT, **schema(CheckDocument)},
        "rules.schema.json": {"$schema": DIALECT, **schema(RulesDocument)},
        "insight.schema.json": {"$schema": DIALECT, **schema(InsightDocument)},
        "have.schema.json": {"$schema": DIALECT, **schema(HaveDocument)},
        "comparison.schema.json": {"$schema": DIALECT, **schema(ComparisonDocument)},
        "fleet.schema.json": {"$schema": DIALECT, **schema(FleetDocument)},
        "estimate.schema.json": {"$schema": DIALECT, **schema(EstimateDocument)},
        "job.schema.json": {"$schema": DIALECT, **schema(JobDocument)},
        "fit-answer.schema.json": {"$schema": DIALECT, **schema(FitAnswer)},
        "cost.schema.json": {"$schema": DIALECT, **schema(CostDocument | InfeasibleDocument)},
        "explanation.schema.json": {"$schema": DIALECT, **with_insight(schema(Explanation))},
        "validation.schema.json": {"$schema": DIALECT, **schema(ValidationDocument)},
        "simulation.schema.json": {"$schema": DIALECT, **schema(SimulationDocument)},
        "capacity.schema.json": {"$schema": DIALECT, **schema(CapacityDocument)},
        "training.schema.json": {"$schema": DIALECT, **schema(TrainingDocument | ClassicTrainingDocument)},
        "sweep.schema.json": {"$schema": DIALECT, **schema(SweepDocument | SweepPlan)},
        "doctor.schema.json": {"$schema": DIALECT, **schema(DoctorDocument)},
        "probe.schema.json": {"$schema": DIALECT, **schema(ProbeDocument)},
        "bench.schema.json": {"$schema": DIALECT, **schema(BenchDocument)},
        "export.schema.json": {"$schema": DIALECT, **schema(ExportDocument)},
        "run.schema.json": {"$schema": DIALECT, **schema(RunDocument)},
        "import.schema.json": {"$schema": DIALECT, **schema(ImportDocument)},
        "measurements-list.schema.json": {"$schema": DIALECT, **schema(ListDocument)},
        "measurements-show.schema.json": {"$schema": DIALECT, **schema(RowDocument)},
        "measurements-dump.schema.json": {"$schema": DIALECT, **schema(DumpDocument)},
    }


def with_more(plan: dict[str, Any]) -> dict[str, Any]:
    """The schema of a plan with the money that ``--country`` or ``--horizon`` adds, and what else may be asked for."""
    return with_insight(plan | {"properties": {**plan["properties"], "cost": {"$ref": "cost.schema.json"}}})


def with_insight(answer: dict[str, Any]) -> dict[str, Any]:
    """The schema of an answer beside which stands what ``--pareto``, ``--why-not``, ``--sensitivity`` or ``--also`` ask
    for."""
    return answer | {"properties": {**answer["properties"], "insight": {"$ref": "insight.schema.json"}}}


def files() -> dict[Path, str]:
    """Path and text of every schema file."""
    return {FOLDER / name: json.dumps(made, indent=2, ensure_ascii=False) + "\n" for name, made in schemas().items()}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
