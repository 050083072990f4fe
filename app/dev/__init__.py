"""What only bin/dev, bin/check and the tests need. Nothing in production imports this package."""
