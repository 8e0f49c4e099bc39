"""HTTP requests to servers of others: providers, and receivers of webhooks."""
