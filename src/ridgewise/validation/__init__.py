"""How wrong we are: calibrate on measurements, withhold sources and devices, compare, report."""
