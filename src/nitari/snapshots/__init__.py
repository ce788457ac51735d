"""Snapshots of a home, in a folder or an object store: consistent, incremental, checked, restored to any point."""
