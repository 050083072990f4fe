"""OpenID Connect as a relying party: discovery, authorization code flow, and ID tokens."""
