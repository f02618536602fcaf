"""What people look at: projections of sessions. Nothing here changes a session."""
