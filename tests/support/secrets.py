"""Secrets that production accepts."""

STRONG_SECRET = "vS3mXk9-QzT1bYw_4rLh8GnE2pJc6DfA0uRi7OtW5sKe"
OTHER_SECRET = "eB6yNd0_HcU4xMq-1jVf9TkZ3wSg7RaP5oLi2XtE8nYb"
