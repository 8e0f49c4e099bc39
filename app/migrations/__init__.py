"""Migrations: the files and their lock file, dbmate, ``gatepost migrate``, the live catalogue."""
