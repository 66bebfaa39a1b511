"""Prices besides devices': dated, sourced, converted at a dated rate; missing ones are named, never zero."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgewise.economics import prices
from ridgewise.errors import RequestError
from ridgewise.facts import load_sources
from ridgewise.hardware import device, load_devices, rental_offers, rental_price
from ridgewise.hardware.offers import FETCHED, RENTAL_TERMS, price_rows
from ridgewise.models.read import catalogue_models


def test_germany() -> None:
    place = prices.country("DE")
    assert place == prices.country("germany") == ("DE", "", "Germany")
    business, household = prices.tariff(place), prices.tariff(place, "household")
    # 0.178 and 0.3835 EUR/kWh at the reference rate of 2026-10-30, 1.1172 USD for a euro.
    assert business.value == pytest.approx(0.178 * 1.1172) and business.tier == "assumed"  # modelled, and said so
    assert household.value == pytest.approx(0.3835 * 1.1172) and household.tier == "datasheet"
    assert "ecb-reference-rates" in household.sources and household.as_of == "2025-06"
    grid = prices.grid(place)
    assert grid is not None and (grid.low, grid.high) == (329.6, 380.9)


def test_a_state_is_a_place() -> None:
    assert prices.country("US/Texas") == prices.country("Texas") == ("US", "Texas", "United States")
    assert prices.tariff(prices.country("Texas")).value == 0.064


@pytest.mark.parametrize(
    ("call", "where", "text"),
    [
        (lambda: prices.country("Narnia"), "--country", "unknown country"),
        (lambda: prices.tariff(prices.country("Australia")), "--country", "no electricity price of Australia"),
        (lambda: prices.exchange("XYZ", "--price"), "--price", "no dated rate of currency 'XYZ'"),
        (lambda: prices.api_named("gpt-6"), "--api-model", "no price of a hosted model"),
    ],
)
def test_what_is_not_known_is_named(call: object, where: str, text: str) -> None:
    with pytest.raises(RequestError, match=text) as caught:
        call()  # type: ignore[operator]
    assert caught.value.where == where and caught.value.nearest


def test_every_place_has_a_tariff_or_says_that_it_has_none() -> None:
    for row in (*price_rows("electricity.csv"), *price_rows("carbon.csv")):
        place = prices.country(f"{row['country']}/{row['state']}" if row["state"] else row["country"])
        try:
            found = prices.tariff(place)
        except RequestError as error:
            assert "--tariff" in error.nearest[0]
        else:
            assert 0.01 < found.low <= found.value <= found.high < 1.0 and found.as_of and found.sources


def test_hosted_models_are_models_of_the_catalogue() -> None:
    known = {entry.id for entry in catalogue_models()}
    for price in prices.api_prices():
        assert not price.model or price.model in known, price.name
        assert 0 < price.input < 1e-4 and price.input <= price.output <= 1e-3 and price.as_of == "2026-11-22"
        assert price.cached is None or price.cached < price.input
    assert len(prices.api_named("gpt-oss-120b")) >= 2
    assert [p.provider for p in prices.api_named("groq/openai/gpt-oss-120b")] == ["groq"]


def test_a_blend_by_hand() -> None:
    # $1 per million in, $4 out, $0.10 for what is known: of 800 in, half known, and 200 out, $1.24 per thousand.
    price = prices.ApiPrice("x", "y", "", 1e-6, 4e-6, 1e-7, "2026", ("z",))
    assert price.blended(800, 200, 0.5) * 1000 == pytest.approx((400e-6 + 40e-6 + 800e-6) / 1)
    assert prices.ApiPrice("x", "y", "", 1e-6, 4e-6, None, "2026", ("z",)).known == 1e-6


def test_no_figure_without_a_source() -> None:
    known = load_sources()
    for found in (prices.facility("colocation"), prices.facility("pue"), prices.facility("life"), prices.resale(36)):
        assert found is not None and found.low <= found.value <= found.high
        assert found.sources and all(key in known for key in found.sources)
    assert prices.facility("moonlight") is None


@given(st.floats(0, 240), st.floats(0, 240))
def test_nothing_gains_by_growing_old(one: float, other: float) -> None:
    young, old = (prices.resale(age) for age in sorted((one, other)))
    assert old.high <= young.high + 1e-12 and old.low <= young.low + 1e-12
    assert 0 < old.low <= old.value <= old.high <= 1


def test_commitments_are_rents_under_their_terms() -> None:
    card = device("H100 SXM")
    offers = {terms: rental_price(card, terms) for terms in RENTAL_TERMS}
    assert all(offer is not None and offer.sources and offer.as_of for offer in offers.values())
    year, three = offers["reserved-1y"], offers["reserved-3y"]
    assert year is not None and three is not None and three.low < year.low and year.as_of == "2025-03-06"
    for identity in load_devices():
        assert all(offer.low > 0 for offer in rental_offers(identity))


def test_fetched_offers_join_the_catalogues(tmp_path: Path) -> None:
    card, path = device("RTX 4090"), tmp_path / FETCHED
    before = rental_offers(card.id, tmp_path)
    head = "provider,instance,device,count,region,on_demand_usd_h,spot_usd_h,as_of,source\n"
    path.write_text(f"{head}x,y,nvidia-rtx-4090,2,z,0.8,,2026-11-25,gpuhunt\n")
    after = rental_offers(card.id, tmp_path)
    assert len(after) == len(before) + 1 and after[-1].low == 0.4 and after[-1].as_of == "2026-11-25"
    assert rental_offers(card.id) == before
    for wrong in ("x,y,nvidia-rtx-4090,0,z,0.8,,2026-11-25,g", "x,y,nvidia-rtx-4090,1,z,-1,,2026-11-25,g",
                  "x,y,nvidia-rtx-4090,1,z,0.8,,,g", "x,y,nvidia-rtx-4090,1,z,,,2026,g", "x,y"):  # fmt: skip
        path.write_text(f"{head}{wrong}\n")
        with pytest.raises(RequestError, match="line 2 is no offer"):
            rental_offers(card.id, tmp_path)


@pytest.mark.parametrize(
    ("text", "code", "name"),
    [("Deutschland", "DE", "Germany"), ("deutchland", "DE", "Germany"), ("Germny", "DE", "Germany"),
     ("Federal Republic of Germany", "DE", "Germany"), ("Österreich", "AT", "Austria"),
     ("Schweiz", "CH", "Switzerland"), ("UK", "GB", "United Kingdom"),
     ("United States of America", "US", "United States")],
)  # fmt: skip
def test_a_country_by_another_name_is_told_by_its_code(text: str, code: str, name: str) -> None:
    with pytest.raises(RequestError) as told:
        prices.country(text)
    assert told.value.nearest[:2] == (code, name) and prices.country(code) == prices.country(name)
