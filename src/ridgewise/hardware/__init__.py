"""Hardware: devices as their sheets describe them, machines built from them, and what they cost."""

from ridgewise.hardware.device import DEVICE_KINDS, FIGURES, Device, DeviceKind

__all__ = ["DEVICE_KINDS", "FIGURES", "Device", "DeviceKind"]
