"""The commands of ``gatepost``, one module each; app/cli.py lists them."""
