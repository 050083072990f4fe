"""OpenID Connect, as one who relies on a provider: discovery, code flow, ID tokens."""
