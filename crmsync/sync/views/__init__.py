"""The sync's pages: the dialog that starts a run, the runs, and what concerns one contact."""
