"""An embedded PostgreSQL for development and tests. The service never imports this package."""
