"""Events sent to the receivers that an operator has named (docs/WEBHOOKS.md).

Signed after Standard Webhooks, at least once, in order for each user, by any number of processes.
"""
