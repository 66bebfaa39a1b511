"""What a blank input of a measured row stands for, in one place for every command."""

from __future__ import annotations

from math import floor, log2

from ridgewise.training.layouts import RECOMPUTED

# --- training ---

#: Tokens per sequence, precision and vocabulary where a training row does not print them.
TRAINING_LENGTH = 2048.0
TRAINING_PRECISION = "bf16"
TRAINING_VOCABULARY = 50_304.0
#: Forward passes repeated under selective recomputation (attention and activations alone).
SELECTIVE = RECOMPUTED["selective"]
#: Micro-steps per pipeline stage where no batch is printed: nobody runs a pipeline that stands idle.
FILLED = 4.0
#: Tokens · hidden of one micro-step that people choose when nothing is printed.
MICRO_ACTIVATION = 3.4e7

#: Fine-tuning programs that keep weights, gradients and moments all in 16 bits.
PURE_16_BIT = ("torchtune", "swift", "unsloth", "mlx")
#: Programs that keep an FP32 copy of the gradients beside the optimiser's moments.
DEEPSPEED = ("deepspeed", "hf-trainer", "colossal")
#: Programs that feed samples as long as they are, unless told to pack or pad them.
UNPACKED = ("swift", "factory", "trl")
#: Programs that compute the loss in chunks of the vocabulary or the sequence unless told otherwise.
CHUNKED_LOSS = ("torchtune", "unsloth")


def stage(sharding: str, lineage: str, devices: float) -> float:
    """What data-parallel devices share out: 0 nothing, 1 the optimiser, 2 gradients too, 3 weights too."""
    name = sharding.casefold()
    if name == "none" or devices <= 1:
        return 0.0
    for word, found in (("zero1", 1.0), ("zero2", 2.0), ("zero3", 3.0), ("fsdp", 3.0), ("zero", 3.0)):
        if word in name:
            return found
    return 1.0 if lineage == "megatron" else 3.0


def sequence_parallel(framework: str, date: str) -> float:
    """Whether tensor-parallel devices share out norms and their inputs: from mid-2022, not under DeepSpeed."""
    return 0.0 if "deepspeed" in framework.casefold() or "" < date[:4] < "2022" else 1.0


def micro_batch(hidden: float, length: float) -> float:
    """Sequences per device and micro-step: as many as keep the activations of a layer in bounds."""
    return 2.0 ** floor(log2(max(MICRO_ACTIVATION / (hidden * length), 1.0)))


def model_parallel(parameters: float, method: str, devices: float, memory: float) -> tuple[float, float]:
    """Tensor and pipeline degree without which the weights and gradients would not fit: tensor within a node first."""
    each = 6.0 if method == "full" else 2.0 if method == "lora" else 1.0
    tp = pp = 1.0
    while parameters * each / (tp * pp) > 0.6 * memory and tp * pp < devices:
        if tp < min(8.0, devices):
            tp *= 2
        else:
            pp *= 2
    return tp, pp


# --- serving ---

#: Prompt and answer tokens of a request where a serving row does not print them: chat.
SERVING_PROMPT, SERVING_ANSWER = 200.0, 250.0
SERVING_PRECISION = "bf16"
SERVING_ENGINE = "vllm"
#: Requests in flight, requests in all and sequences of a batch where none is printed.
SERVING_CONCURRENCY, SERVING_REQUESTS = 1.0, 1000.0

# --- local ---

#: Engine, prompt and answer tokens and depth of a single-user row that does not print them: a short chat.
LOCAL_ENGINE = "llama.cpp"
LOCAL_PRECISION = "q4_k_m"
LOCAL_PROMPT, LOCAL_ANSWER, LOCAL_CHAT_PROMPT = 512.0, 128.0, 32.0
#: Tokens that an engine sends through the weights together; others take a prompt whole.
MICRO_BATCHES = {"mlx": 2048.0, "mlx-lm": 2048.0} | dict.fromkeys(
    ("llama.cpp", "ik_llama.cpp", "ollama", "lm-studio"), 512.0
)
#: Month from which llama.cpp turns flash attention on unasked.
FLASH_SINCE = 202509
#: Type of the cache where an engine's own default is not 16 bits.
CACHE_TYPES = {"qnn": "int8", "qnn-genie": "int8"}
#: Context that a graph of fixed shape computes, whatever the real one is (Qualcomm's runtime).
STATIC_CONTEXT = {"qnn": 4096.0, "qnn-genie": 4096.0}
