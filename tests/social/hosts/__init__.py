"""The providers' own hosts, played by one process behind an HTTPS proxy.

``__main__`` the process · ``tunnel`` the proxy · ``application`` what a request leads to ·
``stand_in`` what a provider is, and its state · ``flow`` authorization and token endpoint ·
``id_tokens`` ID tokens, good and forged · ``faults`` answers that nobody wants ·
``declared`` the providers · ``profiles`` what they say of a person
"""
