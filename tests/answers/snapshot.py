"""Reference questions and the answers they get: a changed fact shows here which answers it moves.

Refresh with ``make answers`` after a change that is meant to move them, and read the diff.
"""

from __future__ import annotations

from pathlib import Path

from ridgewise.advise import answer
from ridgewise.app.request import from_flags, question
from ridgewise.hardware.sheets import load_devices
from ridgewise.report.document import OptionDocument, PlanDocument, plan_document
from ridgewise.units import digits, duration, money, size

FILE = Path(__file__).with_name("answers.txt")
QUESTIONS: tuple[dict[str, object], ...] = (
    {"model": "meta-llama/Llama-3.1-8B-Instruct", "users": "1"},
    {"model": "meta-llama/Llama-3.1-8B-Instruct", "users": "1", "priority": "speed"},
    {"model": "meta-llama/Llama-3.1-8B-Instruct", "users": "1", "priority": "cost"},
    {"model": "meta-llama/Llama-3.1-70B-Instruct", "users": "1"},
    {"model": "meta-llama/Llama-3.1-70B-Instruct", "users": "200", "slo_ttft": "1s"},
    {"model": "google/gemma-3-27b-it", "users": "1", "context": "65536"},
    {"model": "openai/gpt-oss-120b", "users": "1", "budget": "4000"},
    {"model": "openai/gpt-oss-20b", "users": "40"},
    {"model": "Qwen/Qwen3-30B-A3B", "users": "10"},
    {"model": "deepseek-ai/DeepSeek-V3", "users": "50"},
    {"model": "meta-llama/Meta-Llama-3.1-8B", "goal": "qlora"},
    {"model": "meta-llama/Meta-Llama-3.1-8B", "goal": "finetune", "tokens": "100M"},
    {"model": "meta-llama/Meta-Llama-3.1-8B", "goal": "train", "tokens": "100B"},
    {"model": "meta-llama/Meta-Llama-3.1-70B", "goal": "train", "tokens": "2T"},
)


def line(option: OptionDocument) -> str:
    """One option in the figures a buyer compares, rounded so that only real moves show."""
    figures = [f"{option.engine} {option.format}", size(option.memory_bytes.value)]
    if option.ttft_s and option.decode_tokens_per_s:
        figures += [f"TTFT {duration(option.ttft_s.value)}", f"{digits(option.decode_tokens_per_s.value, 2)} tokens/s"]
    if option.run_s:
        figures.append(f"run {duration(option.run_s.value)}")
    cost = option.cost_usd_per_month or option.cost_usd_run
    figures += [money(cost) if cost else "no price", option.tenure, f"tier {option.tier}"]
    return f"  {option.rank} {option.name}: {', '.join(figures)}"


def ask(flags: dict[str, object]) -> PlanDocument:
    devices = tuple(load_devices().values())
    return plan_document(answer(question(from_flags(None, flags)), devices))


def render() -> str:
    """Every question with its five first options."""
    blocks = []
    for flags in QUESTIONS:
        asked = " ".join(f"{key}={value}" for key, value in flags.items())
        blocks.append("\n".join([asked, *(line(option) for option in ask(flags).options[:5])]))
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
    print(f"wrote {FILE.name}")
