"""Gatepost: users and sessions on PostgreSQL, without an ORM."""
