"""The demo: made-up data on both sides, and one supervisor that runs everything. `manage.py demo` starts here."""
