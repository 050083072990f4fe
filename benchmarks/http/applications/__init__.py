"""The applications that ours is compared with. Each is as its framework's tutorial shows it."""
