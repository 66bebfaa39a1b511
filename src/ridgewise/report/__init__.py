"""From results to what people and machines read. Computes nothing."""
