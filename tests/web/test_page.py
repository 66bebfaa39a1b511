"""The page in a real browser: its users' questions end to end, with a keyboard, a phone, a slow line, and no script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

WIDE, PHONE = {"width": 1300, "height": 900}, {"width": 320, "height": 640}
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
#: Said by a browser of a refused question, which is no fault of the page.
EXPECTED = "422 (Unprocessable"


@pytest.fixture
def page(browser: Any, server: str) -> Iterator[Any]:
    """A fresh page whose every complaint fails the test."""
    complaints: list[str] = []
    context = browser.new_context(base_url=server, viewport=WIDE)
    context.set_default_timeout(60_000)
    made = context.new_page()
    made.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    context.close()
    assert not [one for one in complaints if EXPECTED not in one]


def pick(page: Any) -> str:
    return str(page.locator(".pick").inner_text())


def asked(page: Any) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_three_questions_and_an_answer_that_follows(page: Any) -> None:
    page.goto("/")
    first = pick(page)
    page.locator("[data-set=users][value='200']").click()
    page.wait_for_url("**users=200**")
    page.wait_for_selector(".moved")
    assert asked(page) == {"model": LLAMA, "users": "200"}
    assert pick(page) != first and "200 users" in page.locator(".verdict .told").inner_text()
    assert first in page.locator(".moved").inner_text()
    page.get_by_text("train it", exact=True).click()
    page.locator("#f-tokens").fill("300B")
    page.wait_for_url("**tokens=300B**")
    page.wait_for_selector("text=the run takes")
    assert "users" not in asked(page) and asked(page)["goal"] == "train"
    page.get_by_text("energy", exact=True).click()
    page.wait_for_url("**priority=energy**")


def test_typing_answers_at_once(page: Any) -> None:
    page.goto(f"/?model={LLAMA}&users=1&hardware=RTX%204090,%20RTX%203090")
    with page.expect_response(lambda said: "prompt=20000" in said.url):
        page.locator("#f-prompt").fill("20000")
    page.wait_for_selector("text=20,000 prompt")
    assert asked(page)["prompt"] == "20000"
    seconds = page.evaluate(
        """async () => { const address = location.pathname + location.search.replace('20000', '21000');
        const began = performance.now();
        await (await fetch(address, {headers: {'X-Part': 'answer'}})).text();
        return (performance.now() - began) / 1000; }"""
    )
    assert seconds < 2.0  # a fifth of a second on a quiet machine; see docs/web.md


def test_an_address_is_the_whole_scenario(page: Any, browser: Any, server: str) -> None:
    page.goto(f"/?model={LLAMA}&users=20&slo_ttft=1s&priority=cost&country=DE")
    assert page.locator("#f-users").input_value() == "20" and page.locator("#f-slo_ttft").input_value() == "1s"
    assert page.locator("input[name=priority]:checked").input_value() == "cost"
    elsewhere = browser.new_context()
    other = elsewhere.new_page()
    other.goto(page.url)
    assert pick(other) == pick(page)
    elsewhere.close()
    told = page.request.get(page.locator('.take a[href^="/v1/plan"]').get_attribute("href")).json()
    assert told["pick"] == pick(page) and told["workload"]["users"] == 20
    plan = page.request.get(page.locator(".take a", has_text="plan file").get_attribute("href")).text()
    assert "users = 20" in plan and f'model = "{LLAMA}"' in plan
    table = page.request.get(page.locator(".take a", has_text="CSV").get_attribute("href")).text()
    assert table.splitlines()[0].startswith("rank,name,device") and pick(page) in table
    memo = page.request.get(page.locator('.take a[href^="/memo.html"]').get_attribute("href"))
    assert pick(page) in memo.text() and "attachment" in memo.headers["content-disposition"]
    assert f"ridgewise plan {LLAMA} --users 20" in page.locator(".command").inner_text()


def test_back_and_forward_restore_question_and_answer(page: Any) -> None:
    page.goto(f"/?model={LLAMA}&users=1")
    first = pick(page)
    page.locator("[data-set=users][value='200']").click()
    page.wait_for_url("**users=200**")
    page.wait_for_function("was => document.querySelector('.pick').textContent !== was", arg=first)
    second = pick(page)
    page.go_back()
    page.wait_for_function("was => document.querySelector('.pick').textContent === was", arg=first)
    assert page.locator("#f-users").input_value() == "1"
    page.go_forward()
    page.wait_for_function("was => document.querySelector('.pick').textContent === was", arg=second)
    assert page.locator("#f-users").input_value() == "200"


def test_every_number_opens(page: Any) -> None:
    page.goto(f"/?model={LLAMA}&users=1")
    page.locator(".facts a.num").nth(1).click()
    said = page.locator("dialog[open]")
    said.wait_for()
    text = said.inner_text()
    assert "time to the first token" in text and "80 % interval" in text and "request_overhead" in text
    assert "measurements" in text and re.search(r"\d+ GB/s|TB/s", text) and said.locator("td a").count() > 0
    page.keyboard.press("Escape")
    said.wait_for(state="hidden")
    for link in page.locator("a.num").all()[:12]:
        assert page.request.get(link.get_attribute("href")).status == 200


def test_a_mistake_is_put_right_by_a_button(page: Any) -> None:
    page.goto(f"/?model={LLAMA}&users=20")
    page.locator("a.apply").first.click()
    page.wait_for_selector(".moved, .problem")
    assert page.locator(".moved").count() == 1
    page.goto("/?model=Llama-3.1-70B&users=1&hardware=RTX%204090&quant=bf16")
    assert page.locator(".pick.none").count() == 1
    fixes = page.locator(".verdict a.fix, a.apply")
    assert fixes.count() > 0


def test_what_is_wrong_is_said_where_it_is(page: Any) -> None:
    page.goto("/?model=Llama-3.1-9B&users=1")
    said = page.locator(".problem")
    assert "unknown model" in said.inner_text()
    said.locator("a.chip").first.click()
    page.wait_for_selector(".verdict")
    page.locator("#more > summary").click()
    page.locator("#f-slo_ttft").fill("soon")
    page.wait_for_selector(".problem")
    assert page.locator("#f-slo_ttft").get_attribute("aria-invalid") == "true"


def test_the_picker_works_from_the_keyboard(page: Any) -> None:
    page.goto("/")
    page.locator("#f-model").focus()
    page.keyboard.type("qwen3 30b")
    page.wait_for_selector("#found [role=option]:has-text('Qwen3-30B-A3B')")
    assert page.locator("#f-model").get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#found [aria-selected=true]").get_attribute("data-value")
    page.keyboard.press("Enter")
    page.wait_for_url("**Qwen3**")
    assert asked(page)["model"] == chosen
    page.wait_for_selector(f".over:has-text('{chosen}')")


def test_a_file_of_ones_own(page: Any, tmp_path: Any) -> None:
    from tests.web.test_doors import CONFIG

    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG))
    page.goto(f"/?model={LLAMA}&users=20")
    page.get_by_text("A model of your own").click()
    page.locator("#own-file").set_input_files(path)
    page.locator("#own-name").fill("our own")
    page.get_by_role("button", name="Hand it in").click()
    page.wait_for_url("**upload:**")
    assert asked(page)["users"] == "20" and "our own" in page.locator("body").inner_text()


def test_money_and_closer_looks(page: Any) -> None:
    page.goto(f"/?model={LLAMA}&users=20")
    page.wait_for_selector(".money figure svg")
    assert "buy" in page.locator(".money table").first.inner_text()
    page.get_by_role("link", name="Look closer").click()
    page.wait_for_selector("h1")
    text = page.locator("main").inner_text()
    assert "operator by operator" in text and "Inputs and their sources" in text
    assert page.locator("figure svg[aria-label*='Ridge point']").count() == 1
    served = page.request.get(page.locator(".take a").first.get_attribute("href"))
    assert served.status == 200 and served.text()


def test_without_a_script(browser: Any, server: str) -> None:
    context = browser.new_context(base_url=server, java_script_enabled=False)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto("/")
    page.locator("#f-users").fill("20")
    page.get_by_role("button", name="Answer").click()
    page.wait_for_url("**users=20**")
    assert asked(page) == {"model": LLAMA, "users": "20"}  # blanks are gone
    page.locator(".facts a.num").first.click()
    assert "How it is counted" in page.locator("main").inner_text()
    context.close()


def test_a_slow_line_shows_that_it_computes(page: Any) -> None:
    page.goto(f"/?model={LLAMA}&users=1")

    held: list[Any] = []
    page.route(re.compile(r"/\?.*users=20"), lambda route: held.append(route))
    page.locator("[data-set=users][value='20']").click()
    page.wait_for_selector("#progress:not([hidden])", state="attached")
    assert page.locator("#answer").get_attribute("aria-busy") == "true"
    held[0].continue_()
    page.wait_for_selector(".moved")
    assert page.locator("#progress").is_hidden()


NARROW = ["/", f"/?model={LLAMA}&goal=qlora", "/look?model=Llama-3.1-8B&hardware=RTX 4090", "/compare", "/models",
          "/hardware", "/hardware/nvidia-l4", "/reference", f"/money?model={LLAMA}&users=20&hardware=L4",
          "/train?model=Llama-3.1-8B&hardware=H100 SXM&goal=qlora"]  # fmt: skip


def test_a_phone_shows_everything(page: Any) -> None:
    page.set_viewport_size(PHONE)
    for path in NARROW:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(page: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page.emulate_media(color_scheme=scheme)
    for path in ("/", "/look?model=Llama-3.1-8B&hardware=RTX 4090", "/compare", "/hardware", "/reference",
                 "/?model=nope&users=1"):  # fmt: skip
        page.goto(path)
        page.wait_for_load_state("networkidle")
        found = axe.run(page).response["violations"]
        assert not found, [(path, one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found]
