"""The comparison behind ``skreg compare``: skreg's network among its peers."""
