"""The cost of a request, compared with a bare and a plain application on the same servers."""
