"""What the contacts tell whoever wants to know, without knowing whom."""

from django.dispatch import Signal

# Contacts were added or changed: `contacts`, as they are stored now. Sent inside the transaction that stores them, once
# for as many as are stored together, so a receiver waits for the commit and must not cost more with more of them.
contacts_written = Signal()
