"""The edge of the service: what stands between sockets and routes, and lets nobody hold on to either."""
