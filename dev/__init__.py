"""The tools behind the commands in bin/ and behind the tests. Nothing in app/ imports them."""
