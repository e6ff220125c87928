"""convtrace."""
