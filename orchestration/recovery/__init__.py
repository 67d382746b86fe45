"""Making again what was lost, refused or derived by an older rule."""
