"""A small history checker, after Jepsen: clients record what they did, and rules judge the record.

``checker`` knows neither the service nor the database; ``clients`` call the service over HTTP,
``nodes`` are real PostgreSQL servers and a pooler, ``nemesis`` breaks things, ``seeded`` is the
service with a fault put into it, to see that the rules catch it.
"""
