"""Programs that speak to the service as any client does."""
