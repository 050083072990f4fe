"""What a request costs, beside a bare and a plain application on the same servers."""
