"""Sign-in with providers: OAuth 2.0 and OpenID Connect, by Better Auth's protocol.

Imported only when GATEPOST_PROVIDERS names some. One sign-in, module by module:

1. ``sign_in``      POST /sign-in/social or /link-social: a state is kept, the browser is sent away
2. ``state``        what is known of it until it comes back, bound to the browser and the provider
3. ``callback``     GET /callback/:id: state, code, tokens, profile, session, redirect
4. ``client``       what is asked of the provider: tokens for the code, and who it is
5. ``linking``      a known account, a user with the same address, or somebody new: a session

Afterwards: ``stored_tokens`` gives and refreshes the provider's tokens, ``sign_out`` ends the
session at the provider as well.
"""
