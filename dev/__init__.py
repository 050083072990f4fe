"""What the commands in bin/ and the tests need. Production code never imports this package."""
