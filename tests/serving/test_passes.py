"""Models that do not answer token by token: their work counted by hand, their seconds beside published ones."""

from __future__ import annotations

import pytest

from ridgewise.engines import load_engines
from ridgewise.hardware import device
from ridgewise.models.architecture import Canvas
from ridgewise.models.families.diffusion import autoencoder
from ridgewise.models.formats import load_formats
from ridgewise.models.read import load
from ridgewise.serving import Setup, passes
from ridgewise.work import Plan, Slice
from ridgewise.work.denoiser import denoise, picture_tokens

BF16 = load_formats()["bf16"]


def setup(model: str, card: str, engine: str = "vllm", fmt: str = "fp16") -> Setup:
    machine, sheet = device(card), load_engines()[engine]
    backend = sheet.backend(machine, asked=True)
    assert backend is not None
    return Setup(load(model), machine, sheet, backend, Plan(load_formats()[fmt]), machine.memory or 0.0)


def canvas(model: str) -> Canvas:
    found = load(model).canvas
    assert found is not None
    return found


# Work


def test_an_embedding_by_hand() -> None:
    """bge-large: 24 layers of 12·1024² weights, 512 tokens: 2·302 M·512 = 309 GFLOP of products, and
    4·512²·1024·24 = 25.8 GFLOP of scores; an L4 of 121 TFLOP/s can do no batch of 32 in less than 88.6 ms."""
    (stage,) = passes.embed(setup("BAAI/bge-large-en-v1.5", "nvidia-l4"), 512.0, 32.0)
    products, scores = 2 * 24 * 12 * 1024**2 * 512, 4 * 512**2 * 1024 * 24
    assert float(stage.flops) == pytest.approx(32 * (products + scores), rel=1e-9)
    assert float(stage.floor) == pytest.approx(32 * (products + scores) / 121e12, rel=0.01)
    assert stage.floor < stage.each


def test_no_encoder_keeps_a_cache_or_computes_words() -> None:
    bert = passes.embed(setup("google-bert/bert-large-uncased", "nvidia-l4"), 128.0, 8.0)[0]
    words = {term.operator: term.work for term in bert.terms}["head"]
    assert words.flops == 0 and words.weights == 0
    pooled = passes.embed(setup("Qwen/Qwen3-Embedding-0.6B", "nvidia-l4"), 128.0, 8.0)[0]
    assert {term.operator: term.work for term in pooled.terms}["head"].flops == 0


def test_windows_of_an_encoder_bound_what_a_token_sees() -> None:
    assert Slice("prefill", 2.0, 1000.0).pairs(128, causal=False) == 2 * 1000 * 128
    assert Slice("prefill", 2.0, 100.0).pairs(128, causal=False) == 2 * 100 * 100


@pytest.mark.parametrize(
    ("model", "width", "height", "length", "tokens"),
    [
        ("FLUX.1", 1024, 1024, 1, 4096),  # 1024 / 8 / 2 on each side
        ("FLUX.1", 1344, 768, 1, 84 * 48),
        ("SDXL", 1024, 1024, 1, 128 * 128),  # places of the first level
        ("SD-1.5", 512, 512, 1, 64 * 64),
        ("Wan-AI/Wan2.1-T2V-14B", 832, 480, 81, 52 * 30 * 21),
        ("hunyuanvideo-community/HunyuanVideo", 1280, 720, 129, 80 * 45 * 33),
    ],
)
def test_tokens_of_a_picture(model: str, width: int, height: int, length: int, tokens: int) -> None:
    assert picture_tokens(canvas(model), width, height, length) == tokens


def test_a_u_net_multiplies_as_often_as_published() -> None:
    """339 GMAC of products for 512 × 512 with Stable Diffusion 1 (BK-SDM, arXiv 2305.15798, table 1)."""
    work = denoise(load("SD-1.5"), 64.0 * 64.0, 77.0, 1.0, BF16)
    products = sum(float(part.flops) for name, part in work.items() if not name.startswith("attention"))
    assert products == pytest.approx(2 * 339e9, rel=0.005)


def test_the_autoencoder_by_hand() -> None:
    """The whole AutoencoderKL holds 83,653,863 elements: 34,163,592 in the encoder, 92 between the two. Per place:
    9·(a·b + b²) weights a residual block (and a·b where it widens), 9·c² a doubling."""
    decoder = autoencoder(canvas("SD-1.5"))
    assert decoder.parameters_total == 83_653_863 - 34_163_592 - 92

    def block(a: int, b: int) -> int:
        return 9 * (a * b + b * b) + (a * b if a != b else 0)

    smallest = 9 * 4 * 512 + 5 * block(512, 512) + 4 * 512**2
    places = {
        64: smallest, 128: 9 * 512**2 + 3 * block(512, 512),
        256: 9 * 512**2 + block(512, 256) + 2 * block(256, 256),
        512: 9 * 256**2 + block(256, 128) + 2 * block(128, 128) + 9 * 128 * 3,
    }  # fmt: skip
    products = 2 * sum(side**2 * weights for side, weights in places.items())
    scores = 4 * 512 * (64 * 64) ** 2
    work = denoise(decoder, 512.0 * 512.0, 0.0, 1.0, BF16)
    assert sum(float(part.flops) for part in work.values()) == pytest.approx(products + scores, rel=1e-9)


def test_a_diffusion_transformer_by_hand() -> None:
    """FLUX.1: h = 3072; 19 blocks with 12h² weights for 4,096 picture tokens and 12h² for 512 of text, 38 with 12h²
    for all 4,608; scores of 57 blocks over 4,608 tokens; modulation once: 19·12h² + 38·3h²."""
    h, picture, text = 3072, 4096, 512
    every = picture + text
    products = 2 * 12 * h**2 * (19 * picture + 19 * text + 38 * every)
    scores, once = 57 * 4 * h * every**2, 2 * (19 * 12 + 38 * 3) * h**2
    work = denoise(load("FLUX.1"), float(picture), float(text), 1.0, BF16)
    assert sum(float(part.flops) for part in work.values()) == pytest.approx(products + scores + once, rel=1e-9)
    assert float(work["modulation"].flops) == once
    stored = sum(float(part.weights) for part in work.values())
    assert stored == pytest.approx(2 * load("FLUX.1").parameters_total, rel=0.02)


def test_guidance_doubles_the_denoiser_alone() -> None:
    one = passes.draw(setup("SDXL", "nvidia-a100-sxm4-80gb"), 1024, 1024, 1.0, 1.0, 30.0, False)
    two = passes.draw(setup("SDXL", "nvidia-a100-sxm4-80gb"), 1024, 1024, 1.0, 1.0, 30.0, True)
    of = [{stage.name: float(stage.flops) for stage in stages} for stages in (one, two)]
    assert of[1]["denoiser"] == pytest.approx(2 * of[0]["denoiser"])
    assert of[1]["autoencoder"] == of[0]["autoencoder"]


def test_activations_by_hand() -> None:
    """FLUX.1: 4,608 tokens of 3,072 values, 12 such states at once; the autoencoder of 1024 × 1024 pixels: four maps of
    256 channels."""
    stages = passes.draw(setup("FLUX.1", "nvidia-h100-sxm", "transformers", "bf16"), 1024, 1024, 1.0, 1.0, 4.0, False)
    alive = {stage.name: float(stage.alive) for stage in stages}
    assert alive["denoiser"] == 12 * 4608 * 3072 * 2
    assert alive["autoencoder"] == 4 * 1024 * 1024 * 256 * 2
    assert passes.Job(stages, 1.0).alive == alive["autoencoder"]
    # A serving engine reads a batch of any size 2,048 tokens at a time, the reference library all of it.
    texts = [passes.embed(setup("BAAI/bge-large-en-v1.5", "nvidia-l4", engine), 512.0, 64.0)[0]
             for engine in ("vllm", "transformers")]  # fmt: skip
    assert [float(stage.alive) for stage in texts] == [12 * n * 1024 * 2 for n in (2048, 64 * 512)]


def test_whisper_by_hand() -> None:
    """large-v3: 32 layers of 20·1280² encoder weights over 1,500 frames, and the decoder's keys and values of them."""
    stages = passes.transcribe(setup("openai/whisper-large-v3", "nvidia-a100-sxm4-80gb"), 60.0, spoken=3.0)
    encoder, decoder = stages
    h, frames = 1280, 1500
    products = 2 * 32 * 12 * h**2 * frames
    keys, scores = 2 * 32 * 2 * h**2 * frames, 32 * 4 * frames**2 * h
    assert float(encoder.times) == 2 and float(decoder.times) == 2 * 90
    assert float(encoder.flops) == pytest.approx(2 * (products + keys + scores), rel=1e-6)
    cached = {term.operator: term.work for term in decoder.terms}["attention (source)"]
    assert float(cached.cache) == 32 * frames * 2 * h * 2  # 16-bit keys and values of every layer


def test_beams_and_windows_share_passes() -> None:
    deployed = setup("openai/whisper-large-v3", "nvidia-a100-sxm4-80gb")
    alone, together = (passes.Job(passes.transcribe(deployed, 600.0, windows=n), 600.0) for n in (1.0, 8.0))
    tried = passes.Job(passes.transcribe(deployed, 600.0, windows=8.0, beams=5.0), 600.0)
    assert together.seconds < tried.seconds < alone.seconds


# Seconds


@pytest.mark.parametrize(
    ("model", "card", "engine", "steps", "published"),
    [
        # Diffusers without compilation: flux-fast (FLUX.1-dev, 28 steps) and the guide to fast diffusion (SDXL, 30).
        ("FLUX.1", "nvidia-h100-sxm", "transformers", 28.0, 6.43),
        ("SDXL", "nvidia-a100-sxm4-80gb", "transformers", 30.0, 3.31),
        # Core ML on the GPU (apple/ml-stable-diffusion), 20 steps.
        ("SDXL", "apple-m1-max", "mlx", 20.0, 46.0),
        ("SDXL", "apple-m2-max", "mlx", 20.0, 37.0),
        ("SDXL", "apple-m1-ultra", "mlx", 20.0, 25.0),
        ("SDXL", "apple-m2-ultra", "mlx", 20.0, 20.0),
    ],
)
def test_a_picture_takes_about_as_long_as_published(
    model: str, card: str, engine: str, steps: float, published: float
) -> None:
    seen, deployed = canvas(model), setup(model, card, engine, "bf16")
    job = passes.Job(passes.draw(deployed, seen.width, seen.height, 1.0, 1.0, steps, seen.guided), 1.0)
    assert published / float(job.seconds) == pytest.approx(1.0, abs=0.3)
    band = passes.band(deployed)
    assert job.floor < published and band.low < published / job.seconds < band.high


def test_small_pictures_wait_for_launches() -> None:
    """Stable Diffusion 1.5 with diffusers on an A100: about 22 steps per second, far from what its peak would allow; a
    card of half that peak in a faster computer makes 40. The floor lies between what either host needs."""
    deployed = setup("SD-1.5", "nvidia-a100-sxm4-80gb", "transformers")
    denoiser = passes.draw(deployed, 512, 512, 1.0, 1.0, 50.0, True)[1]
    assert denoiser.bound == "overhead" and 1 / 45 <= float(denoiser.each) <= 1 / 20
    large = passes.draw(deployed, 512, 512, 1.0, 16.0, 50.0, True)[1]
    assert large.bound != "overhead"
    assert passes.launches(load("SD-1.5")) == pytest.approx(16 + (22 + 16 + 6) / 3)


def test_embeddings_take_about_as_long_as_published() -> None:
    """450 texts of 512 tokens per second from bge-base (the shape of BERT base) on an A10G (Hugging Face, "Deploy
    Embedding Models with Inference Endpoints", 2023-10)."""
    deployed = setup("google-bert/bert-base-uncased", "nvidia-a10g")
    job = passes.Job(passes.embed(deployed, 512.0, 32.0), 32.0)
    band, ratio = passes.band(deployed), 32 / 450 / float(job.seconds)
    assert band.low < ratio < band.high and ratio == pytest.approx(1.0, abs=0.3)


def test_transcription_takes_about_as_long_as_published() -> None:
    """150 minutes in 98 s with large-v3, batches of 24 and flash attention on an A100 80 GB (insanely-fast-whisper):
    Transformers launches the decoder's kernels one by one."""
    deployed = setup("openai/whisper-large-v3", "nvidia-a100-sxm4-80gb", "transformers")
    job = passes.Job(passes.transcribe(deployed, 9000.0, windows=24.0), 9000.0)
    band = passes.band(deployed)
    assert band.low < 98 / float(job.seconds) < band.high
    assert job.stages[1].bound == "overhead"


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_laws(engine: str) -> None:
    """Nothing beats the floor; longer texts, more steps, larger pictures and smaller cards never take less time; a
    batch takes no longer than its texts one after the other."""
    l4, h100 = (setup("BAAI/bge-large-en-v1.5", card, engine) for card in ("nvidia-l4", "nvidia-h100-sxm"))

    def seconds(deployed: Setup, length: float, texts: float) -> float:
        return float(passes.Job(passes.embed(deployed, length, texts), texts).seconds)

    assert seconds(l4, 512.0, 32.0) > seconds(h100, 512.0, 32.0)
    assert seconds(l4, 512.0, 32.0) > seconds(l4, 256.0, 32.0)
    assert seconds(l4, 512.0, 32.0) < 32 * seconds(l4, 512.0, 1.0)
    paint = setup("FLUX.1", "nvidia-h100-sxm", engine, "bf16")

    def drawn(side: int, steps: float, pictures: float) -> passes.Job:
        return passes.Job(passes.draw(paint, side, side, 1.0, pictures, steps, False), pictures)

    assert drawn(1024, 28.0, 1.0).seconds > drawn(1024, 4.0, 1.0).seconds > drawn(512, 4.0, 1.0).seconds
    assert drawn(1024, 4.0, 4.0).seconds < 4 * drawn(1024, 4.0, 1.0).seconds
    for job in (drawn(256, 4.0, 1.0), drawn(2048, 50.0, 2.0)):
        assert 0 < job.floor < job.seconds


def test_evidence_is_borrowed_and_says_so() -> None:
    deployed = setup("BAAI/bge-large-en-v1.5", "nvidia-h100-sxm")
    assert deployed.tier in ("interpolated", "measured", "transferred")
    assert passes.tier(deployed) == "transferred"
    own = deployed.block.band("output_tok_s", "offline dense", deployed.support)
    assert passes.band(deployed).high / passes.band(deployed).low == pytest.approx(
        passes.BORROWED**2 * own.high / own.low
    )


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("Llama-3.1-8B", "text"), ("BAAI/bge-large-en-v1.5", "embeddings"),
        ("google/vit-base-patch16-224", "embeddings"),
        ("openai/clip-vit-base-patch32", "embeddings"), ("SDXL", "pictures"), ("FLUX.1", "pictures"),
        ("openai/whisper-small", "speech"), ("google-t5/t5-small", "sequences"),
    ],
)  # fmt: skip
def test_kinds(model: str, kind: str) -> None:
    assert passes.generates(load(model)) == kind
