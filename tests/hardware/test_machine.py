"""Machines: what memory is really usable, how many nodes, what stands around the boards."""

from __future__ import annotations

import pytest

from ridgewise.errors import RequestError
from ridgewise.hardware import Machine, configurations, device, load_devices

GIB = 2.0**30


def test_the_drivers_figure_comes_first() -> None:
    b300 = Machine(device("B300"), 8)
    assert b300.usable == 275040 * 2**20
    assert b300.usable_figure is not None and b300.usable_figure.kind == "measured"
    assert b300.memory_total == 8 * 270 * GIB
    assert b300.nodes == 1 and Machine(device("B300"), 9).nodes == 2


def test_without_it_the_label_counts_and_is_said_to_be_assumed() -> None:
    found = Machine(device("RTX 4090")).usable_figure
    assert found is not None and found.number == 24 * GIB and found.kind == "assumed"


@pytest.mark.parametrize(("name", "share"), [("M2 Ultra", 0.75), ("Strix Halo", 0.75), ("GB10", 0.92)])
def test_unified_memory_is_shared(name: str, share: float) -> None:
    found = device(name)
    assert found.memory is not None
    assert Machine(found).usable == pytest.approx(share * found.memory)


def test_a_configuration_can_be_chosen() -> None:
    ultra = device("M3 Ultra")
    assert configurations(ultra) == tuple(gib * GIB for gib in (96, 256, 512))
    assert configurations(device("H100")) == (None,)
    assert Machine(ultra, memory=96 * GIB).usable == 72 * GIB
    with pytest.raises(RequestError, match="not sold with 96 GiB") as caught:
        Machine(device("H100"), memory=96 * GIB)
    assert caught.value.nearest == ("80 GiB",)
    with pytest.raises(RequestError):
        Machine(ultra, memory=-1.0)
    with pytest.raises(RequestError, match="0 devices"):
        Machine(ultra, 0)


def test_processors_need_to_be_told_their_memory() -> None:
    epyc = device("EPYC 9654")
    assert Machine(epyc).usable is None and Machine(epyc).memory_total is None
    assert Machine(epyc, memory=768 * GIB).usable == 764 * GIB
    assert Machine(device("Pi 5 8GB")).usable == 6 * GIB


@pytest.mark.parametrize(
    ("name", "count", "host"),
    [
        ("RTX 4090", 1, "desktop"),
        ("RTX 4090", 4, "workstation"),
        ("H100", 8, "server"),
        ("EPYC 9654", 1, "cpu-server"),
        ("M2 Ultra", 1, None),
        ("Raspberry Pi 5 8GB", 1, None),
    ],
)
def test_hosts(name: str, count: int, host: str | None) -> None:
    assert Machine(device(name), count).host == host


def test_links_matter_only_between_devices() -> None:
    assert Machine(device("H100")).link_bandwidth is None
    assert Machine(device("H100"), 2).link_bandwidth == 450e9


def test_usable_never_exceeds_the_label() -> None:
    for found in load_devices().values():
        machine = Machine(found)
        if machine.usable is not None and machine.capacity is not None:
            assert 0 < machine.usable <= 1.03 * machine.capacity, found.id
        assert machine.nodes == 1
