"""Parameter counts by an independent library: models built on torch's meta device, no weights, no network."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).resolve().parents[2] / "src" / "ridgewise" / "catalog" / "models"

# Published types that live outside the library, and the library's type of the same layers.
SAME_AS = {"kimi_k2": "deepseek_v3", "deepseek_ref": "deepseek_v4"}
ENCODERS = {"bert", "vit", "dinov2", "clip", "modernbert", "nomic_bert", "jina_embeddings_v3"}
# Load-balancing biases of routers: stored with the weights, buffers in the library.
BIASES = ("e_score_correction_bias", "expert_bias")
# Parts the library builds and published checkpoints of these types do not hold.
NOT_PUBLISHED = {"gemma3": "vision_tower.head.", "lfm2_vl": "vision_tower.head.", "inkling_mm_model": "vision_tower."}
PIPELINES = {
    "FluxPipeline": "FluxTransformer2DModel",
    "Flux2Pipeline": "Flux2Transformer2DModel",
    "HunyuanVideoPipeline": "HunyuanVideoTransformer3DModel",
    "QwenImagePipeline": "QwenImageTransformer2DModel",
    "WanPipeline": "WanTransformer3DModel",
    "ZImagePipeline": "ZImageTransformer2DModel",
}


def configurations() -> dict[str, dict[str, Any]]:
    """Every configuration of the catalogue by id."""
    found = {}
    for path in sorted(CATALOGUE.glob("*.json")):
        config = json.loads(path.read_text("utf-8"))
        meta = config.pop("_catalogue")
        found[meta["id"]] = config
    return found


def architecture(config: dict[str, Any]) -> str:
    """What the library calls the architecture of a configuration."""
    kind = config.get("model_type") or config["_class_name"]
    if kind == "ministral3" and "text_config" in config:
        return "mistral3"
    return SAME_AS.get(kind, kind)


def supported(config: dict[str, Any]) -> bool:
    """Whether the installed library knows the architecture."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return architecture(config) in CONFIG_MAPPING_NAMES


def count(config: dict[str, Any]) -> dict[str, Any]:
    """Elements of the model the library builds: unique parameters, and the routers' bias buffers."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.filterwarnings("ignore")
    model = _build(config)
    left_out = NOT_PUBLISHED.get(config["model_type"], "\0")
    total = sum(p.numel() for name, p in model.named_parameters() if left_out not in name)
    biases = sum(b.numel() for name, b in model.named_buffers() if name.endswith(BIASES))
    return {"class": type(model).__name__, "total": total, "router_bias": biases}


def _build(config: dict[str, Any]) -> Any:
    import torch
    import transformers
    from transformers import AutoConfig

    transformers.logging.set_verbosity_error()
    built = AutoConfig.for_model(architecture(config), **_fields(config))
    for auto in _autos(config["model_type"]):
        if type(built) in auto._model_mapping:
            with torch.device("meta"):
                model = auto.from_config(built)
            model.tie_weights()
            return model
    raise LookupError(config["model_type"])


def _autos(kind: str) -> list[Any]:
    import transformers as t

    if kind in ENCODERS:
        return [t.AutoModel]
    return [t.AutoModelForSpeechSeq2Seq, t.AutoModelForImageTextToText, t.AutoModelForSeq2SeqLM,
            t.AutoModelForCausalLM, t.AutoModel]  # fmt: skip


def _fields(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without storage; explicit nulls where the library's default would invent a size."""
    dropped = ("quantization_config", "model_type", "_hf_quant_config")
    fields = {key: value for key, value in config.items() if key not in dropped}
    if "kv_lora_rank" in fields:
        fields.setdefault("q_lora_rank", None)
    if config["model_type"] == "step3p7" and "text_config" not in fields:
        fields = {"text_config": dict(fields)}
    if "text_config" in fields:
        text = {k: v for k, v in fields["text_config"].items() if k != "quantization_config"}
        if text.get("model_type") in SAME_AS:
            text["model_type"] = SAME_AS[text["model_type"]]
        fields["text_config"] = text
    return fields


def count_pipeline(config: dict[str, Any]) -> dict[str, Any]:
    """Elements of the denoiser of a diffusers pipeline."""
    import diffusers
    import torch

    kind = config["_class_name"]
    with torch.device("meta"):
        if kind in PIPELINES:
            model = getattr(diffusers, PIPELINES[kind])(**config["transformer"])
        else:
            model = diffusers.UNet2DConditionModel(**_unet(config))
    total = sum(p.numel() for p in model.parameters())
    return {"class": type(model).__name__, "total": total, "router_bias": 0}


def _unet(config: dict[str, Any]) -> dict[str, Any]:
    fields = dict(config["unet"])
    depths = fields.pop("transformer_layers_per_block")
    fields["down_block_types"] = tuple("CrossAttnDownBlock2D" if d else "DownBlock2D" for d in depths)
    fields["up_block_types"] = tuple("CrossAttnUpBlock2D" if d else "UpBlock2D" for d in reversed(depths))
    fields["transformer_layers_per_block"] = tuple(d or 1 for d in depths)
    if config["_class_name"] == "StableDiffusionXLPipeline":
        fields |= {"addition_embed_type": "text_time", "addition_time_embed_dim": 256,
                   "projection_class_embeddings_input_dim": 2816}  # fmt: skip
    return fields
