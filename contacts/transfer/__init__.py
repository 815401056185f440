"""Contacts in files: reading CSV of ours and of Outlook's, and writing CSV and JSON. docs/contacts.md says how."""
