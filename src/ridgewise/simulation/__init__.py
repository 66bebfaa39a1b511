"""A service request by request: arrivals, engine policies, replicas and routers, and what users feel."""
