"""Write ``oracle_totals.json``: counts of every catalogue model by transformers and diffusers.

    python tests/models/make_oracle.py

Needs ``torch`` (CPU is enough) and ``transformers``; with ``diffusers`` the pipelines are counted too.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import oracle

OUT = Path(__file__).with_name("oracle_totals.json")


def main() -> None:
    import torch
    import transformers

    totals: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for name, config in oracle.configurations().items():
        try:
            if "model_type" in config and oracle.supported(config):
                totals[name] = {**oracle.count(config), "architecture": oracle.architecture(config)}
            elif "_class_name" in config and find_spec("diffusers"):
                totals[name] = {**oracle.count_pipeline(config), "architecture": config["_class_name"]}
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"[:300]
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    if find_spec("diffusers"):
        import diffusers

        versions["diffusers"] = diffusers.__version__
    document = {"versions": versions, "totals": totals, "failed": failed}
    OUT.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(f"{len(totals)} counted, {len({t['architecture'] for t in totals.values()})} architectures")
    print(failed)


if __name__ == "__main__":
    main()
