"""The measurements behind the project's claims about speed."""
