"""The actions of `kzmitm lab`, one file each, found by discovery."""
