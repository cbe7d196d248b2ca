"""Backups of a running installation, and how they come back: docs/backup.md."""


class BackupError(Exception):
    """A backup cannot be made, is not whole, or cannot be restored here. The message is one
    sentence for the operator."""
