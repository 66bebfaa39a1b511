"""Hardware: devices as their sheets describe them, machines built from them, and what they cost."""

from ridgewise.hardware.device import DEVICE_KINDS, FIGURES, Device, DeviceKind
from ridgewise.hardware.machine import Machine, configurations
from ridgewise.hardware.offers import (
    Host,
    Offer,
    hosts,
    purchase_offers,
    purchase_price,
    rental_offers,
    rental_price,
)
from ridgewise.hardware.sheets import device, load_device, load_devices, sheet_schema

__all__ = [
    "DEVICE_KINDS",
    "FIGURES",
    "Device",
    "DeviceKind",
    "Host",
    "Machine",
    "Offer",
    "configurations",
    "device",
    "hosts",
    "load_device",
    "load_devices",
    "purchase_offers",
    "purchase_price",
    "rental_offers",
    "rental_price",
    "sheet_schema",
]
