"""Files: landed lines on the disk, synced before the answer."""
