"""Names that ggml tools print: file types, devices, file names."""

from __future__ import annotations

import re

#: What the end of a file type says: "Q4_K - Medium" is Q4_K_M.
ENDINGS = {"Small": "_S", "Medium": "_M", "Large": "_L"}
FILE_TYPE = re.compile(
    r"(?:^|\s)(?P<type>(?:[IT]?Q\d(?:_[A-Z0-9]+)*|MXFP4|NVFP4|BF16|F16|F32|all F32|mostly [A-Z0-9_]+))"
    r"(?: MoE)?(?: - (?P<end>Small|Medium|Large|[\d.]+ bpw)(?: ternary)?)?\s*(?:\(guessed\))?$"
)
#: The ending of a file: name-Q4_K_M.gguf, name.q8_0.gguf, name-Q4_K_M-00001-of-00002.gguf.
QUANTISED = re.compile(r"[-._](UD-)?((?:I?Q\d(?:_[A-Z0-9]+)*|MXFP4|NVFP4|BF16|F16|F32))$", re.I)


def file_type(text: str) -> str:
    """The weight format at the end of a description such as "llama 8B Q4_K - Medium"; empty where there is none."""
    found = FILE_TYPE.search(text.strip()[-120:].replace("IQ3_S mix", "IQ3_M"))
    if found is None:
        return ""
    name = found["type"].removeprefix("mostly ").removeprefix("all ")
    if found["end"] in ENDINGS and name != "Q2_K":
        name += ENDINGS[found["end"]]
    if name == "Q2_K" and found["end"] == "Small":
        name = "Q2_K_S"
    return {"MXFP4": "mxfp4", "NVFP4": "nvfp4", "BF16": "bf16"}.get(name, name)


def from_file_name(path: str) -> tuple[str, str]:
    """(name, weight format) of a GGUF file's name: "models/Qwen3-8B-Q4_K_M.gguf" is ("Qwen3-8B", "Q4_K_M")."""
    stem = re.split(r"[/\\]", path)[-1]
    stem = re.sub(r"-\d{5}-of-\d{5}$", "", stem.removesuffix(".gguf"))
    found = QUANTISED.search(stem)
    if found is None:
        return stem, ""
    kind = (found[1] or "").upper() + found[2].upper()
    return stem[: found.start()], {"MXFP4": "mxfp4", "BF16": "bf16"}.get(kind, kind)


def device_line(text: str) -> tuple[str, int]:
    """(name, count) of the devices a ggml back end lists at start; empty and 0 where it lists none;
    unlike ones are joined, which names no device of the catalogue."""
    found = re.findall(r"^\s*Device \d+: ([^,\n]{1,200}),", text, re.M)
    if not found:
        found = re.findall(r"^ggml_vulkan: \d+ = ([^|(\n]{1,200}?) ?(?:\([^()|\n]{0,80}\) ?){0,3}\|", text, re.M)
    if not found:
        found = re.findall(r"using device \w+ \(([^()\n]{1,200})\)", text)
    if not found:
        found = re.findall(r"  - (?!CPU)\w+ +: (.{1,100}?) \(\d+ MiB, \d+ MiB free\)", text)
    if not found:
        metal = re.search(r"ggml_metal\w*: (?:GPU name: +|picking default device: )(.{1,200})$", text, re.M)
        found = [metal[1].strip()] if metal else []
    names = sorted({name.strip() for name in found})
    return " + ".join(names)[:300], len(found)
