"""Clients that hold on to connections, break off, or speak HTTP badly."""
