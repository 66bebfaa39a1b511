"""Whatever is typed behind the flags of ``train``: exit code 0, 1 or 2, one document, no traceback."""

from __future__ import annotations

import contextlib
import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.app.main import main

JUNK = (
    "", "0", "1", "-1", "2.5", "1e12", "1e999", "nan", "inf", "½", "💥", "null", "\x00", "9" * 400, "1s", "80GiB", "4k",
    "2T", "50%", "30d", "-", "a=b", "RTX 4090", "bf16", "fp8", "full", "qlora", "adamw", "3", "8",
    "zero-bubble", "both",
)  # fmt: skip
FLAGS = (
    "count", "goal", "tokens", "samples", "epochs", "batch", "length", "rank", "precision", "optimizer", "recompute",
    "tp", "pp", "vpp", "cp", "ep", "dp", "zero", "micro-batch", "deadline", "budget", "export", "group", "answer",
    "prompt", "method", "memory", "program", "tariff", "top", "schedule", "offload", "imbalance",
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(("Llama-3.1-8B", "gpt-oss-20b", "resnet-50", "gpt2", "")),
    st.sampled_from(("H100 SXM", "RTX 4090", "Apple M4 Max 40-core GPU", "EPYC 9654", "toaster")),
    st.dictionaries(st.sampled_from(FLAGS), st.sampled_from(JUNK), max_size=3),
    st.booleans(),
)
def test_every_question_is_answered_or_refused(model: str, hardware: str, flags: dict[str, str], told: bool) -> None:
    words = ["train", model, "--hardware", hardware, *(["--tokens", "1B"] if told and "tokens" not in flags else [])]
    words += [word for name, value in flags.items() for word in (f"--{name}", value)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*words, "--json"])
    assert code in (0, 1, 2), words
    assert "Traceback" not in out.getvalue() + err.getvalue(), words
    if "export" not in flags or code == 2:
        found = json.loads(out.getvalue().rstrip("\n").rpartition("\n")[2])
        assert ("error" in found) == (code == 2), words
