"""Cross-validated errors of one kind of measurement, for whoever works on its formula:

python -m benchmarks.errors DOMAIN FILE.csv … [--configs DIR] [--fast] [--worst]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from ridgewise.evidence import read_table
from ridgewise.validation import judge
from ridgewise.validation.domain import Cases, Domain
from ridgewise.validation.domains import DOMAINS


def main(arguments: list[str]) -> None:
    fast = "--fast" in arguments
    configs = Path(arguments[arguments.index("--configs") + 1]) if "--configs" in arguments else None
    names = [a for a in arguments if not a.startswith("--") and (configs is None or a != str(configs))]
    domain = DOMAINS[names[0]]
    for file in names[1:]:
        table = read_table(Path(file))
        began = time.perf_counter()
        ready = domain.prepare(table.rows, table.kind.name, configs)
        print(
            f"{file}: {len(table.rows)} rows, {len(ready.unsupported)} unsupported, {time.perf_counter() - began:.1f} s"
        )
        reasons: dict[str, int] = {}
        for place, reason in ready.unsupported.items():
            if table.rows[place].get("use", "score") == "score":
                reasons[reason] = reasons.get(reason, 0) + 1
        for reason, count in sorted(reasons.items(), key=lambda item: -item[1])[:12]:
            print(f"   {count:5} scored rows: {reason}")
        for cases in ready.cases:
            _one(domain, cases, fast)


def _one(domain: Domain, cases: Cases, fast: bool) -> None:
    job = judge.fitting(domain, cases)
    began = time.perf_counter()
    found = job.solve()
    print(f"\n== {cases.block}: {int((job.weight > 0).sum())} scored rows, {len(job.plan.names)} unknowns, "
          f"fit {time.perf_counter() - began:.1f} s")  # fmt: skip
    for name, coefficient in found.written(job.weight).items():
        levels = "  ".join(
            f"{level}: " + " ".join(f"{k}={d.factor:.2f}({d.rows})" for k, d in list(groups.items())[:14])
            for level, groups in coefficient.levels.items()
        )
        print(f"   {name:18} {coefficient.value:<10.4g} ±{coefficient.doubt:.2f}  {levels}")
    used = job.weight > 0
    inside = judge.Withheld("in the fit", np.flatnonzero(used), (job.target - job.predict(found))[used],
                            judge.support(cases, job.weight)[used])  # fmt: skip
    roof = (job.target - domain.roofline(cases))[used]
    baseline = judge.Withheld("roofline", np.flatnonzero(used), roof, inside.support)
    parts = [inside, baseline] + ([] if fast else judge.cross_validate(job))
    for part in parts:
        kinds = sorted({(judge.metric(cases.rows[i]), cases.regimes[i]) for i in part.rows})
        print(f"  -- {part.scheme}")
        for metric in sorted({m for m, _ in kinds}):
            _line(part, cases, metric, "")
            for regime in sorted({r for m, r in kinds if m == metric}):
                _line(part, cases, metric, regime)
    if "--worst" in sys.argv:
        for part in parts[2:]:
            worst: dict[str, list[float]] = {}
            for i, ratio in zip(part.rows, part.ratio, strict=True):
                row = cases.rows[i]
                place = (row.get("source_key"), row.get("device_id"), cases.keys["stack"][i], row.get("model_id"))
                key = f"{judge.metric(row)} {' '.join(map(str, place))}"
                worst.setdefault(key, []).append(ratio)
            print(f"  -- worst groups, {part.scheme} withheld (median log measured/predicted)")
            for key, ratios in sorted(worst.items(), key=lambda item: -abs(float(np.median(item[1]))))[:40]:
                print(f"     {np.median(ratios):+.2f} ×{len(ratios):<4} {key}")


def _line(part: judge.Withheld, cases: Cases, metric: str, regime: str) -> None:
    mine = np.array([
        judge.metric(cases.rows[i]) == metric and (not regime or cases.regimes[i] == regime) for i in part.rows
    ])  # fmt: skip
    ratio = part.ratio[mine]
    if not len(ratio):
        return
    names = judge.groups(cases)
    cells = [names[i] for i in part.rows[mine]]
    s = judge.score(ratio, cells)
    label = f"   {regime}" if regime else metric
    print(f"     {label:44} n {s.n:5}  median {s.ape_median:6.1%}  mean {s.ape_mean:6.1%}  p90 {s.ape_p90:6.1%}  "
          f"bias {s.bias:+6.1%}  macro {s.macro:6.1%}")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
